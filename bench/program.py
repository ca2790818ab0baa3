"""A benchmark program: sections of bars that can be asked for, as a table or as one line of JSON per bar."""

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


def run(sections: Sequence[Section], parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    """Measure what is asked for, and print it; 1 if something could not be measured."""
    chosen = parser.parse_args(arguments)
    wanted = [section for section in sections if section.wanted(chosen.only)]
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


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """A parser of the options that all benchmarks have.

    Args:
        doc: The docstring of the program, whose first line describes it.
    """
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0] if doc else None)
    parser.add_argument("--bars", action="store_true", help="one line of JSON for each bar, nothing else")
    parser.add_argument("--quick", action="store_true", help="within 45 s; wider intervals")
    parser.add_argument(
        "--only", type=listed, default=[], metavar="BAR[,BAR]", help="only bars whose names begin so"
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
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of all that is random")
    return parser


def listed(text: str) -> list[str]:
    """The items of an argument that has commas between them."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _parts(text: str) -> frozenset[str]:
    parts = frozenset(listed(text))
    unknown = parts - {"spans", "ledger"}
    if unknown or not parts:
        raise argparse.ArgumentTypeError(f"{text!r}: give spans, ledger, or both with a comma between")
    return parts
