"""Assert what the guarded calls of a block of code cost."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenguard.call import Receipt

NANO_PER_USD = 1_000_000_000


class Spent:
    """What the guarded calls that finished since the block began came to."""

    def __init__(self) -> None:
        self._receipts: list[Receipt] = []
        self._lock = threading.Lock()

    def add(self, receipt: Receipt) -> None:
        """Take in a call that has finished; from any thread."""
        with self._lock:
            self._receipts.append(receipt)

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """The receipts, in the order in which their calls finished."""
        with self._lock:
            return tuple(self._receipts)

    @property
    def calls(self) -> int:
        """How many calls finished."""
        return len(self.receipts)

    @property
    def cost_nano(self) -> int:
        """The cost of all priced calls, in nano-dollars."""
        return sum(receipt.cost_nano or 0 for receipt in self.receipts)

    @property
    def cost_usd(self) -> float:
        """The same in dollars, for reading."""
        return self.cost_nano / NANO_PER_USD

    @property
    def unpriced(self) -> tuple[Receipt, ...]:
        """The calls of which nobody can say what they cost."""
        return tuple(receipt for receipt in self.receipts if receipt.cost_nano is None)

    def __str__(self) -> str:
        """One line per model: calls and cost."""
        by_model: defaultdict[str, list[Receipt]] = defaultdict(list)
        for receipt in self.receipts:
            by_model[receipt.model_served or receipt.model_requested].append(receipt)
        lines = [f"{_calls(self.calls)}, {_usd(self.cost_nano)}"]
        for model, receipts in sorted(by_model.items()):
            cost = _usd(sum(receipt.cost_nano or 0 for receipt in receipts))
            unpriced = sum(receipt.cost_nano is None for receipt in receipts)
            lines.append(
                f"  {model}: {_calls(len(receipts))}, {cost}" + f", {unpriced} unpriced" * bool(unpriced)
            )
        return "\n".join(lines)


@contextmanager
def assert_cost(max_usd: float | str | Decimal, *, allow_unpriced: bool = False) -> Iterator[Spent]:
    """Fail if the guarded calls that finish in the block cost more than ``max_usd`` together.

    Counts the calls of every guard in this process, in all threads. Yields a :class:`Spent` that can be
    read during the block and afterwards. An exception in the block passes through unjudged.

    Args:
        max_usd: The limit in US dollars, taken exactly as it is written (``0.01`` is one cent).
        allow_unpriced: Let calls pass whose price is unknown; they count as 0.

    Raises:
        AssertionError: they cost more, or some of them are unpriced. Lists calls, models and costs.
        ValueError: ``max_usd`` is negative or not a number.
    """
    limit = _nano(max_usd)
    spent = Spent()
    remove = _observe(spent.add)
    try:
        yield spent
    finally:
        remove()
    if spent.unpriced and not allow_unpriced:
        raise AssertionError(f"{_calls(len(spent.unpriced))} without a known price: {spent}")
    if spent.cost_nano > limit:
        raise AssertionError(f"calls cost {_usd(spent.cost_nano)}, more than {_usd(limit)}: {spent}")


def _observe(callback: Callable[[Receipt], None]) -> Callable[[], None]:
    from tokenguard.guard import observe

    return observe(callback)


def _nano(usd: float | str | Decimal) -> int:
    """Whole nano-dollars, rounded down: never more than was allowed."""
    try:
        value = Decimal(str(usd)) * NANO_PER_USD
        nano = int(value.to_integral_value(ROUND_FLOOR))
    except (ArithmeticError, ValueError):
        raise ValueError(f"max_usd is {usd!r}, not an amount in dollars") from None
    if nano < 0:
        raise ValueError(f"max_usd is {usd!r}; an amount cannot be negative")
    return nano


def _calls(number: int) -> str:
    return "1 call" if number == 1 else f"{number} calls"


def _usd(nano: int) -> str:
    return f"${Decimal(nano) / NANO_PER_USD:.9f}".rstrip("0").rstrip(".")
