from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tokenguard.cli import main

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


class Ended(NamedTuple):
    """How the command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Ended]


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``tokenguard`` in this process, which takes a tenth of the time of a new one."""
    monkeypatch.chdir(folder)

    def run(*arguments: str, **environ: str) -> Ended:
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("TOKENGUARD_")]:
                patch.delenv(name)
            for name, value in {**clean_environment(folder), **environ}.items():
                patch.setenv(name, value)
            patch.setattr("sys.argv", ["tokenguard", *arguments])
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def run(command: Run) -> Run:
    """``tokenguard cache``, likewise."""
    return partial(command, "cache")
