"""Where the time of a guarded call goes: the microseconds of each part alone, other parts taken out.

``python bench/breakdown.py [--hit memory|disk] [--stream] [--calls N]`` is a working tool for making the
guard faster. It puts a stopwatch around functions by name, takes the stopwatch's own cost out again, and
leaves out names that are gone. All figures are CPU time of the thread they are made on, medians over calls.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import sides
import upstream
from bars import progress

from tokenguard.cache import Cache

_SDK: Final = "(the SDK below the guard: send and read)"

_PARTS: Final = {
    _SDK: "transport.sync:SyncTransport._read",
    "seam: begin": "transport.seam:Seam.begin transport.seam:Seam._exchange",
    "seam: wishes": "transport.seam:Seam._wishes",
    "seam: endpoint": "transport.seam:_endpoint",
    "seam: request's JSON": "transport.seam:Seam._body",
    "seam: make the call": "transport.seam:Seam._call",
    "seam: rewrite": "transport.seam:Seam._rewrite",
    "seam: head of the reply": "transport.exchange:Exchange.head",
    "seam: body of the reply": "transport.exchange:Exchange.body",
    "seam: response headers": "transport.exchange:Exchange._mark",
    "seam: notes": "transport.exchange:Exchange.note",
    "driver": "transport.sync:SyncTransport.handle_request transport.sync:SyncTransport._drive",
    "driver: send": "transport.sync:SyncTransport._send",
    "flow: reply's JSON": "flow:_settle_body",
    "flow: price": "flow:_price",
    "flow: receipt": "flow:_receipt",
    "pricing": "pricing.book:PriceBook.charge",
    "cache: what the call wants": "cache.responses:ResponseCache.plan",
    "cache: eligible": "cache.responses:ineligible",
    "cache: request as it was made": "transport.seam:Seam._wire",
    "cache: namespace": "cache.responses:namespace",
    "cache: epoch": "cache.responses:ResponseCache._epoch",
    "cache: key": "cache.responses:key",
    "cache: key, the body's text": "cache.key:canonical",
    "cache: look up": "transport.exchange:Exchange.find cache.responses:ResponseCache.find "
    "cache.responses:ResponseCache._kept cache.memory:Memory.get",
    "cache: news": "cache.responses:ResponseCache._hear cache.backing:Backing.news",
    "cache: used": "cache.writer:Writer.used",
    "cache: let go": "cache.responses:ResponseCache.let_go",
    "cache: from the store": "cache.disk:DiskStore.get",
    "cache: open the seal": "cache.backing:opened",
    "cache: make the response": "transport.exchange:Exchange.replay",
    "cache: marks": "transport.exchange:_cache_marks",
    "cache: driver": "transport.sync:SyncTransport._from_cache transport.sync:SyncTransport._replay",
    "flow: answer for nothing": "flow:_free",
    "spans: lookup": "telemetry.telemetry:Telemetry.looked_up telemetry.spans:Trace.looked_up "
    "telemetry.spans:Tracing.look_up",
    "spans: leaf": "telemetry.spans:Tracing.leaf telemetry.spans:Tracing._leaf",
    "spans: end of the root": "telemetry.spans:call_attributes",
    "stream: deliver": "transport.exchange:Exchange.deliver transport.exchange:Exchange.over",
    "stream: tap": "transport.tap:Tap.feed transport.tap:Tap._take",
    "stream: skim events": "dialects.skimming:Skimmer.skim",
    "stream: parse events": "dialects.skimming:Skimmer.feed",
    "guard: receipts": "guard:Guard._finished",
    "ledger: begin": "ledger.sqlite:SqliteLedger.begin",
    "ledger: opening row": "ledger.sqlite:opening",
    "ledger: journal": "ledger.journal:Journal.opened ledger.journal:Journal.settled",
    "ledger: settle": "ledger.sqlite:SqliteLedger.settle ledger.writer:Writer.write_settlement",
    "ledger: settlement row": "ledger.sqlite:settlement",
    "ledger: group": "ledger.writer:Writer._write_group",
    "ledger: group, in sqlite": "ledger.store:Store.write",
    "ledger: checkpoint": "ledger.writer:Writer._checkpoint",
    "spans: start": "telemetry.telemetry:Telemetry.started telemetry.spans:Tracing.start",
    "spans: start, in the SDK": "/opentelemetry.sdk.trace:Tracer.start_span",
    "spans: make current": "telemetry.telemetry:Telemetry.sending telemetry.spans:Current.__enter__ "
    "telemetry.spans:Current.__exit__",
    "spans: attributes": "telemetry.spans:leaf_attributes",
    "spans: attributes, in the SDK": "/opentelemetry.sdk.trace:Span.set_attributes",
    "spans: end": "telemetry.telemetry:Telemetry.finished telemetry.spans:Trace.end",
    "spans: end, in the SDK": "/opentelemetry.sdk.trace:Span.end",
    "metrics": "telemetry.telemetry:Telemetry._metrics telemetry.metrics:Metrics.finished",
}
"""Parts, and the functions that each is made of: module (of tokenguard, or absolute) and name in it."""


class Stopwatch:
    """Times functions, each without those that it calls and that are timed too."""

    def __init__(self) -> None:
        self.here: defaultdict[str, int] = defaultdict(int)  # of the current call, on the main thread
        self.elsewhere: Counter[str] = Counter()  # of all calls, CPU time of other threads
        self._stack = threading.local()
        self._main = threading.get_ident()
        self._inside = self._outside = 0
        self._calibrate()

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            stack: list[int] = self._stack.__dict__.setdefault("stack", [])
            stack.append(0)
            began = time.thread_time_ns()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.thread_time_ns() - began
                own = took - stack.pop() - self._inside
                if stack:
                    stack[-1] += took + self._outside
                if threading.get_ident() == self._main:
                    self.here[part] += own
                else:
                    self.elsewhere[part] += own

        return timed

    def _calibrate(self) -> None:
        """What timing costs: the part that is timed itself, and the part that the caller is charged."""

        def nothing() -> None: ...

        timed = self.around("", nothing)
        inside, outside = [], []
        for _ in range(2000):
            self.here.clear()
            began = time.thread_time_ns()
            timed()
            whole = time.thread_time_ns() - began
            inside.append(self.here[""])
            outside.append(whole - self.here[""])
        self._inside, self._outside = round(statistics.median(inside)), round(statistics.median(outside))
        self.here.clear()


def main() -> None:
    """Print the parts, the dearest first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stream", action="store_true", help="streams of 50 chunks")
    parser.add_argument("--hit", choices=("memory", "disk"), help="calls that are answered from a cache")
    parser.add_argument("--calls", type=int, default=1000)
    chosen = parser.parse_args()
    watch = Stopwatch()
    for part, places in _PARTS.items():
        for place in places.split():
            _put(watch, part, place)
    _put_around_flow(watch)
    with upstream.running() as provider, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bare = sides.bare("bare", provider.openai_url)
        guarded = sides.guarded(
            "guarded", provider.openai_url, Path(folder, "ledger.db"), cache=_cache(chosen.hit, folder)
        )
        transport: Any = guarded.client._client._transport
        transport._forward = watch.around(_SDK, transport._forward)
        request = sides.REQUEST | ({"temperature": 0} if chosen.hit else {})
        request |= {"stream": True} if chosen.stream else {}
        _print(watch, bare, guarded, chosen.calls, request)
        guarded.close()


