"""Tools, as every wire format writes them: where in one its description and its schema stand."""

from __future__ import annotations

from typing import Final

from tokenguard.anatomy import Path, Tool
from tokenguard.call import Json

_INNER: Final = ("function", "custom")
_SCHEMAS: Final = ("parameters", "input_schema")


def description_path(tool: Tool) -> Path:
    """Where in a tool its description stands, from the tool down."""
    return (*_definition(tool)[0], "description")


def schema_path(tool: Tool) -> Path:
    """Where in a tool its schema stands, from the tool down; ``()`` where it has none."""
    above, definition = _definition(tool)
    return next(((*above, key) for key in _SCHEMAS if definition.get(key) is tool.schema), ())


def _definition(tool: Tool) -> tuple[Path, Json]:
    """Chat completions put a tool one level down."""
    for key in _INNER:
        definition = tool.raw.get(key)
        if isinstance(definition, dict):
            return (key,), definition
    return (), tool.raw
