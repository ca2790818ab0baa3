"""A call that was made before is answered with the answer that it got then."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import openai
import pytest

import tokenguard
from tests.cache.conftest import Cached, HandClock
from tests.conftest import Rows
from tests.transport.clients import GPT, HELLO, KINDS, Kind, asked, chat, claude, closed, read
from tokenguard import Cache, CacheMissError, Guard, Receipt
from tokenguard.testing import Answer, Provider, ToolCall

EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.cls.__name__)
BACKENDS = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
FIXED = {"temperature": 0}
ALWAYS = Cache(mode="always")  # the anthropic SDK knows no temperature


def gpt(client: Any, **options: Any) -> Any:
    return client.chat.completions.create(**{"model": GPT, "messages": HELLO, **FIXED, **options})


def receipt_of(guard: Guard, response: object) -> Receipt:
    receipt = guard.receipt(response)
    assert receipt is not None
    return receipt


@pytest.mark.anyio
@EVERY_KIND
@BACKENDS
async def test_every_client_gets_the_same_answer_again(
    kind: Kind, provider: Provider, cached: Cached, rows: Rows
) -> None:
    """Whatever the client: asked once, answered twice, paid once; and what was saved is what it had cost."""
    guard = cached(ALWAYS)
    client = guard.wrap(kind.make(provider))
    first, second = [await asked(client, kind) for _ in range(2)]
    assert second.to_dict() == first.to_dict()
    assert type(second) is type(first)
    paid, free = receipt_of(guard, first), receipt_of(guard, second)
    assert (paid.cache, paid.cache_reason, paid.attempts) == ("miss", None, 1)
    assert (free.cache, free.cache_reason, free.attempts) == ("hit", None, 0)
    assert (free.cost_nano, free.cost_basis) == (0, "cached")
    assert free.saved_nano == paid.cost_nano
    assert free.usage == paid.usage
    assert free.provider_request_id == paid.provider_request_id
    assert free.cache_key == paid.cache_key
    assert provider.count == 1
    await closed(client)
    miss, hit = rows(guard)
    assert (miss["cache"], miss["role"], miss["cost_nano"]) == ("miss", "primary", paid.cost_nano)
    assert (hit["cache"], hit["role"], hit["cost_nano"], hit["state"]) == ("hit", "cache", 0, "settled")
    assert (hit["input_tokens"], hit["baseline_nano"]) == (None, paid.cost_nano)


@pytest.mark.anyio
@EVERY_KIND
@BACKENDS
async def test_every_client_gets_the_same_stream_again(
    kind: Kind, provider: Provider, cached: Cached
) -> None:
    """A stream is given again event for event; one that did not ask for usage gets none then either."""
    guard = cached(ALWAYS)
    client = guard.wrap(kind.make(provider))
    origin = await asked(client, kind, stream=True)
    first = await read(origin)
    stream = await asked(client, kind, stream=True)
    second = await read(stream)
    assert [event.to_dict() for event in second] == [event.to_dict() for event in first]
    paid, free = receipt_of(guard, origin.response), receipt_of(guard, stream.response)
    assert (paid.cache, paid.cache_reason) == ("miss", None)
    assert (free.cache, free.cost_nano, free.saved_nano) == ("hit", 0, paid.cost_nano)
    assert paid.cost_nano
    assert provider.count == 1
    await closed(client)


def test_bytes_are_the_same(provider: Provider, cached: Cached) -> None:
    """Whole or streamed, compressed or not: the body of a hit is that of its origin, byte for byte."""
    for options in ({}, {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}):
        for gzip in (False, True):
            guard = cached()
            client = guard.wrap(chat(provider))
            if gzip:
                provider.fault(gzip=True)
            bodies = []
            for _ in range(2):
                with client.chat.completions.with_streaming_response.create(
                    model=GPT, messages=HELLO, temperature=0, **options
                ) as response:
                    bodies.append(response.read())
            assert bodies[0] == bodies[1]
            assert response.headers["x-tokenguard-cache"] == "hit"


def test_what_a_hit_says_in_its_headers(provider: Provider, cached: Cached) -> None:
    """The headers tell that it is a hit, how old, what it saved, and for which request it was made."""
    guard = cached()
    client = guard.wrap(chat(provider))
    first, second = [
        client.chat.completions.with_raw_response.create(model=GPT, messages=HELLO, temperature=0)
        for _ in range(2)
    ]
    assert first.headers["x-tokenguard-cache"] == "miss"
    assert second.headers["x-tokenguard-cache"] == "hit"
    assert float(second.headers["x-tokenguard-cache-age"]) >= 0
    assert second.headers["x-tokenguard-cost-usd"] == "0.000000000"
    assert second.headers["x-tokenguard-saved-usd"] == first.headers["x-tokenguard-cost-usd"]
    assert second.headers["x-tokenguard-origin-request-id"] == first.headers["x-request-id"]
    assert second.headers["x-request-id"] == receipt_of(guard, second).call_id
    assert receipt_of(guard, first).cache == "miss"
    assert receipt_of(guard, first.parse()).cache == "miss"


def test_only_what_asks_for_one_answer_is_cached(provider: Provider, cached: Cached) -> None:
    """By default a sampled call is passed by, and says why; ``mode="always"`` caches it too."""
    client = (guard := cached()).wrap(chat(provider))
    for _ in range(2):
        receipt = receipt_of(guard, gpt(client, temperature=1))
        assert (receipt.cache, receipt.cache_reason) == ("bypass", "sampled")
    client = (guard := cached(Cache(mode="always"))).wrap(chat(provider))
    assert [receipt_of(guard, gpt(client, temperature=1)).cache for _ in range(2)] == ["miss", "hit"]


def test_embeddings_are_always_cached(provider: Provider, cached: Cached) -> None:
    """Nobody samples an embedding."""
    client = (guard := cached()).wrap(chat(provider))
    made = [client.embeddings.create(model="text-embedding-3-small", input="a") for _ in range(2)]
    assert made[0].data == made[1].data
    assert provider.count == 1
    assert receipt_of(guard, guard_id := made[1]._request_id or "").cache == "hit", guard_id


def test_responses_are_cached(provider: Provider, cached: Cached) -> None:
    """The responses API, whole and streamed."""
    client = (guard := cached()).wrap(chat(provider))
    first, second = [client.responses.create(model=GPT, input="hi", temperature=0) for _ in range(2)]
    assert first.to_dict() == second.to_dict()
    events = [
        list(client.responses.create(model=GPT, input="hi", temperature=0, stream=True)) for _ in range(2)
    ]
    assert [e.to_dict() for e in events[0]] == [e.to_dict() for e in events[1]]
    assert provider.count == 2
    assert guard.cache is not None
    assert guard.cache.counts["stored"] == 2


def test_tools_and_reasoning_survive(provider: Provider, cached: Cached) -> None:
    """An answer that calls tools is kept only if that is wanted, and then with its ids."""
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    provider.answer(Answer("", tool_calls=[ToolCall("look", {"a": 1})]))
    client = (guard := cached()).wrap(chat(provider))
    for _ in range(2):
        receipt = receipt_of(guard, gpt(client, tools=[tool]))
        assert (receipt.cache, receipt.cache_reason) == ("miss", "tool_call")
    client = (guard := cached(Cache(tools=True))).wrap(chat(provider))
    for stream in (False, True):
        first, second = [gpt(client, tools=[tool], stream=stream) for _ in range(2)]
        if stream:
            assert [e.to_dict() for e in first] == [e.to_dict() for e in second]
        else:
            assert first.choices[0].message.tool_calls == second.choices[0].message.tool_calls


def test_a_truncated_answer_is_not_kept(provider: Provider, cached: Cached) -> None:
    """It would be cut short for everybody."""
    provider.answer(Answer("Par", finish_reason="length"))
    client = (guard := cached()).wrap(chat(provider))
    for _ in range(2):
        receipt = receipt_of(guard, gpt(client))
        assert (receipt.cache, receipt.cache_reason) == ("miss", "finish_reason")
    assert provider.count == 2


def test_an_abandoned_stream_is_not_kept(provider: Provider, cached: Cached) -> None:
    """What the caller did not read to its end nobody else is given."""
    client = (guard := cached()).wrap(chat(provider))
    stream = gpt(client, stream=True)
    next(iter(stream))
    stream.close()
    assert guard.flush()
    assert list(gpt(client, stream=True))
    assert provider.count == 2


@pytest.mark.parametrize("how", ["truncate_after", "malformed_after", "error_after"])
def test_a_broken_stream_is_not_kept(how: str, provider: Provider, cached: Cached) -> None:
    """Cut off, damaged, or with an error in it: the next call asks again."""
    client = cached().wrap(chat(provider))
    provider.fault(**{how: 2})
    with contextlib.suppress(Exception):  # what the SDK makes of it is its own business
        list(gpt(client, stream=True))
    whole = list(gpt(client, stream=True))
    assert whole[-1].choices[0].finish_reason == "stop"
    assert provider.count == 2


def test_errors_are_not_kept(provider: Provider, cached: Cached) -> None:
    """A refusal is the caller's, and the next call asks again."""
    client = cached(retry=0).wrap(chat(provider))
    for status in (400, 401, 429, 500):
        provider.fail(status)
        with pytest.raises(openai.APIStatusError):
            gpt(client, seed=status)
        assert gpt(client, seed=status).choices
    assert provider.count == 8


