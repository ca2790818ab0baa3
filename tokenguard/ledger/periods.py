"""Calendar time in a named zone: what ``--since 7d`` means, and where a day begins and ends.

A day is from midnight to midnight where its reader lives: 23, 24 or 25 hours.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tokenguard.errors import ConfigError

Moment = str | date | datetime
"""A date or datetime, or a text: ``2026-11-22``, ``2026-11-22T15:00``, ``7d``, ``24h``, ``2w``, ``today``."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
_AGO: Final = re.compile(r"(\d{1,5})\s*([hdw])")
_HOURS: Final = {"h": 1, "d": 24, "w": 168}
_WRITE: Final = "write a date (2026-11-22), a time (2026-11-22T15:00), 24h, 7d, 2w, today or yesterday"


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar period: its name, and its bounds in Unix nanoseconds, the end exclusive."""

    label: str
    start_ns: int
    end_ns: int


def zone(name: str | None, environ: Mapping[str, str] = os.environ) -> tuple[tzinfo, str]:
    """A time zone and its name: the one asked for, else this machine's, else UTC.

    Raises:
        ConfigError: There is no such zone.
    """
    if name is None:
        name = _local_zone(environ)
    if name.upper() in ("UTC", "Z"):
        return UTC, "UTC"
    try:
        return ZoneInfo(name), name
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"there is no time zone {name!r}; write it like Europe/Berlin, or UTC. "
            "(On Windows the package tzdata has the zones.)"
        ) from error


def since(moment: Moment, in_zone: tzinfo, now_ns: int) -> int:
    """When a range begins, Unix nanoseconds; a date is its first instant.

    Raises:
        ConfigError: It cannot be read.
    """
    found = _read(moment, in_zone, now_ns)
    return _kept(to_ns(found) if isinstance(found, datetime) else midnight_ns(found, in_zone))


def until(moment: Moment, in_zone: tzinfo, now_ns: int) -> int:
    """When a range ends, Unix nanoseconds, exclusive; a date is in it to its last instant.

    Raises:
        ConfigError: It cannot be read.
    """
    found = _read(moment, in_zone, now_ns)
    if isinstance(found, datetime):
        return _kept(to_ns(found))
    return _kept(midnight_ns(found, in_zone) if found == date.max else midnight_ns(found + _DAY, in_zone))


def period_at(moment_ns: int, unit: str, in_zone: tzinfo) -> Period:
    """The calendar period that a moment is in.

    Args:
        moment_ns: Unix nanoseconds.
        unit: ``day``, ``week`` (ISO 8601, from Monday) or ``month``.
        in_zone: Where midnight is.
    """
    begin, following, label = UNITS[unit]
    first = begin(from_ns(moment_ns, in_zone).date())
    return Period(label(first), midnight_ns(first, in_zone), midnight_ns(following(first), in_zone))


def midnight_ns(day: date, in_zone: tzinfo) -> int:
    """The first instant of a day. Where a clock change skips midnight, that is when the clock is changed."""
    return to_ns(datetime.combine(day, time(), in_zone))


def to_ns(moment: datetime) -> int:
    """Unix nanoseconds of a datetime that knows its zone."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def from_ns(moment_ns: int, in_zone: tzinfo) -> datetime:
    """Unix nanoseconds as a datetime, to the microsecond, rounded down."""
    return (_EPOCH + timedelta(microseconds=moment_ns // 1000)).astimezone(in_zone)


def _read(moment: Moment, in_zone: tzinfo, now_ns: int) -> date | datetime:
    now = from_ns(now_ns, in_zone)
    if isinstance(moment, str):
        text = moment.strip().lower()
        if text in ("today", "yesterday"):
            return now.date() - timedelta(days=text == "yesterday")
        if ago := _AGO.fullmatch(text):
            # In UTC: 24h is 24 hours, also over a clock change.
            return now.astimezone(UTC) - timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
        moment = _from_iso(moment.strip())
    if isinstance(moment, datetime) and moment.tzinfo is None:
        return moment.replace(tzinfo=in_zone)
    return moment


def _from_iso(text: str) -> date | datetime:
    try:
        return date.fromisoformat(text)
    except ValueError:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise ConfigError(f"{text!r} is no point in time; {_WRITE}") from None


def _kept(moment_ns: int) -> int:
    """The nearest moment that a ledger can hold: 1677 to 2262."""
    return max(-(2**63), min(moment_ns, 2**63 - 1))


def _local_zone(environ: Mapping[str, str]) -> str:
    named = environ.get("TZ", "").removeprefix(":")
    where = named or str(Path("/etc/localtime").resolve())
    name = where.rpartition("zoneinfo/")[2]
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"
    return "UTC" if name in ("Etc/UTC", "Etc/UCT", "UCT", "Zulu") else name


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


UNITS: Final[Mapping[str, tuple[Callable[[date], date], Callable[[date], date], Callable[[date], str]]]] = {
    "day": (lambda day: day, lambda day: day + timedelta(days=1), date.isoformat),
    "week": (
        lambda day: day - timedelta(days=day.weekday()),
        lambda monday: monday + timedelta(weeks=1),
        lambda monday: monday.strftime("%G-W%V"),
    ),
    "month": (lambda day: day.replace(day=1), _next_month, lambda first: first.strftime("%Y-%m")),
}
"""By name: the first day of a day's period, the first day after it, and what the period is called."""
