"""What ``tokenguard cache stats`` shows of a ledger: lookups, what they saved, and what gave the hits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from tokenguard.cli.cache.stored import Stored
from tokenguard.cli.report import shown_range
from tokenguard.cli.screen import share
from tokenguard.ledger.cache_use import CacheUse
from tokenguard.pricing.money import format_usd


def curve(use: CacheUse, stored: Stored | None) -> Iterator[dict[str, Any]]:
    """How few keys give how many of the hits, and what of them is in the directory still."""
    for point in use.curve:
        told: dict[str, Any] = {**point._asdict(), "share_of_keys": point.keys / use.keys}
        if stored is not None:
            sizes = [stored.sizes.get(key) for key, _ in use.hits_by_key[: point.keys]]
            there = [size for size in sizes if size is not None]
            told |= {"entries": len(there), "bytes": sum(there)}
        yield told


def parts(use: CacheUse, stored: Stored | None) -> Iterator[Text | Table]:
    """Titles, which are not folded to the width of their tables, and tables."""
    if not use.by_status:
        return
    yield Text(f"Calls, {shown_range(use.since_ns, use.until_ns, use.tz)}")
    yield _counts_table("Cache", use.by_status)
    for title, reasons in (("Passed by, because", use.bypassed), ("Not kept, because", use.not_kept)):
        if reasons:
            yield Text(title)
            yield _counts_table("Reason", reasons)
    if use.curve:
        yield Text(f"Which of the {use.keys:,} keys give the hits")
        yield _curve_table(use, stored)


def _counts_table(head: str, counts: Mapping[str, int]) -> Table:
    whole = sum(counts.values())
    table = Table(show_footer=True)
    table.add_column(head, footer="Total")
    table.add_column("Calls", footer=f"{whole:,}", justify="right")
    table.add_column("Share", justify="right")
    for name, n in counts.items():
        table.add_row(Text(name), f"{n:,}", share(n, whole))
    return table


def _curve_table(use: CacheUse, stored: Stored | None) -> Table:
    table = Table()
    for head in ("Hits", "Keys", "Of all keys", *(("Still there", "Size") if stored else ())):
        table.add_column(head, justify="right")
    for point in curve(use, stored):
        cells = [f"{point['percent']} %", f"{point['keys']:,}", share(point["keys"], use.keys)]
        if stored:
            cells += [f"{point['entries']:,}", decimal(point["bytes"])]
        table.add_row(*cells)
    return table


def notes(use: CacheUse) -> Iterator[str]:
    """What is to be said below the tables."""
    if not use.by_status:
        yield "The ledger has no call of a guard with a cache in this range."
        return
    if use.lookups:
        yield f"Hit rate: {share(use.hits, use.lookups)} ({use.hits:,} of {use.lookups:,} lookups)."
    yield f"Saved: {format_usd(use.saved_nano)}, by {use.answered:,} answers."
    if use.unpriced:
        yield f"Without a known price, and so not in what was saved: {use.unpriced:,} of these answers."
