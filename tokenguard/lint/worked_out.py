"""Remember what was worked out for a message or tool, for rules that need more of it than its findings.

Request rules run on every call, and most of a chat was there on the call before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from tokenguard.tokens.memo import Memo

S = TypeVar("S")
T = TypeVar("T")


class WorkedOut(Generic[S, T]):
    """A function of a message or tool, worked out once for each.

    Args:
        work: The function. Its answer has to depend on nothing else.
    """

    def __init__(self, work: Callable[[S], T]) -> None:
        self._work = work
        self._memo: Memo[tuple[T]] = Memo()

    def __call__(self, digest: bytes | None, subject: S) -> T:
        """The answer for a subject with this digest; worked out every time for one that has none."""
        found = self._memo.get(digest)
        if found is None:
            found = self._memo.put(digest, (self._work(subject),))
        return found[0]

    def known(self, digest: bytes) -> T | None:
        """The answer, if it was worked out before."""
        found = self._memo.get(digest)
        return None if found is None else found[0]
