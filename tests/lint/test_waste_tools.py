"""Tools and schemas: what is never called, said twice, or longer than it needs to be."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from tokenguard import Lint
from tokenguard.lint import schemas
from tokenguard.lint.fixes import apply
from tokenguard.tokens.text import count

from .requests import ALL, chat, function, lint, remembered, request

SEARCH = "Searches the tickets of the shop by words, newest first, and gives at most ten of them."
TOOLS = [
    function("search", SEARCH),
    function("refund", "Refunds an order."),
    function("close", "Closes a ticket."),
]
DROPPABLE = Lint(select=("TG",), droppable_tools=("refund", "close"))


def offered(times: int, settings: Lint = ALL, *called: str, **body: Any) -> Any:
    """A request with tools that were in so many before it, of which some were called."""
    whole = {**chat("Where is my parcel?", system="Be brief."), "tools": TOOLS, **body}
    first = request(whole)
    before = remembered(
        first,
        requests=times,
        called=frozenset(called),
        offered={"search": times, "refund": times, "close": times},
    )
    messages = [whole["messages"][0], {"role": "user", "content": "And now?"}]
    return request({**whole, "messages": messages}, settings=settings, before=before)


def test_tools_that_nobody_calls() -> None:
    """One finding for all of them, by name, with what they come to; no fix where they may not be dropped."""
    (one,) = lint(offered(40, ALL, "search"), "TG241")
    assert one.message == "2 of 3 tools were not called in 40 requests: refund, close"
    assert one.path == ("tools",)
    assert one.tokens > 20
    assert one.fix is None


@pytest.mark.parametrize("made", [offered(19), offered(40, ALL, "search", "refund", "close"), offered(0)])
def test_tools_that_may_yet_be_called(made: Any) -> None:
    """After few requests, or called now and then."""
    assert not lint(made, "TG241")


def test_a_tool_that_this_request_called_is_used() -> None:
    """The first call of it is in the conversation that is sent."""
    call = {"id": "1", "type": "function", "function": {"name": "refund", "arguments": "{}"}}
    made = offered(40, ALL, "search", "close")
    made = request(
        {**made.body, "messages": [*made.body["messages"], {"role": "assistant", "tool_calls": [call]}]},
        before=made.before,
    )
    assert not lint(made, "TG241")


def test_droppable_tools_are_dropped() -> None:
    """Those that were declared so, and not the last one, nor one that is to be called."""
    made = offered(40, DROPPABLE, "search")
    mended, done = apply(made.body, lint(made, "TG241"), made)
    assert [tool["function"]["name"] for tool in mended["tools"]] == ["search"]
    assert len(done) == 1
    assert len(made.body["tools"]) == 3
    chosen = offered(
        40, DROPPABLE, "search", tool_choice={"type": "function", "function": {"name": "refund"}}
    )
    mended, _ = apply(chosen.body, lint(chosen, "TG241"), chosen)
    assert [tool["function"]["name"] for tool in mended["tools"]] == ["search", "refund"]
    every = offered(40, Lint(select=("TG",), droppable_tools=("search", "refund", "close")))
    assert [one.fix for one in lint(every, "TG241")] == [None]


class Address(BaseModel):
    street: str
    title: str = Field(description="How the person is addressed")
    country: str | None = None


class Line(BaseModel):
    sku: str = Field(title="Stock keeping unit, as printed on the box")
    quantity: int = 1


class Order(BaseModel):
    """An order of the shop."""

    customer_name: str
    shipping_address: Address
    lines: list[Line]
    gifts: list[Line] = []
    priority: Literal["low", "high"] | None = None


ORDER = Order.model_json_schema()


@pytest.mark.parametrize("dialect", ["openai.chat", "openai.responses", "anthropic.messages"])
def test_what_pydantic_adds_is_left_out(dialect: str) -> None:
    """In every format; and what is left says the same."""
    tool: dict[str, Any] = {"name": "order", "description": "Makes an order."}
    tool = {
        "openai.chat": {"type": "function", "function": {**tool, "parameters": ORDER}},
        "openai.responses": {"type": "function", **tool, "parameters": ORDER},
        "anthropic.messages": {**tool, "input_schema": ORDER},
    }[dialect]
    made = request({"messages": [], "input": "Hello", "max_tokens": 9, "tools": [tool]}, dialect)
    (one,) = lint(made, "TG242")
    mended, _ = apply(made.body, [one], made)
    inner = mended["tools"][0].get("function", mended["tools"][0])
    slim = inner.get("parameters") or inner["input_schema"]
    assert schemas.same(ORDER, slim)
    assert one.tokens == count(short(ORDER), "") - count(short(slim), "")
    assert one.tokens > 60
    assert set(slim["$defs"]) == {"Line"}
    address = slim["properties"]["shipping_address"]
    assert set(address["properties"]) == {"street", "title", "country"}
    assert address["properties"]["title"] == {"description": "How the person is addressed", "type": "string"}
    assert "default" not in address["properties"]["country"]
    assert slim["$defs"]["Line"]["properties"]["sku"]["title"] == "Stock keeping unit, as printed on the box"
    assert slim["properties"]["gifts"]["default"] == []
    assert "title" not in slim


def short(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Where"}},
            "required": ["city"],
        },
        schemas.slimmed(ORDER),
    ],
)
def test_a_schema_that_says_nothing_twice(schema: Any) -> None:
    """As people write them by hand; and one that was mended."""
    assert schemas.slimmed(schema) is schema
    assert not lint(request({**chat("Hello"), "tools": [function("a", "b", schema)]}), "TG242")


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


def test_a_schema_within_itself_stays_a_definition() -> None:
    """It cannot be put in its place."""
    slim = schemas.slimmed(Tree.model_json_schema())
    assert schemas.same(Tree.model_json_schema(), slim)
    assert "Tree" in slim["$defs"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"properties": {"title": {"type": "string"}}}, {"properties": {}}),
        ({"properties": {"a": {"title": "The price in cents"}}}, {"properties": {"a": {}}}),
        (
            {"properties": {"a": {"type": "string", "default": None}}},
            {"properties": {"a": {"type": "string"}}},
        ),
        ({"properties": {"a": {"default": 0}}}, {"properties": {"a": {}}}),
        ({"properties": {"a": {"description": "x"}}}, {"properties": {"a": {"description": "y"}}}),
        ({"required": ["a"]}, {"required": []}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [{"type": "string"}]}),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "string"}}}, {"type": "integer"}),
        ({"items": {"$ref": "#/$defs/A"}, "$defs": {}}, {"items": {}}),
        ({"minimum": 1}, {"minimum": True}),
        ({"properties": {"a": {}, "b": {}}}, {"properties": {"b": {}, "a": {}}}),
    ],
)
def test_schemas_that_say_something_else_are_told_apart(before: Any, after: Any) -> None:
    """What a fix must not do: drop a property, a title that says something, a default that counts ..."""
    assert schemas.same(before, before) or "A" not in before.get("$defs", {"A": 1})
    assert not schemas.same(before, after)


def test_long_descriptions() -> None:
    """Of a tool, and of its arguments, each where it stands; with what is beyond 400 tokens."""
    manual = "First look at the words of the ticket, then at who wrote it, and only then at its date. " * 30
    schema = {"type": "object", "properties": {"q": {"type": "string", "description": manual}}}
    body = {**chat("Hello"), "tools": [function("search", manual, schema), function("refund", SEARCH)]}
    found = lint(request(body), "TG243")
    assert [one.path for one in found] == [
        ("tools", 0, "function", "description"),
        ("tools", 0, "function", "parameters", "properties", "q", "description"),
    ]
    assert all(one.tokens == count(manual, "") - 400 for one in found)


def test_a_description_that_the_instructions_repeat() -> None:
    """Wherever in them it stands."""
    system = f"You have these tools:\n- search: {SEARCH}\n- refund: Refunds an order.\nBe brief."
    made = request({**chat("Hello", system=system), "tools": TOOLS})
    (one,) = lint(made, "TG244")
    assert system[one.start : one.end] == SEARCH
    assert lint(made, "TG244") == [one]
    assert not lint(request({**chat("Hello", system="Search before you answer."), "tools": TOOLS}), "TG244")
    assert not lint(request({**chat(SEARCH, system="Be brief."), "tools": TOOLS}), "TG244")
    assert not lint(request(chat("Hello", system=system)), "TG244")


def asking_for(schema: Any, system: str) -> Any:
    wanted = {"type": "json_schema", "json_schema": {"name": "order", "schema": schema}}
    return request({**chat("Hello", system=system), "response_format": wanted})


@pytest.mark.parametrize("pasted", [ORDER, {"name": "order", "schema": ORDER}, {**ORDER, "title": "Another"}])
def test_a_schema_that_is_pasted_as_well(pasted: Any) -> None:
    """As it is, in its envelope, a little changed: with the same properties."""
    made = asking_for(ORDER, f"Answer by this schema:\n{json.dumps(pasted, indent=2)}\nBe brief.")
    (one,) = lint(made, "TG251")
    assert one.fix is not None
    assert not one.fix.safe
    mended, _ = apply(made.body, [one])
    assert mended["messages"][0]["content"] == "Answer by this schema:\n\nBe brief."
    assert one.tokens > 100


@pytest.mark.parametrize(
    "made",
    [
        asking_for(ORDER, "Answer in the words of the customer."),
        asking_for(ORDER, json.dumps(Tree.model_json_schema())),
        asking_for(ORDER, 'For example {"customer_name": "Ann", "lines": [], "properties": 3}'),
        request(chat("Hello", system=json.dumps(ORDER))),
        request({**chat("Hello", system=json.dumps(ORDER)), "response_format": {"type": "json_object"}}),
    ],
)
def test_other_schemas_in_prompts_are_needed(made: Any) -> None:
    """Another one, an example, or where nothing holds the answer to it."""
    assert not lint(made, "TG251")
