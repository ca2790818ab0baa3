"""Beside somebody else's instrumentation: one span has the usage, and it is theirs."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from tests.flow.driving import COST, body, call, drive, end, policies, reply, stream
from tokenguard.call import Meter, Usage
from tokenguard.telemetry import Telemetry

from .conftest import Measured, Spans

THEIRS = {
    "opentelemetry.instrumentation.genai.openai": {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4.1",
    },
    "openinference.instrumentation.openai": {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4.1"},
    "opentelemetry.instrumentation.openai.v1": {
        "llm.request.type": "chat",
        "gen_ai.request.model": "gpt-4.1",
    },
    "com.anthropic.sdk.python": {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic"},
}
NOT_AN_INFERENCE = [
    {},
    {"http.request.method": "POST"},
    {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"},
    {"gen_ai.operation.name": "execute_tool"},
    {"openinference.span.kind": "AGENT"},
]


def usage_of(span: Any) -> list[str]:
    return [name for name in span.attributes if name.startswith(("gen_ai.usage.", "llm.token_count."))]


@pytest.mark.parametrize("scope", THEIRS)
@pytest.mark.parametrize("tree", [False, True])
def test_theirs_has_the_usage_and_gets_our_cost(
    scope: str, tree: bool, spans: Spans, measured: Measured
) -> None:
    """Ours is inside theirs, says what we did, and has nothing that would be counted twice."""
    tracer = trace.get_tracer(scope)
    with tracer.start_as_current_span(
        "ChatCompletion", kind=SpanKind.CLIENT, attributes=THEIRS[scope]
    ) as outer:
        drive(call(), [reply(503), reply(), body()], policies(telemetry=Telemetry(tree=tree)))
        outer.set_attribute("gen_ai.usage.input_tokens", 1000)
    ours, theirs = spans.named("tokenguard.call"), spans.named("ChatCompletion")
    assert len(spans()) == 2
    assert ours.parent is not None
    assert ours.parent.span_id == theirs.context.span_id
    assert ours.kind is SpanKind.INTERNAL
    assert usage_of(ours) == []
    assert "gen_ai.request.model" not in (ours.attributes or {})
    assert "gen_ai.usage.cost" not in (ours.attributes or {})
    assert [event.name for event in ours.events] == ["tokenguard.retry"]
    attributes = dict(theirs.attributes or {})
    for name in ("gen_ai.usage.cost", "operation.cost", "llm.cost.total", "tokenguard.cost.total"):
        assert attributes[name] == COST / 1e9
    assert attributes["tokenguard.cost.nano"] == COST
    assert set(usage_of(theirs)) == {"gen_ai.usage.input_tokens", "gen_ai.usage.cost"}
    assert measured.total("tokenguard.cost") == COST / 1e9


@pytest.mark.parametrize("attributes", NOT_AN_INFERENCE, ids=repr)
def test_a_span_that_is_no_inference_is_only_a_parent(attributes: dict[str, str], spans: Spans) -> None:
    """Requests, agents and tools stand around calls: the usage is ours to report."""
    tracer = trace.get_tracer("app")
    with tracer.start_as_current_span("outer", attributes=attributes):
        drive(call(), [reply(), body()], policies(telemetry=Telemetry()))
    leaf, outer = spans.named("chat gpt-4.1"), spans.named("outer")
    assert leaf.parent is not None
    assert leaf.parent.span_id == outer.context.span_id
    assert (leaf.attributes or {})["gen_ai.usage.input_tokens"] == 1000
    assert set(outer.attributes or {}) == set(attributes)


def test_a_span_of_theirs_that_ended_first_is_left_alone(
    spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream may outlive the span around it: nothing is written on it, and nothing is logged."""
    using = policies(telemetry=Telemetry())
    made = call(stream=True)
    from tokenguard.dialects.openai_chat import CHAT
    from tokenguard.flow import flow

    running = flow(made, CHAT, using)
    scope = "openinference.instrumentation.openai"
    with trace.get_tracer(scope).start_as_current_span("ChatCompletion", attributes=THEIRS[scope]):
        next(running)
        running.send(None)
        running.send(stream())
    whole = Usage({Meter.INPUT: 1000, Meter.OUTPUT: 100}, total=1100)
    with caplog.at_level(logging.WARNING):
        running.send(end(usage=whole))
        running.send(None)
        with pytest.raises(StopIteration):
            running.send(None)
    assert caplog.records == []
    assert "operation.cost" not in (spans.named("ChatCompletion").attributes or {})
    assert (spans.named("tokenguard.call").attributes or {})["tokenguard.cost.call_total"] == COST / 1e9


def test_content_is_theirs_to_capture(spans: Spans) -> None:
    """It would be there twice."""
    from tokenguard.telemetry import TelemetrySettings

    using = policies(telemetry=Telemetry(TelemetrySettings(capture_content=True)))
    scope = "openinference.instrumentation.openai"
    with trace.get_tracer(scope).start_as_current_span("ChatCompletion", attributes=THEIRS[scope]):
        drive(call(), [reply(), body()], using)
    for span in spans():
        assert "gen_ai.input.messages" not in (span.attributes or {})


def test_a_span_that_is_not_recorded_is_nobodys(spans: Spans) -> None:
    """What was not sampled around us says nothing of what it is."""
    spans.sampler.on = False
    tracer = trace.get_tracer("openinference.instrumentation.openai")
    with tracer.start_as_current_span("ChatCompletion", attributes={"openinference.span.kind": "LLM"}):
        driven = drive(call(), [reply(), body()], policies(telemetry=Telemetry()))
    assert driven.receipt.cost_nano == COST
    assert spans() == ()
