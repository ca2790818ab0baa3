"""Waste in the examples that a text gives: the same one twice."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import Final

from tokenguard.lint.finding import Edit, Finding, Fix
from tokenguard.lint.rule import TextRule, text_rule
from tokenguard.lint.text import Text

_LEAST_TOKENS: Final = 8
_LEAST_WORDS: Final = 4
_MOST: Final = 200
_LONG: Final = 100
"""Paragraphs of that many characters are compared with those of the whole request, by other rules."""

_SIGNS: Final = ("xample", "Q:", "uestion", "nput:")


@text_rule("TG234", "duplicate-example", needs=(":", "<example"), least=60, places=("content", "file"))
def duplicate_example(text: Text) -> Iterator[Finding]:
    """An example that a text gives twice.

    ## What it does
    Finds examples by how they begin (`Example 3:`, `Q:`, `Input:`, `<example>`) and compares them, in texts
    of users and instructions, whatever the whitespace and case. At most 200 are compared. Those with
    paragraphs of 100 characters are left to [`duplicate-paragraph`](#tg231-duplicate-paragraph) and
    [`near-duplicate-paragraph`](#tg232-near-duplicate-paragraph).

    ## Why is this bad?
    Every example is paid for on every call. One that is there twice teaches nothing more, and weighs more
    than the others.

    ## Example
    ```text
    Q: Where is my parcel?
    A: shipping

    Q: Where is my parcel?
    A: shipping
    ```

    ## Use instead
    ```text
    Q: Where is my parcel?
    A: shipping
    ```

    ## Fix safety
    Unsafe: it takes the second one out, and whether both were meant, only you know.
    """
    if text.role not in ("system", "user") or not any(sign in text.text for sign in _SIGNS) or text.is_code:
        return
    seen: dict[str, int] = {}
    for number, (start, end) in enumerate(_examples(text), 1):
        words = _HEADER.sub("", text.text[start:end], count=1).split()
        first = seen.setdefault(" ".join(words).lower(), number)
        if first == number or len(words) < _LEAST_WORDS:
            continue
        edits = (Edit((), "", start, end),)
        wasted = text.saved(edits)
        if wasted >= _LEAST_TOKENS:
            fix = Fix("Take the example out", edits, safe=False)
            yield Finding(f"example {number} is the same as example {first}", (), start, end, wasted, fix)


_HEADER: Final = re.compile(
    r"^[ \t>*#-]*(?:(?P<numbered>(?:few-shot )?(?:example|sample)s?)"
    r"|question|q|input)[ \t]*\d{0,4}[ \t]*\**[:.)]\**",
    re.M | re.I,
)
_FIELD: Final = re.compile(r"[ \t>*#-]*\w[\w -]{0,24}:")
_TAG: Final = re.compile(r"<example\b[^<>]{0,200}>", re.I)


def _examples(text: Text) -> list[tuple[int, int]]:
    """Where the examples are, each from its first sign to before the next one."""
    tagged = _tagged(text.text)
    if len(tagged) > 1:
        return tagged
    headers = list(islice(_HEADER.finditer(text.text), _MOST))
    headers = [one for one in headers if not text.is_verbatim(*one.span())]
    numbered = [one for one in headers if one["numbered"]]
    kinds = numbered if len(numbered) > 1 else headers
    if len(kinds) < 2:
        return []
    starts = [
        one.start() for one in kinds if one["numbered"] or one[0] == kinds[0][0] or _is_like(one, kinds[0])
    ]
    return [
        span
        for start, limit in zip(starts, [*starts[1:], len(text.text)], strict=True)
        if (span := _block(text, start, limit)) is not None
    ]


def _is_like(one: re.Match[str], other: re.Match[str]) -> bool:
    """Whether two signs are the same word: ``Q1:`` and ``Q2:``."""
    return re.sub(r"\d", "", one[0]).lower() == re.sub(r"\d", "", other[0]).lower()


def _tagged(body: str) -> list[tuple[int, int]]:
    found = []
    for tag in islice(_TAG.finditer(body), _MOST):
        end = body.find("</example>", tag.end())
        if end < 0:
            break
        found.append((tag.start(), end + len("</example>")))
    return found


def _block(text: Text, start: int, limit: int) -> tuple[int, int] | None:
    """The paragraphs of one example: the first, and those after it that begin with the name of a field.

    ``None`` where one of them is long: other rules compare it.
    """
    end = start
    for first, last in text.paragraphs[max(0, bisect_right(text.paragraphs, (start, limit)) - 1) :]:
        if first >= limit or (first > start and not _FIELD.match(text.text, first)):
            break
        end = min(last, limit)
        if end - max(first, start) >= _LONG:
            return None
    return start, end


TEXT_RULES: Final[tuple[TextRule, ...]] = (duplicate_example,)
