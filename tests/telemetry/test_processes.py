"""In a process of its own: nothing of OpenTelemetry is imported or set up that nobody asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

CALL = """
import sys
from tokenguard import Guard
from tokenguard.testing import Provider
import openai
with Provider() as provider:
    client = Guard(ledger=None).wrap(openai.OpenAI(base_url=provider.openai_url, api_key="test"))
    client.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": "Hi"}])
    for _ in client.chat.completions.create(
        model="gpt-4.1", messages=[{"role": "user", "content": "Hi"}], stream=True
    ):
        pass
"""


def run(program: str, **environment: str) -> str:
    """What a program prints; it must end well."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_where_nobody_uses_opentelemetry_nobody_pays_for_it() -> None:
    """A whole call, and not a module of it is imported."""
    program = CALL + "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    assert run(program) == "[]"


def test_where_only_the_api_is_there_nothing_is_set_up() -> None:
    """A library sets up no providers: without the application's, spans and metrics go nowhere."""
    program = (
        "import opentelemetry.trace as trace, opentelemetry.metrics as metrics\n"
        + CALL
        + "print(type(trace.get_tracer_provider()).__name__, type(metrics.get_meter_provider()).__name__)\n"
        + "print('opentelemetry.sdk' in sys.modules)"
    )
    assert run(program).split() == ["ProxyTracerProvider", "_ProxyMeterProvider", "False"]


@pytest.mark.parametrize("provider", ["none", "metrics.NoOpMeterProvider()"])
def test_where_nobody_collects_metrics_nothing_is_made_for_them(provider: str) -> None:
    """Spans alone are in use: our instruments are not so much as imported."""
    program = (
        "from opentelemetry import metrics, trace\n"
        + "from opentelemetry.sdk.trace import TracerProvider\n"
        + "trace.set_tracer_provider(TracerProvider())\n"
        + ("" if provider == "none" else f"metrics.set_meter_provider({provider})\n")
        + CALL
        + "print('tokenguard.telemetry.spans' in sys.modules)\n"
        + "print('tokenguard.telemetry.metrics' in sys.modules)"
    )
    assert run(program).split() == ["True", "False"]


def test_providers_named_in_the_environment_are_set_up() -> None:
    """OpenTelemetry makes them when they are first asked for, which the first call does."""
    program = (
        CALL
        + "from opentelemetry import metrics, trace\n"
        + "print(type(trace.get_tracer_provider()).__module__, 'tokenguard.telemetry.metrics' in sys.modules)"
    )
    named = {
        "OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider",
        "OTEL_PYTHON_METER_PROVIDER": "sdk_meter_provider",
    }
    assert run(program, **named) == "opentelemetry.sdk.trace True"


@pytest.mark.parametrize("first", ["guard", "providers"])
def test_providers_may_be_set_up_before_or_after_the_guard(first: str) -> None:
    """Whichever line of an application comes first: calls are seen from the moment both are there."""
    setup = """
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
def set_up():
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
"""
    call = CALL.replace(
        "import sys\n", "import sys\n" + setup + ("set_up()\n" if first == "providers" else "")
    )
    if first == "guard":
        again = "    client.chat.completions.create(model='gpt-4.1', messages=[])\n"
        call = call.replace("    for _ in client", f"    set_up()\n{again}    for _ in client")
    report = """
names = {m.name: sum(p.value for p in m.data.data_points)
         for r in reader.get_metrics_data().resource_metrics for s in r.scope_metrics for m in s.metrics
         if m.name == "tokenguard.calls"}
print(len(exporter.get_finished_spans()), names["tokenguard.calls"])
"""
    spans, calls = run(call + report).split()
    assert int(spans) == 2
    assert float(calls) == 2


def test_opentelemetrys_own_switch_is_obeyed() -> None:
    """``OTEL_SDK_DISABLED`` turns it all into nothing, and calls go on."""
    program = (
        "from opentelemetry import trace\nfrom opentelemetry.sdk.trace import TracerProvider\n"
        "trace.set_tracer_provider(TracerProvider())\n" + CALL + "print('done')"
    )
    assert run(program, OTEL_SDK_DISABLED="true") == "done"


EXPORTER: Any = """
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
class Broken(SpanProcessor):
    def on_start(self, span, parent_context=None): raise OSError("on start")
    def on_end(self, span): raise OSError("on end")
    def shutdown(self): pass
    def force_flush(self, timeout_millis=30000): return True
provider = TracerProvider()
provider.add_span_processor(Broken())
trace.set_tracer_provider(provider)
"""


def test_a_broken_exporter_breaks_no_call() -> None:
    """It is counted, and the answer comes."""
    program = EXPORTER + CALL + "from tokenguard import faults\nprint(sorted(faults.counts()))"
    assert "telemetry.started" in run(program)
