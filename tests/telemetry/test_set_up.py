"""The set-up page works as it stands: its block runs against a sink that speaks OTLP."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tokenguard.testing import Provider

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "opentelemetry.md").read_text()


class Collector(BaseHTTPRequestHandler):
    """Takes what is exported over OTLP/HTTP."""

    spans: ClassVar[list[Any]] = []
    metrics: ClassVar[dict[str, Any]] = {}
    services: ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        """Decode one export."""
        content = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        if self.path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(content).resource_spans:
                self.services.update(
                    a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
                )
                for scope in resource.scope_spans:
                    self.spans.extend(scope.spans)
        elif self.path == "/v1/metrics":
            for found in ExportMetricsServiceRequest.FromString(content).resource_metrics:
                self.metrics.update({m.name: m for scope in found.scope_metrics for m in scope.metrics})
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[str]:
    """The sink's address."""
    Collector.spans.clear()
    Collector.metrics.clear()
    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_block_of_the_page_sends_spans_and_metrics(
    collector: str, tokenguard_provider: Provider, tmp_path: Path
) -> None:
    """Pasted into a file and run: the span has its parent and its cost, and the metrics agree."""
    (block,) = re.findall(r'^```python title="app.py"\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", block],
        env={
            **kept,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
            "OTEL_SERVICE_NAME": "helpdesk",
            "OPENAI_API_KEY": "test",
            "OPENAI_BASE_URL": tokenguard_provider.openai_url,
            "TOKENGUARD_LEDGER": str(tmp_path / "ledger.db"),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Collector.services == {"helpdesk"}
    spans = {span.name: span for span in Collector.spans}
    assert set(spans) == {"answer ticket", "chat gpt-4.1-mini"}
    leaf = spans["chat gpt-4.1-mini"]
    assert leaf.parent_span_id == spans["answer ticket"].span_id
    attributes = {attribute.key: attribute.value for attribute in leaf.attributes}
    nano = attributes["tokenguard.cost.nano"].int_value
    assert nano > 0
    assert attributes["tokenguard.team"].string_value == "support"
    assert attributes["gen_ai.usage.cost"].double_value == nano / 1e9
    (cost,) = Collector.metrics["tokenguard.cost"].sum.data_points
    assert round(cost.as_double * 1e9) == nano
    assert {"tokenguard.calls", "gen_ai.client.operation.duration"} <= set(Collector.metrics)


def test_everything_on_a_span_can_be_sent(
    collector: str, tokenguard_provider: Provider, tmp_path: Path
) -> None:
    """One attribute that does not fit into OTLP would lose the whole batch of an application's spans."""
    program = """
import openai
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
import tokenguard
tracers = TracerProvider()
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(tracers)
telemetry = tokenguard.TelemetrySettings(capture_content=True)
client = tokenguard.Guard(ledger=None, telemetry=telemetry).wrap(openai.OpenAI())
with trace.get_tracer("app").start_as_current_span("app"):
    try:
        client.chat.completions.create(
            model="gpt-4.1", messages=[{"role": "user", "content": "\\U0001f600 half: " + chr(0xFFFD)}],
            max_tokens=2**80, seed=2**80, temperature=1e300, stop=["a"],
        )
    except openai.OpenAIError:
        pass
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
            "OPENAI_API_KEY": "test",
            "OPENAI_BASE_URL": tokenguard_provider.openai_url,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Exception while exporting" not in done.stderr
    assert {span.name for span in Collector.spans} == {"app", "chat gpt-4.1"}
