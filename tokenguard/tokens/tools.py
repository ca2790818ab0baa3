"""How tools and schemas are written down for a model, as far as that is known, and what they come to.

OpenAI writes tools as types of TypeScript, in a form that is not published for most models. The one here was
found by comparing counts with recorded usage; docs/concepts/tokens.md says how far it is off. The other
public approximation, a sum of constants for each function, property and value of an enumeration
(https://github.com/openai/openai-cookbook, How_to_count_tokens_with_tiktoken), was further off on the same
requests.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from tokenguard.anatomy import Tool
from tokenguard.call import Json
from tokenguard.tokens.families import Family
from tokenguard.tokens.length import Length, length
from tokenguard.tokens.memo import Memo, digest_of

_DEEPEST: Final = 16
_MOST_TYPES: Final = 5000
"""How deep and how far a schema is written out: one that refers to itself has no end. OpenAI allows 10 levels
and 5,000 properties (https://platform.openai.com/docs/guides/structured-outputs)."""

_SIMPLE: Final = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
}

_DOUBT: Final = 2
_DOUBT_EACH: Final = 32
"""A rendering that we do not know is taken to have at most twice the tokens of the longer one that we do, and
so many for each tool."""


class Offered(NamedTuple):
    """Tools, counted together.

    Attributes:
        text: They, written down.
        arguments: Whether any has arguments.
        certain: Whether all of them are the application's own.
    """

    text: Length
    arguments: bool = False
    certain: bool = True


_offered: defaultdict[str, Memo[Offered]] = defaultdict(lambda: Memo(512))
_schemas: defaultdict[str, Memo[Length]] = defaultdict(lambda: Memo(512))


def offered(tools: Sequence[Tool], family: Family) -> Offered:
    """Tools, counted: now, or when they were seen before."""
    memo = _offered[f"{family.tokenizer}/{family.rendering}"]
    digest = digest_of([tool.raw for tool in tools])
    return memo.get(digest) or memo.put(digest, _offer(tools, family))


def asked_for(schema: Json, family: Family) -> Length:
    """The schema of an answer, counted: OpenAI's usage has about what its compact JSON comes to."""
    memo, digest = _schemas[family.tokenizer], digest_of(schema)
    return memo.get(digest) or memo.put(digest, _ask_for(schema, family))


def _offer(tools: Sequence[Tool], family: Family) -> Offered:
    own = [tool for tool in tools if tool.ours]
    others = [tool.raw for tool in tools if not tool.ours]
    written = length(typescript(own) if family.rendering == "typescript" else spelled_out(own), family)
    listed = length(compact([tool.raw for tool in own]), family)
    at_most = max(written.at_most, listed.at_most)
    if family.published:
        at_most = _DOUBT * at_most + _DOUBT_EACH * len(own)
    return Offered(
        written._replace(at_most=at_most).plus(length(compact(others) if others else "", family)),
        any(tool.schema.get("properties") for tool in own),
        not others,
    )


def _ask_for(schema: Json, family: Family) -> Length:
    found = length(compact(schema), family)
    return found._replace(at_most=_DOUBT * found.at_most + _DOUBT_EACH) if family.published else found


def compact(value: Any) -> str:
    """A JSON value without any blanks; empty where it is none, or nested beyond all reason."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return ""


def spelled_out(tools: Sequence[Tool]) -> str:
    """Tools as Claude's usage has them: JSON with blanks, one tool a line."""
    parts = []
    for tool in tools:
        whole = {"name": tool.name, "description": tool.description, "parameters": tool.schema}
        try:
            parts.append(json.dumps(whole, ensure_ascii=False))
        except (TypeError, ValueError, RecursionError):
            parts.append(tool.name)
    return "\n".join(parts)


def typescript(tools: Sequence[Tool]) -> str:
    """Tools as types of TypeScript: one for each tool, a comment for each title and description."""
    if not tools:
        return ""
    lines = ["namespace functions {", ""]
    for tool in tools:
        if tool.description.strip():
            lines.append(f"// {_unindented(tool.description)}")
        body = _Types(tool.schema).object(tool.schema, 0)
        above = "".join(f"{line}\n" for line in _comments(tool.schema))
        lines += [f"type {tool.name} = ({f'_: {above}{body}' if body else ''}) => any;", ""]
    lines.append("} // namespace functions")
    return "\n".join(lines)


def _unindented(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().split("\n"))


def _comments(schema: Any) -> list[str]:
    if not isinstance(schema, dict):
        return []
    words = (schema.get("title"), schema.get("description"))
    return [f"// {word}" for word in words if isinstance(word, str) and word]


class _Types:
    """Writes the types of one schema, to a certain size: one may refer to itself."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._left = _MOST_TYPES

    def object(self, schema: Json, depth: int) -> str:
        """An object. On one line, where nothing is to be remarked in it; nothing at all for no arguments."""
        properties = schema.get("properties")
        if not isinstance(properties, dict) or not properties:
            return "{}" if depth else ""
        required = schema.get("required")
        fields = []
        for name, one in properties.items():
            kind = self._resolved(one)
            mark = "" if isinstance(required, list) and name in required else "?"
            fields.append((_comments(kind), f"{name}{mark}: {self.type(kind, depth + 1)}"))
        if not depth and not any(comments or "\n" in field for comments, field in fields):
            return "{ " + ", ".join(field for _, field in fields) + " }"
        lines = [line for comments, field in fields for line in (*comments, f"{field},")]
        return "{\n" + "".join(f"{'  ' * depth}{line}\n" for line in lines) + "}"

    def type(self, schema: Any, depth: int) -> str:
        """Any type."""
        self._left -= 1
        schema = self._resolved(schema)
        if not isinstance(schema, dict) or depth > _DEEPEST or self._left < 0:
            return "any"
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list):
                return " | ".join(self.type(choice, depth + 1) for choice in schema[key])
        if isinstance(schema.get("enum"), list):
            return " | ".join(compact(value) for value in schema["enum"])
        kind = schema.get("type")
        if isinstance(kind, list):
            return " | ".join(self.type({**schema, "type": one}, depth + 1) for one in kind)
        if kind == "array":
            return f"{self.type(schema['items'], depth)}[]" if schema.get("items") else "any[]"
        if kind == "object":
            return self.object(schema, depth)
        return _SIMPLE.get(kind, "any") if isinstance(kind, str) else "any"

    def _resolved(self, schema: Any) -> Any:
        """A schema with what it refers to in its place."""
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        found: Any = self._root
        for key in reference[2:].split("/"):
            found = found.get(key) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            return schema
        return {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