def test_an_answer_grows_old(provider: Provider, cached: Cached, clock: HandClock) -> None:
    """After its time, give or take a tenth, an answer is asked for again. It is not prolonged by use."""
    client = (guard := cached(Cache(ttl="1h"), clock=clock)).wrap(chat(provider))
    gpt(client)
    for _ in range(3):
        clock.forward(0.29 * 3600)
        receipt = receipt_of(guard, gpt(client))
        assert receipt.cache == "hit"
    assert receipt.cache_age_s == pytest.approx(0.87 * 3600)
    clock.forward(0.24 * 3600)
    assert receipt_of(guard, gpt(client)).cache == "miss"


def test_wishes_of_a_call(provider: Provider, cached: Cached, clock: HandClock) -> None:
    """``bypass``, ``refresh`` and ``only``; a ttl of its own; by context or by header."""
    client = (guard := cached(clock=clock)).wrap(chat(provider))
    with tokenguard.context(cache="only"), pytest.raises(CacheMissError, match="nothing was sent") as missed:
        gpt(client)
    assert isinstance(missed.value, openai.OpenAIError)
    assert provider.count == 0
    provider.answer(Answer("one"), times=1)
    provider.answer(Answer("two"), times=1)
    provider.answer(Answer("three"), times=1)
    said = [gpt(client).choices[0].message.content]
    with tokenguard.context(cache="bypass"):
        said.append(gpt(client).choices[0].message.content)
    said.append(gpt(client).choices[0].message.content)
    with tokenguard.context(cache="refresh", cache_ttl="10s"):
        said.append(gpt(client).choices[0].message.content)
    said.append(gpt(client, extra_headers=tokenguard.headers(cache="only")).choices[0].message.content)
    assert said == ["one", "two", "one", "three", "three"]
    clock.forward(12)
    assert receipt_of(guard, gpt(client)).cache == "miss"


