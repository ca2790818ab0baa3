"""One text, as text rules see it: what it is, and what in it must not be touched."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final, Literal

from tokenguard.anatomy import Role, Source

Place = Source | Literal["description", "file"]
"""Where a text stands: in a message, in a tool's description, or in a file of its own."""

_VERBATIM: Final = re.compile(
    r"^(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^(?P=fence)[`~]*[ \t]*$|\Z)"  # fenced code
    r"|`[^`\n]+`"  # code within a line
    r"|<(?P<tag>pre|code|script|style)\b[^>]*>.*?</(?P=tag)\s*>"
    r"|\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}",  # a template's own
    re.M | re.S,
)
_PARAGRAPH: Final = re.compile(r"[^\n]+(?:\n[^\S\n]*\S[^\n]*)*")


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
    def verbatim(self) -> tuple[tuple[int, int], ...]:
        """What is to stay as it is, byte for byte: code, and what belongs to a template. In order."""
        if "`" not in self.text and "~~~" not in self.text and "<" not in self.text and "{" not in self.text:
            return ()
        return tuple(match.span() for match in _VERBATIM.finditer(self.text))

    @cached_property
    def paragraphs(self) -> tuple[tuple[int, int], ...]:
        """Where its paragraphs are: lines without an empty one between them."""
        return tuple(match.span() for match in _PARAGRAPH.finditer(self.text))

    def is_verbatim(self, start: int, end: int) -> bool:
        """Whether a stretch touches something that is to stay as it is."""
        return any(first < end and start < last for first, last in self.verbatim)

    def tokens(self, start: int = 0, end: int | None = None) -> int:
        """How many tokens of o200k_base a stretch is: the yardstick of what is wasted, whatever the model."""
        from tokenguard.tokens.text import count

        return count(self.text[start:end], "")
