"""Money is an integer number of nano-dollars; unit prices are exact decimals, in USD per million units.

Nothing here ever becomes a float. A signed 64-bit integer of nano-dollars holds 9.2 billion dollars.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Final

from tokenguard.errors import ConfigError

NANO_PER_USD: Final = 1_000_000_000

# The least digits shown of an amount below one dollar; amounts above it are shown to the cent.
_DIGITS: Final = 3
_EXACT: Final = Context(prec=200)
_FINEST: Final = Decimal("1E-12")
_AMOUNT: Final = re.compile(
    r"(?:USD|\$)?\s*(?P<number>[0-9][0-9_,]*(?:\.[0-9]+)?|\.[0-9]+)\s*(?:USD|\$)?", re.I
)


def nano(quantity: int, unit_price: Decimal) -> int:
    """The price of a quantity, in nano-dollars, rounded once, half to even.

    Args:
        quantity: How many units: tokens, requests, seconds.
        unit_price: USD per million of them; finite.
    """
    return rated(quantity, *scaled(unit_price))


def scaled(unit_price: Decimal) -> tuple[int, int]:
    """A price in USD per million units as a fraction: nano-dollars per unit, numerator and divisor."""
    sign, digits, exponent = unit_price.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"a unit price is a finite number, not {unit_price}")
    number = int("".join(map(str, digits))) * (-1 if sign else 1)
    # USD per million is 1000 nano-dollars per unit: 10**9 / 10**6.
    power = exponent + 3
    return (number * 10**power, 1) if power >= 0 else (number, 10**-power)


def rated(quantity: int, numerator: int, divisor: int) -> int:
    """``quantity * numerator / divisor``, rounded half to even; the fraction comes from :func:`scaled`."""
    return quantity * numerator if divisor == 1 else _half_even(quantity * numerator, divisor)


def _half_even(value: int, divisor: int) -> int:
    whole, rest = divmod(value, divisor)
    twice = 2 * rest
    return whole + 1 if twice > divisor or (twice == divisor and whole & 1) else whole


def format_usd(nano: int | None) -> str:
    """An amount for people: ``$12.35``, ``$0.0123``, ``$0.00000045``; ``unpriced`` for ``None``.

    From one dollar up it is rounded to the cent; below, to three significant digits. No amount but
    zero is ever shown as zero.
    """
    if nano is None:
        return "unpriced"
    sign, amount = ("-", -nano) if nano < 0 else ("", nano)
    decimals = 2 if amount >= NANO_PER_USD or not amount else _decimals_below_a_dollar(amount)
    units = _half_even(amount, 10 ** (9 - decimals))
    whole, fraction = divmod(units, 10**decimals)
    shown = f"{fraction:0{decimals}d}"
    return f"{sign}${whole:,}.{shown[:2]}{shown[2:].rstrip('0')}"


def _decimals_below_a_dollar(amount: int) -> int:
    leading_zeros = 9 - len(str(amount))
    return min(9, max(2, leading_zeros + _DIGITS))


def parse_usd(amount: str | Decimal | int | float) -> int:
    """Nano-dollars of an amount as people write it: ``"50 USD"``, ``"$0.5"``, ``Decimal("0.1")``, ``3``.

    Numbers are dollars. A float is taken as the digits that Python prints for it.

    Raises:
        ConfigError: It is not an amount in US dollars, is negative, or is finer than a nano-dollar.
    """
    number = _number(amount)
    if not number.is_finite() or number < 0:
        raise ConfigError(f"{amount!r} is not an amount of money: it must be a number of dollars, 0 or more")
    numerator, divisor = scaled(number)
    whole, rest = divmod(numerator * 1_000_000, divisor)
    if rest:
        raise ConfigError(f"{amount!r} is finer than a nano-dollar (0.000000001 USD), the least we count")
    return whole


def _number(amount: str | Decimal | int | float) -> Decimal:
    if isinstance(amount, str):
        match = _AMOUNT.fullmatch(amount.strip())
        if match is None:
            raise ConfigError(f"{amount!r} is not an amount of US dollars; write it like '50 USD' or '$0.50'")
        return Decimal(match["number"].replace(",", "").replace("_", ""))
    return exact(amount, "an amount of money")


def exact(value: str | Decimal | int | float, what: str) -> Decimal:
    """A number without loss; a float is taken as the digits that Python prints for it (``repr``).

    Raises:
        ConfigError: It is not a number. ``what`` names it in the message.
    """
    if isinstance(value, bool) or not isinstance(value, str | Decimal | int | float):
        raise ConfigError(f"{what} must be a number, not {value!r}")
    try:
        return Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise ConfigError(f"{what} must be a number, not {value!r}") from None


def times(price: Decimal, factor: Decimal) -> Decimal:
    """The exact product of a price and a factor."""
    return _EXACT.multiply(price, factor)


def quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """A price that comes from a division (per hour, per throughput), kept to 12 decimals, half to even.

    At USD per million units the part cut off is below a nano-dollar for anything up to 10**9 units,
    and the price that is stored is the very price that was multiplied.
    """
    return _EXACT.divide(dividend, divisor).quantize(_FINEST, ROUND_HALF_EVEN, _EXACT).normalize(_EXACT)


def plain(number: Decimal) -> str:
    """A decimal in the shortest plain notation: ``2.5``, ``10000``, never ``1E+4``."""
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
