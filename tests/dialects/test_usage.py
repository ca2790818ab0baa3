"""Usage of every dialect: meters are disjoint and add up, and nothing that a server sends can raise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenguard.call import Meter, Usage
from tokenguard.dialects import Dialect
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.openai_chat import CHAT, COMPLETIONS
from tokenguard.dialects.openai_embeddings import EMBEDDINGS
from tokenguard.dialects.openai_media import AUDIO, IMAGES, SPEECH
from tokenguard.dialects.openai_responses import RESPONSES

DIALECTS = (CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS, MESSAGES, AUDIO, SPEECH, IMAGES)

COUNT = st.integers(0, 2_000_000)
NAMES = [
    *("usage", "type", "seconds", "total_tokens", "prompt_tokens", "completion_tokens", "input_tokens"),
    *("output_tokens", "prompt_tokens_details", "completion_tokens_details", "input_tokens_details"),
    *("output_tokens_details", "input_token_details", "cached_tokens", "cache_write_tokens", "audio_tokens"),
    *("image_tokens", "reasoning_tokens", "thinking_tokens", "cache_creation", "cache_read_input_tokens"),
    *("cache_creation_input_tokens", "ephemeral_1h_input_tokens", "ephemeral_5m_input_tokens"),
    *("server_tool_use", "web_search_requests", "iterations", "cache_write_tokens_details", "ttl_12h_tokens"),
    *("model", "id", "service_tier", "choices", "finish_reason", "output", "status", "incomplete_details"),
    *("error", "stop_reason", "max_tokens", "temperature", "top_p", "n", "stream", "max_completion_tokens"),
    *("action", "message", "delta", "index", "text", "content", "tool_calls", "function", "response"),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["tokens", "duration", "compaction", "web_search_call", "message_delta"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=6,
)
BODIES = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6)


def usage_of(dialect: Dialect, block: dict[str, Any]) -> Usage:
    read = dialect.answer({"usage": block}).usage
    assert read is not None
    return read


def holds(read: Usage, total: int) -> None:
    """The meters are not negative and add up to the provider's total, and nothing is amiss."""
    tokens = {meter: n for meter, n in read.meters.items() if meter.unit == "token"}
    assert all(n >= 0 for n in tokens.values())
    assert sum(tokens.values()) == total
    assert read.input_tokens + read.output_tokens == total
    assert read.anomaly() is None


@st.composite
def chat_usage(draw: st.DrawFn) -> dict[str, Any]:
    """What an OpenAI chat reply says: details are parts of the totals above them."""
    sent = {
        name: draw(COUNT) for name in ("cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens")
    }
    made = {name: draw(COUNT) for name in ("audio_tokens", "image_tokens")}
    prompt, completion = sum(sent.values()) + draw(COUNT), sum(made.values()) + draw(COUNT)
    reasoning = draw(st.integers(0, completion))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": sent,
        "completion_tokens_details": {**made, "reasoning_tokens": reasoning},
    }  # fmt: skip


@settings(deadline=None)
@given(chat_usage())
def test_chat_usage_adds_up(block: dict[str, Any]) -> None:
    """No token of a chat reply is in two meters or in none."""
    for dialect in (CHAT, COMPLETIONS):
        holds(usage_of(dialect, block), block["total_tokens"])


@settings(deadline=None)
@given(COUNT, COUNT, COUNT, COUNT, COUNT)
def test_responses_usage_adds_up(plain: int, cached: int, short: int, long: int, output: int) -> None:
    """No token of a response is in two meters or in none."""
    sent = plain + cached + short + long
    block = {
        "input_tokens": sent,
        "input_tokens_details": {
            "cached_tokens": cached,
            "cache_write_tokens": short + long,
            "cache_write_tokens_details": {"ttl_30m_tokens": short, "ttl_12h_tokens": long},
        },
        "output_tokens": output,
        "total_tokens": sent + output,
    }
    holds(usage_of(RESPONSES, block), sent + output)


@settings(deadline=None)
@given(COUNT, COUNT, COUNT, COUNT, COUNT)
def test_anthropic_usage_adds_up(plain: int, read: int, short: int, long: int, output: int) -> None:
    """Anthropic sends parts and no total: their sum is ours."""
    block = {
        "input_tokens": plain,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": short + long,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": output,
    }
    holds(usage_of(MESSAGES, block), plain + read + short + long + output)


@settings(deadline=None)
@given(COUNT, COUNT, COUNT, COUNT, COUNT)
def test_media_usage_adds_up(text: int, audio: int, image: int, made_text: int, made_image: int) -> None:
    """No token of a transcription or an image is in two meters or in none."""
    sent, made = text + audio + image, made_text + made_image
    block = {
        "input_tokens": sent,
        "input_tokens_details": {"text_tokens": text, "audio_tokens": audio, "image_tokens": image},
        "output_tokens": made,
        "output_tokens_details": {"text_tokens": made_text, "image_tokens": made_image},
        "total_tokens": sent + made,
    }
    for dialect in (AUDIO, SPEECH, IMAGES):
        holds(usage_of(dialect, block), sent + made)


