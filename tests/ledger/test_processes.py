"""What the ledger promises to processes: none loses rows, however it ends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.attempts import answered, attempt, select, states
from tokenguard.ledger import SqliteLedger
from tokenguard.ledger.journal import folder_of

ROOT = Path(__file__).parents[2]


class Program:
    """A running :mod:`tests.ledger.program`."""

    def __init__(self, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.ledger.program", *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self.stdin, self.stdout, self.stderr = self.process.stdin, self.process.stdout, self.process.stderr

    def go(self) -> None:
        self.stdin.write("\n")
        self.stdin.flush()

    def end(self) -> list[str]:
        """The rest of what it says, to its end."""
        self.stdin.close()
        said, errors = self.stdout.read(), self.stderr.read()
        self.process.wait()
        assert "Traceback" not in errors, errors
        return said.splitlines()

    def kill(self) -> list[str]:
        """Kill it; the whole lines that it had still said."""
        self.process.send_signal(signal.SIGKILL)
        rest = self.stdout.read()
        self.process.wait()
        return rest.splitlines()[: rest.count("\n")]


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    running: list[Program] = []
    yield running
    for program in running:
        program.process.kill()
        program.process.wait()
        for stream in (program.stdin, program.stdout, program.stderr):
            stream.close()


@pytest.mark.parametrize("round_", range(3))
def test_eight_processes_can_make_one_file(path: Path, programs: list[Program], round_: int) -> None:
    """Processes that open a new ledger at the same moment all get it, and all their rows are in it."""
    programs += [Program("write", path, 20) for _ in range(8)]
    for program in programs:
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        program.go()
    for program in programs:
        assert program.end() == []
        assert program.process.returncode == 0

    assert select(path, "SELECT state, count(*) FROM call GROUP BY state") == [("settled", 8 * 20)]
    assert select(path, "SELECT count(*) FROM line") == [(8 * 20 * 3,)]
    assert not [*folder_of(path).iterdir()]


def test_a_killed_process_loses_no_row(path: Path, programs: list[Program]) -> None:
    """Killed at a random moment under load, every attempt that was begun is in the ledger."""
    dice = random.Random(7)
    begun: set[str] = set()
    for _ in range(10):
        running = [Program("load", path, threads) for threads in (1, 4)]
        programs += running
        for program in running:
            lines = dice.randrange(1, 150)
            begun.update(program.stdout.readline().strip() for _ in range(lines))
            begun.update(program.kill())

    SqliteLedger(path).close()
    found = states(path)
    assert begun <= set(found)
    assert set(found.values()) == {"settled", "unknown"}
    assert select(path, "PRAGMA integrity_check") == [("ok",)]
    assert select(
        path,
        "SELECT count(*) FROM call WHERE state = 'settled'"
        " AND cost_nano <> (SELECT sum(cost_nano) FROM line WHERE call_id = id)",
    ) == [(0,)]


def test_what_a_dead_process_left_is_unknown(path: Path, programs: list[Program]) -> None:
    """A row stays ``sent`` as long as its process lives, and is ``unknown`` to whoever opens it next."""
    program = Program("hold", path)
    programs.append(program)
    held = program.stdout.readline().strip()

    SqliteLedger(path).close()
    assert states(path) == {held: "sent"}

    program.kill()
    SqliteLedger(path).close()
    assert select(path, "SELECT id, state, cost_basis FROM call") == [(held, "unknown", "unknown")]
    assert not [*folder_of(path).iterdir()]


def test_a_process_that_goes_with_calls_under_way_leaves_them_unknown(
    path: Path, programs: list[Program]
) -> None:
    """Leaving in an orderly way does not make a call that was never settled look settled."""
    program = Program("hold", path)
    programs.append(program)
    held = program.stdout.readline().strip()
    assert program.end() == []

    assert states(path) == {held: "unknown"}


def test_a_program_that_restarts_itself_is_another_one(path: Path, programs: list[Program]) -> None:
    """After exec() the process id is the same, but nobody remembers the call."""
    program = Program("restart", path)
    programs.append(program)

    assert program.end() == ["unknown"]


def test_leaving_the_interpreter_writes_what_is_queued(path: Path, programs: list[Program]) -> None:
    """Settlements are written even if nobody closes the ledger and the program fails."""
    program = Program("at_exit", path)
    programs.append(program)
    program.end()

    assert program.process.returncode == 3
    assert select(path, "SELECT state, count(*) FROM call GROUP BY state") == [("settled", 500)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_fork_under_load_writes_everything_once(path: Path, programs: list[Program]) -> None:
    """Parent and children go on; nothing that was queued is lost or written twice."""
    program = Program("fork", path)
    programs.append(program)
    said = program.end()

    assert said.count("True") == 1
    assert said.count("faults 0") == 9
    assert select(path, "SELECT DISTINCT state FROM call") == [("settled",)]
    assert select(path, "SELECT count(*) FROM call GROUP BY user ORDER BY count(*) LIMIT 8") == [(11,)] * 8
    assert select(path, "SELECT count(*) - 3 * (SELECT count(*) FROM call) FROM line") == [(0,)]
    assert select(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_process_of_multiprocessing_loses_nothing(path: Path, programs: list[Program], method: str) -> None:
    """It leaves without running atexit; what it queued is written all the same."""
    program = Program("processes", path, method)
    programs.append(program)

    assert program.end() == ["0"]
    assert select(path, "SELECT state, count(*) FROM call GROUP BY state") == [("settled", 6)]


def test_processes_and_threads_write_at_the_same_time(path: Path, programs: list[Program]) -> None:
    """A reader sees a consistent ledger while others write to it."""
    programs += [Program("write", path, 200) for _ in range(4)]
    for program in programs:
        assert program.stdout.readline() == "ready\n"
        program.go()
    with closing(SqliteLedger(path)) as ledger:
        while any(program.process.poll() is None for program in programs):
            with closing(ledger.reader()) as reader:
                reader.execute("BEGIN")
                settled = reader.execute("SELECT count(*) FROM call WHERE state = 'settled'").fetchone()[0]
                assert reader.execute("SELECT count(*) FROM line").fetchone()[0] == 3 * settled
    for program in programs:
        assert program.end() == []

    assert select(path, "SELECT state, count(*) FROM call GROUP BY state") == [("settled", 800)]


def test_opening_a_ledger_again_lets_no_lock_go(path: Path) -> None:
    """A process that has it open twice still keeps others from taking the write-ahead log away."""
    take_away = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], timeout=0);"
        "print(db.execute('PRAGMA journal_mode = DELETE').fetchone()[0])"
    )
    with closing(SqliteLedger(path)) as ledger:
        ledger.settle(answered(attempt()))
        assert ledger.flush(10)
        SqliteLedger(path).close()

        other = subprocess.run(
            [sys.executable, "-c", take_away, path], capture_output=True, text=True, check=False
        )
        assert "database is locked" in other.stderr
