"""What the ledger keeps of an attempt, and when."""

from __future__ import annotations

import gc
import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.attempts import (
    CHARGE,
    LINES,
    NOON,
    RAW,
    SECOND,
    USAGE,
    answered,
    attempt,
    select,
    states,
)
from tests.ledger.conftest import NewFaults
from tokenguard.call import Answered, Asked, Charge, CostBasis, Meter, Usage
from tokenguard.ledger import SqliteLedger


def test_an_attempt_is_on_disk_before_it_is_sent(ledger: SqliteLedger, path: Path) -> None:
    """When begin returns, another process sees the row, with everything that is known of it."""
    made = attempt(
        tags={"team": "search", "customer": "c-17", "ticket": "T1"}, run_id="r1", run_name="resolve"
    )

    ledger.begin(made)

    assert select(
        path,
        "SELECT id, logical_id, attempt, role, state, ts_start, provider, channel, origin, operation,"
        " dialect, stream, model_requested, model_sent, team, customer, user, run_id, run_name, tags,"
        " cost_nano, cost_basis FROM call",
    ) == [
        (
            *(
                made.id,
                made.call.id,
                0,
                "primary",
                "sent",
                NOON,
                "openai",
                "direct",
                "https://api.openai.com",
            ),
            *(
                "chat",
                "openai_chat",
                0,
                "gpt-4.1-mini",
                "gpt-4.1-mini",
                "search",
                "c-17",
                None,
                "r1",
                "resolve",
            ),
            *('{"ticket":"T1"}', None, "unknown"),
        )
    ]


