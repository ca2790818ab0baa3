"""Remember what was worked out for a message or tool, for rules that need more of it than its findings.

Request rules run on every call, and most of a chat was there on the call before.
"""

from __future__ import annotations

import marshal
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")

_REMEMBERED: Final = 4096
"""As many as the engine keeps facts of."""


class Remembered(Generic[S, T]):
    """A function of a message or tool, worked out once for each.

    Args:
        work: The function. Its answer has to depend on nothing else.
    """

    def __init__(self, work: Callable[[S], T]) -> None:
        self._work = work
        self._known: OrderedDict[bytes, T] = OrderedDict()

    def __call__(self, digest: bytes, subject: S) -> T:
        """The answer for a subject with this digest."""
        try:
            return self._known[digest]
        except KeyError:
            answer = self._known[digest] = self._work(subject)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return answer

    def known(self, digest: bytes) -> T | None:
        """The answer, if it was worked out before."""
        return self._known.get(digest)


def digest_of(value: Any) -> bytes:
    """A digest of a JSON value, the same for the same value."""
    return blake2b(marshal.dumps(value, 2), digest_size=16).digest()
