"""What guarding a call costs. ``python bench/core.py`` prints a table, ``--bars`` one line of JSON per bar.

Everything is measured against the bare SDK, on a local upstream in a process of its own, and nothing is
judged. docs/benchmarks.md says how, and which numbers came out.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import upstream
from bars import Bar, as_line, print_table, progress


@dataclass(frozen=True, slots=True)
class Section:
    """Bars that are measured together; their names begin with one of ``names``."""

    names: tuple[str, ...]
    measure: Callable[[upstream.Upstream, argparse.Namespace], Iterator[Bar]]

    def wanted(self, only: Sequence[str]) -> bool:
        """Whether a bar of it may be asked for."""
        return not only or any(
            prefix.startswith(name) or name.startswith(prefix) for prefix in only for name in self.names
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if something could not be measured."""
    chosen = _parser().parse_args(arguments)
    failed = False
    bars: list[Bar] = []
    with upstream.running() as provider:
        for section in SECTIONS:
            if not section.wanted(chosen.only):
                continue
            began = time.monotonic()
            progress(f"{' '.join(section.names)}:")
            try:
                for bar in section.measure(provider, chosen):
                    if not chosen.only or bar.bar.startswith(tuple(chosen.only)):
                        bars.append(bar)
                        if chosen.bars:
                            print(as_line(bar), flush=True)
            except Exception:
                traceback.print_exc()
                failed = True
            progress(f"  {time.monotonic() - began:.1f} s")
    if not chosen.bars:
        print_table(bars)
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--bars", action="store_true", help="one line of JSON for each bar, nothing else")
    parser.add_argument("--quick", action="store_true", help="within 45 s; wider intervals")
    parser.add_argument(
        "--only", type=_list, default=[], metavar="BAR[,BAR]", help="only bars whose names begin so"
    )
    parser.add_argument(
        "--without",
        type=_parts,
        action="append",
        default=[],
        metavar="PART[,PART]",
        help="also measure the guard without these parts (spans, ledger); may be given again",
    )
    parser.add_argument("--metrics", action="store_true", help="with a meter provider, too")
    parser.add_argument(
        "--peer",
        type=_peer,
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help="also measure a peer, under the interpreter of its own environment; may be given again",
    )
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of the random orders")
    return parser


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _parts(text: str) -> frozenset[str]:
    parts = frozenset(_list(text))
    unknown = parts - {"spans", "ledger"}
    if unknown or not parts:
        raise argparse.ArgumentTypeError(f"{text!r}: give spans, ledger, or both with a comma between")
    return parts


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
    Section(("core.rss_",), _memory),
    Section(("core.streams_1000.",), _streams),
    Section(("core.kill.",), _kill),
    Section(("core.peer.",), _peers),
)


if __name__ == "__main__":
    sys.exit(main())