def test_a_settled_attempt_says_what_it_came_to(ledger: SqliteLedger, path: Path) -> None:
    """The end, the answer, the usage and the cost of an attempt are in its row."""
    made = answered(attempt())
    made.anomalies = ("usage_sum_mismatch",)
    ledger.begin(made)
    ledger.settle(made)
    assert ledger.flush(5)

    assert select(
        path,
        "SELECT state, ts_end, first_token_ns, model_served, service_tier, status, http_status, error_type,"
        " finish_reasons, input_tokens, cached_tokens, output_tokens, reasoning, cost_nano, list_cost_nano,"
        " baseline_nano, cost_basis, price_set, provider_request_id, response_id, anomalies, usage_raw"
        " FROM call",
    ) == [
        (
            *("settled", NOON + SECOND, SECOND // 4, "gpt-4.1-mini-2025-04-14", "default", "ok", 200, None),
            *(
                "stop",
                1200,
                1024,
                340,
                128,
                716_800,
                716_800,
                716_800,
                "usage",
                "genai-prices-0.2.3+1a2b3c4d",
            ),
            *("req_1", "chatcmpl-1", "usage_sum_mismatch", json.dumps(RAW, separators=(",", ":"))),
        )
    ]
    assert select(path, "SELECT * FROM price_set") == [(CHARGE.price_set, "genai-prices-0.2.3", NOON)]


def test_lines_add_up_to_the_cost(ledger: SqliteLedger, path: Path) -> None:
    """Each meter has a line with its quantity, unit and exact price."""
    made = answered(attempt())
    ledger.begin(made)
    ledger.settle(made)
    assert ledger.flush(5)

    found = select(
        path, "SELECT meter, quantity, unit, unit_price, price_id, cost_nano FROM line ORDER BY cost_nano"
    )
    assert found == [
        (line.meter.value, line.quantity, "token", line.unit_price, line.price_id, line.cost_nano)
        for line in LINES
    ]
    assert select(
        path, "SELECT sum(line.cost_nano) - call.cost_nano FROM call JOIN line ON call_id = id"
    ) == [(0,)]


def test_a_quantity_without_a_price_is_kept(ledger: SqliteLedger, path: Path) -> None:
    """Unpriced is not free: cost and price are NULL, and the quantities are there."""
    made = answered(attempt(), charge=Charge(None, None, (), "genai-prices-0.2.3"))
    ledger.settle(made)
    assert ledger.flush(5)

    assert select(path, "SELECT cost_nano, list_cost_nano, cost_basis FROM call") == [
        (None, None, "unpriced")
    ]
    assert select(
        path, "SELECT meter, quantity, unit_price, price_id, cost_nano FROM line ORDER BY meter"
    ) == [
        ("cache_read", 1024, None, "", None),
        ("input", 176, None, "", None),
        ("output", 340, None, "", None),
    ]


def test_what_is_not_tokens_is_in_lines_only(ledger: SqliteLedger, path: Path) -> None:
    """Searches and seconds have lines with their own units, and are not counted as tokens."""
    usage = Usage({Meter.INPUT: 5, Meter.AUDIO_CACHE_READ: 3, Meter.WEB_SEARCHES: 2, Meter.SECONDS: 7})
    ledger.settle(answered(attempt(), charge=None, usage=usage))
    assert ledger.flush(5)

    assert select(path, "SELECT input_tokens, cached_tokens, output_tokens FROM call") == [(8, 3, 0)]
    assert select(path, "SELECT meter, quantity, unit FROM line WHERE unit <> 'token' ORDER BY meter") == [
        ("seconds", 7, "second"),
        ("web_searches", 2, "search"),
    ]


def test_a_refused_attempt_cost_nothing(ledger: SqliteLedger, path: Path) -> None:
    """Nothing billed is 0, not NULL; it has neither tokens nor lines."""
    made = attempt()
    ledger.begin(made)
    made.state, made.status, made.http_status, made.error_type = "released", "error", 429, "429"
    made.basis, made.ended_ns = CostBasis.NONE, NOON + 1
    ledger.settle(made)
    assert ledger.flush(5)

    assert select(
        path, "SELECT state, status, error_type, cost_nano, cost_basis, input_tokens FROM call"
    ) == [("released", "error", "429", 0, "none", None)]
    assert select(path, "SELECT * FROM line") == []


def test_an_answer_that_says_nothing_of_its_usage_has_a_row(ledger: SqliteLedger, path: Path) -> None:
    """Unmetered attempts are in the ledger; their cost is NULL."""
    made = answered(attempt(), charge=None, usage=None)
    made.basis = CostBasis.UNMETERED
    ledger.settle(made)
    assert ledger.flush(5)

    assert select(path, "SELECT state, cost_nano, cost_basis, output_tokens, usage_raw FROM call") == [
        ("settled", None, "unmetered", None, None)
    ]


def test_settling_twice_is_settling_once(ledger: SqliteLedger, path: Path) -> None:
    """The first settlement counts, whatever comes after it, in the same group or in a later one."""
    made = answered(attempt())
    ledger.begin(made)
    ledger.settle(made)
    made.charge, made.baseline_nano = Charge(1, 1, (), "other"), 1
    ledger.settle(made)
    assert ledger.flush(5)
    made.state = "unknown"
    ledger.settle(made)
    assert ledger.flush(5)

    assert select(path, "SELECT state, cost_nano FROM call") == [("settled", 716_800)]
    assert select(path, "SELECT count(*), sum(cost_nano) FROM line") == [(3, 716_800)]


def test_settling_without_beginning_leaves_the_same_row(ledger: SqliteLedger, path: Path) -> None:
    """If the opening could not be written, the settlement writes the whole row."""
    begun, not_begun = answered(attempt()), answered(attempt())
    not_begun.call = begun.call
    ledger.begin(begun)
    for made in (begun, not_begun):
        ledger.settle(made)
    assert ledger.flush(5)

    rows = select(path, "SELECT * FROM call")
    ours = [column for column in range(len(rows[0])) if column not in (0, 1)]  # all but row and id
    assert [rows[0][i] for i in ours] == [rows[1][i] for i in ours]
    assert select(path, "SELECT count(*) FROM line") == [(6,)]


def test_a_late_settlement_wins_over_unknown(ledger: SqliteLedger, path: Path) -> None:
    """An attempt that another process took for lost is settled all the same."""
    made = attempt()
    ledger.begin(made)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE call SET state = 'unknown'")
    ledger.settle(answered(made))
    assert ledger.flush(5)

    assert states(path) == {made.id: "settled"}


def test_beginning_again_changes_nothing(ledger: SqliteLedger, path: Path) -> None:
    """A late opening does not undo a settlement."""
    made = answered(attempt())
    ledger.settle(made)
    assert ledger.flush(5)
    ledger.begin(made)

    assert states(path) == {made.id: "settled"}


def test_a_retry_has_a_row_and_a_start_of_its_own(ledger: SqliteLedger, path: Path) -> None:
    """It starts after the end of the attempt before it, and the wait."""
    first = attempt()
    first.ended_ns = NOON + 3 * SECOND
    second = attempt(call=first.call, role="retry", waited_s=0.5)
    for made in (first, second):
        ledger.begin(made)

    assert select(
        path, "SELECT logical_id, attempt, role, ts_start, waited_s FROM call ORDER BY attempt"
    ) == [
        (first.call.id, 0, "primary", NOON, 0.0),
        (first.call.id, 1, "retry", NOON + 3_500_000_000, 0.5),
    ]


def test_the_model_that_was_asked_for_is_the_one_requested(ledger: SqliteLedger, path: Path) -> None:
    """Where a wish put another model in its place, both are written down."""
    ledger.begin(attempt(model_asked="gpt-4.1", asked=Asked("gpt-4.1-mini", stream=True)))

    assert select(path, "SELECT model_requested, model_sent, stream FROM call") == [
        ("gpt-4.1", "gpt-4.1-mini", 1)
    ]


def test_no_content_is_written(ledger: SqliteLedger, path: Path) -> None:
    """Neither the prompt nor the answer is anywhere in the file."""
    made = answered(attempt(body={"messages": [{"role": "user", "content": "SECRET-PROMPT"}]}))
    made.answered = Answered("id", "m", text="SECRET-ANSWER", usage=USAGE)
    ledger.begin(made)
    ledger.settle(made)

    everything = b"".join(file.read_bytes() for file in path.parent.rglob("*") if file.is_file())
    assert made.id.encode() in everything
    assert b"SECRET" not in everything


def test_outcomes_are_written(ledger: SqliteLedger, path: Path) -> None:
    """What a run achieved is kept for cost per outcome."""
    ledger.outcome("ticket_resolved", run_id="r1", customer="c-17", value=2.5)
    assert ledger.flush(5)

    assert select(path, "SELECT kind, run_id, customer, value FROM outcome") == [
        ("ticket_resolved", "r1", "c-17", 2.5)
    ]


def test_the_clock_is_passed_in(path: Path) -> None:
    """What the ledger itself dates, it dates by the clock it was given."""
    with closing(SqliteLedger(path, clock=lambda: NOON)) as ledger:
        ledger.outcome("lead")

    assert select(path, "SELECT ts, substr(id, 1, 8) FROM outcome") == [(NOON, attempt().id[:8])]


def test_a_clock_that_goes_back_loses_nothing(ledger: SqliteLedger, path: Path) -> None:
    """Rows are told apart by their ids, not by their times."""
    made = [attempt(NOON), attempt(NOON - 3600 * SECOND), attempt(0)]
    for one in made:
        ledger.begin(one)
        ledger.settle(answered(one))
    assert ledger.flush(5)

    assert states(path) == {one.id: "settled" for one in made}


def test_a_closed_ledger_lets_calls_go_on(ledger: SqliteLedger, path: Path, new_faults: NewFaults) -> None:
    """Closing twice is fine; what comes afterwards is counted, not written and not raised."""
    ledger.close()
    ledger.close()
    made = attempt()
    ledger.begin(made)
    ledger.settle(answered(made))
    ledger.outcome("lead")

    assert new_faults() == {"ledger.begin": 1, "ledger.settle": 1, "ledger.outcome": 1}
    assert ledger.flush(1)
    assert states(path) == {}


def test_closing_writes_what_is_queued(path: Path) -> None:
    """A settlement is not lost because the ledger is closed right after it."""
    made = [answered(attempt()) for _ in range(1000)]
    with closing(SqliteLedger(path)) as ledger:
        for one in made:
            ledger.settle(one)

    assert states(path) == {one.id: "settled" for one in made}


def test_memory_is_a_ledger_like_any_other() -> None:
    """``:memory:`` keeps the same rows, in this process alone, and never blocks."""
    with closing(SqliteLedger(":memory:")) as ledger:
        made, under_way = attempt(), attempt(NOON + SECOND)
        ledger.begin(made)
        ledger.begin(under_way)
        ledger.settle(answered(made))

        assert (ledger.path, ledger.may_block) == (":memory:", False)
        with closing(ledger.reader()) as connection:
            assert connection.execute("SELECT id, state FROM call ORDER BY id").fetchall() == [
                (made.id, "settled"),
                (under_way.id, "sent"),
            ]


def test_full_durability_keeps_the_same_rows(path: Path) -> None:
    """With ``durability="full"`` every opening waits for the disk; nothing else changes."""
    with closing(SqliteLedger(path, durability="full")) as ledger:
        assert ledger.may_block
        made = attempt()
        ledger.begin(made)
        ledger.settle(answered(made))

    assert states(path) == {made.id: "settled"}


@pytest.mark.parametrize(
    ("tag", "kept"),
    [("caf\u00e9 \U0001f600", "caf\u00e9 \U0001f600"), ("lone \ud800", "lone \\ud800"), ("\0", "\0")],
)
def test_any_text_can_be_a_tag(ledger: SqliteLedger, path: Path, tag: str, kept: str) -> None:
    """Text that SQLite cannot keep is written with escapes; the row is not lost."""
    ledger.begin(attempt(tags={"team": tag, "own": tag}))

    assert select(path, "SELECT team FROM call") == [(kept,)]


def test_a_row_that_cannot_be_kept_takes_no_other_with_it(
    ledger: SqliteLedger, path: Path, new_faults: NewFaults
) -> None:
    """In a group with an impossible row the others are written, and the impossible number is left out."""
    made = [answered(attempt(tags={"team": f"t{n} \ud800" if n == 1 else "t"})) for n in range(3)]
    made[1].usage = Usage({Meter.OUTPUT: 10**30})
    made[1].http_status = 2**70
    made[1].charge = None
    for one in made:
        ledger.settle(one)
    assert ledger.flush(5)

    assert new_faults() == {}
    assert select(path, "SELECT team, http_status, output_tokens FROM call ORDER BY team") == [
        ("t", 200, 340),
        ("t", 200, 340),
        ("t1 \\ud800", None, None),
    ]
    assert select(path, "SELECT count(*) FROM line") == [(6,)]


def test_threads_share_one_ledger(ledger: SqliteLedger, path: Path, new_faults: NewFaults) -> None:
    """Sixteen threads lose nothing and write nothing twice."""

    def work(_: int) -> list[str]:
        ids = []
        for _ in range(40):
            made = attempt()
            ledger.begin(made)
            ledger.settle(answered(made))
            ids.append(made.id)
        return ids

    with ThreadPoolExecutor(16) as threads:
        ids = [id_ for made in threads.map(work, range(16)) for id_ in made]
    assert ledger.flush(10)

    assert states(path) == dict.fromkeys(ids, "settled")
    assert select(path, "SELECT count(*) FROM line") == [(3 * 16 * 40,)]
    assert new_faults() == {}


def test_a_begun_row_is_on_disk_under_contention(ledger: SqliteLedger, path: Path) -> None:
    """Whichever thread began it: when begin returns, everybody else can see the row."""

    def work(_: int) -> bool:
        made = attempt()
        ledger.begin(made)
        return select(path, "SELECT state FROM call WHERE id = ?", made.id) == [("sent",)]

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(work, range(300)))


