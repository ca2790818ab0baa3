"""What a call came to is found by anything that the SDK gave for it."""

from __future__ import annotations

from typing import Any

import openai
import pytest

import tokenguard
from tests.conftest import Rows
from tests.transport.clients import CLAUDE, GPT, HELLO, achat, chat, claude
from tokenguard import Cache, Guard, Meter, Receipt
from tokenguard.testing import Answer, Provider


def kind_of(thing: object) -> str:
    """A name for a test that is the same in every process."""
    return getattr(thing, "__name__", type(thing).__name__)


class Clock:
    """A clock that is set by hand; the monotonic one goes on by a second each time it is read."""

    def __init__(self) -> None:
        self.wall_ns = 1_790_000_000 * 10**9
        self._ticks = 0

    def time_ns(self) -> int:
        return self.wall_ns

    def monotonic_ns(self) -> int:
        self._ticks += 1
        return self._ticks * 10**9


def gpt(client: Any, **options: Any) -> Any:
    return client.chat.completions.create(**{"model": GPT, "messages": HELLO, **options})


def test_everything_the_provider_said(provider: Provider, guard: Guard, rows: Rows) -> None:
    """A receipt has the call's model, usage, cost, ids and times; row and headers say the same."""
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "total_tokens": 1050,
        "prompt_tokens_details": {"cached_tokens": 600},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    provider.answer(Answer("Paris.", usage=usage, model="gpt-4.1-2025-04-14", service_tier="default"))
    client = guard.wrap(chat(provider))
    raw = client.chat.completions.with_raw_response.create(model="gpt-4.1", messages=HELLO)
    receipt = guard.receipt(raw)
    assert receipt is not None
    assert receipt.meters == {Meter.INPUT: 400, Meter.CACHE_READ: 600, Meter.OUTPUT: 50}
    assert receipt.usage is not None
    assert receipt.usage.reasoning == 20
    assert receipt.cost_nano == 400 * 2000 + 600 * 500 + 50 * 8000
    assert receipt.cost_usd == pytest.approx(0.0015)
    assert sum(line.cost_nano for line in receipt.lines) == receipt.cost_nano
    assert (receipt.model_requested, receipt.model_served) == ("gpt-4.1", "gpt-4.1-2025-04-14")
    assert receipt.provider_request_id == raw.headers["x-request-id"]
    assert receipt.response_id == raw.parse().id
    assert receipt.finish_reasons == ("stop",)
    assert receipt.origin == provider.url
    assert raw.headers["x-tokenguard-call-id"] == receipt.call_id
    assert raw.headers["x-tokenguard-attempts"] == "1"
    assert raw.headers["x-tokenguard-cost-usd"] == "0.001500000"
    (row,) = rows()
    for name in ("cost_nano", "baseline_nano", "model_served", "response_id", "provider_request_id"):
        assert row[name] == getattr(receipt, name)
    assert (row["input_tokens"], row["cached_tokens"], row["output_tokens"]) == (1000, 600, 50)


def test_by_anything_the_sdk_gives(provider: Provider, guard: Guard) -> None:
    """Parsed replies, raw responses, streams, exceptions and ids all find the same receipt."""
    client, haiku = guard.wrap(chat(provider)), guard.wrap(claude(provider))
    reply = gpt(client)
    receipt = guard.receipt(reply)
    assert receipt is not None
    assert guard.receipt(reply.id) is receipt
    assert guard.receipt(reply._request_id) is receipt
    assert guard.receipt(receipt.call_id) is receipt
    message = haiku.messages.create(model=CLAUDE, max_tokens=9, messages=HELLO)
    assert guard.receipt(message).response_id == message.id  # type: ignore[union-attr]
    answered = client.responses.create(model=GPT, input="Hello")
    assert guard.receipt(answered).response_id == answered.id  # type: ignore[union-attr]
    provider.fail(400)
    with pytest.raises(openai.BadRequestError) as raised:
        gpt(client)
    assert guard.receipt(raised.value).http_status == 400  # type: ignore[union-attr]


def test_an_answer_that_is_not_in_the_cache_has_one(provider: Provider) -> None:
    """The error leads to the receipt, which says that nothing was sent and why."""
    by = Guard(ledger=None, cache=Cache())
    with tokenguard.context(cache="only"), pytest.raises(openai.OpenAIError) as raised:
        gpt(by.wrap(chat(provider)))
    receipt = by.receipt(raised.value)
    assert receipt is not None
    assert (receipt.cache, receipt.cache_reason, receipt.attempts) == ("bypass", "sampled", 0)
    assert provider.count == 0


def test_a_stream_has_one_once_it_is_over(provider: Provider, guard: Guard) -> None:
    """Before its end a stream has no receipt; afterwards stream, response and chunks find it."""
    stream = gpt(guard.wrap(chat(provider)), stream=True)
    chunk = next(stream)
    assert guard.receipt(stream) is None
    list(stream)
    receipt = guard.receipt(stream)
    assert receipt is not None
    assert guard.receipt(stream.response) is receipt
    assert guard.receipt(chunk) is receipt


