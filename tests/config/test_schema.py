"""The JSON Schema that editors get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tokenguard.config import json_schema
from tokenguard.config.models import keys


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from nodes(inner)


def properties(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """The properties of a schema or of whichever of its choices, or items, is a table."""
    if "$ref" in node:
        return properties(schema, schema["definitions"][node["$ref"].removeprefix("#/definitions/")])
    tables = [properties(schema, inner) for inner in [*node.get("anyOf", []), node.get("items", {})] if inner]
    return node.get("properties") or next(filter(None, tables), {})


def test_every_key_is_described() -> None:
    """An editor completes every key, and tells what it is (a table may do so itself)."""
    schema = json_schema()
    for key in keys():
        node = schema
        for part in key.path:
            node = properties(schema, node)[part]
        described = node if "description" in node else schema["definitions"][key.table.__name__]
        assert described["description"] == key.field.description


def test_it_has_nothing_that_toml_has_not() -> None:
    """No null, and every reference leads somewhere in the same document."""
    schema = json_schema()
    for node in nodes(schema):
        assert None not in node.values()
        assert node.get("type") != "null"
        if "$ref" in node:
            assert node["$ref"].removeprefix("#/definitions/") in schema["definitions"]


def test_tables_take_no_other_keys() -> None:
    """A misspelt key is underlined."""
    schema = json_schema()
    for table in (schema, *schema["definitions"].values()):
        assert table["additionalProperties"] is False
