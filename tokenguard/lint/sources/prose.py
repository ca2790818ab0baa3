"""Markdown and text: the file is a prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tokenguard.dialects.openai_chat import CHAT
from tokenguard.lint.sources.file import File, Problem, Source, Unit
from tokenguard.lint.sources.places import KnownPlaces, Place, Placed, Run, Write

CONTENT: Final = ("messages", 0, "content")
"""Where a prompt's text stands in the request that is made of it."""

_OUR_COMMENT: Final = re.compile(r"^[ \t]*<!--\s*tg:[^\n]*?-->[ \t]*(?:\n|\Z)", re.M)
"""What is said to the linter on a line of its own is not looked at as if it were said to the model."""

_FOREIGN_END: Final = re.compile(r"\r\n?")


def read(file: File) -> Iterator[Unit | Problem]:
    """The prompt that the file is."""
    yield prompt(file)


def prompt(file: File) -> Unit:
    """All of a file as a prompt. What message it becomes is not known; it is taken for instructions."""
    placed = with_line_ends(file)
    placed = placed.without(match.span() for match in _OUR_COMMENT.finditer(placed.text))
    body = {"messages": [{"role": "system", "content": placed.text}]}
    places = KnownPlaces({CONTENT: Place(0, len(file.text), placed)})
    return Unit(body, CHAT, places, 0, len(file.text), complete=False, prompt=True)


def with_line_ends(file: File) -> Placed:
    """A text whose lines end with a line feed, where in the file they may end otherwise."""
    text, write = file.text, _writer(file.line_end)
    runs: list[Run] = []
    at = position = 0
    for match in _FOREIGN_END.finditer(text):
        if match.start() > position:
            runs.append(Run(at, match.start() - position, position, match.start(), write))
            at += match.start() - position
        runs.append(Run(at, 1, match.start(), match.end(), write))
        at, position = at + 1, match.end()
    if len(text) > position:
        runs.append(Run(at, len(text) - position, position, len(text), write))
    return Placed(_FOREIGN_END.sub("\n", text), runs, 0, len(text))


def _writer(line_end: str) -> Write:
    return lambda text: text.replace("\n", line_end)


PROSE: Final = Source("text", (".md", ".markdown", ".txt", ".text", ".prompt"), read)
