"""Comments that say what to ignore: on a line, on the line before it, or for a whole file.

``# tg: ignore[TG201]``, ``<!-- tg: ignore[TG201, TG3] -->``, ``{# tg: ignore #}``, ``# tg: ignore-file``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from tokenguard.lint.codes import complaint, unknown
from tokenguard.lint.rules.files import unknown_code
from tokenguard.lint.sources import File, Problem, Source

_COMMENT: Final = re.compile(
    r"(?:#|<!--|\{#-?|//|/\*)\s*tg:\s*ignore(?P<file>-file)?\b(?:\s*\[(?P<codes>[^\]]*)\])?", re.I
)


class Suppressions(NamedTuple):
    """What the comments of a file say.

    Attributes:
        file: Codes that are ignored in all of it.
        lines: Codes that are ignored on a line and on the one after it, by line.
        problems: Comments that mean no rule.
    """

    file: tuple[str, ...] = ()
    lines: dict[int, tuple[str, ...]] = {}  # noqa: RUF012 # a default that nobody changes
    problems: tuple[Problem, ...] = ()

    def cover(self, code: str, lines: Iterable[int]) -> bool:
        """Whether a rule is ignored on one of these lines."""
        if self.file and code.startswith(self.file):
            return True
        return bool(self.lines) and any(
            code.startswith(codes) for line in lines if (codes := self.lines.get(line))
        )


NOTHING: Final = Suppressions()


def suppressions(file: File, source: Source) -> Suppressions:
    """What the comments of a file say is to be ignored; without codes, everything."""
    if "tg:" not in file.text:
        return NOTHING
    whole: list[str] = []
    lines: dict[int, tuple[str, ...]] = {}
    problems: list[Problem] = []
    for number, text in source.comments(file):
        for match in _COMMENT.finditer(text):
            codes = _codes(match["codes"])
            problems += [_problem(file, number, code) for code in unknown(codes)]
            known = tuple(code for code in codes if not unknown((code,)))
            if match["file"]:
                whole += known
            else:
                lines[number] = lines.get(number, ()) + known
    return Suppressions(tuple(whole), lines, tuple(problems))


def _codes(said: str | None) -> tuple[str, ...]:
    if said is None:
        return ("TG",)
    return tuple(code for code in re.split(r"[\s,]+", said) if code)


def _problem(file: File, line: int, code: str) -> Problem:
    start = file.offset(line, 1)
    return Problem(unknown_code.run(complaint(code)), start, start + len(file.line_text(line)))
