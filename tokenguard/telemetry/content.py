"""Prompts and answers on spans, for those who turned that on, in the shape that the conventions give them.

Shapes: gen-ai-input-messages.json, gen-ai-output-messages.json and gen-ai-system-instructions.json of
open-telemetry/semantic-conventions-genai. Images, audio and files are named, never carried along.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from tokenguard.call import Attempt, Json
from tokenguard.dialects.words import made_text
from tokenguard.telemetry import semconv as sc

_CONVERSATIONS: Final = frozenset({"chat", "text_completion"})
_TEXTS: Final = ("text", "input_text", "output_text")


def content_attributes(attempt: Attempt) -> dict[str, str]:
    """What a conversation said, as JSON strings: input messages, system instructions, output messages."""
    call = attempt.call
    if call.operation not in _CONVERSATIONS:
        return {}
    body = call.body or {}
    said = {
        sc.INPUT_MESSAGES: list(_messages(body)),
        sc.SYSTEM_INSTRUCTIONS: list(_parts(body.get("system") or body.get("instructions"))),
        sc.OUTPUT_MESSAGES: list(_answer(attempt)),
    }
    return {name: json.dumps(value) for name, value in said.items() if value}


def _answer(attempt: Attempt) -> Iterator[Json]:
    answered = attempt.answered
    if answered.text:
        reason = answered.finish_reasons[0] if answered.finish_reasons else "error"
        yield {"role": "assistant", "parts": [_text(answered.text)], "finish_reason": reason}


def _messages(body: Json) -> Iterator[Json]:
    """The messages of a request: ``messages`` (chat, Anthropic), ``input`` (responses) or ``prompt``."""
    given = body.get("messages") or body.get("input") or body.get("prompt")
    for item in given if isinstance(given, list) else [given]:
        if isinstance(item, str):
            yield {"role": "user", "parts": [_text(item)]}
        elif isinstance(item, dict):
            yield _message(item)


def _message(item: Json) -> Json:
    kind = item.get("type")
    if kind in ("function_call", "custom_tool_call"):
        arguments = item.get("arguments") or item.get("input")
        return {
            "role": "assistant",
            "parts": [_tool_call(item.get("call_id"), item.get("name"), arguments)],
        }
    if kind in ("function_call_output", "custom_tool_call_output"):
        return {"role": "tool", "parts": [_tool_response(item.get("call_id"), item.get("output"))]}
    role = str(item.get("role") or "assistant")
    if role == "tool":
        return {"role": role, "parts": [_tool_response(item.get("tool_call_id"), item.get("content"))]}
    parts = [*_parts(item.get("content", [item])), *_tool_calls(item)]
    return {"role": role, "parts": parts}


def _tool_calls(message: Json) -> Iterator[Json]:
    for tool in message.get("tool_calls") or ():
        called = tool.get("function") or tool.get("custom") or {}
        yield _tool_call(tool.get("id"), called.get("name"), called.get("arguments") or called.get("input"))


def _parts(content: Any) -> Iterator[Json]:
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            yield _text(part)
        elif isinstance(part, dict):
            yield _part(part)


def _part(part: Json) -> Json:
    kind = str(part.get("type") or "unknown")
    if kind in _TEXTS:
        return _text(part.get("text"))
    if kind == "refusal":
        return _text(part.get("refusal"))
    if kind == "thinking":
        return {"type": "reasoning", "content": str(part.get("thinking") or "")}
    if kind == "reasoning":
        words = made_text({"content": [part.get("summary"), part.get("content")]})
        return {"type": "reasoning", "content": words}
    if kind == "tool_use":
        return _tool_call(part.get("id"), part.get("name"), part.get("input"))
    if kind == "tool_result":
        return _tool_response(part.get("tool_use_id"), part.get("content"))
    return _media(kind, part)


def _media(kind: str, part: Json) -> Json:
    """An image or anything else: its address if it has one, else only that it was there."""
    held = part.get("image_url") or part.get("source")
    address = held.get("url") if isinstance(held, dict) else held
    if isinstance(address, str) and not address.startswith("data:"):
        return {"type": "uri", "modality": "document" if kind == "document" else "image", "uri": address}
    return {"type": kind}


def _text(text: Any) -> Json:
    return {"type": "text", "content": str(text or "")}


def _tool_call(called: Any, name: Any, arguments: Any) -> Json:
    if isinstance(arguments, str):
        with suppress(ValueError, RecursionError):  # else they stay the words that the model wrote
            arguments = json.loads(arguments)
    return {"type": "tool_call", "id": called, "name": str(name or ""), "arguments": arguments}


def _tool_response(called: Any, content: Any) -> Json:
    response = content if isinstance(content, str) else made_text({"content": content})
    return {"type": "tool_call_response", "id": called, "response": response}
