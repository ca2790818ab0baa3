"""The JSON Schema of ``tokenguard.toml``, for editors.

Draft 7, with ``definitions``: what TOML language servers (taplo, Even Better TOML, Tombi) all read.
"""

from __future__ import annotations

from typing import Any

from tokenguard.config.models import Configuration


def json_schema() -> dict[str, Any]:
    """The schema of the file, or of ``[tool.tokenguard]``."""
    made = _for_toml(Configuration.model_json_schema(ref_template="#/definitions/{model}"))
    definitions = made.pop("$defs")
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **made,
        "title": "tokenguard",
        "definitions": definitions,
    }


def _for_toml(node: Any) -> Any:
    """Without ``null``, which TOML has not, and without pydantic's titles, which only repeat the key."""
    if isinstance(node, list):
        return [_for_toml(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _for_toml(value) for key, value in node.items() if not _is_noise(key, value)}
    choices = [choice for choice in node.pop("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        return {**choices[0], **node}
    return {"anyOf": choices, **node} if choices else node


def _is_noise(key: str, value: Any) -> bool:
    return value is None or (key == "title" and isinstance(value, str))
