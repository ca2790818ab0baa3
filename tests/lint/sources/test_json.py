"""JSON and JSONL: requests of every dialect, and the place of every character in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lint.sources.reading import body, changed, place, problem, read, unit, units, written
from tokenguard.lint.sources import Problem
from tokenguard.lint.sources.json_requests import LONGEST

CONTENT = ("messages", 0, "content")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(TEXTS, st.booleans(), st.sampled_from([None, 2]), st.data())
def test_every_stretch_of_a_text_is_found_where_it_stands(
    text: str, ascii_only: bool, indent: int | None, data: st.DataObject
) -> None:
    """Whatever is escaped, and however the file is laid out."""
    file = json.dumps(body(text), ensure_ascii=ascii_only, indent=indent)
    found = unit("r.json", file)
    end = data.draw(st.integers(0, len(text)))
    start = data.draw(st.integers(0, end))
    said = written(file, found, CONTENT, start, end)
    if start < end:
        assert json.loads(f'"{said}"') == text[start:end]


@given(TEXTS.filter(bool), TEXTS, st.booleans(), st.data())
def test_a_change_of_a_text_is_written_in_its_place(
    text: str, new: str, ascii_only: bool, data: st.DataObject
) -> None:
    """What is read back is the text with the change, and nothing else is another."""
    file = json.dumps(body(text), ensure_ascii=ascii_only, indent=1)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    after = changed(file, unit("r.json", file), CONTENT, start, end, new)
    assert after is not None
    assert json.loads(after) == body(text[:start] + new + text[end:])
    assert not file.isascii() or after.isascii()


def test_a_value_is_taken_out_with_its_comma() -> None:
    """First, last and only."""
    file = '{"model": "m", "messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}'
    found = unit("r.json", file)
    for path, expected in [
        (("messages", 0), {"model": "m", "messages": [{"role": "user", "content": "b"}]}),
        (("messages", 1), {"model": "m", "messages": [{"role": "user", "content": "a"}]}),
        (("model",), {"messages": json.loads(file)["messages"]}),
        (("messages",), {"model": "m"}),
    ]:
        change = found.places.removed(path)
        assert change is not None
        assert json.loads(file[: change.start] + change.new + file[change.end :]) == expected


def test_a_value_is_added_as_the_others_are_written() -> None:
    """On a line of its own where they have one."""
    file = json.dumps({**body("hi"), "stream": False}, indent=4)
    change = unit("r.json", file).places.replaced(("max_tokens",), 800)
    assert change is not None
    after = file[: change.start] + change.new + file[change.end :]
    assert after == json.dumps({**body("hi"), "stream": False, "max_tokens": 800}, indent=4)


@pytest.mark.parametrize(
    ("value", "dialect", "complete"),
    [
        (body("hi"), "openai.chat", True),
        ({"messages": [{"role": "user", "content": "hi"}]}, "openai.chat", False),
        ([{"role": "user", "content": "hi"}], "openai.chat", False),
        (
            {"model": "claude-sonnet-4-5", "system": "s", "messages": body("hi")["messages"]},
            "anthropic.messages",
            True,
        ),
        ({"model": "gpt-5", "input": "hi", "instructions": "s"}, "openai.responses", True),
        ({"model": "text-embedding-3-small", "input": ["a", "b"]}, "openai.embeddings", True),
        ({"custom_id": "1", "method": "POST", "url": "/v1/responses", "body": {"model": "m", "input": "x"}},
         "openai.responses", True),
        ({"custom_id": "1", "params": {"model": "claude-x", "messages": body("hi")["messages"]}},
         "anthropic.messages", True),
        ([body("a")], "openai.chat", True),
    ],
)  # fmt: skip
def test_requests_are_known_by_their_shape(value: Any, dialect: str, complete: bool) -> None:
    """Whatever holds them: a file, a list, a batch's line."""
    found = unit("r.json", json.dumps(value))
    assert (found.dialect.name, found.complete) == (dialect, complete)


@pytest.mark.parametrize(
    "value",
    [{"name": "web", "version": "1"}, [1, 2], "text", {"messages": {"de": "Hallo"}}, {"input": "x"}, [], {}],
)
def test_what_is_no_request_is_nothing(value: Any) -> None:
    """Most JSON in a repository is about something else."""
    assert read("package.json", json.dumps(value)) == []


def test_the_requests_of_a_batch_have_places() -> None:
    """Below the keys that hold them."""
    value = [{"custom_id": "1", "params": {"model": "claude-x", "messages": body("hello")["messages"]}}]
    file = json.dumps(value, indent=2)
    found = place(unit("r.json", file), *CONTENT)
    assert file[found.start : found.end] == '"hello"'


def test_a_conversation_alone_has_places() -> None:
    """It is the value of ``messages`` in the request that is made of it."""
    file = json.dumps([{"role": "user", "content": "one"}, {"role": "user", "content": "two"}])
    found = place(unit("r.json", file), "messages", 1, "content")
    assert file[found.start : found.end] == '"two"'


def test_of_a_key_that_is_there_twice_the_last_counts() -> None:
    """As for every reader of JSON."""
    file = '{"model": "a", "messages": [{"role": "user", "content": "x"}], "model": "b"}'
    found = place(unit("r.json", file), "model")
    assert file[found.start : found.end] == '"b"'


def test_broken_json_is_told_with_its_line() -> None:
    """Where the parser stopped."""
    assert problem("r.json", '{\n "model": "m",\n "messages": [}\n}') == ("TG003", 3)


def test_json_that_is_nested_without_end_is_told() -> None:
    """A deep file ends no run."""
    assert problem("r.json", "[" * 200_000)[0] == "TG003"


def test_a_number_with_too_many_digits_is_told() -> None:
    """Python refuses it."""
    assert problem("r.json", '{"model": "m", "n": ' + "1" * 10_000 + "}")[0] == "TG003"


def test_a_broken_line_leaves_the_others() -> None:
    """JSONL: each line stands for itself; empty lines and any line end are fine."""
    line = json.dumps(body("hi"))
    found = read("r.jsonl", f"{line}\r\n\n{{broken\n{line}\n")
    assert [type(one).__name__ for one in found] == ["Unit", "Problem", "Unit"]
    assert problem("r.jsonl", f"{line}\r\n\n{{broken\n{line}\n") == ("TG003", 3)


def test_a_line_of_a_later_request_is_its_own() -> None:
    """Places are those of the file, not of the line."""
    file = f"{json.dumps(body('one'))}\n{json.dumps(body('two'))}\n"
    found = place(units("r.jsonl", file)[1], *CONTENT)
    assert file[found.start : found.end] == '"two"'


def test_a_line_that_is_too_long_is_told_and_not_read() -> None:
    """So that one line does not take all memory."""
    (found,) = read("r.jsonl", '"' + "a" * LONGEST + '"')
    assert isinstance(found, Problem)
    assert found.findings[0].code == "TG001"
