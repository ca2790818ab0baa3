"""Settle the streams that the garbage collector found, on a thread of their own.

A finalizer may run while its thread holds any lock, so it must not write, count or log. It puts the
work on a queue (``SimpleQueue.put`` is reentrant) and this thread does it. That holds for the SDKs'
finalizers too: a generator that is collected half-read closes its response.
"""

from __future__ import annotations

import atexit
import gc
import os
import threading
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue

from tokenguard import faults

_work: SimpleQueue[Callable[[], None]] = SimpleQueue()
_thread: threading.Thread | None = None
_starting = threading.Lock()
_collecting: int | None = None

forks = 0
"""How often this process is a copy of another one: streams that were begun before it are not its own."""


def settle(work: Callable[[], None]) -> None:
    """Have the work done soon. Never waits, never raises."""
    _work.put(work)


def start() -> None:
    """Make sure that the thread runs; called where a stream is handed out, never by a finalizer."""
    global _thread
    if _thread is not None and _thread.is_alive():
        return
    with _starting:  # two threads would do the work out of its order, and flush() relies on it
        if _thread is None or not _thread.is_alive():
            if _watch not in gc.callbacks:
                gc.callbacks.append(_watch)
            _thread = threading.Thread(target=_serve, name="tokenguard-dropped", daemon=True)
            _thread.start()


def collecting() -> bool:
    """Whether this thread is in the middle of a garbage collection: then nothing may be settled on it."""
    return _collecting == threading.get_ident()


def _watch(phase: str, _info: Mapping[str, int]) -> None:
    global _collecting
    _collecting = threading.get_ident() if phase == "start" else None


def flush(timeout_s: float = 10.0) -> None:
    """Have everything done that is waiting now; what the thread has not done in time, do here."""
    if _thread is not None and _thread.is_alive() and _thread is not threading.current_thread():
        done = threading.Event()
        _work.put(done.set)  # after all that waits, and after what is being done just now
        if done.wait(timeout_s):
            return
    while True:
        try:
            work = _work.get_nowait()
        except Empty:
            return
        _do(work)


def _serve() -> None:
    while True:
        _do(_work.get())


def _do(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception as error:
        faults.note("transport.dropped", error)


def _after_fork() -> None:
    global _work, _thread, _starting, _collecting, forks
    _work, _thread, _starting, _collecting = SimpleQueue(), None, threading.Lock(), None
    forks += 1


atexit.register(flush)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
