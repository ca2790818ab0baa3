"""What a cache was worth, from the ledger: what was looked up in it, what it saved, and which keys did that.

A call may have several rows. What the cache did for it is what the last of them says, and it is in a range if
that one is; so ranges that meet have each call once.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from tokenguard.call import FROM_CACHE
from tokenguard.ledger import periods, schema
from tokenguard.ledger.periods import Moment
from tokenguard.ledger.queries import ANSWERED_FROM_CACHE, at_one_moment

SHARES: Final = (50, 80, 95)
"""Per cent of the hits, for the curve of how few keys give how many of them."""

_NOT_KEPT: Final = ("miss", "refresh")
_SINCE_VERSION: Final = 2  # of the schema


class Point(NamedTuple):
    """How few keys are enough for a share of the hits.

    Attributes:
        percent: The share.
        keys: The smallest number of keys that give at least so much.
        hits: How many hits they give.
    """

    percent: int
    keys: int
    hits: int


@dataclass(frozen=True)
class CacheUse:
    """What :func:`cache_use` found.

    Attributes:
        tz: The zone of the calendar.
        since_ns: Where the range begins; ``None`` for no bound.
        until_ns: Where it ends.
        by_status: Calls, by what the cache did for them.
        bypassed: Calls that passed the cache by, by the reason.
        not_kept: Calls that asked the provider, and whose answer was not kept, by the reason.
        answered: Calls that were answered whole from the cache; ``cached_calls`` of a report.
        saved_nano: What those would have cost, where a price is known; ``saved_nano`` of a report.
        unpriced: Those of them for which none is.
        keys: How many different requests were looked up.
        hits_by_key: Those that were answered from the cache, with how often, the most frequent first.
    """

    tz: str
    since_ns: int | None
    until_ns: int | None
    by_status: Mapping[str, int] = field(default_factory=dict)
    bypassed: Mapping[str, int] = field(default_factory=dict)
    not_kept: Mapping[str, int] = field(default_factory=dict)
    answered: int = 0
    saved_nano: int = 0
    unpriced: int = 0
    keys: int = 0
    hits_by_key: tuple[tuple[str, int], ...] = ()

    @property
    def hits(self) -> int:
        """Lookups that found an answer, wherever it came from."""
        return sum(n for status, n in self.by_status.items() if status in FROM_CACHE)

    @property
    def lookups(self) -> int:
        """Calls for which an answer was looked for; to pass by and to refresh is not to look."""
        return self.hits + self.by_status.get("miss", 0)

    @property
    def hit_rate(self) -> float | None:
        """The part of the lookups that found an answer, from 0 to 1; ``None`` where nothing was looked up."""
        return self.hits / self.lookups if self.lookups else None

    @cached_property
    def curve(self) -> tuple[Point, ...]:
        """How few keys give :data:`SHARES` of the hits. Empty where there are none."""
        whole = sum(n for _, n in self.hits_by_key)
        if not whole:
            return ()
        points, keys, hits = [], 0, 0
        for percent in SHARES:
            while 100 * hits < percent * whole:
                hits += self.hits_by_key[keys][1]
                keys += 1
            points.append(Point(percent, keys, hits))
        return tuple(points)

    def as_json(self) -> dict[str, Any]:
        """The same as JSON's types, without the single keys; amounts are integers of nano-dollars."""
        return {
            "tz": self.tz,
            "since_ns": self.since_ns,
            "until_ns": self.until_ns,
            "by_status": dict(self.by_status),
            "lookups": self.lookups,
            "hits": self.hits,
            "hit_rate": self.hit_rate,
            "bypassed": dict(self.bypassed),
            "not_kept": dict(self.not_kept),
            "answered": self.answered,
            "saved_nano": self.saved_nano,
            "unpriced": self.unpriced,
            "keys": self.keys,
            "keys_with_hits": len(self.hits_by_key),
            "curve": [point._asdict() for point in self.curve],
        }


def cache_use(
    source: str | Path | sqlite3.Connection,
    *,
    since: Moment | None = None,
    until: Moment | None = None,
    tz: str | None = None,
    now_ns: int,
) -> CacheUse:
    """Sum up what a ledger says of the cache.

    Args:
        source: The ledger's file, or a connection from :meth:`SqliteLedger.reader`. Of a file that may
            be written to, journals are brought in first.
        since: The first moment, as in :func:`tokenguard.ledger.queries.report`.
        until: The end, exclusive; but a date is in the range to its last instant.
        tz: The zone of the calendar; by default this machine's, else UTC.
        now_ns: The time, Unix nanoseconds, for ``7d`` and its like.

    Raises:
        LedgerError: The ledger cannot be read.
        ConfigError: A moment or a zone makes no sense.
    """
    in_zone, zone_name = periods.zone(tz)
    since_ns = None if since is None else periods.since(since, in_zone, now_ns)
    until_ns = None if until is None else periods.until(until, in_zone, now_ns)
    bounds = {
        "first_ns": -(2**63) if since_ns is None else since_ns,
        "last_ns": 2**63 - 1 if until_ns is None else max(until_ns - 1, -(2**63)),
    }
    with at_one_moment(source, now_ns) as connection:
        if schema.version_of(connection) < _SINCE_VERSION:  # nothing has opened it for writing since
            return CacheUse(zone_name, since_ns, until_ns)
        lookups = connection.execute(_LOOKUPS, bounds).fetchall()
        answered, saved_nano, unpriced = connection.execute(_SAVED, bounds).fetchone()
        by_key = connection.execute(_KEYS, bounds).fetchall()
    return CacheUse(
        zone_name,
        since_ns,
        until_ns,
        _sums((status, n) for status, _, n in lookups),
        _sums((reason, n) for status, reason, n in lookups if status == "bypass"),
        _sums((reason, n) for status, reason, n in lookups if status in _NOT_KEPT and reason is not None),
        answered,
        saved_nano,
        unpriced,
        len(by_key),
        tuple((key, hits) for key, hits in by_key if hits),
    )


_IN_RANGE: Final = "ts_start >= :first_ns AND ts_start <= :last_ns"

# A row that is under way, or was lost, does not say what the cache did; the one before it may.
_LAST: Final = """NOT EXISTS (
    SELECT 1 FROM call AS later
    WHERE later.logical_id = call.logical_id AND later.attempt > call.attempt AND later.cache IS NOT NULL
)"""

# Only our own text is put together here; what comes from outside is bound to names.
_LOOKUPS: Final = f"""
SELECT cache, cache_reason, count(*) FROM call
WHERE {_IN_RANGE} AND cache IS NOT NULL AND {_LAST}
GROUP BY 1, 2"""  # noqa: S608

# The rows, and the sum, are those of queries.report: the two tie to the nano.
_SAVED: Final = f"""
SELECT count(*), coalesce(sum(baseline_nano), 0), coalesce(sum(baseline_nano IS NULL), 0) FROM call
WHERE {_IN_RANGE} AND {ANSWERED_FROM_CACHE}"""  # noqa: S608

_HITS: Final = ", ".join(f"'{status}'" for status in sorted(FROM_CACHE))
_KEYS: Final = f"""
SELECT cache_key, sum(cache IN ({_HITS})) FROM call
WHERE {_IN_RANGE} AND cache_key IS NOT NULL AND {_LAST}
GROUP BY 1 ORDER BY 2 DESC, 1"""  # noqa: S608


def _sums(parts: Iterable[tuple[str | None, int]]) -> dict[str, int]:
    """What is of one name, added up; the most frequent first."""
    found = Counter[str]()
    for name, n in parts:
        found[name or "unknown"] += n
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
