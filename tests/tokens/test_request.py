"""Every count adds up, says how it was made, is not above its bound, and never ends a call."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenguard import faults
from tokenguard.anatomy import Anatomy, Message, Part
from tokenguard.call import Json
from tokenguard.tokens import ranks, said, text
from tokenguard.tokens.length import length
from tokenguard.tokens.request import count_request, count_text, features, warm
from tokenguard.tokens.weights import EXTRAS, Weights, dot

from .asking import claude_picture, counted, flat, function, one_message, picture, taken_apart
from .asking import said as asked

MODELS = (
    "gpt-4o",
    "gpt-4",
    "gpt-5",
    "gpt-6-sol",
    "claude-sonnet-4-5",
    "claude-opus-5-5",
    "gemini-3-pro",
    "my-model",
)
TEXTS = (
    st.text()
    | st.text(alphabet=st.characters(codec="utf-8"))
    | st.text(alphabet="aQ1 \n.{}ȺȾ中の", max_size=200)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
SCHEMAS = st.recursive(
    st.sampled_from(
        [
            {"type": "string"},
            {"type": ["number", "null"]},
            {"enum": ["a", 1]},
            {"$ref": "#"},
            {"type": "array"},
        ]
    ),
    lambda inner: (
        st.builds(
            lambda properties, title: {"type": "object", "properties": properties, "title": title},
            st.dictionaries(st.text(max_size=6), inner, max_size=3),
            st.text(max_size=8),
        )
        | st.builds(lambda one: {"type": "array", "items": one}, inner)
        | st.builds(lambda some: {"anyOf": some}, st.lists(inner, max_size=2))
    ),
    max_leaves=6,
)
MESSAGES = st.lists(
    st.builds(
        lambda role, content, name: {"role": role, "content": content, **({"name": name} if name else {})},
        st.sampled_from(["system", "user", "assistant", "tool"]),
        st.text(max_size=60),
        st.text(max_size=8),
    ),
    max_size=5,
)
TOOLS = st.lists(
    st.builds(
        lambda name, about, schema: {
            "type": "function",
            "function": {"name": name, "description": about, "parameters": schema},
        },
        st.text(max_size=10),
        st.text(max_size=40),
        SCHEMAS,
    ),
    max_size=3,
)


@settings(deadline=None)
@given(TEXTS, st.sampled_from(MODELS))
def test_a_text_is_not_above_its_bound(given_text: str, model: str) -> None:
    """Whatever the text; and for public tokenizers against the tokenizer itself."""
    count = asked(given_text, model).total
    assert 0 <= count.tokens <= count.at_most
    if model in ("gpt-4o", "gpt-4", "gpt-5"):
        encoding = ranks.encoding(text.encoding_for(model))
        assert count.at_most >= len(encoding.encode_ordinary(given_text))
        assert count.how == "exact"


@settings(deadline=None, max_examples=200)
@given(MESSAGES, TOOLS, st.none() | SCHEMAS, st.sampled_from(MODELS))
def test_the_parts_of_any_request_add_up(
    messages: list[Json], tools: list[Json], schema: Json | None, model: str
) -> None:
    """To the total, which is not above the bound; and what the texts alone are is not above it either."""
    body: Json = {"messages": messages, "tools": tools}
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    anatomy, provider = taken_apart("chat", body)
    before = faults.counts().get("tokens.request", 0)
    count = count_request(anatomy, model, provider)
    assert faults.counts().get("tokens.request", 0) == before
    assert sum(count[1:]) == count.total.tokens <= count.total.at_most
    assert min(count[1:]) >= 0
    alone = sum(
        count_text(part.text, model, provider).tokens for one in anatomy.messages for part in one.parts
    )
    assert abs(count.system + count.history + count.user - alone) <= 2 + len(anatomy.messages)


@settings(deadline=None)
@given(JSON, st.sampled_from(["chat", "responses", "messages"]), st.sampled_from(MODELS))
def test_no_body_is_too_strange(value: Any, kind: str, model: str) -> None:
    """Whatever stands where messages, tools and schemas should."""
    body = {"messages": value, "input": value, "system": value, "tools": value, "response_format": value}
    anatomy, provider = taken_apart(kind, body)
    count = count_request(anatomy, model, provider)
    assert sum(count[1:]) == count.total.tokens <= count.total.at_most


def test_a_conversation_has_instructions_a_past_and_a_turn() -> None:
    """The last turn begins where the user spoke last."""
    count = counted(
        "chat",
        "gpt-4o",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Two and two?"},
            {"role": "assistant", "content": "Four."},
            {"role": "user", "content": "And three?"},
        ],
    )
    assert count[1:] == (3, 6, 3, 0, 0, 0, 19)
    assert count.total == (31, "exact", 0.0, count.total.at_most)


def test_a_growing_conversation_costs_its_new_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was counted before is found again, in a request that was read anew."""
    counts: list[str] = []

    def watched(given_text: str, family: Any) -> Any:
        counts.append(given_text)
        return length(given_text, family)

    monkeypatch.setattr("tokenguard.tokens.said.length", watched)
    turns = [{"role": "user", "content": f"turn {time.monotonic_ns()} {n}"} for n in range(6)]
    for n in range(1, len(turns) + 1):
        counted("chat", "gpt-4.1", messages=[dict(turn) for turn in turns[:n]])
    for turn in turns:
        assert counts.count(turn["content"]) == 1
    counted("chat", "gpt-4o", messages=turns)  # another model, the same tokenizer
    assert sum(counts.count(turn["content"]) for turn in turns) == len(turns)


