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
from tokenguard.ledger.owner import this_process
from tokenguard.ledger.recovery import recover
from tokenguard.ledger.rows import INSERT_OUTCOME, opening, settlement
from tokenguard.ledger.store import Fact, Store
from tokenguard.ledger.writer import Writer

_WAIT_S: Final = 2.0


class SqliteLedger:
    """Every attempt in one file. Safe to share between threads, and to inherit by a fork.

    Example:
        >>> ledger = SqliteLedger("usage.db")
        >>> ledger.begin(attempt)   # on disk before the request is sent
        >>> ledger.settle(attempt)  # soon on disk, too
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
        """Open the file, making it where there is none, and mark what dead processes left behind.

        Args:
            path: The file, or ``:memory:`` for a ledger that is gone with the process.
            durability: ``normal``: a killed process loses nothing, a power cut may lose the last moments.
                ``full``: neither does; every call waits for the disk.
            wait_s: How long a call waits at most while another process keeps the file locked, in
                seconds. After that it goes on, and its row is written later.
            clock: The time, Unix nanoseconds.

        Raises:
            LedgerError: The file cannot be used. The message says why, and what to do.
        """
        self._path = MEMORY if str(path) == MEMORY else str(Path(path).expanduser().absolute())
        self._clock = clock
        # Not a method of ours: the writer must not keep alive who keeps it alive.
        open_store = partial(_open, self._path, durability, clock)
        store = open_store()
        try:
            recover(store.connection, clock())
        except sqlite3.Error as error:
            faults.note("ledger.recover", error)
        self._writer = Writer(open_store, store, wait_s, clock)
        _writers.add(self._writer)

    @property
    def path(self) -> str:
        """The file, absolute; or ``:memory:``."""
        return self._path

    @property
    def may_block(self) -> bool:
        """Whether :meth:`begin` may wait for a disk or another process: a file may, memory does not."""
        return self._path != MEMORY

    def begin(self, attempt: Attempt) -> None:
        """Write down that an attempt is about to be sent. It is committed on return.

        Takes some 50 us, and at most ``wait_s`` if another process keeps the file locked. Never raises
        for an operational fault: the call goes on, and the fault is counted as ``ledger.begin``.
        """
        try:
            self._writer.write_now(opening(attempt, self._owner_id()))
        except Exception as error:
            faults.note("ledger.begin", error)

    def begin_later(self, attempt: Attempt, done: Callable[[], None]) -> None:
        """The same without waiting: ``done`` is called exactly once, from any thread, also on failure."""
        try:
            row = opening(attempt, self._owner_id())
        except Exception as error:
            faults.note("ledger.begin", error)
            done()
        else:
            self._writer.write_later(row, done)

    def settle(self, attempt: Attempt) -> None:
        """Write down what became of an attempt, within some 25 ms. Never waits, never raises.

        The first settlement counts; another one of the same attempt changes nothing. It also counts
        where the attempt was never begun, or was taken for lost.
        """
        try:
            self._writer.write_soon(settlement(attempt, self._owner_id()))
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
            now_ns = self._clock()
            self._writer.write_fact(
                Fact(INSERT_OUTCOME, (uuid7(now_ns), kind, run_id, customer, value, now_ns))
            )
        except Exception as error:
            faults.note("ledger.outcome", error)

    def flush(self, timeout_s: float) -> bool:
        """Write everything that is queued, in at most ``timeout_s`` seconds. Says whether all is written."""
        return self._writer.flush(timeout_s)

    def close(self) -> None:
        """Flush, and let go of the file. Runs by itself when the interpreter exits; twice is fine."""
        self._writer.close()

    def reader(self) -> sqlite3.Connection:
        """A connection that can only read, for :mod:`tokenguard.ledger.queries` and your own SQL. Close it.

        Of a ledger in memory it is a copy.

        Raises:
            LedgerError: The file cannot be read.
        """
        self.flush(_WAIT_S)
        return connections.reader(self._path) if self.may_block else self._writer.copy()

    def _owner_id(self) -> str:
        return this_process(self._clock).id


def _open(path: str, durability: Durability, clock: Callable[[], int]) -> Store:
    _close_with_multiprocessing()
    return Store(path, durability, this_process(clock))


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
