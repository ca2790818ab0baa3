"""What a flow may ask its driver for. A flow decides; only a driver acts.

Every effect is answered with a value, never with an exception: a connection that broke, a sleep
that was cancelled and a stream that was dropped all come back as something to look at.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from tokenguard.call import Answered, Attempt, Json, Receipt

if TYPE_CHECKING:  # a guard without a cache does not load it
    from tokenguard.cache import Plan
    from tokenguard.cache.entry import Entry
    from tokenguard.cache.flight import Flight


class Find(NamedTuple):
    """Look in the cache. Answered with a :class:`~tokenguard.cache.Found`, whatever fails."""

    plan: Plan
    refresh: bool
    leads: bool


class Resemble(NamedTuple):
    """Look in the cache for the answer to a similar question; perhaps an embedder is asked, over a network.

    Answered with a :class:`~tokenguard.cache.Found`, whatever fails, or with a :class:`Failure` if the wait
    was cancelled.
    """

    plan: Plan


class Await(NamedTuple):
    """Wait until a call that is under way has its answer, or begins to stream it, but no longer than this.

    Answered with ``None``, or with a :class:`Failure` if the wait was cancelled.
    """

    flight: Flight
    seconds: float


class Join(NamedTuple):
    """Make the stream of a call that is under way the reply, from its beginning.

    Answered with a :class:`Reply`, or with ``None`` where it was given up.
    """

    flight: Flight


class Replay(NamedTuple):
    """Make an answer from the cache the reply. Answered with a :class:`Reply`, or with a :class:`Failure`."""

    entry: Entry


class Keep(NamedTuple):
    """Give an answer to whoever waits for it, and to the cache if it is to be kept. Never waits.

    Answered with ``None``.
    """

    plan: Plan
    entry: Entry
    keeps: bool


class Rewrite(NamedTuple):
    """Send another body from now on: the same request, changed by a policy.

    Answered with ``None``. Where it cannot be done (a signed request that nobody here can sign again) the
    request stays as it was.
    """

    body: Json


class Open(NamedTuple):
    """Write the attempt down, durably, before a byte of it is sent.

    Answered with ``None``, or with a :class:`Failure` if the wait for the disk was cancelled.
    """

    attempt: Attempt


class Send(NamedTuple):
    """Send the attempt. Answered with a :class:`Reply` or a :class:`Failure`."""

    attempt: Attempt


class Read(NamedTuple):
    """Read the reply's body to its end. Answered with :class:`Body` or :class:`Failure`."""

    reply: Reply


class Deliver(NamedTuple):
    """Hand the reply to the caller now; go on once its body was read, closed, broken or dropped.

    Answered with an :class:`End`. Nothing after it may wait: the caller may be gone.
    """

    reply: Reply
    keeps: int = 0
    """The body is wanted at the end, if it is no larger than this."""
    flight: Flight | None = None
    """Others follow the stream."""


class Sleep(NamedTuple):
    """Wait. Answered with ``None``, or with a :class:`Failure` if the wait was cancelled."""

    seconds: float


class Settle(NamedTuple):
    """Write down what became of an attempt. Never waits. Answered with ``None``."""

    attempt: Attempt


class Finish(NamedTuple):
    """The call is over: hand its receipt to every observer. Never waits. Answered with ``None``."""

    receipt: Receipt


Effect = (
    Rewrite
    | Find
    | Resemble
    | Await
    | Join
    | Replay
    | Open
    | Send
    | Read
    | Deliver
    | Sleep
    | Keep
    | Settle
    | Finish
)
Flow = Generator[Effect, Any, "Reply | Failure"]


class Lookup(Protocol):
    """Anything that headers can be looked up in; a dict is one."""

    def get(self, name: str, /) -> str | None:
        """The header's value, or ``None``."""
        ...

    def __contains__(self, name: object, /) -> bool: ...


class Reply:
    """The head of an answer.

    Attributes:
        status: The HTTP status.
        headers: Asked for by names in lower case.
        elapsed_ns: Nanoseconds since the call started.
        kind: The ``content-type``, or nothing.
        receipt: Set by the flow once the call is over, for the response headers.
    """

    __slots__ = ("elapsed_ns", "headers", "kind", "receipt", "status")

    def __init__(self, status: int, headers: Lookup, elapsed_ns: int) -> None:
        self.status = status
        self.headers = headers
        self.elapsed_ns = elapsed_ns
        self.kind = headers.get("content-type") or ""
        self.receipt: Receipt | None = None

    @property
    def redirects(self) -> bool:
        """Whether this is a hop on the way to the answer."""
        return 300 <= self.status < 400 and "location" in self.headers

    @property
    def streams(self) -> bool:
        """Whether the body is a stream of events."""
        return self.kind.startswith(("text/event-stream", "application/vnd.amazon.eventstream"))

    @property
    def is_json(self) -> bool:
        """Whether the body says that it is JSON."""
        kind = self.kind.partition(";")[0].strip()
        return kind == "application/json" or kind.endswith("+json")


class Body(NamedTuple):
    """A body read to its end and decoded (``content-encoding`` taken off)."""

    content: bytes
    elapsed_ns: int


class Failure(NamedTuple):
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


class End(NamedTuple):
    """How a delivered body ended, and what could be read of it on the way."""

    how: How
    answered: Answered
    elapsed_ns: int
    first_token_ns: int | None
    error: BaseException | None = None
    finished: bool = False
    """Whether the answer said that it was over."""
    body: bytes | None = None
    """What the caller was given, where it was wanted and is not too large."""
