"""Reading HTTP/1.1 requests: the head into a request, and the body as its framing says."""

from __future__ import annotations

import hashlib
from typing import Final

from tokenguard.testing.exchange import Request

MAX_HEAD: Final = 64 * 1024
KEPT_OF_UPLOADS: Final = 1024 * 1024
"""Of a body that is not JSON, this much is kept; the rest is counted, hashed and let go."""


class BadRequestError(Exception):
    """What came is not HTTP/1.1, or more of it than we take."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Framing:
    """How the body of a request is delimited, and what else its head says about the connection."""

    __slots__ = ("chunked", "expects_continue", "is_json", "keep_alive", "length")

    def __init__(self, version: str) -> None:
        self.length = 0
        self.chunked = False
        self.is_json = False
        self.expects_continue = False
        self.keep_alive = version == "HTTP/1.1"

    def note(self, name: str, value: str) -> None:
        """Take in one header; ``name`` is in lower case."""
        if name == "content-length":
            if not value.isdecimal():
                raise BadRequestError(400, f"content-length is {value!r}")
            self.length = int(value)
        elif name == "transfer-encoding":
            self.chunked = value.lower().endswith("chunked")
        elif name == "content-type":
            self.is_json = value.lower().startswith("application/json")
        elif name == "connection":
            self.keep_alive = "close" not in value.lower()
        elif name == "expect":
            self.expects_continue = value.lower() == "100-continue"


def parse_head(head: str) -> tuple[Request, Framing]:
    """The request line and headers of a request, without the empty line after them.

    Raises:
        BadRequestError: they are not those of an HTTP/1.1 request.
    """
    lines = head.split("\r\n")
    try:
        method, target, version = lines[0].split(" ")
    except ValueError:
        raise BadRequestError(400, f"not a request line: {lines[0][:80]!r}") from None
    framing = Framing(version)
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequestError(400, f"not a header: {line[:80]!r}")
        value = value.strip()
        headers.append((name, value))
        framing.note(name.lower(), value)
    path, _, query = target.partition("?")
    return Request(-1, method, path, query, headers), framing


class Body:
    """The body of one request while it comes in. JSON is kept whole, uploads only in part."""

    __slots__ = ("_digest", "_framing", "_kept", "_left", "_size", "_trailer")

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._left = 0 if framing.chunked else framing.length
        self._kept = bytearray()
        self._size = 0
        self._digest = None if framing.is_json else hashlib.sha256()
        self._trailer = False

    def take(self, buffer: bytearray) -> bool:
        """Take what is there out of ``buffer``; whether the body is complete."""
        if self._framing.chunked:
            return self._take_chunks(buffer)
        self._take_data(buffer)
        return self._left == 0

    def give_to(self, request: Request) -> None:
        """Hand the complete body over."""
        request.body = bytes(self._kept)
        request.body_size = self._size
        if self._digest is not None and self._size > len(self._kept):
            request.digest = self._digest.hexdigest()

    def _take_data(self, buffer: bytearray) -> None:
        if not self._left or not buffer:
            return
        data = buffer[: self._left]
        del buffer[: self._left]
        self._left -= len(data)
        self._size += len(data)
        if self._digest is None:
            self._kept += data
        else:
            self._digest.update(data)
            self._kept += data[: max(0, KEPT_OF_UPLOADS - len(self._kept))]

    def _take_chunks(self, buffer: bytearray) -> bool:
        while True:
            self._take_data(buffer)
            if self._left:
                return False
            end = buffer.find(b"\r\n")
            if end < 0:
                return False
            line = bytes(buffer[:end])
            del buffer[: end + 2]
            if self._trailer and not line:
                return True
            if line and not self._trailer:  # an empty line ends the chunk before
                try:
                    self._left = int(line.split(b";")[0], 16)
                except ValueError:
                    raise BadRequestError(400, f"not a chunk size: {line[:80]!r}") from None
                self._trailer = self._left == 0
