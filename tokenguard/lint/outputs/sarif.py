"""SARIF 2.1.0, which code hosts show beside the code and compare from run to run.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from tokenguard import __version__
from tokenguard.lint.finding import Severity
from tokenguard.lint.outputs.words import cost
from tokenguard.lint.project.located import Located
from tokenguard.lint.project.project import Report
from tokenguard.lint.rule import Rule
from tokenguard.lint.rules import RULES

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_FINGERPRINT: Final = "tokenguard/v1"


def output(report: Report) -> Iterator[str]:
    """One run, with the rules that found something."""
    codes = sorted({one.finding.code for one in report.located})
    rules = [rule for rule in RULES if rule.code in codes]
    ordinals: Counter[str] = Counter()
    results = []
    for one in report.located:
        ordinals[one.fingerprint] += 1
        results.append(_result(one, codes.index(one.finding.code), ordinals[one.fingerprint]))
    driver = {
        "name": "tokenguard",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(rule) for rule in rules],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    yield json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(rule: Rule[Any]) -> dict[str, Any]:
    first, _, rest = rule.doc.partition("\n")
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": first},
        "fullDescription": {"text": first},
        "help": {"text": rest.strip() or first, "markdown": rest.strip() or first},
        "defaultConfiguration": {"enabled": rule.default, "level": _LEVELS[rule.severity]},
    }


def _result(one: Located, index: int, ordinal: int) -> dict[str, Any]:
    usd = one.usd_per_1k_calls
    region = {
        "startLine": one.line,
        "startColumn": one.column,
        "endLine": one.end_line,
        "endColumn": one.end_column,
    }
    place = {"artifactLocation": {"uri": quote(one.shown)}, "region": region}
    location: dict[str, Any] = {"physicalLocation": place}
    if one.where:
        location["logicalLocations"] = [{"fullyQualifiedName": one.where}]
    return {
        "ruleId": one.finding.code,
        "ruleIndex": index,
        "level": _LEVELS[one.severity],
        "message": {"text": one.finding.message + cost(one)},
        "locations": [location],
        # The same finding twice in a file is two results.
        "partialFingerprints": {_FINGERPRINT: f"{one.fingerprint}:{ordinal}"},
        "properties": {
            "tokens": one.finding.tokens,
            "usd_per_1k_calls": None if usd is None else float(usd),
            "model": one.model or None,
        },
    }
