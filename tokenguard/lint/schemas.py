"""JSON schemas of tools: what in them says nothing, and whether two of them say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from tokenguard.anatomy import Path
from tokenguard.call import Json

NAMED: Final = ("properties", "patternProperties", "dependentSchemas")
LISTED: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
SINGLE: Final = ("items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames")
"""Under which keywords a schema has schemas: by name, in a list, or one."""

DEFINITIONS: Final = ("$defs", "definitions")

_DEEPEST: Final = 200
_LETTERS: Final = re.compile(r"[\W_]+")


def is_idle_title(node: Json, names: tuple[str, ...]) -> bool:
    """Whether a schema's title only repeats what it is called: what pydantic writes for every field.

    Args:
        node: The schema.
        names: What it is called: its property, its definition. Without any it is the outermost schema, whose
            title is idle if it is the name of a class.
    """
    title = node.get("title")
    if not isinstance(title, str):
        return False
    return _plain(title) in map(_plain, names) if names else title.isidentifier()


def is_idle_default(node: Json) -> bool:
    """Whether a schema says that null is the default, of something that may be null."""
    if "default" not in node or node["default"] is not None:
        return False
    kinds = [node, *_items(node.get("anyOf")), *_items(node.get("oneOf"))]
    return any(
        one.get("type") == "null" or "null" in _items(one.get("type"))
        for one in kinds
        if isinstance(one, dict)
    )


def descriptions(schema: Json) -> Iterator[tuple[Path, str]]:
    """Every description in a schema, with where it stands."""
    left: list[tuple[Path, Any]] = [((), schema)]
    while left:
        path, node = left.pop()
        if isinstance(node, dict) and len(path) < _DEEPEST:
            if isinstance(node.get("description"), str):
                yield (*path, "description"), node["description"]
            left += [((*path, *below), child) for below, child in _children(node)]


def _children(node: Json) -> Iterator[tuple[Path, Any]]:
    """The schemas right within one, with where in it they stand."""
    for key, value in node.items():
        if key in (*NAMED, *DEFINITIONS) and isinstance(value, dict):
            yield from (((key, name), child) for name, child in value.items())
        elif key in LISTED and isinstance(value, list):
            yield from (((key, i), child) for i, child in enumerate(value))
        elif key in SINGLE and isinstance(value, dict):
            yield (key,), value


def slimmed(schema: Json) -> Json:
    """A schema without idle titles and defaults, and with each definition that is used once in its place.

    The same object, where there is nothing to leave out.
    """
    written = json.dumps(schema)
    once = {
        f"#/{key}/{name}": (name, definition)
        for key in DEFINITIONS
        for name, definition in _named(schema, key).items()
        if written.count(json.dumps(f"#/{key}/{name}")) == 1
    }
    slim: Json = _slimmed(schema, (), once)
    for key in DEFINITIONS:
        left = {name: one for name, one in _named(slim, key).items() if f"#/{key}/{name}" not in once}
        if len(left) < len(_named(slim, key)):
            slim = {name: value for name, value in slim.items() if name != key}
            slim = {**slim, key: left} if left else slim
    return slim


def _slimmed(node: Any, names: tuple[str, ...], once: dict[str, tuple[str, Any]]) -> Any:
    if not isinstance(node, dict):
        return node
    name, definition = once.get(str(node.get("$ref")), ("", None))
    if isinstance(definition, dict):
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _slimmed({**definition, **beside}, (*names, name), once)
    said = _telling(node, names)
    made = {key: _inner(key, value, once) for key, value in said.items()}
    for key in DEFINITIONS:
        if key in node:
            made[key] = _inner(key, node[key], once)
    return node if len(made) == len(node) and all(made[key] is node[key] for key in node) else made


def _inner(key: str, value: Any, once: dict[str, tuple[str, Any]]) -> Any:
    """What stands under a keyword, slimmed where it is a schema or has some."""
    if key in (*NAMED, *DEFINITIONS) and isinstance(value, dict):
        named = {name: _slimmed(child, (name,), once) for name, child in value.items()}
        return value if all(named[name] is value[name] for name in value) else named
    if key in LISTED and isinstance(value, list):
        listed = [_slimmed(child, (key,), once) for child in value]
        return value if all(one is other for one, other in zip(listed, value, strict=True)) else listed
    return _slimmed(value, (key,), once) if key in SINGLE else value


def _named(node: Json, key: str) -> Json:
    value = node.get(key)
    return value if isinstance(value, dict) else {}


def same(before: Any, after: Any) -> bool:
    """Whether two schemas allow the same and say the same of it.

    Idle titles and defaults make no difference, nor whether a part stands in its place or among the
    definitions. A property keeps its name, whatever that is.
    """
    try:
        return _Pair(before, after).same(before, after, (), 0)
    except (LookupError, TypeError, ValueError):
        return False


class _Pair:
    """Two schemas, each with its own definitions."""

    def __init__(self, before: Any, after: Any) -> None:
        self._roots = before, after
        self._seen: dict[tuple[int, int], tuple[Any, Any]] = {}  # keeps alive what it has by its id

    def same(self, before: Any, after: Any, names: tuple[str, ...], depth: int) -> bool:
        if depth > _DEEPEST:
            raise ValueError("a schema of more than 200 levels")
        first, first_names = _resolved(self._roots[0], before, names)
        second, second_names = _resolved(self._roots[1], after, names)
        if not (isinstance(first, dict) and isinstance(second, dict)):
            return _equal(first, second)
        pair = id(first), id(second)
        if pair in self._seen:  # a schema that contains itself
            return True
        self._seen[pair] = first, second
        left, right = _telling(first, first_names), _telling(second, second_names)
        return left.keys() == right.keys() and all(
            self._same_keyword(key, left[key], right[key], depth) for key in left
        )

    def _same_keyword(self, key: str, before: Any, after: Any, depth: int) -> bool:
        if key in NAMED and isinstance(before, dict) and isinstance(after, dict):
            return list(before) == list(after) and all(
                self.same(before[name], after[name], (name,), depth + 1) for name in before
            )
        if key in LISTED and isinstance(before, list) and isinstance(after, list):
            return len(before) == len(after) and all(
                self.same(one, other, (key,), depth + 1) for one, other in zip(before, after, strict=True)
            )
        return self.same(before, after, (key,), depth + 1) if key in SINGLE else _equal(before, after)


def _resolved(root: Any, node: Any, names: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
    """What a reference stands for, with what stands beside it; and all names of that."""
    for _ in range(_DEEPEST):
        if not (isinstance(node, dict) and isinstance(node.get("$ref"), str)):
            return node, names
        target: Any = root
        for key in node["$ref"].removeprefix("#/").split("/"):
            target, names = target[key], (*names, key)
        beside = {key: value for key, value in _telling(node, names).items() if key != "$ref"}
        node = {**target, **beside} if beside else target
    raise ValueError("a reference that leads to itself")


def _telling(node: Json, names: tuple[str, ...]) -> Json:
    """A schema without what says nothing of its own."""
    idle = set(DEFINITIONS)
    if is_idle_title(node, names):
        idle.add("title")
    if is_idle_default(node):
        idle.add("default")
    return {key: value for key, value in node.items() if key not in idle}


def _plain(name: str) -> str:
    return _LETTERS.sub("", name).lower()


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _equal(before: Any, after: Any) -> bool:
    return type(before) is type(after) and json.dumps(before) == json.dumps(after)
