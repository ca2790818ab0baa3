"""Tools are written down as the models read them, as far as anyone knows."""

from __future__ import annotations

import pytest

from tokenguard.anatomy import Tool
from tokenguard.call import Json
from tokenguard.tokens.families import family_of
from tokenguard.tokens.request import count_text
from tokenguard.tokens.tools import asked_for, compact, offered, spelled_out, typescript

from .asking import counted, function


def tool(name: str, schema: Json, description: str = "") -> Tool:
    return Tool(name, ("tools", 0), {"name": name, "parameters": schema}, description, schema)


PERSON = {
    "title": "Person",
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "In full."},
        "age": {"type": ["integer", "null"]},
        "home": {"$ref": "#/$defs/Home"},
        "tags": {"type": "array", "items": {"enum": ["a", 1]}},
        "any": {"anyOf": [{"type": "boolean"}, {"type": "array"}]},
    },
    "required": ["name"],
    "$defs": {"Home": {"type": "object", "properties": {"city": {"type": "string"}}}},
}

WRITTEN = """\
namespace functions {

// Keep a person.
Twice.
type keep = (_: // Person
{
// In full.
name: string,
age?: number | null,
home?: {
  city?: string,
},
tags?: "a" | 1[],
any?: boolean | any[],
}) => any;

type now = () => any;

} // namespace functions"""


def test_tools_are_types_of_typescript() -> None:
    """Titles and descriptions are comments, references are followed, what is not required may be left out."""
    tools = [
        tool("keep", PERSON, "Keep a person.\n\t Twice. "),
        tool("now", {"type": "object", "properties": {}}),
    ]
    assert typescript(tools) == WRITTEN


def test_without_remarks_it_is_one_line() -> None:
    """As recorded usage has it."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"type": "string"}},
        "required": ["a"],
    }
    assert "type add = (_: { a: number, b?: string }) => any;" in typescript([tool("add", schema)])


def test_claude_has_json() -> None:
    """A line for each tool, with the names of keys that its usage suggests."""
    lines = spelled_out([tool("now", {"type": "object"}, "Tells the time"), tool("later", {})]).splitlines()
    assert lines[0] == '{"name": "now", "description": "Tells the time", "parameters": {"type": "object"}}'
    assert len(lines) == 2


def test_a_schema_that_refers_to_itself_has_an_end() -> None:
    """In every direction at once."""
    node: Json = {"$ref": "#"}
    schema = {"type": "object", "properties": {str(n): {"anyOf": [node, node, node]} for n in range(8)}}
    written = typescript([tool("tree", schema)])
    assert "any" in written
    assert len(written) < 500_000


def test_a_schema_that_is_too_deep_has_an_end() -> None:
    """Beyond what Python can follow."""
    schema: Json = {"type": "string"}
    for _ in range(5000):
        schema = {"type": "object", "properties": {"a": schema}}
    family = family_of("gpt-4o")
    assert offered([tool("deep", schema)], family).text.tokens > 0
    assert asked_for(schema, family).tokens >= 0
    assert compact(schema) == ""


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5", "claude-sonnet-4-5"])
def test_what_a_tool_says_is_within_its_bound(model: str) -> None:
    """Name, description and arguments: whichever way they are written down, they are in there."""
    said = "Look up the order of a customer, by its number, and say when it will arrive."
    tools = [function("order", said, number={"type": "string", "description": said})]
    count = counted("chat", model, messages=[{"role": "user", "content": "hi"}], tools=tools)
    assert count.total.at_most >= 2 * count_text(said, model).tokens + count.tools
    assert count.tools > 2 * count_text(said, model).tokens


def test_a_tool_that_must_be_called() -> None:
    """It is named once more, by OpenAI's older models; Claude's prompt for it is another one."""
    messages, tools = [{"role": "user", "content": "hi"}], [function("foo")]
    free = counted("chat", "gpt-4", messages=messages, tools=tools)
    named = {"type": "function", "function": {"name": "foo"}}
    assert counted("chat", "gpt-4", messages=messages, tools=tools, tool_choice=named).tools == free.tools + 5
    assert (
        counted("chat", "gpt-4", messages=messages, tools=tools, tool_choice="none").tools == free.tools + 1
    )
    tools = [{"name": "foo", "input_schema": {"type": "object"}}]
    free = counted("messages", "claude-sonnet-4-5", messages=messages, tools=tools)
    forced = counted(
        "messages", "claude-sonnet-4-5", messages=messages, tools=tools, tool_choice={"type": "any"}
    )
    assert forced.tools - free.tools == 588 - 496


def test_a_schema_of_the_answer_is_its_json() -> None:
    """About what recorded usage has for it: 41 tokens for this one in responses of gpt-4.1-nano."""
    schema = {
        "properties": {
            "name": {"title": "Name", "type": "string"},
            "age": {"title": "Age", "type": "integer"},
        },
        "required": ["name", "age"],
        "title": "Person",
        "type": "object",
    }
    text = {"format": {"type": "json_schema", "name": "person", "schema": schema}}
    count = counted("responses", "gpt-4.1-nano", input="Who?", text=text)
    assert count.schema == pytest.approx(41, rel=0.15)
    assert count.total.how == "estimated"
