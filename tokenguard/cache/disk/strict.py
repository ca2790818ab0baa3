"""diskcache, but trusting nothing: bytes lie in its database or nowhere, and all else there is refused.

As it comes, it unpickles what is in its database (CVE-2025-69872), and reads and deletes the files that are
named there. Its own bound and eviction are not used either: they count free pages as full, and make each
read a write.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from tokenguard import faults
from tokenguard.cache.disk.connections import WRITE_S, patiently, transaction
from tokenguard.cache.disk.files import OPEN_S, REMEDY, unusable
from tokenguard.cache.store import Label
from tokenguard.errors import ConfigError
from tokenguard.wire_json import decoded, encoded

_APPLICATION_ID: Final = 0x74676361  # "tgca"
_ROW_BYTES: Final = 8192  # what a row takes besides its value: its label, its place in four indexes
BATCH: Final = 500  # rows that are looked at in one transaction
_VACUUM_PAGES: Final = 1000


_EVICTED: Final = "tokenguard_evicted"
_COUNT_EVICTED: Final = """
    INSERT INTO Settings (key, value) VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET value = value + excluded.value
"""


class RefusedError(ValueError):
    """Something in the database was not put there by us."""


class _StrictDisk:
    """What diskcache asks to turn values into rows and back: bytes, and no file whatsoever."""

    def __init__(self, directory: str, **_: object) -> None:
        # Settings are of the database: whoever planted a row could have planted one of them.
        self._directory = directory

    def put(self, key: object) -> tuple[str, bool]:
        if type(key) is not str:
            raise RefusedError("a key that is no text")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if type(key) is not str or raw != 1:
            raise RefusedError("a key that is no text")
        return key

    def store(self, value: object, read: bool, **_: object) -> tuple[int, int, None, memoryview]:
        if type(value) is not bytes or read:
            raise RefusedError("a value that is not bytes")
        return 0, _MODE_RAW, None, memoryview(value)

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:
        if mode != _MODE_RAW or filename is not None or type(value) is not bytes or read:
            raise RefusedError("a row of the cache that is not bytes: somebody else wrote it")
        return value

    def filename(self, *_: object) -> tuple[str, str]:
        raise RefusedError("a file")

    def _write(self, *_: object) -> int:
        raise RefusedError("a file")

    def remove(self, _: object) -> None:
        # Not raised: diskcache asks after its transaction, of which nothing is wrong.
        faults.note("cache.refused", RefusedError("a row of the cache that names a file"))


_MODE_RAW: Final = 1


class _Row(NamedTuple):
    rowid: int
    key: object
    raw: object
    expire_time: float | None
    tag: object


class StrictCache:
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
        """The bytes under a key.

        Raises:
            RefusedError: What is there is no bytes of ours.
        """
        found: bytes | None = self.get(key)
        return found

    def keep(self, label: Label, blob: bytes, keep_s: float) -> int:
        """Keep bytes for so many seconds, and make room for them; gives how many entries had to go."""
        tag = encoded(list(label)).decode()
        evicted = self._make_room(len(blob) + len(tag) + _ROW_BYTES)
        self.set(label.key, blob, expire=keep_s, tag=tag)
        return evicted

    def drop(self, rows: Iterable[tuple[int, object]]) -> None:
        """Remove rows by their rowid, if their key is still the same."""
        with transaction(self.connection):
            self.connection.executemany("DELETE FROM Cache WHERE rowid = ? AND key = ?", rows)

    def rows(self, after: int) -> list[_Row]:
        """The next rows behind one, without their values."""
        found = self.connection.execute(
            "SELECT rowid, key, raw, expire_time, tag FROM Cache WHERE rowid > ? ORDER BY rowid LIMIT ?",
            (after, BATCH),
        )
        return [_Row._make(row) for row in found.fetchall()]

    def shrink(self) -> None:
        """Evict and give back what is more than the limit: it may have been made lower."""
        while self.volume() > self.size_limit:
            with transaction(self.connection):
                if not self._evict(8):
                    break
        if self._pragma("page_count") * self._pragma("page_size") > self.size_limit:
            self.give_back()

    def give_back(self) -> None:
        """Return free pages to the file system, those that there are now."""
        for _ in range(self.batches_to_give_back()):
            self.give_batch_back()
        self.forget_log()

    def batches_to_give_back(self) -> int:
        """How often :meth:`give_batch_back` is to be called until no page is free."""
        return self._pragma("freelist_count") // _VACUUM_PAGES + 1

    def give_batch_back(self) -> None:
        """Return some free pages to the file system."""
        # Only a script is carried through to its end: execute() would stop after the first page.
        script = f"PRAGMA incremental_vacuum({_VACUUM_PAGES})"
        patiently(lambda: self.connection.executescript(script), WRITE_S)

    def forget_log(self) -> None:
        """Empty the log of writes, unless somebody still reads in it: what was removed stands there, too."""
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def volume(self) -> int:
        """How many bytes of the database are in use."""
        return self._pragma("page_size") * (self._pragma("page_count") - self._pragma("freelist_count"))

    def entries(self) -> int:
        """How many rows there are, as diskcache's triggers count them."""
        return self._number("count")

    def evicted(self) -> int:
        """How many rows had to go before their time since the database was made, whoever did that."""
        return self._number(_EVICTED)

    def _make_room(self, size: int) -> int:
        """Remove what is past its time, and then what was used longest ago, until so much fits in.

        Gives how many rows had to go before their time.
        """
        self._drop(f"expire_time < {time.time()!r} ORDER BY expire_time", 10)
        evicted, rows = 0, 1
        while self.volume() + size > self.size_limit and (gone := self._evict(rows)):
            evicted += gone
            rows = min(2 * rows, 16)  # many at a time would be more than need to go
        return evicted

    def _evict(self, rows: int) -> int:
        """Remove some of those used longest ago, and note it for whoever asks later, here or elsewhere."""
        gone = self._drop("1 ORDER BY access_time", rows)
        if gone:
            self.connection.execute(_COUNT_EVICTED, (_EVICTED, gone))
        return gone

    def _drop(self, where: str, rows: int) -> int:
        chosen = f"SELECT rowid FROM Cache WHERE {where} LIMIT {rows}"  # noqa: S608 # made here of numbers
        return self.connection.execute(f"DELETE FROM Cache WHERE rowid IN ({chosen})").rowcount  # noqa: S608

    def _number(self, name: str) -> int:
        """A number beside diskcache's settings; 0 where there is none, or something else."""
        row = self.connection.execute("SELECT value FROM Settings WHERE key = ?", (name,)).fetchone()
        return row[0] if row is not None and type(row[0]) is int else 0

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
            with transaction(self.connection):
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


