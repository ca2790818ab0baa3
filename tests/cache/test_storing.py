"""Which answers are kept: each reason not to, in each format, streamed and whole, as providers send them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.cache.asking import (
    BEDROCK_URL,
    CHAT_URL,
    COMPLETIONS_URL,
    EMBEDDINGS_URL,
    MESSAGES_URL,
    RESPONSES_URL,
    answered,
    asking,
    reply,
    streamed,
)
from tokenguard.cache.eligibility import CACHEABLE
from tokenguard.cache.storing import REFUSALS, refusal
from tokenguard.call import Answered, Call, WholeReply
from tokenguard.testing import Answer, ToolCall, aws_event_stream, wire

Json = dict[str, Any]
Sent = Callable[..., WholeReply]

GPT, CLAUDE = "gpt-4o", "claude-sonnet-4-5"
BEDROCK = BEDROCK_URL.format(CLAUDE)
HELLO: Json = {"messages": [{"role": "user", "content": "Hello"}]}
ASKED: dict[str, Json] = {
    CHAT_URL: {"model": GPT, **HELLO},
    COMPLETIONS_URL: {"model": GPT, "prompt": "Hello", "max_tokens": 99},
    RESPONSES_URL: {"model": GPT, "input": "Hello"},
    MESSAGES_URL: {"model": CLAUDE, "max_tokens": 99, **HELLO},
    BEDROCK: {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 99, **HELLO},
    EMBEDDINGS_URL: {"model": "text-embedding-3-small", "input": "Hello"},
}
SPEAKING = [url for url in ASKED if url != EMBEDDINGS_URL]
TOOL_URLS = [url for url in SPEAKING if url != COMPLETIONS_URL]
CUT = {
    MESSAGES_URL: "max_tokens",
    BEDROCK: "max_tokens",
    RESPONSES_URL: "max_output_tokens",
}
CALLS = Answer(tool_calls=[ToolCall("weather", {"city": "Paris"})])

both = pytest.mark.parametrize("sent", [answered, streamed], ids=["whole", "streamed"])


def to(url: str, **more: Any) -> Call:
    return asking(url, {**ASKED[url], **more})


def kept(call: Call, got: WholeReply, **settings: Any) -> str | None:
    """Why an answer is not kept, ``None`` where it is."""
    chosen: dict[str, Any] = {"tools": False, "max_bytes": 2**20, "validate": None, **settings}
    return refusal(call, got, **chosen)


def text_of(payloads: list[Json], *, name: bool = True, done: bool = False) -> bytes:
    """Events as they are streamed."""
    events = [wire.event(it) if name else wire.data(wire.dumps(it)) for it in payloads]
    return b"".join([*events, b"data: [DONE]\n\n"] if done else events)


# What is kept


@both
@pytest.mark.parametrize("url", SPEAKING)
def test_an_answer_is_kept(url: str, sent: Sent) -> None:
    """One that ended by itself and says something."""
    call = to(url)
    assert kept(call, sent(call)) is None


@pytest.mark.parametrize("form", ["float", "base64"])
def test_vectors_are_kept(form: str) -> None:
    """In either form."""
    call = to(EMBEDDINGS_URL, encoding_format=form, dimensions=8)
    assert kept(call, answered(call)) is None


@both
@pytest.mark.parametrize("url", SPEAKING)
@pytest.mark.parametrize(
    "text",
    [
        'Set "tool_calls": [{"id": "call_1"}] in the message.',
        '{"type": "tool_use", "name": "f"}',
        '{"type":"function_call","arguments":"{}"}',
        'data: {"error": {"type": "server_error"}}\n\nevent: error\n\n',
        '"finish_reason": "length", "stop_reason": "max_tokens", "status": "incomplete"',
        "I'm sorry, I can't help with that.",
        "[DONE]",
        "0",
        "\u2028\u2029\x85\x00",
    ],
)
def test_an_answer_that_talks_about_such_things_is_kept(url: str, text: str, sent: Sent) -> None:
    """What stands in the text is not what happened."""
    call = to(url)
    assert kept(call, sent(call, text)) is None


@both
@pytest.mark.parametrize("url", [MESSAGES_URL, BEDROCK])
def test_thinking_before_an_answer_is_fine(url: str, sent: Sent) -> None:
    """It is kept along with it, but it is no answer."""
    call = to(url)
    assert kept(call, sent(call, Answer("Paris.", thinking="Hmm."))) is None
    assert kept(call, sent(call, Answer("", thinking="Hmm."))) == "empty"


@both
def test_reasoning_before_an_answer_is_fine(sent: Sent) -> None:
    """A reasoning item is no answer, and does not stand in the way of one."""
    call = to(RESPONSES_URL)
    assert kept(call, sent(call, Answer("Paris.", reasoning_tokens=5))) is None


@both
@pytest.mark.parametrize("reason", ["stop_sequence", "end_turn"])
def test_a_stop_sequence_ends_a_whole_answer(reason: str, sent: Sent) -> None:
    """It was asked for."""
    call = to(MESSAGES_URL, stop_sequences=["."])
    assert kept(call, sent(call, Answer("Paris", finish_reason=reason))) is None


# What went wrong on the way


@pytest.mark.parametrize("url", ASKED)
@pytest.mark.parametrize("status", [201, 202, 206, 302, 400, 401, 429, 500, 529])
def test_only_status_200_is_kept(url: str, status: int) -> None:
    """Whatever the body says."""
    call = to(url)
    assert kept(call, answered(call)._replace(status=status)) == "status"


@pytest.mark.parametrize("url", SPEAKING)
def test_a_stream_that_breaks_off_is_not_kept(url: str) -> None:
    """Wherever it does, up to the very last event."""
    call = to(url)
    number = len(_events(call))
    for whole in range(number):
        got = streamed(call, "Paris.", change=lambda events, whole=whole: _cut(events, whole))  # type: ignore[misc]
        assert kept(call, got) == "unfinished"
    assert kept(call, streamed(call, "Paris.")) is None


def _events(call: Call) -> list[bytes]:
    seen: list[bytes] = []
    streamed(call, "Paris.", change=seen.extend)
    return seen


def _cut(events: list[bytes], whole: int) -> None:
    del events[whole:]


@both
@pytest.mark.parametrize("url", SPEAKING)
def test_a_large_answer_is_not_kept(url: str, sent: Sent) -> None:
    """The last byte of those that may be is the limit; what was not held together is too large."""
    call = to(url)
    got = sent(call)
    assert got.body is not None
    assert kept(call, got, max_bytes=len(got.body)) is None
    assert kept(call, got, max_bytes=len(got.body) - 1) == "too_large"
    assert kept(call, got._replace(body=None)) == "too_large"
    assert kept(call, streamed(call, keeps=9)) == "too_large"


@pytest.mark.parametrize("url", ASKED)
def test_an_error_inside_an_answer_is_not_kept(url: str) -> None:
    """With status 200, beside what looks like an answer; of embeddings, in place of it."""

    def spoiled(body: Json) -> None:
        body.pop("data", None)
        body["error"] = {"type": "server_error", "message": "The model is overloaded"}

    call = to(url)
    expected = "empty" if url == EMBEDDINGS_URL else "error"
    assert kept(call, answered(call, change=spoiled)) == expected


@pytest.mark.parametrize("url", SPEAKING)
def test_an_error_inside_a_stream_is_not_kept(url: str) -> None:
    """Even if the stream goes on and ends as if nothing were."""
    call = to(url)
    if call.where.channel == "bedrock":
        error = aws_event_stream.exception("modelStreamErrorException", "no more")
    else:
        body = {"type": "error", "error": {"type": "overloaded_error"}, "code": "server_error"}
        error = wire.event(body) if call.dialect != "openai.chat" else wire.data(json.dumps(body))
    assert kept(call, streamed(call, change=lambda events: events.insert(2, error))) == "error"


# How it ended


@both
@pytest.mark.parametrize("url", SPEAKING)
def test_an_answer_that_is_cut_short_is_not_kept(url: str, sent: Sent) -> None:
    """By its own limit of tokens."""
    limit = {RESPONSES_URL: "max_output_tokens"}.get(url, "max_tokens")
    call = to(url, **{limit: 2})
    got = sent(call, "One two three four five six.")
    assert got.answered.finish_reasons == (CUT.get(url, "length"),)
    assert kept(call, got) == "finish_reason"


ENDS = [
    *((CHAT_URL, reason) for reason in ("content_filter", "length", "error", "next_year", "Stop")),
    *((COMPLETIONS_URL, reason) for reason in ("content_filter", "length", "tool_calls")),
    *(
        (MESSAGES_URL, reason)
        for reason in (
            *("refusal", "pause_turn", "max_tokens", "model_context_window_exceeded", "compaction"),
            *("content_filtered", "next_year"),
        )
    ),
    (BEDROCK, "content_filtered"),
]


@both
@pytest.mark.parametrize(("url", "reason"), ENDS)
def test_an_answer_that_ended_otherwise_is_not_kept(url: str, reason: str, sent: Sent) -> None:
    """Filtered, refused, paused, or in a way that is not known here."""
    call = to(url)
    assert kept(call, sent(call, Answer("Paris.", finish_reason=reason))) == "finish_reason"


@pytest.mark.parametrize("status", ["incomplete", "failed", "cancelled", "queued", "in_progress", None])
@pytest.mark.parametrize("why", [{"reason": "content_filter"}, None])
def test_a_response_that_is_not_completed_is_not_kept(status: str | None, why: Json | None) -> None:
    """Whole, or as the last event of its stream."""
    call = to(RESPONSES_URL)
    body = json.loads(answered(call).body or b"")
    body |= {"status": status, "incomplete_details": why}
    assert kept(call, reply(call, body)) == "finish_reason"
    last = {"type": f"response.{status}", "response": body}
    expected = "finish_reason" if status in ("incomplete", "failed", "cancelled") else "unfinished"
    assert kept(call, streamed(call, change=lambda events: _replace(events, last))) == expected


def _replace(events: list[bytes], last: Json) -> None:
    events[-1] = wire.event(last)


@both
def test_a_chat_that_does_not_say_how_it_ended_is_not_kept(sent: Sent) -> None:
    """As from a server that stops in the middle."""
    call = to(CHAT_URL)
    if sent is answered:
        got = answered(call, change=lambda body: body["choices"][0].update(finish_reason=None))
    else:
        got = streamed(call, change=lambda events: events.pop(-2))
    assert kept(call, got) == "finish_reason"


def test_every_choice_counts() -> None:
    """One of several that was cut off is enough."""
    call = to(CHAT_URL, n=2)
    assert kept(call, answered(call)) is None
    assert kept(call, streamed(call)) is None
    got = answered(call, change=lambda body: body["choices"][1].update(finish_reason="length"))
    assert kept(call, got) == "finish_reason"


# Refusals and silence


@both
@pytest.mark.parametrize("url", [CHAT_URL, RESPONSES_URL, MESSAGES_URL])
def test_a_refusal_is_not_kept(url: str, sent: Sent) -> None:
    """It has no text, or says so at its end."""
    call = to(url)
    expected = "finish_reason" if url == MESSAGES_URL else "empty"
    assert kept(call, sent(call, Answer(refusal="I can't help with that."))) == expected


@both
@pytest.mark.parametrize("url", SPEAKING)
@pytest.mark.parametrize("text", ["", " ", "\n\n\t"])
def test_an_answer_that_says_nothing_is_not_kept(url: str, text: str, sent: Sent) -> None:
    """Neither text nor a call."""
    call = to(url)
    assert kept(call, sent(call, text)) == "empty"


def test_a_reply_without_content_is_not_kept() -> None:
    """However it is left out."""
    call = to(CHAT_URL)
    for message in (
        {},
        {"content": None},
        {"content": []},
        {"content": 7},
        {"content": [{"type": "x"}]},
        None,
        "x",
    ):
        body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        assert kept(call, reply(call, body)) == "empty"


@pytest.mark.parametrize("data", [{"data": []}, {"data": None}, {}, {"data": "x"}, {"data": [None]}])
def test_embeddings_without_vectors_are_not_kept(data: Json) -> None:
    """Nor what is no JSON."""
    call = to(EMBEDDINGS_URL)
    assert kept(call, reply(call, {"object": "list", "model": call.asked.model, **data})) == "empty"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"<html>"])
def test_embeddings_that_are_no_json_are_not_kept(body: bytes) -> None:
    """As from a proxy in between."""
    call = to(EMBEDDINGS_URL)
    assert kept(call, WholeReply(200, "application/json", body, True, Answered())) == "not_json"


# Tools


@both
@pytest.mark.parametrize("url", TOOL_URLS)
@pytest.mark.parametrize("text", [None, "Let me look."])
def test_calls_of_tools_are_kept_only_if_asked_for(url: str, text: str | None, sent: Sent) -> None:
    """With text beside them or not."""
    call = to(url)
    got = sent(call, Answer(text, tool_calls=CALLS.tool_calls))
    assert kept(call, got) == "tool_call"
    assert kept(call, got, tools=True) is None


@both
def test_a_forced_call_is_a_call(sent: Sent) -> None:
    """A chat whose tool is forced ends with ``stop``."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    choice = {"type": "function", "function": {"name": "f"}}
    call = to(CHAT_URL, tools=tools, tool_choice=choice)
    got = sent(call, Answer(finish_reason="stop"))
    assert got.answered.finish_reasons == ("stop",)
    assert kept(call, got) == "tool_call"


