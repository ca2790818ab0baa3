"""The journal: what this process has to say, on disk at once, until it is in the ledger.

A transaction in SQLite costs some 100 us, and waits for whoever has the file locked. A line at the end of
a file of one's own costs a few, waits for nobody, and outlives the process all the same: once it is
written it is the kernel's. So an attempt is first a line here, and only once it is over, in a group with
others, a row there. What a killed process left in its journal is found by the next to open the ledger
(:mod:`tokenguard.ledger.recovery`).

A journal is a folder beside the ledger, with files of JSON arrays, one a line. A file belongs to one
process, which holds a lock on it for as long as it lives, and is deleted when all that it speaks of is in
the ledger. Each file is complete in itself: an end never stands in it without its beginning.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from tokenguard import lock
from tokenguard.ledger.rows import CLOSING, Row, Settlement
from tokenguard.wire_json import decoded, encoded

FORMAT: Final = "tokenguard-journal-1"
_HEADER: Final = json.dumps([FORMAT]).encode()
_OPENED, _SETTLED, _OUTCOME = "opened", "settled", "outcome"
_LONGEST: Final = 2**20
"""Bytes after which the next file is begun, so that finished ones can be deleted; some 1,500 attempts."""


def folder_of(ledger: str | Path) -> Path:
    """Where the journals of a ledger are."""
    return Path(f"{ledger}-journals")


class Notes(NamedTuple):
    """What a file says: attempts that are not over, those that are, outcomes; and what makes no sense."""

    opened: list[Row]
    settled: list[Settlement]
    outcomes: list[Row]
    unreadable: int


class Journal:
    """What one process writes down for one ledger. Safe to share between threads.

    Args:
        folder: Where its files are; ``None`` for a ledger in memory, which nothing outlives.
        synced: Whether an opening is to survive a power cut, too.
    """

    def __init__(self, folder: Path | None, *, synced: bool) -> None:
        self._folder = folder
        self._synced = synced
        self._begin()

    def _begin(self) -> None:
        self._file: _File | None = None
        self._earlier: list[_File] = []
        self._open: dict[str, tuple[_File | None, Row]] = {}
        # Nobody may write to a file that is being closed: its number may be another file's by then.
        # Reentrant, since a signal may come in the middle, and its handler make a call.
        self._lock = threading.RLock()

    def opened(self, row: Row) -> None:
        """Write down that an attempt is about to be sent. It outlives the process on return.

        Raises:
            OSError: It could not be written; it counts as under way all the same.
        """
        attempt_id, file = row[0], None
        try:
            with self._lock:
                file = self._writable()
                if file is not None:
                    file.add(attempt_id, [_OPENED, row])
                    synced = os.dup(file.fd) if self._synced else None
            if file is not None and synced is not None:
                _sync(synced)  # with no lock held: several threads wait for the disk together
        except BaseException:
            file = None
            raise
        finally:
            self._open[attempt_id] = file, row

    def begun(self, attempt_id: str) -> Row | None:
        """The opening of an attempt that is under way."""
        found = self._open.get(attempt_id)
        return None if found is None else found[1]

    def settled(self, settlement: Settlement) -> None:
        """Write down what became of an attempt.

        Raises:
            OSError: It could not be written. If its opening was, the attempt will be found as lost.
        """
        attempt_id = settlement.opening[0]
        opened_in, _ = self._open.pop(attempt_id, (None, None))
        with self._lock:
            file = self._writable()
            if file is None:
                return
            if file is not opened_in:
                file.add(attempt_id, [_OPENED, settlement.opening])
            file.add(attempt_id, [_SETTLED, attempt_id, *settlement[1:]])

    def outcome(self, row: Row) -> None:
        """Write down an outcome.

        Raises:
            OSError: It could not be written.
        """
        with self._lock:
            file = self._writable()
            if file is not None:
                file.add(row[0], [_OUTCOME, row])

    def in_ledger(self, ids: Iterable[str]) -> None:
        """Take note that these attempts and outcomes are in the ledger; what is done with is deleted."""
        ids = list(ids)
        with self._lock:
            for file in (self._file, *self._earlier):
                if file is not None:
                    file.left.difference_update(ids)
            done = [file for file in self._earlier if not file.left]
            self._earlier = [file for file in self._earlier if file.left]
        for file in done:
            file.close()

    def under_way(self) -> list[Row]:
        """The openings of all attempts that are not over."""
        return [row for _, row in list(self._open.values())]

    def in_place(self) -> bool:
        """Whether the file that is being written is still where others look for it."""
        file = self._file
        return file is None or file.path.exists()

    def renew(self) -> None:
        """Begin again in a new file, with all that is under way: the old one is gone.

        Raises:
            OSError: It cannot be made.
        """
        with self._lock:
            if self._file is not None:
                self._earlier.append(self._file)
            self._file = None
        for row in self.under_way():
            self.opened(row)

    def close(self) -> None:
        """Let go of every file; those that speak of what is not in the ledger stay."""
        with self._lock:
            self._folder = None
            files, self._earlier = self._earlier, []
            if self._file is not None:
                files.append(self._file)
                self._file = None
            for file in files:
                file.close()

    def after_fork_in_child(self) -> None:
        """Begin anew: what the parent has under way is the parent's."""
        for file in (self._file, *self._earlier):
            if file is not None:
                os.close(file.fd)
        self._begin()

    def _writable(self) -> _File | None:
        """The file to write to, a new one where the last is full. The lock is ours."""
        file = self._file
        if file is not None and file.size < _LONGEST:
            return file
        if self._folder is None:
            return None
        made = _File(self._folder, synced=self._synced)
        if file is not None:
            self._earlier.append(file)
        self._file = made
        return made


