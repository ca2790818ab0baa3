"""While a request is being sent its leaf is the current span: then only, there only, and left open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler, SamplingResult
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, StatusCode, TraceFlags

from tests.flow.driving import body, call, drive, policies, reply
from tokenguard.telemetry import Telemetry

from .conftest import Spans


def test_the_leaf_is_current_and_stays_open(spans: Spans) -> None:
    """It is ended by the call; the block only makes it a parent."""
    telemetry = Telemetry()
    with trace.get_tracer("app").start_as_current_span("app") as app:
        started = telemetry.started(call())
        assert trace.get_current_span() is app, "starting a span makes nothing current"
        with telemetry.sending(started):
            with trace.get_tracer("http").start_as_current_span("POST"):
                pass
            leaf = trace.get_current_span()
        assert trace.get_current_span() is app
    assert leaf is not app
    assert leaf.is_recording()
    below = spans.named("POST").parent
    assert below is not None
    assert below.span_id == leaf.get_span_context().span_id


@pytest.mark.parametrize("error", [ConnectionResetError, KeyboardInterrupt, GeneratorExit, SystemExit])
def test_an_error_passes_through_and_leaves_nothing_behind(error: type[BaseException], spans: Spans) -> None:
    """What it means for the call is not for the block to say: the leaf has no event and no status of it."""
    telemetry = Telemetry()
    started = telemetry.started(call())
    before = context.get_current()
    leaf: Any = None

    def send() -> None:
        nonlocal leaf
        with telemetry.sending(started):
            leaf = trace.get_current_span()
            raise error

    with pytest.raises(error):
        send()
    assert context.get_current() is before
    assert leaf.is_recording()
    assert leaf.events == ()
    assert leaf.status.status_code is StatusCode.UNSET


def test_calls_within_calls_each_have_their_own(spans: Spans) -> None:
    """A signer or an HTTP client may itself call a model while a request is being sent."""
    telemetry = Telemetry()
    outer, inner = telemetry.started(call()), telemetry.started(call())
    with telemetry.sending(outer):
        around = trace.get_current_span()
        with telemetry.sending(inner):
            assert trace.get_current_span() is not around
        assert trace.get_current_span() is around
        with telemetry.sending(outer):  # sent again, before the first sending is over
            assert trace.get_current_span() is around
        assert trace.get_current_span() is around
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_everything_else_in_the_context_stays(spans: Spans) -> None:
    """Baggage, and whatever other libraries keep there."""
    telemetry = Telemetry()
    token = context.attach(baggage.set_baggage("customer", "c-17"))
    try:
        with telemetry.sending(telemetry.started(call())):
            assert baggage.get_baggage("customer") == "c-17"
    finally:
        context.detach(token)


def test_tasks_do_not_see_each_others(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    """Two calls are sent at once, and one of them is cancelled: each task's context is its own."""
    telemetry = Telemetry()
    seen: list[Span] = []

    async def send(both: asyncio.Barrier, end: asyncio.Event) -> None:
        with telemetry.sending(telemetry.started(call())):
            leaf = trace.get_current_span()
            seen.append(leaf)
            await both.wait()
            await end.wait()
            assert trace.get_current_span() is leaf

    async def main() -> None:
        both, end = asyncio.Barrier(3), asyncio.Event()
        one, two = (asyncio.create_task(send(both, end)) for _ in range(2))
        await both.wait()
        assert trace.get_current_span() is trace.INVALID_SPAN
        one.cancel()
        await asyncio.wait([one])
        end.set()
        await two
        assert one.cancelled()

    with caplog.at_level(logging.DEBUG, logger="opentelemetry"):
        asyncio.run(main())
    assert len({leaf.get_span_context().span_id for leaf in seen}) == 2
    assert caplog.records == []


def test_nothing_below_a_call_that_is_not_sampled_is_sampled(spans: Spans) -> None:
    """A span that is dropped is still the parent of those of the HTTP library, and tells them so."""
    spans.sampler.on = False
    telemetry = Telemetry()
    with telemetry.sending(telemetry.started(call())):
        leaf = trace.get_current_span().get_span_context()
    assert leaf.is_valid
    assert not leaf.trace_flags.sampled


REMOTE = NonRecordingSpan(SpanContext(7, 7, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)))


@pytest.mark.parametrize("around", [trace.INVALID_SPAN, REMOTE], ids=["nothing", "a remote span"])
@pytest.mark.parametrize("tree", [False, True])
def test_without_a_provider_a_call_has_no_spans(
    around: Span, tree: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would see them: what is current stays so, the one of a service that called us included."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    telemetry = Telemetry(tree=tree)
    with trace.use_span(around):
        started = telemetry.started(call())
        assert started is None
        before = context.get_current()
        with telemetry.sending(started):
            assert context.get_current() is before


class Annotates(Sampler):
    """Writes on what it is shown, which was made for one span only."""

    def __init__(self) -> None:
        self.shown: list[Mapping[str, Any]] = []

    def should_sample(
        self, parent_context: Any, trace_id: int, name: str, kind: Any = None, attributes: Any = None, *_: Any
    ) -> SamplingResult:
        """As asked by the SDK."""
        self.shown.append(dict(attributes))
        attributes["sampling.rule"] = name
        return ALWAYS_ON.should_sample(parent_context, trace_id, name, kind, attributes)

    def get_description(self) -> str:
        """Its name."""
        return "Annotates"


def test_a_sampler_may_write_on_what_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next call does not have it."""
    sampler = Annotates()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", TracerProvider(sampler=sampler))
    telemetry = Telemetry(tree=True)
    for _ in range(2):
        drive(call(), [reply(), body()], policies(telemetry=telemetry))
    assert len(sampler.shown) == 4
    assert not [shown for shown in sampler.shown if "sampling.rule" in shown]