def test_another_model_by_wish(provider: Provider, cached: Cached) -> None:
    """A model that a context puts in the place of the one named has answers of its own."""
    client = (guard := cached()).wrap(chat(provider))
    said = []
    for model in (None, "gpt-4.1", None, "gpt-4.1"):
        with tokenguard.context(model=model):
            receipt = receipt_of(guard, answer := gpt(client))
        said.append((receipt.cache, answer.model))
    assert said == [("miss", GPT), ("miss", "gpt-4.1"), ("hit", GPT), ("hit", "gpt-4.1")]


def test_who_asks_matters(provider: Provider, cached: Cached) -> None:
    """Two credentials have two caches; with one namespace they have one."""
    for cache, expected in ((Cache(), 2), (Cache(namespace="team"), 1)):
        provider.forget_requests()
        guard = cached(cache)
        for api_key in ("sk-a", "sk-b"):
            gpt(guard.wrap(chat(provider, api_key=api_key)))
        assert provider.count == expected


def test_invalidation(provider: Provider, cached: Cached, tmp_path: Path) -> None:
    """By tag, model, namespace, or age: what was given up is never given again."""
    for store in (None, tmp_path / "answers"):
        guard = cached(Cache(tags=("faq",), namespace="n", store=store))
        assert guard.cache is not None
        client = guard.wrap(chat(provider))
        for which in ({"tag": "faq"}, {"model": GPT}, {"stored_before_ns": 2**62}, {"namespace": "n"}, {}):
            gpt(client)
            assert receipt_of(guard, gpt(client)).cache == "hit"
            guard.cache.invalidate(tag="other")
            guard.cache.invalidate(model="other")
            guard.cache.invalidate(namespace="other")
            with tokenguard.context(cache="only"):
                gpt(client)
            guard.cache.invalidate(**which)
            with tokenguard.context(cache="only"), pytest.raises(CacheMissError):
                gpt(client)


