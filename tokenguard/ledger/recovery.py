"""Find the attempts whose process died before it could say what became of them: they are ``unknown``.

They may have been billed, so they are never taken away. If the process turns out to be alive, what
it says later counts.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from tokenguard import faults
from tokenguard.ledger import schema
from tokenguard.ledger.connection import patiently
from tokenguard.ledger.owner import Owner, verdict

_PATIENCE_S: Final = 2.0
_DAY_NS: Final = 86_400 * 10**9
"""No attempt is under way for longer: after a day we stop waiting for an owner whom we cannot ask."""

_MARK: Final = """
UPDATE call SET state = 'unknown'
WHERE row > :after AND state = 'sent' AND (
    owner IN (SELECT value FROM json_each(:dead))
    OR ts_start < :yesterday AND owner IN (SELECT value FROM json_each(:unsure)))"""

_BURY: Final = "UPDATE owner SET ended = :now WHERE id IN (SELECT value FROM json_each(:dead))"

# Whom we cannot ask we shall meet at every start: the next search begins where this one found an end.
_REMEMBER: Final = """
UPDATE owner SET after_row = coalesce(
    (SELECT min(row) - 1 FROM call
     WHERE row > :after AND state = 'sent' AND owner IN (SELECT value FROM json_each(:unsure))),
    (SELECT max(row) FROM call),
    0)
WHERE id IN (SELECT value FROM json_each(:unsure))"""


def recover(connection: sqlite3.Connection, now_ns: int) -> int:
    """Mark what dead processes left behind, and what nobody vouched for since a day.

    Args:
        connection: Open for writing, outside of a transaction.
        now_ns: The time, Unix nanoseconds.

    Returns:
        How many attempts were found lost.

    Raises:
        sqlite3.Error: The file could not be written to.
    """
    found = connection.execute(
        "SELECT id, pid, host, start_ticks, started, after_row FROM owner WHERE ended IS NULL"
    ).fetchall()
    said = [(Owner(*fields), after_row) for *fields, after_row in found]
    missing = [
        (owner.id, after_row, answer) for owner, after_row in said if (answer := verdict(owner)) != "alive"
    ]
    if not missing:
        return 0
    facts = {
        "after": min(after_row for _, after_row, _ in missing),
        "dead": json.dumps([owner for owner, _, answer in missing if answer == "dead"]),
        "unsure": json.dumps([owner for owner, _, answer in missing if answer == "unsure"]),
        "yesterday": now_ns - _DAY_NS,
        "now": now_ns,
    }
    patiently(lambda: connection.execute("BEGIN IMMEDIATE"), time.monotonic() + _PATIENCE_S)
    try:
        lost = connection.execute(_MARK, facts).rowcount
        connection.execute(_BURY, facts)
        connection.execute(_REMEMBER, facts)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return lost


def recover_file(path: str, now_ns: int) -> int:
    """The same for a file, if it is a ledger of this version that we may write to; else nothing is done.

    Returns:
        How many attempts were found lost. A fault is counted, not raised.
    """
    if not os.access(path, os.W_OK) or not os.access(Path(path).absolute().parent, os.W_OK):
        return 0
    uri = f"{Path(path).absolute().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S, isolation_level=None)) as connection:
            ours = schema.application_of(connection) == schema.APPLICATION_ID
            return (
                recover(connection, now_ns) if ours and schema.version_of(connection) == schema.VERSION else 0
            )
    except sqlite3.Error as error:
        faults.note("ledger.recover", error)
        return 0
