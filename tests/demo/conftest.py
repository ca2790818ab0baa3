from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("tokenguard")
SETTINGS = ("TOKENGUARD_", "OPENAI_", "ANTHROPIC_", "OTEL_", "COV_")

Ran = subprocess.CompletedProcess[str]
RunDemo = Callable[..., Ran]


@pytest.fixture(scope="session")
def run_demo(tmp_path_factory: pytest.TempPathFactory) -> RunDemo:
    """Run ``tokenguard demo`` in a folder of its own, without keys, homes or settings of anybody's."""

    def run(*arguments: str, stdin: str = "", **environ: str) -> Ran:
        folder = tmp_path_factory.mktemp("demo")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
        home = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}
        ran = subprocess.run(
            [str(COMMAND), "demo", *arguments],
            cwd=folder,
            env={**kept, **home, **environ},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert not (folder / "state").exists()  # the user's own ledger is not touched
        return ran

    return run
