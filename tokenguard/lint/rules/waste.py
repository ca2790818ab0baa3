"""Waste: text that costs tokens and tells the model nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tokenguard.lint.finding import Edit, Finding, Fix
from tokenguard.lint.request import Request
from tokenguard.lint.rule import RequestRule, TextRule, request_rule, text_rule
from tokenguard.lint.text import Text

_TRAILING: Final = re.compile(r"[^\S\n]+(?=\n|\Z)")
_LEAST_TOKENS: Final = 8


@text_rule("TG201", "whitespace")
def whitespace(text: Text) -> Iterator[Finding]:
    """Spaces at the ends of lines, and more than one empty line in a row.

    ## What it does
    Looks for whitespace that shows nothing to the model, outside code.
    """
    edits = [
        Edit((), "", match.start(), match.end())
        for match in _TRAILING.finditer(text.text)
        if not text.is_verbatim(match.start(), match.end())
    ]
    wasted = sum(text.tokens(edit.start or 0, edit.end) for edit in edits)
    if wasted >= _LEAST_TOKENS:
        fix = Fix("Take the whitespace out", tuple(edits))
        yield Finding("whitespace that says nothing", tokens=wasted, fix=fix)


@request_rule("TG202", "duplicate-paragraph")
def duplicate_paragraph(request: Request) -> Iterator[Finding]:
    """The same paragraph in several places of a request.

    ## What it does
    Compares all paragraphs of at least 20 words.
    """
    seen: set[bytes] = set()
    for message, facts in zip(request.anatomy.messages, request.facts, strict=True):
        for paragraph in facts.paragraphs:
            if paragraph.digest in seen:
                yield Finding(
                    "a paragraph that was said before",
                    message.path + paragraph.path,
                    paragraph.start,
                    paragraph.end,
                    tokens=paragraph.tokens,
                )
            seen.add(paragraph.digest)


TEXT_RULES: Final[tuple[TextRule, ...]] = (whitespace,)
REQUEST_RULES: Final[tuple[RequestRule, ...]] = (duplicate_paragraph,)
