"""Attempts as the flow would make them, for the tests of the ledger."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tokenguard.call import (
    Answered,
    Asked,
    Attempt,
    Call,
    Charge,
    CostBasis,
    Line,
    Meter,
    Usage,
    Where,
    uuid7,
)
from tokenguard.ledger.recovery import recover_file

NOON = 1_795_176_000_000_000_000  # 2026-11-20T12:00:00Z
SECOND = 10**9

OPENAI = Where("openai", "direct", "https://api.openai.com", "api.openai.com", 443)
RAW = {"prompt_tokens": 1200, "completion_tokens": 340, "total_tokens": 1540}
USAGE = Usage(
    {Meter.INPUT: 176, Meter.CACHE_READ: 1024, Meter.OUTPUT: 340}, reasoning=128, total=1540, raw=RAW
)
LINES = (
    Line(Meter.INPUT, 176, "0.4", "openai/gpt-4.1-mini#input", 70_400),
    Line(Meter.CACHE_READ, 1024, "0.1", "openai/gpt-4.1-mini#cache_read", 102_400),
    Line(Meter.OUTPUT, 340, "1.6", "openai/gpt-4.1-mini#output", 544_000),
)
CHARGE = Charge(716_800, 716_800, LINES, "genai-prices-0.2.3+1a2b3c4d")


def attempt(at_ns: int = NOON, *, call: Call | None = None, **fields: Any) -> Attempt:
    """An attempt that is about to be sent: the first of a call of its own, or the next one of ``call``."""
    if call is None:
        call = Call(uuid7(at_ns), at_ns, OPENAI, "chat", "openai_chat", Asked("gpt-4.1-mini"))
        for name in [name for name in fields if hasattr(call, name)]:
            setattr(call, name, fields.pop(name))
    made = Attempt(uuid7(at_ns) if call.attempts else call.id, call, len(call.attempts), **fields)
    call.attempts.append(made)
    return made


def answered(made: Attempt, *, charge: Charge | None = CHARGE, usage: Usage | None = USAGE) -> Attempt:
    """The same attempt, answered a second after its call began."""
    made.state, made.status, made.http_status = "settled", "ok", 200
    made.ended_ns, made.first_token_ns = made.call.started_ns + SECOND, SECOND // 4
    made.usage, made.charge = usage, charge
    made.baseline_nano = charge.cost_nano if charge else None
    made.basis = CostBasis.USAGE if charge and charge.cost_nano is not None else CostBasis.UNPRICED
    made.provider_request_id = "req_1"
    made.answered = Answered("chatcmpl-1", "gpt-4.1-mini-2025-04-14", "default", ("stop",), usage)
    return made


def cost(nano: int) -> Charge:
    """A charge of one line."""
    return Charge(nano, nano, (Line(Meter.OUTPUT, 1, "1", "p", nano),), "genai-prices-0.2.3")


def select(path: str | Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What is in the ledger, as somebody else sees it who brings journals in first."""
    recover_file(str(path), NOON)
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, values).fetchall()


def states(path: str | Path) -> dict[str, str]:
    """The state of each attempt in the file."""
    return dict(select(path, "SELECT id, state FROM call"))
