"""What the ledger does when it cannot write: it says so when it is made, and lets calls go on afterwards."""

from __future__ import annotations

import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.attempts import answered, attempt, select, states
from tests.ledger.conftest import NewFaults
from tokenguard.errors import LedgerError
from tokenguard.ledger import SqliteLedger, connection, schema, writer
from tokenguard.ledger.connection import reader
from tokenguard.ledger.journal import folder_of


def foreign(path: Path, *statements: str) -> Path:
    """A database that is none of ours."""
    with closing(sqlite3.connect(path)) as other, other:
        for statement in statements:
            other.execute(statement)
    return path


class Disk:
    """A small file system of its own, which can be full or read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        with self._filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                return

    def empty(self) -> None:
        self._filler.unlink()

    def make_read_only(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a disk to fill up")
    yield Disk(folder)
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program that has the ledger locked; ``ROLLBACK`` unlocks it."""
    SqliteLedger(path).close()
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        yield other


def refusal(path: str | Path) -> str:
    with pytest.raises(LedgerError) as raised:
        SqliteLedger(path)
    assert str(path) in str(raised.value)
    return str(raised.value)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """The message names the path, what is wrong, and what to do."""
    assert refusal(tmp_path) == f"the ledger {tmp_path} cannot be used: it is a directory. Name a file in it."


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file where a folder should be, or a file system that takes none."""
    (tmp_path / "file").touch()

    assert "TOKENGUARD_LEDGER" in refusal(tmp_path / "file" / "ledger.db")
    assert "TOKENGUARD_LEDGER" in refusal("/proc/tokenguard/ledger.db")


def test_a_read_only_disk_is_refused(disk: Disk) -> None:
    """A file that cannot be written to is no ledger; it can be read all the same."""
    path = disk.folder / "ledger.db"
    with closing(SqliteLedger(path)) as ledger:
        ledger.settle(answered(attempt()))
    disk.make_read_only()

    assert "it may not be written to" in refusal(path)
    with closing(reader(str(path))) as connection:
        assert connection.execute("SELECT count(*) FROM call").fetchone() == (1,)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    """And it is left as it is."""
    path.write_text("Dear diary, " * 100)

    assert "it is not a database" in refusal(path)
    assert path.read_text() == "Dear diary, " * 100


@pytest.mark.parametrize("statements", [["CREATE TABLE recipe (name)"], ["PRAGMA application_id = 42"]])
def test_the_database_of_another_application_is_refused(path: Path, statements: list[str]) -> None:
    """Whether it says whose it is, or only has tables."""
    foreign(path, *statements)
    before = path.read_bytes()

    assert "it is the database of another application" in refusal(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(path: Path) -> None:
    """An older version does not write to what it does not understand."""
    SqliteLedger(path).close()
    foreign(path, f"PRAGMA user_version = {schema.VERSION + 1}")

    assert "a newer tokenguard wrote it" in refusal(path)
    with pytest.raises(LedgerError, match="a newer tokenguard wrote it"):
        reader(str(path))


def test_a_damaged_database_is_refused(path: Path) -> None:
    """Damage is found when the file is opened, if it is where we look."""
    SqliteLedger(path).close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 4000)

    assert "damaged" in refusal(path)


def test_a_full_disk_is_refused(disk: Disk) -> None:
    """There must be room for the tables."""
    disk.fill()

    assert "the disk is full" in refusal(disk.folder / "ledger.db")


def test_a_lock_that_is_never_released_is_refused(
    path: Path, locked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is made, a ledger waits for another process, but not for ever."""
    monkeypatch.setattr(connection, "_PATIENCE_S", 0.05)
    locked.execute("PRAGMA user_version = 0")  # then the tables are to be made, under a lock
    locked.execute("BEGIN IMMEDIATE")

    assert "locked" in refusal(path)


def test_what_is_not_there_cannot_be_read(path: Path) -> None:
    """Neither a ledger that was never made, nor an empty file."""
    with pytest.raises(LedgerError, match="there is no ledger at"):
        reader(str(path))
    path.touch()
    with pytest.raises(LedgerError, match="is empty"):
        reader(str(path))


def test_a_locked_file_holds_no_call_up(
    path: Path, locked: sqlite3.Connection, new_faults: NewFaults
) -> None:
    """Calls are written down while another program keeps the file locked, and are in it once it is free."""
    with closing(SqliteLedger(path, wait_s=0.05)) as ledger:
        locked.execute("BEGIN IMMEDIATE")
        made = [attempt() for _ in range(200)]
        for one in made:
            ledger.begin(one)
        for one in made[:-1]:
            ledger.settle(answered(one))
        assert not ledger.flush(0.05)
        assert new_faults["ledger.write"] >= 1
        assert new_faults["ledger.begin"] == new_faults["ledger.settle"] == 0

        locked.execute("ROLLBACK")
        assert ledger.flush(10)
        assert states(path) == {one.id: "settled" for one in made[:-1]} | {made[-1].id: "sent"}


