"""Where the vectors of questions are: by scope, in memory, and in the cache's store for those who come later.

In the store a scope is a few *pages*, each an entry like an answer's, with the same seal and cipher. A page
is read, merged and written by one thread of a process; between processes the last one to write wins. What is
lost that way, or damaged, or gone, is a miss and no more.
"""

from __future__ import annotations

import threading
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from math import ceil
from typing import Any, Final, NamedTuple

from tokenguard import faults
from tokenguard.cache.similar.gates import Marks, agree
from tokenguard.wire_json import decoded, encoded

PAGE_ROWS: Final = 64
"""Rows of one page: a few hundred kilobytes, written anew for each further row."""

_REREAD_NS: Final = 60 * 10**9
_LARGEST_VECTOR: Final = 8192


class Row(NamedTuple):
    """A question that was answered.

    Attributes:
        key: Of its answer.
        stored_ns: When that came, Unix nanoseconds.
        expires_ns: When that is of no use any more.
        marks: What its text is compared by.
        vector: Its vector, of length 1, as little-endian 32-bit floats.
        tags: What the answer can be invalidated by.
    """

    key: str
    stored_ns: int
    expires_ns: int
    marks: Marks
    vector: bytes
    tags: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return len(self.vector) + 768


class Page(NamedTuple):
    """Some of a scope's rows, and the key under which they are stored."""

    key: str
    rows: dict[str, Row]


Read = Callable[[str], bytes | None]
"""Gives what is stored under a page's key."""


class _Scope:
    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.read_ns: int | None = None
        self.size = 0

    def take(self, rows: Iterable[Row]) -> None:
        for row in rows:
            old = self.rows.get(row.key)
            if old is None or old.stored_ns < row.stored_ns:
                self.rows.pop(row.key, None)
                self.rows[row.key] = row
        self.size = sum(row.size for row in self.rows.values())

    def drop(self, key: str) -> None:
        row = self.rows.pop(key, None)
        self.size -= 0 if row is None else row.size


class Index:
    """The questions that were answered, by scope. Safe to share between threads.

    Args:
        max_entries: How many of one scope, about.
        max_bytes: How much memory all may take.
    """

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._pages = ceil(max_entries / PAGE_ROWS)
        self._rows_of_page = ceil(max_entries / self._pages)
        self._max_bytes = max_bytes
        self._scopes: OrderedDict[str, _Scope] = OrderedDict()
        self._lock = threading.RLock()

    def read(self, scope: str, now_ns: int, read: Read) -> None:
        """Take in what is stored of a scope, unless that was done within the last minute."""
        with self._lock:
            known = self._scope(scope)
            if known.read_ns is not None and now_ns - known.read_ns < _REREAD_NS:
                return
            known.read_ns = now_ns
        for number in range(self._pages):
            rows = read_page(page_key(scope, number), now_ns, read)
            with self._lock:
                known.take(rows)
        self._make_room()

    def alike(self, scope: str, marks: Marks, vector: bytes, now_ns: int) -> Iterator[tuple[Row, float]]:
        """The questions of a scope that gates let through, with their vectors' cosines; the best first."""
        with self._lock:
            rows = [
                row
                for row in self._scope(scope).rows.values()
                if row.expires_ns > now_ns and len(row.vector) == len(vector) and agree(row.marks, marks)
            ]
        if not rows:
            return
        import numpy as np

        matrix = np.frombuffer(b"".join(row.vector for row in rows), "<f4").reshape(len(rows), -1)
        cosines = matrix @ np.frombuffer(vector, "<f4")
        for i in np.argsort(-cosines, kind="stable"):
            yield rows[i], rounded(cosines[i])

    def add(self, scope: str, row: Row) -> None:
        """Note a question that was answered."""
        with self._lock:
            known = self._scope(scope)
            known.take([row])
            page = self._page_of(row.key)
            rows = [one for one in known.rows.values() if self._page_of(one.key) == page]
            for old in sorted(rows, key=lambda one: one.stored_ns)[: -self._rows_of_page]:
                known.drop(old.key)
        self._make_room()

    def drop(self, scope: str, key: str) -> None:
        """Forget a question, whose answer is gone."""
        with self._lock:
            self._scope(scope).drop(key)

    def merged(self, scope: str, row: Row, now_ns: int, read: Read) -> Page:
        """The page that a row belongs on, with the row, as it is to be stored."""
        key = page_key(scope, self._page_of(row.key))
        rows = {one.key: one for one in read_page(key, now_ns, read)}
        rows[row.key] = row
        newest = sorted(rows.values(), key=lambda one: one.stored_ns)[-self._rows_of_page :]
        return Page(key, {one.key: one for one in newest})

    def forget(self, but: Callable[[str], bool] | None = None) -> None:
        """Forget all but the questions whose answers' keys are kept. What is stored is found again."""
        with self._lock:
            if but is None:
                self._scopes.clear()
            for scope in self._scopes.values():
                for key in [key for key in scope.rows if but is not None and not but(key)]:
                    scope.drop(key)

    def after_fork(self) -> None:
        """Whoever held the lock is not here."""
        self._lock = threading.RLock()

    def __len__(self) -> int:
        with self._lock:
            return sum(len(scope.rows) for scope in self._scopes.values())

    @property
    def bytes(self) -> int:
        """About how much memory all of it takes."""
        with self._lock:
            return sum(scope.size for scope in self._scopes.values())

    def _scope(self, name: str) -> _Scope:
        scope = self._scopes.get(name)
        if scope is None:
            scope = self._scopes[name] = _Scope()
        self._scopes.move_to_end(name)
        return scope

    def _make_room(self) -> None:
        """Forget the scopes used longest ago, where there is no room for all."""
        with self._lock:
            taken = self.bytes + _EMPTY_BYTES * len(self._scopes)
            while taken > self._max_bytes and self._scopes:
                _, last = self._scopes.popitem(last=False)
                taken -= last.size + _EMPTY_BYTES

    def _page_of(self, key: str) -> int:
        return int(key[:8], 16) % self._pages


