"""What is code, or belongs to a template, is found, whatever stands around it, in time that is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenguard.lint import stretches
from tokenguard.lint.text import Text, touches


def found_in(text: str) -> list[str]:
    return [text[one.start : one.end] for one in Text(text).stretches]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Run `make test` first.", ["`make test`"]),
        ("Both ``a ` b`` and `c`.", ["``a ` b``", "`c`"]),
        ("An apostrophe ` alone\nand another ` there", []),
        ("```python\nx = 1\n```\nafter", ["```python\nx = 1\n```"]),
        ("~~~\n```\n~~~\nafter", ["~~~\n```\n~~~"]),
        ("````md\n```\ninner\n```\n````\nafter", ["````md\n```\ninner\n```\n````"]),
        ("- item\n  ```\n  x\n  ```\nafter", ["  ```\n  x\n  ```"]),
        ("> ```\n> quoted\n> ```\nafter", ["> ```\n> quoted\n> ```"]),
        ("```\nnever closed", ["```\nnever closed"]),
        ("say ```inline``` here", ["```inline```"]),
        ("<pre>  a\n  b</pre> <b>bold</b>", ["<pre>  a\n  b</pre>"]),
        ("<CODE>x</CODE>", ["<CODE>x</CODE>"]),
        ('<file path="a.py">\n\n\nx\n</file>', ['<file path="a.py">\n\n\nx\n</file>']),
        ("<instructions>be brief</instructions>", []),
        ("<code>never closed", []),
        (
            "{{ name }}, {% if x %}hi{% endif %}{# a #}",
            ["{{ name }}", "{% if x %}", "{% endif %}", "{# a #}"],
        ),
        ('{"a": {"b": 1}}', []),
        ("------------------------------\ntitle\n==============================", []),
    ],
)
def test_stretches_are_found(text: str, expected: list[str]) -> None:
    """Fences of both kinds and any length, code in lines, elements, slots of templates; nothing else."""
    assert found_in(text) == expected


def test_a_fence_says_what_is_in_it() -> None:
    """Its language, in lower case, and where its content begins."""
    (one,) = Text('```JSON title="x"\n{}\n```').stretches
    assert one.language == "json"
    assert one.inner == 18


def test_a_slot_that_ends_far_away_is_none() -> None:
    """Otherwise one stray sign would make code of a whole text."""
    assert found_in("{{ a" + " word" * 2_000 + " }} {{ b }}") == ["{{ b }}"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit",
    ["`", "`a", "```a ", "\n```a", "~~~", "<pre>", "<file ", "{{", "{{ ", "{%", "{#", "<code>`{{", "``` \n"],
)
def test_no_text_takes_forever(unit: str) -> None:
    """Signs that never end are looked at once, not once for every sign before them."""
    text = unit * (400_000 // len(unit))
    for whole in (text, text + "x" * 5_000 + "}}", "\n".join([text, text])):
        stretches.find(whole)


@given(st.text(alphabet=" \n`~<>/{}%#aprecode", max_size=60))
def test_stretches_are_in_order_and_do_not_overlap(text: str) -> None:
    """So that a place can be looked up among them."""
    found = Text(text).stretches
    ends = [0, *(place for one in found for place in (one.start, one.end)), len(text)]
    assert ends == sorted(ends)
    assert all(one.start < one.end for one in found)
    assert all(one.start <= one.inner <= one.end for one in found)


@given(st.lists(st.integers(0, 40), unique=True).map(sorted), st.integers(0, 40), st.integers(1, 5))
def test_touching_is_having_something_in_common(places: list[int], start: int, length: int) -> None:
    """As a loop over all of them says."""
    spans = list(zip(places[::2], places[1::2], strict=False))
    expected = any(first < start + length and start < last for first, last in spans)
    assert touches(spans, start, start + length) is expected
