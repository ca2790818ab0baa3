"""What in a text is to stay as it is, byte for byte: code, and what belongs to a template.

Where a stretch ends is found with plain string searches, in time proportional to the text whatever it is: no
pattern here looks further than a stretch of fixed length for an end that may not come.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_TAGS: Final = (
    "pre|code|codeblock|script|style|textarea|svg|math|file|files|file_contents?|file_content|source_code"
    "|snippet|diff|patch|stdout|stderr|output|terminal"
)
OPENING: Final = rf"`+|~{{3,}}|<(?:{_TAGS})\b|\{{[{{%#]"
"""What may begin such a stretch, as a pattern that heeds no case."""

_LONGEST_INLINE: Final = 1_000
_LONGEST_SLOT: Final = 4_000
_CLOSING: Final = {"{{": "}}", "{%": "%}", "{#": "#}"}

_BEFORE_FENCE: Final = frozenset(" \t>*-+.0123456789")
"""What may stand before a fence on its line: indentation, and the signs of lists and quotes."""

_MOST_BEFORE: Final = 80


class Verbatim(NamedTuple):
    """A stretch that is to stay as it is.

    Attributes:
        start: Where it begins.
        end: Where it ends.
        inner: Where the content of a fence begins; of others, its start.
        language: What a fence says that its content is, in lower case; ``None`` of everything else.
    """

    start: int
    end: int
    inner: int
    language: str | None = None


class Ends:
    """Finds where stretches of one text end. Asked for places that come one after the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ahead = _Ahead(text)

    def of(self, opening: re.Match[str], least: int) -> Verbatim | None:
        """The stretch that a match of :data:`OPENING` begins, or ``None`` if it begins none.

        Args:
            opening: The match.
            least: Where the last stretch ended: a line does not begin before that.
        """
        text, start, sign = self._text, opening.start(), opening[0]
        if sign[0] == "{":
            return _slot(start, sign, self._ahead)
        if sign[0] == "<":
            return _element(text, opening, self._ahead)
        if len(sign) >= 3 and (line := _line_start(text, start, least)) is not None:
            return _fenced(text, line, opening.end(), sign)
        return _inline(text, opening) if sign[0] == "`" else None


class _Ahead:
    """Where the next of each kind of ending is: found once, and not again by every beginning before it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: dict[str, int] = {}

    def find(self, ending: str, start: int) -> int:
        """As ``text.find(ending, start)``, asked for places that come one after the other."""
        known = self._next.get(ending, -1)
        if known < start:
            known = self._text.find(ending, start)
            self._next[ending] = known = len(self._text) + 1 if known < 0 else known
        return known if known <= len(self._text) else -1


def _slot(start: int, sign: str, ahead: _Ahead) -> Verbatim | None:
    end = ahead.find(_CLOSING[sign], start + 2)
    return Verbatim(start, end + 2, start) if 0 <= end <= start + _LONGEST_SLOT else None


def _element(text: str, opening: re.Match[str], ahead: _Ahead) -> Verbatim | None:
    closing = f"</{opening[0][1:]}"
    end = ahead.find(closing, opening.end())
    if end < 0:
        return None
    last = text.find(">", end, end + len(closing) + _MOST_BEFORE)
    return Verbatim(opening.start(), last + 1 if last >= 0 else end + len(closing), opening.start())


def _inline(text: str, opening: re.Match[str]) -> Verbatim | None:
    """Code within a line: it ends with as many signs as it begins with."""
    if len(opening[0]) > _LONGEST_INLINE:
        return None
    end = text.find(opening[0], opening.end(), opening.end() + _LONGEST_INLINE)
    if end < 0 or "\n" in text[opening.end() : end]:
        return None
    return Verbatim(opening.start(), end + len(opening[0]), opening.start())


def _line_start(text: str, position: int, least: int) -> int | None:
    """Where the line of a fence begins, unless something stands before it there."""
    start = text.rfind("\n", max(least, position - _MOST_BEFORE), position) + 1
    if start == 0:
        start = least
        if position - least > _MOST_BEFORE or (least and text[least - 1] != "\n"):
            return None
    return start if _BEFORE_FENCE.issuperset(text[start:position]) else None


def _fenced(text: str, start: int, opened: int, sign: str) -> Verbatim:
    """A fence, which ends with a line of at least as many signs, or with the text."""
    inner = text.find("\n", opened) + 1 or len(text)
    words = text[opened : min(inner, opened + _MOST_BEFORE)].split(None, 1)
    language = words[0].lower() if words else ""
    position = inner
    while (found := text.find(sign, position)) >= 0:
        line_end = text.find("\n", found)
        line_end = len(text) if line_end < 0 else line_end
        begins = _line_start(text, found, inner)
        if begins is not None and not text[found:line_end].strip(sign[0]).strip():
            return Verbatim(start, line_end, inner, language)
        position = line_end
    return Verbatim(start, len(text), inner, language)
