"""Keep answers in a directory of this machine, for all processes of one user: a store on diskcache.

diskcache trusts its database: it unpickles what is in it (CVE-2025-69872), and reads and deletes the files
that it names. Here it may neither: bytes lie in the database or nowhere, and all else found there is refused.
Its own bound and eviction are not used either: they count free pages as full, and make each read a write.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import sys
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import uniform
from types import TracebackType
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

from tokenguard import faults
from tokenguard.cache.store import Label, Which
from tokenguard.errors import ConfigError
from tokenguard.wire_json import decoded, encoded

T = TypeVar("T")

_SECRET_BYTES: Final = 32
_LEAST_BYTES: Final = 4 * 2**20
_APPLICATION_ID: Final = 0x74676361  # "tgca"
_ROW_BYTES: Final = 8192  # what a row takes besides its value: its label, its place in four indexes
_BATCH: Final = 500  # rows that are looked at in one transaction
_VACUUM_PAGES: Final = 1000

_OPEN_S: Final = 10.0  # while a store is made
_READ_S: Final = 0.1  # readers do not wait for writers, only for one that recovers a database
_WRITE_S: Final = 60.0
_LEASE_S: Final = 1.0
_FORK_S: Final = 2.0
_LONGEST_NAP_S: Final = 0.005

_REMEDY: Final = "Name another directory with Cache(store=...)"


def default_directory() -> Path:
    """``tokenguard/responses`` in the platform's folder for caches.

    That folder is ``$XDG_CACHE_HOME`` or ``~/.cache`` (XDG Base Directory Specification 0.8),
    ``~/Library/Caches`` on macOS and ``%LOCALAPPDATA%`` on Windows.
    """
    return _caches_folder() / "tokenguard" / "responses"


def _caches_folder() -> Path:
    if sys.platform == "darwin":
        return Path("~/Library/Caches").expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local").expanduser()
    # The specification says to ignore a relative path.
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return given if given.is_absolute() else Path("~/.cache").expanduser()


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

    def __init__(self, directory: str | Path, *, max_bytes: int = 2**30) -> None:
        """Open the directory, making it where there is none.

        Args:
            directory: Where. It must belong to this user, and nobody else may write to it.
            max_bytes: How much it may take. What was used longest ago goes first.

        Raises:
            ConfigError: It cannot be used, or diskcache is not installed. The message says what to do.
        """
        if max_bytes < _LEAST_BYTES:
            raise ConfigError(f"Cache(max_bytes={max_bytes}): give at least {_LEAST_BYTES} (4 MiB) to a disk")
        self._directory = Path(directory).expanduser().absolute()
        self._news = self._directory / "invalidations.json"
        self._heard: tuple[Hashable, dict[str, int]] = (None, {})
        # Of all that is allowed a tenth is for the log of writes: it may hold the largest entry.
        self._largest = max_bytes // 10
        self._limit = max_bytes - self._largest
        self._open_cache = _strict_cache(self._directory, self._limit)
        self._answers = _Connections(self._directory / "cache.db", self._prepare, self._bind_answers)
        self._leases = _Connections(self._directory / "leases.db", self._prepare, _bind_leases)
        self.secret = b""
        try:
            self._open()
        except Exception as error:
            self.close()
            raise _in_words(self._directory, error) from error
        _stores.add(self)

    def get(self, key: str) -> bytes | None:
        """The bytes under a key, stale or not; ``None`` where there are none, or what is there is refused."""
        with self._answers.mine() as cache:
            try:
                return _patiently(lambda: cache.look_up(key), _READ_S)
            except _RefusedError as error:
                faults.note("cache.refused", error)
                return None

    def set(self, label: Label, blob: bytes, keep_s: float, generation: Hashable = None) -> None:
        """Keep bytes under ``label.key`` for so many seconds at most. What was used longest ago goes first.

        Args:
            label: What can be seen of them from outside.
            blob: The bytes.
            keep_s: For how long, in seconds.
            generation: What :meth:`generation` gave when they were asked for. They are not kept if it is
                another one by now: what was removed meanwhile may not come back.

        Raises:
            ValueError: They are too large for the store.
        """
        if len(blob) > self._largest:
            raise ValueError(f"an entry of {len(blob)} bytes is more than a tenth of what the store may take")
        with self._answers.mine() as cache, _transaction(cache.connection):
            if generation is None or generation == self.generation():
                cache.keep(label, blob, keep_s)

    def touch(self, keys: Iterable[str]) -> None:
        """Note that entries were used: they are evicted last."""
        now = time.time()
        with self._answers.mine() as cache, _transaction(cache.connection):
            cache.connection.executemany(
                "UPDATE Cache SET access_time = ? WHERE key = ? AND raw = 1", [(now, key) for key in keys]
            )

    def labels(self) -> Iterator[Label]:
        """The labels of all entries. Their values are not read."""
        now, last = time.time(), -(2**63)
        while True:
            with self._answers.mine() as cache:
                after = last
                rows = _patiently(lambda: cache.rows(after), _READ_S)  # noqa: B023 # it is called here
            for row in rows:
                last = row.rowid
                label = _label_of(row)
                if label is not None and (row.expire_time is None or row.expire_time > now):
                    yield label
            if len(rows) < _BATCH:
                return

    def remove(self, which: Which) -> int:
        """Remove entries and tell every process that shares the store; gives how many there were.

        All are told before, so that no answer asked for earlier is stored any more, and after, so that no
        copy of an entry made meanwhile is used.
        """
        removed, last, more = 0, -(2**63), True
        with self._answers.mine() as cache:
            with _transaction(cache.connection):
                self._tell()
            while more:
                with _transaction(cache.connection):
                    rows = cache.rows(last)
                    labels = [(row.rowid, _label_of(row)) for row in rows]
                    doomed = [rowid for rowid, label in labels if label is None or which.holds(label)]
                    cache.connection.executemany("DELETE FROM Cache WHERE rowid = ?", [(n,) for n in doomed])
                removed += len(doomed) - sum(label is None for _, label in labels)
                more = len(rows) == _BATCH
                last = rows[-1].rowid if rows else last
            cache.give_back()
            with _transaction(cache.connection):
                self._tell()
        return removed

    def end_epoch(self, namespace: str) -> None:
        """Give up all that is in a namespace, however much, and tell every process."""
        with self._answers.mine() as cache, _transaction(cache.connection):
            self._tell(namespace)

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

    def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        """Take a lease, or prolong one's own; False while another owner has it. Waits for 1 s at most."""
        now = time.time()
        with self._leases.mine() as connection:
            taken = _patiently(
                lambda: connection.execute(_ACQUIRE, (name, owner, now + ttl_s, now)).rowcount, _LEASE_S
            )
        return taken == 1

    def release(self, name: str, owner: str) -> None:
        """Give a lease back, if it is still one's own."""
        with self._leases.mine() as connection:
            _patiently(
                lambda: connection.execute("DELETE FROM lease WHERE name = ? AND owner = ?", (name, owner)),
                _LEASE_S,
            )

    def close(self) -> None:
        """Let go of files and connections. A call that comes later opens them again."""
        self._answers.close()
        self._leases.close()

    def _open(self) -> None:
        with self._leases.mine(), self._answers.mine() as cache:
            cache.shrink()
        self._answers.wait_s = self._leases.wait_s = _LEASE_S

    def _prepare(self, path: Path) -> None:
        """See that all is there which a connection needs, and nobody else can get at it."""
        with _making:
            _make_directory(self._directory)
            for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
                _make_private(file, make=file is path)
            ours = self.secret or os.urandom(_SECRET_BYTES)
            secret = _secret_in(self._directory, ours)
            _make_once(self._news, encoded({"epochs": {}}))
        if self.secret not in (b"", secret):
            raise RuntimeError(f"{self._directory} was made anew by another process, with another secret")
        self.secret = secret

    def _bind_answers(self, connection: sqlite3.Connection) -> _StrictCache:
        _set_up(connection, "NORMAL", log_bytes=min(self._limit // 20, 2**22))
        return self._open_cache(connection)

    def _tell(self, namespace: str | None = None) -> None:
        """Change the generation, in a transaction: one process after the other."""
        epochs = self._read_epochs()
        if namespace is not None:
            epochs[namespace] = epochs.get(namespace, 0) + 1
        before = self.generation()
        temporary = _written(self._news, encoded({"epochs": epochs}))
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


class _RefusedError(ValueError):
    """Something in the database was not put there by us."""


class _StrictDisk:
    """What diskcache asks to turn values into rows and back: bytes, and no file whatsoever."""

    def __init__(self, directory: str, **_: object) -> None:
        # Settings are of the database: whoever planted a row could have planted one of them.
        self._directory = directory

    def put(self, key: object) -> tuple[str, bool]:
        if type(key) is not str:
            raise _RefusedError("a key that is no text")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if type(key) is not str or raw != 1:
            raise _RefusedError("a key that is no text")
        return key

    def store(self, value: object, read: bool, **_: object) -> tuple[int, int, None, memoryview]:
        if type(value) is not bytes or read:
            raise _RefusedError("a value that is not bytes")
        return 0, _MODE_RAW, None, memoryview(value)

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:
        if mode != _MODE_RAW or filename is not None or type(value) is not bytes or read:
            raise _RefusedError("a row of the cache that is not bytes: somebody else wrote it")
        return value

    def filename(self, *_: object) -> tuple[str, str]:
        raise _RefusedError("a file")

    def _write(self, *_: object) -> int:
        raise _RefusedError("a file")

    def remove(self, _: object) -> None:
        # Not raised: diskcache asks after its transaction, of which nothing is wrong.
        faults.note("cache.refused", _RefusedError("a row of the cache that names a file"))


_MODE_RAW: Final = 1


class _Row(NamedTuple):
    rowid: int
    key: object
    raw: object
    expire_time: float | None
    tag: object


class _StrictCache:
    """diskcache's cache on one connection. It never does what settings in the database say.

    Attributes:
        connection: The connection that it uses.
    """

    connection: sqlite3.Connection
    size_limit: int
    _disk: _StrictDisk
    get: Callable[..., Any]  # diskcache's
    set: Callable[..., Any]  # diskcache's

    def look_up(self, key: str) -> bytes | None:
        found: bytes | None = self.get(key)
        return found

    def keep(self, label: Label, blob: bytes, keep_s: float) -> None:
        tag = encoded(list(label)).decode()
        self._make_room(len(blob) + len(tag) + _ROW_BYTES)
        self.set(label.key, blob, expire=keep_s, tag=tag)

    def rows(self, after: int) -> list[_Row]:
        found = self.connection.execute(
            "SELECT rowid, key, raw, expire_time, tag FROM Cache WHERE rowid > ? ORDER BY rowid LIMIT ?",
            (after, _BATCH),
        )
        return [_Row._make(row) for row in found.fetchall()]

    def shrink(self) -> None:
        """Evict and give back what is more than the limit: it may have been made lower."""
        while self.volume() > self.size_limit:
            with _transaction(self.connection):
                if not self._drop("1 ORDER BY access_time", 8):
                    break
        if self._pragma("page_count") * self._pragma("page_size") > self.size_limit:
            self.give_back()

    def give_back(self) -> None:
        """Return free pages to the file system, those that there are now."""
        # Only a script is carried through to its end: execute() would stop after the first page.
        script = f"PRAGMA incremental_vacuum({_VACUUM_PAGES})"
        for _ in range(self._pragma("freelist_count") // _VACUUM_PAGES + 1):
            _patiently(lambda: self.connection.executescript(script), _WRITE_S)
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def volume(self) -> int:
        """How many bytes of the database are in use."""
        return self._pragma("page_size") * (self._pragma("page_count") - self._pragma("freelist_count"))

    def _make_room(self, size: int) -> None:
        """Remove what is past its time, and then what was used longest ago, until so much fits in."""
        self._drop(f"expire_time < {time.time()!r} ORDER BY expire_time", 10)
        rows = 1
        while self.volume() + size > self.size_limit and self._drop("1 ORDER BY access_time", rows):
            rows = min(2 * rows, 16)  # many at a time would be more than need to go

    def _drop(self, where: str, rows: int) -> int:
        chosen = f"SELECT rowid FROM Cache WHERE {where} LIMIT {rows}"  # noqa: S608 # made here of numbers
        return self.connection.execute(f"DELETE FROM Cache WHERE rowid IN ({chosen})").rowcount  # noqa: S608

    def _pragma(self, name: str) -> int:
        value: int = self.connection.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    # What follows takes the place of diskcache's own.

    @property
    def _con(self) -> sqlite3.Connection:
        return self.connection

    def reset(self, key: str, value: object = None, **_: object) -> object:
        """The value of a setting, which is what we say, not what the database says."""
        return getattr(self, key, None) if key in _SETTINGS else value

    @contextmanager
    def _transact(self, *_: object, **__: object) -> Iterator[tuple[Callable[..., Any], Callable[..., Any]]]:
        # diskcache's own would try again for ever, whatever it is that fails.
        named: list[object] = []
        if self.connection.in_transaction:
            yield self.connection.execute, named.append
        else:
            with _transaction(self.connection):
                yield self.connection.execute, named.append
        for name in named:
            if name is not None:
                self._disk.remove(name)

    def close(self) -> None:
        """Nothing: the connection is not its own."""


_SETTINGS: Final[dict[str, object]] = {
    "statistics": 0,
    "tag_index": 0,
    "eviction_policy": "none",
    "cull_limit": 0,
    "size_limit": 2**62,
    "disk_min_file_size": 2**31,
    "disk_pickle_protocol": 0,
}


def _strict_cache(directory: Path, limit: int) -> Callable[[sqlite3.Connection], _StrictCache]:
    """What makes a cache on a connection.

    Raises:
        ConfigError: diskcache is not installed.
    """
    try:
        import diskcache
    except ImportError as error:
        raise ConfigError(
            "a cache on disk needs diskcache, which is not installed: "
            'pip install "tokenguard-middleware[cache]"'
        ) from error
    disk: Any = type("StrictDisk", (_StrictDisk, diskcache.Disk), {})
    kind: Any = type("StrictCache", (_StrictCache, diskcache.Cache), {})

    # It makes the directory that it is given, expands $variables in it, and does nothing else with it here.
    anchor = directory.anchor

    def open_cache(connection: sqlite3.Connection) -> _StrictCache:
        cache = kind.__new__(kind)
        vars(cache).update(_SETTINGS, connection=connection, size_limit=limit)
        vars(cache).update(_directory=anchor, _timeout=0, _disk=disk(anchor))
        if not _is_ours(connection):
            with _transaction(connection, _OPEN_S):
                if not _is_ours(connection):  # another process may have been first
                    diskcache.Cache.__init__(cache, anchor, timeout=0, disk=disk, **_SETTINGS)
                    vars(cache)["size_limit"] = limit
                    connection.execute("CREATE INDEX IF NOT EXISTS Cache_access_time ON Cache (access_time)")
                    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        made: _StrictCache = cache
        return made

    return open_cache


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Whether our tables are there already.

    Raises:
        ConfigError: Somebody else's are.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application != _APPLICATION_ID:
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        raise _unusable(Path(path), "it is the database of another application", f"{_REMEDY}.")
    return bool(tables)


def _bind_leases(connection: sqlite3.Connection) -> sqlite3.Connection:
    _set_up(connection, "OFF", log_bytes=2**17)  # a power cut ends what leases are for
    connection.execute(
        "CREATE TABLE IF NOT EXISTS lease (name TEXT PRIMARY KEY, owner TEXT, until REAL) WITHOUT ROWID"
    )
    connection.execute("DELETE FROM lease WHERE until <= ?", (time.time(),))
    return connection


def _set_up(connection: sqlite3.Connection, synchronous: Literal["NORMAL", "OFF"], log_bytes: int) -> None:
    # No mmap: it would make a truncated file, or a disk's error, a SIGBUS that ends the process.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        reason = "its file system cannot share memory between processes (a network share?)"
        raise _unusable(Path(path), reason, "Put it on a local disk.")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute(f"PRAGMA wal_autocheckpoint = {log_bytes // 4096}")
    connection.execute(f"PRAGMA journal_size_limit = {log_bytes}")


def _label_of(row: _Row) -> Label | None:
    """The label of a row; ``None``, and counted, where it is none that we wrote."""
    try:
        if row.raw != 1 or not isinstance(row.tag, str):
            raise _RefusedError("a row of the cache without a label")
        key, namespace, model, dialect, tags, stored_ns, expires_ns, size = decoded(row.tag.encode())
        texts, numbers = (key, namespace, model, dialect, *tags), (stored_ns, expires_ns, size)
        if key != row.key or not all(isinstance(text, str) for text in texts):
            raise _RefusedError("a row of the cache with another one's label")
        ends = row.expire_time is None or isinstance(row.expire_time, float)
        if not ends or not all(isinstance(number, int) for number in numbers):
            raise _RefusedError("a row of the cache with a damaged label")
        return Label(key, namespace, model, dialect, tuple(tags), *numbers)
    except (TypeError, ValueError) as error:
        faults.note("cache.refused", error)
        return None


class _Mine(Generic[T]):
    """One thread's connection, and what is bound to it. It is entered to be used."""

    __slots__ = ("__weakref__", "bound", "connection", "depth", "file", "lock", "of")

    def __init__(self, of: _Connections[T]) -> None:
        self.of = of
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None
        self.bound: T | None = None
        self.file: tuple[int, int] | None = None
        self.depth = 0

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
            self.bound = _patiently(lambda: self.of.bind(opened), self.of.wait_s)
        except BaseException:
            self.close()
            raise


class _Connections(Generic[T]):
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
        self.wait_s = _OPEN_S
        self._local = threading.local()
        self._all: weakref.WeakSet[_Mine[T]] = weakref.WeakSet()
        self._lock = threading.RLock()
        self._held: list[_Mine[T]] = []

    def mine(self) -> _Mine[T]:
        """This thread's."""
        mine: _Mine[T] | None = getattr(self._local, "mine", None)
        if mine is None:
            mine = self._local.mine = _Mine(self)
            with self._lock:
                self._all.add(mine)
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


_stores: weakref.WeakSet[DiskStore] = weakref.WeakSet()
_inherited: list[sqlite3.Connection] = []
_making = threading.RLock()
"""Held while a file is made: closing it would take away the locks that another thread has on it by then."""


def _each(step: Callable[[_Connections[Any]], None]) -> Callable[[], None]:
    def do() -> None:
        for store in list(_stores):
            for connections in (store._answers, store._leases):
                try:
                    step(connections)
                except Exception as error:
                    faults.note("cache.fork", error)

    return do


def _after_fork_in_child() -> None:
    global _making
    _making = threading.RLock()
    _each(_Connections.after_fork_in_child)()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_each(_Connections.before_fork),
        after_in_parent=_each(_Connections.after_fork_in_parent),
        after_in_child=_after_fork_in_child,
    )


@contextmanager
def _transaction(connection: sqlite3.Connection, wait_s: float = _WRITE_S) -> Iterator[None]:
    """Write all that is done in it, or nothing. One process after the other."""
    _patiently(lambda: connection.execute("BEGIN IMMEDIATE"), wait_s)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite has done it already where the disk is full
            connection.execute("ROLLBACK")
        raise


def _patiently(action: Callable[[], T], wait_s: float) -> T:
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
            if _code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or now >= until:
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


def _make_directory(path: Path) -> None:
    """Make it, and those above it, so that only their owner can read them."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another process was first
            folder.mkdir(mode=0o700)
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise _unusable(path, "it is not a directory", f"{_REMEDY}.")
    if os.name == "posix":
        if found.st_uid != os.geteuid():
            raise _unusable(path, "it belongs to another user", f"{_REMEDY}, one of your own.")
        if found.st_mode & 0o022:
            remedy = f"Look into it, and then chmod 700 {path}."
            raise _unusable(path, "others may write to it, and so forge answers", remedy)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(path, "it may not be written to", f"{_REMEDY}, one that this process may write to.")


def _make_private(path: Path, *, make: bool) -> None:
    """See that a file is ours, and that only we can read it."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        if make:
            with suppress(FileExistsError):  # another process was first
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        return
    if not stat.S_ISREG(found.st_mode):
        raise _unusable(path, "it is not a regular file", _ANEW)
    if os.name != "posix":
        return
    if found.st_uid != os.geteuid():
        raise _unusable(path, "it belongs to another user", _ANEW)
    if found.st_mode & 0o077:
        with suppress(FileNotFoundError):
            path.chmod(0o600)


def _secret_in(directory: Path, ours: bytes) -> bytes:
    """The secret of all who use a directory: ours, if we come first."""
    path = directory / "secret"
    _make_once(path, ours)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    try:
        found = os.fstat(descriptor)
        secret = os.read(descriptor, _SECRET_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(secret) != _SECRET_BYTES:
        raise _unusable(path, f"it has not the {_SECRET_BYTES} bytes of a secret", _ANEW)
    if os.name == "posix" and (found.st_mode & 0o077 or found.st_uid != os.geteuid()):
        raise _unusable(path, "others can read it, and so forge answers", _ANEW)
    return secret


def _make_once(path: Path, content: bytes) -> None:
    """Make a file with all of its content, unless there is one."""
    if path.exists():
        return
    temporary = _written(path, content)
    try:
        with suppress(FileExistsError):  # another process was first
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()


def _written(path: Path, content: bytes) -> Path:
    """A new file beside ``path``."""
    temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 # by its descriptor
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        temporary.unlink()
        raise
    return temporary


_ANEW: Final = "Remove the directory, and it is made anew; or name another one with Cache(store=...)."
_FULL: Final = ("the disk is full", f"Make room, or: {_REMEDY[0].lower()}{_REMEDY[1:]}, on another disk.")
_MEANINGS: Final = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_NOTADB: ("cache.db or leases.db in it is not a database", _ANEW),
    sqlite3.SQLITE_CORRUPT: ("its database is damaged", _ANEW),
    sqlite3.SQLITE_READONLY: ("it may not be written to", f"{_REMEDY}."),
    sqlite3.SQLITE_CANTOPEN: ("its database cannot be opened", f"{_REMEDY}."),
    sqlite3.SQLITE_BUSY: (
        f"another program has kept its database locked for {_OPEN_S:.0f} s",
        f"Close that program's transaction, or: {_REMEDY[0].lower()}{_REMEDY[1:]}.",
    ),
}


def _unusable(path: Path, reason: str, remedy: str) -> ConfigError:
    return ConfigError(f"the cache {path} cannot be used: {reason}. {remedy}")


def _in_words(path: Path, error: Exception) -> Exception:
    """What an error means for a cache that is being opened."""
    if isinstance(error, ConfigError):
        return error
    if isinstance(error, sqlite3.Error):
        return _unusable(path, *_MEANINGS.get(_code(error), (f"SQLite says: {error}", _ANEW)))
    if isinstance(error, OSError):
        return _unusable(path, *_os_meaning(error))
    return _unusable(path, f"its content is damaged ({error})", _ANEW)


def _os_meaning(error: OSError) -> tuple[str, str]:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _FULL
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "it is not a directory", f"{_REMEDY}."
    return error.strerror or type(error).__name__, f"{_REMEDY}, one that this process may write to."


def _code(error: BaseException) -> int:
    """SQLite's primary result code (the low byte: https://sqlite.org/rescode.html#pve)."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
