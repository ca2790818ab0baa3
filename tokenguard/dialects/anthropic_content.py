"""What a message of Anthropic's holds: blocks of content, nested as tools and documents nest them."""

from __future__ import annotations

from typing import Any, Final

from tokenguard.anatomy import Message, Part, Path, Role, Source, Tool
from tokenguard.call import Json
from tokenguard.dialects.pieces import (
    Reader,
    call,
    mark_last,
    media,
    strange_message,
    stranger,
    text_or_empty,
    texts,
    tool,
)
from tokenguard.dialects.words import NOT_WORDS

_ROLES: Final[dict[Any, Role]] = {"system": "system", "assistant": "assistant"}

_DEEPEST: Final = 24
"""Levels of JSON below which content is taken for unknown. A document in a fetched page is on the tenth."""


def message(raw: Any, path: Path) -> Message:
    """One message."""
    if not isinstance(raw, dict):
        return strange_message(raw, path)
    said, inner = raw.get("role"), raw.get("content")
    role = _ROLES.get(said, "user") if isinstance(said, str) else "user"
    parts: list[Part] = []
    content(inner, (*path, "content"), "content", parts)
    if role == "user" and isinstance(inner, list) and inner and all(map(_is_result, inner)):
        role = "tool"
    return Message(role, path, tuple(parts), raw)


def _is_result(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "tool_result"


def content(value: Any, path: Path, source: Source, parts: list[Part]) -> None:
    """Add a message's content: a text, or a list of blocks."""
    if isinstance(value, str):
        parts.append(Part("text", path, value, None, source))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            block(item, (*path, i), source, parts)
    elif value is not None:
        block(value, path, source, parts)


def block(value: Any, path: Path, source: Source, parts: list[Part]) -> None:
    """Add one block of content."""
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or len(path) > _DEEPEST:
        stranger(value, path, source, parts)
        return
    text = value.get("text")
    if kind == "text" and isinstance(text, str):
        marked = bool(value.get("cache_control"))
        parts.append(Part("text", (*path, "text"), text, None, source, "", marked))
        return
    before = len(parts)
    reader: Reader = _READERS.get(kind, stranger)
    reader(value, path, source, parts)
    if value.get("cache_control"):
        mark_last(parts, before)


def _image(value: Json, path: Path, source: Source, parts: list[Part]) -> None:
    inner = value.get("source")
    inner = inner if isinstance(inner, dict) else {}
    where = inner.get("url") or inner.get("file_id")
    parts.append(Part("image", path, "", media(inner.get("data"), where, inner.get("media_type")), source))


def _document(value: Json, path: Path, source: Source, parts: list[Part]) -> None:
    for key in ("title", "context"):
        texts(value.get(key), (*path, key), source, parts)
    inner = value.get("source")
    inner = inner if isinstance(inner, dict) else {}
    kind, data = inner.get("type"), inner.get("data")
    if kind == "text" and isinstance(data, str):
        parts.append(Part("text", (*path, "source", "data"), data, None, source))
    elif kind == "content":
        content(inner.get("content"), (*path, "source", "content"), source, parts)
    else:
        where = inner.get("url") or inner.get("file_id")
        parts.append(Part("file", path, "", media(data, where, inner.get("media_type")), source))


def _search_result(value: Json, path: Path, source: Source, parts: list[Part]) -> None:
    for key in ("title", "source"):
        texts(value.get(key), (*path, key), source, parts)
    content(value.get("content"), (*path, "content"), source, parts)


def _tool_use(value: Json, path: Path, source: Source, parts: list[Part]) -> None:  # noqa: ARG001
    call(value, path, "input", parts)


def _tool_result(value: Json, path: Path, source: Source, parts: list[Part]) -> None:  # noqa: ARG001
    content(value.get("content"), (*path, "content"), "tool_result", parts)


def _server_result(value: Json, path: Path, source: Source, parts: list[Part]) -> None:  # noqa: ARG001
    """What a tool of the provider's gave: blocks that are known, and much that only the provider reads."""
    _result(value.get("content"), (*path, "content"), parts)
    parts.append(Part("unseen", path, "", None, "tool_result"))


def _result(value: Any, path: Path, parts: list[Part]) -> None:
    if isinstance(value, list):
        for i, item in enumerate(value):
            _result(item, (*path, i), parts)
    elif not isinstance(value, dict) or len(path) > _DEEPEST:
        texts(value, path, "tool_result", parts)
    elif value.get("type") in ("text", "image", "document"):
        block(value, path, "tool_result", parts)
    else:
        for key, item in value.items():
            if key not in NOT_WORDS:
                _result(item, (*path, key), parts)


def _thinking(value: Json, path: Path, source: Source, parts: list[Part]) -> None:  # noqa: ARG001
    texts(value.get("thinking"), (*path, "thinking"), "reasoning", parts)


def _redacted(value: Json, path: Path, source: Source, parts: list[Part]) -> None:  # noqa: ARG001
    parts.append(Part("unseen", (*path, "data") if "data" in value else path, "", None, "reasoning"))


def _compaction(value: Json, path: Path, source: Source, parts: list[Part]) -> None:
    texts(value.get("content"), (*path, "content"), source, parts)
    if value.get("encrypted_content"):
        parts.append(Part("unseen", (*path, "encrypted_content"), "", None, source))


_READERS: Final[dict[str, Reader]] = {
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "compaction": _compaction,
    "server_tool_use": _tool_use,
    "mcp_tool_use": _tool_use,
    "mcp_tool_result": _tool_result,
    "web_search_tool_result": _server_result,
    "web_fetch_tool_result": _server_result,
    "code_execution_tool_result": _server_result,
    "bash_code_execution_tool_result": _server_result,
    "text_editor_code_execution_tool_result": _server_result,
    "tool_search_tool_result": _server_result,
    "advisor_tool_result": _server_result,
}


def tools(value: Any, path: Path) -> list[Tool]:
    """The tools in a list. Those with a type are the provider's: the request does not say what they are."""
    if not isinstance(value, list):
        return []
    return [
        tool(
            raw,
            (*path, i),
            raw,
            "input_schema",
            ours=raw.get("type") in (None, "custom"),
            marked=bool(raw.get("cache_control")),
        )
        for i, raw in enumerate(value)
        if isinstance(raw, dict)
    ]


def tool_choice(value: Any) -> str:
    """Which tool is to be called, as in :class:`~tokenguard.anatomy.Anatomy`."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "tool":
        return f"tool:{text_or_empty(value.get('name'))}"
    return "required" if kind == "any" else text_or_empty(kind)
