"""Blocks of work, taken in turns in one process: what disturbs the machine disturbs every side alike.

A block's CPU time is that of the whole process, background threads included, until everything that the
calls put off is done. Its calls are timed one by one on the wall clock.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bars import progress

_LINGER_S: Final = 0.03
"""How long a block waits at its end for background threads; they gather rows for up to 25 ms."""
_FEWEST_ROUNDS: Final = 5


@dataclass(slots=True)
class Timings:
    """What the calls of a block took, in nanoseconds each."""

    calls: list[int] = field(default_factory=list)
    first_tokens: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Block:
    """One block: CPU of the process, wall time until everything was done, and its calls."""

    cpu_s: float
    wall_s: float
    timings: Timings


@dataclass(frozen=True, slots=True)
class Work:
    """What one side does in a round; ``name`` is the side's."""

    name: str
    block: Callable[[], Block]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure: so many rounds, or fewer when the seconds are over."""

    rounds: int
    seconds: float


def in_turns(works: Sequence[Work], plan: Plan, rng: random.Random) -> dict[str, list[Block]]:
    """One block of each work per round, in an order drawn for each round; by name.

    The collector runs before each block and not by accident within one side's; what was alive at the
    beginning is out of its sight, on all sides.
    """
    taken: dict[str, list[Block]] = {work.name: [] for work in works}
    until = time.monotonic() + plan.seconds
    for work in works:
        work.block()  # connections, caches, specialised bytecode
    gc.collect()
    gc.freeze()
    rounds = 0
    while rounds < plan.rounds and (rounds < _FEWEST_ROUNDS or time.monotonic() < until):
        for work in rng.sample(works, len(works)):
            taken[work.name].append(work.block())
        rounds += 1
    gc.unfreeze()
    progress(f"  {rounds} rounds of {', '.join(taken)}")
    return taken


def block(calls: Callable[[], Timings], finish: Callable[[], object], forget: Callable[[], object]) -> Block:
    """Measure one block of work in this process.

    Args:
        calls: Makes the calls of one block, one by one or all at once.
        finish: Does what they put off.
        forget: Runs after the block, unmeasured.
    """
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    timings = calls()
    finish()
    wall = time.perf_counter() - wall
    time.sleep(_LINGER_S)
    cpu = time.process_time() - cpu
    forget()
    return Block(cpu, wall, timings)
