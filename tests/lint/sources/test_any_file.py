"""Whatever is in a file, reading it raises nothing, and places lie within it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lint.sources.reading import body, read
from tokenguard.lint.sources import SOURCES, Unit

NAMES = [f"x{source.suffixes[0]}" for source in SOURCES]
PIECES = st.sampled_from(
    [
        *('{"model": "m", "messages": [', '{"role": "user", "content": "', "model: m\nmessages:\n"),
        *("- role: user\n", "  content: |\n    text\n", "c.responses.create(input=", 'f"{x', '"""', "'", '"'),
        *("}", "]", ")", "{%", "%}", "{{", "}}", "{#", "#}", "\\", "\n", "\r\n", " ", "&a ", "*a", "x="),
        *("# tg: ignore[", "<!-- tg: ignore -->", "\x00", "é", "\u2028", "\ud800"),
    ]
)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def check(name: str, text: str) -> None:
    """Read a file, and look at all that is said about places in it."""
    for one in read(name, text):
        assert 0 <= one.start <= one.end <= len(text)
        if isinstance(one, Unit):
            walk(one, (), one.body, len(text))


def walk(unit: Unit, path: tuple[Any, ...], value: Any, length: int) -> None:
    """Every value has a place in the file, if it has one."""
    place = unit.places.find(path)
    if place is not None:
        assert 0 <= place.start <= place.end <= length
        if place.text is not None:
            assert place.text.text == value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        walk(unit, (*path, key), item, length)


@pytest.mark.parametrize("name", NAMES)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_pieces_of_files_put_together_anyhow(name: str, text: str) -> None:
    """What people leave behind in the middle of their work."""
    check(name, text)


@pytest.mark.parametrize("name", NAMES)
@given(st.text(max_size=60))
def test_any_text(name: str, text: str) -> None:
    """What was never meant to be such a file."""
    check(name, text)


@given(JSONS, st.sampled_from(["x.json", "x.jsonl", "x.yaml"]))
def test_any_value_in_the_place_of_a_message_s_content(value: Any, name: str) -> None:
    """A request may be anything: the provider will complain."""
    check(name, json.dumps({**body(value), "tools": value, "system": value}))
    check(name, json.dumps([{"role": "user", "content": value}, value]))


@given(JSONS)
def test_any_value_in_the_place_of_an_argument(value: Any) -> None:
    """The same in a call."""
    said = f"messages=[{{'role': 'user', 'content': {value!r}}}], system={value!r}"
    check("x.py", f"c.messages.create(model='m', {said})")
