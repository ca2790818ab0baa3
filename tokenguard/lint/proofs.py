"""Prove that a fix changes nothing for the model, on what it is applied to and not on what was linted.

A fix that claims to be safe says how that can be proven. None of these proofs uses what made the fix: the one
of JSON parses it, the one of whitespace compares the words and the code, the one of schemas walks both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tokenguard.lint import stretches
from tokenguard.lint.finding import Edit

Span = tuple[int, int, str]
"""Where a change of a text begins and ends, and what takes the place of what was there."""


def spans(text: str, edits: Sequence[Edit]) -> list[Span]:
    """Edits of one text, in order.

    Raises:
        ValueError: One of them is not within the text, has no text to put there, or overlaps with another.
    """
    made: list[Span] = []
    for edit in edits:
        start, end = edit.start or 0, len(text) if edit.end is None else edit.end
        if not (0 <= start <= end <= len(text) and isinstance(edit.new, str)):
            raise ValueError(f"no change of a text of {len(text)} characters: {start} to {end}")
        made.append((start, end, edit.new))
    made.sort()
    if any(second[0] < first[1] for first, second in pairwise(made)):
        raise ValueError("changes of a text overlap")
    return made


def spliced(text: str, changes: Sequence[Span], start: int = 0, end: int | None = None) -> str:
    """A stretch of a text, or all of it, with its changes made."""
    pieces = []
    for first, last, new in changes:
        pieces += [text[start:first], new]
        start = last
    return "".join([*pieces, text[start:end]])


def words(text: str, changes: Sequence[Span]) -> bool:
    """Whether a text has the same words after its changes, in the same order, and the same code."""
    if not all((not text[start:end].strip() and not new.strip()) for start, end, new in changes):
        return False
    after = spliced(text, changes)
    return text.split() == after.split() and _code(text) == _code(after)


def _code(text: str) -> list[str]:
    return [text[one.start : one.end] for one in stretches.find(text)[0]]


def same_json(before: str, after: str) -> bool:
    """Whether two texts are the same JSON: names in the same order, numbers as they were written."""
    try:
        return bool(_spelled(before) == _spelled(after))
    except (ValueError, RecursionError):
        return False


def _spelled(text: str) -> Any:
    return json.loads(
        text,
        object_pairs_hook=lambda pairs: ("object", *pairs),
        parse_int=lambda number: ("number", number),
        parse_float=lambda number: ("number", number),
        parse_constant=lambda name: ("number", name),
    )
