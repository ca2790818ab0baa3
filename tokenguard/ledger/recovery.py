"""Bring into the ledger what is still in journals: what dead processes left, and what living ones know.

An attempt whose process died before it could say what became of it is ``unknown``: it may have been
billed, so it is never taken away. If somebody says later what became of it, that counts.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from tokenguard import faults, lock
from tokenguard.errors import LedgerError
from tokenguard.ledger import journal
from tokenguard.ledger.store import Batch, Store

_PATIENCE_S: Final = 2.0
_DAY_NS: Final = 86_400 * 10**9
"""No attempt is under way for longer, where nobody vouches for it; no file stays empty for longer."""

_FORGOTTEN: Final = "SELECT count(*) FROM call WHERE state = 'sent' AND ts_start < ?"
_GIVE_UP: Final = "UPDATE call SET state = 'unknown' WHERE state = 'sent' AND ts_start < ?"


def recover(store: Store, folder: Path, now_ns: int, *, living: bool = False) -> int:
    """Bring journals into an open ledger.

    Args:
        store: The ledger.
        folder: Where its journals are.
        now_ns: The time, Unix nanoseconds.
        living: Whether to look into those of living processes too, for what is under way just now.

    Returns:
        How many attempts were found lost.

    Raises:
        sqlite3.Error: The file could not be written to. Nothing is lost by that.
    """
    lost = 0
    for path in journal.files_in(folder):
        try:
            with _opened(path) as fd:
                dead = not lock.is_held(fd)
                if dead or living:
                    lost += _bring_in(store, path, fd, dead=dead)
                done = dead and _may_go(fd, now_ns)
            if done:
                path.unlink()
        except FileNotFoundError:
            continue  # its process, or somebody like us, was done with it
        except OSError as error:
            faults.note("ledger.recover", error)
    return lost + _give_up(store, now_ns)


def recover_file(path: str, now_ns: int) -> int:
    """The same for a file, if it is a ledger that we may write to; else nothing is done.

    Returns:
        How many attempts were found lost. A fault is counted, not raised.
    """
    folder = journal.folder_of(path)
    if not journal.files_in(folder) or not os.access(path, os.W_OK):
        return 0
    try:
        with closing(Store(path, "normal")) as store:
            return recover(store, folder, now_ns, living=True)
    except (sqlite3.Error, LedgerError, OSError) as error:
        faults.note("ledger.recover", error)
        return 0


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    # For writing, because Windows locks nothing else; as every lock, it goes with the descriptor.
    fd = os.open(path, os.O_RDWR)
    try:
        yield fd
    finally:
        os.close(fd)


def _bring_in(store: Store, path: Path, fd: int, *, dead: bool) -> int:
    """Write one file's notes into the ledger. Says how many attempts are lost."""
    notes = journal.read(fd)
    if notes is None:
        return 0
    if notes.unreadable > (0 if dead else 1):  # a living process may be in the middle of a line
        faults.warn_once("ledger.journal", "%s notes in %s cannot be read", notes.unreadable, path)
    state = "unknown" if dead else "sent"
    batch = Batch([(*row, state) for row in notes.opened], notes.settled, notes.outcomes)
    store.write_all(batch, time.monotonic() + _PATIENCE_S)
    return len(notes.opened) if dead else 0


def _may_go(fd: int, now_ns: int) -> bool:
    """Whether a dead process's file is no longer needed.

    One of a newer version is that version's to read. One that is empty may be just being made.
    """
    found = os.fstat(fd)
    return journal.is_ours(fd) or (not found.st_size and found.st_mtime_ns < now_ns - _DAY_NS)


def _give_up(store: Store, now_ns: int) -> int:
    """Count as lost what was seen under way long ago, and whose journal nobody has any more."""
    before = (now_ns - _DAY_NS,)
    (forgotten,) = store.connection.execute(_FORGOTTEN, before).fetchone()
    return store.execute(_GIVE_UP, before, time.monotonic() + _PATIENCE_S) if forgotten else 0
