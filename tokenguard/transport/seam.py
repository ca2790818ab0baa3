"""Where a request of the SDK becomes a call of ours: what both drivers share.

A :class:`Seam` belongs to one guarded HTTP client. For every request it makes an :class:`Exchange`,
which knows the request, its flow and the response, but never waits: the drivers do that.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from tokenguard import faults
from tokenguard.call import Answered, Asked, Attempt, Call, Json, Receipt, Where
from tokenguard.dialects import Endpoint, find
from tokenguard.dialects.sse import AwsEventStream, ServerSentEvents
from tokenguard.effects import Body, Effect, End, Failure, Finish, Flow, How, Reply, Settle
from tokenguard.errors import GuardError, for_sdk
from tokenguard.flow import Policies, flow, unmetered
from tokenguard.transport import dropped, rewrite
from tokenguard.transport.flavour import Flavour, failed_before_sending
from tokenguard.transport.headers import Headers, append
from tokenguard.transport.tap import Tap
from tokenguard.wishes import PREFIX, Wishes, current, from_headers

_CALL: Final = "tokenguard.call"
_SDK_RETRIES: Final = "x-stainless-retry-count"
_PREFIX_BYTES: Final = PREFIX.encode()

CALL_ID: Final = "tokenguard.call_id"
"""Under this name a request's extensions say which call it was; errors often have no response to say it."""


class Clock(Protocol):
    """Where time comes from; the ``time`` module is one."""

    def time_ns(self) -> int:
        """Wall clock, nanoseconds since 1970 UTC."""
        ...

    def monotonic_ns(self) -> int:
        """A clock that never goes back, in nanoseconds."""
        ...


class Ledger(Protocol):
    """What the drivers need of a ledger."""

    def begin(self, attempt: Attempt) -> None:
        """Write the attempt down, durably. Blocks."""
        ...

    def begin_later(self, attempt: Attempt, done: Callable[[], None]) -> None:
        """Write the attempt down, durably, and call ``done`` from another thread."""
        ...

    def settle(self, attempt: Attempt) -> None:
        """Write down what became of it, soon. Never waits."""
        ...


class Services(NamedTuple):
    """What the guard gives its seams."""

    policies: Policies
    ledger: Ledger | None
    clock: Clock
    tags: dict[str, str]
    stream_usage: bool
    finished: Callable[[Receipt, Call], None]
    not_metered: Callable[[str], None]


