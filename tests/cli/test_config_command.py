"""``tokenguard config``: is it right, what does it come to, what may be said."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from tokenguard.config import json_schema

from .conftest import RunCommand


def test_check_tells_what_was_read_and_what_holds(tokenguard: RunCommand, folder: Path) -> None:
    """The files and variables with the keys they decide, then every setting."""
    (folder / "tokenguard.toml").write_text('durability = "full"\n[retry]\nretries = 3\n')
    ran = tokenguard("config", "check", TOKENGUARD_RETRY__CAP_S="2")
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[0] == "# OK. What was read:"
    width = len(str(folder / "tokenguard.toml"))
    assert f"# {folder / 'tokenguard.toml'}  durability, retry.retries" in lines
    assert f"# {'TOKENGUARD_RETRY__CAP_S':<{width}}  retry.cap_s" in lines
    settings = tomllib.loads(ran.stdout)
    assert settings["durability"] == "full"
    assert settings["retry"] == {"retries": 3, "base_s": 0.5, "cap_s": 2.0, "max_retry_after_s": 120.0}


def test_check_finds_every_mistake(tokenguard: RunCommand, folder: Path) -> None:
    """One line each, and 2."""
    (folder / "tokenguard.toml").write_text("durability = 1\nretrys = 1\n")
    ran = tokenguard("config", "check")
    assert ran.returncode == 2
    assert len(ran.stderr.splitlines()) == 2


def test_check_without_a_configuration_is_no_mistake(tokenguard: RunCommand) -> None:
    """It says that there is none, and shows the defaults."""
    ran = tokenguard("config", "check")
    assert ran.returncode == 0
    assert ran.stdout.startswith("# Nothing is configured")
    assert tomllib.loads(ran.stdout)["stream_usage"] is True


def test_check_tells_of_a_table_that_is_not_read(tokenguard: RunCommand, folder: Path) -> None:
    """Two files in one folder are a trap."""
    (folder / "tokenguard.toml").write_text("retry = 1\n")
    (folder / "pyproject.toml").write_text("[tool.tokenguard]\nretry = 2\n")
    ran = tokenguard("config", "check")
    assert f"# {folder / 'pyproject.toml'} has [tool.tokenguard] too, which is not read" in ran.stdout


def test_check_takes_a_file_or_a_folder(tokenguard: RunCommand, folder: Path) -> None:
    """For other people's files, and for CI."""
    (folder / "app").mkdir()
    (folder / "app" / "tokenguard.toml").write_text('durability = "full"\n')
    for path in ("app", "app/tokenguard.toml"):
        ran = tokenguard("config", "check", path, "--json")
        assert ran.returncode == 0
        told = json.loads(ran.stdout)
        assert told["ok"] is True
        assert told["sources"] == {str(folder / "app" / "tokenguard.toml"): ["durability"]}
        assert told["settings"]["durability"] == "full"


def test_check_speaks_json_of_mistakes_too(tokenguard: RunCommand, folder: Path) -> None:
    """Machines read the same lines, and 2."""
    (folder / "tokenguard.toml").write_text("retrys = 1\n")
    ran = tokenguard("config", "check", "--json")
    assert ran.returncode == 2
    told = json.loads(ran.stdout)
    assert told["ok"] is False
    assert "unknown key 'retrys'" in told["errors"][0]


def test_show_prints_a_file(tokenguard: RunCommand, folder: Path) -> None:
    """Every value with its origin, and JSON for machines."""
    (folder / "tokenguard.toml").write_text("ledger = false\n")
    shown = tokenguard("config", "show").stdout
    assert f"ledger = false  # {folder / 'tokenguard.toml'}:1\n" in shown
    told = json.loads(tokenguard("config", "show", "--json").stdout)
    assert told["settings"]["ledger"] is False


def test_schema_is_the_schema(tokenguard: RunCommand) -> None:
    """Ready to be saved for an editor."""
    assert json.loads(tokenguard("config", "schema").stdout) == json_schema()
