"""What was counted before, found again by a digest: of a growing conversation only what is new is counted."""

from __future__ import annotations

import marshal
import threading
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

_REMEMBERED: Final = 4096


class Memo(Generic[T]):
    """Results by digest. Safe to share between threads; the oldest is forgotten first."""

    def __init__(self, most: int = _REMEMBERED) -> None:
        """Make a memo of at most so many results."""
        self._most = most
        self._found: dict[bytes | None, T] = {}
        self._lock = threading.Lock()
        self.get: Callable[[bytes | None], T | None] = self._found.get  # one operation, which needs no lock
        """What is remembered under a digest; ``None`` where there is nothing, or no digest."""

    def __len__(self) -> int:
        return len(self._found)

    def put(self, digest: bytes | None, result: T) -> T:
        """Remember a result under a digest; without one, do not. Gives the result again."""
        if digest is not None:
            with self._lock:
                if len(self._found) >= self._most and digest not in self._found:
                    self._found.pop(next(iter(self._found)))
                self._found[digest] = result
        return result


def digest_of(value: Any) -> bytes | None:
    """A digest of a JSON value, the same for the same value; ``None`` for a value that is no JSON."""
    try:
        return blake2b(marshal.dumps(value, 2), digest_size=16).digest()
    except ValueError:  # an object of another kind, or nested beyond all reason
        return None