class Seam:
    """One guarded HTTP client: its library, its SDK, and how its requests are signed."""

    def __init__(
        self,
        services: Services,
        flavour: Flavour,
        sdk: str | None,
        retries: int,
        sign: Callable[[Any], Any] | None = None,
    ) -> None:
        self.services = services
        self.flavour = flavour
        self.sdk = sdk
        self.retries = retries
        self.sign = sign

    def begin(self, request: Any) -> Exchange:
        """Make the exchange for a request. Whatever fails in here, the request can still be sent.

        Raises:
            GuardError: A wish in the request's headers cannot be read.
        """
        sent = Headers(request.headers.raw)
        wishes, sendable = self._wishes(request, sent)
        exchange = Exchange(self, request, sendable, _nothing_known())
        try:
            self._prepare(exchange, sent, wishes)
        except Exception as fault:
            faults.note("transport.begin", fault)
            exchange = Exchange(self, request, sendable, _nothing_known())
            exchange.flow = unmetered(exchange.call, self.services.policies)
        return exchange

    def _prepare(self, exchange: Exchange, sent: Headers, wishes: Wishes) -> None:
        """Find out what the request is, and choose the flow for it."""
        request = exchange.plain
        url = request.url
        # As it is sent: a model's name may hold a slash, which only its escape tells from the path's own.
        path = url.raw_path.partition(b"?")[0].decode("ascii")
        endpoint = exchange.endpoint = find(request.method, url.scheme, url.host, url.port, path)
        if _CALL in request.extensions:  # a redirect led here
            exchange.call, exchange.began_ns = request.extensions[_CALL]
        else:
            exchange.call = self._call(request, sent, endpoint, wishes)
        if endpoint is None:
            self.services.not_metered(url.host)
            exchange.flow = unmetered(exchange.call, self.services.policies)
        else:
            self._rewrite(exchange, endpoint, wishes)
            exchange.flow = flow(exchange.call, endpoint.dialect, self.services.policies)

    def _wishes(self, request: Any, sent: Headers) -> tuple[Wishes, Any]:
        """The wishes for a request, and the request as it may leave the process."""
        found = sent.starting(_PREFIX_BYTES)
        if not found:
            return current(), request
        return from_headers(found), rewrite.without_wishes(self.flavour, request)

    def _call(self, request: Any, sent: Headers, endpoint: Endpoint | None, wishes: Wishes) -> Call:
        services = self.services
        now = services.clock.time_ns()
        body = self._body(request, sent)
        dialect = endpoint.dialect if endpoint else None
        asked = dialect.ask(body) if dialect else Asked(model="")
        if endpoint and (endpoint.model or not asked.model):
            model = endpoint.model or endpoint.where.deployment or self._form_model(request)
            stream = asked.stream if endpoint.stream is None else endpoint.stream
            asked = asked._replace(model=model, stream=stream)
        return Call(
            id=services.policies.new_id(now),
            started_ns=now,
            where=endpoint.where if endpoint else _NOWHERE,
            operation=dialect.operation if dialect else "",
            dialect=dialect.name if dialect else "",
            asked=asked,
            tags={**services.tags, **wishes.tags} if services.tags else wishes.tags,
            run_id=wishes.run_id,
            run_name=wishes.run_name,
            body=body,
            retries=self._allowed(sent) if wishes.retries is None else wishes.retries,
            replayable=self._replayable(request),
        )

    def _allowed(self, sent: Headers) -> int:
        """Further attempts: none where the SDK's own loop, switched on again, is trying again itself."""
        return self.retries if (sent.get(_SDK_RETRIES) or "0") == "0" else 0

    def _body(self, request: Any, sent: Headers) -> Json:
        """The request's JSON object; empty for anything else. Uploads are never read."""
        if not (sent.get("content-type") or "").startswith("application/json"):
            return {}
        if not isinstance(request.stream, self.flavour.module.ByteStream):
            return {}
        try:
            body = json.loads(request.read())
        except (ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}

    def _form_model(self, request: Any) -> str:
        """The ``model`` field of a form, which stands beside the upload that is not read."""
        for field in getattr(request.stream, "fields", ()):
            if getattr(field, "name", None) == "model":
                return str(getattr(field, "value", ""))
        return ""

    def _replayable(self, request: Any) -> bool:
        """Whether the body can be sent twice: bytes can, files that seek can, other iterators cannot."""
        stream = request.stream
        if isinstance(stream, self.flavour.module.ByteStream):
            return True
        files = [getattr(field, "file", b"") for field in getattr(stream, "fields", ())]
        try:
            return bool(files) and all(isinstance(file, str | bytes) or file.seekable() for file in files)
        except (AttributeError, OSError, ValueError):
            return False

    def _rewrite(self, exchange: Exchange, endpoint: Endpoint, wishes: Wishes) -> None:
        """Another model, or usage asked for on the quiet; both only where a body was understood."""
        call = exchange.call
        body = call.body
        if not body:
            return
        if self.sign is None and rewrite.is_signed(exchange.plain):
            if wishes.model:
                faults.warn_once("transport.sign", "model=%r: nobody here can sign it again", wishes.model)
            return
        if wishes.model and wishes.model != call.asked.model and call.model_asked is None:
            call.model_asked = call.asked.model
            call.asked = call.asked._replace(model=wishes.model)
            if "model" in body:
                body = call.body = {**body, "model": wishes.model}
            if call.where.deployment:
                call.where = call.where._replace(deployment=wishes.model)
        if call.model_asked is not None:  # at every hop: a redirect repeats what the SDK wrote
            exchange.plain = rewrite.with_model(self.flavour, exchange.plain, body, call.asked.model)
        if self.services.stream_usage and endpoint.dialect.with_usage:
            asking = endpoint.dialect.with_usage(body)
            if asking is not None:
                exchange.asking = rewrite.with_body(self.flavour, exchange.plain, rewrite.encoded(asking))
                call.hides_usage = True

    def own_error(self, error: GuardError, dialect: str) -> GuardError:
        """An error of ours as one of the SDK's too, so that the SDK neither wraps nor retries it."""
        module = sys.modules.get(self.sdk or dialect.partition(".")[0])
        base = getattr(module, "OpenAIError", None) or getattr(module, "AnthropicError", None)
        return for_sdk(error, base) if base else error


