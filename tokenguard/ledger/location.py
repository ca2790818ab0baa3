"""Where the ledger is when nobody says."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def default_path(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """``$TOKENGUARD_LEDGER``, else ``tokenguard/ledger.db`` in the platform's folder for state.

    That folder is ``$XDG_STATE_HOME`` or ``~/.local/state`` (XDG Base Directory Specification 0.8),
    ``~/Library/Application Support`` on macOS and ``%LOCALAPPDATA%`` on Windows.
    """
    if chosen := environ.get("TOKENGUARD_LEDGER"):
        return Path(chosen).expanduser()
    return _state_folder(environ, platform) / "tokenguard" / "ledger.db"


def _state_folder(environ: Mapping[str, str], platform: str) -> Path:
    if platform == "darwin":
        return Path("~/Library/Application Support").expanduser()
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or "~/AppData/Local").expanduser()
    # The specification says to ignore a relative path.
    given = Path(environ.get("XDG_STATE_HOME", ""))
    return given if given.is_absolute() else Path("~/.local/state").expanduser()
