"""The ledger's tables and views, and how a file of an older version becomes one of this version.

A statement here is never edited once it was released: a change is a new entry in :data:`MIGRATIONS`.
The views ``v_calls`` and ``v_daily`` are promised to keep their columns; see docs/concepts/ledger.md.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

APPLICATION_ID: Final = 0x746B6764  # "tkgd" in ASCII; SQLite keeps it at byte 68 of the file

# STRICT came with SQLite 3.37; where the library is older the checks of types are missing, no more.
_STRICT: Final = " STRICT" if sqlite3.sqlite_version_info >= (3, 37) else ""

# What is short and often read stands first, so that a scan need not follow a row's overflow pages.
# SQLite makes a table of the values of IN for every row that it checks; a chain of OR is four times as fast.
_CALL: Final = f"""
CREATE TABLE call (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    logical_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    role TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state = 'sent' OR state = 'settled' OR state = 'released' OR state = 'unknown'),
    ts_start INTEGER NOT NULL,
    ts_end INTEGER,
    first_token_ns INTEGER,
    waited_s REAL NOT NULL DEFAULT 0,
    provider TEXT NOT NULL,
    channel TEXT NOT NULL,
    region TEXT,
    origin TEXT NOT NULL,
    operation TEXT NOT NULL,
    dialect TEXT NOT NULL,
    stream INTEGER NOT NULL,
    model_requested TEXT NOT NULL,
    model_sent TEXT NOT NULL,
    model_served TEXT,
    service_tier TEXT,
    status TEXT CHECK (status = 'ok' OR status = 'error' OR status = 'aborted'),
    http_status INTEGER,
    error_type TEXT,
    finish_reasons TEXT,
    input_tokens INTEGER,
    cached_tokens INTEGER,
    output_tokens INTEGER,
    reasoning INTEGER,
    cost_nano INTEGER,
    list_cost_nano INTEGER,
    baseline_nano INTEGER,
    cost_basis TEXT NOT NULL DEFAULT 'unknown',
    price_set TEXT,
    project TEXT,
    team TEXT,
    environment TEXT,
    feature TEXT,
    customer TEXT,
    user TEXT,
    run_id TEXT,
    run_name TEXT,
    tags TEXT,
    provider_request_id TEXT,
    response_id TEXT,
    anomalies TEXT,
    usage_raw TEXT
){_STRICT}"""

_LINE: Final = f"""
CREATE TABLE line (
    call_id TEXT NOT NULL,
    meter TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    unit TEXT NOT NULL,
    unit_price TEXT,
    price_id TEXT NOT NULL,
    cost_nano INTEGER,
    PRIMARY KEY (call_id, meter, price_id)
){_STRICT}{"," if _STRICT else ""} WITHOUT ROWID"""

_OUTCOME: Final = f"""
CREATE TABLE outcome (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    run_id TEXT,
    customer TEXT,
    value REAL,
    ts INTEGER NOT NULL
){_STRICT}"""

_PRICE_SET: Final = f"""
CREATE TABLE price_set (
    id TEXT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    first_seen INTEGER NOT NULL
){_STRICT}"""

_LEARNED: Final = f"""
CREATE TABLE learned (
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    features TEXT NOT NULL,
    bills INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (provider, model, features)
){_STRICT}{"," if _STRICT else ""} WITHOUT ROWID"""

# A call's facts are those of its last attempt; its tokens and costs are the sums over all of them.
_V_CALLS: Final = """
CREATE VIEW v_calls AS
WITH total AS (
    SELECT
        logical_id,
        count(*) AS attempts,
        max(attempt) AS last_attempt,
        min(ts_start) AS ts_start,
        max(ts_end) AS ts_end,
        sum(input_tokens) AS input_tokens,
        sum(cached_tokens) AS cached_tokens,
        sum(output_tokens) AS output_tokens,
        sum(reasoning) AS reasoning,
        sum(cost_nano) AS cost_nano,
        sum(list_cost_nano) AS list_cost_nano,
        sum(baseline_nano) AS baseline_nano,
        sum(cost_nano IS NULL) AS uncosted_attempts
    FROM call
    GROUP BY logical_id
)
SELECT
    total.logical_id AS call_id,
    strftime('%Y-%m-%dT%H:%M:%S', total.ts_start / 1000000000, 'unixepoch')
        || printf('.%03dZ', total.ts_start / 1000000 % 1000) AS started_at,
    total.ts_start,
    (total.ts_end - total.ts_start) / 1e9 AS duration_s,
    last.first_token_ns / 1e9 AS first_token_s,
    total.attempts,
    last.state,
    last.status,
    last.http_status,
    last.error_type,
    last.finish_reasons,
    last.provider,
    last.channel,
    last.region,
    last.origin,
    last.operation,
    last.stream,
    last.model_requested,
    last.model_served,
    last.service_tier,
    last.project,
    last.team,
    last.environment,
    last.feature,
    last.customer,
    last.user,
    last.run_id,
    last.run_name,
    last.tags,
    total.input_tokens,
    total.cached_tokens,
    total.output_tokens,
    total.reasoning,
    total.cost_nano,
    total.cost_nano / 1e9 AS cost_usd,
    total.list_cost_nano,
    total.baseline_nano,
    total.uncosted_attempts,
    last.cost_basis,
    last.price_set,
    last.provider_request_id,
    last.response_id
