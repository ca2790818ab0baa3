"""How long a provider asks us to wait, in every form in which it says so, and in forms that say nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenguard.retry.hints import retry_after_s

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 10**9
DATE = "Fri, 20 Nov 2026 12:00:00 GMT"
IN_30_S = "Fri, 20 Nov 2026 12:00:30 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"retry-after": IN_30_S}, 30.0),
        ({"retry-after": IN_30_S, "date": DATE}, 30.0),
        ({"retry-after": "Friday, 20-Nov-26 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri Nov 20 12:00:30 2026"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 13:00:30 +0100"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:30 -0000"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:30"}, 30.0),
        ({"retry-after": "60", "retry-after-ms": "200"}, 0.2),
        ({"retry-after": "60", "retry-after-ms": "soon"}, 60.0),
        ({"retry-after": "60", "retry-after-ms": "-1", "x-ms-retry-after-ms": "300"}, 0.3),
    ],
)
def test_a_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    """Milliseconds, seconds whole or not, and dates in each form of HTTP; the finest hint wins."""
    assert retry_after_s(headers, NOW_NS) == seconds


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_date_without_a_zone_is_gmt(zone: str, here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The zone of this machine has nothing to do with it."""
    monkeypatch.setitem(os.environ, "TZ", zone)
    time.tzset()
    assert retry_after_s({"retry-after": "Fri, 20 Nov 2026 12:00:30"}, NOW_NS) == 30.0
    assert retry_after_s({"retry-after": IN_30_S, "date": "Fri, 20 Nov 2026 12:00:00"}, 0) == 30.0


@pytest.fixture
def here() -> Iterator[None]:
    """Afterwards, the process is in its own zone again."""
    own = os.environ.get("TZ")
    yield
    if own is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = own
    time.tzset()


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "soon", "-1", "-0.5", "nan", "inf", "-inf", "infinity", "1e400", "0x10", "1,5", "1;2"),
        *("Fri, 99 Nov 2026 12:00:00 GMT", "Fri, 20 Nov 2026 25:61:61 GMT", "20 Nov", "Fri, 20 Foo 2026"),
        *("\x00", "2026-11-20T12:00:30Z", "Fri, 20 Nov 99999 12:00:00 GMT"),
    ],
)
def test_garbage_is_no_hint(value: str) -> None:
    """What cannot be read asks for nothing."""
    assert retry_after_s({"retry-after": value}, NOW_NS) is None


def test_an_absurd_wait_is_read_as_it_is() -> None:
    """How long is too long is the policy's decision, not the header's."""
    assert retry_after_s({"retry-after": "1e300"}, NOW_NS) == 1e300
    assert retry_after_s({"retry-after-ms": "1e300"}, NOW_NS) == pytest.approx(1e297)


def test_a_date_in_the_past_is_now() -> None:
    """There is nothing left to wait for."""
    assert retry_after_s({"retry-after": DATE}, NOW_NS + 10**12) == 0.0
    assert retry_after_s({"retry-after": DATE, "date": IN_30_S}, NOW_NS) == 0.0


@settings(deadline=None)
@given(st.integers(-(10**9), 10**9), st.integers(0, 3600))
def test_a_clock_that_is_wrong_changes_nothing(skew_s: int, wait_s: int) -> None:
    """A date is measured against the answer's own date, wherever our clock stands."""
    server = NOW.timestamp()
    headers = {
        "date": format_datetime(datetime.fromtimestamp(server, UTC), usegmt=True),
        "retry-after": format_datetime(datetime.fromtimestamp(server + wait_s, UTC), usegmt=True),
    }
    assert retry_after_s(headers, NOW_NS + skew_s * 10**9) == wait_s


def test_a_date_header_that_is_garbage_leaves_our_own_clock() -> None:
    """Then there is nothing better to measure against."""
    assert retry_after_s({"retry-after": IN_30_S, "date": "yesterday"}, NOW_NS) == 30.0


HEADER = (
    st.text(max_size=40)
    | st.floats().map(str)
    | st.datetimes().map(format_datetime)
    | st.from_regex(r"\w{3}, \d{1,2} \w{3} \d{1,5} \d{1,2}:\d{1,2}(:\d{1,2})? ?(GMT|[+-]\d{1,6}|\w*)")
)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "x-ms-retry-after-ms", "date"]), HEADER, max_size=4
    ),
    st.integers(0, 2**62),
)
def test_no_header_raises(headers: dict[str, str], now_ns: int) -> None:
    """Whatever a header says, it is a wait of 0 or more, or none at all."""
    seconds = retry_after_s(headers, now_ns)
    assert seconds is None or 0 <= seconds < float("inf")
