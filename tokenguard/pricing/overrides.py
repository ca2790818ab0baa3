"""Your own prices: negotiated rates, discounts, models nobody lists, and GPUs paid by the hour."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Final

from tokenguard.call import Meter
from tokenguard.errors import ConfigError
from tokenguard.pricing.money import exact, plain, quotient
from tokenguard.pricing.rates import day_ns, moment_ns

Price = str | int | float | Decimal
"""A number. Write it as a string; a float is taken as the digits that Python prints for it."""

_MILLION: Final = Decimal(1_000_000)
_NO_TOKENS: Final = frozenset({Meter.REQUESTS, Meter.SECONDS, Meter.WEB_SEARCHES})
_PERCENT: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """What you pay for a model, where that is not the public price.

    It says which calls it is for (``model`` to ``service_tier``), when (``from_``, ``until``), and
    one kind of price: amounts, a GPU by the hour, or a discount on the public price. Meters that it
    does not name keep their public price.

    Attributes:
        model: The model's name, or a pattern with ``*`` and ``?``; upper and lower case are alike. It
            is compared with the name in the reply or request, with the Azure deployment, and with the
            model's id in the price list, so ``gpt-4.1`` covers ``gpt-4.1-2025-04-14`` as well.
        provider: Only for calls to this provider (``openai``, ``azure.ai.openai``, ``aws`` ...).
        origin: Only for calls to this ``https://host[:port]``.
        region: Only for calls to this region, where the endpoint names one.
        service_tier: Only for this processing (``batch``, ``flex``, ``priority``, ``fast`` ...).
            Without it a discount is on every tier, and amounts are for ``standard`` processing.
        prices: USD per million units by meter (``{"input": "2.5", "output": "10"}``).
        per_request: USD for each request, on top.
        per_second: USD for each second of audio.
        gpu_hour_usd: What an hour of the machine costs. Together with ``tokens_per_second`` it gives
            one price for every token, in and out: ``gpu_hour_usd / (3600 * tokens_per_second)``.
        tokens_per_second: How many tokens, in and out, the machine really works off in a second,
            averaged over the hours you pay for: idle hours make a token dearer.
        discount: Off the public price, as ``"15%"``.
        from_: First day, UTC (a date, or ``"2026-07-01"``).
        until: Day on which it no longer holds.

    Raises:
        ConfigError: A value is no number, negative, not finite, or contradicts another.
    """

    model: str
    provider: str | None = None
    origin: str | None = None
    region: str | None = None
    service_tier: str | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)
    per_request: Price | None = None
    per_second: Price | None = None
    gpu_hour_usd: Price | None = None
    tokens_per_second: Price | None = None
    discount: str | None = None
    from_: date | str | None = None
    until: date | str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model.strip():
            raise ConfigError(f"{self.name}: model must be a name or a pattern, not {self.model!r}")
        amounts, off = self.amounts(), self.discount_factor()
        if (off is None) == (not amounts):
            raise ConfigError(
                f"{self.name}: give either prices (prices, per_request, per_second or gpu_hour_usd with "
                "tokens_per_second) or a discount"
            )
        start, end = self.span_ns()
        if start is not None and end is not None and end <= start:
            raise ConfigError(f"{self.name}: until ({self.until}) must be after from_ ({self.from_})")

    @property
    def name(self) -> str:
        """How messages and price ids call this entry."""
        scope = [f"{key}={value}" for key, value in self.scope() if value is not None]
        dates = [f"from {self.from_}"] if self.from_ is not None else []
        return " ".join([f"price override {self.model!r}", *scope, *dates])

    def scope(self) -> tuple[tuple[str, str | None], ...]:
        """Which calls it is for besides the model, the most telling first."""
        return (
            ("origin", self.origin.rstrip("/").lower() if self.origin else None),
            ("region", self.region),
            ("provider", self.provider),
            ("service_tier", self.service_tier),
        )

    def covers(self, name: str) -> bool:
        """Whether it is for a model of this name."""
        return _pattern(self.model.lower()).fullmatch(name.lower()) is not None

    @property
    def is_pattern(self) -> bool:
        """Whether ``model`` is a pattern, not one name."""
        return "*" in self.model or "?" in self.model

    @property
    def literal_length(self) -> int:
        """How much of ``model`` is not a wildcard: of two patterns, the longer one is more precise."""
        return len(self.model) - self.model.count("*") - self.model.count("?")

    def amounts(self) -> dict[Meter, Decimal]:
        """USD per million units, by meter; empty for a discount."""
        found = dict.fromkeys((m for m in Meter if m not in _NO_TOKENS), gpu) if (gpu := self._gpu()) else {}
        for key, price in self.prices.items():
            found[self._meter(key)] = self._amount(f"prices[{key!r}]", price)
        if self.per_request is not None:
            found[Meter.REQUESTS] = self._amount("per_request", self.per_request) * _MILLION
        if self.per_second is not None:
            found[Meter.SECONDS] = self._amount("per_second", self.per_second) * _MILLION
        return found

    def discount_factor(self) -> Decimal | None:
        """What the public price is multiplied by: 0.85 for ``"15%"``; ``None`` without a discount."""
        if self.discount is None:
            return None
        match = _PERCENT.fullmatch(self.discount) if isinstance(self.discount, str) else None
        if match is None or Decimal(match[1]) > 100:
            raise ConfigError(f"{self.name}: discount must be like '15%', up to 100%, not {self.discount!r}")
        return 1 - Decimal(match[1]) / 100

    def span_ns(self) -> tuple[int | None, int | None]:
        """When it holds: Unix nanoseconds, the end exclusive; ``None`` is open."""
        return self._day("from_", self.from_), self._day("until", self.until)

    def canonical(self) -> str:
        """A text that is the same for entries that mean the same; price sets are named by it."""
        amounts = ",".join(f"{meter}={plain(price)}" for meter, price in sorted(self.amounts().items()))
        return "|".join(
            map(str, (self.model.lower(), self.scope(), amounts, self.discount_factor(), self.span_ns()))
        )

    def _gpu(self) -> Decimal | None:
        if self.gpu_hour_usd is None and self.tokens_per_second is None:
            return None
        if self.gpu_hour_usd is None or self.tokens_per_second is None:
            raise ConfigError(f"{self.name}: gpu_hour_usd and tokens_per_second belong together")
        speed = self._amount("tokens_per_second", self.tokens_per_second)
        if not speed:
            raise ConfigError(f"{self.name}: tokens_per_second must be more than 0")
        return quotient(self._amount("gpu_hour_usd", self.gpu_hour_usd) * _MILLION, speed * 3600)

    def _meter(self, key: str) -> Meter:
        try:
            return Meter(key)
        except ValueError:
            known = ", ".join(Meter)
            raise ConfigError(f"{self.name}: prices has no meter {key!r}; the meters are {known}") from None

    def _amount(self, key: str, price: Price) -> Decimal:
        number = exact(price, f"{self.name}: {key}")
        if not number.is_finite() or number < 0:
            raise ConfigError(f"{self.name}: {key} must be 0 or more, not {price!r}")
        return number

    def _day(self, key: str, day: date | str | None) -> int | None:
        if day is None:
            return None
        try:
            moment = datetime.fromisoformat(day) if isinstance(day, str) else day
        except ValueError:
            raise ConfigError(f"{self.name}: {key} must be a day like '2026-07-01', not {day!r}") from None
        return moment_ns(moment) if isinstance(moment, datetime) else day_ns(moment)


def check_unambiguous(overrides: Sequence[PriceOverride]) -> None:
    """Refuse two entries of which neither is more precise, for one model at one time.

    Raises:
        ConfigError: There are such entries; both are named.
    """
    for index, one in enumerate(overrides):
        for other in overrides[:index]:
            if _equally_precise(one, other) and _meet(one, other):
                raise ConfigError(
                    f"{other.name} and {one.name} are for the same calls at the same time; "
                    "narrow one of them by model, origin, region, provider, service_tier, from_ or until"
                )


def _equally_precise(one: PriceOverride, other: PriceOverride) -> bool:
    if one.scope() != other.scope() or one.is_pattern != other.is_pattern:
        return False
    return not one.is_pattern or one.literal_length == other.literal_length


def _meet(one: PriceOverride, other: PriceOverride) -> bool:
    (start, end), (other_start, other_end) = one.span_ns(), other.span_ns()
    if end is not None and other_start is not None and end <= other_start:
        return False
    if other_end is not None and start is not None and other_end <= start:
        return False
    # Amounts are more precise than a discount, so the two never compete.
    if (one.discount is None) != (other.discount is None):
        return False
    return _intersect(one.model.lower(), other.model.lower())


@cache
def _pattern(model: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in model), re.S)


def _intersect(one: str, other: str) -> bool:
    """Whether some name matches both patterns."""
    reached = {(0, 0)}
    open_ = [(0, 0)]
    while open_:
        i, j = open_.pop()
        if i == len(one) and j == len(other):
            return True
        for step in _steps(one, other, i, j):
            if step not in reached:
                reached.add(step)
                open_.append(step)
    return False


def _steps(one: str, other: str, i: int, j: int) -> list[tuple[int, int]]:
    a, b = one[i : i + 1], other[j : j + 1]
    steps = []
    if a == "*":
        steps.append((i + 1, j))
    if b == "*":
        steps.append((i, j + 1))
    if a and b and (a == b or a in "*?" or b in "*?"):
        steps.append((i if a == "*" else i + 1, j if b == "*" else j + 1))
    return steps
