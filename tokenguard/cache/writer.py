"""One thread that writes to a store, so that no call waits for a disk, and keeps up the leases of calls.

What is put on its queue is done in that order. Where a store cannot keep up, answers are not kept rather
than memory be filled with them. What takes long is done a step at a time, between all else.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from tokenguard import faults
from tokenguard.cache.store import CacheStore

LEASE_S: Final = 10.0
"""For how long a lease holds without its owner: that long others wait for a process that was killed."""

_RENEW_S: Final = LEASE_S / 3
_TOUCH_S: Final = 60.0
_SWEEP_S: Final = 0.005
"""Between two steps of a sweep that nobody waits for: as long as another process may nap meanwhile."""
_MOST_BYTES: Final = 64 * 2**20


class _Work(NamedTuple):
    do: Callable[[], object] | None  # None: end
    size: int = 0


class Writer:
    """Does things to a store, one after the other, on a thread that is started when it is needed."""

    def __init__(self, store: CacheStore, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._queue: SimpleQueue[_Work] = SimpleQueue()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._waiting_bytes = 0
        self._leases: set[str] = set()
        self._used: set[str] = set()
        self._sweeps: deque[Iterator[None]] = deque()
        flush = weakref.WeakMethod(self.flush)
        atexit.register(lambda: (method := flush()) and method(5.0))

    def do(self, work: Callable[[], object], size: int = 0) -> bool:
        """Have something done soon. Never waits; False where too many bytes wait already."""
        with self._lock:
            if size and self._waiting_bytes + size > _MOST_BYTES:
                return False
            self._waiting_bytes += size
            self._queue.put(_Work(work, size))
            self._start()
        return True

    def sweep(self, *, at_once: bool = True) -> None:
        """Have what was given up removed, a step at a time; ``at_once``, or when there is something to do."""
        with self._lock:
            self._sweeps.append(self._store.sweep())
            if at_once:
                self.do(lambda: None)

    def used(self, key: str) -> None:
        """Note that an entry was used; the store hears of it within a minute."""
        self._used.add(key)
        if self._thread is None:
            with self._lock:
                self._start()

    def keep_up(self, name: str) -> None:
        """Prolong a lease until it is given back."""
        with self._lock:
            self._leases.add(name)
            self._start()

    def keeps_up(self, name: str) -> bool:
        """Whether a lease is being prolonged."""
        return name in self._leases

    def give_back(self, name: str) -> None:
        """Give a lease back, once all that was asked for before is done."""
        self._leases.discard(name)
        self.do(lambda: self._store.release(name, self._owner))

    def flush(self, timeout_s: float = 10.0, *, sweeps: bool = True) -> bool:
        """Wait until all that was asked for is done, sweeps included; False if that took too long."""
        if self._thread is None or not self._thread.is_alive():
            self._touch()
            return self._queue.empty()
        done = threading.Event()
        self.do(self._touch)
        self.do(partial(self._when_swept, done) if sweeps else done.set)
        return done.wait(timeout_s)

    def _when_swept(self, done: threading.Event) -> None:
        if self._sweeps:
            self.do(partial(self._when_swept, done))  # behind the next step
        else:
            done.set()

    def close(self) -> None:
        """Do what is left, and end the thread."""
        self.flush()
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(_Work(None))
        if thread is not None:
            thread.join(5.0)

    def after_fork(self, owner: str) -> None:
        """In a copy of the process there is no such thread, and what waits is the original's to do.

        Args:
            owner: Who takes leases from now on: the original's are not ours.
        """
        self._owner = owner
        self._queue, self._lock, self._thread = SimpleQueue(), threading.RLock(), None
        self._waiting_bytes, self._leases, self._used = 0, set(), set()
        self._sweeps = deque([self._store.sweep()])  # the original may do nothing from now on

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._serve, name="tokenguard-cache", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        queue, renewed, touched = self._queue, time.monotonic(), time.monotonic()
        while True:
            try:
                work = queue.get(timeout=self._idle_s)
            except Empty:
                work = _Work(lambda: None)
            if work.do is None:
                return
            self._carry_out(work.do)
            if work.size:
                with self._lock:
                    self._waiting_bytes -= work.size
            self._carry_out(self._sweep_on)
            now = time.monotonic()
            if now - renewed >= _RENEW_S:
                renewed = now
                self._renew()
            if now - touched >= _TOUCH_S:
                touched = now
                self._touch()

    @property
    def _idle_s(self) -> float:
        """For how long there is nothing to do but what is put on the queue."""
        if self._sweeps:
            return _SWEEP_S
        return _RENEW_S if self._leases else _TOUCH_S

    def _sweep_on(self) -> None:
        """The next step of what takes long. One that fails is given up; the next process begins anew."""
        if not self._sweeps:
            return
        sweep = self._sweeps.popleft()
        for _ in sweep:
            self._sweeps.appendleft(sweep)
            return

    def _renew(self) -> None:
        for name in tuple(self._leases):
            self._carry_out(lambda name=name: self._store.acquire(name, self._owner, LEASE_S))  # type: ignore[misc]

    def _touch(self) -> None:
        used, self._used = self._used, set()
        if used:
            self._carry_out(lambda: self._store.touch(used))

    def _carry_out(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:
            faults.note("cache.store", error)
