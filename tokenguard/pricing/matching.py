"""Does a model's name match? The rules of genai-prices, on their JSON form, free of its classes.

A clause is a list whose first item names its kind: ``["=", text]`` equals, ``["^", text]`` starts
with, ``["$", text]`` ends with, ``["~", text]`` contains, ``["re", pattern]``, and the two that
combine others, ``["|", [...]]`` and ``["&", [...]]``. Names are compared in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any, Final

Clause = list[Any]

# A date written without dashes at the end of a model's name, as some gateways write it.
_COMPACT_DATE: Final = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=[-:]|$)")


def matches(clause: Clause, name: str) -> bool:
    """Whether a lower-case name satisfies a clause."""
    kind, operand = clause
    if kind == "|":
        return any(matches(part, name) for part in operand)
    if kind == "&":
        return all(matches(part, name) for part in operand)
    test = _TESTS[kind]
    return test(name, operand)


_TESTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "=": lambda name, text: name == text,
    "^": lambda name, text: name.startswith(text),
    "$": lambda name, text: name.endswith(text),
    "~": lambda name, text: text in name,
    "re": lambda name, pattern: re.search(pattern, name) is not None,
}


def spellings(name: str) -> tuple[str, ...]:
    """The ways in which a name is looked up: as it is, then with a compact date taken apart.

    ``gpt-5.2-20251211`` is first looked for as such, then as ``gpt-5.2-2025-12-11``.
    """
    lower = name.lower()
    dashed = _COMPACT_DATE.sub(_dashed, lower)
    return (lower,) if dashed == lower else (lower, dashed)


def _dashed(match: re.Match[str]) -> str:
    year, month, day = match.groups()
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return match[0]
    return f"-{year}-{month}-{day}"