def test_what_cannot_be_written_does_not_pile_up(
    path: Path, locked: sqlite3.Connection, new_faults: NewFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue has an end; what does not fit stays in the journal, for the next to open the ledger."""
    monkeypatch.setattr(writer, "_QUEUED", 10)
    made = [answered(attempt()) for _ in range(25)]
    with closing(SqliteLedger(path, wait_s=0.05)) as ledger:
        locked.execute("BEGIN IMMEDIATE")
        for one in made:
            ledger.settle(one)
        assert new_faults["ledger.dropped"] > 0
        locked.execute("ROLLBACK")

    SqliteLedger(path).close()
    assert states(path) == {one.id: "settled" for one in made}


def test_closing_a_locked_ledger_loses_nothing(
    path: Path, locked: sqlite3.Connection, new_faults: NewFaults
) -> None:
    """Leaving does not wait for ever for a lock; that is counted, and the next to open it finds the rows."""
    ledger = SqliteLedger(path, wait_s=0.05)
    made = answered(attempt())
    locked.execute("BEGIN IMMEDIATE")
    ledger.settle(made)
    ledger.outcome("lead")
    ledger.close()
    locked.execute("ROLLBACK")

    assert new_faults["ledger.close"] == 1
    SqliteLedger(path).close()
    assert states(path) == {made.id: "settled"}
    assert select(path, "SELECT kind FROM outcome") == [("lead",)]


def test_a_disk_that_fills_up_stops_no_call(disk: Disk, new_faults: NewFaults) -> None:
    """Calls go on without a trace; once there is room again their rows are written."""
    path = disk.folder / "ledger.db"
    with closing(SqliteLedger(path)) as ledger:
        disk.fill()
        made = [attempt() for _ in range(300)]
        for one in made:
            ledger.begin(one)
            ledger.settle(answered(one))
        assert not ledger.flush(5)
        assert new_faults["ledger.begin"] > 0
        assert new_faults["ledger.write"] > 0

        disk.empty()
        assert ledger.flush(10)

    assert states(path) == {one.id: "settled" for one in made}


def test_a_file_that_may_not_grow_stops_no_call(path: Path, new_faults: NewFaults) -> None:
    """The same where the operating system refuses to write."""
    with closing(SqliteLedger(path)) as ledger:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        try:
            made = [attempt() for _ in range(100)]
            for one in made:
                ledger.begin(one)
                ledger.settle(answered(one))
            assert not ledger.flush(5)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert new_faults["ledger.begin"] > 0
        assert ledger.flush(10)

    assert states(path) == {one.id: "settled" for one in made}


def test_a_file_that_was_taken_away_is_made_again(
    path: Path, new_faults: NewFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite, and the journal, would go on writing to deleted files, where nobody finds the rows."""
    monkeypatch.setattr(writer, "_LOOK_S", 0)
    first = attempt()
    with closing(SqliteLedger(path)) as ledger:
        ledger.begin(first)
        for file in path.parent.glob("ledger.db*"):
            file.unlink() if file.is_file() else shutil.rmtree(file)
        made = [attempt(), attempt()]
        ledger.settle(answered(made[0]))
        ledger._writer.work()
        assert new_faults() == {"ledger.write": 1, "ledger.journal": 1}

        ledger.begin(made[1])
        assert states(path) == {made[0].id: "settled", made[1].id: "sent", first.id: "sent"}


def test_a_file_that_is_damaged_meanwhile_stops_no_call(path: Path, new_faults: NewFaults) -> None:
    """Calls go on; that it could not be written is counted, and the rows stay in the journal."""
    SqliteLedger(path).close()
    with closing(SqliteLedger(path, wait_s=0.05)) as ledger:
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        ledger.begin(attempt())
        ledger.settle(answered(attempt()))
        assert not ledger.flush(5)

    assert new_faults["ledger.write"] >= 1
    assert new_faults["ledger.close"] == 1
    assert len([*folder_of(path).iterdir()]) == 1


def test_a_ledger_is_private(tmp_path: Path) -> None:
    """Only its owner can read the file, what SQLite puts beside it, and the folder made for it."""
    path = tmp_path / "state" / "tokenguard" / "ledger.db"
    with closing(SqliteLedger(path)) as ledger:
        ledger.begin(attempt())
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.rglob("*")}

    (journal,) = set(modes) - {"ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db-journals"}
    assert modes.pop("ledger.db-journals") == 0o700
    assert set(modes.values()) == {0o600}
    assert journal.endswith(".jsonl")
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_sqlite_finds_nothing_wrong_with_a_ledger(path: Path) -> None:
    """The schema is one that SQLite itself vouches for."""
    with closing(SqliteLedger(path)) as ledger:
        for _ in range(100):
            ledger.settle(answered(attempt()))

    assert select(path, "PRAGMA integrity_check") == [("ok",)]
    assert select(path, "PRAGMA application_id") == [(schema.APPLICATION_ID,)]
    assert select(path, "PRAGMA journal_mode") == [("wal",)]
