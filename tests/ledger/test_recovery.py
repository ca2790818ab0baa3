"""What is found in journals: of the dead, of the living, and of files that are not what they should be."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.ledger.attempts import NOON, SECOND, answered, attempt, select, states
from tests.ledger.conftest import NewFaults
from tokenguard.ledger import SqliteLedger
from tokenguard.ledger.journal import FORMAT, Journal, folder_of
from tokenguard.ledger.recovery import recover_file
from tokenguard.ledger.rows import opening, settlement

DAY = 86_400 * SECOND


@pytest.fixture
def folder(path: Path) -> Path:
    """Where the journals of a new ledger are."""
    SqliteLedger(path).close()
    return folder_of(path)


@contextmanager
def journal(folder: Path) -> Iterator[Journal]:
    """A journal whose process lives as long as the context, and then dies."""
    writing = Journal(folder, synced=False)
    yield writing
    for file in (writing._file, *writing._earlier):
        if file is not None:
            os.close(file.fd)


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def contents(folder: Path) -> Iterator[bytes]:
    """What is in the files that are there; a writer in the background may be done with some."""
    for file in files(folder):
        with suppress(FileNotFoundError):
            yield file.read_bytes()


def in_file(path: Path) -> dict[str, str]:
    """The states of attempts in the file itself."""
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT id, state FROM call"))


def test_a_dead_process_left_what_was_under_way_and_what_was_over(path: Path, folder: Path) -> None:
    """What it had settled is settled, at its cost; what it had not is unknown; its journal is gone."""
    done, lost = answered(attempt()), attempt()
    with journal(folder) as writing:
        for one in (done, lost):
            writing.opened(opening(one))
        writing.settled(settlement(done, None))
        writing.outcome(("o1", "lead", "r1", "c1", 2.5, NOON))

    with closing(SqliteLedger(path)):
        assert in_file(path) == {done.id: "settled", lost.id: "unknown"}
    assert select(path, "SELECT cost_nano FROM call WHERE state = 'settled'") == [(716_800,)]
    assert select(path, "SELECT count(*), sum(cost_nano) FROM line") == [(3, 716_800)]
    assert select(path, "SELECT * FROM outcome") == [("o1", "lead", "r1", "c1", 2.5, NOON)]
    assert files(folder) == []


def test_a_living_process_is_left_alone(path: Path, folder: Path) -> None:
    """Opening the ledger takes nothing from it; a report sees what it has under way."""
    done, held = answered(attempt()), attempt()
    with journal(folder) as writing:
        writing.opened(opening(done))
        writing.opened(opening(held))
        writing.settled(settlement(done, None))

        SqliteLedger(path).close()
        assert in_file(path) == {}
        assert recover_file(str(path), NOON) == 0
        assert in_file(path) == {done.id: "settled", held.id: "sent"}
        assert len(files(folder)) == 1

    assert recover_file(str(path), NOON) == 1
    assert in_file(path) == {done.id: "settled", held.id: "unknown"}


def test_bringing_in_twice_is_bringing_in_once(path: Path, folder: Path) -> None:
    """Whoever died between writing to the ledger and deleting the journal did no harm."""
    done, lost = answered(attempt()), attempt()
    with journal(folder) as writing:
        for one in (done, lost):
            writing.opened(opening(one))
        writing.settled(settlement(done, None))
        (file,) = files(folder)
        before = file.read_bytes()
    for _ in range(2):
        file.write_bytes(before)
        assert recover_file(str(path), NOON) == 1
        assert in_file(path) == {done.id: "settled", lost.id: "unknown"}
        assert select(path, "SELECT count(*) FROM line") == [(3,)]


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_line_that_was_cut_off_spoils_no_other(path: Path, folder: Path, cut: int) -> None:
    """A full disk cuts lines anywhere; what was written whole before and after it is read."""
    first, second = attempt(), attempt()
    with journal(folder) as writing:
        writing.opened(opening(first))
        assert writing._file is not None
        os.write(writing._file.fd, b'\n["opened",["id with a comma, and more", 1, 2]]'[:cut])
        writing.opened(opening(second))

    assert recover_file(str(path), NOON) == 2
    assert set(in_file(path)) == {first.id, second.id}


@pytest.mark.parametrize(
    "note",
    ["[]", "5", '["opened"]', '["opened", 7]', '["settled","x",[],[],"p"]', '["news", 1]', "{}", "\xff"],
)
def test_a_line_that_makes_no_sense_is_counted(
    path: Path, folder: Path, note: str, new_faults: NewFaults
) -> None:
    """Whatever a damaged disk puts there, the rest is read, and the fault is told."""
    lost = attempt()
    with journal(folder) as writing:
        writing.opened(opening(lost))
        (file,) = files(folder)
        with file.open("a", encoding="latin-1") as damaged:
            damaged.write("\n" + note)

    assert recover_file(str(path), NOON) == 1
    assert new_faults() == {"ledger.journal": 1}
    assert files(folder) == []


def test_a_journal_of_a_newer_version_is_left_to_it(path: Path, folder: Path) -> None:
    """We neither read nor delete what we do not know."""
    folder.mkdir()
    newer = folder / "newer.jsonl"
    newer.write_text(json.dumps([FORMAT.replace("1", "2")]) + '\n["opened",{}]')

    assert recover_file(str(path), NOON + 9 * DAY) == 0
    assert files(folder) == [newer]


def test_an_empty_file_is_cleared_away_after_a_day(path: Path, folder: Path) -> None:
    """Its process was killed before it could write anything, or is just about to."""
    folder.mkdir()
    empty = folder / "0123456789abcdef.jsonl"
    empty.touch()
    os.utime(empty, ns=(NOON, NOON))

    recover_file(str(path), NOON + DAY)
    assert files(folder) == [empty]
    recover_file(str(path), NOON + DAY + 1)
    assert files(folder) == []


def test_what_nobody_vouches_for_has_a_day(path: Path, folder: Path) -> None:
    """Where a journal was deleted, what was seen under way is taken for lost a day later."""
    held = attempt()
    with journal(folder) as writing:
        writing.opened(opening(held))
        recover_file(str(path), NOON)
        for file in files(folder):
            file.unlink()
    SqliteLedger(path, clock=lambda: NOON + DAY).close()
    assert in_file(path) == {held.id: "sent"}

    SqliteLedger(path, clock=lambda: NOON + DAY + 1).close()
    assert in_file(path) == {held.id: "unknown"}


def test_a_full_file_is_followed_by_another(
    path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are done with are deleted, and each one is complete in itself: any may be read alone."""
    monkeypatch.setattr("tokenguard.ledger.journal._LONGEST", 2000)
    held, made = attempt(), [answered(attempt()) for _ in range(50)]
    with closing(SqliteLedger(path)) as ledger:
        ledger.begin(held)
        for one in made:
            ledger.begin(one)
        seen = set(files(folder))
        for one in reversed(made):
            ledger.settle(one)
            seen |= set(files(folder))
        for text in contents(folder):
            kept = text.split(b"\n")[1:]
            begun = {json.loads(line)[1][0] for line in kept if json.loads(line)[0] == "opened"}
            assert begun >= {json.loads(line)[1] for line in kept if json.loads(line)[0] == "settled"}
        assert len(seen) > 10
        assert ledger.flush(10)
        assert len(files(folder)) == 2  # the one with the call under way, and the one being written

    assert len(files(folder)) == 1
    assert states(path) == {held.id: "unknown"} | {one.id: "settled" for one in made}


