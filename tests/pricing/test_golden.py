"""What calls cost, against sums done by hand, equal to the nano-dollar."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

import pytest

from tokenguard.call import Meter, Usage
from tokenguard.pricing import PriceBook

from .golden import CASES, Case
from .places import ANTHROPIC, NOW, ns

EXACT = Context(prec=60)


def by_hand(cost: str) -> int:
    """Nano-dollars of a sum of products in millionths of a dollar, each rounded once, half to even."""
    total = 0
    for term in cost.split("+"):
        micro = Decimal(1)
        for factor in term.split("*"):
            micro = EXACT.multiply(micro, Decimal(factor.strip()))
        total += int(EXACT.multiply(micro, Decimal(1000)).to_integral_value(ROUND_HALF_EVEN))
    return total


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook()


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_usage_costs_what_the_price_page_says(book: PriceBook, case: Case) -> None:
    """Every meter, tier, threshold, region and channel, to the nano-dollar."""
    usage = Usage({Meter(meter): quantity for meter, quantity in case.meters.items()})
    charge = book.charge(
        usage,
        where=case.where,
        model=case.model,
        service_tier=case.tier,
        at_ns=ns(case.at),
        inference_geo=case.geo,
        speed=case.speed,
    )
    expected = None if case.cost is None else by_hand(case.cost)
    assert charge.cost_nano == expected
    assert charge.list_cost_nano == expected
    assert sum(line.cost_nano for line in charge.lines) == (expected or 0)


def test_there_are_enough_of_them() -> None:
    """At least sixty usages, some of them unpriced."""
    assert len(CASES) >= 60
    assert any(case.cost is None for case in CASES.values())


def test_the_worked_example_of_focus() -> None:
    """FOCUS appendix: 10.5 million input tokens at $3, mostly cached, are $11.40 in place of $31.50."""
    book = PriceBook()

    def cost(**meters: int) -> int | None:
        usage = Usage({Meter(meter): n for meter, n in meters.items()})
        model = "claude-sonnet-4-6"
        return book.charge(usage, where=ANTHROPIC, model=model, service_tier=None, at_ns=ns(NOW)).cost_nano

    assert cost(input=10_500_000) == 31_500_000_000
    assert cost(cache_write=2_000_000, input=500_000, cache_read=8_000_000) == 11_400_000_000
