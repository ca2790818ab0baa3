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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import upstream
from bars import Bar, as_line, print_table, progress


@dataclass(frozen=True, slots=True)
class Section:
    """Bars that are measured together.

    Attributes:
        names: What their names begin with.
        measure: Measures them with an upstream of their own.
        timed: Whether time is measured, so that nothing else may run meanwhile.
    """

    names: tuple[str, ...]
    measure: Callable[[upstream.Upstream, argparse.Namespace], Iterator[Bar]]
    timed: bool = True

    def wanted(self, only: Sequence[str]) -> bool:
        """Whether a bar of it may be asked for."""
        return not only or any(
            prefix.startswith(name) or name.startswith(prefix) for prefix in only for name in self.names
        )


class Report:
    """Takes the bars that are wanted, and prints lines at once or a table at the end."""

    def __init__(self, *, lines: bool, only: Sequence[str]) -> None:
        self._lines = lines
        self._only = tuple(only)
        self._bars: list[Bar] = []

    def add(self, bar: Bar) -> None:
        """Take a bar; from any thread."""
        if self._only and not bar.bar.startswith(self._only):
            return
        self._bars.append(bar)
        if self._lines:
            sys.stdout.write(as_line(bar) + "\n")
            sys.stdout.flush()

    def end(self) -> None:
        """Print what was not printed yet."""
        if not self._lines:
            print_table(self._bars)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if something could not be measured."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    wanted = [section for section in SECTIONS if section.wanted(chosen.only)]
    if not wanted:
        parser.error(f"no bar's name begins with {' or '.join(chosen.only)}")
    report = Report(lines=chosen.bars, only=chosen.only)

    def measured(section: Section) -> bool:
        began = time.monotonic()
        try:
            with upstream.running() as provider:
                for bar in section.measure(provider, chosen):
                    report.add(bar)
        except Exception:
            traceback.print_exc()
            return False
        progress(f"{section.names[0]}*: {time.monotonic() - began:.1f} s")
        return True

    done = [measured(section) for section in wanted if section.timed]
    with ThreadPoolExecutor() as pool:
        done += pool.map(measured, [section for section in wanted if not section.timed])
    report.end()
    return 0 if all(done) else 1


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
