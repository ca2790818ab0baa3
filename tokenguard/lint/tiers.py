"""From how many tokens of input on a model costs more for all of them."""

from __future__ import annotations

from functools import lru_cache

from tokenguard.call import Meter, Where
from tokenguard.pricing.catalogue import shared
from tokenguard.pricing.resolve import price_provider


@lru_cache(maxsize=1024)
def dearer_from(model: str, provider: str) -> tuple[tuple[int, float], ...]:
    """The lengths of input beyond which a model has a higher price, each with the factor to its first one.

    By the newest public prices; nothing for a model without such a step, or that nobody knows.

    Args:
        model: Its name.
        provider: Whose it is, as in OpenTelemetry; empty where nobody knows.
    """
    catalogue = shared()
    whose = price_provider(Where(provider, "direct", "", "", 0), catalogue) if provider else None
    whose = whose or catalogue.provider_named_like(model)
    found = catalogue.find(whose, model) if whose else None
    if found is None:
        return ()
    _, prices = found.rates.periods[-1]
    first, *dearer = prices.get(Meter.INPUT) or ((0, None),)
    return tuple((threshold, float(price / first[1])) for threshold, price in dearer if first[1] and price)
