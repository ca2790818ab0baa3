"""GitHub annotations: workflow commands that put findings beside the lines of a pull request.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions#setting-an-error-message
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tokenguard.lint.finding import Severity
from tokenguard.lint.outputs.words import cost, summary
from tokenguard.lint.project.located import Located
from tokenguard.lint.project.project import Report

_COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def output(report: Report) -> Iterator[str]:
    """An annotation for each finding, and the sum in the log."""
    for one in report.located:
        yield _annotation(one)
    yield summary(report)


def _annotation(one: Located) -> str:
    properties = {"file": one.shown, "line": one.line, "endLine": one.end_line}
    if one.line == one.end_line:  # GitHub takes columns of a single line only
        properties |= {"col": one.column, "endColumn": one.end_column}
    properties["title"] = f"{one.finding.code} {one.name}"
    said = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in properties.items())
    return f"::{_COMMANDS[one.severity]} {said}::{_escaped(one.finding.message + cost(one))}"


def _escaped(text: str, also: str = "") -> str:
    for sign in f"%\r\n{also}":
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text
