"""What a provider was told to do: answers to give, failures and faults to produce, for whom and how often."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from tokenguard.testing.exchange import Request

Json = dict[str, Any]
When = Callable[["Request"], bool] | str | None
"""Which requests are meant: those a function says yes to, those for a model, or all."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool. ``arguments`` are sent as JSON; ``id`` is made up where ``None``."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says, independent of the wire format it is sent in.

    Attributes:
        text: The answer. ``None``: none if there are tool calls, otherwise the default answer.
        tool_calls: Tools that the model calls.
        thinking: Text of a thinking block (Anthropic) that precedes the answer.
        chunks: The text as it is streamed, piece by piece; by default one piece per token.
        finish_reason: In the words of the wire format; by default derived from the answer. ``length``
            and ``max_tokens`` are still chosen where the request's cap cuts the answer.
        refusal: OpenAI's refusal text, sent instead of ``text``.
        input_tokens: All tokens of the prompt, cached ones included; counted where ``None``.
        output_tokens: All tokens of the answer, reasoning included; counted where ``None``.
        cached_tokens: Tokens of the prompt that were read from a cache.
        cache_write_tokens: Tokens of the prompt that were written to a cache.
        reasoning_tokens: Tokens of reasoning, part of the output; they use up the request's cap too.
        usage: A usage block, laid over the one that is made from the numbers above. Keys of another wire
            format than the request's are translated where they name one of those numbers.
        model: The model that says it answered; by default the one asked for.
        service_tier: The tier that is said to have served it; by default what was asked for.
        logprob: The log probability of every token; by default one that depends on the token.
        headers: Further headers of the reply.
    """

    text: str | None = None
    tool_calls: Sequence[ToolCall] = ()
    thinking: str | None = None
    chunks: Sequence[str] | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    usage: Mapping[str, Any] | None = None
    model: str | None = None
    service_tier: str | None = None
    logprob: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Answering = str | Answer | Callable[["Request"], str | Answer]
"""An answer, its text alone, or a function that makes either from the request."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How one reply goes wrong. Faults combine; the reply is otherwise the one that was due.

    Pieces are the events of a stream; a body that is not streamed is sent in two pieces, its halves.
    ``math.inf`` as a delay lasts until the provider is released or closed.

    Attributes:
        header_delay: Seconds before the status line is sent.
        chunk_delay: Seconds before each piece but the first.
        stall_after: Pieces after which nothing more comes until the provider is released or closed.
        reset: The connection is reset (TCP RST) ``before_headers``, or ``mid_body`` after
            ``reset_after`` pieces.
        reset_after: See ``reset``.
        disconnect_after: Pieces after which the connection is closed in the middle of the body.
        truncate_after: Pieces after which the body ends as if it were complete.
        malformed_after: Pieces after which one event that is not JSON is sent.
        error_after: Pieces after which an error event ends the stream, inside its 200 reply.
        error: The error object of that event, in the provider's usual form by default.
        not_json: The body is a page of HTML instead.
        usage: The usage block is ``missing``, ``negative`` or ``inconsistent`` (does not add up).
        gzip: The body is compressed and says so.
    """

    header_delay: float = 0.0
    chunk_delay: float = 0.0
    stall_after: int | None = None
    reset: Literal["before_headers", "mid_body"] | None = None
    reset_after: int = 1
    disconnect_after: int | None = None
    truncate_after: int | None = None
    malformed_after: int | None = None
    error_after: int | None = None
    error: Mapping[str, Any] | None = None
    not_json: bool = False
    usage: Literal["missing", "negative", "inconsistent"] | None = None
    gzip: bool = False


NO_FAULT: Final = Fault()


@dataclass(frozen=True, slots=True)
class Failure:
    """A reply with an error status. ``body`` is the provider's usual error object where ``None``."""

    status: int
    headers: Mapping[str, str]
    body: str | bytes | Mapping[str, Any] | None = None


def retry_after_headers(
    retry_after: str | float | datetime | None, retry_after_ms: float | None
) -> dict[str, str]:
    """The headers that tell a client when to come back.

    Args:
        retry_after: Sent as it is if a string; seconds if a number; an HTTP date if a datetime with zone.
        retry_after_ms: Milliseconds, sent as ``retry-after-ms``, which OpenAI and Azure use.
    """
    headers = {}
    if isinstance(retry_after, datetime):
        headers["retry-after"] = format_datetime(retry_after.astimezone(UTC), usegmt=True)
    elif retry_after is not None:
        headers["retry-after"] = str(retry_after)
    if retry_after_ms is not None:
        headers["retry-after-ms"] = f"{retry_after_ms:g}"
    return headers


_Told = TypeVar("_Told")


@dataclass(slots=True)
class _Rule(Generic[_Told]):
    told: _Told
    left: int | None
    when: When

    def fits(self, request: Request, model: str) -> bool:
        if self.when is None:
            return True
        return self.when == model if isinstance(self.when, str) else self.when(request)


class Script:
    """The rules of a provider. Tests add them from any thread; the server takes them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a rule's own function may add rules
        self._queue: list[_Rule[Answering]] = []
        self._lasting: list[_Rule[Answering]] = []  # the latest first
        self._troubles: list[_Rule[Failure | Fault]] = []

    def add_answer(self, answer: Answering, times: int | None, when: When) -> None:
        """Give ``answer``: ``times`` in the order added, or from now on in place of earlier such rules."""
        with self._lock:
            if times is None:
                self._lasting.insert(0, _Rule(answer, None, when))
            else:
                self._queue.append(_Rule(answer, times, when))

    def add_trouble(self, trouble: Failure | Fault, times: int | None, when: When) -> None:
        """Let a request meet ``trouble``. Each request meets one at most, in the order added."""
        with self._lock:
            self._troubles.append(_Rule(trouble, times, when))

    def answer(self, request: Request, model: str) -> Answering | None:
        """Take the answer for a request; ``None`` if no rule is for it."""
        queued = self._take(self._queue, request, model)
        return self._take(self._lasting, request, model) if queued is None else queued

    def trouble(self, request: Request, model: str) -> Failure | Fault | None:
        """Take the trouble for a request; ``None`` if it meets none."""
        return self._take(self._troubles, request, model)

    def clear(self) -> None:
        """Forget every rule."""
        with self._lock:
            self._queue.clear()
            self._lasting.clear()
            self._troubles.clear()

    def _take(self, rules: list[_Rule[_Told]], request: Request, model: str) -> _Told | None:
        if not rules:
            return None
        with self._lock:
            for n, rule in enumerate(rules):
                if not rule.fits(request, model):
                    continue
                if rule.left is not None:
                    rule.left -= 1
                    if rule.left <= 0:
                        del rules[n]
                return rule.told
        return None
