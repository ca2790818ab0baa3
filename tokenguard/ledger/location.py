"""Where the ledger is when nobody says."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_OFF = ("off", "no", "false", "0")


def default_path(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path | None:
    """``$TOKENGUARD_LEDGER``, else ``tokenguard/ledger.db`` in the platform's folder for state.

    ``None`` where the variable says ``off``: then there is to be no ledger.

    That folder is ``$XDG_STATE_HOME`` or ``~/.local/state`` (XDG Base Directory Specification 0.8),
    ``~/Library/Application Support`` on macOS and ``%LOCALAPPDATA%`` on Windows.
    """
    if chosen := environ.get("TOKENGUARD_LEDGER"):
        return None if chosen.lower() in _OFF else Path(chosen).expanduser()
    return _state_folder(environ, platform) / "tokenguard" / "ledger.db"


def _state_folder(environ: Mapping[str, str], platform: str) -> Path:
    if platform == "darwin":
        return Path("~/Library/Application Support").expanduser()
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or "~/AppData/Local").expanduser()
    # The specification says to ignore a relative path.
    given = Path(environ.get("XDG_STATE_HOME", ""))
    return given if given.is_absolute() else Path("~/.local/state").expanduser()
