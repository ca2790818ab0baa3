"""What was spent, on what, by whom: reports over a ledger.

Sums are exact integers, and the total is asked for by itself: if the groups do not add up to it to the
nano-dollar there is no report.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final

from tokenguard.call import FIRST_CLASS_TAGS
from tokenguard.errors import ConfigError, LedgerError
from tokenguard.ledger import periods
from tokenguard.ledger.connection import reader
from tokenguard.ledger.periods import Moment
from tokenguard.ledger.recovery import recover_file


@dataclass(frozen=True, slots=True)
class Row:
    """One group of attempts.

    ``keys`` are the values it was grouped by; ``None`` where there is none, as for untagged calls.
    Costs are nano-dollars over the attempts whose cost is known; the others are in ``unpriced``,
    ``unmetered`` and ``unknown``, which together say how far the sum can be trusted.
    """

    keys: tuple[str | None, ...]
    calls: int
    """Calls with an attempt in the group; one with attempts in two groups counts once in the total."""
    attempts: int
    input_tokens: int
    """Tokens sent to a model, cached ones included."""
    cached_tokens: int
    """Those of them that were read from the provider's cache."""
    output_tokens: int
    reasoning: int
    """Those of the output that were reasoning."""
    cost_nano: int
    list_cost_nano: int
    """The cost at public prices."""
    baseline_nano: int
    """What it would have cost as the application asked for it."""
    estimated_nano: int
    """The part of the cost that rests on our own count, because the answer was cut short or lost."""
    unpriced: int
    """Attempts with usage, but without a known price."""
    unmetered: int
    """Attempts whose answer said nothing of its usage."""
    unknown: int
    """Attempts that were lost: they may have been billed."""
    in_flight: int
    """Attempts that are under way."""
    failed: int
    """Attempts that ended in an error, and calls that only a cache was to answer, which could not."""
    cached_calls: int
    """Calls answered from the response cache: they cost nothing, and their tokens are not counted again."""
    saved_nano: int
    """What those would have cost, where a price is known."""
    cached_unpriced: int
    """Those of them for which none is."""

    @property
    def estimated_share(self) -> float:
        """The part of the cost that is estimated, from 0 to 1."""
        return self.estimated_nano / self.cost_nano if self.cost_nano else 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """What :func:`report` found. ``since_ns`` and ``until_ns`` are ``None`` where there is no bound."""

    by: tuple[str, ...]
    tz: str
    since_ns: int | None
    until_ns: int | None
    rows: tuple[Row, ...]
    total: Row

    def as_json(self) -> dict[str, Any]:
        """The report as JSON's types; costs are integers of nano-dollars."""

        def row(row: Row) -> dict[str, Any]:
            return {field.name: getattr(row, field.name) for field in fields(Row)[1:]}

        return {
            "by": list(self.by),
            "tz": self.tz,
            "since_ns": self.since_ns,
            "until_ns": self.until_ns,
            "rows": [{"keys": dict(zip(self.by, r.keys, strict=True))} | row(r) for r in self.rows],
            "total": row(self.total),
        }


_END_NS: Final = 2**63  # SQLite's integers have 64 bits: times from 1677 to 2262

ANSWERED_FROM_CACHE: Final = "role = 'cache' AND status = 'ok'"
"""Which rows are answers that were given whole, from the cache."""

_SUMS: Final = f"""
    count(DISTINCT logical_id),
    coalesce(sum(role <> 'cache'), 0),
    coalesce(sum(input_tokens), 0),
    coalesce(sum(cached_tokens), 0),
    coalesce(sum(output_tokens), 0),
    coalesce(sum(reasoning), 0),
    coalesce(sum(cost_nano), 0),
    coalesce(sum(list_cost_nano), 0),
    coalesce(sum(baseline_nano), 0),
    coalesce(sum(cost_nano) FILTER (WHERE cost_basis IN ('estimated', 'unknown')), 0),
    coalesce(sum(cost_basis = 'unpriced'), 0),
    coalesce(sum(cost_basis = 'unmetered'), 0),
    coalesce(sum(state = 'unknown'), 0),
    coalesce(sum(state = 'sent'), 0),
    coalesce(sum(status = 'error'), 0),
    coalesce(sum({ANSWERED_FROM_CACHE}), 0),
    coalesce(sum(baseline_nano) FILTER (WHERE {ANSWERED_FROM_CACHE}), 0),
    coalesce(sum({ANSWERED_FROM_CACHE} AND baseline_nano IS NULL), 0)"""

