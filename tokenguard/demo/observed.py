"""Spans and metrics of this process, kept in memory to be looked at when the calls are over."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import metrics, trace

from tokenguard.errors import ConfigError
from tokenguard.telemetry import semconv as sc

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class Sums(NamedTuple):
    """Calls and what they cost, in nano-dollars."""

    calls: int
    cost_nano: int


@dataclass(frozen=True, slots=True)
class SpanNode:
    """A span, the spans below it in the order in which they began, and the events on it."""

    name: str
    duration_ms: float
    attributes: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    children: list[SpanNode] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The tree as JSON's types."""
        return {
            "name": self.name,
            "duration_ms": self.duration_ms,
            "attributes": self.attributes,
            "events": self.events,
            "children": [child.as_json() for child in self.children],
        }


class Observed:
    """A tracer and a meter provider that send to memory, set as those of this process.

    Raises:
        ConfigError: Somebody has set up others before.
    """

    def __init__(self) -> None:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        tracers = TracerProvider(sampler=ALWAYS_ON)
        tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        meters = MeterProvider([self._reader])
        trace.set_tracer_provider(tracers)
        metrics.set_meter_provider(meters)
        if trace.get_tracer_provider() is not tracers or metrics.get_meter_provider() is not meters:
            raise ConfigError(
                "OpenTelemetry is set up in this process already; "
                "run the demo without opentelemetry-instrument"
            )

    def spans(self, demo: str) -> list[ReadableSpan]:
        """The spans of one run of the demo that are over, whoever made them, in the order of their ends."""
        all_spans = self._exporter.get_finished_spans()
        ours = {span.context.trace_id for span in all_spans if _attribute(span, sc.OWN + "demo") == demo}
        return [span for span in all_spans if span.context.trace_id in ours]

    def metrics(self) -> Sums:
        """What the counters of this process stand at; a run of the demo is the difference of two readings."""
        return Sums(
            round(self._counter(sc.METRIC_CALLS)),
            # A double holds every whole number of nano-dollars up to nine million dollars.
            sum(round(value * 1e9) for value in self._values(sc.METRIC_COST)),
        )

    def _counter(self, name: str) -> float:
        return sum(self._values(name))

    def _values(self, name: str) -> list[float]:
        data: Any = self._reader.get_metrics_data()
        return [
            point.value
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@cache
def observed() -> Observed:
    """The one of this process: OpenTelemetry's providers can be set only once."""
    return Observed()


def sums(spans: list[ReadableSpan]) -> Sums:
    """What the inference spans among these say."""
    inferences = [span for span in spans if _attribute(span, sc.ATTEMPT_INDEX) is not None]
    return Sums(len(inferences), sum(int(_attribute(span, sc.COST_NANO) or 0) for span in inferences))


def most_retried(spans: list[ReadableSpan]) -> SpanNode | None:
    """The trace of the call that was tried again most often, or else of the first call; from its root."""
    inferences = [span for span in spans if _attribute(span, sc.ATTEMPT_INDEX) is not None]
    if not inferences:
        return None
    chosen = max(inferences, key=lambda span: int(_attribute(span, sc.RESEND_COUNT) or 0))
    same = [span for span in spans if span.context.trace_id == chosen.context.trace_id]
    roots = [span for span in same if span.parent is None]
    return _node(roots[0], same) if roots else None


def _node(span: ReadableSpan, spans: list[ReadableSpan]) -> SpanNode:
    below = [one for one in spans if one.parent is not None and one.parent.span_id == span.context.span_id]
    start, end = span.start_time or 0, span.end_time or 0
    return SpanNode(
        span.name,
        (end - start) / 1e6,
        _plain(span.attributes),
        [{"name": event.name, "attributes": _plain(event.attributes)} for event in span.events],
        [_node(child, spans) for child in sorted(below, key=lambda one: one.start_time or 0)],
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in (attributes or {}).items()
    }


def _attribute(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {}).get(name)
