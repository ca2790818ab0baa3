"""A run: the calls that belong to one piece of work, and what they came to together."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from tokenguard.call import Receipt

_KEPT: Final = 1000
"""Receipts that a run keeps; its totals go on counting."""

_open: weakref.WeakValueDictionary[str, Run] = weakref.WeakValueDictionary()


class Run:
    """What ``guard.run(...)`` gives: a name, tags, and running totals. Safe to share between threads.

    Attributes:
        id: A UUID of version 7; the ledger's ``run_id``.
        name: What the run is called in reports.
        tags: Tags that every call of the run carries.
    """

    def __init__(
        self,
        run_id: str,
        name: str,
        tags: Mapping[str, str],
        record_outcome: Callable[[Run, str, float | None], None],
    ) -> None:
        self.id = run_id
        self.name = name
        self.tags = dict(tags)
        self._record_outcome = record_outcome
        self._lock = threading.RLock()
        self._receipts: deque[Receipt] = deque(maxlen=_KEPT)
        self._calls = 0
        self._cost_nano = 0
        self._unpriced = 0
        _open[run_id] = self

    @property
    def calls(self) -> int:
        """Calls that are over, so far."""
        return self._calls

    @property
    def cost_nano(self) -> int:
        """Nano-dollars spent by the calls that have a price; see ``unpriced`` for the others."""
        return self._cost_nano

    @property
    def cost_usd(self) -> float:
        """``cost_nano`` in dollars, for reading."""
        return self._cost_nano / 1e9

    @property
    def unpriced(self) -> int:
        """Calls whose cost is not known; they are not in ``cost_nano``."""
        return self._unpriced

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """The receipts of the last 1,000 calls, oldest first."""
        with self._lock:
            return tuple(self._receipts)

    def outcome(self, kind: str, *, value: float | None = None) -> None:
        """Say what the run achieved (``"ticket_resolved"``), for cost per outcome in reports.

        Args:
            kind: What happened; reports group by it.
            value: What it was worth, in any unit of your own.
        """
        self._record_outcome(self, kind, value)

    def add(self, receipt: Receipt) -> None:
        """Count a call that is over. The guard does this; nobody else needs to."""
        with self._lock:
            self._receipts.append(receipt)
            self._calls += 1
            if receipt.cost_nano is None:
                self._unpriced += 1
            else:
                self._cost_nano += receipt.cost_nano


def by_id(run_id: str) -> Run | None:
    """The run with this id, as long as somebody in this process holds it."""
    return _open.get(run_id)