FUNCTION = {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            {"tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f", "input": "x"}}]},
            "tool_calls",
        ),
        ({"function_call": FUNCTION}, "function_call"),
        ({"function_call": FUNCTION}, "stop"),
        ({"tool_calls": [{"id": "c", "type": "function", "function": FUNCTION}], "content": "Hm."}, "stop"),
    ],
)
def test_every_kind_of_call_of_a_chat_is_one(message: Json, reason: str) -> None:
    """Custom tools and the functions of old, whole and streamed."""
    call = to(CHAT_URL)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, **message},
        "finish_reason": reason,
    }
    assert kept(call, reply(call, {"model": GPT, "choices": [choice]})) == "tool_call"
    chunks = [
        {
            "model": GPT,
            "choices": [{"index": 0, "delta": {"role": "assistant", **message}, "finish_reason": None}],
        },
        {"model": GPT, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
    ]
    assert kept(call, _stream(call, chunks, name=False, done=True)) == "tool_call"


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_calls_are_no_calls(nothing: Any) -> None:
    """Compatible servers send empty lists and nulls."""
    call = to(CHAT_URL)
    message = {"role": "assistant", "content": "Paris.", "tool_calls": nothing, "function_call": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    assert kept(call, reply(call, {"model": GPT, "choices": [choice]})) is None


@pytest.mark.parametrize("kind", ["function_call", "custom_tool_call", "computer_call", "local_shell_call"])
def test_every_kind_of_call_of_a_response_is_one(kind: str) -> None:
    """Whole and streamed."""
    call = to(RESPONSES_URL)
    body = json.loads(answered(call).body or b"")
    body["output"].append({"type": kind, "call_id": "c", "name": "f"})
    assert kept(call, reply(call, body)) == "tool_call"
    assert kept(call, _stream(call, [{"type": "response.completed", "response": body}])) == "tool_call"
    assert kept(call, reply(call, body), tools=True) is None


@both
@pytest.mark.parametrize("odd", [[], {}, 7, None])
def test_an_answer_of_odd_parts_is_no_fault(odd: Any, sent: Sent) -> None:
    """What has no name that we know is neither text nor a call."""
    responses, messages = to(RESPONSES_URL), to(MESSAGES_URL)
    if sent is answered:
        got = answered(responses, change=lambda body: body["output"].append({"type": odd}))
        assert kept(responses, got) is None
        got = answered(messages, change=lambda body: body["content"].append({"type": odd}))
        assert kept(messages, got) is None
        return
    block = wire.event({"type": "content_block_start", "index": 9, "content_block": {"type": odd}})
    assert kept(messages, streamed(messages, change=lambda events: events.insert(1, block))) is None


def _stream(call: Call, payloads: list[Json], *, name: bool = True, done: bool = False) -> WholeReply:
    def replace(events: list[bytes]) -> None:
        events[:] = [text_of(payloads, name=name, done=done)]

    return streamed(call, change=replace)


# JSON that was asked for

SCHEMA: Json = {"type": "object", "properties": {"city": {"type": "string"}}}
FORMAT: Json = {"type": "json_schema", "schema": SCHEMA}
WANT_JSON: list[tuple[str, Json]] = [
    (CHAT_URL, {"response_format": {"type": "json_object"}}),
    (CHAT_URL, {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}}),
    (RESPONSES_URL, {"text": {"format": {"type": "json_object"}}}),
    (RESPONSES_URL, {"text": {"format": {"name": "n", **FORMAT}, "verbosity": "low"}}),
    (MESSAGES_URL, {"output_config": {"format": FORMAT, "effort": "low"}}),
    (MESSAGES_URL, {"output_format": FORMAT}),
    (BEDROCK, {"output_config": {"format": FORMAT}}),
]


@both
@pytest.mark.parametrize(("url", "wanted"), WANT_JSON)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"city": "Paris"}', None),
        (' {"city": "\\ud83d"}\n', None),
        ("[]", None),
        ("Paris.", "not_json"),
        ('```json\n{"city": "Paris"}\n```', "not_json"),
        ('{"city": "Par', "not_json"),
        ('{"city": "Paris"} {"city": "Rome"}', "not_json"),
        ("[" * 100_000, "not_json"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_json_that_was_asked_for_must_be_there(
    url: str, wanted: Json, text: str, expected: str | None, sent: Sent
) -> None:
    """Whichever field asks for it."""
    if len(text) > 1000 and sent is streamed:
        text = "[" * 5000
    call = to(url, **wanted, **({} if url in (CHAT_URL, RESPONSES_URL) else {"max_tokens": 10**6}))
    assert kept(call, sent(call, text)) == expected


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (CHAT_URL, {"response_format": {"type": "text"}}),
        (CHAT_URL, {"response_format": None}),
        (RESPONSES_URL, {"text": {"format": {"type": "text"}}}),
        (RESPONSES_URL, {"text": {"verbosity": "low"}}),
        (MESSAGES_URL, {"output_config": {"effort": "low"}}),
        (MESSAGES_URL, {"output_config": None}),
    ],
)
def test_text_need_not_be_json(url: str, wanted: Json) -> None:
    """Where none was asked for."""
    call = to(url, **wanted)
    assert kept(call, answered(call, "Paris.")) is None


