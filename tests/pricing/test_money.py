"""Money is exact: integers in nano-dollars, rounded once, half to even."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenguard.errors import ConfigError
from tokenguard.pricing import format_usd, nano, parse_usd
from tokenguard.pricing.money import exact, plain, quotient, times

unit_prices = st.decimals(min_value=0, max_value=10**6, allow_nan=False, allow_infinity=False)


@given(quantity=st.integers(0, 10**12), unit_price=unit_prices)
def test_a_price_is_rounded_once_half_to_even(quantity: int, unit_price: Decimal) -> None:
    """The integers give what exact decimal arithmetic with one rounding gives."""
    exactly = Context(prec=300)
    dollars = exactly.divide(exactly.multiply(Decimal(quantity), unit_price), Decimal(1_000_000))
    rounded = exactly.multiply(dollars, Decimal(10**9)).to_integral_value(ROUND_HALF_EVEN)
    assert nano(quantity, unit_price) == int(rounded)


@pytest.mark.parametrize(
    ("quantity", "unit_price", "expected"),
    [
        (1, "0.0005", 0),  # half a nano-dollar: to the even 0
        (3, "0.0005", 2),  # one and a half: to the even 2
        (5, "0.0005", 2),  # two and a half: to the even 2
        (1, "0.00051", 1),
        (1, "1E+3", 1_000_000),
        (0, "15", 0),
        (1_000_000, "2.5", 2_500_000_000),
    ],
)
def test_ties_go_to_the_even_neighbour(quantity: int, unit_price: str, expected: int) -> None:
    """Half a nano-dollar is rounded to the even neighbour."""
    assert nano(quantity, Decimal(unit_price)) == expected


def test_a_price_without_end_is_refused() -> None:
    """An infinite unit price is a mistake of the caller."""
    with pytest.raises(ValueError, match="finite"):
        nano(1, Decimal("Infinity"))


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "unpriced"),
        (0, "$0.00"),
        (1, "$0.000000001"),
        (450, "$0.00000045"),
        (12_345, "$0.0000123"),
        (12_300_000, "$0.0123"),
        (500_000_000, "$0.50"),
        (999_999_999, "$1.00"),
        (1_000_000_000, "$1.00"),
        (12_345_000_000, "$12.34"),
        (12_355_000_000, "$12.36"),
        (1_234_567_890_000_000, "$1,234,567.89"),
        (-12_300_000, "-$0.0123"),
    ],
)
def test_amounts_are_shown_with_sensible_digits(amount: int | None, shown: str) -> None:
    """To the cent from a dollar up, to three digits below, and unpriced is never zero."""
    assert format_usd(amount) == shown


@given(amount=st.integers(1, 10**18))
def test_only_nothing_is_shown_as_nothing(amount: int) -> None:
    """No amount but zero reads as zero, and what is shown is within half a percent of it."""
    shown = Fraction(format_usd(amount).replace("$", "").replace(",", ""))
    assert shown > 0
    assert abs(shown - Fraction(amount, 10**9)) <= Fraction(amount, 10**9) / 199


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("50 USD", 50_000_000_000),
        ("$0.5", 500_000_000),
        ("usd 3", 3_000_000_000),
        (" 1,250.25 ", 1_250_250_000_000),
        ("1_000", 1_000_000_000_000),
        (".25", 250_000_000),
        ("0.000000001", 1),
        (Decimal("0.1"), 100_000_000),
        (3, 3_000_000_000),
        (0.1, 100_000_000),
        (0, 0),
    ],
)
def test_amounts_are_read_as_people_write_them(amount: str | Decimal | float, expected: int) -> None:
    """With a sign, a code, or bare; a float is the digits that Python prints."""
    assert parse_usd(amount) == expected


@pytest.mark.parametrize(
    "amount",
    ["", "USD", "50 EUR", "fifty", "-1", "1e3", -1, Decimal("NaN"), Decimal("Infinity"), float("nan"), True,
     "0.0000000001", None],
)  # fmt: skip
def test_what_is_no_amount_is_refused_by_name(amount: object) -> None:
    """The error names the value."""
    with pytest.raises(ConfigError) as raised:
        parse_usd(amount)  # type: ignore[arg-type]
    assert "number" in str(raised.value) or repr(amount) in str(raised.value)


@given(amount=st.integers(0, 10**15))
def test_reading_back_what_was_written(amount: int) -> None:
    """An amount in dollars with nine decimals is read back to the nano-dollar."""
    whole, rest = divmod(amount, 10**9)
    assert parse_usd(f"${whole}.{rest:09d}") == amount


@given(a=unit_prices, b=unit_prices)
def test_products_lose_nothing(a: Decimal, b: Decimal) -> None:
    """A surcharge or a discount leaves an exact price."""
    assert Fraction(times(a, b)) == Fraction(a) * Fraction(b)


def test_a_quotient_is_kept_to_twelve_decimals() -> None:
    """An hour's price by the second: cut off below anything that a nano-dollar could show."""
    assert plain(quotient(Decimal(1_020_000), Decimal(3600))) == "283.333333333333"
    assert plain(quotient(Decimal(360_000), Decimal(3600))) == "100"
    assert nano(3600, quotient(Decimal(1_020_000), Decimal(3600))) == 1_020_000_000


def test_numbers_are_taken_without_loss() -> None:
    """A string or a float is the number that it shows."""
    assert exact("2.50", "x") == Decimal("2.50")
    assert exact(0.1, "x") == Decimal("0.1")
    with pytest.raises(ConfigError, match="price of x must be a number, not 'cheap'"):
        exact("cheap", "price of x")
