"""One model's prices as data: by meter, by length of the prompt, by date and hour, by processing.

The JSON form is what the snapshot holds, one line a model. A price is USD per million units, as an
exact decimal string; a list ``["2.5", [272000, "5"]]`` is a price that changes for the *whole*
request once its prompt has more tokens than the threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from tokenguard.call import Json, Meter
from tokenguard.pricing.matching import Clause

SECOND_NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * SECOND_NS

Steps = tuple[tuple[int, Decimal], ...]
"""Prices by the length of the prompt: (threshold, price), ascending; the first threshold is 0."""

Prices = Mapping[Meter, Steps]


def price_at(steps: Steps, input_tokens: int) -> Decimal:
    """The price for a request whose prompt has this many tokens in all, cached ones included.

    A step holds for prompts *longer* than its threshold, and then for every token of the request.
    """
    price = steps[0][1]
    for threshold, dearer in steps[1:]:
        if input_tokens > threshold:
            price = dearer
    return price


class When(NamedTuple):
    """When a price holds: from a day on (UTC), or within a daily span of hours (UTC), or always.

    Attributes:
        since_ns: Unix nanoseconds of the first day's midnight.
        hours_ns: Start and end within the day, in nanoseconds, end exclusive; it may span midnight.
        label: How the condition is written in a price id.
    """

    since_ns: int | None = None
    hours_ns: tuple[int, int] | None = None
    label: str = ""

    def holds(self, at_ns: int) -> bool:
        """Whether the price holds at a Unix time in nanoseconds."""
        if self.since_ns is not None:
            return at_ns >= self.since_ns
        if self.hours_ns is not None:
            start, end = self.hours_ns
            now = at_ns % DAY_NS
            return start <= now < end if start <= end else now >= start or now < end
        return True

    @classmethod
    def from_json(cls, value: str | list[str] | None) -> When:
        """``None`` is always, ``"2026-08-21"`` from that day on, ``["16:30:00", "00:30:00"]`` daily."""
        if value is None:
            return ALWAYS
        if isinstance(value, str):
            return cls(since_ns=day_ns(date.fromisoformat(value)), label=f"@{value}")
        start, end = value
        return cls(hours_ns=(_hour_ns(start), _hour_ns(end)), label=f"@{start}-{end}")


ALWAYS: Final = When()


def day_ns(day: date) -> int:
    """Unix nanoseconds of a day's midnight, UTC."""
    return (day.toordinal() - _EPOCH) * DAY_NS


def moment_ns(moment: datetime) -> int:
    """Unix nanoseconds of a moment, to the second; one without a zone is in UTC."""
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return day_ns(utc.date()) + (utc.hour * 3600 + utc.minute * 60 + utc.second) * SECOND_NS


_EPOCH: Final = date(1970, 1, 1).toordinal()


def _hour_ns(text: str) -> int:
    hours, minutes, seconds = map(int, text.split(":"))
    return (hours * 3600 + minutes * 60 + seconds) * SECOND_NS


class Variant(NamedTuple):
    """Prices of another way of processing, for the meters it names; the rest keeps its price."""

    kind: Literal["processing", "service_tier", "speed"]
    value: str
    when: When
    prices: Prices


class ModelRates(NamedTuple):
    """All prices of one model at one provider.

    Attributes:
        provider: Provider id, as in genai-prices: ``openai``, ``anthropic``, ``aws``, ``google`` ...
        model: The model's id in the price data; the names it matches are in ``match``.
        match: Which names it prices (:mod:`tokenguard.pricing.matching`).
        periods: Prices by time. The *last* one that holds counts; the first is the fallback.
        variants: Prices by processing. The first one that holds counts, meter by meter.
        least: The least quantity that is billed, for meters that have one.
        incomplete: It has prices for tokens that a usage does not tell apart: it cannot be priced.
    """

    provider: str
    model: str
    match: Clause
    periods: tuple[tuple[When, Prices], ...]
    variants: tuple[Variant, ...] = ()
    least: Mapping[Meter, int] | None = None
    incomplete: bool = False

    def period_at(self, at_ns: int) -> tuple[When, Prices]:
        """The prices of standard processing that hold at a Unix time in nanoseconds, and since when."""
        for when, prices in reversed(self.periods):
            if when.holds(at_ns):
                return when, prices
        return self.periods[0]

    def variant_at(self, kind: str, value: str, at_ns: int) -> Prices | None:
        """What another processing changes at a Unix time, or ``None`` where no such price is known."""
        found: dict[Meter, Steps] | None = None
        for variant in self.variants:
            if variant.kind == kind and variant.value == value and variant.when.holds(at_ns):
                found = dict(variant.prices) if found is None else {**variant.prices, **found}
        return found

    def conditions(self) -> Iterable[When]:
        """Everything of time that its prices depend on."""
        yield from (when for when, _ in self.periods)
        yield from (variant.when for variant in self.variants)

    @classmethod
    def from_json(cls, provider: str, row: Json) -> ModelRates:
        """Read one line of the snapshot."""
        least = row.get("least")
        return cls(
            provider=provider,
            model=row["id"],
            match=row["match"],
            periods=tuple((When.from_json(when), _prices(prices)) for when, prices in row["prices"]),
            variants=tuple(
                Variant(kind, value, When.from_json(when), _prices(prices))
                for kind, value, when, prices in row.get("variants", ())
            ),
            least={Meter(meter): n for meter, n in least.items()} if least else None,
            incomplete=row.get("incomplete", False),
        )


def _prices(row: Mapping[str, Any]) -> dict[Meter, Steps]:
    return {Meter(meter): _steps(price) for meter, price in row.items()}


def _steps(price: str | list[Any]) -> Steps:
    if isinstance(price, str):
        return ((0, Decimal(price)),)
    base, *dearer = price
    return ((0, Decimal(base)), *((threshold, Decimal(text)) for threshold, text in dearer))
