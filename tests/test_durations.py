"""Lengths of time as people write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenguard.durations import seconds
from tokenguard.errors import ConfigError

FOREVER = timedelta.max.total_seconds()
UNITS = st.sampled_from([("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("250ms", 0.25),
        ("90s", 90),
        ("15m", 900),
        ("12h", 43_200),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("1.5h", 5_400),
        ("0s", 0),
        (" 7 D ", 604_800),
        ("90\tS", 90),
        ("000001s", 1),
        (90, 90),
        (0.25, 0.25),
        (0, 0),
        (timedelta(days=1), 86_400),
        (timedelta(microseconds=1), 1e-6),
        (timedelta.max, FOREVER),
    ],
)
def test_a_length_is_read(written: Any, expected: float) -> None:
    """A text with a unit, a number of seconds, or a timedelta."""
    found = seconds(written, "ttl")
    assert found == pytest.approx(expected)
    assert type(found) is float


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "7", "d", "7x", "7days", "7 d 3 h", "1h30m", "-7d", "+7d", "1e3s", ".5s", "5.s", "1,5h"),
        *("1_000s", "NaN", "inf", "infs", "0x10s", "7d\n7d", "9" * 5000 + "s", "1234567890s"),
        *(-1, -0.001, float("nan"), float("inf"), float("-inf"), 1e300, 10**400, -(10**400)),
        *(True, False, None, b"7d", [], {}, 7j, timedelta(seconds=-1), timedelta.min),
    ],
    ids=lambda written: repr(written)[:20],
)
def test_what_cannot_be_read_is_refused(written: Any) -> None:
    """With the setting's name and an example of how to write it."""
    with pytest.raises(ConfigError, match=r"Cache\(ttl\)=.*'7d'"):
        seconds(written, "Cache(ttl)")


@given(st.integers(0, 999_999), UNITS)
def test_a_text_is_as_long_as_its_number_times_its_unit(number: int, unit: tuple[str, float]) -> None:
    """In every unit."""
    assert seconds(f"{number}{unit[0]}", "ttl") == pytest.approx(number * unit[1])


@given(st.timedeltas(min_value=timedelta()))
def test_a_timedelta_is_as_long_as_it_is(length: timedelta) -> None:
    """To the microsecond, as far as a float goes."""
    assert seconds(length, "ttl") == length.total_seconds()


@given(st.floats() | st.integers() | st.text() | st.timedeltas())
def test_a_length_has_an_end(written: Any) -> None:
    """Whatever is given, it is a length from 0 up to what can be counted in nanoseconds, or refused."""
    try:
        found = seconds(written, "ttl")
    except ConfigError:
        return
    assert 0 <= found <= FOREVER
    assert int(found * 1e9) >= 0