_COLUMNS: Final = {
    "model": "coalesce(model_served, model_requested)",
    "run": "run_id",
    "cache": "cache",
    "stream": "CASE stream WHEN 1 THEN 'yes' ELSE 'no' END",
} | {
    name: name
    for name in (
        *FIRST_CLASS_TAGS,
        "provider",
        "channel",
        "region",
        "origin",
        "operation",
        "dialect",
        "model_requested",
        "model_served",
        "service_tier",
        "state",
        "status",
        "error_type",
        "cost_basis",
        "price_set",
        "role",
        "run_id",
        "run_name",
    )
}
"""What can be grouped by besides free tags and calendar periods."""


def report(
    source: str | Path | sqlite3.Connection,
    *,
    by: Sequence[str] = (),
    since: Moment | None = None,
    until: Moment | None = None,
    tz: str | None = None,
    where: Mapping[str, str] | None = None,
    now_ns: int,
) -> Report:
    """Sum a ledger up.

    Args:
        source: The ledger's file, or a connection from :meth:`SqliteLedger.reader`. Of a file that may
            be written to, journals are brought in first.
        by: What to group by: a first-class tag (``team``), a free one (``tag:ticket``, or any name
            that means nothing else), ``model`` (as served, else as requested), ``provider``,
            ``operation``, ``run``, ``status`` ... and at most one of ``day``, ``week`` and ``month``.
        since: The first moment: a date, a datetime, ``7d``, ``24h``, ``2w``, ``today`` or
            ``yesterday``. Without a zone it is in ``tz``.
        until: The end, exclusive; but a date is in the range to its last instant.
        tz: The zone of the calendar, such as ``Europe/Berlin``; by default this machine's, else UTC.
        where: Only attempts with these values, by the same names; an empty one means "none".
        now_ns: The time, Unix nanoseconds, for ``7d`` and its like.

    Raises:
        LedgerError: The ledger cannot be read, or its groups do not add up.
        ConfigError: A key, a moment or a zone makes no sense.
    """
    in_zone, zone_name = periods.zone(tz)
    bounds = (
        None if since is None else periods.since(since, in_zone, now_ns),
        None if until is None else periods.until(until, in_zone, now_ns),
    )
    keys = [_key(name) for name in by]
    filters = _filters(bounds, where or {})
    with at_one_moment(source, now_ns) as connection:
        rows, total = _sums(connection, keys, filters, in_zone)
    _check(rows, total)
    return Report(tuple(by), zone_name, *bounds, _sorted(rows, keys), total)


@contextmanager
def at_one_moment(source: str | Path | sqlite3.Connection, now_ns: int) -> Iterator[sqlite3.Connection]:
    """A connection to a ledger that reads one and the same state of it throughout.

    Args:
        source: The ledger's file, or a connection from :meth:`SqliteLedger.reader`. Of a file that may
            be written to, journals are brought in first.
        now_ns: The time, Unix nanoseconds.

    Raises:
        LedgerError: It cannot be read.
    """
    if isinstance(source, sqlite3.Connection):
        with _transaction(source):
            yield source
        return
    recover_file(str(source), now_ns)  # what is only in journals yet is to be seen, too
    with closing(reader(str(source))) as connection, _transaction(connection):
        yield connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise LedgerError(
            f"the ledger could not be read: {error}. If it is damaged, restore a copy."
        ) from error


@dataclass(frozen=True, slots=True)
class _Sql:
    """An expression or condition, and the values of its question marks."""

    text: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class _Key:
    """Something to group by: an expression over the table, or a calendar unit."""

    sql: _Sql
    unit: str | None = None


def _key(name: str) -> _Key:
    if name in periods.UNITS:
        return _Key(_Sql("period.label"), name)
    return _Key(_expression(name))


def _expression(name: str) -> _Sql:
    name = name.strip()
    if name in _COLUMNS:
        return _Sql(_COLUMNS[name])
    free = name.removeprefix("tag:").strip()
    if not free or name == "tag":
        raise ConfigError("'tag' is no tag: write tag:NAME for a tag of your own, such as tag:ticket")
    if free in FIRST_CLASS_TAGS:
        return _Sql(free)
    return _Sql("(SELECT CAST(value AS TEXT) FROM json_each(tags) WHERE key = ?)", (free,))


