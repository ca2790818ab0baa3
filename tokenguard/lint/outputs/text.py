"""Text for people: each finding with the lines that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from tokenguard.lint.finding import Severity
from tokenguard.lint.outputs.words import cost, plural, summary
from tokenguard.lint.project.located import Located
from tokenguard.lint.project.project import Report

_STYLES: Final = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_WIDTH: Final = 100
"""Characters of a line that are shown: a request may be one line of a megabyte."""

_BEFORE: Final = 30
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What would move a terminal's cursor, colour it, or turn its lines around."""


def output(report: Report) -> Iterator[str | Text]:
    """The findings with their lines, and the sum."""
    for one in report.located:
        yield _headline(one)
        yield from _frame(one)
        if one.finding.fix is not None:
            yield _remedy(one)
        yield ""
    yield summary(report)


def _headline(one: Located) -> Text:
    line = Text()
    line.append(f"{one.shown}:{one.line}:{one.column}", "bold")
    line.append(" ")
    line.append(f"{one.finding.code} {one.name}", _STYLES[one.severity])
    if one.where:
        line.append(f" in {one.where}", "dim")
    line.append(f": {_visible(one.finding.message)}{cost(one)}")
    return line


def _frame(one: Located) -> Iterator[Text]:
    """The first line of what was found, marked. A secret is not repeated."""
    source = one.file.line_text(one.line)
    if one.is_secret or not source:
        return
    column = one.column - 1
    last = one.end_column - 1 if one.end_line == one.line else len(source)
    shift = max(0, column - _BEFORE) if len(source) > _WIDTH else 0
    shown = _visible(source[shift : shift + _WIDTH])
    marked = _visible(source[column : max(last, column + 1)][: _WIDTH - (column - shift)])
    gutter = len(str(one.line))
    yield Text(f"{one.line} | {'...' if shift else ''}{shown}{'...' if len(source) > shift + _WIDTH else ''}")
    indent = cell_len(_visible(source[shift:column])) + (3 if shift else 0)
    carets = Text(f"{' ' * gutter} | {' ' * indent}")
    carets.append("^" * max(1, cell_len(marked)), _STYLES[one.severity])
    if (more := one.end_line - one.line) > 0:
        carets.append(f" and {plural(more, 'more line')}", "dim")
    yield carets


def _remedy(one: Located) -> Text:
    assert one.finding.fix is not None
    how = {"safe": "--fix", "unsafe": "--unsafe-fixes", "": "by hand"}[one.fixable]
    return Text(f"{' ' * len(str(one.line))} = {one.finding.fix.what} ({how})", "green")


def _visible(text: str) -> str:
    return _CONTROL.sub(lambda found: " " if found[0] == "\t" else "\ufffd", text)
