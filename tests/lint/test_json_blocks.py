"""JSON is found in texts, and made shorter without saying anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenguard.lint import json_blocks, proofs, stretches
from tokenguard.lint.text import Text

RECORD = {"name": "Ann", "city": "Zürich", "tags": ["a", "b"], "nested": {"x": 1.50, "y": None}}
INDENTED = json.dumps(RECORD, indent=2)

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def blocks(text: str) -> list[str]:
    return [one.text for one in Text(text).json]


@pytest.mark.parametrize(
    "around",
    ["{}", "Look:\n\n{}\n\nNow answer.", "Record: {} (end)", "```json\n{}\n```", "```\n{}\n```"],
)
def test_json_is_found_where_it_stands(around: str) -> None:
    """As a whole text, in prose, in a fence."""
    assert blocks(around.replace("{}", INDENTED)) == [INDENTED]


def test_several_are_found_in_order() -> None:
    """As the lines of a log have them."""
    lines = [json.dumps({"n": n, "text": "something or other happened"}) for n in range(5)]
    assert blocks("\n".join(lines)) == lines


@pytest.mark.parametrize(
    "text",
    [
        "```python\ndata = " + INDENTED + "\n```",
        "`" + json.dumps(RECORD) + "`",
        "<script>" + INDENTED + "</script>",
        "{{" + INDENTED[1:-1] + "}}",
        "{'name': 'Ann', 'city': 'Oslo', 'numbers': [1, 2, 3]}",
        '{"name": "Ann", "city": "Oslo", "more": undefined, "x": 1}',
        '{"a": 1}',
        "[1] A reference, [2] another one, [link](https://example.com/a/b/c/d/e)",
        'module.exports = {\n  content: ["./src/**/*.{js,jsx,ts,tsx}", "./public/index.html"],\n};',
        'task({"prompt": "Search for mails from last week", "kind": "agent"})',
        '{"never": "closed", "and": "so on", "and so": "further',
    ],
)
def test_what_only_looks_like_it_is_none(text: str) -> None:
    """Code in another language, templates, what does not parse, what is not worth a look."""
    assert blocks(text) == []


@given(VALUES, st.sampled_from([None, 1, 2, "\t"]), st.booleans())
def test_what_is_shortened_says_the_same(value: Any, indent: Any, escaped: bool) -> None:
    """Parsed, it is equal, with all names in order; and it is as short as any writer makes it."""
    text = json.dumps(value, indent=indent, ensure_ascii=escaped)
    compact = json_blocks.compact(text)
    assert proofs.same_json(text, compact)
    assert compact == json.dumps(value, separators=(",", ":"), ensure_ascii=escaped)
    shortest = json_blocks.unescaped(compact)
    assert proofs.same_json(text, shortest)
    assert json_blocks.unescaped(json_blocks.compact(shortest)) == shortest
    assert len(shortest) <= len(compact)


def test_numbers_and_names_stay_as_they_are_written() -> None:
    """Where a writer of its own would make something else of them."""
    text = '{ "a" : 1.50, "a" : 1e2, "b" : 12345678901234567890.0, "c" : -0.0 }'
    assert json_blocks.compact(text) == '{"a":1.50,"a":1e2,"b":12345678901234567890.0,"c":-0.0}'
    assert not proofs.same_json(text, '{"a":1.5,"a":1e2,"b":12345678901234567890.0,"c":-0.0}')
    assert not proofs.same_json('{"a":1,"b":2}', '{"b":2,"a":1}')
    assert not proofs.same_json('{"a":1}', '{"a":"1"}')
    assert not proofs.same_json('{"a":1}', "{'a':1}")


@pytest.mark.parametrize(
    ("escaped", "expected"),
    [
        (r'"Z\u00fcrich"', '"Zürich"'),
        (r'"\ud83d\ude00"', '"😀"'),
        (r'"\ud83d alone"', r'"\ud83d alone"'),
        (r'"\\u00fc"', r'"\\u00fc"'),
        (r'"\u0022 \u005c \u0000 \u200b \u2028"', r'"\u0022 \u005c \u0000 \u200b \u2028"'),
        (r'"\u0041\n\u0042"', r'"A\nB"'),
    ],
)
def test_escapes_become_characters_where_they_can(escaped: str, expected: str) -> None:
    """Not what JSON has to escape, and not what nobody can see."""
    shortened = json_blocks.unescaped(escaped)
    assert json.loads(shortened) == json.loads(escaped)
    assert shortened.replace(r"\"", r"\u0022").replace(r"\\ ", r"\u005c ") == expected


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["[", "{", '{"a":', "[[1,", '["', '{"', '[{"a": [', "[1, ", '{"a" 1}'])
def test_no_text_takes_forever(unit: str) -> None:
    """What never closes, or closes everywhere."""
    text = unit * (400_000 // len(unit))
    stretches.find(text)
    stretches.find("\n".join([text, '"' + text, text]))
