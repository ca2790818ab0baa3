"""What several outputs say in the same words."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from tokenguard.lint.finding import Severity
from tokenguard.lint.project.located import Located
from tokenguard.lint.project.prices import shown_usd
from tokenguard.lint.project.project import Report


def cost(one: Located) -> str:
    """What a finding costs, in brackets; nothing where it costs nothing."""
    if one.finding.tokens <= 0:
        return ""
    words = f"{one.finding.tokens:,} tokens"
    if one.usd_per_1k_calls is not None:
        words += f", {shown_usd(one.usd_per_1k_calls)} per 1k calls of {one.model}"
    elif one.model:
        words += f", {one.model} is unpriced"
    return f" ({words})"


def summary(report: Report) -> str:
    """What linting came to, in a sentence or two."""
    where = f"{plural(report.units, 'prompt')} in {plural(report.files, 'file')}"
    said = [f"Fixed {plural(len(report.fixed), 'finding')}."] if report.fixed else []
    if not report.located:
        said.append(f"Nothing found in {where}.")
    else:
        said.append(
            f"{plural(len(report.located), 'finding')} in {where}: {_severities(report)}{_waste(report)}."
        )
    if safe := sum(one.fixable == "safe" for one in report.located):
        said.append(f"--fix mends {safe} of them.")
    if unsafe := sum(one.fixable == "unsafe" for one in report.located):
        said.append(f"--unsafe-fixes mends {unsafe}{' more' if safe else ' of them'}.")
    hidden = [f"{report.known} known to the baseline"] if report.known else []
    hidden += [f"{report.suppressed} ignored by comments"] if report.suppressed else []
    return " ".join([*said, *([f"Not counted: {', '.join(hidden)}."] if hidden else [])])


def _severities(report: Report) -> str:
    counts = Counter(one.severity for one in report.located)
    names = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "hint"}
    return ", ".join(plural(counts[severity], name) for severity, name in names.items() if counts[severity])


def _waste(report: Report) -> str:
    tokens = sum(one.finding.tokens for one in report.located)
    priced = [one.usd_per_1k_calls for one in report.located if one.usd_per_1k_calls is not None]
    unpriced = sum(one.finding.tokens > 0 and one.usd_per_1k_calls is None for one in report.located)
    if not tokens:
        return ""
    words = f"; {tokens:,} tokens"
    if priced:
        words += f", {shown_usd(sum(priced, Decimal(0)))} per 1k calls of each"
        words += f" without {unpriced} that are unpriced" if unpriced else ""
    return words


def plural(count: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
