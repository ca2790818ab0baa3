"""The ledger: one row for every attempt, written before it is sent and settled once it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenguard.ledger.base import Ledger
from tokenguard.ledger.location import default_path

if TYPE_CHECKING:
    from tokenguard.ledger.sqlite import SqliteLedger

__all__ = ["Ledger", "SqliteLedger", "default_path"]


def __getattr__(name: str) -> Any:
    # sqlite3 takes some 10 ms to import, and a guard without a ledger does not need it.
    if name == "SqliteLedger":
        from tokenguard.ledger.sqlite import SqliteLedger

        return SqliteLedger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
