"""Keep answers in a directory of this machine, for all processes of one user: a store on diskcache."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import Final

from tokenguard import faults
from tokenguard.cache.disk import files
from tokenguard.cache.disk.connections import LEASE_S, READ_S, Connections, patiently, set_up, transaction
from tokenguard.cache.disk.files import (
    REMEDY,
    SECRET_BYTES,
    in_words,
    make_directory,
    make_once,
    make_private,
    secret_in,
    unusable,
    written,
)
from tokenguard.cache.disk.strict import BATCH, RefusedError, StrictCache, label_of, strict_cache
from tokenguard.cache.store import Held, Label, Which
from tokenguard.errors import ConfigError
from tokenguard.wire_json import decoded, encoded

_LEAST_BYTES: Final = 4 * 2**20
_SWEPT: Final = 50
"""How many rows a step of a sweep removes: others that write wait for it."""


class DiskStore:
    """Answers in a directory that only its owner can read. Threads, processes and forks may share it.

    Whatever goes wrong after it was made raises, or is as if there were nothing. A directory that is removed
    is made anew by the next use.

    Attributes:
        may_block: False: a lookup takes some 20 us and waits for nobody.
        secret: 32 bytes that all who use the directory have.

    Example:
        >>> store = DiskStore("answers", max_bytes=100 * 2**20)
        >>> store.set(label, b"...", keep_s=3600)
        >>> store.get(label.key)
        b'...'
    """

    may_block: bool = False

    def __init__(self, directory: str | Path, *, max_bytes: int = 2**30, make: bool = True) -> None:
        """Open the directory, making it where there is none.

        Args:
            directory: Where. It must belong to this user, and nobody else may write to it.
            max_bytes: How much it may take. What was used longest ago goes first.
            make: Whether to make it, now and whenever it was removed; else it must be there.

        Raises:
            ConfigError: It cannot be used, or diskcache is not installed. The message says what to do.
        """
        if max_bytes < _LEAST_BYTES:
            raise ConfigError(f"Cache(max_bytes={max_bytes}): give at least {_LEAST_BYTES} (4 MiB) to a disk")
        self._directory = Path(directory).expanduser().absolute()
        self._news = self._directory / "invalidations.json"
        self._unswept = self._directory / "unswept"  # is there as long as something given up may be, too
        self._make = make
        self._heard: tuple[Hashable, dict[str, int]] = (None, {})
        # Of all that is allowed a tenth is for the log of writes: it may hold the largest entry.
        self._largest = max_bytes // 10
        self._limit = max_bytes - self._largest
        self._open_cache = strict_cache(self._directory, self._limit)
        self._answers = Connections(self._directory / "cache.db", self._prepare, self._bind_answers)
        self._leases = Connections(self._directory / "leases.db", self._prepare, _bind_leases)
        self.secret = b""
        try:
            self._open()
        except Exception as error:
            self.close()
            raise in_words(self._directory, error) from error

    def get(self, key: str, wait_s: float | None = None) -> bytes | None:
        """The bytes under a key, stale or not; ``None`` where there are none, or what is there is refused.

        Args:
            key: It.
            wait_s: For how many seconds to wait for whoever keeps the database locked: 0.1, if not said.
        """
        try:
            return self.read(key, wait_s)
        except RefusedError as error:
            faults.note("cache.refused", error)
            return None

    def read(self, key: str, wait_s: float | None = None) -> bytes | None:
        """The bytes under a key, as :meth:`get` gives them.

        Raises:
            RefusedError: What is there is no bytes of ours.
        """
        with self._answers.mine(wait_s) as cache:
            return patiently(lambda: cache.look_up(key), READ_S if wait_s is None else wait_s)

    def set(self, label: Label, blob: bytes, keep_s: float, generation: Hashable = None) -> int:
        """Keep bytes under ``label.key`` for so many seconds at most. What was used longest ago goes first.

        Args:
            label: What can be seen of them from outside.
            blob: The bytes.
            keep_s: For how long, in seconds.
            generation: What :meth:`generation` gave when they were asked for. They are not kept if it is
                another one by now: what was removed meanwhile may not come back.

        Returns:
            How many entries had to go for them.

        Raises:
            ValueError: They are too large for the store.
        """
        if len(blob) > self._largest:
            raise ValueError(f"an entry of {len(blob)} bytes is more than a tenth of what the store may take")
        with self._answers.mine() as cache, transaction(cache.connection):
            if generation is None or generation == self.generation():
                return cache.keep(label, blob, keep_s)
            return 0

    def touch(self, keys: Iterable[str]) -> None:
        """Note that entries were used: they are evicted last."""
        now = time.time()
        with self._answers.mine() as cache, transaction(cache.connection):
            cache.connection.executemany(
                "UPDATE Cache SET access_time = ? WHERE key = ? AND raw = 1", [(now, key) for key in keys]
            )

    def labels(self) -> Iterator[Label]:
        """The labels of all entries. Their values are not read."""
        for label in self.listed():
            if isinstance(label, RefusedError):
                faults.note("cache.refused", label)
            else:
                yield label

    def listed(self) -> Iterator[Label | RefusedError]:
        """The labels of all entries, and in the place of one that is refused the reason why."""
        now, last = time.time(), -(2**63)
        while True:
            with self._answers.mine() as cache:
                after = last
                rows = patiently(lambda: cache.rows(after), READ_S)  # noqa: B023 # it is called here
            for row in rows:
                last = row.rowid
                label = label_of(row)
                # A time that is refused may be no number to compare with.
                if isinstance(label, RefusedError) or row.expire_time is None or row.expire_time > now:
                    yield label
            if len(rows) < BATCH:
                return

    def remove(self, which: Which) -> int:
        """Remove entries and tell every process that shares the store; gives how many answers there were.

        All are told before, so that no answer asked for earlier is stored any more, and after, so that no
        copy of an entry made meanwhile is used.
        """
        removed, last, more = 0, -(2**63), True
        with self._answers.mine() as cache:
            with transaction(cache.connection):
                self._tell()
            while more:
                with transaction(cache.connection):
                    rows = cache.rows(last)
                    labels = [(row.rowid, label_of(row)) for row in rows]
                    refused = [rowid for rowid, label in labels if isinstance(label, RefusedError)]
                    found = {
                        rowid: label
                        for rowid, label in labels
                        if isinstance(label, Label) and which.holds(label)
                    }
                    doomed = [(rowid,) for rowid in (*refused, *found)]
                    cache.connection.executemany("DELETE FROM Cache WHERE rowid = ?", doomed)
                removed += sum(label.is_answer for label in found.values())
                if refused:
                    faults.warn_once(
                        "cache.refused", "removed %d rows of the cache that are not ours", len(refused)
                    )
                more = len(rows) == BATCH
                last = rows[-1].rowid if rows else last
            cache.give_back()
            with transaction(cache.connection):
                self._tell()
        return removed

    def end_epoch(self, namespace: str) -> None:
        """Give up all that is in a namespace, however much, and tell every process."""
        with self._answers.mine() as cache, transaction(cache.connection):
            written(self._unswept, os.urandom(8).hex().encode()).replace(self._unswept)
            self._tell(namespace)

    def sweep(self) -> Iterator[None]:
        """Remove what was given up with its namespace, by whomever; a little at each step.

        Between two steps nothing is locked, and in each one only for as long as it takes to remove a few
        rows. It begins where it was left by a process that has ended since.
        """
        mark = self._swept_mark()
        if mark is None:
            return
        last, more = -(2**63), True
        while more:
            with self._answers.mine() as cache:
                after = last
                rows = patiently(lambda: cache.rows(after), READ_S)  # noqa: B023 # it is called here
            more = len(rows) == BATCH
            last = rows[-1].rowid if rows else last
            ended = [(row.rowid, row.key) for row in rows if self._is_ended(label_of(row))]
            for start in range(0, len(ended), _SWEPT):
                with self._answers.mine() as cache:
                    cache.drop(ended[start : start + _SWEPT])
                yield
            yield
        yield from self._give_back()
        with self._answers.mine() as cache, transaction(cache.connection):
            if self._swept_mark() == mark:  # else there is something new
                self._unswept.unlink()

    def _is_ended(self, label: Label | RefusedError) -> bool:
        return isinstance(label, Label) and label.epoch < self.epoch(label.namespace)

    def _give_back(self) -> Iterator[None]:
        with self._answers.mine() as cache:
            batches = cache.batches_to_give_back()
        for _ in range(batches):
            with self._answers.mine() as cache:
                cache.give_batch_back()
            yield
        with self._answers.mine() as cache:
            cache.forget_log()

    def _swept_mark(self) -> bytes | None:
        """What is another one each time that a namespace was given up; ``None`` where all is swept."""
        try:
            return self._unswept.read_bytes()
        except FileNotFoundError:
            return None

    def epoch(self, namespace: str) -> int:
        """How often a namespace was given up."""
        generation = self.generation()
        heard, epochs = self._heard
        if heard != generation:
            epochs = self._read_epochs()
            self._heard = (generation, epochs)
        return epochs.get(namespace, 0)

    def generation(self) -> Hashable:
        """Something that is another one once anything was removed or given up by anybody. Takes some 2 us."""
        try:
            news = os.stat(self._news)  # noqa: PTH116 # a third faster than Path.stat
        except FileNotFoundError:
            return 0
        return (news.st_mtime_ns, news.st_ino, news.st_size)

    def held(self) -> Held | None:
        """How many entries there are, and how many bytes of the database are in use; takes some 20 us.

        ``None`` where the directory was removed, which is not made anew for that.
        """
        if not self._answers.path.exists():
            return None
        with self._answers.mine() as cache:
            entries, size = patiently(lambda: (cache.entries(), cache.volume()), READ_S)
        return Held("store", hash(self.secret), entries, size)

    def evicted(self) -> int:
        """How many entries had to go since the directory was made, so that others had room.

        They are those of all processes; also of those that have ended.
        """
        with self._answers.mine() as cache:
            return patiently(cache.evicted, READ_S)

    def acquire(self, name: str, owner: str, ttl_s: float, wait_s: float | None = None) -> bool:
        """Take a lease, or prolong one's own; False while another owner has it.

        Args:
            name: What for.
            owner: Who takes it.
            ttl_s: For how many seconds.
            wait_s: For how many seconds to wait for whoever keeps the database locked: 1, if not said.
        """
        now = time.time()
        with self._leases.mine(wait_s) as connection:
            taken = patiently(
                lambda: connection.execute(_ACQUIRE, (name, owner, now + ttl_s, now)).rowcount,
                LEASE_S if wait_s is None else wait_s,
            )
        return taken == 1

    def release(self, name: str, owner: str) -> None:
        """Give a lease back, if it is still one's own."""
        with self._leases.mine() as connection:
            patiently(
                lambda: connection.execute("DELETE FROM lease WHERE name = ? AND owner = ?", (name, owner)),
                LEASE_S,
            )

    def close(self) -> None:
        """Let go of files and connections. A call that comes later opens them again."""
        self._answers.close()
        self._leases.close()

    def _open(self) -> None:
        with self._leases.mine(), self._answers.mine() as cache:
            cache.shrink()
        self._answers.wait_s = self._leases.wait_s = LEASE_S

    def _prepare(self, path: Path) -> None:
        """See that all is there which a connection needs, and nobody else can get at it."""
        with files.making:
            if not self._make and not (self._directory / "cache.db").exists():
                raise unusable(self._directory, "it is not there any more", f"{REMEDY}.")
            make_directory(self._directory)
            for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
                make_private(file, make=file is path)
            ours = self.secret or os.urandom(SECRET_BYTES)
            secret = secret_in(self._directory, ours)
            make_once(self._news, encoded({"epochs": {}}))
        if self.secret not in (b"", secret):
            raise RuntimeError(f"{self._directory} was made anew by another process, with another secret")
        self.secret = secret

    def _bind_answers(self, connection: sqlite3.Connection) -> StrictCache:
        set_up(connection, "NORMAL", log_bytes=min(self._limit // 20, 2**22))
        return self._open_cache(connection)

    def _tell(self, namespace: str | None = None) -> None:
        """Change the generation, in a transaction: one process after the other."""
        epochs = self._read_epochs()
        if namespace is not None:
            epochs[namespace] = epochs.get(namespace, 0) + 1
        before = self.generation()
        temporary = written(self._news, encoded({"epochs": epochs}))
        # A clock that ticks every 4 ms, and an inode that is used again, could make two changes look as none.
        changed_ns = time.time_ns()
        if isinstance(before, tuple):
            changed_ns = max(changed_ns, before[0] + 1000)
        os.utime(temporary, ns=(changed_ns, changed_ns))
        temporary.replace(self._news)

    def _read_epochs(self) -> dict[str, int]:
        try:
            epochs = decoded(self._news.read_bytes())["epochs"]
        except FileNotFoundError:
            return {}
        return {str(namespace): int(n) for namespace, n in epochs.items()}


_ACQUIRE: Final = """
    INSERT INTO lease (name, owner, until) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
    WHERE lease.owner = excluded.owner OR lease.until <= ?
"""


def _bind_leases(connection: sqlite3.Connection) -> sqlite3.Connection:
    set_up(connection, "OFF", log_bytes=2**17)  # a power cut ends what leases are for
    connection.execute(
        "CREATE TABLE IF NOT EXISTS lease (name TEXT PRIMARY KEY, owner TEXT, until REAL) WITHOUT ROWID"
    )
    connection.execute("DELETE FROM lease WHERE until <= ?", (time.time(),))
    return connection
