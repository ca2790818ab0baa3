"""Failing open: logged once, counted always, raised never."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from uuid import uuid4

import pytest

from tokenguard import faults


@pytest.fixture
def place() -> str:
    """A place that no other test has."""
    return f"test.{uuid4().hex}"


def test_a_fault_is_logged_once_and_counted(place: str, caplog: pytest.LogCaptureFixture) -> None:
    """The first one with its traceback; later ones only change the count."""
    with caplog.at_level(logging.WARNING, "tokenguard"):
        for _ in range(3):
            faults.note(place, ValueError("broken"))
    (record,) = caplog.records
    assert place in record.getMessage()
    assert "broken" in record.getMessage()
    assert record.exc_info is not None
    assert faults.counts()[place] == 3


def test_each_kind_of_fault_is_logged(place: str, caplog: pytest.LogCaptureFixture) -> None:
    """Another type of error in the same place is news."""
    with caplog.at_level(logging.WARNING, "tokenguard"):
        faults.note(place, ValueError("a"))
        faults.note(place, OSError("b"))
        faults.note(place, ValueError("c"))
    assert len(caplog.records) == 2
    assert faults.counts()[place] == 3


def test_an_oddity_is_logged_once_for_each_of_its_values(
    place: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A model without a price is news once; another one is news again."""
    with caplog.at_level(logging.WARNING, "tokenguard"):
        for model in ("a", "b", "a"):
            faults.warn_once(place, "no price for %s", model)
    assert [record.getMessage() for record in caplog.records] == ["no price for a", "no price for b"]
    assert faults.counts()[place] == 3


def test_counts_are_by_place(place: str) -> None:
    """And nothing else is in the table that is shown."""
    faults.note(place, ValueError("x"))
    faults.warn_once(place, "%s", "y:z")
    assert {name for name in faults.counts() if name.startswith(place)} == {place}


def test_no_count_is_lost_between_threads(place: str) -> None:
    """Faults come from every thread."""

    def work() -> None:
        for _ in range(500):
            faults.note(place, KeyError("k"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults.counts()[place] == 4000


def test_values_from_outside_do_not_fill_the_memory(
    place: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table of what was logged has an end; counting goes on."""
    monkeypatch.setattr(faults, "_counts", Counter[str]())  # a full one would silence the tests after this
    with caplog.at_level(logging.CRITICAL, "tokenguard"):
        for number in range(6000):
            faults.warn_once(place, "%s", number)
    assert faults.counts()[place] == 6000
    assert len(faults._counts) <= 4200
