"""The page about caching says what the code does."""

from __future__ import annotations

import re

from tokenguard.cache.eligibility import CACHEABLE, RULES
from tokenguard.cache.key import MAY_IGNORE
from tokenguard.cache.storing import REFUSALS, WHOLE

from .reference import NAMES, PAGE, written

TEXT = PAGE.read_text("utf-8")


def test_the_tables_are_current() -> None:
    """``python -m tests.cache.reference`` writes them."""
    assert written(TEXT) == TEXT


def test_every_format_has_a_name() -> None:
    """A new one is not left out of the page."""
    assert set(NAMES) == set(CACHEABLE)
    assert {dialect for rule in RULES for dialect in rule.dialects} <= set(NAMES)
    assert set(WHOLE) <= set(NAMES)


def test_every_reason_is_explained() -> None:
    """Those of rules and refusals, and those that are neither."""
    reasons = {rule.reason for rule in RULES} | {name for name, _ in REFUSALS}
    explained = set(re.findall(r"^\| `([a-z_]+)` \|", TEXT, re.M))
    assert reasons | {"endpoint", "not_json", "asked_for", "store", "slow"} <= explained


def test_what_can_be_ignored_is_named() -> None:
    """All of it, in the sentence about ``ignore``."""
    (sentence,) = re.findall(r"`Cache\(ignore=\(([^)]*)\)\)`", TEXT)
    assert {name.strip(' "') for name in sentence.split(",") if name.strip()} == set(MAY_IGNORE)
