"""The reference page says what the models say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tokenguard import Guard
from tokenguard.config import guard_arguments, load
from tokenguard.config.models import keys
from tokenguard.config.variables import variable_keys, variable_name

from .reference import SECTIONS, sections_of_models, tables

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r'```toml title="tokenguard.toml"\n(.*?)```', PAGE, re.S)


@pytest.mark.parametrize("section", SECTIONS.values())
def test_every_key_is_in_the_reference(section: str) -> None:
    """With what it must be and what it is; ``python -m tests.config.reference`` prints the tables."""
    assert tables()[section] in PAGE


def test_the_reference_has_every_section_and_no_other_key() -> None:
    """A key that is gone is gone from the page."""
    assert set(SECTIONS) == sections_of_models()
    rows = re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.M)
    assert sorted(rows) == sorted(key.path[-1] for key in keys())


def test_the_example_says_every_key_and_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example is complete but for keys that exclude others, and a guard takes it."""
    monkeypatch.setenv("EMBEDDINGS_KEY", "sk-x")
    assert EXAMPLE is not None
    path = tmp_path / "tokenguard.toml"
    path.write_text(EXAMPLE[1], encoding="utf-8")
    settings = load(path, environ={})
    said = {path for value in settings.sources.values() for path in value}
    for key in keys():
        dotted = ".".join(key.path)
        if f"\n# {key.path[-1]} = " in EXAMPLE[1]:
            continue
        entries = _array_around(key.path, settings.values)
        if entries is not None:
            assert any(key.path[-1] in entry for entry in entries)
        else:
            assert any(one == dotted or one.startswith(dotted + ".") for one in said)
    (tmp_path / "var").mkdir()
    Guard(**guard_arguments(settings)).close()


def _array_around(path: tuple[str, ...], values: Any) -> list[dict[str, Any]] | None:
    """The tables of the array that a key is in; ``None`` for one that is in none."""
    for name in path[:-1]:
        values = values[name]
    return values if isinstance(values, list) else None


def test_the_variables_in_the_page_exist() -> None:
    """Whoever copies one from the page gets what it says."""
    shown = set(re.findall(r"\bTOKENGUARD_[A-Z_]+[A-Z]", PAGE))
    known = {variable_name(path) for path in variable_keys()}
    others = {
        "TOKENGUARD_CONFIG",
        "TOKENGUARD_TAGS__TEAM",
        "TOKENGUARD_SERVICE_HOST",
        "TOKENGUARD_PORT",
    }
    assert shown <= known | others
