"""What guarding a call costs. ``python bench/core.py`` prints a table, ``--bars`` one line of JSON per bar.

Everything is measured against the bare SDK, on a local upstream in a process of its own, and nothing is
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
    parser = parser_of(__doc__)
    parser.add_argument(
        "--peer",
        type=_peer,
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help="also measure a peer, under the interpreter of its own environment; may be given again",
    )
    return run(SECTIONS, parser, arguments)


def _peer(text: str) -> tuple[str, str]:
    name, equals, python = text.partition("=")
    if not (name and equals and python):
        raise argparse.ArgumentTypeError(f"{text!r}: give a name and an interpreter, litellm=/path/to/python")
    return name, python


def _speed(name: str) -> Callable[[upstream.Upstream, argparse.Namespace], Iterator[Bar]]:
    def measure(provider: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
        import speed

        options = speed.Options(chosen.quick, chosen.without, chosen.metrics, random.Random(chosen.seed))
        kind: Callable[[str, speed.Options], Iterator[Bar]] = getattr(speed, name)
        return kind(provider.openai_url, options)

    return measure


def _imports(_: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
    import imports

    return imports.import_bars(quick=chosen.quick)


def _first_call(provider: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
    import imports

    return imports.first_call_bars(provider.openai_url, quick=chosen.quick)


def _memory(provider: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
    import memory

    return memory.memory_bars(provider.openai_url, quick=chosen.quick)


def _streams(provider: upstream.Upstream, _: argparse.Namespace) -> Iterator[Bar]:
    import streams

    return streams.stream_settling_bars(provider)


def _kill(provider: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
    import kill

    return kill.kill_bars(provider, quick=chosen.quick, seed=chosen.seed)


def _provider(_: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
    import provider

    return provider.provider_bars(quick=chosen.quick)


def _peers(provider: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
    import peers

    return peers.peer_bars(
        provider.openai_url, chosen.peer, quick=chosen.quick, rng=random.Random(chosen.seed)
    )


SECTIONS = (
    Section(("core.call.", "core.noise."), _speed("call_bars")),
    Section(("core.stream.", "core.stream_usage."), _speed("stream_bars")),
    Section(("core.async64.",), _speed("async_bars")),
    Section(("core.import_",), _imports),
    Section(("core.first_call_",), _first_call),
    Section(("core.peer.",), _peers),
    Section(("core.provider.",), _provider),
    Section(("core.rss_",), _memory, timed=False),
    Section(("core.streams_1000.",), _streams, timed=False),
    Section(("core.kill.",), _kill, timed=False),
)


if __name__ == "__main__":
    sys.exit(main())