FROM total
JOIN call AS last ON last.logical_id = total.logical_id AND last.attempt = total.last_attempt"""

_V_DAILY: Final = """
CREATE VIEW v_daily AS
SELECT
    date(ts_start / 1000000000, 'unixepoch') AS day,
    provider,
    coalesce(model_served, model_requested) AS model,
    operation,
    project,
    team,
    environment,
    feature,
    customer,
    count(DISTINCT logical_id) AS calls,
    count(*) AS attempts,
    sum(coalesce(input_tokens, 0)) AS input_tokens,
    sum(coalesce(cached_tokens, 0)) AS cached_tokens,
    sum(coalesce(output_tokens, 0)) AS output_tokens,
    sum(coalesce(cost_nano, 0)) AS cost_nano,
    sum(coalesce(cost_nano, 0)) / 1e9 AS cost_usd,
    sum(coalesce(list_cost_nano, 0)) AS list_cost_nano,
    sum(coalesce(baseline_nano, 0)) AS baseline_nano,
    sum(cost_nano IS NULL) AS uncosted_attempts,
    sum(state = 'unknown') AS unknown_attempts
FROM call
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"""

# Version 2: what the cache did. An answer from it is a row that was no attempt.
_V_CALLS_2: Final = """
CREATE VIEW v_calls AS
WITH total AS (
    SELECT
        logical_id,
        sum(role <> 'cache') AS attempts,
        max(attempt) AS last_attempt,
        min(ts_start) AS ts_start,
        max(ts_end) AS ts_end,
        sum(input_tokens) AS input_tokens,
        sum(cached_tokens) AS cached_tokens,
        sum(output_tokens) AS output_tokens,
        sum(reasoning) AS reasoning,
        sum(cost_nano) AS cost_nano,
        sum(list_cost_nano) AS list_cost_nano,
        sum(baseline_nano) AS baseline_nano,
        sum(baseline_nano) FILTER (WHERE role = 'cache' AND status = 'ok') AS saved_nano,
        sum(cost_nano IS NULL) AS uncosted_attempts
    FROM call
    GROUP BY logical_id
)
SELECT
    total.logical_id AS call_id,
    strftime('%Y-%m-%dT%H:%M:%S', total.ts_start / 1000000000, 'unixepoch')
        || printf('.%03dZ', total.ts_start / 1000000 % 1000) AS started_at,
    total.ts_start,
    (total.ts_end - total.ts_start) / 1e9 AS duration_s,
    last.first_token_ns / 1e9 AS first_token_s,
    total.attempts,
    last.state,
    last.status,
    last.http_status,
    last.error_type,
    last.finish_reasons,
    last.provider,
    last.channel,
    last.region,
    last.origin,
    last.operation,
    last.stream,
    last.model_requested,
    last.model_served,
    last.service_tier,
    last.project,
    last.team,
    last.environment,
    last.feature,
    last.customer,
    last.user,
    last.run_id,
    last.run_name,
    last.tags,
    total.input_tokens,
    total.cached_tokens,
    total.output_tokens,
    total.reasoning,
    total.cost_nano,
    total.cost_nano / 1e9 AS cost_usd,
    total.list_cost_nano,
    total.baseline_nano,
    total.uncosted_attempts,
    last.cost_basis,
    last.price_set,
    last.provider_request_id,
    last.response_id,
    last.cache,
    last.cache_reason,
    last.cache_key,
    coalesce(total.saved_nano, 0) AS saved_nano
