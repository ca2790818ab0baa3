"""The price book: turns what a call used into what it costs, at the public price and at yours."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from tokenguard import faults
from tokenguard.call import Charge, Line, Meter, Usage, Where
from tokenguard.errors import ConfigError
from tokenguard.pricing import gaps
from tokenguard.pricing.cards import RateCard, lines
from tokenguard.pricing.catalogue import Catalogue, Found, shared
from tokenguard.pricing.overrides import PriceOverride, check_unambiguous
from tokenguard.pricing.resolve import names_of, price_provider, resolve_model
from tokenguard.pricing.terms import Contract, PricedTerms, Terms

if TYPE_CHECKING:
    from tokenguard.pricing.describe import PriceRow

NO_DEPLOYMENTS: Final[Mapping[str, str]] = {}

_MEMO_SIZE: Final = 1024


class PriceBook:
    """Prices for every call of a guard. Safe to share between threads.

    Example:
        >>> book = PriceBook([PriceOverride("gpt-4.1", discount="15%")])
        >>> charge = book.charge(usage, where=where, model="gpt-4.1", service_tier=None, at_ns=now)
        >>> charge.cost_nano, charge.list_cost_nano
    """

    def __init__(
        self,
        overrides: Sequence[PriceOverride] = (),
        deployments: Mapping[str, str] = NO_DEPLOYMENTS,
        catalogue: Catalogue | None = None,
    ) -> None:
        """Make a book of public prices, with your own on top.

        Args:
            overrides: Your own prices.
            deployments: Models by Azure deployment or by any other name that a request uses.
            catalogue: Public prices; by default those of genai-prices, loaded on first use.

        Raises:
            ConfigError: Two overrides are for the same calls, or a deployment names no model.
        """
        for name, model in deployments.items():
            if not isinstance(model, str) or not model:
                raise ConfigError(f"deployments[{name!r}] must be the name of a model, not {model!r}")
        check_unambiguous(overrides)
        self._contracts = tuple(Contract(override) for override in overrides)
        self.deployments = dict(deployments)
        self._given_catalogue = catalogue
        self._priced: Callable[[Where, str, str | None, str | None, str | None], PricedTerms]
        self._priced = lru_cache(_MEMO_SIZE)(self._price)
        self._billed: Callable[[Where, str, str | None, str | None, str | None, str | None], Billing]
        self._billed = lru_cache(_MEMO_SIZE)(self._bill)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The public prices."""
        return self._given_catalogue or shared()

    @cached_property
    def price_set(self) -> str:
        """Names the prices of this book: ``genai-prices-0.2.3``, and a hash of your own if you have any."""
        name = f"genai-prices-{self.catalogue.version}"
        if not self._contracts and not self.deployments:
            return name
        own = sorted(contract.override.canonical() for contract in self._contracts)
        text = "\n".join([*own, *(f"{a}={b}" for a, b in sorted(self.deployments.items()))])
        return f"{name}+{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def charge(
        self,
        usage: Usage,
        *,
        where: Where,
        model: str,
        service_tier: str | None,
        at_ns: int,
        served: str | None = None,
        inference_geo: str | None = None,
        speed: str | None = None,
    ) -> Charge:
        """What a usage costs.

        Args:
            usage: Quantities by meter; those below one cost nothing.
            where: The endpoint that was called.
            model: The model that was asked for.
            service_tier: How it was processed, from the reply.
            at_ns: When the call started, Unix nanoseconds.
            served: The model named in the reply; :meth:`model_for` says which of the two is billed.
            inference_geo: Where Anthropic processed it, from the reply.
            speed: Anthropic's speed, from the reply.

        Returns:
            The charge; its costs are ``None`` where a meter that was used has no known price.
        """
        terms = self._billed(where, model, served, service_tier, inference_geo, speed).at(at_ns)
        rated = terms.at(at_ns)
        if rated.contracted is None:
            return self._unpriced(rated.why_not, terms)
        made = _lines(rated.contracted, usage)
        if isinstance(made, Meter):
            return self._unpriced(f"its {made} was used and has no price", terms)
        cost = sum([line.cost_nano for line in made])
        listed = cost if rated.public is rated.contracted else _list_cost(rated.public, usage, cost)
        return Charge(cost, listed, tuple(made), self.price_set)

    def lookup(
        self,
        *,
        where: Where,
        model: str,
        at_ns: int,
        service_tier: str | None = None,
        inference_geo: str | None = None,
        speed: str | None = None,
    ) -> RateCard | None:
        """The rate card that a call would be billed by, or ``None`` where there is no price."""
        return self._priced(where, model, service_tier, inference_geo, speed).at(at_ns).contracted

    def describe(self, model: str, *, provider: str | None = None, at_ns: int) -> list[PriceRow]:
        """All prices of a model, for people: every meter, step and way of processing.

        Args:
            model: The model's name.
            provider: Whose price list, as in genai-prices or as in OpenTelemetry; by default the one
                whose models are named so.
            at_ns: When, Unix nanoseconds.

        Returns:
            One row for each price; none for a model without.
        """
        from tokenguard.pricing.describe import describe

        return describe(self, model, provider=provider, at_ns=at_ns)

    def terms(
        self,
        *,
        where: Where,
        model: str,
        service_tier: str | None = None,
        inference_geo: str | None = None,
        speed: str | None = None,
    ) -> PricedTerms:
        """The prices of calls under the same terms, at any time."""
        return self._priced(where, model, service_tier, inference_geo, speed)

    def model_for(self, where: Where, *, requested: str, served: str | None, at_ns: int) -> str:
        """The name that a call is billed under (:func:`tokenguard.pricing.resolve.resolve_model`)."""

        def known(name: str) -> bool:
            return self.lookup(where=where, model=name, at_ns=at_ns) is not None

        return resolve_model(
            where, requested=requested, served=served, deployments=self.deployments, known=known
        )

    def _unpriced(self, why: str, terms: PricedTerms) -> Charge:
        faults.warn_once(
            "pricing.unpriced",
            "Calls to model %r at %s are unpriced: %s. Add a [[prices]] entry or a deployment for it.",
            terms.terms.model,
            terms.terms.where.origin,
            why,
        )
        return Charge(None, None, (), self.price_set)

    def _bill(
        self,
        where: Where,
        model: str,
        served: str | None,
        tier: str | None,
        geo: str | None,
        speed: str | None,
    ) -> Billing:
        def billed(*, known: bool) -> str:
            return resolve_model(
                where, requested=model, served=served, deployments=self.deployments, known=lambda _: known
            )

        name, substitute = billed(known=True), billed(known=False)
        terms = self._priced(where, name, tier, geo, speed)
        if name == substitute:
            return Billing(terms)
        standard = self._priced(where, name, None, None, None)
        billing = Billing(terms, standard, self._priced(where, substitute, tier, geo, speed))
        return Billing(billing.at(0)) if standard.constant else billing

    def _price(
        self, where: Where, model: str, service_tier: str | None, geo: str | None, speed: str | None
    ) -> PricedTerms:
        terms = Terms(where, self.deployments.get(model, model), service_tier, geo, speed)
        provider = price_provider(where, self.catalogue)
        found = self._find(provider, terms) if provider else None
        return PricedTerms(terms, provider, found, self._contracts)

    def _find(self, provider: str, terms: Terms) -> Found | None:
        """A model's public prices, if it has any of its own: a fine-tuned one never has its base's."""
        for name in names_of(terms.where, terms.model):
            found = self.catalogue.find(provider, name)
            if found and gaps.is_fine_tuned(name.lower()) == gaps.is_fine_tuned(found.rates.model.lower()):
                return found
        return None


class Billing(NamedTuple):
    """The terms that a call is billed under; others, where the name of its model has no price (yet)."""

    terms: PricedTerms
    if_known: PricedTerms | None = None
    otherwise: PricedTerms | None = None

    def at(self, at_ns: int) -> PricedTerms:
        """The terms at a Unix time in nanoseconds."""
        known, otherwise = self.if_known, self.otherwise
        if known is None or otherwise is None or known.at(at_ns).contracted is not None:
            return self.terms
        return otherwise


def _lines(card: RateCard, usage: Usage) -> list[Line] | Meter:
    meters: Mapping[Meter, int] = usage.meters
    if card.least:
        meters = {meter: max(n, card.least.get(meter, 0)) if n > 0 else n for meter, n in meters.items()}
    return lines(card.band(usage.input_tokens) if card.thresholds else card.bands[0], meters)


def _list_cost(public: RateCard | None, usage: Usage, cost: int) -> int:
    """What a usage costs at the public price; where there is none, what it costs."""
    made = None if public is None else _lines(public, usage)
    return sum(line.cost_nano for line in made) if isinstance(made, list) else cost
