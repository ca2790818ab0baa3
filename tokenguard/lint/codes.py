"""Rule codes as people write them: all of one, or the beginning of several."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from tokenguard.lint.rule import Rule
from tokenguard.lint.rules import RULES


def find_rule(code: str) -> Rule[Any] | None:
    """The rule with a code or a name."""
    return next((rule for rule in RULES if code.upper() == rule.code or code == rule.name), None)


def unknown(codes: Iterable[str]) -> list[str]:
    """The codes that no rule has or begins with."""
    return [code for code in codes if not code or not any(rule.code.startswith(code) for rule in RULES)]


def complaint(code: str) -> str:
    """What is wrong with a code that no rule has, and which one may be meant."""
    names = {rule.name: rule.code for rule in RULES}
    if (meant := find_rule(code)) is not None:  # in small letters, or by its name
        return f"no rule has the code {code!r}; did you mean {meant.code!r}?"
    known = [rule.code for rule in RULES]
    near = difflib.get_close_matches(code.upper(), known, n=1) or [
        names[name] for name in difflib.get_close_matches(code.lower(), names, n=1)
    ]
    return f"no rule has the code {code!r}" + (f"; did you mean {near[0]!r}?" if near else "")
