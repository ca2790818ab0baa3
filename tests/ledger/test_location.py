"""Where the ledger is when nobody says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tokenguard.ledger import SqliteLedger, default_path

HOME = Path.home()


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({}, "linux", HOME / ".local/state/tokenguard/ledger.db"),
        ({"XDG_STATE_HOME": "/state"}, "linux", Path("/state/tokenguard/ledger.db")),
        ({"XDG_STATE_HOME": "relative"}, "linux", HOME / ".local/state/tokenguard/ledger.db"),
        ({"XDG_STATE_HOME": ""}, "linux", HOME / ".local/state/tokenguard/ledger.db"),
        ({}, "darwin", HOME / "Library/Application Support/tokenguard/ledger.db"),
        ({"LOCALAPPDATA": "/local"}, "win32", Path("/local/tokenguard/ledger.db")),
        ({}, "win32", HOME / "AppData/Local/tokenguard/ledger.db"),
        ({"TOKENGUARD_LEDGER": "/mine.db", "XDG_STATE_HOME": "/state"}, "linux", Path("/mine.db")),
        ({"TOKENGUARD_LEDGER": "~/mine.db"}, "linux", HOME / "mine.db"),
    ],
)
def test_each_platform_has_its_place(environ: dict[str, str], platform: str, expected: Path) -> None:
    """The environment wins, then the platform's folder for state."""
    assert default_path(environ, platform) == expected


@pytest.mark.parametrize("word", ["off", "OFF", "false", "no", "0"])
def test_off_means_no_ledger(word: str) -> None:
    """It is not the name of a file."""
    assert default_path({"TOKENGUARD_LEDGER": word}) is None


def test_the_folders_of_a_ledger_are_made(tmp_path: Path) -> None:
    """Nobody has to make them first."""
    ledger = SqliteLedger(tmp_path / "a" / "b" / "mine.db")
    ledger.close()

    assert Path(ledger.path).is_file()


def test_a_path_may_begin_at_home_or_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays the same file when the program changes its directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for given, expected in (("ledger.db", tmp_path / "ledger.db"), ("~/l.db", tmp_path / "home" / "l.db")):
        ledger = SqliteLedger(given)
        ledger.close()
        assert ledger.path == str(expected)
