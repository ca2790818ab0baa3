"""What a rule found: where, what it costs on every call, and how to mend it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple

from tokenguard.anatomy import Path


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"  # the call fails, or does harm
    WARNING = "warning"  # it costs money
    INFO = "info"  # it may


class _Removed:
    """Stands for a value that is to be taken out of its object or list."""

    def __repr__(self) -> str:
        return "REMOVED"


REMOVED: Final = _Removed()


class Edit(NamedTuple):
    """One change of a request.

    Attributes:
        path: Which value is changed.
        new: What takes its place: a text, any JSON value, or :data:`REMOVED`.
        start: Where in a text the change begins, in characters; ``None`` for the whole value.
        end: Where in the text it ends.
    """

    path: Path
    new: Any
    start: int | None = None
    end: int | None = None


Proof = Literal["words", "json", "schema", "copy"]
"""How it is proven that a fix changes nothing for the model; see :mod:`tokenguard.lint.proofs`."""


class Fix(NamedTuple):
    """How to mend what was found.

    Attributes:
        what: What it does, as an order: "Write the JSON without indentation".
        edits: The changes; they do not overlap.
        safe: Whether the model is told the same afterwards. The others need somebody to look.
        proof: What is proven of a safe one when it is applied; without the proof it is not. ``words``: only
            whitespace is another, and none in code. ``json``: it says the same JSON. ``schema``: it allows
            and explains the same. ``copy``: what is taken out stands at ``copy_of``, and stays there.
        copy_of: Where that is.
    """

    what: str
    edits: tuple[Edit, ...]
    safe: bool = True
    proof: Proof | None = None
    copy_of: Path = ()


class Finding(NamedTuple):
    """What a rule found in one place.

    Attributes:
        message: What was found, with its numbers; never the text itself where that may be secret.
        path: The value that it is in; of a text rule's finding, nothing: its text.
        start: Where in that text it begins, in characters.
        end: Where it ends; 0 where all of the value is meant.
        tokens: How many tokens each call would need less without it; 0 where it costs none, or nobody knows.
        fix: How to mend it, where that is known.
        severity: How bad it is; ``None`` for as bad as its rule says.
        code: The rule's code, which whoever runs the rule fills in.
    """

    message: str
    path: Path = ()
    start: int = 0
    end: int = 0
    tokens: int = 0
    fix: Fix | None = None
    severity: Severity | None = None
    code: str = ""

    def under(self, path: Path) -> Finding:
        """The same finding, where what it was found in stands at ``path``."""
        fix = self.fix
        if fix is not None:
            edits = tuple([edit._replace(path=path + edit.path) for edit in fix.edits])
            fix = fix._replace(edits=edits, copy_of=path + fix.copy_of if fix.copy_of else ())
        return self._replace(path=path + self.path, fix=fix)
