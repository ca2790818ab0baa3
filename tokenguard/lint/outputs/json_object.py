"""JSON: one object with every finding, for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tokenguard.lint.project.located import Located
from tokenguard.lint.project.project import Report


def output(report: Report) -> Iterator[str]:
    """One JSON object, indented."""
    told = {
        "findings": [entry(one) for one in report.located],
        "fixed": [entry(one) for one in report.fixed],
        "summary": {
            "files": report.files,
            "prompts": report.units,
            "findings": len(report.located),
            "fixed": len(report.fixed),
            "known": report.known,
            "ignored": report.suppressed,
        },
    }
    yield json.dumps(told, indent=2, ensure_ascii=False)


def entry(one: Located) -> dict[str, Any]:
    """One finding. Of what was found, only the place is told: it may be a secret."""
    finding = one.finding
    return {
        "file": one.shown,
        "line": one.line,
        "column": one.column,
        "end_line": one.end_line,
        "end_column": one.end_column,
        "code": finding.code,
        "name": one.name,
        "severity": str(one.severity),
        "message": finding.message,
        "where": one.where,
        "tokens": finding.tokens,
        "model": one.model or None,
        "usd_per_1k_calls": None if one.usd_per_1k_calls is None else f"{one.usd_per_1k_calls.normalize():f}",
        "fix": {"what": finding.fix.what, "safe": finding.fix.safe} if finding.fix and one.fixable else None,
        "fingerprint": one.fingerprint,
    }
