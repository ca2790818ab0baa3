"""SQLite connections for each thread, which wait for their turn and are not taken through a fork."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import uniform
from types import TracebackType
from typing import Any, Final, Generic, Literal, TypeVar

from tokenguard import faults
from tokenguard.cache.disk import files
from tokenguard.cache.disk.files import OPEN_S, code, unusable

T = TypeVar("T")

READ_S: Final = 0.1  # readers do not wait for writers, only for one that recovers a database
WRITE_S: Final = 60.0
LEASE_S: Final = 1.0
_FORK_S: Final = 2.0
_LONGEST_NAP_S: Final = 0.005

_INCREMENTAL: Final = 2  # https://sqlite.org/pragma.html#pragma_auto_vacuum


def set_up(connection: sqlite3.Connection, synchronous: Literal["NORMAL", "OFF"], log_bytes: int) -> None:
    """Make a new connection one that many processes may write to at once.

    Raises:
        ConfigError: The file system cannot.
    """
    # No mmap: it would make a truncated file, or a disk's error, a SIGBUS that ends the process.
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
        # Not each time: to say so is to write, and a thread's first lookup would wait for every writer.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        reason = "its file system cannot share memory between processes (a network share?)"
        raise unusable(Path(path), reason, "Put it on a local disk.")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute(f"PRAGMA wal_autocheckpoint = {log_bytes // 4096}")
    connection.execute(f"PRAGMA journal_size_limit = {log_bytes}")


class _Mine(Generic[T]):
    """One thread's connection, and what is bound to it. It is entered to be used."""

    __slots__ = ("__weakref__", "bound", "connection", "depth", "file", "lock", "of", "wait_s")

    def __init__(self, of: Connections[T]) -> None:
        self.of = of
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None
        self.bound: T | None = None
        self.file: tuple[int, int] | None = None
        self.depth = 0
        self.wait_s = of.wait_s

    def __enter__(self) -> T:
        self.lock.acquire()
        try:
            if not self.depth and (self.bound is None or self.file != _identity(self.of.path)):
                self._open()
            assert self.bound is not None
            self.depth += 1
            return self.bound
        except BaseException:
            self.lock.release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.depth -= 1
        self.lock.release()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        connection, self.connection, self.bound = self.connection, None, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _open(self) -> None:
        self.close()
        path = self.of.path
        self.of.prepare(path)
        self.file = _identity(path)
        self.connection = opened = sqlite3.connect(
            path, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            self.bound = patiently(lambda: self.of.bind(opened), self.wait_s)
        except BaseException:
            self.close()
            raise


class Connections(Generic[T]):
    """Connections to one database, one for each thread. None of them goes through a fork.

    Args:
        path: The database.
        prepare: Makes the file where there is none.
        bind: Sets a connection up, and gives what is to be used of it.
    """

    def __init__(self, path: Path, prepare: Callable[[Path], None], bind: Callable[[sqlite3.Connection], T]):
        self.path = path
        self.prepare = prepare
        self.bind = bind
        self.wait_s = OPEN_S
        self._local = threading.local()
        self._all: weakref.WeakSet[_Mine[T]] = weakref.WeakSet()
        self._lock = threading.RLock()
        self._held: list[_Mine[T]] = []
        _everyone.add(self)

    def mine(self, wait_s: float | None = None) -> _Mine[T]:
        """This thread's. If it has to be opened, it waits for so many seconds for whoever has a lock."""
        mine: _Mine[T] | None = getattr(self._local, "mine", None)
        if mine is None:
            mine = self._local.mine = _Mine(self)
            with self._lock:
                self._all.add(mine)
        mine.wait_s = self.wait_s if wait_s is None else wait_s
        return mine

    def close(self) -> None:
        """Close all; but not one that is in use for long, which its thread goes on with."""
        for mine in self._idle():
            mine.close()
            mine.lock.release()

    def before_fork(self) -> None:
        """Close all: SQLite's connections may not be taken through a fork."""
        for mine in self._idle():
            mine.close()
            self._held.append(mine)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        held, self._held = self._held, []
        for mine in held:
            mine.lock.release()

    def after_fork_in_child(self) -> None:
        """Start anew."""
        for mine in self._all:
            if mine.connection is not None:
                _inherited.append(
                    mine.connection
                )  # in use when we forked: neither to be used nor to be closed
                mine.connection = None
        self._local, self._all, self._lock = threading.local(), weakref.WeakSet(), threading.RLock()
        self._held = []

    def _idle(self) -> Iterator[_Mine[T]]:
        """Each one that nobody uses, locked; waits for those that are in use, but not for long."""
        until = time.monotonic() + _FORK_S
        with self._lock:
            every = list(self._all)
        for mine in every:
            if mine.lock.acquire(timeout=max(0.0, until - time.monotonic())):
                if mine.depth:  # by this very thread
                    mine.lock.release()
                else:
                    yield mine


_everyone: weakref.WeakSet[Connections[Any]] = weakref.WeakSet()
_inherited: list[sqlite3.Connection] = []


def _each(step: Callable[[Connections[Any]], None]) -> Callable[[], None]:
    def do() -> None:
        for connections in list(_everyone):
            try:
                step(connections)
            except Exception as error:
                faults.note("cache.fork", error)

    return do


def _after_fork_in_child() -> None:
    files.making = threading.RLock()
    _each(Connections.after_fork_in_child)()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_each(Connections.before_fork),
        after_in_parent=_each(Connections.after_fork_in_parent),
        after_in_child=_after_fork_in_child,
    )


@contextmanager
def transaction(connection: sqlite3.Connection, wait_s: float = WRITE_S) -> Iterator[None]:
    """Write all that is done in it, or nothing. One process after the other."""
    patiently(lambda: connection.execute("BEGIN IMMEDIATE"), wait_s)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite has done it already where the disk is full
            connection.execute("ROLLBACK")
        raise


def patiently(action: Callable[[], T], wait_s: float) -> T:
    """Do something that fails while another process holds the lock; try again until it works.

    SQLite's own way of waiting sleeps for up to 100 ms, and makes some wait for seconds.
    """
    until: float | None = None
    nap = 0.0002
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            now = time.monotonic()
            until = now + wait_s if until is None else until
            if code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or now >= until:
                raise
        time.sleep(uniform(0, nap))  # noqa: S311 # a nap is no secret
        nap = min(2 * nap, _LONGEST_NAP_S)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file it is, whatever its name: a directory may be removed, and made anew."""
    try:
        found = os.stat(path)  # noqa: PTH116 # a third faster than Path.stat
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
