"""Real clients over real HTTP: contexts stay where they were, and nothing of a trace reaches a provider."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from opentelemetry import baggage, context, trace

from tokenguard import Guard, TelemetrySettings
from tokenguard.call import Receipt
from tokenguard.guard import observe
from tokenguard.testing import Answer, Provider

from .conftest import Measured, Spans

MESSAGES: Any = [{"role": "user", "content": "What is the capital of France?"}]
CHAT: Any = {"model": "gpt-4.1", "messages": MESSAGES}
CLAUDE: Any = {"model": "claude-opus-5", "max_tokens": 100, "messages": MESSAGES}


@pytest.fixture
def provider(tokenguard_provider: Provider) -> Provider:
    tokenguard_provider.answer(Answer("Paris is the capital of France.", chunks=["Paris ", "is ", "it."]))
    return tokenguard_provider


def guard(**settings: Any) -> Guard:
    return Guard(ledger=None, telemetry=TelemetrySettings(**settings))


def gpt(provider: Provider, by: Guard, **more: Any) -> openai.OpenAI:
    return by.wrap(openai.OpenAI(base_url=provider.openai_url, api_key="test", timeout=20, **more))


def claude(provider: Provider, by: Guard | None) -> anthropic.Anthropic:
    client = anthropic.Anthropic(base_url=provider.anthropic_url, api_key="test", timeout=20)
    return client if by is None else by.wrap(client)


def test_a_call_leaves_the_current_span_as_it_was(provider: Provider, spans: Spans) -> None:
    """The span around it is its parent, is still open after it, and still current."""
    client = gpt(provider, guard())
    with trace.get_tracer("app").start_as_current_span("app") as app:
        client.chat.completions.create(**CHAT)
        assert trace.get_current_span() is app
        assert app.is_recording()
        assert [span.name for span in spans()] == ["chat gpt-4.1"]
    leaf = spans.named("chat gpt-4.1")
    assert leaf.parent is not None
    assert leaf.parent.span_id == app.get_span_context().span_id


def test_a_stream_holds_no_context_between_its_chunks(provider: Provider, spans: Spans) -> None:
    """Spans that the caller starts while reading are the caller's, not children of the call."""
    client = gpt(provider, guard())
    tracer = trace.get_tracer("app")
    with tracer.start_as_current_span("app") as app:
        for chunk in client.chat.completions.create(**CHAT, stream=True):
            assert trace.get_current_span() is app
            with tracer.start_as_current_span(f"chunk {chunk.id}"):
                pass
    chunks = [span for span in spans() if span.name.startswith("chunk")]
    assert len(chunks) >= 3
    for span in chunks:
        assert span.parent is not None
        assert span.parent.span_id == app.get_span_context().span_id


