"""One text, as text rules see it: what it is, and what in it must not be touched.

What several rules need is worked out here once, and only when the first of them asks.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Final, Literal

from tokenguard.anatomy import Role, Source
from tokenguard.lint import stretches
from tokenguard.lint.finding import Edit
from tokenguard.lint.json_blocks import JsonBlock
from tokenguard.lint.proofs import Span, spliced
from tokenguard.lint.verbatim import Verbatim

Place = Source | Literal["description", "file"]
"""Where a text stands: in a message, in a tool's description, or in a file of its own."""

_WORDS: Final = re.compile(r"[^ \t]")
_PARAGRAPH: Final = re.compile(r"[^\n]+(?:\n[^\S\n]*\S[^\n]*)*")

_LOOKED_AT: Final = 300
"""So many lines say whether a text is code."""

_ENDS_OF_CODE: Final = (";", "{", "}", "):", "});", "/>", "\\")
_BEGINNINGS_OF_CODE: Final = re.compile(
    r"[ \t]*(?:def |class \w+[:(]|import \w|from [\w.]+ import |return\b|if \(|for \(|while \(|#include"
    r"|//|/\*|@\w+|(?:export |public |private |static |async )+\w|(?:const|let|var|func|fn) \w|SELECT )"
)
_SHARE_OF_CODE: Final = 0.2

_AFTER: Final = re.compile(r"[ \t]{0,16}[^ \t]?")


class Text:
    """A text.

    Attributes:
        text: It.
        role: Who says it.
        place: Where it stands.
    """

    def __init__(self, text: str, role: Role = "user", place: Place = "content") -> None:
        self.text = text
        self.role = role
        self.place = place

    @cached_property
    def _found(self) -> tuple[tuple[Verbatim, ...], tuple[JsonBlock, ...]]:
        return stretches.find(self.text)

    @property
    def stretches(self) -> tuple[Verbatim, ...]:
        """What is to stay as it is, byte for byte, with what is known of it. In order."""
        return self._found[0]

    @property
    def json(self) -> tuple[JsonBlock, ...]:
        """The JSON in it, in order."""
        return self._found[1]

    @cached_property
    def verbatim(self) -> tuple[tuple[int, int], ...]:
        """What is to stay as it is, byte for byte: code, and what belongs to a template. In order."""
        return tuple([(one.start, one.end) for one in self.stretches])

    @cached_property
    def settled(self) -> tuple[tuple[int, int], ...]:
        """Where whitespace is not to be judged line by line: what is verbatim, and JSON. In order."""
        found: list[tuple[int, int]] = []
        for start, end in sorted([*self.verbatim, *((one.start, one.end) for one in self.json)]):
            if found and start < found[-1][1]:
                found[-1] = found[-1][0], max(end, found[-1][1])
            else:
                found.append((start, end))
        return tuple(found)

    @cached_property
    def paragraphs(self) -> tuple[tuple[int, int], ...]:
        """Where its paragraphs are: lines without an empty one between them."""
        return tuple(match.span() for match in _PARAGRAPH.finditer(self.text))

    @cached_property
    def lines(self) -> tuple[int, ...]:
        """Where its lines begin: those that have words, and are not within something settled."""
        found, start = [], 0
        for line in self.text.split("\n"):
            if line and not line.isspace() and not self.is_settled(start, start + 1):
                found.append(start)
            start += len(line) + 1
        return tuple(found)

    @cached_property
    def margin(self) -> str:
        """The whitespace that all its lines begin with; all but the first, where that has none."""
        text = self.text
        indented = text.count("\n ") + text.count("\n\t")
        if not indented or indented * 2 < text.count("\n") - text.count("\n\n"):
            return ""
        lines = self.lines
        if lines and text[lines[0]] not in " \t":
            lines = lines[1:]
        margin = min((_indentation(text, start) for start in lines), key=len, default="")
        return margin if all(text.startswith(margin, start) for start in lines) else ""

    @cached_property
    def is_code(self) -> bool:
        """Whether all of it looks like a program, though no fence says so."""
        lines = [self._line(start) for start in self.lines[:_LOOKED_AT]]
        code = [line for line in lines if line.endswith(_ENDS_OF_CODE) or _BEGINNINGS_OF_CODE.match(line)]
        return len(code) > _SHARE_OF_CODE * len(lines)

    def _line(self, start: int) -> str:
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end].rstrip()

    def is_verbatim(self, start: int, end: int) -> bool:
        """Whether a stretch touches something that is to stay as it is."""
        return touches(self.verbatim, start, end)

    def is_settled(self, start: int, end: int) -> bool:
        """Whether a stretch touches something whose whitespace is its own."""
        return touches(self.settled, start, end)

    def tokens(self, start: int = 0, end: int | None = None) -> int:
        """How many tokens of o200k_base a stretch is: the yardstick of what is wasted, whatever the model.

        Exact up to 8,192 characters; beyond, parts of it stand for the rest.
        """
        return tokens(self.text[start:end])

    def saved(self, edits: Iterable[Edit]) -> int:
        """How many tokens fewer the text has once its edits are made, which are in order; 0 if none.

        What is around an edit counts for a character or two: so what is promised, and whether it is worth a
        word, does not depend on what else is changed.
        """
        changes = Counter([self._change(together) for together in self._together(edits)])
        fewer = [
            times * (tokens(left + old + right) - tokens(left + new + right))
            for (left, old, new, right), times in changes.items()
        ]
        return max(0, sum(fewer))

    def _together(self, edits: Iterable[Edit]) -> Iterator[list[Span]]:
        """Changes between which there is no word: what is left of the blanks around them is counted once."""
        group: list[Span] = []
        for edit in edits:
            change = edit.start or 0, edit.end or 0, str(edit.new)
            if group and not self.text[group[-1][1] : change[0]].isspace() and group[-1][1] != change[0]:
                yield group
                group = []
            group.append(change)
        if group:
            yield group

    def _change(self, changes: list[Span]) -> tuple[str, str, str, str]:
        text, start, end = self.text, changes[0][0], changes[-1][1]
        new = spliced(text, changes, start, end)
        # Blanks are one token with the word behind them; what is on the next line is one of its own.
        after = None if text.endswith("\n", start, end) else _AFTER.match(text, end)
        return text[max(0, start - 1) : start], text[start:end], new, after[0] if after else ""


def touches(spans: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    """Whether a stretch has something in common with one of the spans, which are in order."""
    i = bisect_right(spans, (start, end))
    return (i < len(spans) and spans[i][0] < end) or (i > 0 and spans[i - 1][1] > start)


def _indentation(text: str, start: int) -> str:
    words = _WORDS.search(text, start)
    return text[start : words.start()] if words else ""


_EXACT: Final = 8_192
_SAMPLES: Final = 8
_SAMPLE: Final = 512


def tokens(text: str) -> int:
    """How many tokens of o200k_base a text is; of one longer than 8,192 characters, 4,096 are counted."""
    length = len(text)
    if length <= _EXACT:
        return _counted(text)
    step = (length - _SAMPLE) // (_SAMPLES - 1)
    samples = [text[i * step : i * step + _SAMPLE] for i in range(_SAMPLES)]
    return round(sum(map(_counted, samples)) * length / (_SAMPLES * _SAMPLE))


@lru_cache(maxsize=1024)
def _counted(text: str) -> int:
    from tokenguard.tokens.text import count

    return count(text, "")
