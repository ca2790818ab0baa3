"""Remember what was worked out of texts that come again with every call."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_MOST: Final = 4096


class Remembered(Generic[K, V]):
    """Values by keys that are digests; the oldest are forgotten. May be used by several threads."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._values: dict[K, V] = {}

    def get(self, key: K, work_out: Callable[..., V], *of: Any) -> V:
        """The value of a key, worked out of something when it is asked for the first time."""
        try:
            return self._values[key]
        except KeyError:
            value = work_out(*of)
        if len(self._values) >= self._most:
            # Another thread may have taken out the same one.
            self._values.pop(next(iter(list(self._values))), None)
        self._values[key] = value
        return value
