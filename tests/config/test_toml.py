"""Settings written as TOML are the settings that are read from it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tokenguard.config import guard_arguments, load
from tokenguard.config.models import Configuration
from tokenguard.config.toml import document, dotted, literal, name

from .conftest import Load

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.dates() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)


@given(key=TEXTS, value=VALUES)
def test_a_literal_is_the_value(key: str, value: Any) -> None:
    """Whatever a value holds, TOML reads it back as it was."""
    assert tomllib.loads(f"{name(key)} = {literal(value)}\n") == {key: value}


def test_what_is_shown_can_be_loaded(loaded: Load, tmp_path: Path) -> None:
    """The effective settings, saved and loaded, make the same guard."""
    said = loaded(
        """
        retry = false
        ledger = "x.db"
        [tags]
        "cost center" = "4711 \\u007f"
        [[prices]]
        model = "a"
        discount = "5%"
        from = 2026-07-01
        [[prices]]
        model = "b"
        per_request = 0.5
        prices = { input = 1, output = "2.50" }
        """,
        TOKENGUARD_TELEMETRY__SPANS="off",
    )
    saved = tmp_path / "saved.toml"
    saved.write_text(document(said), encoding="utf-8")
    again = load(saved, environ={})
    expected = guard_arguments(said)
    prices = expected.pop("prices")
    found = guard_arguments(again)
    assert [price.canonical() for price in found.pop("prices")] == [price.canonical() for price in prices]
    assert expected.items() <= found.items()


def test_every_value_is_shown_with_its_origin(loaded: Load, folder: Path) -> None:
    """Where a value comes from stands beside it."""
    lines = document(loaded("retry = 3\n", TOKENGUARD_RETRY__CAP_S="1")).splitlines()
    assert f"retries = 3  # {folder / 'tokenguard.toml'}:1" in lines
    assert "cap_s = 1.0  # TOKENGUARD_RETRY__CAP_S" in lines
    assert "base_s = 0.5  # default" in lines
    assert "# ledger: `tokenguard/ledger.db` in the user's folder for state" in lines


def test_a_secret_is_not_shown(loaded: Load, folder: Path) -> None:
    """That there is one is, and where it comes from."""
    key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    said = loaded("[cache]\nstore = 'disk'\n", TOKENGUARD_CACHE__ENCRYPTION_KEY=key)
    shown = document(said)
    assert "# encryption_key: (not shown)  # TOKENGUARD_CACHE__ENCRYPTION_KEY" in shown.splitlines()
    assert key not in shown
    assert key not in str(Configuration.model_validate(said.values).effective())


def test_nothing_configured_is_shown_too(loaded: Load) -> None:
    """The defaults are a file as well."""
    assert tomllib.loads(document(loaded()))["durability"] == "normal"


def test_a_path_is_written_as_people_do() -> None:
    """Dots, and brackets for entries."""
    assert dotted(("prices", 0, "a b", "x")) == 'prices[0]."a b".x'
