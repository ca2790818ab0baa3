"""Group commit: one transaction for everything that waits.

A thread that finds nobody writing writes at once, by itself: handing the row to another thread would
cost two switches and nearly twice the CPU. One that finds somebody writing queues its row, and a
background thread commits the queue. That thread also writes what nobody waits for, and makes the
checkpoints.

Nothing here may wait while it is called from a finalizer: settling only appends to a queue and rings
a bell, and both of these are safe to do in the middle of themselves.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar

from tokenguard import faults
from tokenguard.ledger.connection import MEMORY, is_busy
from tokenguard.ledger.rows import QUANTITY, Row, Settlement, storable
from tokenguard.ledger.store import Batch, Fact, Store

_GATHER_S: Final = 0.025
"""How long rows that nobody waits for are gathered."""
_GROUP: Final = 256
"""At most so many rows of a kind in one transaction, so that other processes get their turn."""
_QUEUED: Final = 100_000
"""Rows that wait while the file cannot be written to, about 100 MB; further ones are dropped."""
_RETRY_S: Final = 1.0
_LOOK_S: Final = 1.0
_COMMITS_PER_CHECKPOINT: Final = 200
_HOLD_S: Final = 5.0
"""How long a fork, or the end of the program, waits for a transaction that is under way."""

_BAD_ROW: Final = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    OverflowError,
    UnicodeError,
)
"""The row is at fault, not the file."""

T = TypeVar("T")


class Opening(NamedTuple):
    """A row that opens an attempt, and whom to tell once it is written."""

    row: Row
    done: Callable[[], None] | None


class Writer:
    """Writes one ledger for all threads of this process."""

    def __init__(
        self, open_store: Callable[[], Store], store: Store, wait_s: float, clock: Callable[[], int]
    ) -> None:
        """Take over an open store.

        Args:
            open_store: Opens the file anew, after a fork or a fault.
            store: The file as it is open now.
            wait_s: How long a call waits for the file at most, in seconds.
            clock: The time, Unix nanoseconds.
        """
        self._open_store = open_store
        self._store: Store | None = store
        self._wait_s = wait_s
        self._clock = clock
        self._in_flight = 0
        self._closed = False
        self._trouble: Exception | None = None
        self._quiet = False
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._writing = threading.Lock()
        self._checkpointing = threading.Lock()
        self._starting = threading.Lock()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._openings: deque[Opening] = deque()
        self._settlements: deque[Settlement] = deque()
        self._facts: deque[Fact] = deque()
        self._thread: threading.Thread | None = None
        # The thread refers to us weakly while it sleeps, and through this while there is work for it.
        self._busy: list[Writer | None] = [None]
        self._asleep = True
        self._commits = 0
        self._looked = time.monotonic()

    def write_now(self, row: Row) -> None:
        """Write an opening; it is committed on return, unless the file cannot be written to."""
        if self._trouble is not None or self._closed:
            self._fail_open(row)
            return
        if self._thread is None:
            self._start()
        if self._writing.acquire(blocking=False):
            try:
                told = self._lead(row)
            finally:
                self._release()
            _tell(told)
        else:
            self._follow(row)

    def write_later(self, row: Row, done: Callable[[], None]) -> None:
        """Write an opening at once, in the background, and call ``done``; exactly once, also on failure."""
        if self._trouble is not None or self._closed:
            self._fail_open(row)
        elif self._queue(self._openings, Opening(row, done), "ledger.begin"):
            self._ring()
            return
        _tell([done])

    def write_soon(self, settlement: Settlement) -> None:
        """Write a settlement with the next group. Safe in a finalizer."""
        if self._queue(self._settlements, settlement, "ledger.settle") and self._asleep:
            self._ring()

    def write_fact(self, fact: Fact) -> None:
        """Write a row of another kind with the next group."""
        if self._queue(self._facts, fact, "ledger.outcome") and self._asleep:
            self._ring()

    def flush(self, timeout_s: float) -> bool:
        """Write everything that is queued, in this thread. Says whether nothing is left."""
        until = time.monotonic() + timeout_s
        # What another thread has taken off the queues is written once it lets go of the lock.
        while self._writing.acquire(timeout=max(0.0, until - time.monotonic())):
            try:
                if not self._waiting():
                    return True
                written, told = self._write_group(until)
            finally:
                self._release()
            _tell(told)
            if not written:
                break
        return False

    def close(self) -> None:
        """Flush, and let go of the file. Closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        until = time.monotonic() + self._wait_s
        self.flush(self._wait_s)
        lost = len(self._openings) + len(self._settlements) + len(self._facts)
        if self._hold(_HOLD_S):
            try:
                self._let_go(None if lost or self._in_flight else self._clock(), until)
            finally:
                self._unhold()
        if lost:
            faults.note("ledger.close", self._trouble or TimeoutError(f"{lost} rows could not be written"))
        _strike(self._bell)

    def __del__(self) -> None:
        # Nobody refers to us any more. Nothing is queued then: as long as there is, the thread does.
        if not self._closed:
            self._closed = True
            self._let_go(None if self._in_flight else self._clock(), 0)

    def _let_go(self, ended_ns: int | None, until: float) -> None:
        store, self._store = self._store, None
        if store is None:
            return
        if ended_ns is not None:
            with suppress(sqlite3.Error):  # then the next process to open the file finds out by itself
                store.leave(ended_ns, until)
        store.close()

    def copy(self) -> sqlite3.Connection:
        """A copy, in memory, of what is written."""
        copy = sqlite3.connect(MEMORY, isolation_level=None, check_same_thread=False)
        with self._writing:
            self._opened().connection.backup(copy)
        return copy

    def _lead(self, row: Row) -> list[Callable[[], None]]:
        """Write a row, and what queued up meanwhile. The lock is ours. Returns whom to tell."""
        until = time.monotonic() + self._wait_s
        if self._openings:
            self._openings.appendleft(Opening(row, None))
            return self._write_group(until, openings_only=True)[1]
        try:
            self._in_flight += self._opened().begin(row, until)
            self._commits += 1
            self._trouble = None
        except _BAD_ROW:
            self._salvage(Batch(openings=[row]), until)
        except BaseException as error:
            self._openings.append(Opening(row, None))
            self._in_trouble("ledger.begin", error)
        return []

    def _follow(self, row: Row) -> None:
        """Let whoever writes next write this row too, and wait for it."""
        written = threading.Lock()
        written.acquire()
        if not self._queue(self._openings, Opening(row, written.release), "ledger.begin"):
            return
        # Whoever was writing may be gone, and may have looked at the queue before we were in it.
        if self._writing.acquire(blocking=False):
            try:
                told = self._write_group(time.monotonic() + self._wait_s, openings_only=True)[1]
            finally:
                self._release()
            _tell(told)
        if not written.acquire(timeout=self._wait_s):
            self._trouble = TimeoutError(f"the ledger was busy for {self._wait_s} s")
            faults.note("ledger.begin", self._trouble)

    def _write_group(
        self, until: float, *, openings_only: bool = False
    ) -> tuple[bool, list[Callable[[], None]]]:
        """Write one group. The lock is ours.

        Returns:
            Whether it was written (if not, it is queued again), and whom to tell that it is over.
        """
        openings = _take(self._openings)
        told = [opening.done for opening in openings if opening.done is not None]
        batch = Batch(
            [opening.row for opening in openings],
            () if openings_only else _take(self._settlements),
            () if openings_only else _take(self._facts),
        )
        try:
            return self._write_batch(batch, until), told
        except BaseException:
            _tell(told)
            raise

    def _write_batch(self, batch: Batch, until: float) -> bool:
        try:
            self._in_flight += self._opened().write(batch, until)
        except _BAD_ROW:
            if not self._salvage(batch, until):
                return False
        except BaseException as error:
            self._queue_again(batch)
            self._in_trouble("ledger.begin" if batch.openings else "ledger.settle", error)
            return False
        self._commits += 1
        self._trouble = None
        return True

    def _salvage(self, batch: Batch, until: float) -> bool:
        """Write the rows of a batch one by one, since one of them cannot be stored as it is."""
        singles = list(_storable_singles(batch))
        for i, single in enumerate(singles):
            try:
                self._in_flight += self._opened().write(single, until)
            except _BAD_ROW as error:
                faults.note("ledger.row", error)
            except BaseException as error:
                for left in reversed(singles[i:]):
                    self._queue_again(left)
                self._in_trouble("ledger.row", error)
                return False
        return True

    def _queue_again(self, batch: Batch) -> None:
        self._openings.extendleft(Opening(row, None) for row in reversed(batch.openings))
        self._settlements.extendleft(reversed(batch.settlements))
        self._facts.extendleft(reversed(batch.facts))

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def _in_trouble(self, where: str, error: BaseException) -> None:
        """The file cannot be written to: until it can, calls go on without waiting for it.

        Raises:
            BaseException: The error, if it is none of the file's, such as a keyboard interrupt.
        """
        if not isinstance(error, Exception):
            raise error
        self._trouble = error
        faults.note(where, error)
        if self._store is not None and self._store.on_disk and not is_busy(error):
            store, self._store = self._store, None
            with suppress(sqlite3.Error):  # it is broken; that is why we close it
                store.close()

    def _fail_open(self, row: Row) -> None:
        """Queue an opening that nobody waits for: waiting in vain once more would slow every call down."""
        if self._trouble is not None:
            faults.note("ledger.begin", self._trouble)
        if self._queue(self._openings, Opening(row, None), "ledger.begin") and self._asleep:
            self._ring()

    def _queue(self, queue: deque[T], item: T, where: str) -> bool:
        if self._closed:
            faults.note(where, RuntimeError("the ledger is closed"))
            return False
        if len(queue) >= _QUEUED:
            faults.note(
                "ledger.dropped", self._trouble or OverflowError(f"{_QUEUED} rows wait to be written")
            )
            return False
        queue.append(item)
        return True

    def _waiting(self) -> bool:
        return bool(self._openings or self._settlements or self._facts)

    def _release(self) -> None:
        """Let go of the lock, and see that what was queued while it was held is written."""
        self._writing.release()
        if self._openings:
            self._ring()

    def _ring(self) -> None:
        """Wake the background thread."""
        self._asleep = False
        self._busy[0] = self
        if self._thread is None:
            self._start()
        _strike(self._bell)

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None and not self._closed:
                bell = self._bell
                me = weakref.ref(self, lambda _: _strike(bell))
                work = (me, bell, self._busy)
                thread = threading.Thread(target=_serve, args=work, name="tokenguard-ledger", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError as error:  # the interpreter is shutting down: closing writes what is queued
            faults.note("ledger.thread", error)
        finally:
            self._starting.release()

    def work(self) -> bool:
        """Write until nothing is left. Says whether there may be more to do some day."""
        while not self._closed:
            if not self._waiting():
                self._busy[0] = None
                self._asleep = True
                if not self._waiting():  # nothing was queued, with no bell rung, between the two lines
                    return True
                self._asleep = False
            if not self._openings and len(self._settlements) < _GROUP and self._trouble is None:
                self._bell.acquire(timeout=_GATHER_S)  # rung by those who wait
            with self._writing:
                if self._closed:  # while we gathered: the file is not to be opened again
                    return False
                self._look()
                written, told = self._write_group(time.monotonic() + self._wait_s)
            _tell(told)
            if not written:
                self._bell.acquire(timeout=_RETRY_S)
            elif self._commits >= _COMMITS_PER_CHECKPOINT:
                self._checkpoint()
        return False

    def _look(self) -> None:
        """Find out, now and then, whether somebody took the file away. The lock is ours."""
        now = time.monotonic()
        if self._store is None or now - self._looked < _LOOK_S:
            return
        self._looked = now
        if not self._store.in_place():
            self._in_trouble("ledger.file", FileNotFoundError("the ledger's file was removed or replaced"))

    def _checkpoint(self) -> None:
        self._commits = 0
        try:
            with self._checkpointing:
                store = self._store
                if store is not None and store.checkpoint():
                    with self._writing:
                        store.start_log_over()
        except Exception as error:
            faults.note("ledger.checkpoint", error)

    def _hold(self, timeout_s: float) -> bool:
        """Keep everybody from the file, if they let go of it in time."""
        if not self._checkpointing.acquire(timeout=timeout_s):
            return False
        if self._writing.acquire(timeout=timeout_s):
            return True
        self._checkpointing.release()
        return False

    def _unhold(self) -> None:
        self._checkpointing.release()
        self._release()

    def before_fork(self) -> None:
        """Let go of the file: SQLite's locks belong to a process, and a child must inherit none of them."""
        self._quiet = self._hold(_HOLD_S)
        if self._quiet and self._store is not None and self._store.on_disk:
            self._let_go(None, 0)

    def after_fork_in_parent(self) -> None:
        """Go on; the file is opened again when it is needed."""
        if self._quiet:
            self._unhold()

    def after_fork_in_child(self) -> None:
        """Begin anew: what the parent queued is the parent's to write."""
        if not self._quiet and self._store is not None:
            _inherited.append(self._store)  # in use when we forked: neither to be used nor to be closed
            self._store = None
        self._in_flight = 0
        self._trouble = None
        self._start_afresh()


_inherited: list[Store] = []


def _serve(me: weakref.ref[Writer], bell: threading.Lock, _busy: list[Writer | None]) -> None:
    """The background thread: sleep until the bell rings, then work; end with the writer."""
    while True:
        bell.acquire()
        writer = me()
        try:
            if writer is None or not writer.work():
                return
        except Exception as error:  # whatever it is, rows are still to be written
            faults.note("ledger.thread", error)
        del writer


def _strike(bell: threading.Lock) -> None:
    with suppress(RuntimeError):  # it rings already
        bell.release()


def _take(queue: deque[T]) -> list[T]:
    return [queue.popleft() for _ in range(min(len(queue), _GROUP))]


def _tell(told: Iterable[Callable[[], None]]) -> None:
    for done in told:
        try:
            done()
        except Exception as error:
            faults.note("ledger.done", error)


def _storable_singles(batch: Batch) -> Iterator[Batch]:
    for row in batch.openings:
        yield Batch(openings=[storable(row)])
    for one in batch.settlements:
        lines = [line for line in map(storable, one.lines) if line[QUANTITY] is not None]
        yield Batch(
            settlements=[
                one._replace(opening=storable(one.opening), closing=storable(one.closing), lines=lines)
            ]
        )
    for statement, row in batch.facts:
        yield Batch(facts=[Fact(statement, storable(row))])
