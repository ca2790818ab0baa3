"""What ``tokenguard cache stats`` shows of a directory: how many answers of which models, and their sizes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from tokenguard.cache.store import Label
from tokenguard.cli.cache import labels
from tokenguard.cli.cache.place import opened
from tokenguard.cli.screen import share


class Kept(NamedTuple):
    """The entries of a model, or of all of them."""

    entries: int
    bytes: int
    stale: int

    @property
    def cells(self) -> tuple[str, str, str]:
        """As they stand in a table."""
        return f"{self.entries:,}", decimal(self.bytes), share(self.stale, self.entries)


class Stored(NamedTuple):
    """What a directory has.

    Attributes:
        directory: Which.
        sizes: Of each entry, by its key, in bytes.
        models: The entries of each model, the most bytes first.
        total: All entries.
        pages: Those of the index of similar questions, which are no entries here.
        refused: How many rows are none that we wrote.
        disk_bytes: How much of the disk all of it takes.
        evicted: How many entries had to go so far, so that others had room.
    """

    directory: Path
    sizes: dict[str, int]
    models: dict[str, Kept]
    total: Kept
    pages: Kept
    refused: int
    disk_bytes: int
    evicted: int

    def as_json(self) -> dict[str, Any]:
        """The same as JSON's types, without the single keys."""
        models = [{"model": model, **kept._asdict()} for model, kept in self.models.items()]
        return {
            **self.total._asdict(),
            "index": {"pages": self.pages.entries, "bytes": self.pages.bytes},
            "refused": self.refused,
            "disk_bytes": self.disk_bytes,
            "evicted": self.evicted,
            "models": models,
        }

    @property
    def notes(self) -> Iterator[str]:
        """What is to be said below the table."""
        if self.pages.entries:
            yield f"Index of similar questions: {self.pages.entries:,} pages, {decimal(self.pages.bytes)}."
        yield from labels.notes(self.total.entries, self.total.entries, self.refused)
        yield f"On disk: {decimal(self.disk_bytes)}. Evicted so far to make room: {self.evicted:,} entries."


def found_in(directory: Path, now_ns: int) -> Stored:
    """What is in a directory; where there is no cache the command says so, and ends with 1."""
    with opened(directory) as store:
        there, held, evicted = labels.listed(store), store.held(), store.evicted()
    by_model: dict[str, list[Label]] = {}
    for label in there.answers:
        by_model.setdefault(label.model, []).append(label)
    models = {model: _kept(its, now_ns) for model, its in by_model.items()}
    largest_first = dict(sorted(models.items(), key=lambda item: (-item[1].bytes, item[0])))
    sizes = {label.key: label.size for label in there.answers}
    total, pages = _kept(there.answers, now_ns), _kept(there.pages, now_ns)
    disk_bytes = 0 if held is None else held.bytes
    return Stored(directory, sizes, largest_first, total, pages, there.refused, disk_bytes, evicted)


def _kept(found: list[Label], now_ns: int) -> Kept:
    stale = sum(label.expires_ns <= now_ns for label in found)
    return Kept(len(found), sum(label.size for label in found), stale)


def parts(stored: Stored) -> Iterator[Text | Table]:
    """Titles, which are not folded to the width of their tables, and tables."""
    if not stored.models:
        return
    yield Text(f"In {stored.directory}")
    table = Table(show_footer=True)
    table.add_column("Model", footer="Total", overflow="fold")
    for head, footer in zip(("Entries", "Size", "Stale"), stored.total.cells, strict=True):
        table.add_column(head, footer=footer, justify="right")
    for model, kept in stored.models.items():
        table.add_row(Text(model), *kept.cells)
    yield table
