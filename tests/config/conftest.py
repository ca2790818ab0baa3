from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tokenguard.config import Settings, load

Load = Callable[..., Settings]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a checkout, so that the search for a file ends there."""
    (tmp_path / ".git").mkdir()
    return tmp_path


@pytest.fixture
def loaded(folder: Path) -> Load:
    """Load a ``tokenguard.toml`` of this text, with these variables and no others."""

    def load_text(text: str | None = None, **environ: str) -> Settings:
        if text is not None:
            (folder / "tokenguard.toml").write_text(text, encoding="utf-8")
        return load(environ=environ, start=folder)

    return load_text
