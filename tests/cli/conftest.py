from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("tokenguard")

Ran = subprocess.CompletedProcess[str]
RunCommand = Callable[..., Ran]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory of its own, where the search for a configuration ends."""
    (tmp_path / ".git").mkdir()
    return tmp_path


@pytest.fixture
def tokenguard(folder: Path) -> RunCommand:
    """Run the installed command in ``folder``, with these variables beside the usual ones."""

    def run(*arguments: str, **environ: str) -> Ran:
        return subprocess.run(
            [str(COMMAND), *arguments],
            cwd=folder,
            env={**clean_environment(folder), **environ},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def clean_environment(folder: Path) -> dict[str, str]:
    """The environment of this process, without settings, and with no home of anybody's to write to."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOKENGUARD_", "COV_"))}
    return {**kept, "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "COLUMNS": "100"}
