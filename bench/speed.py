"""What a guarded call costs over a bare one: CPU, time, first token, and calls per second at 64 at once."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sides
from bars import Bar, openai_version
from blocks import Block, Plan, Timings, Work, block, in_turns
from pair import Pair
from sides import REQUEST, Side

if TYPE_CHECKING:
    from tokenguard.cache import Cache

CALLS: Final = 24
"""Calls in a block of calls one after the other: some 70 ms."""
STREAMS: Final = 6
AT_ONCE: Final = 64
Blocks = dict[str, list[Block]]


@dataclass(frozen=True, slots=True)
class Options:
    """What to compare.

    Attributes:
        quick: Fewer rounds.
        without: For each, a further guarded side with these parts off.
        metrics: Whether there is a meter provider, too.
        rng: Draws the order of blocks.
    """

    quick: bool
    without: Sequence[frozenset[str]]
    metrics: bool
    rng: random.Random


def call_bars(url: str, options: Options) -> Iterator[Bar]:
    """Calls one after the other, and the bare SDK against itself."""
    plan = Plan(40, 5.5) if options.quick else Plan(150, 240)
    with compared_sides(url, options, controls=1) as compared:
        blocks = measured(compared, calls_one_by_one, plan, options)
    for name, suffix in guarded_names(options):
        pair = Pair(blocks[name], blocks["bare"], CALLS, openai_version())
        yield from pair.bars("core.call.{}" + suffix)
    noise = Pair(blocks["bare again"], blocks["bare"], CALLS, openai_version())
    yield noise.cpu_ratio("core.noise.cpu_ratio")


def stream_bars(url: str, options: Options) -> Iterator[Bar]:
    """Streams of 50 chunks one after the other; then such that ask for their usage themselves."""
    plan = Plan(40, 4) if options.quick else Plan(120, 240)
    for kind, asked in (("stream", {}), ("stream_usage", {"stream_options": {"include_usage": True}})):
        with compared_sides(url, options) as compared:
            blocks = measured(compared, partial(streams_one_by_one, request=REQUEST | asked), plan, options)
        for name, suffix in guarded_names(options):
            pair = Pair(blocks[name], blocks["bare"], STREAMS, openai_version())
            yield from pair.bars(f"core.{kind}.{{}}{suffix}")
        if options.quick:
            return


def async_bars(url: str, options: Options) -> Iterator[Bar]:
    """64 calls at once on one event loop."""
    plan = Plan(40, 4.5) if options.quick else Plan(60, 240)
    each = 1 if options.quick else 2
    with asyncio.Runner() as runner, compared_sides(url, options) as compared:
        blocks = measured(compared, lambda side: runner.run(_at_once(side, each)), plan, options)
        for side in compared:
            runner.run(side.async_client.close())
    for name, suffix in guarded_names(options):
        pair = Pair(blocks[name], blocks["bare"], AT_ONCE * each, openai_version())
        yield pair.rate_ratio("core.async64.rate_ratio" + suffix)
        yield from pair.bars("core.async64.{}" + suffix)


@contextmanager
def compared_sides(
    url: str,
    options: Options,
    controls: int = 0,
    cache: Callable[[Path], Cache | None] = lambda _: None,
    further: Iterable[Side] = (),
) -> Iterator[list[Side]]:
    """Bare, guarded, guarded without this and that; each with its own connections and ledger.

    Args:
        url: The upstream's ``base_url``.
        options: What to compare.
        controls: How often the bare SDK is measured against itself.
        cache: Makes the cache of a guarded side, which may have the folder for its own.
        further: Sides to have besides.
    """
    if options.metrics:
        sides.in_memory_metrics()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        made = [sides.bare("bare", url)]
        made += [sides.bare("bare again", url) for _ in range(controls)]
        made += further
        for i, without in enumerate([frozenset(), *options.without]):
            kept = cache(Path(folder, f"{i}-answers"))
            made.append(sides.guarded(_name(without), url, Path(folder, f"{i}.db"), without, kept))
        yield made
        for side in made:
            side.client.close()
            side.close()


def _name(without: frozenset[str]) -> str:
    return "guarded" + "".join(f" without {part}" for part in sorted(without))


def guarded_names(options: Options) -> list[tuple[str, str]]:
    """The guarded sides, and what to add to the names of their bars."""
    metrics = ".with_metrics" if options.metrics else ""
    without = [frozenset(), *options.without]
    names = [_name(parts) for parts in without]
    suffixes = [".without_" + "_".join(sorted(parts)) if parts else "" for parts in without]
    return [(name, metrics + suffix) for name, suffix in zip(names, suffixes, strict=True)]


def measured(
    compared: Sequence[Side], calls: Callable[[Side], Timings], plan: Plan, options: Options
) -> Blocks:
    """Blocks of all sides, taken in turns; by the side's name."""
    return in_turns([_work(side, calls) for side in compared], plan, options.rng)


def _work(side: Side, calls: Callable[[Side], Timings]) -> Work:
    return Work(side.name, lambda: block(lambda: calls(side), side.finish, side.forget))


def calls_one_by_one(side: Side, requests: Iterable[Mapping[str, Any]] = repeat(REQUEST)) -> Timings:
    """The calls of one block, one after the other, with the next of the requests."""
    timings, clock, create = Timings(), time.perf_counter_ns, side.client.chat.completions.create
    for request in islice(requests, CALLS):
        began = clock()
        create(**request)
        timings.calls.append(clock() - began)
    return timings


def streams_one_by_one(side: Side, request: Mapping[str, Any]) -> Timings:
    """The streams of one block, one after the other, each read to its end."""
    timings, clock, create = Timings(), time.perf_counter_ns, side.client.chat.completions.create
    for _ in range(STREAMS):
        began, first = clock(), 0
        for _chunk in create(**request, stream=True):
            first = first or clock()
        timings.calls.append(clock() - began)
        timings.first_tokens.append(first - began)
    return timings


async def _at_once(side: Side, each: int) -> Timings:
    timings, clock, create = Timings(), time.perf_counter_ns, side.async_client.chat.completions.create

    async def caller() -> None:
        for _ in range(each):
            began = clock()
            await create(**REQUEST)
            timings.calls.append(clock() - began)

    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    return timings