def _filters(bounds: tuple[int | None, int | None], where: Mapping[str, str]) -> list[_Sql]:
    found = []
    since_ns, until_ns = bounds
    if since_ns is not None:
        found.append(_Sql("ts_start >= ?", (since_ns,)))
    if until_ns is not None:
        found.append(_Sql("ts_start < ?", (until_ns,)))
    for name, value in where.items():
        if name in periods.UNITS:
            raise ConfigError(f"{name!r} cannot be filtered by; use since and until")
        column = _expression(name)
        found.append(_Sql(f"{column.text} IS ?", (*column.values, value or None)))
    return found


def _sums(
    connection: sqlite3.Connection, keys: Sequence[_Key], filters: Sequence[_Sql], in_zone: tzinfo
) -> tuple[list[Row], Row]:
    """The groups and their total."""
    units = [key.unit for key in keys if key.unit]
    if len(units) > 1:
        raise ConfigError(f"one calendar period at a time: {' or '.join(units)}")
    total = _select(connection, [], filters, [])
    rows = total
    if keys:
        spans = _spans(connection, units[0], filters, in_zone) if units else []
        rows = _select(connection, keys, filters, spans)
    return [row for row in rows if row.calls], total[0]


def _spans(
    connection: sqlite3.Connection, unit: str, filters: Sequence[_Sql], in_zone: tzinfo
) -> list[tuple[str, int, int]]:
    """The calendar periods in which there is anything; one seek in the index on ts_start for each."""
    spans: list[tuple[str, int, int]] = []
    after_ns = -_END_NS
    while after_ns < _END_NS:
        condition = _joined([*filters, _Sql("ts_start >= ?", (after_ns,))])
        query = f"SELECT ts_start FROM call WHERE {condition.text} ORDER BY ts_start LIMIT 1"  # noqa: S608 # our text
        found = connection.execute(query, condition.values).fetchone()
        if found is None:
            break
        period = periods.period_at(found[0], unit, in_zone)
        spans.append((period.label, period.start_ns, period.end_ns))
        after_ns = period.end_ns
    return spans


def _select(
    connection: sqlite3.Connection,
    keys: Sequence[_Key],
    filters: Sequence[_Sql],
    spans: Sequence[tuple[str, int, int]],
) -> list[Row]:
    columns = "".join(f"{key.sql.text}, " for key in keys)
    table, values = "call", [value for key in keys for value in key.sql.values]
    if any(key.unit for key in keys):
        # CROSS JOIN keeps the order: for each period, its rows by the index on ts_start.
        table = (
            "(SELECT json_extract(value, '$[0]') AS label, json_extract(value, '$[1]') AS start_ns,"
            " json_extract(value, '$[2]') AS end_ns FROM json_each(?)) AS period"
            " CROSS JOIN call ON ts_start >= period.start_ns AND ts_start < period.end_ns"
        )
        values.append(json.dumps(spans))
    condition = _joined(filters)
    groups = f" GROUP BY {', '.join(str(n + 1) for n in range(len(keys)))}" if keys else ""
    # Only our own text is put together here; what comes from outside is bound to question marks.
    query = f"SELECT {columns}{_SUMS} FROM {table} WHERE {condition.text}{groups}"  # noqa: S608
    found = connection.execute(query, (*values, *condition.values))
    n = len(keys)
    return [Row(row[:n], *row[n:]) for row in found]


def _joined(filters: Iterable[_Sql]) -> _Sql:
    found = [_Sql("TRUE"), *filters]
    return _Sql(" AND ".join(sql.text for sql in found), tuple(v for sql in found for v in sql.values))


def _check(rows: Sequence[Row], total: Row) -> None:
    """See that the groups add up to the total; ``calls`` alone need not, see :class:`Row`."""
    for field in fields(Row)[2:]:
        whole, parts = getattr(total, field.name), sum(getattr(row, field.name) for row in rows)
        if whole != parts:
            raise LedgerError(
                f"the report does not add up: {field.name} is {whole} in total, but {parts} over its "
                "groups. Please report this as a bug; the ledger itself was only read."
            )


def _sorted(rows: Iterable[Row], keys: Sequence[_Key]) -> tuple[Row, ...]:
    """In the order of time where there is a period, and the dearest first."""
    at = next((i for i, key in enumerate(keys) if key.unit), None)

    def order(row: Row) -> tuple[str, int, tuple[str, ...]]:
        period = "" if at is None else row.keys[at] or ""
        return period, -row.cost_nano, tuple(key or "" for key in row.keys)

    return tuple(sorted(rows, key=order))