def test_threads_turn_pages_together(
    path: Path, folder: Path, new_faults: NewFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are begun and deleted under the hands of many threads, and none writes to one that is closed."""
    monkeypatch.setattr("tokenguard.ledger.journal._LONGEST", 3000)
    with closing(SqliteLedger(path)) as ledger, ThreadPoolExecutor(9) as threads:

        def call(_: int) -> str:
            made = attempt()
            ledger.begin(made)
            ledger.settle(answered(made))
            return made.id

        flushes = [threads.submit(ledger.flush, 10) for _ in range(100)]
        ids = list(threads.map(call, range(800)))
        assert all(flush.result() for flush in flushes)
        assert ledger.flush(10)
        assert len(files(folder)) == 1

    assert states(path) == dict.fromkeys(ids, "settled")
    assert new_faults() == {}


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers on this platform")
def test_a_signal_in_the_middle_may_make_a_call(path: Path, folder: Path, new_faults: NewFaults) -> None:
    """Its handler runs wherever the thread is, within the ledger too, and does not wait for itself."""
    within: list[str] = []
    with closing(SqliteLedger(path)) as ledger:

        def use() -> str:
            made = attempt()
            ledger.begin(made)
            ledger.settle(answered(made))
            return made.id

        before = signal.signal(signal.SIGALRM, lambda *_: within.append(use()))
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        try:
            made = [use() for _ in range(500)]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    assert within
    assert states(path) == dict.fromkeys([*made, *within], "settled")
    assert new_faults() == {}


def test_killed_while_another_brings_it_in(path: Path, folder: Path) -> None:
    """Killed at any moment of bringing a journal in, the next one does it."""
    made = [answered(attempt()) for _ in range(500)]
    with journal(folder) as writing:
        for one in made:
            writing.opened(opening(one))
            writing.settled(settlement(one, None))
    for delay_s in (0.0002, 0.001, 0.004, 0.01):
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, delay_s)  # the kernel ends the process then
            recover_file(str(path), NOON)
            os._exit(0)
        os.waitpid(pid, 0)

    assert states(path) == {one.id: "settled" for one in made}
    assert select(path, "SELECT count(*) FROM line") == [(1500,)]
    assert files(folder) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda path: None,
        lambda path: path.write_text("no database, " * 99),
        lambda path: sqlite3.connect(path).execute("CREATE TABLE recipe (name)").connection.close(),
        lambda path: path.mkdir(),
    ],
)
def test_what_is_no_ledger_is_left_alone(
    path: Path, make: Callable[[Path], None], new_faults: NewFaults
) -> None:
    """A report on something else must not fail in the search for journals, nor make a file."""
    make(path)
    existed = path.exists()
    folder_of(path).mkdir()
    (folder_of(path) / "x.jsonl").write_text(json.dumps([FORMAT]))

    assert recover_file(str(path), NOON) == 0
    assert path.exists() == existed


def test_a_locked_ledger_is_not_waited_for_for_ever(
    path: Path, folder: Path, new_faults: NewFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the dead cannot be brought in now they are brought in the next time."""
    monkeypatch.setattr("tokenguard.ledger.recovery._PATIENCE_S", 0.05)
    lost = attempt()
    with journal(folder) as writing:
        writing.opened(opening(lost))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with closing(SqliteLedger(path)):
            assert new_faults() == {"ledger.recover": 1}
        assert recover_file(str(path), NOON) == 0
    assert recover_file(str(path), NOON) == 1
    assert in_file(path) == {lost.id: "unknown"}
