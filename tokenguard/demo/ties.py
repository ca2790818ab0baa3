"""Do the totals agree? The ledger, the receipts, the spans and the metrics are four accounts of one thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tokenguard.call import Receipt
from tokenguard.demo.observed import Sums


@dataclass(frozen=True, slots=True)
class Ties:
    """The calls and their cost, by four independent counts."""

    ledger: Sums
    receipts: Sums
    spans: Sums
    metrics: Sums

    @property
    def accounts(self) -> dict[str, Sums]:
        """The counts by name."""
        names = ("ledger", "receipts", "spans", "metrics")
        return {name: getattr(self, name) for name in names}

    @property
    def tied(self) -> bool:
        """Whether all four agree, to the call and to the nano-dollar."""
        return len(set(self.accounts.values())) == 1

    def as_json(self) -> dict[str, Any]:
        """The counts as JSON's types."""
        return {name: count._asdict() for name, count in self.accounts.items()}


def receipt_sums(receipts: Iterable[Receipt]) -> Sums:
    """What receipts come to; one without a known cost is a call that adds nothing."""
    costs = [receipt.cost_nano or 0 for receipt in receipts]
    return Sums(len(costs), sum(costs))
