"""Tell retrieved passages from the rest of a prompt, by the ways in which people mark them.

Marked are: elements (``<document>``, ``<doc>``, ``<passage>``, ``<chunk>``, ``<source>``,
``<search_result>``, ``<context>``, ``<excerpt>``, ``<article>``); and where there are none, numbered blocks,
at least two of them, each of which begins a line with its number: ``[1] ...``, ``Document 2: ...``,
``### Passage 3``. A numbered block goes on to the next one, or to a line that begins with ``Question:`` or
its like.
"""

from __future__ import annotations

import re
from typing import Final

_NAMES: Final = "document|doc|passage|chunk|source|search_result|context|excerpt|article"
_OPENING: Final = re.compile(rf"<({_NAMES})(?:\s[^<>]{{0,1000}})?>", re.I)
_NUMBERED: Final = re.compile(
    r"^[ \t#*]*(?:\[(?:doc(?:ument)? ?)?(\d{1,4})\]"
    r"|(?:document|doc|passage|chunk|source|context|excerpt|article|result)[ \t]*#?(\d{1,4})\b)",
    re.M | re.I,
)
_AFTER: Final = re.compile(
    r"^[ \t#*]*(?:question|query|task|user|instructions?|answer)\b[ \t]*\**:", re.M | re.I
)


def passages(text: str) -> list[tuple[int, int]]:
    """Where the passages of a text are, in order."""
    return _elements(text) or _blocks(text)


def _elements(text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    position = 0
    absent: set[str] = set()
    while opening := _OPENING.search(text, position):
        closing = f"</{opening[1]}>"
        end = -1 if closing in absent else text.find(closing, opening.end())
        if end < 0:
            absent.add(closing)
            position = opening.end()
        else:
            position = end + len(closing)
            found.append((opening.start(), position))
    return found


def _blocks(text: str) -> list[tuple[int, int]]:
    numbered = [(one.start(), int(one[1] or one[2])) for one in _NUMBERED.finditer(text)]
    starts: list[int] = []
    number = None
    for start, this in numbered:
        if number is None and this > 1:
            continue  # a reference within the text: passages are numbered from 0 or 1
        if number is None or this == number + 1:
            starts.append(start)
            number = this
    if len(starts) < 2:
        return []
    after = _AFTER.search(text, starts[-1])
    limits = [*starts[1:], after.start() if after else len(text)]
    return list(zip(starts, limits, strict=True))
