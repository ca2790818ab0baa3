"""Every rule is explained, and the reference says what the rules say of themselves."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tokenguard.lint.rule import SECTIONS, Rule
from tokenguard.lint.rules import RULES

from .reference import FAMILIES, FOLDER, anchor, of, pages

CODE = re.compile(r"TG\d{3}")
NOBODYS = "TG999"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_has_all_sections(rule: Rule[Any]) -> None:
    """One sentence; what, why, an example and what to use instead; in this order, and nothing else."""
    first, rest = rule.doc.split("\n", 1)
    sections = re.split(r"^## (.*)$", rest, flags=re.M)
    names, texts = sections[1::2], sections[2::2]
    assert first.endswith(".")
    assert not sections[0].strip()
    assert names == [name for name in SECTIONS if name in names]
    assert set(SECTIONS[:4]) <= set(names)
    assert all(text.strip() for text in texts)
    assert rule.doc.count("```") % 2 == 0


def test_codes_and_names_are_those_of_one_rule() -> None:
    """A code is three digits, a name words with hyphens; neither is used twice."""
    assert all(CODE.fullmatch(rule.code) for rule in RULES)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", rule.name) for rule in RULES)
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)


def test_the_pages_are_current() -> None:
    """``python -m tests.lint.reference`` writes them; one that is no more is not left."""
    written = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.md")}
    assert written == pages()


def test_every_rule_is_on_one_page() -> None:
    """A family that is new is not left out."""
    assert sorted(rule.code for family in FAMILIES for rule in of(family)) == [rule.code for rule in RULES]


def test_what_rules_refer_to_is_there() -> None:
    """Codes are those of rules, and links lead to a rule on the same page."""
    codes = {rule.code for rule in RULES}
    for family in FAMILIES:
        anchors = {anchor(rule) for rule in of(family)}
        for rule in of(family):
            assert set(CODE.findall(rule.doc)) <= {*codes, NOBODYS}, rule.code
            assert set(re.findall(r"\]\(#([^)]*)\)", rule.doc)) <= anchors, rule.code
