"""What is shown of entries from their labels, whose answers are not read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tokenguard.cache.disk import DiskStore
from tokenguard.cache.store import Label

_UNITS: Final = (("d", 86_400), ("h", 3600), ("m", 60))


def listed(store: DiskStore) -> tuple[list[Label], int]:
    """The labels, and how many entries are refused."""
    labels, refused = [], 0
    for label in store.listed():
        if isinstance(label, Label):
            labels.append(label)
        else:
            refused += 1
    return labels, refused


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
