"""What the rest of tokenguard may ask of a ledger, whatever it is kept in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tokenguard.call import Attempt


class Ledger(Protocol):
    """Where every attempt is written down before it is sent, and again once it is over.

    None of these methods raises for an operational fault (a full disk, a locked file): the call goes
    on, and the fault is logged once and counted (:func:`tokenguard.faults.counts`).
    """

    @property
    def path(self) -> str:
        """Where the rows are, for messages."""
        ...

    @property
    def may_block(self) -> bool:
        """Whether :meth:`begin` may wait for a disk or another process."""
        ...

    def begin(self, attempt: Attempt) -> None:
        """Write down that an attempt is about to be sent. It is durable on return. Blocks."""
        ...

    def begin_later(self, attempt: Attempt, done: Callable[[], None]) -> None:
        """The same without blocking; ``done`` is called exactly once, from any thread, also on failure."""
        ...

    def settle(self, attempt: Attempt) -> None:
        """Write down what became of an attempt, soon. Never blocks. The first settlement counts."""
        ...

    def outcome(
        self, kind: str, *, run_id: str | None = None, customer: str | None = None, value: float | None = None
    ) -> None:
        """Write down, soon, what calls achieved: a ticket solved, a lead won. Never blocks."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Write everything that is queued. Says whether nothing is left."""
        ...

    def close(self) -> None:
        """Flush and let go of the file. What comes afterwards is counted as a fault, not written."""
        ...