@pytest.mark.parametrize(
    "thing", [None, 7, "chatcmpl-none", object(), {}, openai, Exception("x")], ids=kind_of
)
def test_what_was_no_call_has_none(thing: object, guard: Guard) -> None:
    """Anything else has no receipt, and asking does no harm."""
    assert guard.receipt(thing) is None


def test_another_guards_call_has_none(provider: Provider, guard: Guard) -> None:
    """A guard knows its own calls only."""
    reply = gpt(Guard(ledger=None).wrap(chat(provider)))
    assert guard.receipt(reply) is None
    assert guard.receipt(gpt(chat(provider))) is None


def test_the_oldest_are_forgotten(provider: Provider) -> None:
    """The last 1,024 receipts are kept, however many calls are made."""
    guard = Guard(ledger=None)
    client = guard.wrap(chat(provider))
    first = gpt(client)
    receipt = guard.receipt(first)
    assert receipt is not None
    for number in range(1023):
        guard._finished(
            receipt._replace(
                call_id=f"c{number}", response_id=f"r{number}", provider_request_id=f"p{number}"
            ),
            _call(),
        )
    assert guard.receipt(first) is receipt
    guard._finished(receipt._replace(call_id="last", response_id="r", provider_request_id="p"), _call())
    assert guard.receipt(first) is None
    assert guard.receipt("last") is not None
    assert len(guard._receipts) == 3 * 1024


def _call() -> Any:
    from tokenguard.call import Asked, Call, Where

    return Call("x", 0, Where("", "", "", "", 0), "", "", Asked(""))


def test_durations_are_monotonic(provider: Provider) -> None:
    """The wall clock is read once: set back in the middle of a call, it changes no duration."""
    clock = Clock()
    guard = Guard(ledger=None, clock=clock)
    client = guard.wrap(chat(provider))

    def set_back(_: Any) -> str:
        clock.wall_ns -= 3600 * 10**9
        return "Paris."

    provider.answer(set_back)
    receipt = guard.receipt(gpt(client))
    assert receipt is not None
    assert receipt.started_ns == 1_790_000_000 * 10**9
    assert 1 <= receipt.duration_s <= 10
    stream = gpt(client, stream=True)
    list(stream)
    streamed = guard.receipt(stream)
    assert streamed is not None
    assert streamed.first_token_s is not None
    assert 0 < streamed.first_token_s <= streamed.duration_s


def test_receipts_cannot_be_changed(provider: Provider, guard: Guard) -> None:
    """Every observer is handed the same receipt: nobody can change it for another."""
    receipt = guard.receipt(gpt(guard.wrap(chat(provider))))
    assert isinstance(receipt, Receipt)
    with pytest.raises(AttributeError):
        receipt.cost_nano = 0  # type: ignore[misc]


@pytest.mark.anyio
async def test_asynchronous_calls(provider: Provider, guard: Guard) -> None:
    """The same for asynchronous clients: reply, raw response and stream."""
    async with guard.wrap(achat(provider)) as client:
        reply = await gpt(client)
        raw = await client.chat.completions.with_raw_response.create(model=GPT, messages=HELLO)
        async with client.chat.completions.stream(model=GPT, messages=HELLO) as stream:
            async for _ in stream:
                pass
    for thing in (reply, raw, stream):
        assert guard.receipt(thing).cost_nano  # type: ignore[union-attr]


@pytest.mark.parametrize("fault", ["missing", "negative", "inconsistent"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_odd_usage(fault: Any, stream: bool, provider: Provider, guard: Guard) -> None:
    """Usage that is missing, negative or inconsistent never fails a call; the receipt says what was odd."""
    provider.fault(usage=fault, times=None)
    reply = gpt(guard.wrap(chat(provider)), stream=stream)
    if stream:
        list(reply)
    receipt = guard.receipt(reply)
    assert receipt is not None
    assert receipt.status == "ok"
    wanted: dict[str, tuple[str, tuple[str, ...]]] = {
        "missing": ("estimated", ()),
        "negative": ("unmetered", ("usage_negative:input",)),
        "inconsistent": ("usage", ("usage_sum_mismatch",)),
    }
    assert (receipt.cost_basis, receipt.anomalies) == wanted[fault]


def test_a_reply_that_is_not_json(provider: Provider, guard: Guard, rows: Rows) -> None:
    """A page of HTML with status 200 is the SDK's to judge, and is not metered."""
    provider.fault(not_json=True)
    raw = guard.wrap(chat(provider)).chat.completions.with_raw_response.create(model=GPT, messages=HELLO)
    assert b"502 Bad Gateway" in raw.content
    receipt = guard.receipt(raw)
    assert receipt is not None
    assert receipt.cost_basis == "unmetered"
    assert receipt.cost_nano is None
    assert [row["state"] for row in rows()] == ["settled"]
