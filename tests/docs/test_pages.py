"""Everything that a page shows is run: Python blocks in order, console lines one by one."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tokenguard.testing import Provider

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


@pytest.fixture
def surroundings(tmp_path: Path):
    """A provider in place of both APIs, and a ledger of the page's own."""
    with Provider() as provider:
        yield {
            **os.environ,
            "OPENAI_API_KEY": "test",
            "OPENAI_BASE_URL": provider.openai_url,
            "ANTHROPIC_API_KEY": "test",
            "ANTHROPIC_BASE_URL": provider.anthropic_url,
            "TOKENGUARD_LEDGER": str(tmp_path / "ledger.db"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if BLOCK.search(page.read_text())],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_a_page_runs_as_it_stands(page: Path, surroundings: dict[str, str], tmp_path: Path) -> None:
    """What a reader pastes from a page works, from the first block to the last command."""
    program = "\n".join(blocks(page, "python"))
    if program:
        run([sys.executable, "-c", program], surroundings, tmp_path)
    for line in "".join(blocks(page, "console")).splitlines():
        if line.startswith("$ "):
            run(shlex.split(line[2:], comments=True), surroundings, tmp_path)


def run(command: list[str], environment: dict[str, str], folder: Path) -> None:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{command[:3]}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
