"""What of an attempt is written down: once when it is opened, and once when it is over.

Never a prompt, an answer or a key. The statements are constants, so that SQLite compiles each once.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from tokenguard.call import FIRST_CLASS_TAGS, Attempt, Call, Charge, CostBasis, Meter, Usage
from tokenguard.wire_json import encoded

Row = tuple[Any, ...]

OPENING: Final = (
    *("id", "logical_id", "attempt", "role", "ts_start", "waited_s"),
    *("provider", "channel", "region", "origin", "operation", "dialect", "stream"),
    *("model_requested", "model_sent", *FIRST_CLASS_TAGS, "run_id", "run_name", "tags"),
)
"""The columns that are known before an attempt is sent, in the order of :func:`opening`."""

CLOSING: Final = (
    *("state", "ts_end", "first_token_ns", "model_served", "service_tier", "status"),
    *("http_status", "error_type", "finish_reasons"),
    *("input_tokens", "cached_tokens", "output_tokens", "reasoning"),
    *("cost_nano", "list_cost_nano", "baseline_nano", "cost_basis", "price_set"),
    *("provider_request_id", "response_id", "anomalies", "usage_raw"),
    *("cache", "cache_reason", "cache_key"),
)
"""The columns that are known once it is over, in the order of :func:`settlement`'s ``closing``."""

STARTED: Final = OPENING.index("ts_start")
QUANTITY: Final = 2  # where a line has its quantity


def _insert(columns: tuple[str, ...], update: tuple[str, ...], replaced: str) -> str:
    changes = ", ".join(f"{column} = excluded.{column}" for column in update)
    return (
        f"INSERT INTO call ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "  # noqa: S608 # our names
        f"ON CONFLICT (id) DO UPDATE SET {changes} WHERE state IN ({replaced})"
    )


# An attempt under way may turn out to be lost; what is known of it already is not forgotten for that.
INSERT_OPENING: Final = _insert((*OPENING, "state"), ("state",), "'sent'")

# What is settled or released stays as it is: the second settlement of an attempt changes nothing.
INSERT_SETTLED: Final = _insert((*OPENING, *CLOSING), CLOSING, "'sent', 'unknown'")

INSERT_LINE: Final = """
INSERT OR REPLACE INTO line (call_id, meter, quantity, unit, unit_price, price_id, cost_nano)
VALUES (?, ?, ?, ?, ?, ?, ?)"""

INSERT_PRICE_SET: Final = "INSERT OR IGNORE INTO price_set (id, source, first_seen) VALUES (?, ?, ?)"

INSERT_OUTCOME: Final = (
    "INSERT OR IGNORE INTO outcome (id, kind, run_id, customer, value, ts) VALUES (?, ?, ?, ?, ?, ?)"
)

UPSERT_LEARNED: Final = """
    INSERT INTO learned (provider, model, features, bills, state) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET bills = excluded.bills, state = excluded.state
    WHERE excluded.bills >= learned.bills
"""

NO_PRICE: Final = ""
"""The ``price_id`` of a quantity that has no price; its ``unit_price`` and ``cost_nano`` are NULL."""

# By their plain names: hashing an enum's member costs ten times as much as hashing a string.
_UNITS: Final = {meter.value: meter.unit for meter in Meter}
_CACHED: Final = frozenset(
    meter.value for meter in (Meter.CACHE_READ, Meter.AUDIO_CACHE_READ, Meter.IMAGE_CACHE_READ)
)
_WITH_COLUMN: Final = frozenset(FIRST_CLASS_TAGS)


class Settlement(NamedTuple):
    """The end of an attempt: what was known of it when it was sent, what became of it, and its lines."""

    opening: Row
    closing: Row
    lines: list[Row]
    price_set: str | None


def opening(attempt: Attempt) -> Row:
    """The values of :data:`OPENING`."""
    call = attempt.call
    where, asked, tags = call.where, call.asked, call.tags
    get = tags.get
    others = {name: tags[name] for name in tags if name not in _WITH_COLUMN} if tags else None
    return (
        attempt.id,
        call.id,
        attempt.index,
        attempt.role,
        _started_ns(attempt, call),
        attempt.waited_s,
        where.provider,
        where.channel,
        where.region,
        where.origin,
        call.operation,
        call.dialect,
        1 if asked.stream else 0,
        call.model_asked or asked.model,
        asked.model,
        get("project"),
        get("team"),
        get("environment"),
        get("feature"),
        get("customer"),
        get("user"),
        call.run_id,
        call.run_name,
        encoded(others).decode() if others else None,
    )


def settlement(attempt: Attempt, begun: Row | None) -> Settlement:
    """Everything that is written once an attempt is over.

    Args:
        attempt: It is over.
        begun: Its :func:`opening`, if that was written down; it may have been impossible.
    """
    answered, charge, usage, basis = attempt.answered, attempt.charge, attempt.usage, attempt.basis
    used = attempt.call.cache
    cost = listed = 0 if basis is CostBasis.NONE else None
    price_set = None
    if charge is not None:
        cost, listed, price_set = charge.cost_nano, charge.list_cost_nano, charge.price_set
    sent = cached = made = None
    if usage is not None and usage.meters and basis is not CostBasis.CACHED:  # nothing was used again
        sent, cached, made = usage.input_tokens, _cached(usage), usage.output_tokens
    closing = (
        attempt.state,
        attempt.ended_ns,
        attempt.first_token_ns,
        answered.model,
        answered.service_tier,
        attempt.status,
        attempt.http_status,
        attempt.error_type,
        ",".join(answered.finish_reasons) or None,
        sent,
        cached,
        made,
        usage.reasoning if usage else None,
        cost,
        listed,
        attempt.baseline_nano,
        basis._value_,
        price_set,
        attempt.provider_request_id,
        answered.response_id,
        ",".join(attempt.anomalies) or None,
        encoded(usage.raw).decode() if usage and usage.raw is not None else None,
        used.status if used is not None else None,
        used.reason if used is not None else None,
        used.key if used is not None else None,
    )
    lines = _lines(attempt.id, usage, charge)
    return Settlement(begun or opening(attempt), closing, lines, price_set)


def storable(row: Row) -> Row:
    """The row with what SQLite cannot keep replaced: lone surrogates by escapes, huge integers by NULL."""
    return tuple(map(_storable, row))


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return None
    return value


def _started_ns(attempt: Attempt, call: Call) -> int:
    """When an attempt was sent: a later one after the end of the one before it, and its wait."""
    if 0 < attempt.index <= len(call.attempts):
        ended_ns = call.attempts[attempt.index - 1].ended_ns
        if ended_ns is not None:
            return ended_ns + int(attempt.waited_s * 1e9)
    return call.started_ns


def _cached(usage: Usage) -> int:
    """Tokens read from a cache."""
    if _CACHED.isdisjoint(usage.meters):
        return 0
    return sum([n for meter, n in usage.meters.items() if meter in _CACHED])


def _lines(attempt_id: str, usage: Usage | None, charge: Charge | None) -> list[Row]:
    """One line for each meter and price; a quantity without a price is kept all the same."""
    priced = charge.lines if charge is not None else ()
    rows: list[Row] = []
    known = set()
    for line in priced:
        name = line.meter._value_
        known.add(name)
        rows.append(
            (attempt_id, name, line.quantity, _UNITS[name], line.unit_price, line.price_id, line.cost_nano)
        )
    if usage is not None:
        for meter, n in usage.meters.items():
            name = meter._value_
            if n and name not in known:
                rows.append((attempt_id, name, n, _UNITS[name], None, NO_PRICE, None))
    return rows
