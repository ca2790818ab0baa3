"""What a guarded call costs over a bare one: CPU, time, first token, and calls per second at 64 at once."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import sides
from bars import Bar, openai_version
from blocks import Block, Plan, Timings, Work, block, in_turns
from pair import Pair
from sides import REQUEST, Side

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
    with _sides(url, options, controls=1) as compared:
        blocks = _measured(compared, _calls, plan, options)
    for name, suffix in _guarded(options):
        pair = Pair(blocks[name], blocks["bare"], CALLS, openai_version())
        yield from pair.bars("core.call.{}" + suffix)
    noise = Pair(blocks["bare again"], blocks["bare"], CALLS, openai_version())
    yield noise.cpu_ratio("core.noise.cpu_ratio")


def stream_bars(url: str, options: Options) -> Iterator[Bar]:
    """Streams of 50 chunks one after the other; then such that ask for their usage themselves."""
    plan = Plan(40, 4) if options.quick else Plan(120, 240)
    for kind, asked in (("stream", {}), ("stream_usage", {"stream_options": {"include_usage": True}})):
        with _sides(url, options) as compared:
            blocks = _measured(compared, partial(_streams, asked=asked), plan, options)
        for name, suffix in _guarded(options):
            pair = Pair(blocks[name], blocks["bare"], STREAMS, openai_version())
            yield from pair.bars(f"core.{kind}.{{}}{suffix}")
        if options.quick:
            return


def async_bars(url: str, options: Options) -> Iterator[Bar]:
    """64 calls at once on one event loop."""
    plan = Plan(40, 4.5) if options.quick else Plan(60, 240)
    each = 1 if options.quick else 2
    with asyncio.Runner() as runner, _sides(url, options) as compared:
        blocks = _measured(compared, lambda side: runner.run(_at_once(side, each)), plan, options)
        for side in compared:
            runner.run(side.async_client.close())
    for name, suffix in _guarded(options):
        pair = Pair(blocks[name], blocks["bare"], AT_ONCE * each, openai_version())
        yield pair.rate_ratio("core.async64.rate_ratio" + suffix)
        yield from pair.bars("core.async64.{}" + suffix)


@contextmanager
def _sides(url: str, options: Options, controls: int = 0) -> Iterator[list[Side]]:
    """Bare, guarded, guarded without this and that; each with its own connections and ledger."""
    if options.metrics:
        sides.in_memory_metrics()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        made = [sides.bare("bare", url)]
        made += [sides.bare("bare again", url) for _ in range(controls)]
        for i, without in enumerate([frozenset(), *options.without]):
            made.append(sides.guarded(_name(without), url, Path(folder, f"{i}.db"), without))
        yield made
        for side in made:
            side.client.close()
            side.close()


def _name(without: frozenset[str]) -> str:
    return "guarded" + "".join(f" without {part}" for part in sorted(without))


def _guarded(options: Options) -> list[tuple[str, str]]:
    """The guarded sides, and what to add to the names of their bars."""
    metrics = ".with_metrics" if options.metrics else ""
    without = [frozenset(), *options.without]
    names = [_name(parts) for parts in without]
    suffixes = [".without_" + "_".join(sorted(parts)) if parts else "" for parts in without]
    return [(name, metrics + suffix) for name, suffix in zip(names, suffixes, strict=True)]


def _measured(
    compared: Sequence[Side], calls: Callable[[Side], Timings], plan: Plan, options: Options
) -> Blocks:
    return in_turns([_work(side, calls) for side in compared], plan, options.rng)


def _work(side: Side, calls: Callable[[Side], Timings]) -> Work:
    return Work(side.name, lambda: block(lambda: calls(side), side.finish, side.forget))


def _calls(side: Side) -> Timings:
    timings, clock, create = Timings(), time.perf_counter_ns, side.client.chat.completions.create
    for _ in range(CALLS):
        began = clock()
        create(**REQUEST)
        timings.calls.append(clock() - began)
    return timings


def _streams(side: Side, asked: Mapping[str, Any]) -> Timings:
    timings, clock, create = Timings(), time.perf_counter_ns, side.client.chat.completions.create
    for _ in range(STREAMS):
        began, first = clock(), 0
        for _chunk in create(**REQUEST, **asked, stream=True):
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
