"""JSON in a text, and how to write it as short as it can be while it says the same.

What is shortened keeps every number and name as it was written: only whitespace between them goes, and
escapes of characters that need none. So that nothing changed can be proven by comparing the two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

OPENING: Final = r'\{\s*"|\[\s*(?:[\[{"]|-?\d[\d.eE+-]*\s*,)'
"""What JSON may begin with, as a pattern."""

_OPENING: Final = re.compile(OPENING)
_LEAST: Final = 40
"""JSON that has fewer characters at its shortest is not worth a look."""

_LONG: Final = 1_000
_GOES_ON: Final = (",", ";", ")")
"""Behind JSON, these say that it is a part of something else: of a program, or of JSON that is broken."""

_MOST_FAILURES: Final = 2_000
"""After so many brackets of one text that begin no JSON, nothing more is looked for."""

_STRING: Final = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")', re.S)
_ESCAPES: Final = re.compile(r"((?:\\u[0-9a-fA-F]{4})+)|\\.", re.S)

_decode: Final = json.JSONDecoder().raw_decode


class JsonBlock:
    """JSON that stands in a text.

    Attributes:
        text: It, as it is written.
        start: Where in the text it begins.
        end: Where it ends.
        value: What it says.
    """

    def __init__(self, text: str, start: int, value: Any) -> None:
        self.text = text
        self.start = start
        self.end = start + len(text)
        self.value = value

    @cached_property
    def compact(self) -> str:
        """It without whitespace between its parts."""
        return compact(self.text)

    @cached_property
    def shortest(self) -> str:
        """It without whitespace and without escapes that it can do without."""
        return unescaped(self.compact) if "\\u" in self.text else self.compact


class Decoder:
    """Finds JSON in one text. What looks like it and is none can cost no more than twice the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._failures = 0
        self._failed = 0

    def at(self, start: int, limit: int | None = None) -> JsonBlock | None:
        """The JSON that begins at a place, and ends before the limit, if it is worth a look."""
        if self._failures > _MOST_FAILURES or self._failed > 2 * len(self._text):
            return None
        try:
            value, end = _decode(self._text, start)
        except (ValueError, RecursionError) as error:  # not JSON, or with numbers or depth beyond reason
            self._failures += 1
            self._failed += max(getattr(error, "pos", len(self._text)) - start, 0)
            return None
        if end - start < _LEAST or end > (limit or end) or self._text.startswith(_GOES_ON, end):
            return None
        block = JsonBlock(self._text[start:end], start, value)
        # So that what was shortened is still found, and counts as JSON.
        return block if end - start >= _LONG or len(block.shortest) >= _LEAST else None

    def within(self, start: int, end: int) -> Iterator[JsonBlock]:
        """The JSON in a stretch: objects and lists, the outermost ones, in order."""
        while opening := _OPENING.search(self._text, start, end):
            block = self.at(opening.start(), end)
            start = block.end if block else opening.start() + 1
            if block:
                yield block


def compact(text: str) -> str:
    """JSON without whitespace between its parts."""
    pieces = _STRING.split(text)
    pieces[::2] = ["".join(piece.split()) for piece in pieces[::2]]
    return "".join(pieces)


def unescaped(text: str) -> str:
    """JSON with the characters themselves in place of their escapes."""
    pieces = _STRING.split(text)
    pieces[1::2] = [_with_characters(piece) if "\\u" in piece else piece for piece in pieces[1::2]]
    return "".join(pieces)


def _with_characters(string: str) -> str:
    return _ESCAPES.sub(lambda match: _characters(match[1]) if match[1] else match[0], string)


def _characters(escapes: str) -> str:
    """The characters that escapes stand for; those that cannot be seen, or have to be escaped, stay so."""
    made = []
    for character in json.loads(f'"{escapes}"'):
        if character.isprintable() and character not in '"\\':
            made.append(character)
        else:
            made.append(json.dumps(character)[1:-1])
    return "".join(made)