FROM total
JOIN call AS last ON last.logical_id = total.logical_id AND last.attempt = total.last_attempt"""

_V_DAILY_2: Final = """
CREATE VIEW v_daily AS
SELECT
    date(ts_start / 1000000000, 'unixepoch') AS day,
    provider,
    coalesce(model_served, model_requested) AS model,
    operation,
    project,
    team,
    environment,
    feature,
    customer,
    count(DISTINCT logical_id) AS calls,
    sum(role <> 'cache') AS attempts,
    sum(coalesce(input_tokens, 0)) AS input_tokens,
    sum(coalesce(cached_tokens, 0)) AS cached_tokens,
    sum(coalesce(output_tokens, 0)) AS output_tokens,
    sum(coalesce(cost_nano, 0)) AS cost_nano,
    sum(coalesce(cost_nano, 0)) / 1e9 AS cost_usd,
    sum(coalesce(list_cost_nano, 0)) AS list_cost_nano,
    sum(coalesce(baseline_nano, 0)) AS baseline_nano,
    sum(cost_nano IS NULL) AS uncosted_attempts,
    sum(state = 'unknown') AS unknown_attempts,
    sum(role = 'cache' AND status = 'ok') AS cache_hits,
    coalesce(sum(baseline_nano) FILTER (WHERE role = 'cache' AND status = 'ok'), 0) AS saved_nano
FROM call
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"""

MIGRATIONS: Final[Sequence[Sequence[str]]] = (
    (
        _CALL,
        "CREATE INDEX call_ts_start ON call (ts_start)",
        "CREATE INDEX call_logical_id ON call (logical_id)",
        "CREATE INDEX call_run_id ON call (run_id) WHERE run_id IS NOT NULL",
        "CREATE INDEX call_customer ON call (customer) WHERE customer IS NOT NULL",
        "CREATE INDEX call_sent ON call (ts_start) WHERE state = 'sent'",
        _LINE,
        _OUTCOME,
        _PRICE_SET,
        _V_CALLS,
        _V_DAILY,
    ),
    (
        "ALTER TABLE call ADD COLUMN cache TEXT",
        "ALTER TABLE call ADD COLUMN cache_reason TEXT",
        "ALTER TABLE call ADD COLUMN cache_key TEXT",
        "DROP VIEW v_calls",
        "DROP VIEW v_daily",
        _V_CALLS_2,
        _V_DAILY_2,
    ),
    (_LEARNED,),
)
"""What makes version n + 1 of version n: statements in order. The file's version is ``user_version``."""

VERSION: Final = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Bring an open file to the newest version, in one transaction: all of it or nothing.

    Raises:
        sqlite3.Error: The file is locked (nothing was done; try again), full or not writable.
    """
    if version_of(connection) >= len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while we waited for the lock.
        for statements in migrations[version_of(connection) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the schema that the file has; 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def application_of(connection: sqlite3.Connection) -> int:
    """Whose file it is: :data:`APPLICATION_ID` if it is a ledger; 0 for an empty file."""
    return int(connection.execute("PRAGMA application_id").fetchone()[0])
