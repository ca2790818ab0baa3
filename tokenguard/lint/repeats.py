"""Find what a request says more than once: the same paragraphs, and similar ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from tokenguard.anatomy import Anatomy, Path

if TYPE_CHECKING:
    from tokenguard.lint.request import Facts

_SHINGLE: Final = 5
_LONG_WORD: Final = 7
_LEAST_LONG_WORDS: Final = 4

_LONGEST: Final = 20_000
"""Paragraphs with more characters are compared as wholes only."""


class Repeat(NamedTuple):
    """Paragraphs, one after the other, that were all said before.

    Attributes:
        message: In which message they are, as an index.
        path: The text that they are in.
        start: Where the first of them begins there.
        end: Where the last one ends.
        paragraphs: How many they are.
        first: In which message they were said before.
        first_path: The text that they were in.
    """

    message: int
    path: Path
    start: int
    end: int
    paragraphs: int
    first: int
    first_path: Path


def repeats(anatomy: Anatomy, facts: Sequence[Facts]) -> tuple[Repeat, ...]:
    """Everything that is said again, in order; each as long as it goes on in the same two texts."""
    digests = [paragraph.digest for one in facts for paragraph in one.paragraphs]
    if len(set(digests)) == len(digests):
        return ()
    return tuple(_runs(anatomy, facts))


def _runs(anatomy: Anatomy, facts: Sequence[Facts]) -> Iterator[Repeat]:
    seen: dict[bytes, tuple[int, Path, int]] = {}
    run: Repeat | None = None
    for i, (message, one) in enumerate(zip(anatomy.messages, facts, strict=True)):
        for paragraph in one.paragraphs:
            here = i, message.path + paragraph.path, paragraph.start
            _, first_path, _ = before = seen.setdefault(paragraph.digest, here)
            again = None if before == here else Repeat(*here, paragraph.end, 1, *before[:2])
            if run and again and run.path == again.path and run.first_path == first_path:
                run = run._replace(end=paragraph.end, paragraphs=run.paragraphs + 1)
                continue
            if run:
                yield run
            run = again
    if run:
        yield run


def signs(text: str, words: Sequence[str]) -> tuple[int, ...]:
    """The signs of a paragraph with these words; see :class:`tokenguard.lint.request.Paragraph`.

    The least and the greatest hash of all runs of three longer words: two texts have each of
    them in common with a probability that is the share of their runs that they have in common (Broder, "On
    the resemblance and containment of documents", 1997).
    """
    if len(text) > _LONGEST:
        return ()
    of: Sequence[str] = [word for word in words if len(word) >= _LONG_WORD]
    if len(of) < _LEAST_LONG_WORDS:
        of = _units(text, words)
    hashes = list(map(hash, zip(of, of[1:], of[2:], strict=False)))
    return (min(hashes), max(hashes)) if hashes else ()


def _units(text: str, words: Sequence[str]) -> Sequence[str]:
    """What a text is compared by: its words; where it has no spaces between them, its characters."""
    return words if len(words) * 12 >= len(text) else text


def likeness(first: str, second: str) -> float:
    """Which share of their runs of five units two texts have in common (the Jaccard index)."""
    one, other = _shingles(first), _shingles(second)
    together = len(one | other)
    return len(one & other) / together if together else 0.0


def _shingles(text: str) -> set[tuple[str, ...]]:
    of = _units(text, text.split())
    return set(zip(*(of[i:] for i in range(_SHINGLE)), strict=False))
