"""Threads for what may block: whoever asks waits for as long as it wants to, and then goes on without.

What is abandoned cannot be stopped. It holds its thread until it ends by itself, and its result is dropped.
The threads are daemons, so that a program can end while one of them hangs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from tokenguard import faults

T = TypeVar("T")

_MOST: Final = 64
"""Threads; an event loop has 40 of its own to ask from (anyio's default)."""

_IDLE_S: Final = 60.0


class LateError(Exception):
    """Something took too long, and was not waited for any longer."""


class _Job:
    """Something to do, until it is done or abandoned."""

    def __init__(self, work: Callable[[], Any], undo: Callable[[Any], object] | None) -> None:
        self._work = work
        self._undo = undo
        self._lock = threading.Lock()
        self._abandoned = False
        self._error: BaseException | None = None
        self._value: Any = None
        self.over = threading.Event()

    def do(self) -> None:
        if self._abandoned:
            return
        try:
            self._value = self._work()
        except BaseException as error:
            self._error = error
        with self._lock:
            undone = self._abandoned and self._error is None
            self.over.set()
        if undone and self._undo is not None:
            try:
                self._undo(self._value)
            except Exception as error:
                faults.note("cache.lookup", error)

    def abandon(self) -> bool:
        """Wait no longer; False where it is over already."""
        with self._lock:
            self._abandoned = not self.over.is_set()
            return self._abandoned

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value


class _Worker:
    """One thread."""

    def __init__(self, of: Aside) -> None:
        self._of = of
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        threading.Thread(target=self._serve, name="tokenguard-lookup", daemon=True).start()

    def give(self, job: _Job | None) -> None:
        self._jobs.put(job)

    def _serve(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_IDLE_S)
            except Empty:
                if self._of.dismiss(self):
                    return
                continue  # a job is on its way
            if job is None:
                return
            job.do()
            del job  # what it gave is not to be kept until the next one
            self._of.take_back(self)


class Aside:
    """Does things on threads of its own, which are started when they are needed."""

    def __init__(self) -> None:
        self.after_fork()

    def after_fork(self) -> None:
        """Start anew: in a copy of the process there are no such threads."""
        self._lock = threading.Lock()
        self._free = threading.Semaphore(_MOST)
        self._idle: list[_Worker] = []

    def do(self, work: Callable[[], T], timeout_s: float, undo: Callable[[T], object] | None = None) -> T:
        """Do something, and give what it gives.

        Args:
            work: What to do.
            timeout_s: For how long to wait for it, in seconds.
            undo: Called with what it gave, on its thread, if it came when nobody waited any more.

        Raises:
            LateError: It takes longer. Whatever ``work`` raises is raised, too.
        """
        until = time.monotonic() + min(timeout_s, threading.TIMEOUT_MAX)
        if not self._free.acquire(timeout=_left(until)):
            raise LateError
        job = _Job(work, undo)
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        (worker or _Worker(self)).give(job)
        try:
            job.over.wait(_left(until))
        finally:  # an interrupt abandons it, too
            late = job.abandon()
        if late:
            raise LateError
        given: T = job.result()
        return given

    def close(self) -> None:
        """Let the threads go that do nothing."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.give(None)

    def take_back(self, worker: _Worker) -> None:
        """A thread has nothing to do any more."""
        with self._lock:
            self._idle.append(worker)
        self._free.release()

    def dismiss(self, worker: _Worker) -> bool:
        """Let a thread go; False where it was given something meanwhile."""
        with self._lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            return True


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())
