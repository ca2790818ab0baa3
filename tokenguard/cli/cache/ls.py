"""``tokenguard cache ls``: which answers there are."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable
from typing import Annotated, Final

import typer
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from tokenguard.cache.store import Label, Which
from tokenguard.cli.cache import labels
from tokenguard.cli.cache.place import Directory, Model, Namespace, Tag, directory_of, opened
from tokenguard.cli.options import AsJson
from tokenguard.cli.screen import console, print_json, print_lines

_SHORT: Final = 12  # digits of a key, as they are shown; any unique beginning names an entry


def ls(
    directory: Directory = None,
    tag: Tag = None,
    model: Model = None,
    namespace: Namespace = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List answers, the newest first. Exits with 1 if there are none."""
    now_ns, where, which = time.time_ns(), directory_of(directory), Which(tag, model, namespace)
    with opened(where) as store:
        there = labels.listed(store)
    found = [label for label in there.answers if which.holds(label)]
    newest = heapq.nlargest(limit, found, key=lambda label: label.stored_ns)
    if as_json:
        entries = [labels.as_json(label, now_ns) for label in newest]
        print_json({"directory": str(where), "total": len(found), "entries": entries})
    else:
        screen = console()
        if found:
            screen.print(_table(newest, now_ns))
        print_lines(screen, labels.notes(len(found), len(newest), there.refused))
    if not found:
        raise typer.Exit(1)


def _table(shown: Iterable[Label], now_ns: int) -> Table:
    table = Table()
    for head in ("Key", "Model", "Dialect", "Age", "Expires in", "Size", "Tags", "Namespace"):
        table.add_column(head, justify="right" if head in ("Age", "Expires in", "Size") else "left")
    for label in shown:
        cells = [
            *(label.key[:_SHORT], label.model, label.dialect, labels.span(now_ns - label.stored_ns)),
            *(labels.left(label, now_ns), decimal(label.size), ", ".join(label.tags), label.namespace),
        ]
        table.add_row(*map(Text, cells))
    return table
