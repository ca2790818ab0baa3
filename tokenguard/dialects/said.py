"""What an answer says to the user and whether it calls tools, from a whole reply or from all its events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from tokenguard.call import Json
from tokenguard.dialects.dialect import details, items

_TOOL_ITEMS: Final = ("function_call", "custom_tool_call", "computer_call", "local_shell_call")
_TOOL_BLOCKS: Final = ("tool_use",)


class Said(NamedTuple):
    """The text for the user, refusals and reasoning left out, and whether the user's tools are called."""

    text: str = ""
    calls_tools: bool = False


def said(dialect: str, documents: Iterable[Json]) -> Said:
    """What an answer says.

    Args:
        dialect: The name of its format, such as ``openai.chat``.
        documents: The whole reply, or its events in order.
    """
    read = _READERS.get(dialect)
    if read is None:
        return Said()
    parts = [part for document in documents for part in read(document)]
    return Said("".join(part.text for part in parts), any(part.calls_tools for part in parts))


def _of_chat(document: Json) -> Iterable[Said]:
    for choice in items(document, "choices"):
        message = choice.get("message") or choice.get("delta") or choice
        if isinstance(message, dict):
            calls = bool(message.get("tool_calls") or message.get("function_call"))
            yield Said(_text(message.get("content") or message.get("text")), calls)


def _of_responses(document: Json) -> Iterable[Said]:
    # Of a stream, the last event has it all again.
    if str(document.get("type", "")).startswith("response."):
        if document["type"] not in ("response.completed", "response.incomplete", "response.failed"):
            return
        document = details(document, "response")
    for item in items(document, "output"):
        yield Said(_text(item.get("content")), item.get("type") in _TOOL_ITEMS)


def _of_messages(document: Json) -> Iterable[Said]:
    for block in (*items(document, "content"), details(document, "content_block")):
        text = block.get("text") if block.get("type") == "text" else ""
        yield Said(_text(text), block.get("type") in _TOOL_BLOCKS)
    yield Said(_text(details(document, "delta").get("text")))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return ""


_READERS: Final = {
    "openai.chat": _of_chat,
    "openai.completions": _of_chat,
    "openai.responses": _of_responses,
    "anthropic.messages": _of_messages,
}