class _File:
    """One file of a journal, which this process holds a lock on.

    Attributes:
        left: The ids that it speaks of and that are not in the ledger yet.
        size: Bytes written.
    """

    def __init__(self, folder: Path, *, synced: bool) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.path = folder / f"{os.urandom(8).hex()}.jsonl"
        self.left: set[str] = set()
        self.size = 0
        self.fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            lock.hold(self.fd)
            os.write(self.fd, _HEADER)
            if synced:
                _sync_folder(folder)
        except BaseException:
            self.close()
            raise

    def add(self, id_: str, note: list[Any]) -> None:
        """Append a note. It begins with the line feed: what a full disk cut off spoils no other note."""
        line = b"\n" + encoded(note)
        self.left.add(id_)
        self.size += len(line)
        written = os.write(self.fd, line)
        if written != len(line):
            raise OSError(f"{written} of {len(line)} bytes could be written to {self.path}")

    def close(self) -> None:
        """Let go of it, and delete it if nobody needs it."""
        os.close(self.fd)
        if not self.left:
            with suppress(OSError):  # whoever was here in between did the same
                self.path.unlink()


def _sync_folder(folder: Path) -> None:
    """See that the name of a new file survives a power cut; Windows has no such call, and no need of it."""
    if hasattr(os, "O_DIRECTORY"):
        _sync(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))


def _sync(fd: int) -> None:
    """Wait until the disk has a file, and close it."""
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def files_in(folder: Path) -> list[Path]:
    """The files of all journals in a folder; none where there is no folder."""
    return sorted(folder.glob("*.jsonl"))


def is_ours(fd: int) -> bool:
    """Whether a file is a journal of this version."""
    os.lseek(fd, 0, os.SEEK_SET)
    return os.read(fd, len(_HEADER)) == _HEADER


def read(fd: int) -> Notes | None:
    """What a file says, up to its last whole line.

    Returns:
        The notes, or ``None`` if it is no journal, or one of a newer version.
    """
    if not is_ours(fd):
        return None
    with open(fd, "rb", closefd=False) as file:
        lines = file.read().split(b"\n")[1:]
    notes = _Notes({}, {}, [])
    unreadable = 0
    for line in lines:
        try:
            notes.take(decoded(line))
        except (ValueError, TypeError, LookupError):  # cut off by a full disk, or by a kill
            unreadable += 1
    under_way = [row for id_, row in notes.opened.items() if id_ not in notes.settled]
    return Notes(under_way, list(notes.settled.values()), notes.outcomes, unreadable)


def _whole(closing: list[Any]) -> Row:
    """A row of a version that knew fewer columns, with the rest of them empty."""
    return (*closing, *(None,) * (len(CLOSING) - len(closing)))


class _Notes(NamedTuple):
    """What was read so far."""

    opened: dict[str, Row]
    settled: dict[str, Settlement]
    outcomes: list[Row]

    def take(self, note: list[Any]) -> None:
        """Take a note in.

        Raises:
            ValueError: It is none (or TypeError, LookupError).
        """
        kind, *fields = note
        if kind == _OPENED:
            row = tuple(fields[0])
            self.opened[row[0]] = row
        elif kind == _SETTLED:
            attempt_id, closing, lines, price_set = fields
            settlement = Settlement(
                self.opened[attempt_id], _whole(closing), list(map(tuple, lines)), price_set
            )
            self.settled[attempt_id] = settlement
        elif kind == _OUTCOME:
            self.outcomes.append(tuple(fields[0]))
        else:
            raise ValueError(kind)
