"""A rate card: what each meter costs for one model, place, processing and moment, ready to multiply."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from tokenguard.call import Line, Meter
from tokenguard.pricing.money import plain, rated, scaled, times
from tokenguard.pricing.rates import Prices, Steps, price_at

# Where a price list has no price for a meter, the next of these that has one is what the provider
# bills. Every step is to the price of the same tokens without the discount or the distinction:
# - cached tokens without a cached price are billed in full;
# - cache writes without a price of their own are billed as input (OpenAI before GPT-5.6: "Models
#   before gpt-5.6 don't charge extra to write to the cache",
#   https://learn.microsoft.com/azure/foundry/openai/how-to/prompt-caching);
# - images without a price of their own are billed as text.
# Audio is never billed as text, and searches and seconds have no substitute.
FALLBACKS: Final[Mapping[Meter, tuple[Meter, ...]]] = {
    Meter.CACHE_READ: (Meter.INPUT,),
    Meter.CACHE_WRITE: (Meter.INPUT,),
    Meter.AUDIO_CACHE_READ: (Meter.AUDIO_INPUT,),
    Meter.IMAGE_INPUT: (Meter.INPUT,),
    Meter.IMAGE_CACHE_READ: (Meter.IMAGE_INPUT, Meter.CACHE_READ, Meter.INPUT),
    Meter.IMAGE_OUTPUT: (Meter.OUTPUT,),
}

# Claude's cache writes always cost more than input, so those have no fallback.
_NOT_FOR_CLAUDE: Final = Meter.CACHE_WRITE

_REQUESTS: Final = Meter.REQUESTS  # on Python 3.11, an enum's members are looked up by Python code

# The long write: twice the input price for Claude ("1-hour cache writes: 2x the base input price",
# https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing), twice the short write
# elsewhere (GPT-6.1 Terra lists $1.25 for 30 minutes and $2.50 for 12 hours).
_LONG_WRITE: Final = Decimal(2)


class Rate(NamedTuple):
    """The price of one meter. ``unit_price`` is USD per million units, exact; the rest is derived."""

    unit_price: str
    price_id: str
    numerator: int
    divisor: int

    def nano(self, quantity: int) -> int:
        """What a quantity costs, in nano-dollars, rounded once, half to even."""
        return rated(quantity, self.numerator, self.divisor)


Band = Mapping[Meter, Rate]
"""The prices for prompts of one span of lengths."""


class RateCard(NamedTuple):
    """What everything costs at one model, place, processing and moment.

    Attributes:
        provider: Whose price list it is, as in genai-prices, or the override's.
        model: The model's id in that list.
        bands: Prices by the length of the prompt, one more than there are thresholds.
        thresholds: Prompts *longer* than the n-th threshold, in tokens, are billed by band n + 1.
        least: The least quantity billed, for meters that have one.
    """

    provider: str
    model: str
    bands: tuple[Band, ...]
    thresholds: tuple[int, ...] = ()
    least: Mapping[Meter, int] | None = None

    def band(self, input_tokens: int) -> Band:
        """The prices for a prompt of this many tokens in all, cached ones included."""
        return self.bands[bisect_left(self.thresholds, input_tokens)]

    def rate(self, meter: Meter, input_tokens: int = 0) -> Rate | None:
        """The price of a meter, or ``None`` where it has none."""
        return self.band(input_tokens).get(meter)


def lines(band: Band, quantities: Mapping[Meter, int]) -> list[Line] | Meter:
    """Every meter of a usage with its price, or the first meter that has a quantity and no price.

    A price per request is charged once where the usage counts no requests; requests without a
    price are free as long as something else is priced. Quantities below one are left out.
    """
    made: list[Line] = []
    for meter, quantity in quantities.items():
        if quantity > 0:
            rate = band.get(meter)
            if rate is not None:
                made.append(_line(meter, quantity, rate))
            elif meter is not _REQUESTS:
                return meter
    if _REQUESTS in quantities:
        return made or _REQUESTS
    rate = band.get(_REQUESTS)
    if rate is not None:
        made.append(_line(_REQUESTS, 1, rate))
    return made


def _line(meter: Meter, quantity: int, rate: Rate) -> Line:
    unit_price, price_id, numerator, divisor = rate
    cost = quantity * numerator if divisor == 1 else rated(quantity, numerator, divisor)
    return Line(meter, quantity, unit_price, price_id, cost)


Priced = tuple[Steps, str]
"""A meter's prices with where they come from, which begins the price id."""


def card(
    provider: str, model: str, prices: Mapping[Meter, Priced], least: Mapping[Meter, int] | None = None
) -> RateCard:
    """Make a card of prices: fill in the fallbacks, and work out the bands.

    Args:
        provider: Whose prices they are.
        model: The model's id.
        prices: By meter, each with its source, which begins the price id.
        least: The least quantity billed, by meter.
    """
    full = _with_fallbacks(prices, "claude" in model.lower())
    thresholds = sorted({threshold for steps, _ in full.values() for threshold, _ in steps[1:]})
    bands = tuple(
        {meter: _rate(priced, above) for meter, priced in full.items()} for above in (0, *thresholds)
    )
    return RateCard(provider, model, bands, tuple(thresholds), least)


def _rate(priced: Priced, above: int) -> Rate:
    steps, source = priced
    # One token past the threshold is the first that is billed at the next step.
    price = price_at(steps, above + 1 if above else 0)
    reached = max((threshold for threshold, _ in steps if threshold <= above), default=0)
    return Rate(plain(price), f"{source}>{reached}" if reached else source, *scaled(price))


def _with_fallbacks(prices: Mapping[Meter, Priced], claude: bool) -> dict[Meter, Priced]:
    full = dict(prices)
    for meter, others in FALLBACKS.items():
        if meter not in full and not (claude and meter is _NOT_FOR_CLAUDE):
            substitute = next((other for other in others if other in prices), None)
            if substitute is not None:
                full[meter] = _times(prices[substitute], Decimal(1), f"~{substitute}")
    if Meter.CACHE_WRITE_1H not in full:
        base = Meter.INPUT if claude else Meter.CACHE_WRITE
        # Where a write costs nothing extra, keeping it for long is not sold at all.
        if base in prices:
            full[Meter.CACHE_WRITE_1H] = _times(prices[base], _LONG_WRITE, f"~{base}x{_LONG_WRITE}")
    return full


def _times(priced: Priced, factor: Decimal, mark: str) -> Priced:
    steps, source = priced
    return tuple((start, times(price, factor)) for start, price in steps), source + mark


def multiplied(
    prices: Mapping[Meter, Priced], factor: Decimal, mark: str, besides: frozenset[Meter] = frozenset()
) -> dict[Meter, Priced]:
    """Every price times a factor, but those of the meters in ``besides``; ``mark`` goes into the source."""
    return {
        meter: priced if meter in besides else _times(priced, factor, mark)
        for meter, priced in prices.items()
    }


def priced_all(prices: Prices, source: str) -> dict[Meter, Priced]:
    """Prices that all come from one place."""
    return {meter: (steps, source) for meter, steps in prices.items()}
