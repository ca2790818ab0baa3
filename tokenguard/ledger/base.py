"""What the rest of tokenguard may ask of a ledger, whatever it is kept in."""

from __future__ import annotations

from collections.abc import Mapping
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
        """Whether :meth:`begin` may wait for a disk or a network: then an event loop hands it to a thread."""
        ...

    def begin(self, attempt: Attempt) -> None:
        """Write down that an attempt is about to be sent. It outlives the process on return."""
        ...

    def settle(self, attempt: Attempt) -> None:
        """Write down what became of an attempt, soon. Never blocks. The first settlement counts."""
        ...

    def outcome(
        self, kind: str, *, run_id: str | None = None, customer: str | None = None, value: float | None = None
    ) -> None:
        """Write down, soon, what calls achieved: a ticket solved, a lead won. Never blocks."""
        ...

    def learn(self, provider: str, model: str, features: str, bills: int, state: str) -> None:
        """Keep, soon, what was learned of how a model counts. Never blocks."""
        ...

    def learned(self, features: str) -> Mapping[tuple[str, str], str]:
        """What was learned by these features, for each provider and model. Asked for once, by a thread."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Bring everything to where readers see it, attempts under way included. Says whether that worked."""
        ...

    def close(self) -> None:
        """Flush and let go of the file. What comes afterwards is counted as a fault, not written."""
        ...
