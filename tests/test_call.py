"""Calls, usage, receipts and identifiers: the records that everything shares."""

from __future__ import annotations

import os
import random
import re
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenguard.call import Charge, CostBasis, Line, Meter, Receipt, Usage, uuid7

NOON = 1_795_176_000_000_000_000


def receipt(**fields: object) -> Receipt:
    """A receipt of a call that went well."""
    given: dict[str, object] = dict.fromkeys(Receipt.__annotations__)
    given.update({"call_id": "c", "status": "ok", "cost_basis": CostBasis.USAGE, "tags": {}}, **fields)
    return Receipt(**given)  # type: ignore[arg-type]


def test_meters_are_of_four_units() -> None:
    """Everything is tokens but requests, seconds and searches."""
    units = {meter: meter.unit for meter in Meter if meter.unit != "token"}
    assert units == {Meter.REQUESTS: "request", Meter.SECONDS: "second", Meter.WEB_SEARCHES: "search"}


def test_what_the_model_makes_is_output() -> None:
    """Text, sound and images; everything else was sent to it."""
    assert {meter for meter in Meter if meter.is_output} == {
        Meter.OUTPUT,
        Meter.AUDIO_OUTPUT,
        Meter.IMAGE_OUTPUT,
    }


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(list(Meter)), st.integers(0, 10**9)))
def test_input_and_output_are_all_tokens_and_nothing_else(meters: dict[Meter, int]) -> None:
    """Seconds, searches and requests are in neither; every token is in one of them."""
    tokens = sum(n for meter, n in meters.items() if meter.unit == "token")
    usage = Usage(meters, total=tokens)
    assert usage.input_tokens + usage.output_tokens == tokens
    assert usage.anomaly() is None


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(list(Meter)), st.integers(-5, 5)), st.none() | st.integers(-5, 50))
def test_numbers_that_cannot_be_right_are_seen(meters: dict[Meter, int], total: int | None) -> None:
    """Negative, or not the total that the provider sent."""
    usage = Usage(meters, total=total)
    negative = any(n < 0 for n in meters.values())
    adds_up = total is None or usage.input_tokens + usage.output_tokens == total
    anomaly = usage.anomaly()
    assert (anomaly is not None) == (negative or not adds_up)
    if negative:
        assert anomaly is not None
        assert anomaly.startswith("usage_negative:")


def test_reasoning_is_a_part_of_the_output() -> None:
    """It is shown apart and never added."""
    assert Usage({Meter.OUTPUT: 10}, reasoning=8, total=10).output_tokens == 10


def test_a_receipt_shows_its_cost_in_dollars() -> None:
    """For reading; unknown stays unknown."""
    assert receipt(cost_nano=1_500_000_000).cost_usd == 1.5
    assert receipt(cost_nano=0).cost_usd == 0.0
    assert receipt(cost_nano=None).cost_usd is None


def test_a_receipt_shows_its_meters() -> None:
    """None where the answer said nothing of its usage."""
    assert receipt(usage=Usage({Meter.INPUT: 3})).meters == {Meter.INPUT: 3}
    assert receipt(usage=None).meters == {}


def test_records_cannot_be_changed() -> None:
    """Every observer is handed the same ones."""
    charge = Charge(8, 8, (Line(Meter.OUTPUT, 1, "8", "p", 8),), "set")
    for record, name in ((receipt(), "cost_nano"), (charge, "cost_nano"), (charge.lines[0], "quantity")):
        with pytest.raises(AttributeError):
            setattr(record, name, 0)


@settings(deadline=None)
@given(st.integers(0, 2**48 * 10**6 - 1))
def test_identifiers_are_uuids_of_version_7(now_ns: int) -> None:
    """They carry their time, to the millisecond, where RFC 9562 has it."""
    made = uuid7(now_ns)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", made)
    parsed = uuid.UUID(made)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == now_ns // 10**6


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=20))
def test_identifiers_sort_by_time(steps: list[int]) -> None:
    """Also within a millisecond, down to a quarter of a microsecond."""
    times = sorted({NOON + step * 250 for step in steps})
    made = [uuid7(time) for time in times]
    assert made == sorted(made)


def test_identifiers_of_one_moment_are_different() -> None:
    """62 bits of each are random."""
    assert len({uuid7(NOON) for _ in range(10_000)}) == 10_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_copy_of_the_process_makes_identifiers_of_its_own() -> None:
    """Neither a fork nor a seed that the application gives makes two processes name calls alike."""
    reading, writing = os.pipe()
    state = random.getstate()
    child = os.fork()
    random.seed(1)
    made = uuid7(NOON)
    random.setstate(state)
    if not child:
        os.write(writing, made.encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 100).decode()
    os.close(reading)
    os.close(writing)

    assert len(theirs) == len(made)
    assert theirs != made
