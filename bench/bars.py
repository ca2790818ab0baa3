"""A bar: one figure that was measured, with its interval; and the ways to print bars."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version

from intervals import Estimate


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure.

    Attributes:
        bar: Its name; what follows ``.without_`` is switched off.
        value: What was measured.
        low: Lower end of the 95 % interval; the value itself for counts.
        high: Upper end.
        unit: Of all three.
        n: How many calls (imports, kills, streams) it comes from.
        against: What it is compared with.
    """

    bar: str
    value: float
    low: float
    high: float
    unit: str
    n: int
    against: str


def estimated(name: str, estimate: Estimate, unit: str, n: int, against: str) -> Bar:
    """A bar from an estimate, rounded to what can be meant: four digits."""
    value, low, high = (_rounded(x) for x in estimate)
    return Bar(name, value, low, high, unit, n, against)


def counted(name: str, count: int, unit: str, n: int, against: str) -> Bar:
    """A bar that is a count, which is exact."""
    return Bar(name, count, count, count, unit, n, against)


def openai_version() -> str:
    """The yardstick's name."""
    return f"openai {version('openai')}"


def as_line(bar: Bar) -> str:
    """The bar as one line of JSON."""
    return json.dumps(asdict(bar))


def print_table(bars: Iterable[Bar]) -> None:
    """Bars for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    table.add_column("bar")
    for column in ("value", "95 % interval", "n"):
        table.add_column(column, justify="right")
    table.add_column("unit")
    table.add_column("against")
    for bar in bars:
        interval = "" if bar.low == bar.high else f"{bar.low:g} to {bar.high:g}"
        table.add_row(bar.bar, f"{bar.value:g}", interval, f"{bar.n:,}", bar.unit, bar.against)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def progress(message: str) -> None:
    """Say on standard error what is going on; standard output is for results."""
    print(message, file=sys.stderr, flush=True)


def _rounded(x: float) -> float:
    return float(f"{x:.4g}")
