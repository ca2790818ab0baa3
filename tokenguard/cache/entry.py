"""An answer that is kept: its bytes as they came, and what a receipt needs to know of it.

Written down it is bytes with a seal: whoever has not the store's secret cannot make one, change one, or put
one under another key. What does not open is a miss.
"""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple

from tokenguard.call import Answered, Meter, Usage
from tokenguard.wire_json import decoded, encoded

_MAGIC: Final = b"tgc1"
_SEAL: Final = 32  # bytes of an HMAC-SHA256


class Entry(NamedTuple):
    """An answer.

    Attributes:
        key: See :mod:`tokenguard.cache.key`.
        stored_ns: When it came, Unix nanoseconds.
        expires_ns: When it is stale.
        status: Its HTTP status.
        content_type: Its ``content-type``.
        body: Its body without ``content-encoding``, byte for byte as the caller saw it.
        answered: What it says of itself.
        request_id: The provider's id for the request that it answered.
        dialect: Its format.
        model: The model asked for.
        namespace: Who may have it.
        tags: What it can be invalidated by.
        epoch: How often all in the namespace had been given up when it was asked for.
    """

    key: str
    stored_ns: int
    expires_ns: int
    status: int
    content_type: str
    body: bytes
    answered: Answered
    request_id: str | None
    dialect: str
    model: str
    namespace: str
    tags: tuple[str, ...] = ()
    epoch: int = 0

    @property
    def streams(self) -> bool:
        """Whether it is a stream of events."""
        return self.content_type.startswith(("text/event-stream", "application/vnd.amazon.eventstream"))

    @property
    def refuses(self) -> bool:
        """Whether it is a refusal (4xx) and no answer."""
        return self.status >= 400

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return len(self.body) + 2048


def sealed(entry: Entry, secret: bytes) -> bytes:
    """An entry as bytes."""
    answered, usage = entry.answered, entry.answered.usage
    facts = entry._asdict() | {
        "body": None,
        "answered": answered._replace(usage=None, text="")._asdict(),
        "usage": usage
        and [
            {meter.value: n for meter, n in usage.meters.items()},
            usage.reasoning,
            usage.total,
            usage.raw,
            usage.estimated,
        ],
    }
    head = encoded(facts)
    plain = b"".join((_MAGIC, len(head).to_bytes(4, "big"), head, entry.body))
    return plain + hmac.digest(secret, plain, "sha256")


def opened(blob: bytes, key: str, secret: bytes) -> Entry:
    """The entry in bytes from a store.

    Raises:
        ValueError: It was not sealed with this secret for this key: it is damaged, or somebody's forgery.
    """
    plain, seal = blob[:-_SEAL], blob[-_SEAL:]
    if not hmac.compare_digest(seal, hmac.digest(secret, plain, "sha256")):
        raise ValueError("the seal is broken")
    if plain[:4] != _MAGIC:
        raise ValueError("it is of another version")
    start = 8 + int.from_bytes(plain[4:8], "big")
    facts = decoded(plain[8:start])
    usage, answered = facts.pop("usage"), facts["answered"]
    if usage is not None:
        meters, *rest = usage
        usage = Usage({Meter(name): n for name, n in meters.items()}, *rest)
    answered["finish_reasons"] = tuple(answered["finish_reasons"])
    facts |= {"body": plain[start:], "answered": Answered(**{**answered, "usage": usage})}
    entry = Entry(**{**facts, "tags": tuple(facts["tags"])})
    if entry.key != key:
        raise ValueError("it was put under another key")
    return entry
