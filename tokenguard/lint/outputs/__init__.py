"""How findings are told: a file for each format. Add one by adding its file, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from rich.text import Text

from tokenguard.lint.outputs import github, json_object, sarif, text
from tokenguard.lint.project.project import Report

Output = Callable[[Report], Iterator[str | Text]]
"""Gives what is printed, line by line or in larger pieces."""

OUTPUTS: Final[dict[str, Output]] = {
    "text": text.output,
    "json": json_object.output,
    "sarif": sarif.output,
    "github": github.output,
}
