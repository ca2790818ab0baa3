"""The two sides of a comparison: clients of the bare SDK, and the same clients with a guard around them."""

from __future__ import annotations

import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import openai
from upstream import MODEL

import tokenguard
import tokenguard.faults

if TYPE_CHECKING:  # a guard without a cache does not load it
    from tokenguard.cache import Cache
    from tokenguard.lint import Lint

PARTS: Final = ("spans", "ledger")
"""What can be left off a guarded side."""

MESSAGES: Final[list[Any]] = [
    {"role": "system", "content": "You answer questions about language models in one short paragraph."},
    {"role": "user", "content": "What is a prompt cache, and when is it worth having one?"},
]
REQUEST: Final[dict[str, Any]] = {"model": MODEL, "messages": MESSAGES, "temperature": 0.2, "max_tokens": 200}


@dataclass(frozen=True)
class Side:
    """Clients that are measured, and what belongs to them.

    Attributes:
        name: ``bare``, ``guarded`` and so on.
        client: For calls on threads.
        async_client: For calls on an event loop.
        finish: Does all the work that calls have put off; it belongs to their cost.
        forget: Drops what was collected for looking at; it does not.
        close: Ends it.
        guard: The guard of a guarded side.
    """

    name: str
    client: openai.OpenAI
    async_client: openai.AsyncOpenAI
    finish: Callable[[], object]
    forget: Callable[[], object]
    close: Callable[[], object]
    guard: tokenguard.Guard | None = None


def bare(name: str, url: str) -> Side:
    """The SDK as it comes."""
    client, async_client = _clients(url)
    return Side(name, client, async_client, _nothing, _nothing, _nothing)


def instant(name: str, url: str) -> Side:
    """The SDK on a transport that gives the upstream's first answer again at once, and does nothing else.

    No cache below the SDK can cost less.
    """
    client, async_client = _clients(url)
    first: list[Any] = []

    def again(request: Any) -> Any:
        if not first:
            response = transport.handle_request(request)
            first.append((response.status_code, response.headers["content-type"], response.read()))
        status, kind, body = first[0]
        headers = [(b"content-type", kind.encode()), (b"x-request-id", b"req_0")]
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))

    inside: Any = client._client
    transport, httpx = inside._transport, sys.modules[type(inside).__mro__[-2].__module__.partition(".")[0]]
    inside._transport = httpx.BaseTransport()
    inside._transport.handle_request = again
    return Side(name, client, async_client, _nothing, _nothing, _nothing)


def guarded(
    name: str,
    url: str,
    ledger: Path,
    without: frozenset[str] = frozenset(),
    cache: Cache | None = None,
) -> Side:
    """The SDK with a guard: meters, a ledger in a file of its own, and spans of the OpenTelemetry SDK.

    Args:
        name: What to call it.
        url: The upstream's ``base_url``.
        ledger: Where the ledger is to be made.
        without: Parts that are off, of :data:`PARTS`.
        cache: What answers are to be kept; nothing, unless given.
    """
    exporter, spans = in_memory_spans(), Counter[str]()
    guard = tokenguard.Guard(
        ledger=None if "ledger" in without else ledger,
        cache=cache,
        telemetry=tokenguard.TelemetrySettings(spans="metrics" if "spans" in without else "own"),
    )

    def forget() -> None:
        spans["seen"] += len(exporter.get_finished_spans())
        exporter.clear()

    def close() -> None:
        guard.close()
        forget()
        _check_work(spans["seen"], ledger, without, caches=cache is not None)

    client, async_client = _clients(url)
    return Side(name, guard.wrap(client), guard.wrap(async_client), guard.flush, forget, close, guard)


def linting(name: str, url: str, lint: Lint | None) -> Side:
    """The SDK with a guard that has nothing but a linter, or not even that."""
    guard = tokenguard.Guard(
        ledger=None, lint=lint, telemetry=tokenguard.TelemetrySettings(spans="off"), stream_usage=False
    )
    client, async_client = _clients(url)

    def close() -> None:
        guard.close()
        if tokenguard.faults.counts():
            raise RuntimeError(f"the guard that was measured had faults: {tokenguard.faults.counts()}")

    return Side(name, guard.wrap(client), guard.wrap(async_client), guard.flush, _nothing, close, guard)


@cache
def in_memory_spans() -> Any:
    """Have OpenTelemetry's SDK collect this process's spans; gives the exporter that has them."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@cache
def in_memory_metrics() -> Any:
    """Have OpenTelemetry's SDK aggregate this process's metrics; gives the reader that has them."""
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    return reader


def _clients(url: str) -> tuple[openai.OpenAI, openai.AsyncOpenAI]:
    return openai.OpenAI(base_url=url, api_key="bench"), openai.AsyncOpenAI(base_url=url, api_key="bench")


def _check_work(spans: int, ledger: Path, without: frozenset[str], *, caches: bool) -> None:
    """A guard that failed open is a fast one: make sure that it did all of its work.

    Raises:
        RuntimeError: It did not.
    """
    faults = tokenguard.faults.counts()
    if faults:
        raise RuntimeError(f"the guard that was measured had faults: {faults}")
    if bool(spans) is ("spans" in without):
        raise RuntimeError(f"{spans} spans without {sorted(without)}")
    if "ledger" in without:
        return
    with closing(sqlite3.connect(ledger)) as connection:
        rows, bad, hits = connection.execute(
            "SELECT count(*), sum(state <> 'settled' OR cost_nano IS NULL), sum(role = 'cache') FROM call"
        ).fetchone()
    # With a cache, there is a span of the call and one of its lookup around that of an inference.
    expected = 3 * rows - hits if caches else rows
    if bad or not rows or spans not in (0, expected):
        raise RuntimeError(f"{rows} rows, {bad} of them without a cost, and {spans} spans")


def _nothing() -> None:
    pass
