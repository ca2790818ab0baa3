"""Reports: they add up, to the nano-dollar, whatever they are grouped by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.attempts import NOON, SECOND, USAGE, answered, attempt, cost
from tokenguard.call import Answered, Asked, Attempt, Charge, CostBasis, Where
from tokenguard.errors import ConfigError, LedgerError
from tokenguard.ledger import SqliteLedger
from tokenguard.ledger.periods import to_ns
from tokenguard.ledger.queries import Report, report

DAY = 86_400 * SECOND
BERLIN = ZoneInfo("Europe/Berlin")
UNPRICED = Charge(None, None, (), "genai-prices-0.2.3")


def summed(made: Iterable[Attempt], **arguments: Any) -> Report:
    """A report on a ledger in which just these attempts are settled, or begun if they are still sent."""
    with closing(SqliteLedger(":memory:")) as ledger:
        for one in made:
            ledger.begin(one) if one.state == "sent" else ledger.settle(one)
        with closing(ledger.reader()) as connection:
            return report(connection, now_ns=NOON, **({"tz": "UTC"} | arguments))


def spent(nano: int, at_ns: int = NOON, **call: Any) -> Attempt:
    """An attempt that cost so much."""
    return answered(attempt(at_ns, **call), charge=cost(nano))


def costs(found: Report) -> dict[Any, int]:
    """The cost of each group, by its key or keys."""
    return {row.keys[0] if len(row.keys) == 1 else row.keys: row.cost_nano for row in found.rows}


KEYS = (
    *("team", "customer", "model", "model_requested", "provider", "status", "state", "cost_basis", "run"),
    *("ticket", "tag:ticket", "role", "stream", "operation", "error_type", "day", "week", "month"),
)
TAGS = st.dictionaries(st.sampled_from(["team", "customer", "ticket"]), st.sampled_from(["a", "b", "", "é"]))


@st.composite
def attempts(draw: st.DrawFn) -> list[Attempt]:
    """Calls with one to three attempts, in every state, over some months."""
    made = []
    for _ in range(draw(st.integers(0, 6))):
        at_ns = NOON + draw(st.integers(-100, 100)) * DAY // 4
        first = attempt(at_ns, tags=draw(TAGS), run_id=draw(st.sampled_from([None, "r"])))
        for n in range(draw(st.integers(1, 3))):
            one = attempt(at_ns, call=first.call, role="retry") if n else first
            end = draw(st.sampled_from(["sent", "settled", "unpriced", "released", "unknown", "estimated"]))
            nano = draw(st.integers(0, 10**15))
            if end != "sent":
                answered(one, charge=UNPRICED if end == "unpriced" else cost(nano))
            if end == "released":
                one.state, one.status, one.charge, one.usage = "released", "error", None, None
                one.basis, one.error_type = CostBasis.NONE, "429"
            elif end == "unknown":
                one.state, one.basis = "unknown", CostBasis.UNKNOWN
            elif end == "estimated":
                one.basis = CostBasis.ESTIMATED
            made.append(one)
    return made


@settings(max_examples=60, deadline=None)
@given(attempts(), st.lists(st.sampled_from(KEYS), max_size=3), st.sampled_from(["UTC", "Europe/Berlin"]))
def test_groups_add_up_to_the_total(made: list[Attempt], by: list[str], tz: str) -> None:
    """Whatever a report is grouped by, its rows sum to what was put in, exactly."""
    calendar = [key for key in by if key in ("day", "week", "month")]
    by = [key for key in by if key not in calendar[1:]]
    found = summed(made, by=by, tz=tz)
    charged = [one.charge for one in made if one.charge and one.charge.cost_nano is not None]

    assert found.total.cost_nano == sum(charge.cost_nano or 0 for charge in charged)
    assert found.total.attempts == len(made) == sum(row.attempts for row in found.rows)
    assert found.total.calls == len({one.call.id for one in made})
    for name in ("cost_nano", "list_cost_nano", "baseline_nano", "estimated_nano", "input_tokens", "unknown"):
        assert sum(getattr(row, name) for row in found.rows) == getattr(found.total, name)
    assert len({row.keys for row in found.rows}) == len(found.rows)


@settings(max_examples=40, deadline=None)
@given(attempts(), st.sampled_from(["team", "ticket", "run", "state"]))
def test_a_group_is_what_its_filter_finds(made: list[Attempt], key: str) -> None:
    """Asking for one value gives the very row that grouping by it gives."""
    with closing(SqliteLedger(":memory:")) as ledger:
        for one in made:
            ledger.begin(one) if one.state == "sent" else ledger.settle(one)
        with closing(ledger.reader()) as connection:
            for row in report(connection, by=[key], now_ns=NOON).rows:
                if row.keys[0] != "":
                    only = report(connection, where={key: row.keys[0] or ""}, now_ns=NOON).total
                    assert only.cost_nano == row.cost_nano
                    assert (only.calls, only.attempts) == (row.calls, row.attempts)


def test_a_row_says_how_far_it_can_be_trusted() -> None:
    """What has no known cost is counted by its reason, and what is estimated is shown as such."""
    unmetered = answered(attempt(), charge=None, usage=None)
    unmetered.basis = CostBasis.UNMETERED
    estimated, lost = spent(300), spent(100)
    estimated.basis, estimated.status = CostBasis.ESTIMATED, "aborted"
    lost.state, lost.basis, lost.status = "unknown", CostBasis.UNKNOWN, "error"

    total = summed(
        [attempt(), spent(600), answered(attempt(), charge=UNPRICED), unmetered, estimated, lost]
    ).total

    assert (total.calls, total.attempts, total.cost_nano) == (6, 6, 1000)
    assert (total.unpriced, total.unmetered, total.unknown, total.in_flight, total.failed) == (1, 1, 1, 1, 1)
    assert (total.estimated_nano, total.estimated_share) == (400, 0.4)
    assert (total.input_tokens, total.cached_tokens, total.output_tokens, total.reasoning) == (
        4 * 1200,
        4 * 1024,
        4 * 340,
        4 * 128,
    )


def test_list_price_and_baseline_are_summed_by_themselves() -> None:
    """A negotiated price, and a cheaper model than was asked for, show what they saved."""
    made = answered(attempt(model_asked="gpt-4.1"), charge=Charge(80, 100, (), "mine"))
    made.baseline_nano = 500

    total = summed([made]).total
    assert (total.cost_nano, total.list_cost_nano, total.baseline_nano) == (80, 100, 500)


def test_a_retried_call_is_one_call() -> None:
    """Attempts are counted apart; a call in two groups is one in the total."""
    first = spent(5)
    second = answered(attempt(call=first.call, role="retry"), charge=cost(7))
    second.answered = Answered(model="gpt-4.1")

    found = summed([first, second], by=["model"])
    assert [(row.keys, row.calls, row.attempts) for row in found.rows] == [
        (("gpt-4.1",), 1, 1),
        (("gpt-4.1-mini-2025-04-14",), 1, 1),
    ]
    assert (found.total.calls, found.total.attempts, found.total.cost_nano) == (1, 2, 12)


def test_an_empty_ledger_has_a_total_of_nothing() -> None:
    """No rows, and zeros, not an error."""
    found = summed([], by=["team", "day"])
    assert found.rows == ()
    assert (found.total.calls, found.total.cost_nano) == (0, 0)


def test_a_model_is_the_served_one_else_the_one_asked_for() -> None:
    """A lost attempt is under the model that it was meant for."""
    made = [spent(1), attempt(asked=Asked("gpt-4.1"))]

    assert costs(summed(made, by=["model"])) == {"gpt-4.1-mini-2025-04-14": 1, "gpt-4.1": 0}
    assert costs(summed(made, by=["model_requested"])) == {"gpt-4.1-mini": 1, "gpt-4.1": 0}


@pytest.mark.parametrize(
    "name", ["ticket", "tag:ticket", "a.b", 'quo"te', "$", "dots.and[0]", "value", "key"]
)
def test_any_name_can_be_a_tag(name: str) -> None:
    """A free tag is found by its exact name; those who do not have it are a group of their own."""
    tag = name.removeprefix("tag:")
    made = [spent(1, tags={tag: "x"}), spent(2, tags={tag: "y", "other": "x"}), spent(4, tags={"a": "x"})]

    assert costs(summed(made, by=[name])) == {"x": 1, "y": 2, None: 4}
    assert summed(made, where={name: "y"}).total.cost_nano == 2
    assert summed(made, where={name: ""}).total.cost_nano == 4


def test_a_first_class_tag_may_be_written_as_a_tag() -> None:
    """``tag:team`` is ``team``."""
    assert costs(summed([spent(1, tags={"team": "x"})], by=["tag:team"])) == {"x": 1}


@pytest.mark.parametrize("name", ["tag", "tag:", "tag: ", " tag"])
def test_a_bare_tag_is_an_error_that_says_how(name: str) -> None:
    """It is no name of a tag."""
    with pytest.raises(ConfigError, match="tag:NAME"):
        summed([], by=[name])
    with pytest.raises(ConfigError, match="tag:NAME"):
        summed([], where={name: "x"})


def test_only_one_period_at_a_time() -> None:
    """A day has one month; a week may have two."""
    with pytest.raises(ConfigError, match="one calendar period at a time: day or month"):
        summed([], by=["day", "team", "month"])
    with pytest.raises(ConfigError, match="since and until"):
        summed([], where={"day": "2026-11-20"})


def local(text: str) -> int:
    """Unix nanoseconds of a local time in Berlin; ``fold`` after an asterisk."""
    moment = datetime.fromisoformat(text.rstrip("*")).replace(tzinfo=BERLIN, fold=text.endswith("*"))
    return to_ns(moment)


def test_days_are_as_long_as_they_are() -> None:
    """In Berlin, on the days of 23 and 25 hours, each call is on the day its clock showed."""
    made = [
        spent(1, local("2026-03-28T23:59:59")),
        spent(2, local("2026-03-29T00:00:00")),
        spent(4, local("2026-03-29T23:59:59")),
        spent(8, local("2026-03-30T00:00:00")),
        spent(16, local("2026-10-24T23:59:59")),
        spent(32, local("2026-10-25T02:30:00")),
        spent(64, local("2026-10-25T02:30:00*")),
        spent(128, local("2026-10-25T23:59:59.999999")),
        spent(256, local("2026-10-26T00:00:00")),
    ]

    assert costs(summed(made, by=["day"], tz="Europe/Berlin")) == {
        "2026-03-28": 1,
        "2026-03-29": 6,
        "2026-03-30": 8,
        "2026-10-24": 16,
        "2026-10-25": 224,
        "2026-10-26": 256,
    }
    assert costs(summed(made, by=["month"], tz="Europe/Berlin")) == {"2026-03": 15, "2026-10": 496}
    assert costs(summed(made, by=["week"], tz="Europe/Berlin")) == {
        "2026-W13": 7,
        "2026-W14": 8,
        "2026-W43": 240,
        "2026-W44": 256,
    }
    on_the_day = summed(made, since="2026-10-25", until="2026-10-25", tz="Europe/Berlin")
    assert on_the_day.total.cost_nano == 224
    assert (on_the_day.until_ns or 0) - (on_the_day.since_ns or 0) == 25 * 3600 * SECOND


def test_a_calendar_is_in_its_own_zone() -> None:
    """The same call is on another day elsewhere."""
    made = [spent(1, local("2026-01-01T00:30:00"))]

    assert costs(summed(made, by=["day"], tz="Europe/Berlin")) == {"2026-01-01": 1}
    assert costs(summed(made, by=["day"], tz="UTC")) == {"2025-12-31": 1}
    assert costs(summed(made, by=["week"], tz="UTC")) == {"2026-W01": 1}


def test_a_clock_that_was_wrong_does_not_break_a_report() -> None:
    """Rows of 1970 and of 2262 are there, on their days."""
    made = [spent(1, 0), spent(2), spent(4, NOON + 180 * 365 * DAY)]
    made[2].call.started_ns = 2**63 - 1  # the last moment that there is
    for unit in ("day", "week", "month"):
        found = summed(made, by=[unit])
        assert [row.cost_nano for row in found.rows] == [1, 2, 4]
    assert [row.keys[0] for row in found.rows] == ["1970-01", "2026-11", "2262-04"]


def test_ranges_are_from_inclusive_until_exclusive() -> None:
    """A call on the boundary is in one of two ranges that meet, not in both."""
    made = [spent(1, NOON - 1), spent(2, NOON), spent(4, NOON + 1)]

    assert summed(made, until="2026-11-20T12:00").total.cost_nano == 1
    assert summed(made, since="2026-11-20T12:00").total.cost_nano == 6


def test_groups_come_in_a_useful_order() -> None:
    """By time if there is a period, and then the dearest first."""
    made = [
        spent(1, tags={"team": "a"}),
        spent(5, tags={"team": "b"}),
        spent(9, NOON + DAY, tags={"team": "a"}),
        spent(5, tags={"team": "c"}),
    ]
    days: Sequence[tuple[str | None, ...]] = [row.keys for row in summed(made, by=["team", "day"]).rows]
    assert days == [("b", "2026-11-20"), ("c", "2026-11-20"), ("a", "2026-11-20"), ("a", "2026-11-21")]
    assert [row.keys for row in summed(made, by=["team"]).rows] == [("a",), ("b",), ("c",)]


def test_other_first_class_columns_can_be_grouped_by() -> None:
    """The endpoint is known by provider, channel, region and origin."""
    azure = Where("azure.ai.openai", "azure", "https://x.openai.azure.com", "x", 443, region="westeurope")
    found = summed([spent(3, where=azure)], by=["provider", "channel", "region", "origin", "stream"])

    assert costs(found) == {("azure.ai.openai", "azure", "westeurope", "https://x.openai.azure.com", "no"): 3}


def test_a_report_is_of_one_moment(path: Path) -> None:
    """Rows that are written while it is made do not make its total differ from its groups."""
    with closing(SqliteLedger(path)) as ledger, closing(ledger.reader()) as connection:
        ledger.settle(spent(1))
        assert ledger.flush(5)
        written = Counter[str]()

        def interfere(statement: str) -> None:
            if "GROUP BY" in statement or "SELECT" in statement:
                ledger.settle(spent(1))
                assert ledger.flush(5)
                written[statement] += 1

        connection.set_trace_callback(interfere)
        found = report(connection, by=["team", "day"], now_ns=NOON)

    assert written
    assert sum(row.cost_nano for row in found.rows) == found.total.cost_nano


def test_a_file_is_only_read(path: Path) -> None:
    """A report by path opens the ledger read-only."""
    with closing(SqliteLedger(path)) as ledger:
        ledger.settle(spent(41))
    before = path.read_bytes()

    assert report(path, now_ns=NOON).total.cost_nano == 41
    assert path.read_bytes() == before


def test_a_sum_that_does_not_fit_is_an_error(path: Path) -> None:
    """Beyond 9.2 billion dollars there is no wrong figure, but none."""
    with pytest.raises(LedgerError, match="overflow"):
        summed([spent(2**62), spent(2**62)])


def test_json_is_exact() -> None:
    """All figures are integers; groups are named."""
    found = summed([spent(2**53 + 1, tags={"team": "a"})], by=["team"], since="2026-11-20")
    text = found.as_json()

    assert text["rows"][0]["keys"] == {"team": "a"}
    assert text["rows"][0]["cost_nano"] == text["total"]["cost_nano"] == 2**53 + 1
    assert (text["by"], text["tz"], text["since_ns"], text["until_ns"]) == (
        ["team"],
        "UTC",
        NOON - DAY // 2,
        None,
    )
    assert text["total"]["output_tokens"] == USAGE.output_tokens
