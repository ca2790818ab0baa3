"""Of an answer with several parts each one is judged: one bad choice among good ones is not kept either."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cache.asking import CHAT_URL, COMPLETIONS_URL, MESSAGES_URL, RESPONSES_URL, answered, asking, reply
from tests.cache.asking import streamed as as_stream
from tests.cache.conftest import Cached
from tests.transport.clients import GPT, HELLO, chat
from tokenguard import Cache
from tokenguard.cache.storing import refusal
from tokenguard.call import Call, WholeReply
from tokenguard.testing import Provider, wire

Json = dict[str, Any]
Sent = Callable[[Call, list[Json]], WholeReply]

GOOD: Json = {"content": "Paris.", "finish_reason": "stop"}
TOOLS: Json = {
    "content": None,
    "tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    "finish_reason": "tool_calls",
}
BAD = [
    ({"content": "", "finish_reason": "stop"}, "empty"),
    ({"content": " \n", "finish_reason": "stop"}, "empty"),
    ({"content": None, "finish_reason": "stop"}, "empty"),
    ({"content": None, "refusal": "I cannot.", "finish_reason": "stop"}, "empty"),
    ({"content": "Par", "finish_reason": "length"}, "finish_reason"),
    ({"content": "Par", "finish_reason": "content_filter"}, "finish_reason"),
    ({"content": "Par", "finish_reason": None}, "finish_reason"),
]


def chatting(choices: int, **more: Any) -> Call:
    return asking(CHAT_URL, {"model": GPT, "messages": HELLO, "n": choices, **more})


def kept(call: Call, got: WholeReply, **settings: Any) -> str | None:
    """Why an answer is not kept, ``None`` where it is."""
    return refusal(call, got, **{"tools": False, "max_bytes": 2**20, "validate": None, **settings})


def whole(call: Call, choices: list[Json]) -> WholeReply:
    made = [
        {"index": n, "message": _without(one, "finish_reason"), "finish_reason": one["finish_reason"]}
        for n, one in enumerate(choices)
    ]
    return reply(call, {"model": GPT, "choices": made})


def streamed(call: Call, choices: list[Json]) -> WholeReply:
    """Piece by piece, one choice after the other in turns, the last one first."""
    chunks = [_chunk(n, {"role": "assistant"}) for n, _ in enumerate(choices)]
    longest = max(len(one["content"] or "") for one in choices)
    for at in range(longest):
        pieces = [(n, (one["content"] or "")[at : at + 1]) for n, one in enumerate(choices)]
        chunks += [_chunk(n, {"content": piece}) for n, piece in reversed(pieces) if piece]
    chunks += [_chunk(n, _without(one, "content", "finish_reason")) for n, one in enumerate(choices)]
    chunks += [_chunk(n, {}, one["finish_reason"]) for n, one in enumerate(choices)]

    def replace(events: list[bytes]) -> None:
        events[:] = [*(wire.data(wire.dumps(chunk)) for chunk in chunks), b"data: [DONE]\n\n"]

    return as_stream(call, change=replace)


def _chunk(index: int, delta: Json, reason: str | None = None) -> Json:
    return {"model": GPT, "choices": [{"index": index, "delta": delta, "finish_reason": reason}]}


def _without(choice: Json, *names: str) -> Json:
    return {name: value for name, value in choice.items() if name not in names}


both = pytest.mark.parametrize("sent", [whole, streamed])


@both
@pytest.mark.parametrize(("bad", "reason"), BAD)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_choice_is_enough(sent: Sent, bad: Json, reason: str, place: int) -> None:
    """Wherever it stands among good ones: it would be as bad at every hit."""
    call = chatting(3)
    assert kept(call, sent(call, [GOOD] * 3)) is None
    choices = [GOOD] * 3
    choices[place] = bad
    assert kept(call, sent(call, choices)) == reason


@both
def test_a_choice_that_calls_tools_is_judged_as_such(sent: Sent) -> None:
    """It needs no text, and is kept if such answers are; its neighbours need theirs."""
    call = chatting(2)
    assert kept(call, sent(call, [GOOD, TOOLS])) == "tool_call"
    assert kept(call, sent(call, [GOOD, TOOLS]), tools=True) is None
    assert kept(call, sent(call, [TOOLS, BAD[0][0]]), tools=True) == "empty"


@both
def test_a_choice_that_did_not_come_says_nothing(sent: Sent) -> None:
    """Three were asked for."""
    call = chatting(3)
    assert kept(call, sent(call, [GOOD] * 2)) == "empty"


@both
def test_each_choice_has_to_be_the_json_that_was_asked_for(sent: Sent) -> None:
    """Two halves are no whole, and two wholes are each one."""
    call = chatting(2, response_format={"type": "json_object"})

    def saying(*texts: str) -> list[Json]:
        return [{**GOOD, "content": text} for text in texts]

    assert kept(call, sent(call, saying('{"a": 1}', '{"a": 2}'))) is None
    assert kept(call, sent(call, saying('{"a": ', "1}"))) == "not_json"
    assert kept(call, sent(call, saying('{"a": 1}', "Paris."))) == "not_json"


@both
def test_the_users_own_check_sees_each_choice(sent: Sent) -> None:
    """As a text of its own, until it says no."""
    call = chatting(3)
    choices = [{**GOOD, "content": text} for text in ("one", "two", "three")]
    seen: list[str] = []

    def check(text: str) -> bool:
        seen.append(text)
        return text != "two"

    assert kept(call, sent(call, choices), validate=check) == "invalid"
    assert sorted(seen)[-1] == "two"
    assert not set(seen).difference({"one", "two", "three"})


@pytest.mark.parametrize(
    ("bad", "reason"), [({"text": ""}, "empty"), ({"text": "Par", "finish_reason": None}, "finish_reason")]
)
def test_of_old_completions_too(bad: Json, reason: str) -> None:
    """Whose text is in the choice itself."""
    call = asking(COMPLETIONS_URL, {"model": GPT, "prompt": ["a", "b"], "max_tokens": 9})
    good = {"text": "Paris.", "finish_reason": "stop"}
    for choices, expected in (([good, good], None), ([good, {**good, **bad}], reason)):
        made = [{**one, "index": n} for n, one in enumerate(choices)]
        assert kept(call, reply(call, {"model": GPT, "choices": made})) == expected


def test_choices_without_a_number_are_several() -> None:
    """As from a server that leaves it out."""
    call = chatting(2)
    made = [{"message": {"content": text}, "finish_reason": "stop"} for text in ("Paris.", "")]
    assert kept(call, reply(call, {"model": GPT, "choices": made})) == "empty"


# Responses: the items of one answer

ITEM: Json = {
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Paris."}],
}
ITEMS = [
    ({**ITEM, "content": []}, "empty"),
    ({**ITEM, "content": [{"type": "output_text", "text": " "}]}, "empty"),
    ({**ITEM, "content": [{"type": "refusal", "refusal": "I cannot."}]}, "empty"),
    ({**ITEM, "status": "incomplete"}, "finish_reason"),
    ({**ITEM, "status": "in_progress"}, "finish_reason"),
]


def _of_items(call: Call, items: list[Json], *, streams: bool) -> WholeReply:
    body = json.loads(answered(call).body or b"") | {"output": items}
    if not streams:
        return reply(call, body)
    last = wire.event({"type": "response.completed", "response": body})
    return as_stream(call, change=lambda events: events.append(events.pop() and last))


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(("bad", "reason"), ITEMS)
def test_one_bad_item_of_a_response_is_enough(bad: Json, reason: str, streams: bool) -> None:
    """Before a good one or after it; one without a status is as good as one that is completed."""
    call = asking(RESPONSES_URL, {"model": GPT, "input": "Hello"})
    plain = _without(ITEM, "status")
    for items, expected in (([ITEM, plain], None), ([bad, ITEM], reason), ([ITEM, bad], reason)):
        assert kept(call, _of_items(call, items, streams=streams)) == expected
    called = {"type": "function_call", "status": "incomplete", "name": "f", "arguments": "{", "call_id": "c"}
    assert kept(call, _of_items(call, [ITEM, called], streams=streams), tools=True) == "finish_reason"


@pytest.mark.parametrize("streams", [False, True])
def test_reasoning_is_no_answer(streams: bool) -> None:
    """Even where it comes with its text, as open models send it."""
    call = asking(RESPONSES_URL, {"model": GPT, "input": "Hello"})
    thought = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hmm."}]}
    assert kept(call, _of_items(call, [thought], streams=streams)) == "empty"
    assert kept(call, _of_items(call, [thought, ITEM], streams=streams)) is None


def test_a_message_of_several_blocks_is_one_answer() -> None:
    """An empty block says nothing, and the others do."""
    call = asking(MESSAGES_URL, {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": HELLO})
    blocks = [{"type": "text", "text": text} for text in ("", "Paris.", "")]
    assert kept(call, answered(call, change=lambda body: body.update(content=blocks))) is None


def test_a_user_sees_why(provider: Provider, cached: Cached) -> None:
    """Several samples, one of them cut: asked again, and the receipt says why."""
    guard = cached(Cache(mode="always"))
    client = guard.wrap(chat(provider))
    for _ in range(2):
        answer = client.chat.completions.create(model=GPT, messages=HELLO, n=3, max_completion_tokens=2)
        assert {choice.finish_reason for choice in answer.choices} == {"length"}
        receipt = guard.receipt(answer)
        assert receipt is not None
        assert (receipt.cache, receipt.cache_reason) == ("miss", "finish_reason")
    answers = [client.chat.completions.create(model=GPT, messages=HELLO, n=3) for _ in range(2)]
    assert [receipt.cache for one in answers if (receipt := guard.receipt(one))] == ["miss", "hit"]
