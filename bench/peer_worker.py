"""One peer in a process of its own, under the interpreter of its own environment. ``peers.py`` drives it.

``python peer_worker.py ADAPTER URL`` answers lines of JSON on standard input with lines of JSON on
standard output, and ends with its input. First of all it says what it is::

    {"peer": "openinference-instrumentation-openai 0.1.66", "sdk": "openai 3.54.0"}
    < {"do": "call", "n": 24}       calls one after the other
    < {"do": "stream", "n": 6}      streams one after the other, each read to its end
    < {"do": "async64", "n": 128}   64 calls at once on one event loop
    > {"cpu_s": 0.07, "wall_s": 0.07, "calls_ns": [...], "first_ns": [...]}

``cpu_s`` is the whole process's, until what the calls put off is done. An adapter is a function that
takes the upstream's ``base_url`` and gives a :class:`Peer`. Only the standard library and the peer
itself may be imported here: nothing else is sure to be in that environment.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final, NamedTuple

_REQUEST: Final[dict[str, Any]] = {
    "model": "gpt-4.1-mini",
    "messages": [
        {"role": "system", "content": "You answer questions about language models in one short paragraph."},
        {"role": "user", "content": "What is a prompt cache, and when is it worth having one?"},
    ],
    "temperature": 0.2,
    "max_tokens": 200,
}
_AT_ONCE: Final = 64
_LINGER_S: Final = 0.03
"""The same wait for background threads at the end of a block as in ``blocks.py``."""


class Peer(NamedTuple):
    """How to make calls with a peer.

    ``create`` and ``acreate`` take the arguments of OpenAI's ``chat.completions.create``; ``finish``
    does what calls have put off; ``package`` is the distribution whose version is told.
    """

    package: str
    create: Callable[..., Any]
    acreate: Callable[..., Any]
    finish: Callable[[], object] = lambda: None
    forget: Callable[[], object] = lambda: None


def bare(url: str) -> Peer:
    """The SDK of the peer's environment as it comes: what the peer is compared with."""
    return _clients("openai", url)


def tokenguard(url: str) -> Peer:
    """This library: meters, ledger and spans."""
    import tokenguard as module

    folder = tempfile.TemporaryDirectory(prefix="bench-")
    exporter = _spans()
    guard = module.Guard(ledger=f"{folder.name}/ledger.db")

    def forget(_kept: object = folder) -> None:
        exporter.clear()

    return _clients("tokenguard-middleware", url, guard.wrap, finish=guard.flush, forget=forget)


def openinference(url: str) -> Peer:
    """Arize's instrumentation of the SDK: spans."""
    from openinference.instrumentation.openai import OpenAIInstrumentor  # type: ignore[import-not-found]

    exporter = _spans()
    OpenAIInstrumentor().instrument()
    return _clients("openinference-instrumentation-openai", url, forget=exporter.clear)


def langfuse(url: str) -> Peer:
    """Langfuse's drop-in for the SDK; its spans are sent to the upstream."""
    os.environ.update(
        LANGFUSE_PUBLIC_KEY="pk-lf-bench", LANGFUSE_SECRET_KEY="sk-lf-bench", LANGFUSE_HOST=url[: -len("/v1")]
    )
    from langfuse import get_client  # type: ignore[import-not-found]
    from langfuse.openai import AsyncOpenAI, OpenAI  # type: ignore[import-not-found]

    sync, on_loop = OpenAI(base_url=url, api_key="bench"), AsyncOpenAI(base_url=url, api_key="bench")
    return Peer("langfuse", sync.chat.completions.create, on_loop.chat.completions.create, get_client().flush)


def litellm(url: str) -> Peer:
    """LiteLLM's ``completion()``: prices and callbacks."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm as module  # type: ignore[import-not-found]

    to = {"base_url": url, "api_key": "bench", "custom_llm_provider": "openai"}

    async def acreate(**request: Any) -> Any:
        return await module.acompletion(**request, **to)

    return Peer("litellm", lambda **request: module.completion(**request, **to), acreate)


def cascadeflow(url: str) -> Peer:
    """The harness of cascadeflow in observing mode: costs and decisions, in memory."""
    import cascadeflow as module  # type: ignore[import-not-found]

    module.init(mode="observe")
    module.run().__enter__()  # outside of a run it observes nothing; this one ends with the process
    return _clients("cascadeflow", url)


ADAPTERS: Final = {
    adapter.__name__: adapter for adapter in (bare, tokenguard, openinference, langfuse, litellm, cascadeflow)
}


def _clients(
    package: str,
    url: str,
    wrap: Callable[[Any], Any] = lambda client: client,
    *,
    finish: Callable[[], object] = lambda: None,
    forget: Callable[[], object] = lambda: None,
) -> Peer:
    """A peer that leaves the SDK's clients as they are, or wraps them."""
    import openai

    sync = wrap(openai.OpenAI(base_url=url, api_key="bench"))
    on_loop = wrap(openai.AsyncOpenAI(base_url=url, api_key="bench"))
    return Peer(package, sync.chat.completions.create, on_loop.chat.completions.create, finish, forget)


def _spans() -> Any:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


class Worker:
    """Does what it is told, block by block."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._runner = asyncio.Runner()
        self._calls: list[int] = []
        self._firsts: list[int] = []

    def block(self, kind: str, n: int) -> dict[str, Any]:
        """One block, measured as in ``blocks.py``."""
        self._calls, self._firsts = [], []
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        if kind == "async64":
            self._runner.run(self._at_once(n))
        else:
            for _ in range(n):
                self._stream() if kind == "stream" else self._call()
        self._peer.finish()
        wall = time.perf_counter() - wall
        time.sleep(_LINGER_S)
        cpu = time.process_time() - cpu
        self._peer.forget()
        return {"cpu_s": cpu, "wall_s": wall, "calls_ns": self._calls, "first_ns": self._firsts}

    def _call(self) -> None:
        began = time.perf_counter_ns()
        answer = self._peer.create(**_REQUEST)
        self._calls.append(time.perf_counter_ns() - began)
        _check(answer.choices[0].message.content.startswith("A prompt cache keeps"))

    def _stream(self) -> None:
        began, chunks, first = time.perf_counter_ns(), 0, 0
        for chunk in self._peer.create(**_REQUEST, stream=True):
            first = first or time.perf_counter_ns()
            chunks += bool(chunk.choices and chunk.choices[0].delta.content)
        self._calls.append(time.perf_counter_ns() - began)
        self._firsts.append(first - began)
        _check(chunks == 50)

    async def _at_once(self, n: int) -> None:
        async def caller() -> None:
            for _ in range(n // _AT_ONCE):
                began = time.perf_counter_ns()
                answer = await self._peer.acreate(**_REQUEST)
                self._calls.append(time.perf_counter_ns() - began)
                _check(answer.choices[0].message.content.startswith("A prompt cache keeps"))

        await asyncio.gather(*(caller() for _ in range(_AT_ONCE)))


def _check(right: bool) -> None:
    if not right:
        raise RuntimeError("the peer gave another answer than the upstream")


def _main(adapter: str, url: str) -> None:
    told, sys.stdout = sys.stdout, sys.stderr  # peers print
    peer = ADAPTERS[adapter](url)
    worker = Worker(peer)
    names = {"peer": f"{peer.package} {version(peer.package)}", "sdk": f"openai {version('openai')}"}
    print(json.dumps(names), file=told, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(worker.block(asked["do"], asked["n"])), file=told, flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