@settings(max_examples=60, deadline=None)
@given(BODIES)
def test_nothing_that_a_server_sends_can_raise(body: dict[str, Any]) -> None:
    """Replies, and the usage in them, may be anything that JSON can say."""
    for dialect in DIALECTS:
        answered = dialect.answer(body)
        assert answered.model is None or isinstance(answered.model, str)
        if answered.usage is not None:
            answered.usage.anomaly()


@settings(max_examples=60, deadline=None)
@given(BODIES)
def test_nothing_that_a_caller_sends_can_raise(body: dict[str, Any]) -> None:
    """Requests may be anything too: it is the provider's business to refuse them."""
    for dialect in DIALECTS:
        asked = dialect.ask(body)
        assert isinstance(asked.model, str)
        assert asked.max_tokens is None or abs(asked.max_tokens) < 2**63


@settings(max_examples=40, deadline=None)
@given(st.lists(BODIES, max_size=3))
def test_events_with_odd_usage_do_not_raise(events: list[dict[str, Any]]) -> None:
    """In a stream too."""
    for dialect in DIALECTS:
        if dialect.events is None:
            continue
        reader = dialect.events()
        for event in events:
            reader.feed(None, {"usage": event, "response": event, "message": {"usage": event}, **event})
        answered = reader.answered()
        assert answered.model is None or isinstance(answered.model, str)


CONSISTENT: dict[Dialect, dict[str, Any]] = {
    CHAT: {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    RESPONSES: {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
    MESSAGES: {"input_tokens": 10, "output_tokens": 5},
    EMBEDDINGS: {"prompt_tokens": 15, "total_tokens": 15},
    AUDIO: {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
    IMAGES: {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
}


NEGATIVE = [
    (dialect, {**block, name: -block[name]})
    for dialect, block in CONSISTENT.items()
    for name in block
    if name != "total_tokens"
]


@pytest.mark.parametrize(("dialect", "block"), NEGATIVE)
def test_negative_counts_are_flagged(dialect: Dialect, block: dict[str, Any]) -> None:
    """A negative count is no refund."""
    anomaly = usage_of(dialect, block).anomaly()
    assert anomaly is not None
    assert anomaly.startswith("usage_negative:")


@pytest.mark.parametrize("wrong", ["7", 7.5, True, [7], {"tokens": 7}, 2**41, float("inf")], ids=repr)
@pytest.mark.parametrize("dialect", CONSISTENT, ids=lambda dialect: dialect.name)
def test_counts_of_a_wrong_type_cannot_be_read(dialect: Dialect, wrong: object) -> None:
    """They are kept for the record as they came, and no number is made of them."""
    first = next(iter(CONSISTENT[dialect]))
    block = {**CONSISTENT[dialect], first: wrong}
    read = usage_of(dialect, block)
    assert read.meters == {}
    assert read.raw == block


@pytest.mark.parametrize(
    "dialect", [CHAT, RESPONSES, EMBEDDINGS, AUDIO, IMAGES], ids=lambda dialect: dialect.name
)
def test_a_total_that_does_not_fit_is_flagged(dialect: Dialect) -> None:
    """Parts that do not add up to the total are an anomaly, not a guess."""
    block = {**CONSISTENT[dialect], "total_tokens": 999}
    assert usage_of(dialect, block).anomaly() == "usage_sum_mismatch"


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("block", [None, {}, [], "none", 0, 15, False], ids=repr)
def test_no_usage_is_not_zero_usage(dialect: Dialect, block: object) -> None:
    """Where the reply does not speak of usage it is unknown."""
    assert dialect.answer({"usage": block}).usage is None
    assert dialect.answer({}).usage is None


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_usage_that_speaks_of_something_else_cannot_be_read(dialect: Dialect) -> None:
    """A block with none of the counts we know says nothing: it is kept, and priced at nothing known."""
    read = usage_of(dialect, {"credits": 12, "tokens": 7})
    assert read.meters == {}
    assert read.raw == {"credits": 12, "tokens": 7}


@settings(deadline=None)
@given(chat_usage(), st.data())
def test_details_beyond_their_total_are_flagged(block: dict[str, Any], data: st.DataObject) -> None:
    """More cached tokens than there are tokens leave a negative rest, which is seen."""
    more = data.draw(st.integers(block["prompt_tokens"] + 1, 10_000_000))
    block = json.loads(json.dumps(block))
    block["prompt_tokens_details"]["cached_tokens"] = more
    assert usage_of(CHAT, block).anomaly() == f"usage_negative:{Meter.INPUT}"
