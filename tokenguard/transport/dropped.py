"""Settle the streams that the garbage collector found, on a thread of their own.

A finalizer may run while its thread holds any lock, so it must not write, count or log. It puts the
work on a queue (``SimpleQueue.put`` is reentrant) and this thread does it.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from tokenguard import faults

_work: SimpleQueue[Callable[[], None]] = SimpleQueue()
_thread: threading.Thread | None = None


def settle(work: Callable[[], None]) -> None:
    """Have the work done soon. Never waits, never raises."""
    _work.put(work)


def start() -> None:
    """Make sure that the thread runs; called where a stream is handed out, never by a finalizer."""
    global _thread
    if _thread is None or not _thread.is_alive():
        _thread = threading.Thread(target=_serve, name="tokenguard-dropped", daemon=True)
        _thread.start()


def flush() -> None:
    """Do what is still waiting, now, on this thread."""
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
    global _work, _thread
    _work, _thread = SimpleQueue(), None


atexit.register(flush)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
