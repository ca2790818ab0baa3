"""Split a byte stream into its events, without losing, adding or reordering a byte.

Two framings carry streamed answers: server-sent events (WHATWG HTML §9.2) and, on Bedrock, the AWS
event stream. Both splitters take chunks as they come from the network, cut anywhere, and give back
whole events with the exact bytes each was made of; what is not yet whole waits in ``rest``.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from tokenguard.wire_json import decoded

# A CR that the next chunk may turn into CR LF ends nothing, unless another CR stands before it: what is
# found never depends on where the chunks were cut.
_BLANK_LINE: Final = re.compile(rb"\n(?:\r?\n|\r(?=[^\n]))|\r\r")
_LINE: Final = re.compile(rb"\r\n|\n|\r")
_USUAL: Final = re.compile(rb"(?:event: (.*)\n)?data: (.*)\n\n")
"""An event as providers write it, where it has no CR."""


class Event(NamedTuple):
    """One event: its bytes, its name (``None`` if it has none), and its data."""

    raw: bytes
    name: str | None
    data: bytes


class Splitter(Protocol):
    """Cuts a stream into events."""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Take a chunk; give the events that are now whole."""
        ...

    @property
    def waits(self) -> bool:
        """Whether there is an event that is not yet whole."""
        ...

    @property
    def rest(self) -> bytes:
        """The bytes of the event that is not yet whole."""
        ...


class ServerSentEvents:
    """Splits ``text/event-stream``, with LF, CR LF or CR as line ends."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._has_cr = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Take a chunk; give the events that are now whole."""
        buffer = self._buffer
        self._has_cr = self._has_cr or b"\r" in chunk
        if buffer:
            searched = max(0, len(buffer) - 3)  # a blank line may straddle two chunks
            buffer += chunk
            if not self._after_blank_line(buffer, searched):
                return
            chunk = bytes(buffer)
            buffer.clear()
        start = 0
        while end := self._after_blank_line(chunk, start):
            raw = chunk[start:end]
            start = end
            yield _parse(raw)
        buffer += chunk[start:]

    def _after_blank_line(self, buffer: bytes | bytearray, start: int) -> int:
        """Where the first blank line ends; 0 if there is none. Without a CR, two LF are the only one."""
        if self._has_cr:
            match = _BLANK_LINE.search(buffer, start)
            return match.end() if match else 0
        place = buffer.find(b"\n\n", start)
        return place + 2 if place >= 0 else 0

    @property
    def waits(self) -> bool:
        """Whether there is an event that is not yet whole."""
        return bool(self._buffer)

    @property
    def rest(self) -> bytes:
        """The bytes of the event that is not yet whole."""
        return bytes(self._buffer)


def _parse(raw: bytes) -> Event:
    """Read an event's name and data. The usual event takes no loop."""
    name: str | None = None
    usual = _USUAL.fullmatch(raw)
    if usual and b"\r" not in raw:
        if usual[1] is not None:
            name = usual[1].decode("utf-8", "replace")
        return Event(raw, name, usual[2])
    data: list[bytes] = []
    for line in _LINE.split(raw):
        field, _, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return Event(raw, name, b"\n".join(data))


_PRELUDE: Final = 12  # total length, headers length, checksum of these two
_CHECKSUM: Final = 4


class AwsEventStream:
    """Splits ``application/vnd.amazon.eventstream`` and unwraps the event in each message.

    Framing: docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html. Checksums are left
    to the SDK, which refuses a message that fails them.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Take a chunk; give the messages that are now whole."""
        buffer = self._buffer
        buffer += chunk
        while len(buffer) >= _PRELUDE:
            length = int.from_bytes(buffer[:4])
            if not _PRELUDE + _CHECKSUM <= length <= len(buffer):
                return  # not whole yet, or not an event stream: then nothing can be read of it
            raw = bytes(buffer[:length])
            del buffer[:length]
            headers = int.from_bytes(raw[4:8])
            wrong = _exception(raw[_PRELUDE : _PRELUDE + headers])
            yield Event(raw, None, wrong or _unwrap(raw[_PRELUDE + headers : -_CHECKSUM]))

    @property
    def waits(self) -> bool:
        """Whether there is a message that is not yet whole."""
        return bool(self._buffer)

    @property
    def rest(self) -> bytes:
        """The bytes of the message that is not yet whole."""
        return bytes(self._buffer)


_EXCEPTION: Final = b"\x0f:exception-type\x07"  # the name's length, the name, the type of a string


def _exception(headers: bytes) -> bytes | None:
    """An exception's message as the error event that Anthropic itself would send; ``None`` for others."""
    _, found, rest = headers.partition(_EXCEPTION)
    if not found:
        return None
    kind = rest[2 : 2 + int.from_bytes(rest[:2])].decode("utf-8", "replace")
    return json.dumps({"type": "error", "error": {"type": kind}}).encode()


def _unwrap(payload: bytes) -> bytes:
    """The event inside a Bedrock message: base64 in a field of a JSON object."""
    try:
        return base64.b64decode(decoded(payload)["bytes"])
    except (KeyError, TypeError, ValueError):
        return payload
