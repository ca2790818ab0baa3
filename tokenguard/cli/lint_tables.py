"""The tables of ``tokenguard lint``: which rules there are, what one is for, what found how much."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from rich.markdown import Markdown
from rich.table import Table

from tokenguard.cli.screen import console, print_json
from tokenguard.errors import ConfigError
from tokenguard.lint.codes import complaint, find_rule
from tokenguard.lint.project.located import Located
from tokenguard.lint.project.prices import shown_usd
from tokenguard.lint.project.project import Report
from tokenguard.lint.rules import RULES


class Count(NamedTuple):
    """What one rule found."""

    code: str
    name: str
    findings: int
    fixable: int
    tokens: int
    usd_per_1k_calls: Decimal | None


def explain(code: str) -> None:
    """Print a rule's documentation.

    Raises:
        ConfigError: There is no such rule.
    """
    rule = find_rule(code)
    if rule is None:
        raise ConfigError(f"--explain: {complaint(code)}")
    state = "on" if rule.default else "off unless selected"
    text = f"# {rule.code} {rule.name}\n\n*{rule.severity}, {state}*\n\n{rule.doc}"
    screen = console()
    screen.print(Markdown(text) if screen.is_terminal else text, markup=False, highlight=False)


def rules(*, as_json: bool) -> None:
    """Print all rules, one a line."""
    if as_json:
        told = [
            {
                "code": rule.code,
                "name": rule.name,
                "severity": str(rule.severity),
                "default": rule.default,
                "summary": _first_line(rule.doc),
            }
            for rule in RULES
        ]
        print_json(told)
        return
    table = _table("Code", "Name", "Severity", "Default", "What it finds")
    for rule in RULES:
        table.add_row(
            rule.code, rule.name, rule.severity, "on" if rule.default else "off", _first_line(rule.doc)
        )
    console().print(table)


def statistics(report: Report, *, as_json: bool) -> None:
    """Print what each rule found, the dearest first."""
    counts = sorted(_counts(report.located), key=lambda one: (-one.tokens, -one.findings, one.code))
    if as_json:
        print_json([_as_json(one) for one in counts])
        return
    table = _table("Code", "Name")
    for heading in ("Findings", "Fixable", "Tokens", "Per 1k calls"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in counts:
        usd = "" if one.usd_per_1k_calls is None else shown_usd(one.usd_per_1k_calls)
        table.add_row(one.code, one.name, f"{one.findings:,}", f"{one.fixable:,}", f"{one.tokens:,}", usd)
    console().print(table)


def _counts(located: Iterable[Located]) -> list[Count]:
    counts: dict[str, Count] = {}
    for one in located:
        code = one.finding.code
        before = counts.get(code, Count(code, one.name, 0, 0, 0, None))
        usd = before.usd_per_1k_calls
        if one.usd_per_1k_calls is not None:
            usd = (usd or Decimal(0)) + one.usd_per_1k_calls
        counts[code] = Count(
            code,
            one.name,
            before.findings + 1,
            before.fixable + bool(one.fixable),
            before.tokens + one.finding.tokens,
            usd,
        )
    return list(counts.values())


def _as_json(one: Count) -> dict[str, Any]:
    usd = one.usd_per_1k_calls
    return {**one._asdict(), "usd_per_1k_calls": None if usd is None else f"{usd.normalize():f}"}


def _first_line(doc: str) -> str:
    return doc.partition("\n")[0]


def _table(*headings: str) -> Table:
    table = Table()
    for heading in headings:
        table.add_column(heading, no_wrap=heading in ("Code", "Name"))
    return table
