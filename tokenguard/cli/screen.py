"""What commands print: JSON, tables that are not squeezed into a pipe, and lines of text below them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:  # commands that print no table do not load it
    from rich.console import Console

_PIPED_WIDTH: Final = 160  # nobody's window: a table in a file or a pipe is not squeezed into 80 columns


def console() -> Console:
    """Where tables are printed."""
    from rich.console import Console

    made = Console()
    if not made.is_terminal:
        made.width = max(made.width, _PIPED_WIDTH)
    return made


def print_lines(screen: Console, lines: Iterable[str]) -> None:
    """Print lines as they are: nothing in them is markup, and nothing is coloured."""
    for line in lines:
        screen.print(line, markup=False, highlight=False)


def print_json(told: Any) -> None:
    """Print what a program is to read."""
    print(json.dumps(told, indent=2))


def not_found(*messages: str) -> typer.Exit:
    """Say what is not there; gives what ends the command with 1."""
    for message in messages:
        typer.echo(message, err=True)
    return typer.Exit(1)


def share(part: int, whole: int) -> str:
    """A part of a whole in per cent."""
    return f"{part / whole:.1%}" if whole else "-"
