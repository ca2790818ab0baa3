"""What is shown of entries from their labels, whose answers are not read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from tokenguard.cache.disk import DiskStore
from tokenguard.cache.store import Label

_UNITS: Final = (("d", 86_400), ("h", 3600), ("m", 60))


class Listed(NamedTuple):
    """The labels of all that a directory has.

    Attributes:
        answers: Of answers.
        pages: Of pages of the index of similar questions.
        refused: How many rows are none that we wrote.
    """

    answers: list[Label]
    pages: list[Label]
    refused: int


def listed(store: DiskStore) -> Listed:
    """All labels, sorted by what they are on."""
    answers: list[Label] = []
    pages: list[Label] = []
    refused = 0
    for label in store.listed():
        if isinstance(label, Label):
            (answers if label.is_answer else pages).append(label)
        else:
            refused += 1
    return Listed(answers, pages, refused)


def notes(found: int, shown: int, refused: int) -> Iterator[str]:
    """What is to be said below a list: how many there are, and how many are none."""
    if not found:
        yield "No entries."
    elif shown < found:
        yield f"The newest {shown:,} of {found:,} entries; --limit shows more."
    if refused:
        yield f"{refused:,} entries are refused: 'tokenguard cache verify' tells why."


def as_json(label: Label, now_ns: int) -> dict[str, Any]:
    """A label as JSON's types."""
    return {**label._asdict(), "stale": label.expires_ns <= now_ns}


def left(label: Label, now_ns: int) -> str:
    """For how long an answer is good."""
    return "stale" if label.expires_ns <= now_ns else span(label.expires_ns - now_ns)


def span(ns: int) -> str:
    """A length of time, in the largest unit of which it has one."""
    whole = max(0, ns // 10**9)
    unit, size = next(((unit, n) for unit, n in _UNITS if whole >= n), ("s", 1))
    return f"{whole // size}{unit}"
