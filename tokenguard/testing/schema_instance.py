"""A small valid instance of a JSON Schema, for answers that have to keep to one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

MAX_DEPTH: Final = 12
"""Below this depth only what is required is made."""

MAX_NODES: Final = 1000
"""After this many values everything else is ``null``: only schemas without a finite instance get here."""

_FORMATS: Final = {
    "date-time": "2025-01-01T00:00:00Z",
    "date": "2025-01-01",
    "time": "00:00:00Z",
    "duration": "PT1H",
    "email": "user@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def instance_of(schema: Any) -> Any:
    """A value that is valid under ``schema``, the same one every time.

    Knows the keywords that structured outputs allow: types, ``enum``, ``const``, ``$ref``, ``anyOf``,
    ``oneOf``, ``allOf``, ranges, lengths and the usual formats. ``pattern`` is not solved. A schema that
    contains itself is followed once, and then only as far as it has to be.

    Raises:
        ValueError: a reference leads nowhere.
        TypeError: a keyword has a value of the wrong kind.
    """
    return _Maker(schema).make(schema, 0, frozenset())


class _Maker:
    """Makes one instance. ``depth`` counts nesting; ``seen`` are the references on the way down."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._left = MAX_NODES

    def make(self, schema: Any, depth: int, seen: frozenset[str]) -> Any:
        self._left -= 1
        if not isinstance(schema, Mapping) or self._left < 0 or depth > 3 * MAX_DEPTH:
            return None
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        if "$ref" in schema:
            name = schema["$ref"]
            found = {**_resolve(name, self._root), **_without(schema, "$ref")}
            return self.make(found, max(depth, MAX_DEPTH) + 1 if name in seen else depth, seen | {name})
        if parts := schema.get("allOf"):
            return self.make(_merged([_without(schema, "allOf"), *parts], self._root), depth, seen)
        if options := schema.get("anyOf") or schema.get("oneOf"):
            chosen = _simplest(options, seen) if depth >= MAX_DEPTH else options[0]
            return self.make(chosen, depth, seen)
        return self._typed(_type_of(schema, depth), schema, depth, seen)

    def _typed(self, kind: str | None, schema: Schema, depth: int, seen: frozenset[str]) -> Any:
        if kind == "object":
            return self._object(schema, depth, seen)
        if kind == "array":
            return self._array(schema, depth, seen)
        if kind == "string":
            return _string(schema)
        if kind in ("integer", "number"):
            return _number(schema, whole=kind == "integer")
        return True if kind == "boolean" else None

    def _object(self, schema: Schema, depth: int, seen: frozenset[str]) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = schema.get("required") or []
        names = required if depth >= MAX_DEPTH else dict.fromkeys([*properties, *required])
        text = {"type": "string"}
        return {name: self.make(properties.get(name, text), depth + 1, seen) for name in names}

    def _array(self, schema: Schema, depth: int, seen: frozenset[str]) -> list[Any]:
        made = [self.make(item, depth + 1, seen) for item in schema.get("prefixItems") or []]
        items = schema.get("items")
        least = schema.get("minItems") or 0
        wanted = least if depth >= MAX_DEPTH or schema.get("maxItems") == 0 else max(least, 1)
        if isinstance(items, Mapping):
            missing = min(wanted - len(made), MAX_NODES)
            made += [self.make(items, depth + 1, seen) for _ in range(missing)]
        return made


def _type_of(schema: Schema, depth: int) -> str | None:
    kind = schema.get("type")
    if isinstance(kind, list):
        return "null" if depth >= MAX_DEPTH and "null" in kind else next(iter(kind), None)
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else None


def _string(schema: Schema) -> str:
    text = _FORMATS.get(schema.get("format") or "", "text")
    least, most = schema.get("minLength") or 0, schema.get("maxLength")
    text += "x" * (least - len(text))
    return text if most is None else text[:most]


def _number(schema: Schema, *, whole: bool) -> int | float:
    step = schema.get("multipleOf") or 1
    candidates = [step]
    lows = [schema[key] for key in ("minimum", "exclusiveMinimum") if key in schema]
    highs = [schema[key] for key in ("maximum", "exclusiveMaximum") if key in schema]
    for bound in lows:
        candidates += [-(-bound // step) * step, (bound // step + 1) * step]
    for bound in highs:
        candidates += [bound // step * step, (-(-bound // step) - 1) * step]
    if not whole and lows and highs:
        candidates.append((max(lows) + min(highs)) / 2)
    value = next((number for number in candidates if _in_range(number, schema)), step)
    return int(value) if whole else value


def _in_range(number: float, schema: Schema) -> bool:
    return bool(
        number >= schema.get("minimum", number)
        and number > schema.get("exclusiveMinimum", number - 1)
        and number <= schema.get("maximum", number)
        and number < schema.get("exclusiveMaximum", number + 1)
    )


def _resolve(reference: str, root: Any) -> Schema:
    found = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if step and (not isinstance(found, Mapping) or name not in found):
            raise ValueError(f"reference {reference!r} leads nowhere")
        found = found[name] if step else found
    return found if isinstance(found, Mapping) else {}


def _without(schema: Schema, key: str) -> Schema:
    return {name: value for name, value in schema.items() if name != key}


def _merged(parts: list[Any], root: Any) -> Schema:
    merged: dict[str, Any] = {}
    for part in parts:
        found = {**_resolve(part["$ref"], root), **_without(part, "$ref")} if "$ref" in part else part
        for key, value in found.items():
            if key == "properties":
                merged[key] = {**merged.get(key, {}), **value}
            elif key == "required":
                merged[key] = [*merged.get(key, []), *value]
            else:
                merged[key] = value
    return merged


def _simplest(options: list[Any], seen: frozenset[str]) -> Any:
    """The option that nests least: ``null`` if allowed, then plain types, then what is new on this way."""

    def weight(option: Any) -> tuple[bool, bool, bool, int]:
        known = option if isinstance(option, Mapping) else {}
        nested = known.get("type") in ("object", "array", None)
        again = known.get("$ref") in seen
        return (known.get("type") != "null", nested, again, len(json.dumps(option, default=str)))

    return min(options, key=weight)
