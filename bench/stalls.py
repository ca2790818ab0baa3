"""For how long an event loop stands still while large answers are put into the cache.

A task of the loop wants to run every millisecond. How late it comes is the loop's stall; where it comes so
late that it has missed its next times, too, each of those counts with its own delay, as a request of that
time would have waited so long.
"""

from __future__ import annotations

import asyncio
import gc
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import intervals
import openai
from answers import REQUEST
from bars import Bar, estimated, progress
from upstream import Upstream

import tokenguard
import tokenguard.faults
from tokenguard.cache import Cache, Plan, ResponseCache
from tokenguard.cache.disk import DiskStore
from tokenguard.cache.entry import Entry
from tokenguard.call import Answered

_KILOBYTES: Final = 200
_ANSWERS: Final = 300
_QUICK_ANSWERS: Final = 80
_AT_A_TIME: Final = 20
_TICK_NS: Final = 1_000_000
_SHARE: Final = 0.99
_WHAT: Final = f"answers of {_KILOBYTES} kB"


@dataclass(frozen=True, slots=True)
class Work:
    """What a loop does while it is watched.

    Attributes:
        suffix: What its bar's name ends with.
        what: What it is, in words.
        do: Does it for so many answers; gives back once all that was put off is done.
    """

    suffix: str
    what: str
    do: Callable[[int], Awaitable[object]]


def stall_bars(upstream: Upstream, *, quick: bool, rng: random.Random) -> Iterator[Bar]:
    """The 99th percentile of stalls with the cache, and with all the same but the cache."""
    rounds = (_QUICK_ANSWERS if quick else _ANSWERS) // _AT_A_TIME
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, asyncio.Runner() as runner:
        clients = _Clients(upstream.below(f"large/{_KILOBYTES}"), Path(folder))
        alone = _Alone(Path(folder, "alone"))
        works = [
            Work("", f"{_WHAT} through a guarded client", clients.caching),
            Work(".without_cache", f"{_WHAT} through a guarded client without a cache", clients.guarded),
            Work(".bare", f"{_WHAT} through the bare SDK", clients.bare),
            Work(".put", f"{_WHAT} put into the cache, one every 5 ms", alone.put),
            Work(".idle", "an idle loop", alone.idle),
        ]
        stalls = _watched(runner, works, rounds, rng)
        runner.run(clients.close())
        alone.close()
        clients.check(1 + rounds)
    for work in works:
        p99 = intervals.Estimate(*(ns / 1e6 for ns in intervals.of_quantile(stalls[work.suffix], _SHARE)))
        longest = max(ns for one in stalls[work.suffix] for ns in one) / 1e6
        progress(
            f"  {work.what}: {sum(map(len, stalls[work.suffix]))} ticks, the latest {longest:.1f} ms late"
        )
        yield estimated("cache.set_stall_p99_ms" + work.suffix, p99, "ms", rounds * _AT_A_TIME, work.what)


def _watched(
    runner: asyncio.Runner, works: Sequence[Work], rounds: int, rng: random.Random
) -> dict[str, list[list[int]]]:
    """The stalls of each round, by the work's suffix, in an order drawn for each round."""
    stalls: dict[str, list[list[int]]] = {work.suffix: [] for work in works}
    for i in range(-1, rounds):
        for work in rng.sample(works, len(works)):
            gc.collect()
            found = runner.run(_stalls(work))
            if i >= 0:
                stalls[work.suffix].append(found)
    return stalls


async def _stalls(work: Work) -> list[int]:
    """How late each tick came while the work was done, in nanoseconds."""
    late: list[int] = []
    ticking = asyncio.create_task(_tick(late))
    await asyncio.sleep(0.01)
    late.clear()
    await work.do(_AT_A_TIME)
    await asyncio.sleep(0.002)
    ticking.cancel()
    with suppress(asyncio.CancelledError):
        await ticking
    return late


async def _tick(late: list[int]) -> None:
    clock = time.perf_counter_ns
    while True:
        due = clock() + _TICK_NS
        await asyncio.sleep(_TICK_NS / 1e9)
        missed = clock() - due
        while missed >= 0:
            late.append(missed)
            missed -= _TICK_NS


class _Clients:
    """Clients that ask for large answers, one after the other, and never for the same twice."""

    def __init__(self, url: str, folder: Path) -> None:
        self._numbers = count()
        self._guards = [
            tokenguard.Guard(ledger=folder / "caching.db", cache=Cache(store=folder / "answers")),
            tokenguard.Guard(ledger=folder / "guarded.db"),
        ]
        self._bare, *others = [openai.AsyncOpenAI(base_url=url, api_key="bench") for _ in range(3)]
        self._caching, self._guarded = [
            guard.wrap(client) for guard, client in zip(self._guards, others, strict=True)
        ]

    async def caching(self, answers: int) -> None:
        await self._ask(self._caching, answers)
        await asyncio.to_thread(self._guards[0].flush)

    async def guarded(self, answers: int) -> None:
        await self._ask(self._guarded, answers)
        await asyncio.to_thread(self._guards[1].flush)

    async def bare(self, answers: int) -> None:
        await self._ask(self._bare, answers)

    async def _ask(self, client: openai.AsyncOpenAI, answers: int) -> None:
        for _ in range(answers):
            messages: list[Any] = [{"role": "user", "content": f"Number {next(self._numbers)}?"}]
            await client.chat.completions.create(**{**REQUEST, "messages": messages})

    async def close(self) -> None:
        for client in (self._bare, self._caching, self._guarded):
            await client.close()

    def check(self, rounds: int) -> None:
        """Make sure that all answers were kept, and close.

        Raises:
            RuntimeError: They were not.
        """
        cache = self._guards[0].cache
        assert cache is not None
        assert cache.store is not None
        kept = sum(label.size > _KILOBYTES * 900 for label in cache.store.labels())
        for guard in self._guards:
            guard.close()
        if kept != rounds * _AT_A_TIME or tokenguard.faults.counts():
            raise RuntimeError(f"{kept} answers on disk, faults {tokenguard.faults.counts()}")


class _Alone:
    """The cache with no client: answers that are there already."""

    def __init__(self, folder: Path) -> None:
        self._store = DiskStore(folder)
        self._cache = ResponseCache(Cache(), self._store)
        self._body = b"x" * (_KILOBYTES * 1000)
        self._numbers = count()

    async def put(self, answers: int) -> None:
        for _ in range(answers):
            await asyncio.sleep(0.005)
            plan = Plan(f"{next(self._numbers):064x}", "bench", (), 3600.0)
            found = self._cache.find(plan, time.time_ns())
            if found.what != "lead":
                raise RuntimeError(f"nothing is kept, but the cache says {found.what}")
            self._cache.put(plan, self._entry(plan.key), keeps=True)
        await asyncio.to_thread(self._cache.flush)

    async def idle(self, answers: int) -> None:
        for _ in range(answers):
            await asyncio.sleep(0.005)

    def close(self) -> None:
        self._cache.close()

    def _entry(self, key: str) -> Entry:
        now = time.time_ns()
        return Entry(
            key=key,
            stored_ns=now,
            expires_ns=now + 3600 * 10**9,
            status=200,
            content_type="application/json",
            body=self._body,
            answered=Answered(),
            request_id=None,
            dialect="openai.chat",
            model=REQUEST["model"],
            namespace="bench",
        )
