"""The provider: scripts it is given, requests it has seen, and the routes in between."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from tokenguard.testing import refusals, routes
from tokenguard.testing.exchange import Reply, Request
from tokenguard.testing.recorded import Recorded
from tokenguard.testing.script import (
    Answer,
    Answering,
    Failure,
    Fault,
    Script,
    When,
    retry_after_headers,
)
from tokenguard.testing.server import Server
from tokenguard.testing.turn import Ask, InvalidRequestError, take_turn
from tokenguard.testing.wire import JSON_TYPE, Endpoint, Family, encode

logger = logging.getLogger("tokenguard.testing")

KEPT_OF_BODIES: Final = 1024 * 1024
"""A recorded body is cut to this many bytes."""


class Provider:
    """A provider on the loopback interface, listening from construction until it is closed.

        with Provider() as provider:
            provider.answer("Paris.", times=1)
            provider.fail(429, retry_after=2)
            client = openai.OpenAI(base_url=provider.openai_url, api_key="test")

    A request first meets the next failure or fault that is for it, if any; then it gets the next queued
    answer, the latest lasting one, the recorded one, or one that depends on the prompt alone, in this
    order. Everything may be called from any thread.

    Args:
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        recorded: A file of recorded answers, see :class:`tokenguard.testing.recorded.Recorded`.
        keep_requests: How many of the latest requests are kept in ``requests``; ``None`` keeps all.
        record_bodies: Whether their bodies are kept too, each up to 1 MiB.

    Raises:
        OSError: the port is taken, or ``recorded`` cannot be read.
        ValueError: ``recorded`` is not such a file.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        recorded: str | Path | None = None,
        keep_requests: int | None = 10_000,
        record_bodies: bool = True,
    ) -> None:
        self._script = Script()
        self._recorded = Recorded(recorded) if recorded is not None else None
        self._record_bodies = record_bodies
        self._kept: deque[Request] = deque(maxlen=keep_requests)
        self._received = 0
        self._ended = 0
        self._changed = threading.Condition()
        self._server = Server(self._respond, self._done, host=host, port=port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and reset what is under way. Closing again does nothing."""
        self._server.close()

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"http://{self._server.host}:{self._server.port}"

    @property
    def openai_url(self) -> str:
        """The ``base_url`` of an ``openai.OpenAI``."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """The ``base_url`` of an ``anthropic.Anthropic``, and of its Bedrock client."""
        return self.url

    @property
    def azure_url(self) -> str:
        """The ``azure_endpoint`` of an ``openai.AzureOpenAI``."""
        return self.url

    @property
    def bedrock_url(self) -> str:
        """The ``base_url`` of an ``anthropic.AnthropicBedrock``."""
        return self.url

    @property
    def vertex_url(self) -> str:
        """The ``base_url`` of an ``anthropic.AnthropicVertex``."""
        return f"{self.url}/v1"

    def answer(self, answer: Answering, *, times: int | None = None, when: When = None) -> None:
        """Say ``answer``: a text, an :class:`Answer`, or a function that makes either from the request.

        Args:
            answer: What is said. A function is called in the provider's thread.
            times: How often, in the order of the calls of this method. ``None``: from now on, in place of
                earlier answers of this kind, once all counted ones have been given.
            when: Only to requests for this model, or for which this function returns true.
        """
        self._script.add_answer(answer, times, when)

    def fail(
        self,
        status: int = 503,
        *,
        times: int | None = 1,
        when: When = None,
        headers: Mapping[str, str] | None = None,
        retry_after: str | float | datetime | None = None,
        retry_after_ms: float | None = None,
        body: str | bytes | Mapping[str, Any] | None = None,
    ) -> None:
        """Reply with an error status.

        Args:
            status: The HTTP status.
            times: To how many requests; ``None``: until :meth:`clear`.
            when: Only to requests for this model, or for which this function returns true.
            headers: Further headers; they replace the usual ones of the same name.
            retry_after: The ``retry-after`` header: a string as it is, a number as seconds, a datetime
                (with its zone) as an HTTP date.
            retry_after_ms: The ``retry-after-ms`` header, in milliseconds.
            body: The body; the provider's usual error object if ``None``.
        """
        told = {**retry_after_headers(retry_after, retry_after_ms), **(headers or {})}
        self._script.add_trouble(Failure(status, told, body), times, when)

    def fault(
        self,
        *,
        times: int | None = 1,
        when: When = None,
        header_delay: float = 0.0,
        chunk_delay: float = 0.0,
        stall_after: int | None = None,
        reset: Literal["before_headers", "mid_body"] | None = None,
        reset_after: int = 1,
        disconnect_after: int | None = None,
        truncate_after: int | None = None,
        malformed_after: int | None = None,
        error_after: int | None = None,
        error: Mapping[str, Any] | None = None,
        not_json: bool = False,
        usage: Literal["missing", "negative", "inconsistent"] | None = None,
        gzip: bool = False,
    ) -> None:
        """Let replies go wrong. What each argument does is told at :class:`Fault`.

        Args:
            times: How many replies; ``None``: until :meth:`clear`.
            when: Only to requests for this model, or for which this function returns true.
            header_delay: Seconds before the head.
            chunk_delay: Seconds between pieces.
            stall_after: Pieces before silence.
            reset: When the connection is reset.
            reset_after: Pieces before a reset in mid-body.
            disconnect_after: Pieces before the connection is closed in mid-body.
            truncate_after: Pieces before a seemingly proper end.
            malformed_after: Pieces before an event that is not JSON.
            error_after: Pieces before an error event.
            error: The error object of that event.
            not_json: Send HTML.
            usage: What is wrong with the usage block.
            gzip: Compress the body.
        """
        fault = Fault(
            header_delay=header_delay,
            chunk_delay=chunk_delay,
            stall_after=stall_after,
            reset=reset,
            reset_after=reset_after,
            disconnect_after=disconnect_after,
            truncate_after=truncate_after,
            malformed_after=malformed_after,
            error_after=error_after,
            error=error,
            not_json=not_json,
            usage=usage,
            gzip=gzip,
        )
        self._script.add_trouble(fault, times, when)

    def release(self) -> None:
        """End every delay and stall of the requests received so far that is under way; they go on."""
        self._server.release()

    def clear(self) -> None:
        """Forget every scripted answer, failure and fault. Requests and recorded answers stay."""
        self._script.clear()

    @property
    def count(self) -> int:
        """How many requests were received so far, kept or not."""
        return self._received

    @property
    def requests(self) -> list[Request]:
        """The requests received, oldest first, as far as they are kept."""
        with self._changed:
            return list(self._kept)

    def forget_requests(self) -> None:
        """Drop the kept requests and count from 0 again."""
        with self._changed:
            self._kept.clear()
            self._received = self._ended = 0

    def wait_for(self, n: int, *, timeout: float = 10.0, ended: bool = False) -> list[Request]:
        """Wait until ``n`` requests were received, or ``ended``; returns those that are kept.

        Args:
            n: How many requests.
            timeout: Seconds to wait at most.
            ended: Wait until their replies are out or have come to nothing (see ``Request.outcome``).

        Raises:
            TimeoutError: there were fewer in that time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: (self._ended if ended else self._received) >= n, timeout):
                seen = self._ended if ended else self._received
                raise TimeoutError(f"{seen} requests after {timeout:g} s, expected {n}")
            return list(self._kept)

    def _respond(self, request: Request) -> Reply:
        self._record(request)
        family = routes.family_of(request)
        headers = routes.usual_headers(family, request)
        try:
            return self._reply(request, family, headers)
        except InvalidRequestError as error:
            body = refusals.error_object(family, error.status, str(error), error.param)
            return refusals.failure_reply(Failure(error.status, {}, body), family, headers)
        except Exception as error:
            # Most likely a function of the test's own script: the test must see what it raised.
            logger.exception("the provider could not answer %s %s", request.method, request.path)
            body = refusals.error_object(family, 500, f"{type(error).__name__}: {error}")
            told = {"x-should-retry": "false"}
            return refusals.failure_reply(Failure(500, told, body), family, headers)

    def _reply(self, request: Request, family: Family, headers: list[tuple[str, str]]) -> Reply:
        endpoint, asked = routes.find(request)
        ask = endpoint.read(request, asked)
        trouble = self._script.trouble(request, ask.model)
        if isinstance(trouble, Failure):
            return refusals.failure_reply(trouble, family, headers)
        answer = self._answer(ask, endpoint) if endpoint.speaks else _SILENCE
        turn = take_turn(ask, answer, trouble.usage if trouble else None)
        headers = [*headers, *answer.headers.items()]
        if ask.stream and endpoint.events is not None:
            typed = [("content-type", endpoint.stream_type), ("cache-control", "no-cache")]
            reply = Reply(200, [*typed, *headers], pieces=endpoint.events(ask, turn))
        else:
            body = endpoint.body(ask, turn)
            kind = endpoint.bytes_type if isinstance(body, bytes) else JSON_TYPE
            content = body if isinstance(body, bytes) else encode(body)
            reply = Reply(200, [("content-type", kind), *headers], content)
        if trouble is None:
            return reply
        return refusals.spoil(reply, trouble, family, endpoint.dialect)

    def _answer(self, ask: Ask, endpoint: Endpoint) -> Answer:
        scripted = self._script.answer(ask.request, ask.model)
        if callable(scripted):
            scripted = scripted(ask.request)
        if scripted is not None:
            return Answer(scripted) if isinstance(scripted, str) else scripted
        found = self._recorded.find(endpoint.dialect, ask.model, ask.prompt) if self._recorded else None
        return _UNSCRIPTED if found is None else found

    def _record(self, request: Request) -> None:
        with self._changed:
            request.index = self._received
            self._received += 1
            self._kept.append(request)
            self._changed.notify_all()

    def _done(self, request: Request) -> None:
        if not self._record_bodies:
            request.digest = request.body_sha256
            request.body = b""
        elif len(request.body) > KEPT_OF_BODIES:
            request.digest = request.body_sha256
            request.body = request.body[:KEPT_OF_BODIES]
        with self._changed:
            self._ended += 1
            self._changed.notify_all()


_UNSCRIPTED: Final = Answer()
_SILENCE: Final = Answer("")