# Another model

MODELS = [
    # asked for, answered, kept
    ("gpt-4o", "gpt-4o", True),
    ("gpt-4o", "gpt-4o-2024-08-06", True),
    ("gpt-4o-2024-08-06", "gpt-4o", True),
    ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06", True),
    ("gpt-3.5-turbo", "gpt-3.5-turbo-0125", True),
    ("gpt-4", "gpt-4-1106-preview", True),
    ("gpt-3.5-turbo-instruct", "gpt-3.5-turbo-instruct:20230824-v2", True),
    ("chatgpt-4o-latest", "chatgpt-4o-latest", True),
    ("gpt-5-chat-latest", "gpt-5-chat-latest", True),
    ("codex-mini-latest", "codex-mini-latest", True),
    ("ft:gpt-4o-mini-2024-07-18:org::id", "ft:gpt-4o-mini-2024-07-18:org::id", True),
    ("gpt-4o", None, True),
    ("gpt-4o", "", True),
    ("gpt-4o", "gpt-4o-mini", False),
    ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
    ("gpt-4o-mini", "gpt-4o", False),
    ("gpt-5", "gpt-5.5-2026-01-01", False),
    ("gpt-5.5", "gpt-5", False),
    ("gpt-4", "gpt-4o", False),
    ("o1", "o1-preview", False),
    ("o3", "o3-mini-2025-01-31", False),
    ("gpt-4o-2024-08-06", "gpt-4o-2024-05-13", False),
    ("gpt-4o", "claude-sonnet-4-5", False),
]
CLAUDES = [
    ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", True),
    ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929", True),
    ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022", True),
    ("claude-opus-4-0", "claude-opus-4-20250514", True),
    ("claude-opus-4-1", "claude-opus-4-1-20250805", True),
    ("claude-opus-4-0", "claude-opus-4-1-20250805", False),
    ("claude-opus-4-20250514", "claude-opus-4-1-20250805", False),
    ("claude-opus-4-5", "claude-sonnet-4-5-20250929", False),
    ("claude-3-5-sonnet-latest", "claude-3-5-haiku-20241022", False),
]


