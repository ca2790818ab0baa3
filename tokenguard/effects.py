"""What a flow may ask its driver for. A flow decides; only a driver acts.

Every effect is answered with a value, never with an exception: a connection that broke, a sleep
that was cancelled and a stream that was dropped all come back as something to look at.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from tokenguard.call import Answered, Attempt, Receipt


@dataclass(frozen=True, slots=True)
class Open:
    """Write the attempt down, durably, before a byte of it is sent.

    Answered with ``None``, or with a :class:`Failure` if the wait for the disk was cancelled.
    """

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Send:
    """Send the attempt. Answered with a :class:`Reply` or a :class:`Failure`."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Read:
    """Read the reply's body to its end. Answered with :class:`Body` or :class:`Failure`."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand the reply to the caller now; go on once its body was read, closed, broken or dropped.

    Answered with an :class:`End`. Nothing after it may wait: the caller may be gone.
    """

    reply: Reply


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait. Answered with ``None``, or with a :class:`Failure` if the wait was cancelled."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Settle:
    """Write down what became of an attempt. Never waits. Answered with ``None``."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Finish:
    """The call is over: hand its receipt to every observer. Never waits. Answered with ``None``."""

    receipt: Receipt


Effect = Open | Send | Read | Deliver | Sleep | Settle | Finish
Flow = Generator[Effect, Any, "Reply | Failure"]


class Lookup(Protocol):
    """Anything that headers can be looked up in; a dict is one."""

    def get(self, name: str, /) -> str | None:
        """The header's value, or ``None``."""
        ...

    def __contains__(self, name: object, /) -> bool: ...


@dataclass(slots=True)
class Reply:
    """The head of an answer."""

    status: int
    headers: Lookup  # asked for by names in lower case
    elapsed_ns: int  # since the call started
    receipt: Receipt | None = None
    """Set by the flow once the call is over, for the response headers."""

    @property
    def redirects(self) -> bool:
        """Whether this is a hop on the way to the answer."""
        return 300 <= self.status < 400 and "location" in self.headers

    @property
    def streams(self) -> bool:
        """Whether the body is a stream of events."""
        kind = self.headers.get("content-type") or ""
        return kind.startswith(("text/event-stream", "application/vnd.amazon.eventstream"))

    @property
    def is_json(self) -> bool:
        """Whether the body says that it is JSON."""
        kind = (self.headers.get("content-type") or "").partition(";")[0].strip()
        return kind == "application/json" or kind.endswith("+json")


@dataclass(frozen=True, slots=True)
class Body:
    """A body read to its end and decoded (``content-encoding`` taken off)."""

    content: bytes
    elapsed_ns: int


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer, or only a part of one."""

    error: BaseException
    elapsed_ns: int
    sent: bool
    """Whether the request may have reached the provider: then it may have been billed."""
    cancelled: bool = False
    """Whether the caller gave up: a cancelled task, a keyboard interrupt."""
    retryable: bool = False
    """Whether it is the kind of trouble that may be over the next time."""


How = Literal["complete", "closed", "broken", "dropped"]


@dataclass(frozen=True, slots=True)
class End:
    """How a delivered body ended, and what could be read of it on the way."""

    how: How
    answered: Answered
    elapsed_ns: int
    first_token_ns: int | None
    error: BaseException | None = None
