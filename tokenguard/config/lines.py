"""On which line of a TOML file a key stands: ``tomllib`` does not tell, and an error message should.

This reads line by line and knows headers and ``key =``. It may miss a key inside an inline table, and
then the line of that table is used.
"""

from __future__ import annotations

import re
from typing import Final

from tokenguard.config.sources import KeyPath

_PART: Final = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)"""
_NAME: Final = rf"(?P<name>{_PART}(?:\s*\.\s*{_PART})*)"
_HEADER: Final = re.compile(rf"\s*(?P<open>\[\[?)\s*{_NAME}\s*\]")
_KEY: Final = re.compile(rf"\s*{_NAME}\s*=")
_EACH_PART: Final = re.compile(_PART)


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of every header and every key, by its path."""
    lines: dict[KeyPath, int] = {}
    latest: dict[KeyPath, int] = {}
    """How far each array of tables has come."""
    here: KeyPath = ()
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            *above, last = _parts(header["name"])
            here = (*_inside(above, latest), last)
            lines.setdefault(here, number)
            if header["open"] == "[[":
                latest[here] = latest.get(here, -1) + 1
            here = _inside(here[-1:], latest, here[:-1])
            lines.setdefault(here, number)
        elif key := _KEY.match(line):
            lines.setdefault((*here, *_parts(key["name"])), number)
    return lines


def _parts(name: str) -> list[str]:
    return [part.strip("\"'") for part in _EACH_PART.findall(name)]


def _inside(parts: KeyPath | list[str], latest: dict[KeyPath, int], here: KeyPath = ()) -> KeyPath:
    """The path of a table, inside the latest entry of every array of tables on the way."""
    for part in parts:
        here = (*here, part)
        if here in latest:
            here = (*here, latest[here])
    return here
