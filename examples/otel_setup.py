"""Set OpenTelemetry up as usual, and costs are on the spans and in the metrics; here, on the console.

Needs the extra ``otel``. In production put an OTLP exporter in the place of the console's.
"""

import openai
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

import tokenguard

tracers = TracerProvider()
tracers.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(tracers)
meters = MeterProvider([PeriodicExportingMetricReader(ConsoleMetricExporter())])
metrics.set_meter_provider(meters)

guard = tokenguard.Guard(tags={"team": "support"})
client = guard.wrap(openai.OpenAI())
with trace.get_tracer("app").start_as_current_span("handle ticket"):
    client.chat.completions.create(
        model="gpt-4.1-mini", messages=[{"role": "user", "content": "Where is my parcel?"}]
    )

tracers.shutdown()
meters.shutdown()