def test_the_memory_is_bounded() -> None:
    """However many messages there were."""
    memo = said._memos["o200k_base"]
    for n in range(5000):
        asked(f"message {n}", "gpt-4o")
    assert len(memo) <= 4096


def test_threads_count_alike() -> None:
    """All at once, with a memory that they share."""
    found: list[int] = []

    def work() -> None:
        found.extend(asked(f"thread {n % 50} counts", "gpt-5").total.tokens for n in range(200))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1200
    assert set(found) == {10}


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet-4-5"])
def test_a_picture_from_elsewhere_is_as_large_as_can_be(model: str) -> None:
    """Nothing is fetched: the family's largest, and said so."""
    image = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    elsewhere = {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}}
    chat = model == "gpt-4o"
    content = [{"type": "text", "text": "What is this?"}, image if chat else elsewhere]
    count = counted("chat" if chat else "messages", model, messages=[{"role": "user", "content": content}])
    assert count.media == (1445 if chat else 1603)
    assert count.total.how == ("upper_bound" if chat else "estimated")
    assert count.total.error is None
    largest = picture(2048, 4096) if chat else claude_picture(1100, 1100)
    known = counted(
        "chat" if chat else "messages", model, messages=[{"role": "user", "content": [content[0], largest]}]
    )
    assert known.total.tokens <= count.total.at_most


def test_what_is_not_in_the_request_may_fill_the_window() -> None:
    """An earlier response, a document of unknown length: the estimate says nothing, the bound all."""
    count = counted("responses", "gpt-4.1", input="and then?", previous_response_id="resp_1")
    assert (count.total.how, count.total.error) == ("estimated", None)
    assert count.total.at_most > 1_047_576
    document = {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}
    count = counted("messages", "claude-haiku-4-5", messages=[{"role": "user", "content": [document]}])
    assert count.total.at_most > 200_000


def test_tools_of_the_provider_are_not_known() -> None:
    """They bring in what they find."""
    count = counted("responses", "gpt-5", input="news?", tools=[{"type": "web_search"}])
    assert (count.total.how, count.total.error) == ("estimated", None)


