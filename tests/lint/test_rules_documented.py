"""Every rule says what it does and why, and its examples are what it says they are."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.lint.asked import request
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.shape import request_in
from tokenguard.lint.rule import SECTIONS, Rule
from tokenguard.lint.rules import RULES
from tokenguard.lint.rules.output import MESSAGES as OF_ANTHROPIC
from tokenguard.lint.text import Text

OURS = [rule for rule in RULES if rule.code[2] in "3456"]
BLOCK = re.compile(r"```(json|text)\n(.*?)\n```", re.DOTALL)

SHOWN = (
    *(
        "TG401",
        "TG402",
        "TG403",
        "TG404",
        "TG405",
        "TG406",
        "TG407",
        "TG409",
        "TG410",
        "TG411",
        "TG412",
        "TG413",
    ),
    *("TG503", "TG603", "TG604", "TG605"),
)
"""Rules whose examples are whole: nothing in them stands for four pages of something."""


def sections(rule: Rule[Any]) -> dict[str, str]:
    """What its documentation says, by headings; the first sentence under an empty one."""
    parts = re.split(r"^## (.*)$", rule.doc, flags=re.MULTILINE)
    return {"": parts[0].strip()} | {
        name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


@pytest.mark.parametrize("rule", OURS, ids=lambda rule: rule.code)
def test_it_says_what_and_why(rule: Rule[Any]) -> None:
    """One sentence, then the sections in their order, the first four at least; and how safe a fix is."""
    said = sections(rule)
    names = [name for name in said if name]
    assert said[""].endswith(".")
    assert "\n" not in said[""]
    assert names == [name for name in SECTIONS if name in names]
    assert set(SECTIONS[:5]) <= set(names)
    assert all(said[name] for name in names)
    assert rule.default or "extend-select" in said["Options"]


def found(rule: Rule[Any], text: str) -> list[Any]:
    """What a rule finds in an example."""
    if not text.startswith("{"):
        return rule.run(Text(text, "system"))
    shape = request_in(json.loads(text))
    assert shape is not None
    return rule.run(request(shape.body, shape.dialect))


@pytest.mark.parametrize("rule", [rule for rule in OURS if rule.code in SHOWN], ids=lambda rule: rule.code)
def test_its_example_is_one(rule: Rule[Any]) -> None:
    """The example is found, and what is to be used instead is not."""
    said = sections(rule)
    bad, good = BLOCK.search(said["Example"]), BLOCK.search(said["Use instead"])
    assert bad is not None
    assert found(rule, bad[2]) != []
    if good is not None:
        assert found(rule, good[2]) == []


def test_formats_are_called_what_they_are() -> None:
    """The names that rules know formats by are those of the formats."""
    assert MESSAGES.name == OF_ANTHROPIC
