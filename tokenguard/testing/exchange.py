"""One request as it was received, and the reply that it gets."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from tokenguard.testing.script import NO_FAULT, Fault

Json = dict[str, Any]

Outcome = Literal["pending", "answered", "closed by client", "broken off"]


@dataclass(slots=True, eq=False)
class Request:
    """A request as it came over the wire.

    Attributes:
        index: Its place in the order of arrival; the first is 0.
        method: In capitals.
        path: Percent-encoded as received, without the query.
        query: What stood behind ``?``, as received; ``""`` if nothing.
        headers: Names and values in the order and spelling received.
        body: The body without its transfer encoding, cut to what the provider keeps.
        body_size: The length of the whole body in bytes.
        body_sha256: The SHA-256 of the whole body, in hexadecimal.
        outcome: ``pending`` until the reply is out; ``closed by client`` if the client left before its
            end; ``broken off`` if a scripted fault ended it.
    """

    index: int
    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    body_size: int = 0
    outcome: Outcome = "pending"
    digest: str | None = field(default=None, repr=False)

    @property
    def body_sha256(self) -> str:
        """The SHA-256 of the whole body, in hexadecimal."""
        return self.digest or hashlib.sha256(self.body).hexdigest()

    @property
    def json(self) -> Any:
        """The body, decoded.

        Raises:
            ValueError: the body is not JSON, or was cut to what the provider keeps.
        """
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case; ``None`` if there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(slots=True)
class Reply:
    """What a request gets: a body in one piece, or the pieces of a stream.

    ``pieces`` are sent as one HTTP chunk each. ``fault`` says how sending goes wrong; faults in the
    content itself have been worked into it already.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    pieces: list[bytes] | None = None
    fault: Fault = NO_FAULT
