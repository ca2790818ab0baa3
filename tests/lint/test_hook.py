"""The pre-commit hook: what it runs, and on which files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml

from tests.cli.conftest import RunCommand, folder, tokenguard  # noqa: F401 # fixtures
from tests.lint.project.conftest import write
from tokenguard.lint.sources import SOURCES

ROOT = Path(__file__).parents[2]
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())


def test_the_hook_is_given_every_kind_of_file() -> None:
    """By the ends of their names, whatever folder they are in."""
    for suffix in [suffix for source in SOURCES for suffix in source.suffixes]:
        assert re.search(HOOK["files"], f"prompts/a{suffix}"), suffix
    assert not re.search(HOOK["files"], "prompts/a.png")


def test_the_hook_runs(tokenguard: RunCommand, folder: Path) -> None:  # noqa: F811
    """With the files that changed; it passes over what is no prompt, and fails for what is wrong."""
    command, *arguments = shlex.split(HOOK["entry"])
    assert command == "tokenguard"
    write(folder, "README.md", "")
    write(folder, "prompts/a.md", "")
    assert tokenguard(*arguments, "README.md").returncode == 0
    ran = tokenguard(*arguments, "README.md", "prompts/a.md")
    assert ran.returncode == 1
    assert ran.stdout.startswith("prompts/a.md:1:1 TG004 ")
