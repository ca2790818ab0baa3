"""The smallest answer that a JSON schema allows: below its length, every answer is cut off."""

from __future__ import annotations

import json
from typing import Any, Final

from tokenguard.call import Json

_DEEPEST: Final = 24
_MOST: Final = 100_000
"""Characters from which on it does not matter how many more there are."""

_WORDS: Final = {"boolean": "true", "null": "null"}
_FORMATS: Final = {
    "date-time": "2000-01-01T00:00:00Z",
    "date": "2000-01-01",
    "time": "00:00:00Z",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "a@b.c",
    "ipv4": "1.1.1.1",
}


def smallest(schema: Json) -> str:
    """About the shortest JSON, without whitespace, that a schema allows.

    Where a schema says more than is understood here (patterns, conditions), it is shorter than that.
    """
    return _Smallest(schema).value(schema, 0)


class _Smallest:
    """Looks through one schema; what is referred to in several places is looked at once."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._known: dict[str, str] = {}

    def value(self, schema: Any, depth: int) -> str:
        if not isinstance(schema, dict) or depth > _DEEPEST:
            return "0"
        if "$ref" in schema:
            return self._referred(str(schema["$ref"]), depth)
        if "const" in schema:
            return _dump(schema["const"])
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return min((_dump(value) for value in schema["enum"]), key=len)
        options = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(options, list) and options:
            return min((self.value(option, depth + 1) for option in options), key=len)
        kind = schema.get("type")
        if isinstance(kind, list):
            return min((self._of_type(one, schema, depth) for one in kind), key=len, default="0")
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else ""
        return self._of_type(kind, schema, depth)

    def _of_type(self, kind: Any, schema: Json, depth: int) -> str:
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind == "string":
            like = _FORMATS.get(str(schema.get("format")), "")
            return f'"{like.ljust(min(_whole(schema.get("minLength")), _MOST), "a")}"'
        if kind in ("integer", "number"):
            least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            return str(int(least)) if isinstance(least, int | float) and 0 < least < 2**63 else "0"
        return _WORDS.get(kind, "0") if isinstance(kind, str) else "0"

    def _object(self, schema: Json, depth: int) -> str:
        properties, required = schema.get("properties"), schema.get("required")
        if not isinstance(properties, dict) or not isinstance(required, list):
            return "{}"
        fields, length = [], 0
        for name in required:
            if isinstance(name, str) and length < _MOST:
                fields.append(f"{_dump(name)}:{self.value(properties.get(name), depth + 1)}")
                length += len(fields[-1])
        return "{" + ",".join(fields) + "}"

    def _array(self, schema: Json, depth: int) -> str:
        n, first = _whole(schema.get("minItems")), schema.get("prefixItems")
        items = [self.value(one, depth + 1) for one in first[:n]] if isinstance(first, list) else []
        if n > len(items):
            other = self.value(schema.get("items"), depth + 1)
            items += [other] * min(n - len(items), _MOST // len(other) + 1)
        return "[" + ",".join(items) + "]"

    def _referred(self, ref: str, depth: int) -> str:
        """What a reference allows: nothing to speak of, where it leads nowhere or in a circle."""
        if ref not in self._known:
            self._known[ref] = "0"  # until it is known: for what contains itself
            self._known[ref] = self.value(self._target(ref), depth + 1)
        return self._known[ref]

    def _target(self, ref: str) -> Any:
        value: Any = self._root if ref.startswith("#") else None
        for key in ref[1:].split("/")[1:]:
            value = value.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(value, dict) else None
        return value


def _whole(value: Any) -> int:
    """A length from a schema; 0 where it is none."""
    return max(0, value) if isinstance(value, int) else 0


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
