"""Find what is another one on every call: the time of day, ids of requests, and placeholders for them.

A date alone is none of these: it changes once a day, and a provider keeps a prompt for an hour at most
without being asked for longer.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from tokenguard.lint.shapes import Shape


class Volatile(NamedTuple):
    """Where in a text such a value is, and what it is."""

    start: int
    end: int
    what: str


_CLOCK: Final = Shape({"0": string.digits, ":": ":"}, "0:00")
_UUID: Final = Shape({"h": string.hexdigits, "-": "-"}, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh")
_TRIED: Final = 64
"""A text in which so many times or ids stand is a log, or a table."""

_PLACEHOLDERS: Final = 1024
"""A text in which so many braces stand is code."""

_BEFORE: Final = 80
"""So many characters before a time or id it has to be said that it is that of the call."""

_DAY: Final = (
    r"(?:\s|[*_`\"'(:=|,./>-]|(?:is|utc|gmt|at|and|it|[ap]m)\b"
    r"|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b"
    r"|(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*"
    r"|\d{1,4}(?:st|nd|rd|th|T)?)*+"  # possessive: a row of digits can be cut up in too many ways
)
_NOW: Final = re.compile(
    r"(?:\bcurrent[ _](?:local |utc |server |system |user )?"
    r"(?:date ?(?:and|&|/) ?time|date[-_]?time|timestamp|time|date)|\bit(?: is|'s) now|\bthe time is"
    r"|\btime now|\btoday is|\btoday's date(?: and time)?|^[ \t]*(?:now|timestamp)(?=\s*[:=]))"
    + _DAY
    + r"\Z",
    re.I | re.M,
)
_ID: Final = re.compile(
    r"(?<!\w)(?:request|session|conversation|trace|correlation|run|thread|execution|call)[ _-]?id\b"
    r"(?: is)?[\s*`:=]{1,6}\Z|\bnonce[\s*`:=]{1,6}\Z",
    re.I,
)

_PLACEHOLDER: Final = re.compile(
    r"\{%-? *(now\b)[^%\n]{0,60}%\}|(?<!\$)\{\{-?([^{}\n]{1,80})-?\}\}|\$?\{([^{}\n]{1,80})\}"
    r"|<%=? *([^%\n]{1,80})%>"
)
_SINGLE: Final = re.compile(r"\{(?![{%])")
_TIME_NAME: Final = re.compile(
    r"(?:\w+\.)*(?:now|utc_?now|time_?now|current_?time(?:stamp)?|current_?date_?time|timestamp|now_iso)"
    r"(?:\(.*)?|(?:\w+\.)*(?:time\.time|date\.now)\(.*|new Date\(\).*",
    re.I,
)
_ID_NAME: Final = re.compile(
    r"(?:\w+\.)*(?:uuid\d?|(?:request|session|conversation|trace|correlation|run|execution|call)_?id|nonce)"
    r"(?:\(.*)?",
    re.I,
)
_INPUT_NAME: Final = re.compile(
    r"(?:user_?|input_?|source_?)?"
    r"(?:input|question|query|message|text|prompt|request|documents?|context|article|passages?|transcript|"
    r"conversation|chat_history|history|email|diff|code|content)",
    re.I,
)
_SPEAKS: Final = re.compile(r"[`(\[]|[^\s\w>#*_:\"'.?!,;-]|=")
"""Before a placeholder in its line: code, not prose or a tag."""

_ENDS: Final = " \t\"'`*_."
_OF_DAY: Final = re.compile(r"%[YmdBbAajy]")
_OF_CLOCK: Final = re.compile(r"%[HIMScXsfT]")


def volatile(text: str) -> Volatile | None:
    """The first value in a text that was made for one call: a time of day, or an id. Not those in code."""
    found = [one for one in (_first(text, _CLOCK, _NOW), _first(text, _UUID, _ID)) if one is not None]
    return min(found, default=None)


def placeholder(text: str, *, template: bool) -> Volatile | None:
    """The first placeholder that stands for such a value.

    Args:
        text: The text.
        template: Whether it is to be filled in. Otherwise a name in single braces is what it says.
    """
    for found, content in _placeholders(text):
        if not template and _SINGLE.match(text, found.start):
            continue
        what = (
            "the time"
            if _TIME_NAME.fullmatch(found.what)
            else "an id"
            if _ID_NAME.fullmatch(found.what)
            else ""
        )
        only_the_day = _OF_DAY.search(content) and not _OF_CLOCK.search(content)
        if what and not only_the_day and not in_code(text, found.start):
            return found._replace(what=what)
    return None


def input_placeholder(text: str) -> Volatile | None:
    """The first placeholder of a template that stands for what a call is about: a question, a document."""
    for found, _ in _placeholders(text):
        if _INPUT_NAME.fullmatch(found.what) and text[found.start] == "{" and _is_filled_in(text, found):
            return found
    return None


def _is_filled_in(text: str, found: Volatile) -> bool:
    """Whether a text comes to stand in a place: what is in code, or within a line, only speaks of one."""
    start = text.rfind("\n", 0, found.start) + 1
    rest = text[found.end : found.end + 40].split("\n", 1)[0]
    return not _SPEAKS.search(text, start, found.start) and not rest.strip(_ENDS) and not in_code(text, start)


def _placeholders(text: str) -> Iterator[tuple[Volatile, str]]:
    """Placeholders with their names, and all that they have in them."""
    for match in islice(_PLACEHOLDER.finditer(text), _PLACEHOLDERS):
        content = (match[1] or match[2] or match[3] or match[4]).strip()
        yield Volatile(*match.span(), re.split(r"\s*[|:!]", content, maxsplit=1)[0]), content


def in_code(text: str, at: int) -> bool:
    """Whether a place is within code, fenced or in its line, where it is an example of something."""
    if text.count("```", 0, at) % 2 == 1:
        return True
    return text.count("`", text.rfind("\n", 0, at) + 1, at) % 2 == 1


def _first(text: str, shape: Shape, said: re.Pattern[str]) -> Volatile | None:
    for start, end in _tried(text, shape):
        cue = said.search(text, max(0, start - _BEFORE), start)
        if cue and not in_code(text, start):
            return Volatile(cue.start(), end, "the time" if said is _NOW else "an id")
    return None


def _tried(text: str, shape: Shape) -> Iterator[tuple[int, int]]:
    return islice(shape.stretches(text), _TRIED)
