"""How a file becomes one of this version, and what the database itself refuses."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.attempts import attempt, select
from tokenguard.ledger import SqliteLedger, schema


def test_an_older_file_is_brought_up_to_date(path: Path) -> None:
    """Only what is missing is done, once, and the rows stay."""
    with closing(SqliteLedger(path)) as ledger:
        ledger.begin(attempt())
    newer = [
        *schema.MIGRATIONS,
        ("ALTER TABLE call ADD COLUMN mood TEXT", "CREATE INDEX call_mood ON call (mood)"),
    ]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for _ in range(2):
            schema.migrate(connection, newer)
            assert schema.version_of(connection) == len(newer)
        assert connection.execute("SELECT state, mood FROM call").fetchall() == [("sent", None)]


def test_a_migration_is_done_whole_or_not_at_all(path: Path) -> None:
    """If one of its statements fails the file is as it was."""
    SqliteLedger(path).close()
    broken = [*schema.MIGRATIONS, ("ALTER TABLE call ADD COLUMN mood TEXT", "CREATE NONSENSE")]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            schema.migrate(connection, broken)
        assert schema.version_of(connection) == schema.VERSION
    assert not select(path, "SELECT name FROM pragma_table_info('call') WHERE name = 'mood'")


def test_a_state_that_does_not_exist_is_refused(path: Path) -> None:
    """The database checks states by itself."""
    with closing(SqliteLedger(path)) as ledger:
        ledger.begin(attempt())
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("UPDATE call SET state = 'lost'")


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT * FROM call WHERE ts_start >= 1 AND ts_start < 2", "call_ts_start"),
        ("SELECT * FROM call WHERE logical_id = 'x'", "call_logical_id"),
        ("SELECT * FROM call WHERE run_id = 'x'", "call_run_id"),
        ("SELECT * FROM call WHERE customer = 'x'", "call_customer"),
        ("SELECT * FROM v_calls WHERE call_id = 'x'", "call_logical_id"),
    ],
)
def test_what_is_looked_up_often_has_an_index(path: Path, query: str, index: str) -> None:
    """By time, by call, by run and by customer."""
    SqliteLedger(path).close()
    plan = " ".join(row[3] for row in select(path, f"EXPLAIN QUERY PLAN {query}"))

    assert f"USING INDEX {index}" in plan
    assert "SCAN call" not in plan
