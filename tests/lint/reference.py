"""The pages of docs/reference/rules/, as the rules have them.

``python -m tests.lint.reference`` writes them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from tokenguard.lint.rule import Rule
from tokenguard.lint.rules import RULES

FOLDER = Path(__file__).parents[2] / "docs" / "reference" / "rules"


class Family(NamedTuple):
    """The rules whose codes begin alike, on a page of their own."""

    code: str
    page: str
    title: str
    about: str


FAMILIES = (
    Family("TG0", "files", "Files", "What keeps a file from being linted."),
    Family("TG1", "size", "Size", "What does not fit, is over a budget, or costs more from some length on."),
    Family("TG2", "waste", "Waste", "Tokens that tell the model nothing, or tell it something twice."),
    Family("TG3", "cache", "Prompt cache", "What keeps a provider from having a prompt already."),
    Family("TG4", "output", "Output", "Limits, parameters and wording of answers."),
    Family("TG5", "media", "Media", "Pictures, sound and documents."),
    Family("TG6", "safety", "Safety", "What ought not to leave the house, and who must not give orders."),
)


def pages() -> dict[str, str]:
    """The text of every page, by the name of its file."""
    made = {f"{family.page}.md": _page(family) for family in FAMILIES}
    return {"index.md": _index(), **made}


def of(family: Family) -> list[Rule[Any]]:
    """The rules of a family, by their codes."""
    return [rule for rule in RULES if rule.code.startswith(family.code)]


def anchor(rule: Rule[Any]) -> str:
    """Where on its page a rule is."""
    return f"{rule.code}-{rule.name}".lower()


_INDEX = """# Rules of the linter

What each rule of [the linter](../../concepts/linting.md) finds, why that is bad, and what to do instead.
`tokenguard lint --explain TG201` says the same. These pages are made of the rules' own documentation.
"""
_HEAD = "| Code | Name | What it finds | Severity |\n| --- | --- | --- | --- |"


def _index() -> str:
    parts = [_INDEX]
    for family in FAMILIES:
        rows = [_row(rule, f"{family.page}.md") for rule in of(family)]
        parts.append(
            f"## [{family.title}]({family.page}.md)\n\n{family.about}\n\n" + "\n".join([_HEAD, *rows])
        )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _page(family: Family) -> str:
    rules = [_section(rule) for rule in of(family)]
    return "\n\n".join([f"# {family.title}: {family.code}", family.about, *rules]) + "\n"


def _row(rule: Rule[Any], page: str) -> str:
    first = rule.doc.split("\n", 1)[0].rstrip(".").replace("|", "\\|")
    return f"| [{rule.code}]({page}#{anchor(rule)}) | `{rule.name}` | {first} | {_state(rule)} |"


def _state(rule: Rule[Any]) -> str:
    return f"{rule.severity}" if rule.default else f"{rule.severity}, off unless selected"


def _section(rule: Rule[Any]) -> str:
    first, rest = rule.doc.split("\n", 1)
    # Examples show what is wrong: nobody runs them, as the other pages' blocks of Python are run.
    rest = re.sub(r"^```python$", "```py", re.sub(r"^## ", "### ", rest, flags=re.M), flags=re.M)
    return f"## {rule.code} {rule.name}\n\n{first}\n\n*{_state(rule)}*\n\n{rest.strip()}"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")
