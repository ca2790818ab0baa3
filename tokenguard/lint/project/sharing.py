"""The same text in several files: each paragraph is compared by the digest of its words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tokenguard.lint.finding import Finding
from tokenguard.lint.project.linting import Passage
from tokenguard.lint.project.prices import InputPrices, shown_usd
from tokenguard.lint.project.suppression import Suppressions
from tokenguard.lint.rules.files import Shared, shared_text
from tokenguard.lint.sources import File


class Sharer(NamedTuple):
    """A file with longer paragraphs.

    Attributes:
        file: It.
        name: What people call it.
        suppressions: What its comments ignore.
    """

    file: File
    name: str
    suppressions: Suppressions


class Copy(NamedTuple):
    """A text that an earlier file has too: where it is, and what identifies it."""

    sharer: Sharer
    start: int
    end: int
    finding: Finding
    what: str


class _First(NamedTuple):
    """Where a paragraph was seen first."""

    file: File
    start: int
    name: str


class SharedTexts:
    """Gathers the longer paragraphs of all files, and tells which of them are copies."""

    def __init__(self) -> None:
        self._first: dict[bytes, _First] = {}
        self._files: dict[bytes, int] = {}
        self._of: list[tuple[Sharer, list[Passage]]] = []

    def take(self, sharer: Sharer, passages: Iterable[Passage]) -> None:
        """Take a file's paragraphs in."""
        found = {passage.digest: passage for passage in passages}
        for digest, passage in found.items():
            self._first.setdefault(digest, _First(sharer.file, passage.start, sharer.name))
            self._files[digest] = self._files.get(digest, 0) + 1
        self._of.append((sharer, sorted(found.values(), key=lambda one: one.start)))

    def copies(self, prices: InputPrices) -> Iterator[Copy]:
        """Every copy in another file than the first; paragraphs that follow each other in both are one."""
        for sharer, passages in self._of:
            for group in self._groups(sharer.file, passages):
                yield self._copy(sharer, group, prices)

    def _groups(self, file: File, passages: list[Passage]) -> Iterator[list[Passage]]:
        group: list[Passage] = []
        for passage in passages:
            is_copy = self._first[passage.digest].file is not file
            if group and not (is_copy and self._goes_on(group[-1], passage)):
                yield group
                group = []
            if is_copy:
                group.append(passage)
        if group:
            yield group

    def _goes_on(self, one: Passage, other: Passage) -> bool:
        return (
            self._first[one.digest].file is self._first[other.digest].file
            and self._files[one.digest] == self._files[other.digest]
        )

    def _copy(self, sharer: Sharer, group: list[Passage], prices: InputPrices) -> Copy:
        from tokenguard.tokens.text import count

        tokens = sum(count(passage.text, passage.model) for passage in group)
        usd = prices.per_1k_calls(tokens, group[0].model)
        first = self._first[group[0].digest]
        shared = Shared(
            tokens,
            f"{first.name}:{first.file.line(first.start)}",
            self._files[group[0].digest],
            "" if usd is None else shown_usd(usd),
        )
        (finding,) = shared_text.run(shared)
        what = "".join(passage.digest.hex() for passage in group)
        return Copy(sharer, group[0].start, group[-1].end, finding, what)
