"""Calendar time in a named zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.attempts import NOON, SECOND
from tokenguard.errors import ConfigError
from tokenguard.ledger.periods import from_ns, midnight_ns, period_at, since, to_ns, until, zone

HOUR = 3600 * SECOND
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(
    (
        *("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana", "Asia/Kolkata"),
        *("Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"),
    )
)


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 10, 26), 24)]
)
def test_a_day_has_the_hours_it_has(day: date, hours: int) -> None:
    """In Berlin there is a day of 23 and one of 25 hours in each year."""
    period = period_at(midnight_ns(day, BERLIN), "day", BERLIN)

    assert period.label == day.isoformat()
    assert period.end_ns - period.start_ns == hours * HOUR


@given(ZONES, st.sampled_from(["day", "week", "month"]), st.integers(0, 2_840_140_800))
def test_each_moment_is_in_exactly_one_period(name: str, unit: str, moment_s: int) -> None:
    """Periods leave no gap and do not overlap, and are called by the date that the local clock shows."""
    in_zone, moment_ns = ZoneInfo(name), moment_s * SECOND
    period = period_at(moment_ns, unit, in_zone)
    before = period_at(period.start_ns - 1, unit, in_zone)
    after = period_at(period.end_ns, unit, in_zone)

    assert period.start_ns <= moment_ns < period.end_ns
    assert (before.end_ns, after.start_ns) == (period.start_ns, period.end_ns)
    assert before.label < period.label < after.label
    format_ = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}[unit]
    assert period.label == from_ns(moment_ns, in_zone).strftime(format_)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01", "2026-11-01T00:00:00+01:00"),
        ("2026-10-01", "2026-10-01T00:00:00+02:00"),
        ("2026-11-01T15:30", "2026-11-01T15:30:00+01:00"),
        ("2026-11-01 15:30:05", "2026-11-01T15:30:05+01:00"),
        ("2026-11-01T15:30Z", "2026-11-01T15:30:00+00:00"),
        ("2026-11-01T15:30-08:00", "2026-11-01T15:30:00-08:00"),
        ("24h", "2026-11-19T12:00:00+00:00"),
        ("7d", "2026-11-13T12:00:00+00:00"),
        ("2W", "2026-11-06T12:00:00+00:00"),
        ("today", "2026-11-20T00:00:00+01:00"),
        (" Yesterday ", "2026-11-19T00:00:00+01:00"),
        (date(2026, 11, 1), "2026-11-01T00:00:00+01:00"),
        (datetime.fromisoformat("2026-11-01T01:00"), "2026-11-01T01:00:00+01:00"),
        (datetime(2026, 11, 1, 1, tzinfo=UTC), "2026-11-01T01:00:00+00:00"),
    ],
)
def test_a_moment_can_be_written_in_many_ways(text: str | date, expected: str) -> None:
    """What has no zone is in the zone of the report."""
    assert since(text, BERLIN, NOON) == to_ns(datetime.fromisoformat(expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-25", "2026-10-26T00:00:00+01:00"),
        ("today", "2026-11-21T00:00:00+01:00"),
        ("yesterday", "2026-11-20T00:00:00+01:00"),
        ("2026-10-25T12:00", "2026-10-25T12:00:00+01:00"),
        ("1h", "2026-11-20T11:00:00+00:00"),
    ],
)
def test_a_date_is_in_the_range_to_its_end(text: str, expected: str) -> None:
    """``--until 2026-11-30`` has all of the 30th; a time is exclusive."""
    assert until(text, BERLIN, NOON) == to_ns(datetime.fromisoformat(expected))


def test_24h_are_24_hours() -> None:
    """Over a clock change, too; it is "yesterday" that has 25."""
    after_the_change = to_ns(datetime(2026, 10, 25, 12, tzinfo=BERLIN))
    assert after_the_change - since("24h", BERLIN, after_the_change) == 24 * HOUR
    assert since("today", BERLIN, after_the_change) == to_ns(datetime(2026, 10, 25, tzinfo=BERLIN))


@pytest.mark.parametrize("text", ["", "tomorrow", "7", "7x", "-7d", "2026-13-01", "2026-02-30", "1.5d"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """The message says how to write one."""
    with pytest.raises(ConfigError, match="write a date"):
        since(text, BERLIN, NOON)


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31", "99999w"])
def test_a_moment_beyond_the_ledger_is_its_end(text: str) -> None:
    """Times before 1677 and after 2262 do not fit into 64 bits of nanoseconds."""
    assert abs(since(text, UTC, NOON)) <= 2**63
    assert abs(until(text, UTC, NOON)) <= 2**63


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_moment_is_kept_to_the_microsecond(moment_ns: int) -> None:
    """Datetimes have no nanoseconds; they are rounded down."""
    assert to_ns(from_ns(moment_ns, UTC)) == moment_ns // 1000 * 1000


def test_a_zone_has_a_name() -> None:
    """The one asked for, else this machine's."""
    assert zone("Europe/Berlin") == (BERLIN, "Europe/Berlin")
    assert zone("utc") == (UTC, "UTC")
    assert zone(None, {"TZ": "America/New_York"})[1] == "America/New_York"
    assert zone(None, {"TZ": ":Asia/Kolkata"})[1] == "Asia/Kolkata"
    assert zone(None, {"TZ": "UTC"}) == (UTC, "UTC")
    assert zone(None, {"TZ": "no such zone"})[1] == "UTC"
    assert zone(None, {})[0].utcoffset(from_ns(NOON, UTC)) is not None


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "/etc/localtime", "CET+1"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    """The message says how to write one."""
    with pytest.raises(ConfigError, match="Europe/Berlin"):
        zone(name)


def test_this_machines_zone_is_found(tmp_path: Path) -> None:
    """It is what the reader's clock shows."""
    _, name = zone(None, {})
    local = datetime.now().astimezone()
    assert local.utcoffset() == (
        local.astimezone(ZoneInfo(name)).utcoffset() if name != "UTC" else timedelta()
    )