@both
@pytest.mark.parametrize(
    ("url", "asked", "served", "expected"),
    [*((CHAT_URL, *row) for row in MODELS), *((MESSAGES_URL, *row) for row in CLAUDES)],
)
def test_the_answer_of_another_model_is_not_kept(
    url: str, asked: str, served: str | None, expected: bool, sent: Sent
) -> None:
    """Aliases and snapshots are one model; what a provider falls back to is another."""
    call = to(url, model=asked)
    got = sent(call, Answer("Paris.", model=served or asked))
    got = got._replace(answered=got.answered._replace(model=served))
    assert kept(call, got) == (None if expected else "other_model")


@both
@pytest.mark.parametrize(
    "url",
    [
        CHAT_URL.replace("api.openai.com", "gateway.example"),
        CHAT_URL.replace("api.openai.com", "localhost:8000"),
        "https://r.openai.azure.com/openai/deployments/our-own-name/chat/completions",
    ],
)
def test_names_of_models_are_compared_at_their_makers_only(url: str, sent: Sent) -> None:
    """Elsewhere a deployment or a gateway has names of its own."""
    call = asking(url, {**ASKED[CHAT_URL], "model": "our-own-name"})
    assert kept(call, sent(call, Answer("Paris.", model="gpt-4o-2024-08-06"))) is None


