"""Open a ledger's file, or say what is wrong with it and what to do about it."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from random import uniform
from typing import Final, Literal, TypeVar

from tokenguard.errors import LedgerError
from tokenguard.ledger import schema

T = TypeVar("T")
Durability = Literal["normal", "full"]
"""``normal``: a power cut may lose the last moments, a killed process nothing. ``full``: nor a power cut."""

MEMORY: Final = ":memory:"

_PATIENCE_S: Final = 10.0  # while a file is opened; the switch to WAL is done under an exclusive lock
_LONGEST_NAP_S: Final = 0.005
_CACHE_KIB: Final = 2048


def connect(path: str, durability: Durability) -> sqlite3.Connection:
    """A connection to the ledger at ``path``, which is made if there is nothing there yet.

    It commits each statement by itself, and may be used by one thread at a time, any of them.

    Args:
        path: A file, or ``:memory:``.
        durability: What a power cut may take away.

    Raises:
        LedgerError: It cannot be used. The message says why, and what to do.
    """
    if path != MEMORY:
        _make_file(Path(path))
    connection = None
    try:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        opened = connection
        patiently(lambda: _set_up(opened, path, durability), time.monotonic() + _PATIENCE_S)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise unusable(path, error) from error
    except BaseException:
        if connection is not None:
            connection.close()
        raise
    return connection


def reader(path: str) -> sqlite3.Connection:
    """A connection that can only read the ledger at ``path``. It never waits for a writer.

    Raises:
        LedgerError: There is no ledger there, or it cannot be read.
    """
    if not Path(path).is_file():
        raise LedgerError(
            f"there is no ledger at {path}. It is made by the first guarded call; "
            "if it is somewhere else, name it with --ledger or TOKENGUARD_LEDGER."
        )
    try:
        return _opened_for_reading(path)
    except sqlite3.Error as error:
        raise unusable(path, error) from error


def patiently(action: Callable[[], T], until: float) -> T:
    """Do something that fails while another process holds the lock; try again until it works.

    SQLite's own busy handler waits in steps of up to 100 ms and is unfair: under 16 writers some
    waited for seconds. Short naps of random length share the file far more evenly.

    Args:
        action: What to do; it must have had no effect when it fails with "busy".
        until: When to give up, on the monotonic clock.

    Raises:
        sqlite3.OperationalError: It is still locked, or something else is wrong.
    """
    nap = 0.0002
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            left = until - time.monotonic()
            if not is_busy(error) or left <= 0:
                raise
        time.sleep(min(uniform(0, nap), left))  # noqa: S311 # a nap is no secret
        nap = min(2 * nap, _LONGEST_NAP_S)


def is_busy(error: BaseException) -> bool:
    """Whether somebody else holds a lock that we need."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def unusable(path: str, error: sqlite3.Error) -> LedgerError:
    """What SQLite's error means for the ledger at ``path``, in words."""
    reason, remedy = _MEANINGS.get(_code(error), (f"SQLite says: {error}", _ELSEWHERE))
    return LedgerError(f"the ledger {path} cannot be used: {reason}. {remedy}")


_ELSEWHERE: Final = (
    "Point ledger= (or TOKENGUARD_LEDGER) at a file in a directory that this process may write to."
)
_MOVE: Final = "Point ledger= (or TOKENGUARD_LEDGER) at another file, or move this one out of the way."
_FULL: Final = ("the disk is full", "Make room, or put the ledger on another disk with ledger=.")
_MEANINGS: Final = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_NOTADB: ("it is not a database", _MOVE),
    sqlite3.SQLITE_CORRUPT: ("the database is damaged", _MOVE),
    sqlite3.SQLITE_READONLY: ("it may not be written to", _ELSEWHERE),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", _ELSEWHERE),
    sqlite3.SQLITE_BUSY: (
        f"another program has kept it locked for {_PATIENCE_S:.0f} s",
        "Close that program's transaction, or point ledger= at another file.",
    ),
}


def _make_file(path: Path) -> None:
    """Make the file, and the folders above it, so that only their owner can read them."""
    if path.is_dir():
        raise LedgerError(f"the ledger {path} cannot be used: it is a directory. Name a file in it.")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A file that is there is SQLite's to open, and nobody else's: a process that closes any descriptor of
        # a file loses all its locks on it (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled).
        if path.exists():
            if not os.access(path, os.R_OK | os.W_OK):
                raise LedgerError(f"the ledger {path} cannot be used: it may not be written to. {_ELSEWHERE}")
        else:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return  # another process was first
    except OSError as error:
        reason, remedy = error.strerror or type(error).__name__, _ELSEWHERE
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason, remedy = _FULL
        raise LedgerError(f"the ledger {path} cannot be used: {reason}. {remedy}") from error


def _set_up(connection: sqlite3.Connection, path: str, durability: Durability) -> None:
    _check(connection, path)
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal" and path != MEMORY:
        raise LedgerError(
            f"the ledger {path} cannot be used: its file system cannot share memory between processes "
            "(a network share?), which SQLite's write-ahead log needs. Put it on a local disk."
        )
    connection.execute(f"PRAGMA synchronous = {durability}")
    # Checkpoints wait for the disk: the writer's thread makes them, never a call.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    schema.migrate(connection)


def _check(connection: sqlite3.Connection, path: str) -> None:
    """Refuse a file that is not ours, or that we do not understand."""
    connection.execute("BEGIN")  # another process may be making the tables right now: before or after that
    try:
        application = schema.application_of(connection)
        version = schema.version_of(connection)
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    finally:
        connection.execute("ROLLBACK")
    if application != schema.APPLICATION_ID and (application or tables):
        raise LedgerError(
            f"the ledger {path} cannot be used: it is the database of another application. {_MOVE}"
        )
    if version > schema.VERSION:
        raise LedgerError(
            f"the ledger {path} cannot be used: a newer tokenguard wrote it (schema {version}, this one "
            f"knows {schema.VERSION}). Upgrade tokenguard-middleware, or point ledger= at another file."
        )


def _opened_for_reading(path: str) -> sqlite3.Connection:
    uri = f"{Path(path).absolute().as_uri()}?mode=ro"
    try:
        return _checked_reader(uri, path)
    except sqlite3.OperationalError as error:
        # On read-only media SQLite cannot make the files it shares with writers. There are no writers.
        if _code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        if Path(f"{path}-wal").exists():
            raise
        return _checked_reader(f"{uri}&immutable=1", path)


def _checked_reader(uri: str, path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=5, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        _check(connection, path)
        if not schema.version_of(connection):
            raise LedgerError(f"the ledger {path} is empty: no guarded call has been written to it yet.")
    except BaseException:
        connection.close()
        raise
    return connection


def _code(error: BaseException) -> int:
    """SQLite's primary result code (the low byte: https://sqlite.org/rescode.html#pve)."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
