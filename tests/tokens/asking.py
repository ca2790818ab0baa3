"""Requests to count, and pictures whose files have a head and nothing else."""

from __future__ import annotations

import base64
import struct
from typing import Any

from tokenguard.anatomy import Anatomy, Message, Part
from tokenguard.call import Json
from tokenguard.dialects import anthropic_messages, openai_chat, openai_responses
from tokenguard.tokens.request import RequestCount, count_request

ANATOMIES = {
    "chat": ("openai", openai_chat.anatomy),
    "responses": ("openai", openai_responses.anatomy),
    "messages": ("anthropic", anthropic_messages.anatomy),
}


def taken_apart(kind: str, body: Json) -> tuple[Anatomy, str]:
    """A request's anatomy, and whose it is."""
    provider, anatomy = ANATOMIES[kind]
    return anatomy(body), provider


def counted(kind: str, model: str, **body: Any) -> RequestCount:
    """A request in one of three formats, counted."""
    anatomy, provider = taken_apart(kind, body)
    return count_request(anatomy, model, provider)


def said(text: str, model: str, provider: str = "openai") -> RequestCount:
    """A text from the user, counted as a request."""
    return count_request(one_message(text), model, provider)


def one_message(text: str) -> Anatomy:
    raw = {"role": "user", "content": text}
    return Anatomy(
        (Message("user", ("messages", 0), (Part("text", ("messages", 0, "content"), text),), raw),)
    )


def function(name: str, description: str = "", **properties: Json) -> Json:
    """A tool for chat completions that must have all of its arguments."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def flat(tool: Json) -> Json:
    """The same tool for responses."""
    return {"type": "function", **tool["function"]}


def png(width: int, height: int) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06\x00\x00\x00"
    )


def picture(width: int, height: int, detail: str = "auto") -> Json:
    """A picture for chat completions, of which there is the head."""
    url = "data:image/png;base64," + base64.b64encode(png(width, height)).decode()
    return {"type": "image_url", "image_url": {"url": url, "detail": detail}}


def claude_picture(width: int, height: int) -> Json:
    data = base64.b64encode(png(width, height)).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