def test_a_forgotten_ledger_ends_its_thread(path: Path) -> None:
    """A ledger that nobody refers to any more leaves neither a thread nor an open file behind."""
    before = set(threading.enumerate())
    ledger = SqliteLedger(path)
    ledger.begin(attempt())
    ledger.settle(answered(attempt()))
    (thread,) = set(threading.enumerate()) - before

    del ledger
    gc.collect()
    thread.join(10)

    assert not thread.is_alive()
    assert len(states(path)) == 2


def test_views_are_what_the_docs_promise(ledger: SqliteLedger, path: Path) -> None:
    """v_calls has a row for each call, with the last attempt's facts and the sums of all of them."""
    first = attempt(tags={"team": "search"})
    ledger.begin(first)
    first.state, first.status, first.error_type, first.basis = "released", "error", "429", CostBasis.NONE
    first.ended_ns = NOON + SECOND
    ledger.settle(first)
    second = answered(attempt(call=first.call, role="retry", waited_s=1.0))
    second.ended_ns = NOON + 4 * SECOND
    ledger.begin(second)
    ledger.settle(second)
    assert ledger.flush(5)

    assert select(
        path,
        "SELECT call_id, started_at, duration_s, attempts, status, error_type, model_served, team,"
        " input_tokens, cost_nano, cost_usd, uncosted_attempts FROM v_calls",
    ) == [
        (
            *(
                first.call.id,
                "2026-11-20T12:00:00.000Z",
                4.0,
                2,
                "ok",
                None,
                "gpt-4.1-mini-2025-04-14",
                "search",
            ),
            *(1200, 716_800, 0.0007168, 0),
        )
    ]
    assert select(
        path, "SELECT day, model, team, calls, attempts, cost_nano FROM v_daily ORDER BY model"
    ) == [
        ("2026-11-20", "gpt-4.1-mini", "search", 1, 1, 0),
        ("2026-11-20", "gpt-4.1-mini-2025-04-14", "search", 1, 1, 716_800),
    ]
