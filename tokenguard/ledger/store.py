"""One open ledger file and the transactions that are made on it. Its writer holds a lock around each."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from tokenguard import faults
from tokenguard.ledger import connection as connections
from tokenguard.ledger.connection import MEMORY, Durability, patiently
from tokenguard.ledger.rows import (
    INSERT_LINE,
    INSERT_OPENING,
    INSERT_OUTCOME,
    INSERT_PRICE_SET,
    INSERT_SETTLED,
    QUANTITY,
    STARTED,
    UPSERT_LEARNED,
    Row,
    Settlement,
    storable,
)

_LONG_LOG_PAGES: Final = 8192
"""A write-ahead log of 32 MB is started over even if writers have to wait a moment for it."""

_BAD_ROW: Final = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    OverflowError,
    UnicodeError,
)
"""The row is at fault, not the file."""


T = TypeVar("T")


class Batch(NamedTuple):
    """What is written in one transaction.

    Attributes:
        openings: Rows of :func:`tokenguard.ledger.rows.opening`, each with its state at the end.
        settlements: Attempts that are over.
        outcomes: What calls achieved.
        learned: What was learned of how models count.
    """

    openings: Sequence[Row] = ()
    settlements: Sequence[Settlement] = ()
    outcomes: Sequence[Row] = ()
    learned: Sequence[Row] = ()


class Store:
    """An open ledger."""

    def __init__(self, path: str, durability: Durability) -> None:
        """Open it, making it where there is none.

        Raises:
            LedgerError: It cannot be used.
        """
        self.connection = connections.connect(path, durability)
        self.on_disk = path != MEMORY
        self._path = path
        self._durability = durability
        self._price_sets: set[str] = set()
        self._cursor = self.connection.cursor()
        self._checkpoints: sqlite3.Connection | None = None
        self._file = _file(path)

    def write(self, batch: Batch, until: float) -> None:
        """Write a batch: all of it or nothing.

        Args:
            batch: What to write; what is in the ledger already changes nothing.
            until: How long to wait for another process, on the monotonic clock.

        Raises:
            sqlite3.Error: Nothing was written.
        """
        self._transaction(until, lambda: self._insert(batch))
        self._price_sets.update(s.price_set for s in batch.settlements if s.price_set is not None)

    def write_all(self, batch: Batch, until: float) -> None:
        """The same, but if a row cannot be stored as it is, no other is lost for it.

        Raises:
            sqlite3.Error: The file could not be written to, and only a part of the batch is.
        """
        try:
            self.write(batch, until)
        except _BAD_ROW:
            for single in _storable_singles(batch):
                try:
                    self.write(single, until)
                except _BAD_ROW as error:
                    faults.note("ledger.row", error)

    def execute(self, statement: str, values: Sequence[Any], until: float) -> int:
        """Change rows by one statement; gives how many. Raises as :meth:`write` does."""
        return self._transaction(until, lambda: self._cursor.execute(statement, values).rowcount)

    def _transaction(self, until: float, change: Callable[[], T]) -> T:
        execute = self._cursor.execute
        patiently(lambda: execute("BEGIN IMMEDIATE"), until)
        try:
            made = change()
            execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # what brought us here is what the caller has to hear of
                if self.connection.in_transaction:
                    execute("ROLLBACK")
            raise
        return made

    def _insert(self, batch: Batch) -> None:
        if batch.openings:
            self._cursor.executemany(INSERT_OPENING, batch.openings)
        if batch.settlements:
            self._settle(batch.settlements)
        if batch.outcomes:
            self._cursor.executemany(INSERT_OUTCOME, batch.outcomes)
        if batch.learned:
            self._cursor.executemany(UPSERT_LEARNED, batch.learned)

    def _settle(self, settlements: Sequence[Settlement]) -> None:
        """Settle a group. In the usual case none of it was settled before, and one insert does."""
        cursor = self._cursor
        cursor.execute("SAVEPOINT settling")
        cursor.executemany(INSERT_SETTLED, [(*one.opening, *one.closing) for one in settlements])
        if cursor.rowcount != len(settlements):
            cursor.execute("ROLLBACK TO settling")
            settlements = self._settle_each(settlements)
        cursor.execute("RELEASE settling")
        cursor.executemany(INSERT_LINE, [line for one in settlements for line in one.lines])
        for one in settlements:
            self._note_price_set(one)

    def _settle_each(self, settlements: Sequence[Settlement]) -> list[Settlement]:
        """Settle one by one; gives those that were not settled already, whose lines are to be written."""
        execute = self._cursor.execute
        return [one for one in settlements if execute(INSERT_SETTLED, (*one.opening, *one.closing)).rowcount]

    def _note_price_set(self, settlement: Settlement) -> None:
        price_set = settlement.price_set
        if price_set is not None and price_set not in self._price_sets:
            # A user's own prices add "+" and a hash to the name of the public ones.
            source = price_set.partition("+")[0]
            self._cursor.execute(INSERT_PRICE_SET, (price_set, source, settlement.opening[STARTED]))

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

    def close(self) -> None:
        """Let go of the file. A store that is closed twice stays closed."""
        for connection in (self._checkpoints, self.connection):
            if connection is not None:
                connection.close()


def _storable_singles(batch: Batch) -> Iterator[Batch]:
    """A batch for each row, with what cannot be stored replaced."""
    for row in batch.openings:
        yield Batch(openings=[storable(row)])
    for one in batch.settlements:
        lines = [line for line in map(storable, one.lines) if line[QUANTITY] is not None]
        opening, closing = storable(one.opening), storable(one.closing)
        yield Batch(settlements=[one._replace(opening=opening, closing=closing, lines=lines)])
    for row in batch.outcomes:
        yield Batch(outcomes=[storable(row)])
    for row in batch.learned:
        yield Batch(learned=[storable(row)])


def _file(path: str) -> tuple[int, int]:
    """What the path leads to; nothing is nobody's file."""
    try:
        found = Path(path).stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino
