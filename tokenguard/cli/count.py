"""``tokenguard count``: how many tokens texts are, and how that is known."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.table import Table
from rich.text import Text

from tokenguard.cli.costs import learned, shown_how, together
from tokenguard.cli.options import AsJson
from tokenguard.cli.prices import configured
from tokenguard.cli.screen import console, print_json
from tokenguard.pricing.describe import endpoint_of
from tokenguard.tokens.request import Count, count_text

STDIN: Final = "-"


def count(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Text files; - is standard input.")],
    model: Annotated[
        str, typer.Option(help="For which model. Default: those of OpenAI since GPT-4o.", show_default=False)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Count the tokens of texts. Exits with 1 if a file could not be read; the others are counted."""
    count_of = _counter(model)
    counted: list[Counted] = []
    failed: dict[str, str] = {}
    for name in files:
        try:
            counted.append(_counted(name, read_text(name), count_of))
        except UnreadableError as error:
            failed[name] = str(error)
            print(f"tokenguard: {name}: {error}", file=sys.stderr)
    if as_json:
        print_json(_report(counted, failed, model))
    elif counted:
        console().print(_table(counted, model))
    if failed:
        raise typer.Exit(1)


class UnreadableError(Exception):
    """A file that cannot be read as text; its message says why."""


class Counted(NamedTuple):
    """A text, counted."""

    name: str
    tokens: Count
    characters: int
    lines: int


def read_text(name: str) -> str:
    """The text of a file, or of standard input for ``-``.

    Raises:
        UnreadableError: There is no such file, or it is not UTF-8.
    """
    try:
        data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        return data.decode()
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None
    except UnicodeDecodeError as error:
        place = f"byte {data[error.start]:#04x} at {error.start:,}"
        raise UnreadableError(f"not a text in UTF-8 ({place})") from None


_USUAL: Final = "gpt-4o"
"""The first model with the encoding of all OpenAI's models since."""


def _counter(model: str) -> Callable[[str], Count]:
    """Counts texts for a model."""
    if not model:
        return partial(count_text, model=_USUAL, provider="openai")
    provider = endpoint_of(configured(), model).provider
    return partial(count_text, model=model, provider=provider, weights=learned().weights(provider, model))


def _counted(name: str, text: str, count_of: Callable[[str], Count]) -> Counted:
    lines = text.count("\n") + (not text.endswith("\n") and bool(text))
    return Counted(name, count_of(text), len(text), lines)


def _table(counted: list[Counted], model: str) -> Table:
    total = together([each.tokens for each in counted])
    several = len(counted) > 1
    lines = sum(each.lines for each in counted)
    table = Table(
        title=Text(f"Tokens for {model}") if model else None, title_justify="left", show_footer=several
    )
    table.add_column("File", footer="Total", overflow="fold")
    table.add_column("Tokens", footer=f"{total.tokens:,}", justify="right", no_wrap=True)
    table.add_column(
        "Characters", footer=f"{sum(each.characters for each in counted):,}", justify="right", no_wrap=True
    )
    table.add_column("Lines", footer=f"{lines:,}", justify="right", no_wrap=True)
    table.add_column("Tokens/line", footer=_per_line(total.tokens, lines), justify="right", no_wrap=True)
    table.add_column("Counted", footer=shown_how(total), no_wrap=True)
    for each in counted:
        table.add_row(
            Text("standard input" if each.name == STDIN else each.name),
            f"{each.tokens.tokens:,}",
            f"{each.characters:,}",
            f"{each.lines:,}",
            _per_line(each.tokens.tokens, each.lines),
            shown_how(each.tokens),
        )
    return table


def _per_line(tokens: int, lines: int) -> str:
    return f"{tokens / lines:.1f}" if lines else ""


def _report(counted: list[Counted], failed: dict[str, str], model: str) -> dict[str, Any]:
    total = together([each.tokens for each in counted])
    return {
        "model": model or None,
        "files": [
            {"file": each.name, **each.tokens._asdict(), "characters": each.characters, "lines": each.lines}
            for each in counted
        ],
        "total": {
            **total._asdict(),
            "characters": sum(each.characters for each in counted),
            "lines": sum(each.lines for each in counted),
        },
        "errors": [{"file": name, "error": why} for name, why in failed.items()],
    }
