"""A thousand streams at once on one event loop: every one is settled, however it ends, and none leaks.

The upstream holds all of them half-way until the last has got there, so they are open together. Then
most are read to the end; some are closed, some cancelled, and some simply dropped.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import openai
import sides
from bars import Bar, counted, progress
from upstream import MODEL, Upstream

import tokenguard

_STREAMS: Final = 1000
_CLIENTS: Final = 5
_REQUEST: Final[dict[str, Any]] = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
_ENDS: Final = ("read", "read", "read", "read", "read", "read", "read", "closed", "cancelled", "dropped")
_OURS: Final = ("Exchange", "Call", "Attempt", "Trace", "Tap", "AsyncDelivery")
"""Classes whose objects live as long as a call."""


def stream_settling_bars(upstream: Upstream) -> Iterator[Bar]:
    """Receipts that never came, rows that were never settled; and what is left in memory afterwards."""
    _allow_files(3 * _STREAMS)
    spans = sides.in_memory_spans()
    spans.clear()
    receipts: list[tokenguard.Receipt] = []
    stop = tokenguard.observe(receipts.append)
    before = _alive()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        ledger = Path(folder, "ledger.db")
        guard = tokenguard.Guard(ledger=ledger)
        try:
            tasks = asyncio.run(_all(guard, upstream.below(f"hold/{_STREAMS}")))
            gc.collect()
            guard.flush()
        finally:
            stop()
            guard.close()
        with closing(sqlite3.connect(ledger)) as connection:
            settled = connection.execute("SELECT count(*) FROM call WHERE state = 'settled'").fetchone()[0]
    missing = _STREAMS - len(receipts), _STREAMS - settled, _STREAMS - len(spans.get_finished_spans())
    spans.clear()
    statuses = Counter(f"{receipt.tags['feature']}: {receipt.status}" for receipt in receipts)
    receipts.clear()
    gc.collect()
    left = _alive() - before
    progress(f"  receipts {dict(statuses)}, without receipt/row/span {missing}, tasks {tasks}, {dict(left)}")
    all_at_once = f"{_STREAMS} streams at once"
    yield counted("core.streams_1000.unsettled", max(missing), "streams", _STREAMS, all_at_once)
    leaked = tasks + left.total()
    yield counted("core.streams_1000.leaked", leaked, "tasks and objects", _STREAMS, all_at_once)


async def _all(guard: tokenguard.Guard, url: str) -> int:
    """Run all streams to their ends; gives how many tasks are left then."""
    # An HTTP client looks through all its connections for every request: a few clients keep that short.
    clients = [openai.AsyncOpenAI(base_url=url, api_key="bench", timeout=120) for _ in range(_CLIENTS)]
    guarded = [guard.wrap(client) for client in clients]
    ends = [_ENDS[i // _CLIENTS % len(_ENDS)] for i in range(_STREAMS)]
    tasks = [asyncio.create_task(_stream(guarded[i % _CLIENTS], end)) for i, end in enumerate(ends)]
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
    failed = Counter(
        repr(task.exception()) for task in tasks if not task.cancelled() and task.exception() is not None
    )
    if failed:
        raise RuntimeError(f"streams failed: {failed.most_common(3)}")
    del tasks, guarded
    gc.collect()
    for client in clients:
        await client.close()
    for _ in range(100):  # generators that were dropped are closed by the loop
        await asyncio.sleep(0)
    return len(asyncio.all_tasks()) - 1


async def _stream(client: openai.AsyncOpenAI, end: str) -> None:
    with tokenguard.context(tags={"feature": end}):
        stream = await client.chat.completions.create(**_REQUEST, stream=True)
    if end == "read":
        async for _ in stream:
            pass
        return
    read = 0
    async for _ in stream:
        read += 1
        if read == 2:
            break
    if end == "closed":
        await stream.close()
    elif end == "cancelled":
        asyncio.current_task().cancel()  # type: ignore[union-attr] # within a task there is one
        async for _ in stream:
            pass


def _alive() -> Counter[str]:
    gc.collect()
    return Counter(
        type(thing).__name__
        for thing in gc.get_objects()
        if type(thing).__name__ in _OURS and type(thing).__module__.startswith("tokenguard")
    )


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
