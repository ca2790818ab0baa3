"""What a finding costs: its tokens at the input price of a model, for a thousand calls."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Final

from tokenguard.call import Meter
from tokenguard.pricing import PriceBook
from tokenguard.pricing.terms import STANDARD

CALLS: Final = 1000
_MILLION: Final = 1_000_000


class InputPrices:
    """The input prices of models, at one moment."""

    def __init__(self, book: PriceBook, at_ns: int) -> None:
        self._book = book
        self._at_ns = at_ns
        self.per_million = lru_cache(maxsize=256)(self._per_million)

    def _per_million(self, model: str) -> Decimal | None:
        """US dollars for a million tokens of a short prompt; ``None`` for a model without a price."""
        if not model:
            return None
        rows = self._book.describe(model, at_ns=self._at_ns)
        price = next(
            (row.unit_price for row in rows if row.meter is Meter.INPUT and row.processing == STANDARD), None
        )
        return None if price is None else Decimal(price)

    def know(self, model: str) -> bool:
        """Whether a model has any price: some are paid by the second, or by the picture."""
        return bool(self._book.describe(model, at_ns=self._at_ns))

    def per_1k_calls(self, tokens: int, model: str) -> Decimal | None:
        """What tokens cost that are sent with each of a thousand calls, in US dollars."""
        price = self.per_million(model)
        return None if price is None or tokens <= 0 else price * tokens * CALLS / _MILLION


def shown_usd(amount: Decimal) -> str:
    """An amount as people read it: cents, and below a cent its first two digits."""
    if amount == 0 or amount >= Decimal("0.01"):
        return f"${amount:,.2f}"
    return f"${amount:.2g}" if amount >= Decimal("0.0001") else "under $0.0001"
