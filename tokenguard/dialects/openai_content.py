"""What OpenAI's formats have in common within a request: pieces of content, tools, the answer's schema."""

from __future__ import annotations

from typing import Any, Final

from tokenguard.anatomy import Anatomy, Message, Part, Path, Source, Tool
from tokenguard.call import Json
from tokenguard.dialects.pieces import Reader, media, strange_message, stranger, text_or_empty, tool

_TEXTS: Final = {
    "text": "text",
    "input_text": "text",
    "output_text": "text",
    "summary_text": "text",
    "reasoning_text": "text",
    "refusal": "refusal",
}
"""Under which key a block of text has it."""


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
    if not isinstance(kind, str):
        stranger(value, path, source, parts)
    elif kind in _TEXTS:
        key = _TEXTS[kind]
        text = value.get(key)
        if isinstance(text, str):
            parts.append(Part("text", (*path, key), text, None, source, "", _marked(value)))
        else:
            stranger(value, path, source, parts)
    else:
        reader: Reader = _READERS.get(kind, stranger)
        reader(value, path, source, parts)


def _marked(value: Json) -> bool:
    return bool(value.get("prompt_cache_breakpoint") or value.get("cache_control"))


def _image(value: Json, path: Path, source: Source, parts: list[Part]) -> None:
    where = value.get("image_url")
    inner = where if isinstance(where, dict) else {"url": where}
    url = inner.get("url") or value.get("file_id")
    detail = inner.get("detail") or value.get("detail")
    parts.append(Part("image", path, "", media(None, url, "", detail), source, "", _marked(value)))


def _audio(value: Json, path: Path, source: Source, parts: list[Part]) -> None:
    sound = value.get("input_audio")
    sound = sound if isinstance(sound, dict) else {}
    kind = text_or_empty(sound.get("format"))
    found = media(sound.get("data"), None, f"audio/{kind}" if kind else "")
    parts.append(Part("audio", path, "", found, source, "", _marked(value)))


def _file(value: Json, path: Path, source: Source, parts: list[Part]) -> None:
    inner = value.get("file")
    inner = inner if isinstance(inner, dict) else value
    where = inner.get("file_url") or inner.get("file_id")
    found = media(inner.get("file_data"), where, "", inner.get("detail"))
    name = text_or_empty(inner.get("filename"))
    parts.append(Part("file", path, "", found, source, name, _marked(value)))


_READERS: Final[dict[str, Reader]] = {
    "image_url": _image,
    "input_image": _image,
    "computer_screenshot": _image,
    "input_audio": _audio,
    "file": _file,
    "input_file": _file,
}


def tools(value: Any, path: Path) -> list[Tool]:
    """The tools in a list, as chat completions and as responses have them. What is no object is none."""
    if not isinstance(value, list):
        return []
    found = []
    for i, raw in enumerate(value):
        if isinstance(raw, dict):
            found += _tool(raw, (*path, i))
    return found


def _tool(raw: Json, path: Path) -> list[Tool]:
    kind = raw.get("type")
    if kind in ("function", "custom"):
        inner = raw.get(kind)  # chat completions put it one level down
        return [tool(raw, path, inner if isinstance(inner, dict) else raw, "parameters")]
    of_provider = tool(raw, path, raw, "parameters", ours=False)
    return [of_provider, *tools(raw.get("tools"), (*path, "tools"))]  # those of a namespace


def tool_choice(value: Any) -> str:
    """Which tool is to be called, as in :class:`~tokenguard.anatomy.Anatomy`."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return ""
    allowed = value.get("allowed_tools")
    mode = (allowed if isinstance(allowed, dict) else value).get("mode")
    if isinstance(mode, str):
        return mode
    inner = value.get("function") or value.get("custom")
    name = (inner if isinstance(inner, dict) else value).get("name") or value.get("type")
    return f"tool:{name}" if isinstance(name, str) else ""


def inputs(body: Json, *names: str) -> Anatomy:
    """The anatomy of a request whose input stands under these names: each a text, or a list of texts.

    A list is one message with a part for each text. Lists of tokens are ``unseen``.
    """
    messages = []
    for name in names:
        value, path = body.get(name), (name,)
        if isinstance(value, str):
            messages.append(Message("user", path, (Part("text", path, value),), value))
        elif isinstance(value, list) and value:
            messages.append(Message("user", path, _inputs(value, path), value))
        elif value:
            messages.append(strange_message(value, path))
    return Anatomy(tuple(messages))


def _inputs(value: list[Any], path: Path) -> tuple[Part, ...]:
    if isinstance(value[0], int):  # one text, as tokens
        return (Part("unseen", path),)
    parts: list[Part] = []
    for i, one in enumerate(value):
        if isinstance(one, str):
            parts.append(Part("text", (*path, i), one))
        else:
            stranger(one, (*path, i), "content", parts)
    return tuple(parts)
