"""What a rule is: a function that finds something, with a code, and a docstring that is its documentation.

There are three kinds. A *text rule* looks at one text at a time: a message's content, a tool's description,
a file. What it finds depends on nothing else, so that it is remembered with the text. A *tool rule* looks at
one tool, likewise. A *request rule* looks at a whole request and the model that it is for; it runs on every
call, and has to be quick.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

from tokenguard.lint.finding import Finding, Severity

if TYPE_CHECKING:
    from tokenguard.anatomy import Tool
    from tokenguard.lint.request import Request
    from tokenguard.lint.text import Place, Text

S = TypeVar("S")

About = Literal["media", "tools", "schema"]
"""What a request may have, and rules be about."""

SECTIONS: Final = ("What it does", "Why is this bad?", "Example", "Use instead", "Fix safety", "Options")
"""The sections that a rule's docstring may have, in this order; the first four it must have."""


@dataclass(frozen=True, slots=True)
class Rule(Generic[S]):
    """A rule.

    Attributes:
        code: ``TG`` and three digits, of which the first is the family.
        name: The same in words: ``indented-json``.
        severity: How bad what it finds is, as a rule.
        check: Gives what it finds.
        default: Whether it is on where nobody selects rules.
        needs: Of a text rule: one of these must be in a text for the rule to find anything there. Most texts
            have none, and are passed over at once.
        least: Of a text rule: in a text of fewer characters it finds nothing.
        places: Of a text rule: where it looks; ``None`` for everywhere.
        dialects: Of a request rule: the formats in which it can find anything; ``None`` for any.
        about: Of a request rule: what a request must have for it to find anything there.
        option: Of a request rule: the setting without which it finds nothing.
    """

    code: str
    name: str
    severity: Severity
    check: Callable[[S], Iterable[Finding]]
    default: bool = True
    needs: tuple[str, ...] = ()
    least: int = 0
    places: tuple[Place, ...] | None = None
    dialects: tuple[str, ...] | None = None
    about: About | None = None
    option: str | None = None

    def run(self, subject: S) -> list[Finding]:
        """What it finds in a text or request, with its code on it."""
        return [self.marked(one) for one in self.check(subject)]

    def marked(self, finding: Finding) -> Finding:
        """A finding of this rule, with its code on it."""
        return finding._replace(code=self.code, severity=finding.severity or self.severity)

    @property
    def doc(self) -> str:
        """Its documentation, in Markdown."""
        return inspect.getdoc(self.check) or ""


TextRule = Rule["Text"]
ToolRule = Rule["Tool"]
RequestRule = Rule["Request"]


OURS: Final = ("content", "tool_result", "description", "file")
"""Where the application decides what stands there: everywhere but in what the model has made."""


def text_rule(
    code: str,
    name: str,
    severity: Severity = Severity.WARNING,
    *,
    default: bool = True,
    needs: tuple[str, ...] = (),
    least: int = 0,
    places: tuple[Place, ...] | None = None,
) -> Callable[[Callable[[Text], Iterable[Finding]]], TextRule]:
    """Make a text rule of a function. Its findings are in the text: it gives no paths."""
    return lambda check: Rule(code, name, severity, check, default, needs, least, places)


def tool_rule(
    code: str, name: str, severity: Severity = Severity.WARNING, *, default: bool = True
) -> Callable[[Callable[[Tool], Iterable[Finding]]], ToolRule]:
    """Make a tool rule of a function. Its findings' paths begin at the tool."""
    return lambda check: Rule(code, name, severity, check, default)


def request_rule(
    code: str,
    name: str,
    severity: Severity = Severity.WARNING,
    *,
    default: bool = True,
    dialects: Iterable[str] | None = None,
    about: About | None = None,
    option: str | None = None,
) -> Callable[[Callable[[Request], Iterable[Finding]]], RequestRule]:
    """Make a request rule of a function. Its findings' paths begin at the request.

    What it is about is said here, too, so that most calls need not run most rules: to touch the code of fifty
    rules would cost a call more than all that they find out.
    """
    formats = None if dialects is None else tuple(dialects)
    return lambda check: Rule(
        code, name, severity, check, default, dialects=formats, about=about, option=option
    )
