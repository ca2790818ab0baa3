"""Every instance is valid under its schema, and every schema comes to an end."""

import enum
import json
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter

from tokenguard.testing.schema_instance import MAX_NODES, instance_of


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    kind: Literal["leaf"]
    value: Annotated[int, Field(ge=5, le=7)]


class Node(BaseModel):
    kind: Literal["node"]
    left: "Node | Leaf"
    right: "Node | Leaf | None"
    children: "list[Node | Leaf]"


class Everything(BaseModel):
    tree: Node
    colours: Annotated[list[Colour], Field(min_length=2, max_length=3)]
    when: datetime
    day: date
    identifier: UUID
    ratio: Annotated[float, Field(gt=0, lt=0.5)]
    even: Annotated[int, Field(multiple_of=2, gt=7)]
    pair: tuple[int, str]
    short: Annotated[str, Field(min_length=2, max_length=3)]
    long: Annotated[str, Field(min_length=30)]
    anything: dict[str, int]
    maybe: int | None = None


@pytest.mark.parametrize("model", [Everything, Node, Leaf])
def test_pydantic_models_accept_their_instance(model: type[BaseModel]) -> None:
    """With ranges, lengths, formats, unions and recursion."""
    model.model_validate_json(json.dumps(instance_of(model.model_json_schema())))


def test_recursive_schemas_stay_small() -> None:
    """An endless one is followed no further than it must be."""
    assert len(json.dumps(instance_of(Node.model_json_schema()))) < 1000


def test_schemas_without_an_end_come_to_one() -> None:
    """There is no valid instance, but there is an answer."""
    endless = {
        "$ref": "#/$defs/a",
        "$defs": {
            "a": {
                "type": "object",
                "required": ["b", "c"],
                "properties": {"b": {"$ref": "#/$defs/a"}, "c": {"$ref": "#/$defs/a"}},
            },
            "loop": {"$ref": "#/$defs/loop"},
        },
    }
    assert len(json.dumps(instance_of(endless))) < 20 * MAX_NODES
    assert instance_of({**endless, "$ref": "#/$defs/loop"}) is None


def test_parts_are_merged() -> None:
    """``allOf`` holds for all of it."""
    schema = {
        "allOf": [{"$ref": "#/$defs/a"}, {"properties": {"n": {"type": "integer"}}, "required": ["n"]}],
        "$defs": {"a": {"type": "object", "properties": {"s": {"type": "string"}}, "required": ["s"]}},
    }
    assert instance_of(schema) == {"s": "text", "n": 1}


@settings(deadline=None)
@given(
    low=st.integers(-1000, 1000),
    span=st.integers(0, 1000),
    whole=st.booleans(),
)
def test_numbers_are_in_their_range(low: int, span: int, whole: bool) -> None:
    """For any bounds."""
    schema = {"type": "integer" if whole else "number", "minimum": low, "maximum": low + span}
    made = instance_of(schema)
    assert low <= made <= low + span
    TypeAdapter(int if whole else float).validate_python(made, strict=True) if whole else None


@settings(deadline=None, max_examples=30)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_nonsense_does_not_raise(schema: object) -> None:
    """Whatever is sent as a schema gets an answer, as long as it is JSON."""
    json.dumps(instance_of(schema))
