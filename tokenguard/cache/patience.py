"""How long a call waits for the cache's store: not long, and not again and again.

All that one lookup asks of the store has one time, ``Cache(lookup_timeout=...)``. What would come later is
abandoned where it can be: a store waits for locks no longer than it is told, and one that may block is asked
on another thread. What comes late all the same, from a disk that hangs, is late once or twice; a store that
keeps coming late is left alone, and tried in the background until it is quick again.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol, TypeVar

from tokenguard import faults
from tokenguard.cache.aside import Aside, LateError

T = TypeVar("T")

LATE_IN_A_ROW: Final = 3
"""How often it may be late before it is left alone. One pause of a disk, or of the process, is no reason."""

FIRST_PAUSE_NS: Final = 10**9
"""For how long it is left alone then; twice as long after each try that is late, too."""

LONGEST_PAUSE_NS: Final = 60 * 10**9


class Waiting(Protocol):
    """Whose lookup it is.

    Attributes:
        left_ns: For how long it may still wait, in nanoseconds.
    """

    left_ns: int


class SlowError(Exception):
    """A store did not answer in time, or is not asked because it did not before."""


class Patience:
    """With one of the things that lookups ask of a store.

    Args:
        timeout_ns: How long a whole lookup may take, in nanoseconds.
        now_ns: A clock that never goes back.
        later: Has something done on another thread, some time.
        aside: Where a store is asked that may block; ``None``: where the caller is.
        counts: Counts how often it took too long (``slow``), and how often it was not asked as it had taken
            too long before (``left_alone``).
    """

    def __init__(
        self,
        timeout_ns: int,
        now_ns: Callable[[], int],
        later: Callable[[Callable[[], object]], object],
        aside: Aside | None,
        counts: Counter[str],
    ) -> None:
        self._timeout_ns = timeout_ns
        self._now_ns = now_ns
        self._later = later
        self._aside = aside
        self._counts = counts
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._last_late_ns = 0
        self._alone_until_ns = 0
        self._pause_ns = FIRST_PAUSE_NS

    @property
    def quick(self) -> bool:
        """Whether it answers at once, as far as is known."""
        return self._aside is None and not self._in_a_row

    def ask(
        self,
        whose: Waiting,
        work: Callable[[float], T],
        *,
        undo: Callable[[T], object] | None = None,
        repeatable: bool = True,
        even_late: bool = False,
    ) -> T:
        """Ask something of the store, and give what it says.

        Args:
            whose: The lookup. What it may still wait is less afterwards.
            work: Asks, given for how many seconds to wait for others at most.
            undo: Undoes what came of it if it comes when nobody waits for it any more.
            repeatable: Whether it may also be asked in the background, to try whether the store is quick
                again. What may not be is tried by the next call that comes with it.
            even_late: Whether to ask, if without any wait, where the lookup has taken its time already.

        Raises:
            SlowError: There is no time left, it took too long, or the store is left alone. Whatever
                ``work`` raises is raised, too.
        """
        began_ns = self._now_ns()
        if self._in_a_row >= LATE_IN_A_ROW and not self._tries_again(began_ns, work, repeatable):
            self._counts["left_alone"] += 1
            raise SlowError
        allowed_ns = whose.left_ns
        if allowed_ns <= 0 and not (even_late and self.quick):
            raise SlowError
        abandoned = False
        try:
            return self._asked(work, max(0, allowed_ns) / 1e9, undo)
        except LateError:
            abandoned = True
            raise SlowError from None
        finally:
            ended_ns = self._now_ns()
            took_ns = ended_ns - began_ns
            whose.left_ns = 0 if abandoned else allowed_ns - took_ns
            if abandoned or took_ns >= (allowed_ns if allowed_ns > 0 else self._timeout_ns):
                self._was_late(began_ns, ended_ns)
            else:
                self._was_quick()

    def after_fork(self) -> None:
        """Whoever held the lock is not here."""
        self._lock = threading.Lock()

    def _asked(self, work: Callable[[float], T], left_s: float, undo: Callable[[T], object] | None) -> T:
        if self._aside is None:
            return work(left_s)
        return self._aside.do(partial(work, left_s), left_s, undo)

    def _was_quick(self) -> None:
        if self._in_a_row:
            with self._lock:
                self._in_a_row, self._pause_ns = 0, FIRST_PAUSE_NS

    def _was_late(self, began_ns: int, ended_ns: int) -> None:
        self._counts["slow"] += 1
        faults.warn_once(
            "cache.slow",
            "the cache's store took longer than Cache(lookup_timeout) allows, %g ms: the call goes on "
            "without it. A store that is slow again and again is left alone for a while. Give it a faster "
            "disk or network, or a longer time. Further cases are only counted.",
            self._timeout_ns / 1e6,
        )
        with self._lock:
            if began_ns < self._last_late_ns:
                return  # of those that are late together, one counts
            self._in_a_row += 1
            self._last_late_ns = ended_ns
            if self._in_a_row == LATE_IN_A_ROW:
                self._leave_alone(ended_ns)

    def _leave_alone(self, now_ns: int) -> None:
        self._alone_until_ns = now_ns + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, LONGEST_PAUSE_NS)

    def _tries_again(self, now_ns: int, work: Callable[[float], T], repeatable: bool) -> bool:
        """Whether the caller is to ask, though it came late so often. At times it is tried all the same."""
        with self._lock:
            if now_ns < self._alone_until_ns:
                return False
            self._leave_alone(now_ns)
        if repeatable:
            self._later(partial(self._try, work))
        return not repeatable

    def _try(self, work: Callable[[float], object]) -> None:
        began_ns = self._now_ns()
        try:
            work(self._timeout_ns / 1e9)
        finally:
            if self._now_ns() - began_ns < self._timeout_ns:
                self._was_quick()
