"""The models say what the code says: the same settings, the same defaults, the same limits."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest

from tokenguard import Guard
from tokenguard.config.models import (
    CacheTable,
    Configuration,
    PolicyTable,
    PriceTable,
    RetryTable,
    TelemetryTable,
    keys,
)

CODE_ONLY = {"self", "clock"}
FUNCTIONS = {"validate", "similar"}
"""Of a policy, what is a function or holds one, and so can be given in code only."""


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


@pytest.mark.parametrize("table", [RetryTable, CacheTable, TelemetryTable, PriceTable])
def test_a_table_is_its_policy(table: type[PolicyTable]) -> None:
    """Every field of a policy is a key, with the policy's default; but for functions."""
    fields = {field.name: field for field in dataclasses.fields(table.policy) if field.name not in FUNCTIONS}
    assert set(table.model_fields) == set(fields)
    for name, field in fields.items():
        default = field.default_factory() if callable(field.default_factory) else field.default
        required = default is dataclasses.MISSING
        assert table.model_fields[name].is_required() == required
        if not required:
            assert table.model_fields[name].default == default


@pytest.mark.parametrize("table", [RetryTable, CacheTable, TelemetryTable])
def test_a_table_with_nothing_in_it_is_the_default(table: type[PolicyTable]) -> None:
    """Writing a header alone changes nothing."""
    assert table().made() == table.policy()


def test_every_key_says_what_it_is_and_must_be() -> None:
    """Messages, the schema and the reference page are made from this."""
    for key in keys():
        assert key.must.be
        assert key.field.description
