"""YAML: requests as plain data, and where their texts stand in every style that YAML has."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.lint.sources.reading import body, changed, place, problem, read, unit, units, written

CONTENT = ("messages", 0, "content")
WORDS = st.lists(st.text("abc:#'\"\\-{}é•\t ", max_size=8), max_size=8).map("\n".join)
STYLES = st.sampled_from(["|", ">", '"', "'", ""])


class _Styled(yaml.SafeDumper):
    style = ""


def _represent(dumper: _Styled, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=dumper.style)


_Styled.add_representer(str, _represent)


def dumped(text: str, style: str) -> str:
    """A request whose text is in this style, where the text allows it."""
    _Styled.style = style
    return str(yaml.dump(body(text), Dumper=_Styled, allow_unicode=True, width=30, sort_keys=False))


@given(WORDS, STYLES, st.data())
def test_every_word_of_a_text_is_found_where_it_stands(text: str, style: str, data: st.DataObject) -> None:
    """In folded styles too, where the lines are not those of the text."""
    file = dumped(text, style)
    found = unit("r.yaml", file)
    assert found.body == body(text)
    words = [(n, word) for n, word in enumerate(text.split()) if word.isalnum()]
    if words:
        number, word = data.draw(st.sampled_from(words))
        start = _start_of_word(text, number)
        assert word in written(file, found, CONTENT, start, start + len(word))


def _start_of_word(text: str, number: int) -> int:
    position = 0
    for word in text.split()[: number + 1]:
        start = text.index(word, position)
        position = start + len(word)
    return start


@given(WORDS, STYLES, WORDS, st.data())
def test_a_change_is_right_or_refused(text: str, style: str, new: str, data: st.DataObject) -> None:
    """What cannot be told exactly is not written; what is written means what it should, or is recognised.

    Whether a plain text still is one is seen when the file is read again, which mending a file does.
    """
    file = dumped(text, style)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    found = unit("r.yaml", file)
    after = changed(file, found, CONTENT, start, end, new)
    if after is not None and file[place(found, *CONTENT).start] == '"':
        assert unit("r.yaml", after).body == body(text[:start] + new + text[end:])


def test_a_block_is_changed_in_place() -> None:
    """The style in which people write prompts: lines, indentation and chomping stay."""
    file = (
        "model: m\nmessages:\n  - role: user\n    content: |\n"
        "      Hello   \n        there\n\n\n      end\nstream: true\n"
    )
    found = unit("r.yaml", file)
    text = "Hello   \n  there\n\n\nend\n"
    assert found.body["messages"][0]["content"] == text
    assert changed(file, found, CONTENT, 5, 8, "") == file.replace("Hello   ", "Hello")
    gap = text.index("\n\n\n")
    assert changed(file, found, CONTENT, gap, gap + 3, "\n\n") == file.replace("there\n\n\n", "there\n\n")
    assert changed(file, found, CONTENT, 0, 5, "Hi\nyou") == file.replace("Hello", "Hi\n      you")


def test_what_an_alias_stands_for_is_where_it_was_written() -> None:
    """It is one text."""
    file = "messages:\n  - &one {role: user, content: hello}\n  - *one\nmodel: m\n"
    found = unit("r.yaml", file)
    assert place(found, "messages", 1, "content")[:2] == place(found, "messages", 0, "content")[:2]


def test_several_documents_are_several_requests() -> None:
    """And a list of them too."""
    one = "model: m\nmessages: [{role: user, content: hi}]\n"
    assert len(units("r.yaml", f"{one}---\n{one}")) == 2
    assert len(units("r.yml", "- model: m\n  input: a\n- model: m\n  input: b\n")) == 2


def test_days_and_bytes_are_texts() -> None:
    """A request is JSON."""
    file = "model: m\nuser: 2026-11-24\nmessages: [{role: user, content: !!binary aGk=}]\n1: 2\n"
    found = unit("r.yaml", file)
    assert found.body["user"] == "2026-11-24"
    assert found.body["1"] == 2


def test_yaml_about_something_else_is_nothing() -> None:
    """It need not even be well-formed."""
    assert read("ci.yaml", "on: push\njobs: {build: {steps: []}}\n") == []
    assert read("chart.yaml", "{{ .Values.x }}: [\n") == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("model: m\nmessages: [\n", 3),
        ("model: m\n\tx: 1\n", 2),
        ("model: m\nx: !!python/object/apply:os.system ['true']\n", 2),
        ("model: *missing\n", 1),
    ],
)
def test_broken_yaml_is_told_with_its_line(file: str, line: int) -> None:
    """Objects of Python are refused like any other mistake."""
    assert problem("r.yaml", file) == ("TG003", line)


def test_aliases_that_multiply_are_told_and_not_written_out() -> None:
    """Nine lines can stand for a billion values."""
    file = "model: m\nmessages: [{role: user, content: x}]\na0: &a0 [x, x]\n"
    file += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    assert problem("r.yaml", file)[0] == "TG001"
    assert problem("r.yaml", "model: &m [*m]\n")[0] == "TG001"


def test_without_a_parser_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """YAML is an extra; a file that may be a request is not passed over in silence."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    (found,) = read("r.yaml", "model: m\nmessages: []\n")
    assert "tokenguard-middleware[lint]" in found.findings[0].message  # type: ignore[union-attr]
    assert read("r.yaml", "on: push\n") == []