def test_vectors_of_another_model_are_not_kept() -> None:
    """They lie in another space."""
    call = to(EMBEDDINGS_URL)
    assert kept(call, answered(call, Answer(model="text-embedding-3-large"))) == "other_model"


# The user's own word


@both
@pytest.mark.parametrize("url", SPEAKING)
def test_the_users_own_check_has_the_last_word(url: str, sent: Sent) -> None:
    """It is given the text of the answer, and whatever it raises is a no."""
    call = to(url)
    got = sent(call, "Paris, 東京.")
    seen: list[str] = []
    assert kept(call, got, validate=lambda text: not seen.append(text)) is None  # type: ignore[func-returns-value]
    assert seen == ["Paris, 東京."]
    assert kept(call, got, validate=lambda text: False) == "invalid"
    assert kept(call, got, validate=lambda text: json.loads(text)) == "invalid"
    assert kept(call, got, validate=lambda text: 1 // 0 > 0) == "invalid"


def test_the_users_own_check_may_be_interrupted() -> None:
    """Ctrl-C in it is no verdict."""

    def interrupted(text: str) -> bool:
        raise KeyboardInterrupt

    call = to(CHAT_URL)
    with pytest.raises(KeyboardInterrupt):
        kept(call, answered(call), validate=interrupted)


def test_what_is_not_kept_anyway_is_not_checked() -> None:
    """The check sees whole answers only."""
    call = to(CHAT_URL)
    seen: list[str] = []
    check = seen.append
    for got in (
        answered(call, Answer("x", finish_reason="length")),
        answered(call, ""),
        answered(call, CALLS),
    ):
        assert kept(call, got, validate=check, tools=True) in ("finish_reason", "empty", None)
    assert seen == []


# The table of reasons


def test_every_reason_has_its_sentence() -> None:
    """Receipts have the name, the docs the sentence."""
    assert len({name for name, _ in REFUSALS}) == len(REFUSALS)
    for name, what in REFUSALS:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert re.match(r"^(`|[A-Z]).+\.$", what)


def test_the_first_reason_is_said() -> None:
    """In the order of the table, whatever else there is to say."""
    call = to(CHAT_URL, response_format={"type": "json_object"})
    bad = Answer("x", finish_reason="length", model="another", tool_calls=CALLS.tool_calls)
    worst = answered(call, bad, change=lambda body: body.update(error={"type": "t"}))
    seen = [kept(call, worst._replace(status=500, finished=False), max_bytes=1)]
    seen.append(kept(call, worst._replace(finished=False), max_bytes=1))
    seen.append(kept(call, worst, max_bytes=1))
    seen.append(kept(call, worst))
    seen.append(kept(call, answered(call, bad)))
    better = Answer("x", model="another", tool_calls=CALLS.tool_calls)
    seen.append(kept(call, answered(call, better)))
    seen.append(kept(call, answered(call, CALLS)))
    seen.append(kept(call, answered(call, "")))
    seen.append(kept(call, answered(call, "x"), validate=lambda text: False))
    seen.append(kept(call, answered(call, "{}"), validate=lambda text: False))
    assert seen == [name for name, _ in REFUSALS if name != "invalidated"]


def test_every_format_is_tested() -> None:
    """A format that is added to the cache is added here."""
    assert {to(url).dialect for url in ASKED} == set(CACHEABLE)
