"""Where the characters of a Python string stand in its source: through prefixes, escapes and placeholders.

``ast`` tells where a string begins and ends, and what it means. What is in between is read here, and believed
only where both come to the same text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tokenguard.lint.sources.file import File
from tokenguard.lint.sources.places import Placed, Run, Write, joined, opaque

_OPENING: Final = re.compile(r"(?P<prefix>[rRuUbBfFtT]{0,2})(?P<quote>'''|\"\"\"|'|\")")
_BETWEEN: Final = re.compile(r"(?:\s|\\\r?\n|#[^\r\n]*)*")
_ESCAPE: Final = re.compile(
    r"\\(?:(?P<line>\r\n|\r|\n)|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|[0-7]{1,3}"
    r"|[\\'\"abfnrtv])"
)
_STOPS: Final = {"'": re.compile(r"['\\{]"), '"': re.compile(r'["\\{]')}
_SPECIAL: Final = re.compile(r"[\\{}\r]")
_FOREIGN_END: Final = re.compile(r"\r\n?")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


class Literal(NamedTuple):
    """One string token: ``"..."``, ``r'''...'''``, ``f"..."``.

    Attributes:
        start: Where it begins, with its prefix.
        first: Where what it says begins.
        last: Where that ends.
        end: Where it ends.
        prefix: Its prefix, in small letters.
        quote: Its quotes.
    """

    start: int
    first: int
    last: int
    end: int
    prefix: str
    quote: str


def placed(file: File, start: int, end: int, node: ast.Constant | ast.JoinedStr) -> Placed:
    """A string expression, which may be several strings beside each other, in its place.

    A placeholder of an f-string becomes ``{{expression}}``, which is a template's own to every rule.
    """
    parts = [_part(file, literal) for literal in _literals(file.text, start, end)]
    found = joined(parts, start, end)
    meant = _meant(node, parts)
    return found if found.text == meant else opaque(meant, start, end)


def _meant(node: ast.Constant | ast.JoinedStr, parts: list[Placed]) -> str:
    """What a string is, as ``ast`` reads it, with the placeholders that were found in it."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    shown = iter(
        part.text[run.at : run.at + run.length] for part in parts for run in part.runs if _is_held(part, run)
    )
    return "".join(
        str(value.value) if isinstance(value, ast.Constant) else next(shown, "{{...}}")
        for value in node.values
    )


def _is_held(part: Placed, run: Run) -> bool:
    return run.write is None and part.text.startswith("{{", run.at)


def _literals(text: str, start: int, end: int) -> Iterator[Literal]:
    position = start
    while position < end:
        opening = _OPENING.match(text, position, end)
        if opening is None:
            return
        prefix, quote = opening["prefix"].lower(), opening["quote"]
        last = _closing(text, opening.end(), end, prefix, quote)
        yield Literal(position, opening.end(), last, last + len(quote), prefix, quote)
        between = _BETWEEN.match(text, last + len(quote), end)
        position = between.end() if between else end


def _closing(text: str, start: int, end: int, prefix: str, quote: str) -> int:
    """Where the closing quotes are."""
    stop = _STOPS[quote[0]]
    position = start
    while (match := stop.search(text, position, end)) is not None:
        position = match.start()
        if text.startswith(quote, position):
            return position
        if match[0] == "\\":
            position += 2
        elif match[0] == "{" and "f" in prefix:
            position = _after_field(text, position, end)
        else:
            position += 1
    return end


def _after_field(text: str, start: int, end: int) -> int:
    """Where a placeholder of an f-string ends, or a doubled brace."""
    if text.startswith("{{", start):
        return start + 2
    depth, position = 0, start
    while position < end:
        sign = text[position]
        if sign == "}" and depth == 1:
            return position + 1
        if sign == ":" and depth == 1:
            return _after_format(text, position + 1, end)
        if sign in "'\"":
            opening = _OPENING.match(text, position, end)
            assert opening is not None
            last = _closing(text, opening.end(), end, "", opening["quote"])
            position = last + len(opening["quote"])
            continue
        depth += (sign in "([{") - (sign in ")]}")
        position += 1
    return end


def _after_format(text: str, start: int, end: int) -> int:
    """Where a placeholder ends whose format begins here: quotes mean themselves in it."""
    position = start
    while position < end and text[position] != "}":
        position = _after_field(text, position, end) if text[position] == "{" else position + 1
    return position + 1


def _part(file: File, literal: Literal) -> Placed:
    """What one string says."""
    write = _writer(literal, file.line_end)
    runs: list[Run] = []
    said: list[str] = []
    at = 0
    for start, end, means, shown in _stretches(file.text, literal):
        if means:
            runs.append(Run(at, len(means), start, end, None if shown else write))
            said.append(means)
            at += len(means)
    return Placed("".join(said), runs, literal.start, literal.end)


def _stretches(text: str, literal: Literal) -> Iterator[tuple[int, int, str, bool]]:
    """The stretches of a string: where each is, what it means, and whether it is a placeholder."""
    plain = position = literal.first
    while (match := _SPECIAL.search(text, position, literal.last)) is not None:
        position = match.start()
        special = _special(text, position, literal)
        if special is None:
            position += 1
            continue
        if position > plain:
            yield plain, position, text[plain:position], False
        end, means, shown = special
        yield position, end, means, shown
        plain = position = end
    if literal.last > plain:
        yield plain, literal.last, text[plain : literal.last], False


def _special(text: str, position: int, literal: Literal) -> tuple[int, str, bool] | None:
    """What begins here that does not mean itself: where it ends, what it means, if it is a placeholder."""
    sign = text[position]
    if sign == "\r":
        match = _FOREIGN_END.match(text, position)
        return (match.end() if match else position + 1), "\n", False
    if sign == "\\" and "r" not in literal.prefix:
        return _escaped(text, position, literal)
    if sign in "{}" and "f" in literal.prefix:
        if text.startswith(sign * 2, position):
            return position + 2, sign, False
        end = _after_field(text, position, literal.end)
        expression = text[position + 1 : end - 1].strip().replace("}}", "} }")
        return end, "{{" + expression + "}}", True
    return None


def _escaped(text: str, position: int, literal: Literal) -> tuple[int, str, bool] | None:
    match = _ESCAPE.match(text, position, literal.last)
    if match is None:
        return None  # a backslash that means itself
    if match["line"]:
        return match.end(), "", False
    try:
        means = ast.literal_eval(f'"{match[0]}"' if match[0] != '\\"' else "'\"'")
    except (ValueError, SyntaxError):
        return None
    return match.end(), str(means), False


def _writer(literal: Literal, line_end: str) -> Write:
    """How a text is written within a string; what it cannot say stays as it is."""
    raw, lines = "r" in literal.prefix, len(literal.quote) > 1

    def write(new: str) -> str | None:
        if raw:
            return None if _CONTROL.search(new) or literal.quote[0] in new or "\\" in new else _lines(new)
        new = new.replace("\\", "\\\\").replace(literal.quote[0], "\\" + literal.quote[0])
        if "f" in literal.prefix:
            new = new.replace("{", "{{").replace("}", "}}")
        new = _CONTROL.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), new)
        return _lines(new)

    def _lines(new: str) -> str | None:
        if lines:
            return new.replace("\n", line_end)
        return None if raw and "\n" in new else new.replace("\n", "\\n")

    return write
