"""The ledger in one SQLite file, shared by every thread and process that opens it."""

from __future__ import annotations

import atexit
import os
import sqlite3
import sys
import time
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from tokenguard import faults
from tokenguard.call import Attempt, uuid7
from tokenguard.ledger import connection as connections
from tokenguard.ledger.connection import MEMORY, Durability
from tokenguard.ledger.journal import Journal, folder_of
from tokenguard.ledger.recovery import recover
from tokenguard.ledger.rows import opening, settlement
from tokenguard.ledger.store import Store
from tokenguard.ledger.writer import Writer

_WAIT_S: Final = 2.0
_CLOSED: Final = "the ledger is closed"


class SqliteLedger:
    """Every attempt in one file. Safe to share between threads, and to inherit by a fork.

    Example:
        >>> ledger = SqliteLedger("usage.db")
        >>> ledger.begin(attempt)   # in the journal before the request is sent: kill -9 does not lose it
        >>> ledger.settle(attempt)  # in the journal, and soon in the ledger
        >>> ledger.close()
    """

    def __init__(
        self,
        path: str | Path,
        *,
        durability: Durability = "normal",
        wait_s: float = _WAIT_S,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Open the file, making it where there is none, and bring in what dead processes left behind.

        Args:
            path: The file, or ``:memory:`` for a ledger that is gone with the process.
            durability: ``normal``: a killed process loses nothing, a power cut may lose the last moments.
                ``full``: neither does; every call waits for the disk.
            wait_s: How long the background thread, and :meth:`close`, wait at most while another
                process keeps the file locked, in seconds. Calls never wait for it.
            clock: The time, Unix nanoseconds.

        Raises:
            LedgerError: The file cannot be used. The message says why, and what to do.
        """
        self._path = MEMORY if str(path) == MEMORY else str(Path(path).expanduser().absolute())
        self._synced = durability == "full" and self._path != MEMORY
        self._clock = clock
        # Not a method of ours: the writer must not keep alive who keeps it alive.
        open_store = partial(_open, self._path, durability)
        store = open_store()
        folder = None
        if self._path != MEMORY:
            folder = folder_of(self._path)
            try:
                recover(store, folder, clock())
            except sqlite3.Error as error:
                faults.note("ledger.recover", error)
        self._folder = folder
        self._journal = Journal(folder, synced=self._synced)
        self._writer = Writer(open_store, store, self._journal, wait_s)
        _writers.add(self._writer)

    @property
    def path(self) -> str:
        """The file, absolute; or ``:memory:``."""
        return self._path

    @property
    def may_block(self) -> bool:
        """Whether :meth:`begin` waits for a disk: it does with ``durability="full"``."""
        return self._synced

    def begin(self, attempt: Attempt) -> None:
        """Write down that an attempt is about to be sent. It outlives this process on return.

        Takes some 10 us, or with ``durability="full"`` as long as the disk takes. Never raises for an
        operational fault: the call goes on, and the fault is counted as ``ledger.begin``.
        """
        try:
            if self._writer.closed:
                raise RuntimeError(_CLOSED)
            self._journal.opened(opening(attempt))
        except Exception as error:
            faults.note("ledger.begin", error)

    def settle(self, attempt: Attempt) -> None:
        """Write down what became of an attempt. Never waits, never raises.

        It outlives this process on return, and is in the file within some 250 ms; what the cache did instead
        of an attempt, for which no money is owed, outlives it only then. The first settlement counts, also
        where the attempt was never begun, or was taken for lost; another one of it changes nothing.
        """
        try:
            if self._writer.closed:
                raise RuntimeError(_CLOSED)
            made = settlement(attempt, self._journal.begun(attempt.id))
            try:
                if attempt.role != "cache":
                    self._journal.settled(made)
            finally:
                self._writer.write_settlement(made)
        except Exception as error:
            faults.note("ledger.settle", error)

    def outcome(
        self, kind: str, *, run_id: str | None = None, customer: str | None = None, value: float | None = None
    ) -> None:
        """Write down what calls achieved, for cost per outcome. Never waits, never raises.

        Args:
            kind: What was achieved: ``ticket_resolved``, ``lead`` ...
            run_id: The run that achieved it.
            customer: The customer it was for.
            value: What it is worth, in a unit of your own.
        """
        try:
            if self._writer.closed:
                raise RuntimeError(_CLOSED)
            now_ns = self._clock()
            row = (uuid7(now_ns), kind, run_id, customer, value, now_ns)
            try:
                self._journal.outcome(row)
            finally:
                self._writer.write_outcome(row)
        except Exception as error:
            faults.note("ledger.outcome", error)

    def learn(self, provider: str, model: str, features: str, bills: int, state: str) -> None:
        """Keep what was learned of how a model counts. Never waits, never raises.

        It is in the file soon; a killed process loses the last of it. What was learned from more bills stays.

        Args:
            provider: Whose model it is.
            model: Its name.
            features: What of requests it was learned by; each set of them is kept by itself.
            bills: From how many bills it was learned.
            state: What was learned.
        """
        if not self._writer.closed:
            self._writer.write_learned((provider, model, features, bills, state))

    def learned(self, features: str) -> dict[tuple[str, str], str]:
        """What was learned by these features, by provider and model; nothing where it cannot be read."""
        try:
            rows = self._writer.exclusively(
                lambda store: store.connection.execute(
                    "SELECT provider, model, state FROM learned WHERE features = ?", (features,)
                ).fetchall()
            )
        except Exception as error:
            faults.note("ledger.learned", error)
            return {}
        return {(provider, model): state for provider, model, state in rows}

    def flush(self, timeout_s: float) -> bool:
        """Bring everything into the file, what is under way too, in at most ``timeout_s`` seconds.

        Says whether that worked; if not, it is still in the journal.
        """
        return self._writer.closed or self._writer.flush(timeout_s)

    def close(self) -> None:
        """Flush, and let go of the file. Runs by itself when the interpreter exits; twice is fine."""
        self._writer.close()

    def reader(self) -> sqlite3.Connection:
        """A connection that can only read, for :mod:`tokenguard.ledger.queries` and your own SQL. Close it.

        It sees all that this process and others have written down so far. Of a ledger in memory it is a
        copy.

        Raises:
            LedgerError: The file cannot be read.
        """
        self.flush(_WAIT_S)
        if self._folder is None:
            return self._writer.exclusively(_copied)
        folder, now_ns = self._folder, self._clock()
        try:
            self._writer.exclusively(lambda store: recover(store, folder, now_ns, living=True))
        except sqlite3.Error as error:
            faults.note("ledger.recover", error)
        return connections.reader(self._path)


def _open(path: str, durability: Durability) -> Store:
    _close_with_multiprocessing()
    return Store(path, durability)


def _copied(store: Store) -> sqlite3.Connection:
    copy = sqlite3.connect(MEMORY, isolation_level=None, check_same_thread=False)
    store.connection.backup(copy)
    return copy


_writers: weakref.WeakSet[Writer] = weakref.WeakSet()
_closes_in: int | None = None


def _close_all() -> None:
    for writer in list(_writers):
        writer.close()


def _close_with_multiprocessing() -> None:
    """See that the ledgers of a process of multiprocessing are closed: it leaves without running atexit."""
    global _closes_in
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None and _closes_in != os.getpid():
        from multiprocessing.util import Finalize

        _closes_in = os.getpid()
        Finalize(None, _close_all, exitpriority=100)


def _each(step: Callable[[Writer], None]) -> Callable[[], None]:
    def run() -> None:
        for writer in list(_writers):
            try:
                step(writer)
            except Exception as error:
                faults.note("ledger.fork", error)

    return run


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_each(Writer.before_fork),
        after_in_parent=_each(Writer.after_fork_in_parent),
        after_in_child=_each(Writer.after_fork_in_child),
    )
