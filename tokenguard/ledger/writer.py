"""Bring what is in the journal into the ledger: in groups, in the background, in one transaction each.

Nobody waits for it. A call appends to the journal and to a queue here; a thread of its own writes the
queue a moment later, and makes the checkpoints.

Nothing here may wait while it is called from a finalizer: settling only appends to a queue and rings
a bell, and both of these are safe to do in the middle of themselves.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from tokenguard import faults
from tokenguard.ledger.connection import is_busy
from tokenguard.ledger.journal import Journal
from tokenguard.ledger.rows import Row, Settlement
from tokenguard.ledger.store import Batch, Store

_GATHER_S: Final = 0.25
"""How long rows are gathered: they are in the journal, and a transaction for each would cost far more."""
_GROUP: Final = 256
"""At most so many rows of a kind in one transaction, so that other processes get their turn."""
_QUEUED: Final = 100_000
"""Rows that wait while the file cannot be written to, about 100 MB; further ones are left to the journal."""
_RETRY_S: Final = 1.0
_LOOK_S: Final = 1.0
_ROWS_PER_CHECKPOINT: Final = 1_000
"""Some 2 MB of write-ahead log, which is mapped into memory as long as it is not moved into the file."""
_HOLD_S: Final = 5.0
"""How long a fork, or the end of the program, waits for a transaction that is under way."""

T = TypeVar("T")


class Writer:
    """Writes one ledger for all threads of this process."""

    def __init__(
        self, open_store: Callable[[], Store], store: Store, journal: Journal, wait_s: float
    ) -> None:
        """Take over an open store and its journal.

        Args:
            open_store: Opens the file anew, after a fork or a fault.
            store: The file as it is open now.
            journal: Where all that is queued here is written already.
            wait_s: How long a transaction waits for the file at most, in seconds.
        """
        self.journal = journal
        self._open_store = open_store
        self._store: Store | None = store
        self._wait_s = wait_s
        self._quiet = False
        self.closed = False
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._writing = threading.Lock()
        self._checkpointing = threading.Lock()
        self._starting = threading.Lock()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._settlements: deque[Settlement] = deque()
        self._outcomes: deque[Row] = deque()
        self._learned: dict[Row, Row] = {}
        self._thread: threading.Thread | None = None
        # The thread refers to us weakly while it sleeps, and through this while there is work for it.
        self._busy: list[Writer | None] = [None]
        self._asleep = True
        self._trouble: Exception | None = None
        self._rows = 0
        self._looked = time.monotonic()

    def write_settlement(self, settlement: Settlement) -> None:
        """Write a settlement with the next group. Safe in a finalizer."""
        self._queue(self._settlements, settlement)

    def write_outcome(self, row: Row) -> None:
        """Write an outcome with the next group."""
        self._queue(self._outcomes, row)

    def write_learned(self, row: Row) -> None:
        """Write what was learned of a model with the next group; only the last that was said of it."""
        self._learned[row[:3]] = row
        if self._asleep:
            self._ring()

    def flush(self, timeout_s: float) -> bool:
        """Write, in this thread, what is queued and what is under way. Says whether that worked."""
        until = time.monotonic() + timeout_s
        # What another thread has taken off the queues is written once it lets go of the lock.
        while self._writing.acquire(timeout=max(0.0, until - time.monotonic())):
            try:
                if not self._waiting():
                    return self._write_under_way(until)
                if not self._write_group(until):
                    break
            finally:
                self._writing.release()
        return False

    def close(self) -> None:
        """Flush, and let go of the file. Closing twice is fine."""
        if self.closed:
            return
        self.closed = True
        self.flush(self._wait_s)
        left = len(self._settlements) + len(self._outcomes)
        if self._hold(_HOLD_S):
            try:
                self._let_go()
            finally:
                self._unhold()
        self.journal.close()
        if left:
            error = self._trouble or TimeoutError(f"{left} rows could not be written")
            faults.note("ledger.close", error)
        _strike(self._bell)

    def __del__(self) -> None:
        # Nobody refers to us any more. Nothing is queued then: as long as there is, the thread does.
        if not self.closed:
            self.closed = True
            self._let_go()
            self.journal.close()

    def _let_go(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def opened(self) -> Store:
        """The open file. Whoever uses it holds the lock."""
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def exclusively(self, work: Callable[[Store], T]) -> T:
        """Do something with the open file while nobody writes."""
        with self._writing:
            return work(self.opened())

    def _write_under_way(self, until: float) -> bool:
        openings = [(*row, "sent") for row in self.journal.under_way()]
        return not openings or self._write_batch(Batch(openings), until)

    def _write_group(self, until: float) -> bool:
        """Write one group. The lock is ours. Says whether it was written; if not, it is queued again."""
        learned = [self._learned.pop(named) for named in list(self._learned)]
        batch = Batch((), _take(self._settlements), _take(self._outcomes), learned)
        try:
            written = self._write_batch(batch, until)
        except BaseException:
            self._queue_again(batch)
            raise
        if not written:
            self._queue_again(batch)
            return False
        self.journal.in_ledger([one.opening[0] for one in batch.settlements])
        self.journal.in_ledger([row[0] for row in batch.outcomes])
        return True

    def _write_batch(self, batch: Batch, until: float) -> bool:
        try:
            self.opened().write_all(batch, until)
        except Exception as error:
            self._in_trouble(error)
            return False
        self._rows += len(batch.settlements) + len(batch.outcomes)
        self._trouble = None
        return True

    def _queue_again(self, batch: Batch) -> None:
        self._settlements.extendleft(reversed(batch.settlements))
        self._outcomes.extendleft(reversed(batch.outcomes))
        for row in batch.learned:
            self._learned.setdefault(row[:3], row)

    def _in_trouble(self, error: Exception) -> None:
        """The file cannot be written to. Calls do not notice: it is tried again, now and then."""
        self._trouble = error
        faults.note("ledger.write", error)
        if self._store is not None and self._store.on_disk and not is_busy(error):
            with suppress(Exception):  # it is broken; that is why we close it
                self._let_go()

    def _queue(self, queue: deque[T], item: T) -> None:
        if len(queue) >= _QUEUED:
            error = self._trouble or OverflowError(f"{_QUEUED} rows wait to be written")
            faults.note("ledger.dropped", error)
            return
        queue.append(item)
        if self._asleep or len(queue) == _GROUP:
            self._ring()

    def _waiting(self) -> bool:
        return bool(self._settlements or self._outcomes or self._learned)

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
            if self._thread is None and not self.closed:
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
        while not self.closed:
            if not self._waiting():
                self._busy[0] = None
                self._asleep = True
                if not self._waiting():  # nothing was queued, with no bell rung, between the two lines
                    return True
                self._asleep = False
            if len(self._settlements) < _GROUP and self._trouble is None:
                self._bell.acquire(timeout=_GATHER_S)  # rung when a group is full
            with self._writing:
                if self.closed:  # while we gathered: the file is not to be opened again
                    return False
                self._look()
                written = not self._waiting() or self._write_group(time.monotonic() + self._wait_s)
            if not written:
                self._bell.acquire(timeout=_RETRY_S)
            elif self._rows >= _ROWS_PER_CHECKPOINT:
                self._checkpoint()
        return False

    def _look(self) -> None:
        """Find out, now and then, whether somebody took a file away. The lock is ours."""
        now = time.monotonic()
        if self._store is None or now - self._looked < _LOOK_S:
            return
        self._looked = now
        if not self._store.in_place():
            self._in_trouble(FileNotFoundError("the ledger's file was removed or replaced"))
        if not self.journal.in_place():
            faults.note("ledger.journal", FileNotFoundError("the journal's file was removed"))
            try:
                self.journal.renew()
            except OSError as error:
                faults.note("ledger.journal", error)

    def _checkpoint(self) -> None:
        self._rows = 0
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
        self._writing.release()

    def before_fork(self) -> None:
        """Let go of the file: SQLite's locks belong to a process, and a child must inherit none of them."""
        self._quiet = self._hold(_HOLD_S)
        if self._quiet and self._store is not None and self._store.on_disk:
            self._let_go()

    def after_fork_in_parent(self) -> None:
        """Go on; the file is opened again when it is needed."""
        if self._quiet:
            self._unhold()
            if self._waiting():
                self._ring()

    def after_fork_in_child(self) -> None:
        """Begin anew: what the parent queued is the parent's to write."""
        if not self._quiet and self._store is not None:
            _inherited.append(self._store)  # in use when we forked: neither to be used nor to be closed
            self._store = None
        self.journal.after_fork_in_child()
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
