"""What rules say that waste costs, measured: these are the figures in their documentation, by o200k_base."""

from __future__ import annotations

import base64
import json
import random
import re
import uuid
from typing import Any

import pytest

from tokenguard.lint import schemas
from tokenguard.lint.rules import RULES
from tokenguard.tokens.text import count

from .test_waste_pasted import PAGE
from .test_waste_tools import ORDER, SEARCH
from .test_waste_whitespace import CLEAN, DEDENTED, INDENTED, MESSY, PDF

RANDOM = random.Random(1)
FLAT: list[dict[str, Any]] = [
    {
        "id": 1000 + n,
        "name": f"Ann Example {n}",
        "email": f"ann{n}@example.com",
        "active": n % 2 == 0,
        "balance": round(12.5 * n, 2),
        "created": "2026-03-01",
    }
    for n in range(30)
]
NESTED = [
    {
        "order": 1000 + n,
        "customer": {"name": f"Ann {n}", "address": {"street": "Main St 5", "city": "Oslo", "zip": "0150"}},
        "lines": [{"sku": f"A-{n}", "qty": 2, "price": 12.5}, {"sku": f"B-{n}", "qty": 1, "price": 3.5}],
        "tags": ["new", "web"],
    }
    for n in range(20)
]
CHINESE = [{"姓名": "王小明", "城市": "上海", "备注": "客户希望在周一之前收到包裹并且要求提供发票。"}] * 10
EMPTY = [{**row, "fax": None, "notes": "", "tags": []} for row in FLAT]
ROWS = [list(row.values()) for row in FLAT]
UUIDS = [str(uuid.UUID(int=RANDOM.getrandbits(128), version=4)) for _ in range(100)]
FLOATS = [RANDOM.random() * 100 for _ in range(100)]
LINK = "https://example.com/offer"


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def table(rows: list[list[Any]], sign: str) -> str:
    return "\n".join(sign.join(map(str, row)) for row in rows)


SHARES = [
    ("TG201", json.dumps(FLAT, indent=2), compact(FLAT), 0.36),
    ("TG201", json.dumps(FLAT, indent=4), compact(FLAT), 0.36),
    ("TG201", json.dumps(NESTED, indent=2), compact(NESTED), 0.46),
    ("TG201", json.dumps(FLAT), compact(FLAT), 0.24),
    ("TG201", json.dumps(NESTED), compact(NESTED), 0.25),
    ("TG202", json.dumps(CHINESE), json.dumps(CHINESE, ensure_ascii=False), 0.74),
    ("TG203", compact(EMPTY), compact(FLAT), 0.19),
    ("TG204", compact(FLAT), compact({"columns": list(FLAT[0]), "rows": ROWS}), 0.27),
    ("TG204", compact(FLAT), table([list(FLAT[0]), ["---"] * 6, *ROWS], "|"), 0.30),
    ("TG204", compact(FLAT), table([list(FLAT[0]), *ROWS], ","), 0.31),
    ("TG211", MESSY, CLEAN, 0.25),
    ("TG212", INDENTED, DEDENTED, 0.09),
    ("TG213", PDF, " ".join(PDF.split()), 0.40),
    ("TG221", PAGE, re.sub(r"<script.*?</script>|<[^>]+>", "", PAGE), 0.81),
    ("TG242", compact(ORDER), compact(schemas.slimmed(ORDER)), 0.24),
]

NUMBERS = [
    ("TG222", "\n".join(UUIDS), 2_400),
    ("TG222", "\n".join(map(str, range(1, 101))), 200),
    ("TG223", "2026-03-01T09:30:12.482913+00:00", 19),
    ("TG223", "2026-03-01T09:30:12+00:00", 16),
    ("TG223", "2026-03-01 09:30", 10),
    ("TG224", "\n".join(map(repr, FLOATS)), 800),
    ("TG224", "\n".join(f"{number:.4f}" for number in FLOATS), 500),
    ("TG225", f"{LINK}?utm_source=newsletter&utm_medium=email&utm_campaign=spring", 19),
    ("TG225", LINK, 6),
    ("TG226", base64.b64encode(RANDOM.randbytes(75_000)).decode(), 68_000),
    ("TG241", compact(["search", SEARCH, {"type": "object"}]), 30),
    ("TG241", compact(["order", "Makes an order.", ORDER]), 277),
]


@pytest.mark.parametrize(("code", "before", "after", "share"), SHARES)
def test_a_share(code: str, before: str, after: str, share: float) -> None:
    """How much of the tokens the waste is."""
    assert 1 - count(after, "") / count(before, "") == pytest.approx(share, abs=0.025)


@pytest.mark.parametrize(("code", "text", "tokens"), NUMBERS)
def test_a_number(code: str, text: str, tokens: int) -> None:
    """How many tokens it is."""
    assert count(text, "") == pytest.approx(tokens, rel=0.03, abs=1)


def test_whoever_names_this_file_is_measured_here() -> None:
    """And the other way round."""
    measured = {code for code, *_ in (*SHARES, *NUMBERS)}
    named = {rule.code for rule in RULES if "test_savings.py" in rule.doc}
    assert measured | {"TG112"} == named
