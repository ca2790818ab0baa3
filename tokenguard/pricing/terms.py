"""The price of one kind of call through time: public prices, your own on top, and when they change."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from tokenguard.call import Meter, Where
from tokenguard.pricing import gaps
from tokenguard.pricing.cards import Priced, RateCard, card, multiplied, priced_all
from tokenguard.pricing.catalogue import Found
from tokenguard.pricing.overrides import PriceOverride
from tokenguard.pricing.rates import DAY_NS, ModelRates

STANDARD: Final = "standard"

_ALWAYS: Final = (0, 0)

# What providers call processing at the standard price: OpenAI "default" (and "auto" while it is not
# decided), Anthropic "standard", Groq "on_demand".
_STANDARD_TIERS: Final = frozenset({"", "auto", "default", "standard", "on_demand"})


class Terms(NamedTuple):
    """Everything of a call, besides its usage and its time, that its price depends on."""

    where: Where
    model: str
    service_tier: str | None = None
    inference_geo: str | None = None
    speed: str | None = None

    def contexts(self) -> list[tuple[str, str]]:
        """How it was processed, where that is not standard, as genai-prices writes it."""
        tier, speed = (self.service_tier or "").lower(), (self.speed or "").lower()
        found = []
        if tier not in _STANDARD_TIERS:
            found.append(("processing" if tier == "batch" else "service_tier", tier))
        if speed not in ("", STANDARD):
            found.append(("speed", speed))
        return found

    @property
    def processing(self) -> str:
        """``standard``, or the word for another processing: ``batch``, ``flex``, ``priority``, ``fast``."""
        return "+".join(value for _, value in self.contexts()) or STANDARD


class Contract:
    """An override, ready to be applied."""

    def __init__(self, override: PriceOverride) -> None:
        self.override = override
        self.amounts = override.amounts()
        self.factor = override.discount_factor()
        self.start_ns, self.end_ns = override.span_ns()
        self.scope = override.scope()
        since = f"@{override.from_}" if override.from_ is not None else ""
        self.source = f"override/{override.model}{since}"

    def holds(self, at_ns: int) -> bool:
        """Whether it holds at a Unix time in nanoseconds; its end is exclusive."""
        begun = self.start_ns is None or at_ns >= self.start_ns
        return begun and (self.end_ns is None or at_ns < self.end_ns)

    def rank(self, terms: Terms, provider: str | None, found: Found | None) -> tuple[int, ...] | None:
        """How precisely it is for such calls: greater is more precise. ``None`` where it is not for them.

        A narrower scope counts before a narrower model; an exact name before a pattern; the name
        that was used before the deployment, and that before the id in the price list; of patterns
        the longer one; amounts before a discount.
        """
        where = terms.where
        actual: dict[str, set[str | None]] = {
            "origin": {where.origin.lower()},
            "region": {where.region},
            "provider": {where.provider, provider},
            "service_tier": {terms.processing},
        }
        if any(wanted is not None and wanted not in actual[key] for key, wanted in self.scope):
            return None
        if self.override.service_tier is None and self.amounts and terms.processing != STANDARD:
            return None
        names = (terms.model, where.deployment, found.rates.model if found else None)
        place = next((i for i, name in enumerate(names) if name and self.override.covers(name)), None)
        if place is None:
            return None
        exactness = 0 if self.override.is_pattern else len(names) - place
        scoped = (int(wanted is not None) for _, wanted in self.scope)
        return (*scoped, exactness, self.override.literal_length, len(self.amounts))


class Rated(NamedTuple):
    """The card that a call is billed by, and the public one, which may be the same or missing."""

    contracted: RateCard | None
    public: RateCard | None
    why_not: str  # why there is no price, where there is none


class PricedTerms:
    """What calls under the same terms cost at any time. Worked out once for every span of time."""

    def __init__(
        self, terms: Terms, provider: str | None, found: Found | None, contracts: Iterable[Contract]
    ) -> None:
        self.terms = terms
        self._provider = provider
        self.found = found
        ranked = [(rank, c) for c in contracts if (rank := c.rank(terms, provider, found)) is not None]
        self._contracts = [c for _, c in sorted(ranked, key=lambda pair: pair[0], reverse=True)]
        self._changes, self._hours = _changes(found.rates if found else None, self._contracts)
        self.constant = not self._changes and not self._hours
        self._rated: dict[tuple[int, int], Rated] = {}

    def at(self, at_ns: int) -> Rated:
        """The cards at a Unix time in nanoseconds."""
        # Nothing changes between two of the moments on which a condition depends.
        span = _ALWAYS
        if not self.constant:
            span = (bisect_right(self._changes, at_ns), bisect_right(self._hours, at_ns % DAY_NS))
        rated = self._rated.get(span)
        if rated is None:
            rated = self._rated[span] = self._rate(at_ns)
        return rated

    def _rate(self, at_ns: int) -> Rated:
        public = self._public(at_ns)
        listed = None if isinstance(public, str) else self._card(public)
        # A discount needs a price to be taken off.
        usable = (c for c in self._contracts if c.holds(at_ns) and (c.amounts or listed is not None))
        contract = next(usable, None)
        if contract is None:
            return Rated(listed, listed, public if isinstance(public, str) else "")
        prices = {} if isinstance(public, str) else public
        if contract.factor is not None:
            prices = multiplied(prices, contract.factor, f"-{contract.override.discount}")
        own: dict[Meter, Priced] = {
            meter: (((0, price),), contract.source) for meter, price in contract.amounts.items()
        }
        return Rated(self._card({**prices, **own}), listed, "")

    def _card(self, prices: dict[Meter, Priced]) -> RateCard:
        model = self.found.rates.model if self.found else self.terms.model
        return card(self._provider or "", model, prices, self.found.rates.least if self.found else None)

    def _public(self, at_ns: int) -> dict[Meter, Priced] | str:
        """Public prices by meter, or why there are none."""
        if self.found is None:
            return f"it is in no price list of {self._provider or 'this host'}"
        rates = self.found.rates
        if rates.incomplete:
            return "its usage does not tell apart what its price list does"
        when, standard = rates.period_at(at_ns)
        source = f"{self._provider}/{rates.model}{when.label}"
        prices = priced_all(gaps.supplement(rates.provider, self.terms.model), f"tokenguard:{source}")
        prices |= priced_all(standard, source)
        varied = self._varied(at_ns, source)
        if varied is None:
            return f"no price for {self.terms.processing!r} processing"
        prices |= varied
        factor = gaps.surcharge(
            self._provider or "", self.terms.where, self.terms.model, self.terms.inference_geo
        )
        if factor is None:
            return f"no price for inference_geo {self.terms.inference_geo!r}"
        if factor != gaps.NO_SURCHARGE:
            prices = multiplied(prices, factor, "+10%", gaps.UNTOUCHED)
        return prices or "its price list has no price for it"

    def _varied(self, at_ns: int, source: str) -> dict[Meter, Priced] | None:
        """What the way of processing changes; ``None`` where its price is not known."""
        contexts = self.terms.contexts()
        if not contexts:
            return {}
        # Two at once, or another provider's price list: nobody has published that price.
        if len(contexts) > 1 or self.found is None or not self.found.own:
            return None
        kind, value = contexts[0]
        prices = self.found.rates.variant_at(kind, value, at_ns)
        return None if prices is None else priced_all(prices, f"{source}:{value}")


def _changes(
    rates: ModelRates | None, contracts: Sequence[Contract]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The moments, and the times of day, at which any price changes, in nanoseconds, ascending."""
    conditions = list(rates.conditions()) if rates else []
    moments = (
        {when.since_ns for when in conditions}
        | {c.start_ns for c in contracts}
        | {c.end_ns for c in contracts}
    )
    hours = {hour for when in conditions if when.hours_ns for hour in when.hours_ns}
    return tuple(sorted(m for m in moments if m is not None)), tuple(sorted(hours))
