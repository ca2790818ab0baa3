"""What an answer from the cache costs, and one that is kept for later, over a call of the bare SDK.

After each comparison the upstream must have seen the bare side's calls, and of the guarded side's only
those whose answers were kept: a cache that passes calls on is no faster than they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count, repeat
from pathlib import Path
from typing import Any, Final

import sides
from bars import openai_version
from blocks import Plan, Timings
from pair import Pair
from sides import Side
from speed import (
    CALLS,
    STREAMS,
    Bar,
    Options,
    calls_one_by_one,
    compared_sides,
    guarded_names,
    measured,
    streams_one_by_one,
)
from upstream import Upstream

from tokenguard.cache import Cache

REQUEST: Final[dict[str, Any]] = {**sides.REQUEST, "temperature": 0}
_LIGHT: Final = frozenset({"spans", "ledger"})

Requests = Callable[[], Iterable[Mapping[str, Any]]]


def memory_hit_bars(upstream: Upstream, options: Options) -> Iterator[Bar]:
    """Hits from memory, without spans and ledger too; and the least that they could cost, and the noise."""
    options = replace(options, without=options.without or [_LIGHT])
    plan = Plan(40, 5.5) if options.quick else Plan(150, 240)
    yield from _call_bars("memory_hit", _in_memory, _the_same, upstream, options, plan, controls=1)


def memory_hit_stream_bars(upstream: Upstream, options: Options) -> Iterator[Bar]:
    """Streams of 50 chunks from memory."""
    plan, played = Plan(40, 3.5) if options.quick else Plan(120, 240), Counted()
    with compared_sides(upstream.openai_url, options, cache=_in_memory) as compared:
        _fill(compared, played, {**REQUEST, "stream": True})
        streams = played.around(partial(streams_one_by_one, request=REQUEST))
        blocks = measured(compared, streams, plan, options)
        _check_calls(compared, upstream, played, kept=1)
    for name, suffix in guarded_names(options):
        pair = Pair(blocks[name], blocks["bare"], STREAMS, openai_version())
        yield from pair.bars("cache.memory_hit_stream.{}" + suffix)


def disk_hit_bars(upstream: Upstream, options: Options) -> Iterator[Bar]:
    """Hits for which the answer comes from a directory each time."""
    plan = Plan(40, 3.5) if options.quick else Plan(150, 240)
    yield from _call_bars("disk_hit", _on_disk_alone, _the_same, upstream, options, plan)


def miss_bars(upstream: Upstream, options: Options) -> Iterator[Bar]:
    """Calls whose answer is not there, and is kept in memory."""
    plan = Plan(40, 2.5) if options.quick else Plan(150, 240)
    yield from _call_bars("miss", _in_memory, _never_the_same, upstream, options, plan)


def miss_disk_bars(upstream: Upstream, options: Options) -> Iterator[Bar]:
    """Calls whose answer is not there, and is kept in memory and in a directory."""
    plan = Plan(40, 2.5) if options.quick else Plan(150, 240)
    yield from _call_bars("miss_disk", _on_disk, _never_the_same, upstream, options, plan)


def _call_bars(
    kind: str,
    cache: Callable[[Path], Cache],
    requests: Requests,
    upstream: Upstream,
    options: Options,
    plan: Plan,
    controls: int = 0,
) -> Iterator[Bar]:
    played = Counted()
    url = upstream.openai_url
    further = [sides.instant("instant", url)] if controls else []
    with compared_sides(url, options, controls, cache, further) as compared:
        if requests is _the_same:
            _fill(compared, played, REQUEST)
        asked = {side.name: iter(requests()) for side in compared}
        calls = played.around(lambda side: calls_one_by_one(side, asked[side.name]))
        blocks = measured(compared, calls, plan, options)
        _check_calls(compared, upstream, played, kept=1 if requests is _the_same else None)
    for name, suffix in guarded_names(options):
        pair = Pair(blocks[name], blocks["bare"], CALLS, openai_version())
        yield from pair.bars(f"cache.{kind}.{{}}{suffix}")
    if controls:
        floor = Pair(blocks["instant"], blocks["bare"], CALLS, openai_version())
        yield floor.cpu_ratio(f"cache.{kind}.floor.cpu_ratio")
        noise = Pair(blocks["bare again"], blocks["bare"], CALLS, openai_version())
        yield noise.cpu_ratio("cache.noise.cpu_ratio")


def _fill(compared: Sequence[Side], played: Counted, request: Mapping[str, Any]) -> None:
    """Have each side make one call, and each cache keep its answer before there is another one."""
    for side in compared:
        answer = side.client.chat.completions.create(**request)
        if request.get("stream"):
            list(answer)
        side.finish()
        side.forget()
        played.calls[side.name] = 1


class Counted:
    """Counts calls by the side that makes them, those of warming up among them."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}

    def around(self, block: Callable[[Side], Timings]) -> Callable[[Side], Timings]:
        """The block, counted."""

        def counted(side: Side) -> Timings:
            timings = block(side)
            self.calls[side.name] = self.calls.get(side.name, 0) + len(timings.calls)
            return timings

        return counted


def _in_memory(_: Path) -> Cache:
    return Cache()


def _on_disk(folder: Path) -> Cache:
    return Cache(store=folder)


def _on_disk_alone(folder: Path) -> Cache:
    return Cache(store=folder, memory_bytes=0)


def _the_same() -> Iterable[Mapping[str, Any]]:
    return repeat(REQUEST)


def _never_the_same() -> Iterable[Mapping[str, Any]]:
    first, last = REQUEST["messages"]
    for number in count():
        yield {**REQUEST, "messages": [first, {**last, "content": f"{last['content']} ({number})"}]}


def _check_calls(compared: Sequence[Side], upstream: Upstream, played: Counted, kept: int | None) -> None:
    """Make sure that answers came from where they were to come from.

    Args:
        compared: All sides.
        upstream: Knows what was asked.
        played: Knows what was called.
        kept: How many answers a cache was to keep; ``None`` for those of all its calls.

    Raises:
        RuntimeError: They did not.
    """
    asked = 0
    for side in compared:
        called = 1 if side.name == "instant" else played.calls[side.name]
        if side.guard is None or side.guard.cache is None:
            asked += called
            continue
        stored, wanted = side.guard.cache.counts["stored"], called if kept is None else kept
        if stored != wanted:
            raise RuntimeError(f"{side.name}: {stored} answers were kept, not {wanted}")
        asked += stored
    seen = upstream.seen()["requests"]
    if seen != asked:
        raise RuntimeError(f"the upstream saw {seen} requests, not {asked}")