_EMPTY_BYTES: Final = 512


def page_key(scope: str, number: int) -> str:
    """The key of a page: 64 hexadecimal digits, as an answer's."""
    return sha256(f"tokenguard-similar-page {scope} {number}".encode()).hexdigest()


def read_page(key: str, now_ns: int, read: Read) -> list[Row]:
    """The rows of a stored page that are of any use still; none where it is damaged or gone."""
    body = read(key)
    if body is None:
        return []
    try:
        return [row for row in map(_row, decoded(body)) if row.expires_ns > now_ns]
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        faults.note("cache.similar.page", error)
        return []


def page_body(rows: Iterable[Row]) -> bytes:
    """Rows as they are stored."""
    return encoded([_written(row) for row in rows])


def _written(row: Row) -> list[Any]:
    *hashes, length = row.marks
    texts = [b64encode(one).decode() for one in (*hashes, row.vector)]
    return [row.key, row.stored_ns, row.expires_ns, length, list(row.tags), *texts]


def _row(said: list[Any]) -> Row:
    key, stored_ns, expires_ns, length, tags, *texts = said
    rigid, bag, order, vector = [b64decode(text, validate=True) for text in texts]
    if len(vector) % 4 or not isinstance(length, int) or not isinstance(expires_ns, int):
        raise ValueError("it is no row")
    return Row(str(key), int(stored_ns), expires_ns, Marks(rigid, bag, order, length), vector, tuple(tags))


def rounded(cosine: float) -> float:
    """A cosine without what 32-bit floats make of it."""
    return max(-1.0, min(1.0, round(float(cosine), 6)))


def normalised(vector: Sequence[float]) -> bytes:
    """A vector as little-endian 32-bit floats, scaled to the length 1.

    Raises:
        ValueError: It is empty, too long, zero, or has something in it that is no number.
    """
    import numpy as np

    made = np.asarray(vector, dtype=np.float64)
    norm = float(np.linalg.norm(made)) if made.ndim == 1 and 0 < made.size <= _LARGEST_VECTOR else 0.0
    if not 0 < norm < float("inf"):
        raise ValueError("an embedder gave something that has no direction")
    return (made / norm).astype("<f4").tobytes()