def test_another_process_invalidates(provider: Provider, cached: Cached, tmp_path: Path) -> None:
    """What another guard on the same directory gives up is not given again from this one's memory."""
    cache = Cache(store=tmp_path / "answers", tags=("faq",))
    one, other = cached(cache), cached(cache)
    client = one.wrap(chat(provider))
    gpt(client)
    assert one.flush()
    assert receipt_of(other, gpt(other.wrap(chat(provider)))).cache == "hit"
    assert other.cache is not None
    assert other.cache.invalidate(tag="faq") == 1
    assert receipt_of(one, gpt(client)).cache == "miss"


def test_a_later_process_finds_them(provider: Provider, cached: Cached, tmp_path: Path) -> None:
    """What is on disk outlives the guard that put it there."""
    cache = Cache(store=tmp_path / "answers")
    first = cached(cache)
    answer = gpt(first.wrap(chat(provider)))
    events = list(gpt(first.wrap(chat(provider)), stream=True))
    first.close()
    second = cached(cache)
    client = second.wrap(chat(provider))
    assert gpt(client).to_dict() == answer.to_dict()
    assert [e.to_dict() for e in gpt(client, stream=True)] == [e.to_dict() for e in events]
    assert provider.count == 2


def test_an_old_answer_is_better_than_none(provider: Provider, cached: Cached, clock: HandClock) -> None:
    """Where the provider is overloaded, down or out of reach, an old answer within its grace is given."""
    guard = cached(Cache(ttl="1h", stale_if_error="1d"), clock=clock, retry=1)
    client = guard.wrap(chat(provider))
    gpt(client)
    clock.forward(7200)
    for fail in (
        lambda: provider.fail(429, times=2),
        lambda: provider.fail(503, times=2),
        lambda: provider.fault(reset="before_headers", times=2),
    ):
        fail()
        receipt = receipt_of(guard, gpt(client))
        assert (receipt.cache, receipt.status, receipt.attempts) == ("stale", "ok", 2)
        assert receipt.cache_age_s == pytest.approx(7200)
    provider.fail(400)
    with pytest.raises(openai.BadRequestError):
        gpt(client)
    clock.forward(86400 * 1.2)
    provider.fail(503, times=2)
    with pytest.raises(openai.InternalServerError):
        gpt(client)


def test_an_old_answer_serves_streams_too(provider: Provider, cached: Cached, clock: HandClock) -> None:
    """Event for event."""
    guard = cached(Cache(ttl="1h", stale_if_error="1d", mode="always"), clock=clock, retry=0)
    client = guard.wrap(claude(provider))
    options: Any = {"model": "claude-haiku-4-5", "messages": HELLO, "max_tokens": 50}
    first = list(client.messages.create(**options, stream=True))
    clock.forward(7200)
    provider.fail(529)
    second = client.messages.create(**options, stream=True)
    assert [e.to_dict() for e in second] == [e.to_dict() for e in first]
    assert receipt_of(guard, second.response).cache == "stale"


def test_an_unpriced_model_saves_nobody_knows_what(provider: Provider, cached: Cached) -> None:
    """A hit costs nothing even where no price is known; what it saved is then unknown, not 0."""
    client = (guard := cached()).wrap(chat(provider))
    receipts = [receipt_of(guard, gpt(client, model="llama-of-my-own")) for _ in range(2)]
    assert [(r.cost_nano, r.saved_nano) for r in receipts] == [(None, 0), (0, None)]


def test_totals_tie(provider: Provider, cached: Cached) -> None:
    """The ledger says to the nano what the receipts say: spent, and saved."""
    guard = cached()
    client = guard.wrap(chat(provider))
    with guard.run("work") as run:
        for n in (1, 2, 1, 1, 3):
            gpt(client, seed=n)
    assert guard.flush()
    from tokenguard.ledger.queries import report

    assert guard.ledger is not None
    total = report(guard.ledger.path, now_ns=0).total
    assert total.cost_nano == sum(r.cost_nano or 0 for r in run.receipts) == run.cost_nano
    assert total.saved_nano == sum(r.saved_nano or 0 for r in run.receipts) > 0
    assert (total.calls, total.attempts, total.cached_calls) == (5, 3, 2)


def test_a_body_that_is_no_json_is_passed_by(provider: Provider, cached: Cached) -> None:
    """And goes through as it is."""
    client = (guard := cached()).wrap(chat(provider))
    with pytest.raises(openai.BadRequestError):
        client.post("/chat/completions", content=b"{", cast_to=object)
    assert guard.cache is not None
    assert guard.cache.counts.total() == 0
