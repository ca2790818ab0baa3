"""What bills taught of how models count, for commands, which only read a ledger."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tokenguard.errors import LedgerError
from tokenguard.ledger.connection import reader


class LearnedFrom:
    """The memory of a :class:`~tokenguard.tokens.calibration.Calibration` that learns nothing more.

    Args:
        path: The ledger's file; ``None`` for none. One that is missing or cannot be read taught nothing.
    """

    def __init__(self, path: str | Path | None) -> None:
        self._path = None if path is None else str(path)

    def learned(self, features: str) -> dict[tuple[str, str], str]:
        """The states by provider and model, of what was learned by these features."""
        if self._path is None:
            return {}
        try:
            with closing(reader(self._path)) as connection:
                rows = connection.execute(
                    "SELECT provider, model, state FROM learned WHERE features = ?", (features,)
                ).fetchall()
        except (LedgerError, sqlite3.Error):
            return {}
        return {(provider, model): state for provider, model, state in rows}

    def learn(self, provider: str, model: str, features: str, bills: int, state: str) -> None:
        """Keep nothing."""