def _cache(where: str | None, folder: str) -> Cache | None:
    if where is None:
        return None
    return Cache() if where == "memory" else Cache(store=Path(folder, "answers"), memory_bytes=0)


def _put(watch: Stopwatch, part: str, place: str) -> None:
    module, _, name = place.partition(":")
    try:
        holder: Any = import_module(module[1:] if module.startswith("/") else f"tokenguard.{module}")
        *path, last = name.split(".")
        for step in path:
            holder = getattr(holder, step)
        setattr(holder, last, watch.around(part, getattr(holder, last)))
    except (ImportError, AttributeError):
        progress(f"{place} is gone; its time is its caller's")


def _put_around_flow(watch: Stopwatch) -> None:
    """A flow is a generator: what is timed is each step of it."""
    seam: Any = import_module("tokenguard.transport.seam")
    original = seam.flow
    step = watch.around("flow: its own code", lambda flow, answer: flow.send(answer))

    class TimedFlow:
        def __init__(self, *args: Any) -> None:
            self._flow = original(*args)

        def send(self, answer: Any) -> Any:
            return step(self._flow, answer)

    seam.flow = TimedFlow


def _print(
    watch: Stopwatch, bare: sides.Side, guarded: sides.Side, calls: int, request: dict[str, Any]
) -> None:
    parts: list[dict[str, int]] = []
    times: dict[str, list[int]] = {"bare": [], "guarded": []}
    for i in range(-50, calls):
        if i == 0:
            gc.collect()
            gc.freeze()
            watch.elsewhere.clear()
        for side in (bare, guarded):
            watch.here.clear()
            began = time.thread_time_ns()
            _one(side, request)
            if i >= 0:
                times[side.name].append(time.thread_time_ns() - began)
        if i >= 0:
            parts.append(dict(watch.here))
        guarded.forget()
    guarded.finish()
    names = {name for part in parts for name in part}
    medians = {name: statistics.median(part.get(name, 0) for part in parts) / 1e3 for name in names}
    for name, us in sorted(medians.items(), key=lambda item: -item[1]):
        print(f"{us:9.1f} us  {name}")
    ours = sum(medians.values()) - medians.get(_SDK, 0)
    print(f"{ours:9.1f} us  all parts of the guard, on the calling thread")
    for name, ns in watch.elsewhere.most_common():
        print(f"{ns / calls / 1e3:9.1f} us  {name} (CPU of another thread, mean)")
    for name, values in times.items():
        print(f"{statistics.median(values) / 1e3:9.1f} us  a whole {name} call (CPU of the calling thread)")


def _one(side: sides.Side, request: dict[str, Any]) -> None:
    answer = side.client.chat.completions.create(**request)
    if request.get("stream"):
        for _ in answer:
            pass


if __name__ == "__main__":
    main()
