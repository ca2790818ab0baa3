"""A real OpenTelemetry SDK for each test, that keeps what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.metrics import _internal as metrics_state
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler, SamplingResult

Point = tuple[dict[str, Any], Any]


class Switch(Sampler):
    """Samples everything, or nothing, and remembers what it was shown."""

    def __init__(self) -> None:
        self.on = True
        self.shown: list[tuple[str, dict[str, Any]]] = []

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        *_: Any,
        **__: Any,
    ) -> SamplingResult:
        """As asked by the SDK."""
        self.shown.append((name, dict(attributes or {})))
        if self.on:
            return ALWAYS_ON.should_sample(parent_context, trace_id, name, kind, attributes)
        return SamplingResult(Decision.DROP)

    def get_description(self) -> str:
        """Its name."""
        return "Switch"


class Spans:
    """The spans that have ended."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.sampler = Switch()
        self.provider = TracerProvider(sampler=self.sampler)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def __call__(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def only(self) -> ReadableSpan:
        """The one that has ended."""
        (span,) = self()
        return span

    def named(self, name: str) -> ReadableSpan:
        """The one of this name."""
        (span,) = [span for span in self() if span.name == name]
        return span


class Measured:
    """The metrics that have been recorded."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader])

    def metrics(self) -> dict[str, Any]:
        """Every metric by name."""
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    def points(self, name: str) -> list[Point]:
        """The attributes of each series of a metric, and its value; of a histogram, the point itself."""
        metric = self.metrics().get(name)
        if metric is None:
            return []
        return [(dict(point.attributes), getattr(point, "value", point)) for point in metric.data.data_points]

    def total(self, name: str) -> float:
        """The sum over all series."""
        return float(sum(value for _, value in self.points(name)))


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """A tracer provider of this test's own."""
    made = Spans()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", made.provider)
    return made


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    """A meter provider of this test's own."""
    made = Measured()
    monkeypatch.setattr(metrics_state, "_METER_PROVIDER", made.provider)
    assert metrics.get_meter_provider() is made.provider
    return made