def strict_cache(directory: Path, limit: int) -> Callable[[sqlite3.Connection], StrictCache]:
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
    kind: Any = type("StrictCache", (StrictCache, diskcache.Cache), {})

    # It makes the directory that it is given, expands $variables in it, and does nothing else with it here.
    anchor = directory.anchor

    def open_cache(connection: sqlite3.Connection) -> StrictCache:
        cache = kind.__new__(kind)
        vars(cache).update(_SETTINGS, connection=connection, size_limit=limit)
        connection.text_factory = _any_text
        vars(cache).update(_directory=anchor, _timeout=0, _disk=disk(anchor))
        if not _is_ours(connection):
            with transaction(connection, OPEN_S):
                if not _is_ours(connection):  # another process may have been first
                    diskcache.Cache.__init__(cache, anchor, timeout=0, disk=disk, **_SETTINGS)
                    vars(cache)["size_limit"] = limit
                    connection.execute("CREATE INDEX IF NOT EXISTS Cache_access_time ON Cache (access_time)")
                    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        made: StrictCache = cache
        return made

    return open_cache


def _any_text(text: bytes) -> str:
    """Text as it is: one row that is no UTF-8 must not be the end of every listing and removal."""
    return text.decode("utf-8", "surrogateescape")


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Whether our tables are there already.

    Raises:
        ConfigError: Somebody else's are.
    """
    # In this order: another process makes the tables and says whose they are at once, maybe in between.
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and application != _APPLICATION_ID:
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        raise unusable(Path(path), "it is the database of another application", f"{REMEDY}.")
    return bool(tables)


def label_of(row: _Row) -> Label | RefusedError:
    """The label of a row; the reason why where it is none that we wrote."""
    try:
        if row.raw != 1 or not isinstance(row.tag, str):
            raise RefusedError("a row of the cache without a label")
        key, namespace, model, dialect, tags, stored_ns, expires_ns, *sizes = decoded(row.tag.encode())
        # An earlier version wrote no epoch behind the size.
        texts, numbers = (key, namespace, model, dialect, *tags), (stored_ns, expires_ns, *sizes)
        if key != row.key or not all(isinstance(text, str) for text in texts):
            raise RefusedError("a row of the cache with another one's label")
        ends = row.expire_time is None or isinstance(row.expire_time, float)
        if not ends or not all(isinstance(number, int) for number in numbers):
            raise RefusedError("a row of the cache with a damaged label")
        return Label(key, namespace, model, dialect, tuple(tags), *numbers)
    except RefusedError as error:
        return error
    except (TypeError, ValueError) as error:
        return RefusedError(f"a row of the cache with a damaged label: {error}")