def test_spans_of_the_http_library_are_children_of_the_call(provider: Provider, spans: Spans) -> None:
    """While it is sending, and only then, the call is the current span."""

    class Traced(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            with trace.get_tracer("http").start_as_current_span("POST"):
                return super().handle_request(request)

    client = gpt(provider, guard(), http_client=httpx2.Client(transport=Traced()))
    provider.fail(503, retry_after_ms=1)
    client.chat.completions.create(**CHAT)
    leaf = spans.named("chat gpt-4.1")
    below = [span for span in spans() if span.name == "POST"]
    assert len(below) == 2, "one for each physical request"
    for span in below:
        assert span.parent is not None
        assert span.parent.span_id == leaf.context.span_id


@pytest.mark.parametrize("mode", ["own", "metrics", "off"])
def test_no_trace_and_no_baggage_of_ours_reaches_a_provider(
    mode: Any, provider: Provider, spans: Spans
) -> None:
    """A provider has no business with trace ids, and none at all with tags of teams and customers."""
    by = guard(spans=mode)
    token = context.attach(baggage.set_baggage("customer", "c-17"))
    try:
        with trace.get_tracer("app").start_as_current_span("app"):
            gpt(provider, by).chat.completions.create(**CHAT)
            for _ in gpt(provider, by).chat.completions.create(**CHAT, stream=True):
                pass
            if mode == "own":
                claude(provider, by).messages.create(**CLAUDE)
    finally:
        context.detach(token)
    assert provider.count == (3 if mode == "own" else 2)
    for request in provider.requests:
        names = {name.lower() for name, _ in request.headers}
        assert not names & {"traceparent", "tracestate", "baggage"}
        assert not [name for name in names if name.startswith("x-tokenguard")]


def test_the_anthropic_sdks_own_span_is_off_where_ours_is_on(provider: Provider, spans: Spans) -> None:
    """Two spans with usage would count every token twice; its other settings stay."""
    client = anthropic.Anthropic(
        base_url=provider.anthropic_url, api_key="test", open_telemetry={"conversation_id": "conv-7"}
    )
    wrapped = guard().wrap(client)
    wrapped.messages.create(**CLAUDE)
    assert [span.name for span in spans()] == ["chat claude-opus-5"]
    assert wrapped.open_telemetry["traces"]["enabled"] is False
    others = {name: value for name, value in client.open_telemetry.items() if name != "traces"}
    assert others.items() <= wrapped.open_telemetry.items()
    client.messages.create(**CLAUDE)
    assert [span.name for span in spans()][1:] == ["anthropic.messages.create"], (
        "the client itself is as it was"
    )


@pytest.mark.parametrize("mode", ["metrics", "off"])
def test_the_anthropic_sdks_own_span_is_left_where_ours_is_off(
    mode: Any, provider: Provider, spans: Spans
) -> None:
    """Somebody wants it."""
    client = claude(provider, None)
    wrapped = guard(spans=mode).wrap(client)
    assert wrapped.open_telemetry == client.open_telemetry
    wrapped.messages.create(**CLAUDE)
    assert [span.name for span in spans()] == ["anthropic.messages.create"]


async def begin(client: Any) -> Any:
    with trace.get_tracer("app").start_as_current_span("begin"):
        return await client.chat.completions.create(**CHAT, stream=True)


async def read_one(stream: Any) -> None:
    with trace.get_tracer("app").start_as_current_span("read"):
        async for _ in stream:
            break


async def read_all(stream: Any) -> None:
    async for _ in stream:
        pass


async def cancelled(stream: Any) -> None:
    task = asyncio.create_task(read_all(stream))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await stream.close()


async def closed(stream: Any) -> None:
    await stream.close()


async def dropped(_stream: Any) -> None:
    """Nobody holds it any more once this is over."""


@pytest.mark.parametrize("leave", [dropped, closed, read_all, cancelled])
def test_streams_abandoned_in_other_tasks_leave_no_context_behind(
    leave: Any, provider: Provider, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    """Begun in one task, read in a second, left in a third: the span ends, and nothing is logged."""
    by = guard()

    async def main() -> None:
        client = by.wrap(openai.AsyncOpenAI(base_url=provider.openai_url, api_key="test", timeout=20))
        stream = await asyncio.create_task(begin(client))
        await asyncio.create_task(read_one(stream))
        await asyncio.create_task(leave(stream))
        del stream
        gc.collect()
        await client.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
        gc.collect()
        by.flush()
    assert [r.getMessage() for r in caplog.records if "context" in r.getMessage().lower()] == []
    assert spans.named("chat gpt-4.1").end_time
    assert not trace.get_current_span().is_recording()


def test_what_it_cost_is_the_same_everywhere(provider: Provider, spans: Spans, measured: Measured) -> None:
    """Receipts, spans and metrics, over calls that were answered, retried, streamed and abandoned."""
    receipts: list[Receipt] = []
    stop = observe(receipts.append)
    by = guard()
    try:
        client, other = gpt(provider, by), claude(provider, by)
        client.chat.completions.create(**CHAT)
        provider.fail(503, retry_after_ms=1)
        client.chat.completions.create(**CHAT)
        for _ in client.chat.completions.create(**CHAT, stream=True):
            pass
        with client.chat.completions.create(**CHAT, stream=True) as stream:
            next(iter(stream))
        other.messages.create(**CLAUDE)
        with other.messages.stream(**CLAUDE) as events:
            for _ in events.text_stream:
                break
        provider.fail(404)
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(**CHAT)
    finally:
        stop()
    nano = sum(receipt.cost_nano or 0 for receipt in receipts)
    assert len(receipts) == 7
    assert nano > 0
    on_spans = [dict(span.attributes or {}) for span in spans()]
    assert nano == sum(cost for a in on_spans if isinstance(cost := a.get("tokenguard.cost.nano"), int))
    assert nano == round(measured.total("tokenguard.cost") * 1e9)
    assert measured.total("tokenguard.calls") == 7
