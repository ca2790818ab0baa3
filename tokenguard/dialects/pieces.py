"""The pieces that every wire format has, for taking requests apart: texts, calls, media, tools.

This runs on every call, so it makes tuples and looks at nothing twice; and whatever a body has in place of
what its format says, nothing here raises: what is not understood is a text, or ``unseen``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from tokenguard.anatomy import Media, Message, Part, Path, Source, Tool
from tokenguard.call import Json
from tokenguard.dialects.words import NOT_WORDS

Reader = Callable[[Json, Path, Source, list[Part]], None]
"""Adds what a block of content has to a list of parts, given where it stands and who made it."""

_DEEPEST: Final = 40
"""Levels of JSON below which nothing is looked at. No format needs half of them."""

_DATA_URL: Final = re.compile(r"data:([^,;]*)[^,]*;base64,", re.I)
_HEAD: Final = 256
"""Within so many characters a ``data:`` URL says what it is."""


def texts(value: Any, path: Path, source: Source, parts: list[Part]) -> None:
    """All texts in a value of whatever form, told from marks and ids by their keys."""
    if isinstance(value, str):
        if value.startswith(("data:", "DATA:")) and _DATA_URL.match(value, 0, _HEAD):
            parts.append(Part("file", path, "", media(value, None), source))
        else:
            parts.append(Part("text", path, value, None, source))
    elif not isinstance(value, list | dict):
        return
    elif len(path) >= _DEEPEST:
        parts.append(Part("unseen", path))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            texts(item, (*path, i), source, parts)
    else:
        for key, item in value.items():
            if key not in NOT_WORDS:
                texts(item, (*path, key), source, parts)


def stranger(block: Any, path: Path, source: Source, parts: list[Part]) -> None:
    """What no reader knows: its texts, and that the provider may make something else of it."""
    texts(block, path, source, parts)
    if isinstance(block, dict | list):
        parts.append(Part("unseen", path, "", None, source))


def strange_message(value: Any, path: Path) -> Message:
    """What stands where a message should."""
    parts: list[Part] = []
    texts(value, path, "content", parts)
    return Message("user", path, tuple(parts), value)


def call(block: Json, path: Path, key: str, parts: list[Part], name: Any = None) -> None:
    """A tool's call, whose arguments are under ``key``: a text, or an object, which is sent as JSON."""
    name = text_or_empty(block.get("name") if name is None else name)
    arguments = block.get(key)
    if isinstance(arguments, str):
        parts.append(Part("text", (*path, key), arguments, None, "tool_call", name))
    elif arguments is None:
        parts.append(Part("text", path, "", None, "tool_call", name))
    else:
        try:
            parts.append(Part("text", (*path, key), _as_json(arguments), None, "tool_call", name))
        except (TypeError, ValueError, RecursionError):  # no JSON, or nested beyond all reason
            parts.append(Part("unseen", (*path, key), "", None, "tool_call", name))


_as_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def media(data: Any, url: Any, media_type: Any = "", detail: Any = "") -> Media:
    """A picture, sound or document: what the request has of it, else where it is.

    Args:
        data: It, in base64 or as a ``data:`` URL.
        url: Where it is, or a ``data:`` URL.
        media_type: What it is, where the request says that apart.
        detail: How closely to look.
    """
    said = text_or_empty(media_type), text_or_empty(detail)
    text = data if isinstance(data, str) else text_or_empty(url)
    head = _DATA_URL.match(text, 0, _HEAD)
    if head:
        return Media(text, "", said[0] or head[1].lower(), said[1], head.end())
    return Media(text, "", *said) if text is data else Media("", text, *said)


def tool(
    raw: Json, path: Path, definition: Json, schema: str, *, ours: bool = True, marked: bool = False
) -> Tool:
    """A tool, whose name and description are in ``definition``, and its schema there under a key."""
    parameters = definition.get(schema)
    name = definition.get("name") if ours else raw.get("type")
    return Tool(
        text_or_empty(name),
        path,
        raw,
        text_or_empty(definition.get("description")),
        parameters if isinstance(parameters, dict) else {},
        ours,
        marked,
    )


def mark_last(parts: list[Part], since: int) -> None:
    """Mark the last of the parts that were added since there were so many."""
    if len(parts) > since:
        parts[-1] = parts[-1]._replace(marked=True)


def text_or_empty(value: Any) -> str:
    """A string from a request; empty where there is something else."""
    return value if isinstance(value, str) else ""


def nested(body: Json, *keys: str) -> Any:
    """The value under keys, one below the other; ``None`` where there is none."""
    value: Any = body
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