class Exchange:
    """One request and its answer, on the way through the seam. Used by one thread or task."""

    flow: Flow

    def __init__(self, seam: Seam, original: Any, sendable: Any, call: Call) -> None:
        self.seam = seam
        self.original = original  # as the SDK made it
        self.plain = sendable  # the same without wishes, perhaps for another model
        self.asking: Any = None  # the same, asking for usage too
        self.outcome: Reply | Failure | None = None  # what sending came to, the last time
        self.call = call
        self.endpoint: Endpoint | None = None
        self.response: Any = None
        self.began_ns = seam.services.clock.monotonic_ns()

    def elapsed_ns(self) -> int:
        """Nanoseconds since the call came through the seam."""
        return self.seam.services.clock.monotonic_ns() - self.began_ns

    def outgoing(self) -> Any:
        """The request to send now."""
        return self.asking if self.call.hides_usage else self.plain

    def must_be_signed(self, request: Any) -> bool:
        """Whether a signature no longer covers what is sent, or may have grown too old."""
        changed = request is not self.original or len(self.call.attempts) > 1
        return changed and self.seam.sign is not None and rewrite.is_signed(request)

    def head(self, response: Any) -> Reply:
        """Take in a response whose body is not yet read."""
        self.response = response
        reply = self.outcome = Reply(response.status_code, Headers(response.headers.raw), self.elapsed_ns())
        return reply

    def failed(self, error: BaseException, *, sent: bool = True) -> Failure:
        """Take in whatever was raised instead of an answer; ``sent`` where the request may have left."""
        failure = self.outcome = Failure(
            error,
            self.elapsed_ns(),
            sent=sent and not failed_before_sending(error),
            cancelled=not isinstance(error, Exception),
            retryable=self.seam.flavour.is_trouble(error),
        )
        return failure

    def body(self, reply: Reply, raw: bytes) -> Body | Failure:
        """Take in a whole body; it is handed on as it came."""
        self.response.stream = self.seam.flavour.bytes_stream(raw)
        try:
            content = self.seam.flavour.decoded(raw, reply.headers)
        except Exception as error:  # a broken encoding is the SDK's to report
            faults.note("transport.decode", error)
            content = b""
        return Body(content, self.elapsed_ns())

    def tap(self, reply: Reply) -> Tap | None:
        """A listener for a streamed answer, or ``None`` where its events cannot be read."""
        endpoint = self.endpoint
        if endpoint is None or endpoint.dialect.events is None:
            return None
        aws = (reply.headers.get("content-type") or "").startswith("application/vnd.amazon")
        splitter = AwsEventStream() if aws else ServerSentEvents()
        reader = endpoint.dialect.events()
        return Tap(splitter, reader, hides_usage=self.call.hides_usage, clock=self.elapsed_ns)

    def over(self, tap: Tap | None, how: How, error: BaseException | None = None) -> None:
        """A delivered body ended: go on with the flow, where nothing may wait any more."""
        _delivering.discard(self)
        answered = tap.answered() if tap else Answered()
        first_token_ns = tap.first_token_ns if tap else None
        try:
            effect = self.flow.send(End(how, answered, self.elapsed_ns(), first_token_ns, error))
            while True:
                self.note(effect)
                effect = self.flow.send(None)
        except StopIteration:
            return
        except Exception as fault:
            faults.note("flow", fault)

    def note(self, effect: Effect) -> None:
        """Carry out an effect that never waits. What breaks in it costs the caller nothing."""
        services = self.seam.services
        if not isinstance(effect, Settle | Finish):
            raise TypeError(f"{type(effect).__name__} cannot be carried out once the caller may be gone")
        try:
            if isinstance(effect, Finish):
                services.finished(effect.receipt, self.call)
            elif services.ledger is not None:
                services.ledger.settle(effect.attempt)
        except Exception as fault:
            faults.note(f"flow.{type(effect).__name__.lower()}", fault)

    def deliver(self, reply: Reply, delivery: type[Any], read: str, close: str) -> Any:
        """Hand a streamed response out, listened to; ``read`` and ``close`` name its sync or async ways."""
        response, tap = self.response, self.tap(reply)
        self._mark(None)
        if tap is None:
            self.over(None, "complete")  # nothing in it can be read: there is nothing to wait for
            return response
        dropped.start()
        self.original.extensions[CALL_ID] = self.call.id  # the stream may break
        stream = chunks = response.stream
        if "content-encoding" in reply.headers:
            chunks = getattr(self.seam.flavour.decoding(stream, reply.headers), read)()
            for name in ("content-encoding", "content-length"):  # both are of the encoded body
                response.headers.pop(name, None)
        response.stream = delivery(
            chunks, getattr(stream, close), tap, lambda how, error: self.over(tap, how, error)
        )
        # Dropped in a cycle, as the SDKs' streams are, the stream is garbage together with all that only
        # it holds, and the collector would end a generator among that before anybody could go on with it.
        _delivering.add(self)
        self.response = None  # or the stream would never be dropped
        return response

    def fault(self, fault: Exception) -> Reply | Failure | None:
        """What to go on with after a fault of ours; ``None`` where the request has yet to be sent."""
        faults.note("flow", fault)
        if self.outcome is None:
            self.call.hides_usage = False
        return self.outcome

    def conclude(self, outcome: Reply | Failure) -> Any:
        """What the SDK gets: the response, or the error raised."""
        if isinstance(outcome, Failure):
            self.original.extensions[CALL_ID] = self.call.id
            raise outcome.error
        if outcome.redirects and self.call.dialect:
            self.original.extensions[_CALL] = self.call, self.began_ns
        self._mark(outcome.receipt)
        if outcome.status >= 400 and self.seam.services.policies.retry is not None:
            self.response.headers["x-should-retry"] = "false"  # the loop is ours, and it is over
        return self.response

    def _mark(self, receipt: Receipt | None) -> None:
        """Say in the response's headers what happened."""
        if not self.call.dialect:
            return
        marks = {"x-tokenguard-call-id": self.call.id, "x-tokenguard-attempts": str(len(self.call.attempts))}
        if receipt is not None:
            nano = receipt.cost_nano
            cost = "unpriced" if nano is None else f"{nano // 10**9}.{nano % 10**9:09d}"
            marks["x-tokenguard-cost-usd"] = cost
        append(self.response.headers, marks)


_delivering: set[Exchange] = set()

_NOWHERE: Final = Where("", "compatible", "", "", 0)


def _nothing_known() -> Call:
    return Call(id="", started_ns=0, where=_NOWHERE, operation="", dialect="", asked=Asked(model=""))
