"""A model's prices as rows, for people: every meter, step and way of processing, and the model's class."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from tokenguard.call import Meter, Where
from tokenguard.pricing.cards import Rate, RateCard
from tokenguard.pricing.terms import STANDARD

if TYPE_CHECKING:
    from tokenguard.pricing.book import PriceBook

# Of the blended price: one dollar, four and ten dollars a million tokens begin the next class.
_CLASSES: Final = ((Decimal(1), "$"), (Decimal(4), "$$"), (Decimal(10), "$$$"))
_DEAREST: Final = "$$$$"

OVERRIDE: Final = "override"
"""The source of a price of your own."""


class PriceRow(NamedTuple):
    """One price.

    Attributes:
        provider: Whose price list it is in; empty for a model that only an override knows.
        model: The model's id there.
        processing: ``standard``, or another way of processing (``batch``, ``flex``, ``fast`` ...).
        meter: What is counted.
        above: Only for prompts longer than this many tokens.
        unit_price: USD per million units, exact: what you pay.
        list_price: The same at the public price; ``None`` where there is none.
        price_id: As in the ledger.
        source: ``override`` or the price set.
    """

    provider: str
    model: str
    processing: str
    meter: Meter
    above: int
    unit_price: str
    list_price: str | None
    price_id: str
    source: str


def describe(book: PriceBook, model: str, *, provider: str | None, at_ns: int) -> list[PriceRow]:
    """All prices of a model; see :meth:`tokenguard.pricing.PriceBook.describe`.

    A price that another way of processing, or a longer prompt, does not change has no row of its own.
    """
    where = endpoint_of(book, model, provider)
    ways = {
        word: book.terms(where=where, model=model, service_tier=tier, speed=speed).at(at_ns)
        for word, tier, speed in _ways(book, where, model)
    }
    cards = {word: (rated.contracted, rated.public) for word, rated in ways.items() if rated.contracted}
    spans = sorted({0, *(above for card, _ in cards.values() for above in card.thresholds)})
    standard = cards[STANDARD][0] if STANDARD in cards else None
    rows: list[PriceRow] = []
    for above in spans:
        changed = {meter for card, _ in cards.values() for meter in _changed(card, above)}
        for word, (card, public) in cards.items():
            for meter, rate in card.band(_past(above)).items():
                usual = standard.rate(meter, _past(above)) if standard and word != STANDARD else None
                if meter in changed and rate != usual and not _stands_in(rate):
                    listed = public.rate(meter, _past(above)) if public else None
                    rows.append(_row(book, word, card, meter, above, rate, listed))
    return rows


def _past(above: int) -> int:
    return above + 1 if above else 0


def _changed(card: RateCard, above: int) -> set[Meter]:
    """Meters whose price is another for prompts longer than this than for short ones; all of them at 0."""
    first = card.bands[0]
    return {meter for meter, rate in card.band(_past(above)).items() if not above or rate != first[meter]}


def _stands_in(rate: Rate) -> bool:
    """Whether it is the price of another meter, because this one has none of its own."""
    return "~" in rate.price_id


def endpoint_of(book: PriceBook, model: str, provider: str | None = None) -> Where:
    """The endpoint whose price list a model is in, where nobody says at which it is called.

    Args:
        book: The prices.
        model: The model's name.
        provider: Whose list it is, where that is known; else the provider whose models are named so. One
            that is in no list is at an endpoint without a provider.
    """
    named = provider if provider is not None else _provider_of(book, model)
    return Where(provider=named or "", channel="direct", origin="", host="", port=0)


def _provider_of(book: PriceBook, model: str) -> str | None:
    """The provider whose models are named so, or else the first in whose list the model is."""
    name = book.deployments.get(model, model)
    likely = book.catalogue.provider_named_like(name)
    order = [likely, *book.catalogue.providers] if likely else book.catalogue.providers
    return next((provider for provider in order if book.catalogue.find(provider, name)), None)


def _ways(book: PriceBook, where: Where, model: str) -> list[tuple[str, str | None, str | None]]:
    """Standard and every other processing with a price: its word, and the tier and speed that mean it."""
    found = book.terms(where=where, model=model).found
    ways: dict[str, tuple[str | None, str | None]] = {STANDARD: (None, None)}
    for variant in found.rates.variants if found else ():
        if variant.value != "default":
            fast = variant.kind == "speed"
            ways[variant.value] = (None, variant.value) if fast else (variant.value, None)
    return [(word, tier, speed) for word, (tier, speed) in ways.items()]


def _row(
    book: PriceBook,
    processing: str,
    card: RateCard,
    meter: Meter,
    above: int,
    rate: Rate,
    listed: Rate | None,
) -> PriceRow:
    return PriceRow(
        provider=card.provider,
        model=card.model,
        processing=processing,
        meter=meter,
        above=above,
        unit_price=rate.unit_price,
        list_price=listed.unit_price if listed else None,
        price_id=rate.price_id,
        source=OVERRIDE if listed is None or rate.price_id != listed.price_id else book.price_set,
    )


def price_class(rows: Iterable[PriceRow]) -> str | None:
    """``$`` to ``$$$$`` for a model, from its blended price; ``None`` without a price for input.

    The blend is three tokens in to one token out, as Artificial Analysis weighs it
    (https://artificialanalysis.ai/methodology), at the standard price of a short prompt; a model
    without output counts by its input. Below 1 USD per million tokens it is ``$``, below 4 ``$$``,
    below 10 ``$$$``, else ``$$$$``.
    """
    prices = {
        row.meter: Decimal(row.unit_price) for row in rows if row.processing == STANDARD and not row.above
    }
    if Meter.INPUT not in prices:
        return None
    input_price = prices[Meter.INPUT]
    blended = (3 * input_price + prices.get(Meter.OUTPUT, input_price)) / 4
    return next((name for bound, name in _CLASSES if blended < bound), _DEAREST)


def similar(book: PriceBook, model: str, *, provider: str | None = None, at_most: int = 5) -> list[str]:
    """Names of models that have a price and look like this one, the likest first."""
    from difflib import get_close_matches

    providers = [provider] if provider else book.catalogue.providers
    names = dict.fromkeys(name for each in providers for name in book.catalogue.models(each))
    return get_close_matches(model.lower(), list(names), n=at_most, cutoff=0.4)
