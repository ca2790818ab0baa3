"""Read the installed genai-prices into the JSON form of the snapshot.

This is the only file that knows the classes of genai-prices. It runs when the snapshot is made,
and in a process whose installed genai-prices is another version than the snapshot's.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

from tokenguard.call import Json, Meter
from tokenguard.pricing.matching import Clause
from tokenguard.pricing.money import plain, quotient

# Price keys of genai-prices, our meter, and how a price becomes USD per million units: times, over.
# Where two keys price one meter, the later one here is the more precise.
_KEYS: Final[dict[str, tuple[Meter, int, int]]] = {
    "input_mtok": (Meter.INPUT, 1, 1),
    "cache_read_mtok": (Meter.CACHE_READ, 1, 1),
    "cache_write_mtok": (Meter.CACHE_WRITE, 1, 1),
    "cache_write_5m_mtok": (Meter.CACHE_WRITE, 1, 1),
    "cache_write_1h_mtok": (Meter.CACHE_WRITE_1H, 1, 1),
    "output_mtok": (Meter.OUTPUT, 1, 1),
    "input_audio_mtok": (Meter.AUDIO_INPUT, 1, 1),
    "cache_audio_read_mtok": (Meter.AUDIO_CACHE_READ, 1, 1),
    "output_audio_mtok": (Meter.AUDIO_OUTPUT, 1, 1),
    "input_image_mtok": (Meter.IMAGE_INPUT, 1, 1),
    "cache_image_read_mtok": (Meter.IMAGE_CACHE_READ, 1, 1),
    "output_image_mtok": (Meter.IMAGE_OUTPUT, 1, 1),
    "requests_kcount": (Meter.REQUESTS, 1_000, 1),
    "web_searches_kcount": (Meter.WEB_SEARCHES, 1_000, 1),
    "audio_hours": (Meter.SECONDS, 1_000_000, 3_600),
    "input_audio_hours": (Meter.SECONDS, 1_000_000, 3_600),
}

# Prices of requests that no usage tells apart from another: the cost would be wrong, not just short.
_INDISTINCT: Final = ("_reasoning_mtok", "_citation_mtok", "_text_mtok", "_tool_mtok")

# Request contexts that a reply shows. Others (a search type, a route) keep the standard price.
_CONTEXTS: Final = frozenset({"processing", "service_tier", "speed"})

_LEAST_SECONDS: Final = {("groq", "whisper-large-v3"): 10, ("groq", "whisper-large-v3-turbo"): 10}
"""Groq bills at least ten seconds of audio a request: https://groq.com/pricing (and genai-prices)."""


def providers() -> list[Any]:
    """All providers of the installed genai-prices, in the order in which they are looked through."""
    from genai_prices.data import providers as installed

    return installed


def provider_json(provider: Any) -> Json:
    """One provider with all its models."""
    return {
        "id": provider.id,
        "name": provider.name,
        "fallback": list(provider.fallback_model_providers or ()),
        "models": [_model(provider.id, model) for model in provider.models],
    }


def provider_head(provider: Any) -> Json:
    """What finds a provider: the pattern of its URLs, and the names of its models in general."""
    return {
        "id": provider.id,
        "api_pattern": provider.api_pattern,
        "models": clause(provider.model_match) if provider.model_match is not None else None,
    }


def _model(provider: str, model: Any) -> Json:
    priced = model.prices if isinstance(model.prices, list) and model.prices else [model]
    row: Json = {
        "id": model.id,
        "match": clause(model.match),
        "prices": [[_when(getattr(period, "constraint", None)), _prices(period.prices)] for period in priced],
    }
    variants = [
        [kind, value, _when(variant.constraint), _prices(variant.prices)]
        for variant in model.price_variants or ()
        if len(variant.when) == 1
        for kind, value in variant.when.items()
        if kind in _CONTEXTS
    ]
    if variants:
        row["variants"] = variants
    if least := _LEAST_SECONDS.get((provider, model.id)):
        row["least"] = {Meter.SECONDS.value: least}
    if any(key.endswith(_INDISTINCT) for period in priced for key in _set(period.prices)):
        row["incomplete"] = True
    return row


def _set(prices: Any) -> dict[str, Any]:
    return {
        key: price
        for key, price in getattr(prices, "__dict__", {}).items()
        if price is not None and key[0] != "_"
    }


def _prices(prices: Any) -> Json:
    priced = _set(prices)
    return {
        meter.value: _price(priced[key], Decimal(times), Decimal(over))
        for key, (meter, times, over) in _KEYS.items()
        if key in priced
    }


def _price(price: Any, times: Decimal, over: Decimal) -> str | list[Any]:
    if isinstance(price, Decimal):
        return plain(quotient(price * times, over) if over != 1 else price * times)
    steps = [[tier.start, _price(tier.price, times, over)] for tier in price.tiers]
    return [_price(price.base, times, over), *steps]


def _when(constraint: Any) -> str | list[str] | None:
    if constraint is None:
        return None
    start: date | None = getattr(constraint, "start_date", None)
    if start is not None:
        return start.isoformat()
    return [_utc(constraint.start_time), _utc(constraint.end_time)]


def _utc(moment: time) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.combine(date(1970, 1, 1), aware).astimezone(UTC).strftime("%H:%M:%S")


def clause(match: Any) -> Clause:
    """A clause of genai-prices as a list (:mod:`tokenguard.pricing.matching`)."""
    fields = vars(match)
    for name, kind in (("or_", "|"), ("and_", "&")):
        if name in fields:
            return [kind, [clause(part) for part in fields[name]]]
    if "regex" in fields:
        return _regex(fields["regex"])
    for name, kind in (("equals", "="), ("starts_with", "^"), ("ends_with", "$"), ("contains", "~")):
        if name in fields:
            return [kind, fields[name].lower()]
    raise TypeError(f"genai-prices has a new kind of clause: {match!r}")


def _regex(pattern: str) -> Clause:
    # Compiling a pattern takes longer than a lookup: compare its literal beginning first.
    literal = re.match(r"\^((?:[a-z0-9_-]|\\\.)+)(?![?*{])", pattern)
    if literal is None or "|" in pattern:
        return ["re", pattern]
    return ["&", [["^", literal[1].replace("\\.", ".")], ["re", pattern]]]
