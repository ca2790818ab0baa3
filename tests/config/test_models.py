"""The models say what the code says: the same settings, the same defaults, the same limits."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest

from tokenguard import Guard, Similar
from tokenguard.cache.similar.described import DescribedEmbedder
from tokenguard.config.lint import LintTable
from tokenguard.config.models import (
    CacheTable,
    Configuration,
    PolicyTable,
    PriceTable,
    RetryTable,
    TelemetryTable,
    keys,
)
from tokenguard.config.similar import SimilarTable

CODE_ONLY = {"self", "clock"}
FUNCTIONS = {"validate", "agrees"}
"""Of a policy, what is a function, and so can be given in code only."""


def parameters() -> dict[str, Any]:
    found = inspect.signature(Guard.__init__).parameters
    return {name: parameter.default for name, parameter in found.items() if name not in CODE_ONLY}


def test_every_argument_of_a_guard_can_be_said() -> None:
    """Nothing can be said in code only, but for the clock of tests."""
    assert set(Configuration.model_fields) == set(parameters())


@pytest.mark.parametrize("name", ["durability", "on_unpriced", "stream_usage", "prices"])
def test_plain_defaults_are_the_guard_s(name: str) -> None:
    """The reference shows what holds."""
    assert Configuration.model_fields[name].default == parameters()[name]


@pytest.mark.parametrize("table", [RetryTable, CacheTable, LintTable, TelemetryTable, PriceTable])
def test_a_table_is_its_policy(table: type[PolicyTable]) -> None:
    """Every field of a policy is a key, with the policy's default; but for functions."""
    fields = {field.name: field for field in dataclasses.fields(table.policy) if field.name not in FUNCTIONS}
    assert set(table.model_fields) == {*fields, *(LintTable.of_files if table is LintTable else ())}
    for name, field in fields.items():
        default = field.default_factory() if callable(field.default_factory) else field.default
        required = default is dataclasses.MISSING
        assert table.model_fields[name].is_required() == required
        if not required:
            assert table.model_fields[name].default == default


def test_the_table_of_similar_questions_is_its_policy_and_its_embedder() -> None:
    """Their fields are its keys, with their defaults."""
    embedder = {field.name: field for field in dataclasses.fields(DescribedEmbedder) if field.init}
    policy = {field.name: field for field in dataclasses.fields(Similar)}
    del policy["embedder"], policy["agrees"]
    assert set(SimilarTable.model_fields) == {*embedder, *policy}
    for name, field in {**embedder, **policy}.items():
        required = field.default is dataclasses.MISSING
        assert SimilarTable.model_fields[name].is_required() == required
        if not required:
            assert (SimilarTable.model_fields[name].default or None) == (field.default or None)


@pytest.mark.parametrize("table", [RetryTable, CacheTable, LintTable, TelemetryTable])
def test_a_table_with_nothing_in_it_is_the_default(table: type[PolicyTable]) -> None:
    """Writing a header alone changes nothing."""
    assert table().made() == table.policy()


def test_every_key_says_what_it_is_and_must_be() -> None:
    """Messages, the schema and the reference page are made from this."""
    for key in keys():
        assert key.must.be
        assert key.field.description