def test_learned_weights_replace_the_prior() -> None:
    """For a tokenizer that is not public, and for what frames a request; the count says so."""
    anatomy = one_message("The train leaves at nine.")
    prior = count_request(anatomy, "claude-sonnet-4-5", "anthropic")
    seen = features(anatomy, "claude-sonnet-4-5", "anthropic")
    assert seen.certain
    assert len(seen.extras) == len(EXTRAS)
    doubled = Weights(tuple(2.0 for _ in seen.classes), (5.0, 0.0, 0.0, 0.0, 0.0), error=0.02, most=1.1)
    learned = count_request(anatomy, "claude-sonnet-4-5", "anthropic", doubled)
    expected = seen.known + dot(doubled.classes, seen.classes) + 5
    assert learned.total.tokens == pytest.approx(expected, abs=2)
    assert learned.total[1:] == ("calibrated", 0.02, -(-learned.total.tokens * 11 // 10))
    assert learned.total.at_most < prior.total.at_most


@settings(deadline=None)
@given(MESSAGES, TOOLS, st.sampled_from(MODELS))
def test_features_are_the_estimate_taken_apart(messages: list[Json], tools: list[Json], model: str) -> None:
    """What is known and what the classes come to by the prior: the count, but for rounding."""
    from tokenguard.tokens.families import family_of

    anatomy, provider = taken_apart("chat", {"messages": messages, "tools": tools})
    seen = features(anatomy, model, provider)
    estimate = seen.known + dot(family_of(model, provider).weights.classes, seen.classes)
    assert estimate == pytest.approx(count_request(anatomy, model, provider).total.tokens, abs=4)
    assert seen.extras == (1, len(anatomy.messages), len(anatomy.tools), 0, 0)


def test_where_texts_are_counted_only_frames_are_learned() -> None:
    """A public tokenizer leaves its weights without effect."""
    anatomy = one_message("The train leaves at nine.")
    seen = features(anatomy, "gpt-5", "openai")
    assert set(seen.classes) == {0.0}
    learned = count_request(anatomy, "gpt-5", "openai", Weights(tuple(9.0 for _ in seen.classes), error=0.0))
    assert learned.total.tokens == count_request(anatomy, "gpt-5", "openai").total.tokens


@pytest.mark.parametrize(
    "given_text",
    [
        " " * 1_000_000,
        "\t\n" * 500_000,
        "a" * 1_000_000,
        "aB3+" * 1_300_000,
        "\u0301" * 500_000,
        "-\r" * 400_000,
    ],
    ids=["spaces", "blanks", "letters", "base64", "marks", "signs"],
)
@pytest.mark.parametrize("model", ["gpt-4o", "claude-opus-5"])
def test_no_text_is_too_much(given_text: str, model: str) -> None:
    """Megabytes that were made to be slow have a count and a bound; if not all was counted, it says so."""
    count = asked(given_text, model).total
    assert 0 < count.tokens <= count.at_most
    assert count.how == ("exact" if given_text[0] == "-" and model == "gpt-4o" else "estimated")


def test_what_breaks_inside_is_counted_roughly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault is noted, and the call goes on with an estimate."""

    def broken(*_: object) -> object:
        raise RuntimeError("no such luck")

    monkeypatch.setattr("tokenguard.tokens.request.Tally", broken)
    before = faults.counts().get("tokens.request", 0)
    count = asked("hello there, world", "gpt-4o")
    assert faults.counts()["tokens.request"] == before + 1
    assert (count.total.how, count.total.error) == ("estimated", None)
    assert 0 < count.total.tokens <= count.total.at_most


def test_a_message_that_is_no_json_is_counted_anew() -> None:
    """Without a digest there is nothing to remember it by."""
    strange = Message("user", ("messages", 0), (Part("text", (), "hello"),), {"content": object()})
    assert count_request(Anatomy((strange,)), "gpt-4o", "openai").total.tokens == 8


def test_a_text_by_itself_has_no_frame() -> None:
    """As the command counts files."""
    assert count_text("hello world", "gpt-4o") == (2, "exact", 0.0, 2)
    assert count_text("", "claude-opus-5") == (0, "exact", 0.0, 0)
    claude = count_text("hello world, hello again", "claude-opus-5")
    assert (claude.how, claude.error) == ("estimated", 0.18)
    assert claude.at_most >= len("hello world, hello again")


def test_ranks_can_be_loaded_ahead() -> None:
    """In a thread that ends by itself and keeps no process alive."""
    thread = warm("gpt-4")
    assert thread.daemon
    thread.join(30)
    assert "cl100k_base" in ranks._encodings


def test_responses_and_chat_have_tools_in_frames_of_their_own() -> None:
    """The same request comes to less in responses."""
    tool = function("get_time", "What time is it?")
    messages = [{"role": "user", "content": "Well?"}]
    chat = counted("chat", "gpt-5", messages=messages, tools=[tool])
    responses = counted("responses", "gpt-5", input=messages, tools=[flat(tool)])
    assert chat.total.tokens - responses.total.tokens == 82
