"""The ``tokenguard`` command as a whole: quick, honest about exit codes, no traceback for a mistake."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tokenguard import __version__
from tokenguard.cli import COMMANDS, EXIT_CODES, Command

from .conftest import COMMAND, RunCommand, clean_environment


def test_it_says_its_version(tokenguard: RunCommand) -> None:
    """For bug reports."""
    ran = tokenguard("--version")
    assert (ran.returncode, ran.stdout) == (0, f"tokenguard {__version__}\n")


def test_help_lists_every_command_and_every_exit_code(tokenguard: RunCommand) -> None:
    """One line for each command; the exit codes are a promise."""
    ran = tokenguard("--help")
    assert ran.returncode == 0
    words = " ".join(ran.stdout.split())
    for name, command in COMMANDS.items():
        assert f"{name} {command.summary}" in words
    assert " ".join(EXIT_CODES.split()) in words


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_nothing_is_imported_that_is_not_run(folder: Path, argument: str) -> None:
    """Neither the commands nor what they need are paid for by those who only ask for help."""
    script = (
        "import sys; from tokenguard.cli import main; sys.argv[1:] = [sys.argv[1]]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'rich', 'sqlite3', 'genai_prices', 'opentelemetry'}\n"
        "ours = {name for name in sys.modules if name.startswith('tokenguard.cli.')}\n"
        "sys.exit(' '.join(heavy & sys.modules.keys() | ours) or None)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, argument], capture_output=True, text=True, cwd=folder)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_misspelt_command_is_told_with_the_nearest(tokenguard: RunCommand) -> None:
    """Wrong usage ends with 2."""
    ran = tokenguard("confg")
    assert ran.returncode == 2
    assert "Did you mean 'config'" in ran.stderr


def test_a_command_without_a_mistake_in_it_ends_with_0(tokenguard: RunCommand) -> None:
    """A command that is loaded late runs like any other."""
    ran = tokenguard("prices", "gpt-4.1", "--json")
    assert ran.returncode == 0
    assert '"model": "gpt-4.1"' in ran.stdout


def test_help_of_a_command_is_its_own(tokenguard: RunCommand) -> None:
    """The command is loaded to tell its options."""
    ran = tokenguard("prices", "--help")
    assert ran.returncode == 0
    assert "Usage: tokenguard prices" in ran.stdout
    assert "--provider" in ran.stdout


def test_a_mistake_is_a_message_and_no_traceback(tokenguard: RunCommand, folder: Path) -> None:
    """Whatever tokenguard raises on purpose ends with 2 and its message on standard error."""
    (folder / "tokenguard.toml").write_text("retry = true\n")
    ran = tokenguard("config", "show")
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr == (
        f"tokenguard: {folder / 'tokenguard.toml'}:1: "
        "retry must be a number of retries, false or a [retry] table, not true\n"
    )


def test_a_reader_may_go_away(folder: Path) -> None:
    """``tokenguard config schema | head -1`` ends quietly."""
    ran = subprocess.run(
        ["bash", "-c", f"{COMMAND} config schema | true; exit ${{PIPESTATUS[0]}}"],
        cwd=folder,
        env=clean_environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stderr == ""
    assert ran.returncode in (0, 1)  # 0 if the pipe took everything before its reader went


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_that_is_listed_is_there(command: Command) -> None:
    """The table names modules that are imported late; this imports them now."""
    assert hasattr(importlib.import_module(command.module), command.attribute)
