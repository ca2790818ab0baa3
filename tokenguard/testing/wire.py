"""What the wire formats share: the shape of an endpoint, and JSON and server-sent events as bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from tokenguard.testing.exchange import Json, Request
from tokenguard.testing.turn import Ask, InvalidRequestError, Turn

Family = Literal["openai", "anthropic"]

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

JSON_TYPE: Final = "application/json"
SSE_TYPE: Final = "text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of a provider's API.

    Attributes:
        dialect: The wire format, as rows of recorded answers name it.
        read: Makes out of a request what it asks. Raises ``InvalidRequestError``.
        body: The whole reply: an object, or bytes of ``bytes_type``.
        events: The reply as a stream, where the endpoint can stream.
        stream_type: The content type of ``events``.
        bytes_type: The content type of a ``body`` that is not an object.
        speaks: Whether the model says something, so that answers apply.
    """

    dialect: str
    read: Callable[[Request, Json], Ask]
    body: Callable[[Ask, Turn], Json | bytes]
    events: Callable[[Ask, Turn], list[bytes]] | None = None
    stream_type: str = SSE_TYPE
    bytes_type: str = "application/octet-stream"
    speaks: bool = True


def dumps(value: Any) -> str:
    """Compact JSON, with characters outside ASCII as they are."""
    return _encode(value)


def encode(value: Any) -> bytes:
    """Compact JSON as bytes; lone surrogates become question marks."""
    return _encode(value).encode("utf-8", "replace")


def data(text: str) -> bytes:
    """A server-sent event without a name, as OpenAI's chat completions are streamed."""
    return f"data: {text}\n\n".encode("utf-8", "replace")


def event(payload: Json) -> bytes:
    """A server-sent event named after its ``type``, as Anthropic and OpenAI's responses are streamed."""
    return f"event: {payload['type']}\ndata: {_encode(payload)}\n\n".encode("utf-8", "replace")


def whole_number(body: Json, *names: str) -> int | None:
    """The first of the fields that is there, checked.

    Raises:
        InvalidRequestError: it is not a number of at least 0.
    """
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if type(value) is not int or value < 0:
            raise InvalidRequestError(f"Invalid type for '{name}': expected an integer of at least 0.", name)
        return value
    return None


def required(body: Json, name: str, kind: type | tuple[type, ...]) -> Any:
    """A field that must be there and of that kind.

    Raises:
        InvalidRequestError: it is not.
    """
    value = body.get(name)
    if not isinstance(value, kind):
        problem = "Missing required parameter" if value is None else "Invalid type for"
        raise InvalidRequestError(f"{problem}: '{name}'.", name)
    return value
