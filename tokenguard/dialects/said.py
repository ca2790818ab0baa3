"""What an answer says to the user and whether it calls tools, from a whole reply or from all its events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from tokenguard.call import Json
from tokenguard.dialects.dialect import details, items, optional_int

_TOOL_ITEMS: Final = ("function_call", "custom_tool_call", "computer_call", "local_shell_call")
_TOOL_BLOCKS: Final = ("tool_use",)


class Said(NamedTuple):
    """The text for the user, refusals and reasoning left out, and whether the user's tools are called."""

    text: str = ""
    calls_tools: bool = False
    ended: bool = True
    """Whether it says that it is over, where its format has a word for that."""


def said(dialect: str, documents: Iterable[Json]) -> Said:
    """What an answer says.

    Args:
        dialect: The name of its format, such as ``openai.chat``.
        documents: The whole reply, or its events in order.
    """
    return _together(parts(dialect, documents))


def parts(dialect: str, documents: Iterable[Json]) -> list[Said]:
    """What each part of an answer says that should say something.

    Of a chat these are its choices, of a response the messages and calls among its items; a message of
    Anthropic's is one.

    Args:
        dialect: The name of its format.
        documents: The whole reply, or its events in order.
    """
    read = _READERS.get(dialect)
    if read is None:
        return []
    found: dict[int, list[Said]] = {}
    for document in documents:
        for number, piece in read(document):
            found.setdefault(number, []).append(piece)
    return [_together(pieces) for pieces in found.values()]


def _together(pieces: list[Said]) -> Said:
    return Said(
        "".join(piece.text for piece in pieces),
        any(piece.calls_tools for piece in pieces),
        any(piece.ended for piece in pieces),
    )


_Numbered = Iterable[tuple[int, Said]]


def _of_chat(document: Json) -> _Numbered:
    for place, choice in enumerate(items(document, "choices")):
        message = choice.get("message") or choice.get("delta") or choice
        message = message if isinstance(message, dict) else {}
        calls = bool(message.get("tool_calls") or message.get("function_call"))
        text = _text(message.get("content") or message.get("text"))
        number = optional_int(choice, "index")
        yield place if number is None else number, Said(text, calls, bool(choice.get("finish_reason")))


def _of_responses(document: Json) -> _Numbered:
    # Of a stream, the last event has it all again.
    if str(document.get("type", "")).startswith("response."):
        if document["type"] not in ("response.completed", "response.incomplete", "response.failed"):
            return
        document = details(document, "response")
    for place, item in enumerate(items(document, "output")):
        calls, ended = item.get("type") in _TOOL_ITEMS, item.get("status") in (None, "completed")
        if calls or item.get("type") == "message":
            yield place, Said(_text(item.get("content")), calls, ended)


def _of_messages(document: Json) -> _Numbered:
    for block in (*items(document, "content"), details(document, "content_block")):
        text = block.get("text") if block.get("type") == "text" else ""
        yield 0, Said(_text(text), block.get("type") in _TOOL_BLOCKS)
    yield 0, Said(_text(details(document, "delta").get("text")))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return ""


_READERS: Final[dict[str, Callable[[Json], _Numbered]]] = {
    "openai.chat": _of_chat,
    "openai.completions": _of_chat,
    "openai.responses": _of_responses,
    "anthropic.messages": _of_messages,
}
