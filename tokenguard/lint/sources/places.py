"""Where the characters of a text stand in a file, and how a change of the text is written there.

A string in a file is not the text that it means: it has escapes, line ends of its own, gaps between literals.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from tokenguard.anatomy import Path

Write = Callable[[str], str | None]
"""Says how a text is written inside a string of a file; ``None`` where it cannot be. Every string has one of
its own, so that a change that reaches from one string into the next is recognised, and refused."""


class Change(NamedTuple):
    """A change of a file: the characters from ``start`` to ``end`` become ``new``."""

    start: int
    end: int
    new: str


class Run(NamedTuple):
    """A stretch of a text, and the stretch of the file that says it.

    Attributes:
        at: Where it begins in the text.
        length: How long it is there. As long in the file: the same characters. Else it is one escape, or
            something of which no more is known.
        start: Where it begins in the file.
        end: Where it ends there.
        write: How something else is written in its place; ``None``: it cannot be changed.
    """

    at: int
    length: int
    start: int
    end: int
    write: Write | None = None


class Placed:
    """A text, and where it stands in a file."""

    def __init__(self, text: str, runs: Sequence[Run], start: int, end: int) -> None:
        """Put a text in its place.

        Args:
            text: The text.
            runs: Its stretches, in order, without gaps in the text.
            start: Where in the file its value begins, quotes included.
            end: Where that ends.
        """
        self.text = text
        self.runs = runs
        self.start = start
        self.end = end
        self._starts = [run.at for run in runs]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where in the file a stretch of the text is; as near as it is known."""
        if not self.runs:
            return self.start, self.end
        first = self._at(start)
        last = self._at(max(start, end - 1))
        begin = _inside(first, start) if _is_exact(first) else first.start
        finish = _inside(last, end) if _is_exact(last) else last.end
        return begin, max(begin, finish)

    def change(self, start: int, end: int, new: str) -> Change | None:
        """How a change of the text changes the file; ``None`` where it cannot be told exactly."""
        if not self.runs:
            return None
        first, last = self._at(start), self._at(max(start, end - 1))
        write = first.write
        if write is None or not _is_border(first, start) or not _is_border(last, end):
            return None
        touched = self.runs[bisect_right(self._starts, first.at) - 1 : bisect_right(self._starts, last.at)]
        if any(run.write is not write for run in touched):
            return None
        written = write(new)
        if written is None:
            return None
        begin = _border(first, start)
        return Change(begin, _border(last, end) if end > start else begin, written)

    def without(self, stretches: Iterable[tuple[int, int]]) -> Placed:
        """The same text without some stretches of it, which are given in order."""
        kept, position = [], 0
        for start, end in stretches:
            kept.append(self.part(position, start))
            position = end
        return joined([*kept, self.part(position, len(self.text))], self.start, self.end)

    def part(self, start: int, end: int) -> Placed:
        """A stretch of the text, where it stands."""
        runs = []
        for run in self.runs:
            first, last = max(start, run.at), min(end, run.at + run.length)
            if first >= last:
                continue
            begin, finish = run.start, run.end
            if _is_exact(run):
                begin, finish = _inside(run, first), _inside(run, last)
            runs.append(Run(first - start, last - first, begin, finish, run.write))
        return Placed(self.text[start:end], runs, self.start, self.end)

    def _at(self, position: int) -> Run:
        return self.runs[max(0, bisect_right(self._starts, position) - 1)]


def joined(parts: Iterable[Placed], start: int, end: int) -> Placed:
    """Texts one after the other, as one."""
    runs: list[Run] = []
    length, texts = 0, []
    for part in parts:
        runs += [run._replace(at=run.at + length) for run in part.runs]
        texts.append(part.text)
        length += len(part.text)
    return Placed("".join(texts), runs, start, end)


def opaque(text: str, start: int, end: int) -> Placed:
    """A text of which no more is known than where all of it is."""
    return Placed(text, [Run(0, len(text), start, end)] if text else [], start, end)


def _is_exact(run: Run) -> bool:
    return run.length == run.end - run.start


def _inside(run: Run, position: int) -> int:
    return run.start + min(position - run.at, run.length)


def _is_border(run: Run, position: int) -> bool:
    return _is_exact(run) or position in (run.at, run.at + run.length)


def _border(run: Run, position: int) -> int:
    if _is_exact(run):
        return _inside(run, position)
    return run.start if position == run.at else run.end


class Place(NamedTuple):
    """Where a value is in a file, and for a text where its characters are."""

    start: int
    end: int
    text: Placed | None = None


class Places(Protocol):
    """Leads from the values of a request to their places in a file."""

    def find(self, path: Path) -> Place | None:
        """Where the value at a path is; ``None`` where the file has none there."""
        ...

    def replaced(self, path: Path, value: Any) -> Change | None:
        """How the file changes for a value to become another; ``None`` where that cannot be told."""
        ...

    def removed(self, path: Path) -> Change | None:
        """How the file changes for a value to be taken out; ``None`` where that cannot be told."""
        ...


class KnownPlaces:
    """Places that were found while the file was read."""

    def __init__(self, places: dict[Path, Place]) -> None:
        self.places = places

    def find(self, path: Path) -> Place | None:
        """Where the value at a path is."""
        return self.places.get(path)

    def replaced(self, path: Path, value: Any) -> Change | None:
        """How the file changes for a text to become another one."""
        place = self.places.get(path)
        if place is None or place.text is None or not isinstance(value, str):
            return None
        return place.text.change(0, len(place.text.text), value)

    def removed(self, path: Path) -> Change | None:  # noqa: ARG002 # as of all places
        """Nothing can be taken out."""
        return None


def nearest(places: Places, path: Path) -> Place | None:
    """Where a value is, or the nearest thing around it that has a place."""
    for length in range(len(path), -1, -1):
        if (place := places.find(path[:length])) is not None:
            return place
    return None
