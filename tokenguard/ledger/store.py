"""One open ledger file and the transactions that are made on it. Its writer holds a lock around each."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from tokenguard.ledger import connection as connections
from tokenguard.ledger.connection import MEMORY, Durability, patiently
from tokenguard.ledger.owner import Owner
from tokenguard.ledger.rows import INSERT_CALL, INSERT_LINE, INSERT_PRICE_SET, SETTLE_CALL, Row, Settlement

_INTRODUCE: Final = """
INSERT INTO owner (id, pid, host, start_ticks, started, after_row)
VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(row), 0) FROM call))
ON CONFLICT (id) DO NOTHING"""

_LONG_LOG_PAGES: Final = 8192
"""A write-ahead log of 32 MB is started over even if writers have to wait a moment for it."""


class Fact(NamedTuple):
    """A row that stands for itself, such as an outcome."""

    statement: str
    row: Row


class Batch(NamedTuple):
    """What is written in one transaction."""

    openings: Sequence[Row] = ()
    settlements: Sequence[Settlement] = ()
    facts: Sequence[Fact] = ()


class Store:
    """An open ledger and the process that writes to it."""

    def __init__(self, path: str, durability: Durability, owner: Owner) -> None:
        """Open it, making it where there is none.

        Raises:
            LedgerError: It cannot be used.
        """
        self.connection = connections.connect(path, durability)
        self.on_disk = path != MEMORY
        self._path = path
        self._durability = durability
        self._owner = owner
        self._introduced = False
        self._price_sets: set[str] = set()
        self._cursor = self.connection.cursor()
        self._checkpoints: sqlite3.Connection | None = None
        self._file = _file(path)

    def begin(self, row: Row, until: float) -> int:
        """Write one opening; the same as a batch of it, for half the price.

        Args:
            row: Of :func:`tokenguard.ledger.rows.opening`.
            until: How long to wait for another process, on the monotonic clock.

        Returns:
            How many attempts are under way that were not before.

        Raises:
            sqlite3.Error: Nothing was written.
        """
        if not self._introduced:
            return self.write(Batch(openings=[row]), until)
        try:
            self._cursor.execute(INSERT_CALL, row)  # a single statement is a transaction of its own
        except sqlite3.OperationalError as error:
            if not connections.is_busy(error):
                raise
            patiently(lambda: self._cursor.execute(INSERT_CALL, row), until)
        return self._cursor.rowcount

    def write(self, batch: Batch, until: float) -> int:
        """Write a batch: all of it or nothing. Returns and raises as :meth:`begin` does."""
        execute = self._cursor.execute
        patiently(lambda: execute("BEGIN IMMEDIATE"), until)
        try:
            if not self._introduced:
                owner = self._owner
                execute(_INTRODUCE, (owner.id, owner.pid, owner.host, owner.start_ticks, owner.started_ns))
            opened = self._open(batch.openings)
            settled = self._settle(batch.settlements) if batch.settlements else 0
            for statement, row in batch.facts:
                execute(statement, row)
            execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # what brought us here is what the caller has to hear of
                if self.connection.in_transaction:
                    execute("ROLLBACK")
            raise
        self._introduced = True
        self._price_sets.update(s.price_set for s in batch.settlements if s.price_set is not None)
        return opened - settled

    def _open(self, openings: Sequence[Row]) -> int:
        if not openings:
            return 0
        self._cursor.executemany(INSERT_CALL, openings)
        return self._cursor.rowcount

    def _settle(self, settlements: Sequence[Settlement]) -> int:
        """Settle a group, and say how many attempts are no longer under way.

        In the usual case each has a row that is still open, and one update does.
        """
        cursor = self._cursor
        cursor.execute("SAVEPOINT settling")
        cursor.executemany(SETTLE_CALL, [settlement.closing for settlement in settlements])
        over = len(settlements)
        if cursor.rowcount != over:
            cursor.execute("ROLLBACK TO settling")
            settlements, over = self._settle_each(settlements)
        cursor.execute("RELEASE settling")
        cursor.executemany(INSERT_LINE, [line for settlement in settlements for line in settlement.lines])
        for settlement in settlements:
            self._note_price_set(settlement)
        return over

    def _settle_each(self, settlements: Sequence[Settlement]) -> tuple[list[Settlement], int]:
        """Settle one by one, where a row was never begun or is settled already; the latter are left out."""
        execute, new, over = self._cursor.execute, [], 0
        for settlement in settlements:
            over -= execute(INSERT_CALL, settlement.opening).rowcount
            if execute(SETTLE_CALL, settlement.closing).rowcount:
                over += 1
                new.append(settlement)
        return new, over

    def _note_price_set(self, settlement: Settlement) -> None:
        price_set = settlement.price_set
        if price_set is not None and price_set not in self._price_sets:
            # A user's own prices add "+" and a hash to the name of the public ones.
            source = price_set.partition("+")[0]
            self._cursor.execute(INSERT_PRICE_SET, (price_set, source, settlement.started_ns))

    def checkpoint(self) -> bool:
        """Move what was committed from the log to the file. It waits for the disk, but nobody waits for it.

        It has a connection of its own, so it needs no lock of the writer's.

        Returns:
            Whether the log has become so long that it should be started over.
        """
        if not self.on_disk:
            return False
        if self._checkpoints is None:
            self._checkpoints = connections.connect(self._path, self._durability)
        _, pages, _ = self._checkpoints.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return bool(pages >= _LONG_LOG_PAGES)

    def start_log_over(self) -> None:
        """Checkpoint the rest of the log, so that the next commit writes at its beginning."""
        if self._checkpoints is not None:
            self._checkpoints.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()

    def in_place(self) -> bool:
        """Whether the file is still the one that was opened: SQLite goes on writing to a deleted one."""
        return not self.on_disk or self._file == _file(self._path)

    def leave(self, now_ns: int, until: float) -> None:
        """Write down that this process goes, and has nothing under way. Raises as :meth:`begin` does."""
        if self._introduced:
            ended = "UPDATE owner SET ended = ? WHERE id = ?"
            patiently(lambda: self._cursor.execute(ended, (now_ns, self._owner.id)), until)

    def close(self) -> None:
        """Let go of the file. A store that is closed twice stays closed."""
        for connection in (self._checkpoints, self.connection):
            if connection is not None:
                connection.close()


def _file(path: str) -> tuple[int, int]:
    """What the path leads to; nothing is nobody's file."""
    try:
        found = Path(path).stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino
