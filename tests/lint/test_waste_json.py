"""Waste in JSON is found with what it costs, and mended where that changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenguard.lint.finding import Finding
from tokenguard.lint.fixes import apply_text
from tokenguard.tokens.text import count

from .requests import codes, lint_text

ORDERS: list[dict[str, Any]] = [
    {"id": 1000 + n, "customer": f"Customer {n}", "city": "Zürich", "lines": [{"sku": f"A-{n}", "qty": n}]}
    for n in range(12)
]
EMPTY: list[dict[str, Any]] = [
    {"id": n, "name": f"Person {n}", "fax": None, "notes": "", "tags": [], "meta": {}} for n in range(8)
]


def written(value: Any, **how: Any) -> str:
    return json.dumps(value, **{"ensure_ascii": False, **how})


def compact(value: Any) -> str:
    return written(value, separators=(",", ":"))


@pytest.mark.parametrize("how", [{"indent": 2}, {"indent": "\t"}, {}])
@pytest.mark.parametrize("around", ["{}", "Here it is:\n{}\nWhat is missing?", "```json\n{}\n```"])
def test_loose_json_is_written_compact(how: dict[str, Any], around: str) -> None:
    """As a whole, in prose, in a fence; the words around it stay, and what is promised is saved."""
    text = around.replace("{}", written(ORDERS, **how))
    (one,) = lint_text(text, "TG201")
    assert one.fix is not None
    assert one.fix.safe
    mended, _ = apply_text(text, [one])
    assert mended == around.replace("{}", compact(ORDERS))
    assert one.tokens == pytest.approx(count(text, "") - count(mended, ""), rel=0.1)


def test_lines_of_json_are_one_finding() -> None:
    """However many there are: a log of them, each with its blanks."""
    text = "\n".join(written(order) for order in ORDERS)
    (one,) = lint_text(text, "TG201")
    mended, _ = apply_text(text, [one])
    assert mended == "\n".join(compact(order) for order in ORDERS)


@pytest.mark.parametrize(
    "text",
    [
        compact(ORDERS),
        written(ORDERS[0]),
        "```python\norders = " + written(ORDERS, indent=2) + "\n```",
        "Rows:\n" + "\n".join(f"{order['id']}, {order['customer']}" for order in ORDERS),
        "{% for o in orders %}\n{{ o }}\n{% endfor %}",
    ],
)
def test_json_that_is_short_as_it_is_has_no_finding(text: str) -> None:
    """Compact, of a few tokens, somebody else's code, or none."""
    assert not lint_text(text, "TG201")


@pytest.mark.parametrize(
    ("role", "safe"), [("user", True), ("tool", True), ("system", False), ("assistant", False)]
)
def test_json_that_may_be_a_pattern_needs_somebody_to_look(role: Any, safe: bool) -> None:
    """In instructions and answers, how it is written may be how it is to be written."""
    (one,) = lint_text(written(ORDERS, indent=2), "TG201", role=role)
    assert one.fix is not None
    assert one.fix.safe is safe
    assert one.severity == ("warning" if safe else "info")


@pytest.mark.parametrize("place", ["tool_call", "reasoning"])
def test_what_the_model_made_is_left_alone(place: Any) -> None:
    """Nobody can write it otherwise."""
    assert not lint_text(written(EMPTY, indent=4, ensure_ascii=True), place=place)


def test_escapes_are_found() -> None:
    """Of letters; the fix is the same as that of whitespace, so that both can be made."""
    text = written(ORDERS, ensure_ascii=True)
    loose, escaped = lint_text(text, "TG201", "TG202")
    assert codes([loose, escaped]) == ["TG201", "TG202"]
    mended, done = apply_text(text, [escaped, loose])
    assert mended == compact(ORDERS)
    assert len(done) == 2
    assert loose.tokens + escaped.tokens == pytest.approx(count(text, "") - count(mended, ""), rel=0.1)


@pytest.mark.parametrize(
    "text",
    [
        written(ORDERS),
        r"Escapes such as \u00fc stand for letters, as \u00e4 does." * 10,
        r'{"pattern": "\\u00fc\\u00e4", "and more": "to be forty characters"}',
    ],
)
def test_where_nothing_is_escaped_there_is_no_finding(text: str) -> None:
    """Prose about escapes is prose."""
    assert not lint_text(text, "TG202")


def test_empty_fields_are_found_in_what_is_given() -> None:
    """The fix needs somebody to look, and keeps what has content, and what is false or 0."""
    people = [{**one, "active": False, "debt": 0} for one in EMPTY]
    text = written(people)
    (one,) = lint_text(text, "TG203")
    assert one.fix is not None
    assert not one.fix.safe
    mended, _ = apply_text(text, [one])
    assert json.loads(mended)[1] == {"id": 1, "name": "Person 1", "active": False, "debt": 0}
    assert one.tokens > 60


@pytest.mark.parametrize(
    ("text", "role"),
    [
        (written(EMPTY), "system"),
        (written(EMPTY[0]), "user"),
        (written(ORDERS), "user"),
        ("null " * 20, "user"),
    ],
)
def test_forms_and_full_records_have_no_empty_fields(text: str, role: Any) -> None:
    """What is to be filled in, a field or two, none."""
    assert not lint_text(text, "TG203", role=role)


def rows(n: int) -> list[dict[str, Any]]:
    return [{"sku": f"A-{i}", "price": 4.5 + i, "stock": i, "warehouse": "north"} for i in range(n)]


@pytest.mark.parametrize("value", [rows(30), {"data": {"items": rows(30)}, "page": 1}])
def test_objects_that_are_a_table_are_found(value: Any) -> None:
    """Wherever in a JSON they are; there is no fix, since the model is told something else."""
    (one,) = lint_text(written(value), "TG204")
    assert one.fix is None
    assert "30 objects" in one.message
    table = {"columns": list(rows(1)[0]), "rows": [list(row.values()) for row in rows(30)]}
    assert one.tokens == pytest.approx(count(compact(rows(30)), "") - count(compact(table), ""), abs=1)


@pytest.mark.parametrize(
    "value",
    [rows(4), [*rows(20), {"sku": "B-1"}], [{"id": n} for n in range(50)], {f"k{n}": n for n in range(80)}],
)
def test_other_lists_are_no_table(value: Any) -> None:
    """A few, with other names in one of them, with one name."""
    assert not lint_text(written(value), "TG204")


def test_large_json_is_counted_in_part() -> None:
    """And the promise is still about what is saved."""
    text = written([{**order, "n": n} for n in range(200) for order in ORDERS], indent=2)
    (one,) = lint_text(text, "TG201")
    mended, _ = apply_text(text, [one])
    assert len(text) > 300_000
    assert one.tokens == pytest.approx(count(text, "") - count(mended, ""), rel=0.1)


def test_the_text_itself_is_in_no_message() -> None:
    """It may be what nobody should see in a log."""
    found: list[Finding] = lint_text(written([{**one, "secret": "hunter2"} for one in EMPTY * 4], indent=2))
    assert len(found) >= 3
    assert not [one for one in found if "hunter2" in one.message]
