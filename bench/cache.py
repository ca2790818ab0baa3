"""What a cached answer costs. ``python bench/cache.py`` prints a table, ``--bars`` one line of JSON per bar.

Answers from the cache are measured against the bare SDK, which asks a local upstream for each. Nothing is
judged. docs/benchmarks.md says how, and which numbers came out.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator, Sequence

import upstream
from bars import Bar
from program import Section, parser_of, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if something could not be measured."""
    return run(SECTIONS, parser_of(__doc__), arguments)


def _answers(name: str) -> Callable[[upstream.Upstream, argparse.Namespace], Iterator[Bar]]:
    def measure(provider: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
        import answers
        import speed

        options = speed.Options(chosen.quick, chosen.without, chosen.metrics, random.Random(chosen.seed))
        kind: Callable[[upstream.Upstream, speed.Options], Iterator[Bar]] = getattr(answers, name)
        return kind(provider, options)

    return measure


def _stalls(provider: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
    import stalls

    return stalls.stall_bars(provider, quick=chosen.quick, rng=random.Random(chosen.seed))


def _one_call(_: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
    import crowd

    return crowd.one_call_bars(quick=chosen.quick)


def _lost(_: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
    import shared_store

    return shared_store.lost_bars(quick=chosen.quick)


def _keys(_: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
    import keys

    return keys.key_bars(quick=chosen.quick, rng=random.Random(chosen.seed))


SECTIONS = (
    Section(("cache.memory_hit.", "cache.noise."), _answers("memory_hit_bars")),
    Section(("cache.memory_hit_stream.",), _answers("memory_hit_stream_bars")),
    Section(("cache.disk_hit.",), _answers("disk_hit_bars")),
    Section(("cache.miss.",), _answers("miss_bars")),
    Section(("cache.miss_disk.",), _answers("miss_disk_bars")),
    Section(("cache.set_stall_p99_ms",), _stalls),
    Section(("cache.multiprocess.",), _lost),
    Section(("cache.singleflight.",), _one_call, timed=False),
    Section(("cache.key.",), _keys, timed=False),
)


if __name__ == "__main__":
    sys.exit(main())
