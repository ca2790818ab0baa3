"""Who is taken for dead, and what becomes of what they left behind."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ledger.attempts import NOON, SECOND, answered, attempt, select, states
from tests.ledger.conftest import NewFaults
from tokenguard.ledger import SqliteLedger, owner
from tokenguard.ledger.owner import Owner, this_process, verdict
from tokenguard.ledger.recovery import recover, recover_file

DAY = 86_400 * SECOND


@pytest.fixture
def ours() -> Owner:
    return this_process(lambda: NOON)


@pytest.fixture
def gone() -> int:
    """The process id of a process that is over."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def leave_behind(path: Path, count: int, *, host: str, at_ns: int = NOON) -> list[str]:
    """What a process on a host leaves behind that was killed with calls under way, after some others."""
    with closing(SqliteLedger(path, clock=lambda: NOON)) as ledger:
        ledger.settle(answered(attempt()))
        made = [attempt(at_ns) for _ in range(count)]
        for one in made:
            ledger.begin(one)
    name = os.urandom(4).hex()
    ids = ", ".join(f"'{one.id}'" for one in made)
    change(
        path,
        f"UPDATE call SET owner = '{name}' WHERE id IN ({ids})",
        f"UPDATE owner SET id = '{name}', host = '{host}', ended = NULL WHERE id = "
        "(SELECT id FROM owner ORDER BY rowid DESC LIMIT 1)",
    )
    return [one.id for one in made]


def test_we_are_alive(ours: Owner) -> None:
    """A process does not take itself for dead."""
    assert verdict(ours) == "alive"


def test_somebody_with_our_process_id_was_somebody_else(ours: Owner) -> None:
    """A process id is used again, and survives exec()."""
    assert verdict(replace(ours, id="another")) == "dead"


def test_a_process_that_is_over_is_dead(ours: Owner, gone: int) -> None:
    """Its id leads nowhere."""
    assert verdict(replace(ours, id="x", pid=gone)) == "dead"
    assert verdict(replace(ours, id="x", pid=gone, start_ticks=None)) == "dead"


def test_a_process_that_runs_is_alive(ours: Owner) -> None:
    """Whether or not the platform says when it started; not if it started at another time."""
    parent = replace(ours, id="x", pid=os.getppid(), start_ticks=None)
    assert verdict(parent) == "alive"
    if ours.start_ticks is not None:
        started = owner._start_ticks(os.getppid())
        assert verdict(replace(parent, start_ticks=started)) == "alive"
        assert verdict(replace(parent, start_ticks=(started or 0) - 1)) == "dead"


def test_a_zombie_is_dead(ours: Owner) -> None:
    """A process that is over, and whose end nobody asked for yet, does nothing any more."""
    if ours.start_ticks is None:
        pytest.skip("this platform does not say")
    process = subprocess.Popen(["sleep", "60"])
    started = owner._start_ticks(process.pid)
    zombie = replace(ours, id="x", pid=process.pid, start_ticks=started)
    assert verdict(zombie) == "alive"
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert verdict(zombie) == "dead"
    process.wait()


def test_another_host_cannot_be_asked(ours: Owner) -> None:
    """A process id means nothing on another machine, after a boot or in another container."""
    assert verdict(replace(ours, id="x", host="another")) == "unsure"


def test_whoever_cannot_be_asked_has_a_day(path: Path) -> None:
    """Their calls are under way for a day; after that they are taken for lost."""
    left = leave_behind(path, 3, host="elsewhere")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert recover(connection, NOON + DAY) == 0
        assert {states(path)[one] for one in left} == {"sent"}

        assert recover(connection, NOON + DAY + 1) == 3
        assert {states(path)[one] for one in left} == {"unknown"}
        assert recover(connection, NOON + 2 * DAY) == 0


def test_a_search_begins_where_the_last_one_ended(path: Path) -> None:
    """Owners who cannot be asked do not make every start read the whole ledger; nothing is missed for it."""
    early = leave_behind(path, 2, host="elsewhere", at_ns=NOON)
    late = leave_behind(path, 2, host="elsewhere", at_ns=NOON + DAY)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert recover(connection, NOON + DAY + 1) == 2
        (first_left,) = connection.execute("SELECT min(row) FROM call WHERE state = 'sent'").fetchone()
        assert connection.execute("SELECT DISTINCT after_row FROM owner WHERE ended IS NULL").fetchall() == [
            (first_left - 1,)
        ]
        assert recover(connection, NOON + 2 * DAY + 1) == 2
        assert connection.execute(
            "SELECT after_row = (SELECT max(row) FROM call) FROM owner WHERE ended IS NULL"
        ).fetchall() == [(1,), (1,)]
    assert {states(path)[one] for one in early + late} == {"unknown"}


def test_only_what_is_under_way_becomes_unknown(path: Path, ours: Owner, gone: int) -> None:
    """Settled calls of a dead process stay settled, and those of living ones stay as they are."""
    left = leave_behind(path, 2, host=ours.host)
    change(path, f"UPDATE owner SET pid = {gone} WHERE ended IS NULL")
    with closing(SqliteLedger(path)) as ledger:
        held = attempt()
        ledger.begin(held)

        found = states(path)
        assert {one for one, state in found.items() if state == "unknown"} == set(left)
        assert found[held.id] == "sent"
        assert select(path, "SELECT count(*) FROM call WHERE state = 'settled'") == [(1,)]


def test_a_report_looks_for_the_dead_first(path: Path, ours: Owner, gone: int) -> None:
    """recover_file opens a ledger for writing, where it may, and marks them."""
    leave_behind(path, 2, host=ours.host)
    change(path, f"UPDATE owner SET pid = {gone} WHERE ended IS NULL")

    assert recover_file(str(path), NOON) == 2
    assert recover_file(str(path), NOON) == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda path: None,
        lambda path: path.write_text("no database, " * 99),
        lambda path: change(path, "CREATE TABLE owner (recipe)"),
        lambda path: path.mkdir(),
    ],
)
def test_what_is_no_ledger_is_left_alone(
    path: Path, make: Callable[[Path], None], new_faults: NewFaults
) -> None:
    """A report on something else must not fail in the search for dead processes, nor make a file."""
    make(path)
    existed = path.exists()

    assert recover_file(str(path), NOON) == 0
    assert path.exists() == existed


def test_a_locked_ledger_is_not_waited_for_for_ever(
    path: Path, ours: Owner, gone: int, new_faults: NewFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the dead cannot be marked now they are marked the next time."""
    monkeypatch.setattr("tokenguard.ledger.recovery._PATIENCE_S", 0.05)
    left = leave_behind(path, 1, host=ours.host)
    change(path, f"UPDATE owner SET pid = {gone} WHERE ended IS NULL")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with closing(SqliteLedger(path)):
            assert new_faults() == {"ledger.recover": 1}
        assert recover_file(str(path), NOON) == 0
    assert recover_file(str(path), NOON) == 1
    assert states(path)[left[0]] == "unknown"
