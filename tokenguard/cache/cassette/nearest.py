"""The recorded request that is most like one that was not recorded, and what is different about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final

from tokenguard.cache.cassette.file import document_of
from tokenguard.cache.cassette.layout import pretty
from tokenguard.cache.cassette.recording import Request

MOST_LINES: Final = 40
WIDEST: Final = 160  # columns
_AROUND: Final = 3  # lines of context, as diff -u
_BEFORE: Final = 40  # columns shown before the first difference in a long line
_WORD: Final = re.compile(r"\w+")


def nearest(asked: Request, recorded: Iterable[Request]) -> Request | None:
    """The request that has the most words in common with the one asked for; ``None`` where there is none.

    The measure is Dice's coefficient of the two bags of words, which unlike an alignment of the two texts
    takes no longer than it takes to read them.
    """
    wanted = _words(asked)
    best, most = None, -1.0
    for request in recorded:
        words = _words(request)
        common, both = (wanted & words).total(), wanted.total() + words.total()
        likeness = 2 * common / both if both else 1.0
        if likeness > most:
            best, most = request, likeness
    return best


def _words(request: Request) -> Counter[str]:
    words = Counter(_WORD.findall(request.body))
    for field in (request.format, request.model, request.path, *map(":".join, request.headers)):
        words[field] += 1
    return words


def difference(recorded: Request, asked: Request) -> str:
    """A unified diff of two requests as they stand in a cassette, of at most :data:`MOST_LINES` lines."""
    before, after = (pretty(document_of(request)).split("\n") for request in (recorded, asked))
    lines = list(_diff(before, after))
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"... {len(lines) - MOST_LINES} more lines"]
    return "\n".join(lines)


def _diff(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    matcher = SequenceMatcher(None, before, after, autojunk=len(before) > 2000)
    for group in matcher.get_grouped_opcodes(_AROUND):
        yield f"@@ -{group[0][1] + 1} +{group[0][3] + 1} @@"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from ("  " + _cut(line, 0) for line in before[i1:i2])
                continue
            # Where one line became another, each is shown from shortly before their first difference.
            pairs = list(zip_longest(before[i1:i2], after[j1:j2]))
            starts = [0 if None in pair else _common(*pair) for pair in pairs]
            for sign, side in (("- ", 0), ("+ ", 1)):
                shown = zip(pairs, starts, strict=True)
                yield from (sign + _cut(pair[side], at) for pair, at in shown if pair[side] is not None)


def _common(one: str, other: str) -> int:
    """How many characters two lines begin with alike."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def _cut(line: str, at: int) -> str:
    """What is around a column of a line."""
    if len(line) <= WIDEST:
        return line
    start = max(0, min(at - _BEFORE, len(line) - WIDEST))
    end = start + WIDEST
    return "…" * (start > 0) + line[start:end] + "…" * (end < len(line))
