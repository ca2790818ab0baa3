"""The binary framing in which Amazon Bedrock streams.

Source: https://docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html: total length, length of
the headers, CRC-32 of these 8 bytes, headers, payload, CRC-32 of all before it; numbers are big-endian.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Final

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"

_STRING: Final = 7  # the type of a header whose value is a string


def chunk(payload: str) -> bytes:
    """A ``chunk`` event of Bedrock's response stream that carries ``payload``."""
    body = json.dumps({"bytes": base64.b64encode(payload.encode("utf-8", "replace")).decode()})
    return frame(
        {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}, body.encode()
    )


def exception(kind: str, message: str) -> bytes:
    """An exception inside the stream, e.g. ``throttlingException``."""
    return frame(
        {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"},
        json.dumps({"message": message}).encode(),
    )


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message with string headers."""
    packed = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", _STRING, len(value)) + value
