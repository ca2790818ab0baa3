"""One request and its answer on the way through the seam: what both drivers share, and nothing that waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from tokenguard import faults
from tokenguard.call import Answered, CacheUse, Call, Json, Receipt
from tokenguard.dialects import Endpoint
from tokenguard.dialects.sse import AwsEventStream, ServerSentEvents
from tokenguard.effects import (
    Body,
    Deliver,
    Effect,
    End,
    Failure,
    Find,
    Finish,
    Flow,
    How,
    Keep,
    Reply,
    Resemble,
    Rewrite,
    Settle,
)
from tokenguard.errors import GuardError
from tokenguard.ledger import Ledger
from tokenguard.policies import Policies
from tokenguard.transport import dropped, rewrite
from tokenguard.transport.flavour import Flavour, failed_before_sending
from tokenguard.transport.headers import Headers, append
from tokenguard.transport.tap import Tap

if TYPE_CHECKING:  # a guard without a cache does not load it
    from tokenguard.cache import Found, Plan
    from tokenguard.cache.entry import Entry
    from tokenguard.cache.flight import Flight

CALL: Final = "tokenguard.call"
"""Under this name a request's extensions carry its call on to the next hop of a redirect."""

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


class Services(NamedTuple):
    """What the guard gives its seams."""

    policies: Policies
    ledger: Ledger | None
    clock: Clock
    tags: dict[str, str]
    stream_usage: bool
    finished: Callable[[Receipt, Call], None]
    not_metered: Callable[[str], None]


class Exchange:
    """One request and its answer, on the way through the seam. Used by one thread or task.

    Attributes:
        call: The call that the request is made for.
        flow: The call's life; it says what to do next.
        original: The request as the SDK made it.
        plain: The same without wishes, perhaps for another model.
        asking: The same, asking for usage too.
        endpoint: Where it goes, if that is an endpoint that we know.
        response: What came back, until it is handed out.
        outcome: What sending came to, the last time.
        result: What the flow came to; ``None`` where it broke before the request was sent.
    """

    __slots__ = (
        *("asking", "call", "endpoint", "flow", "original", "outcome", "plain", "response", "result"),
        *("_began_ns", "_flavour", "_leads", "_now", "_services", "_sign"),
    )

    flow: Flow

    def __init__(
        self,
        services: Services,
        flavour: Flavour,
        sign: Callable[[Any], Any] | None,
        original: Any,
        plain: Any,
        began_ns: int,
        call: Call,
    ) -> None:
        self._services = services
        self._flavour = flavour
        self._sign = sign
        self._now = services.clock.monotonic_ns
        self._began_ns = began_ns
        self._leads = False
        self.call = call
        self.original = original
        self.plain = plain
        self.asking: Any = None
        self.endpoint: Endpoint | None = None
        self.response: Any = None
        self.outcome: Reply | Failure | None = None
        self.result: Reply | Failure | None = None

    def elapsed_ns(self) -> int:
        """Nanoseconds since the call came through the seam."""
        return self._now() - self._began_ns

    def outgoing(self) -> Any:
        """The request to send now."""
        return self.asking if self.call.hides_usage else self.plain

    def must_be_signed(self, request: Any) -> bool:
        """Whether a signature no longer covers what is sent, or may have grown too old."""
        changed = request is not self.original or len(self.call.attempts) > 1
        return changed and self._sign is not None and rewrite.is_signed(request)

    def head(self, response: Any) -> Reply:
        """Take in a response whose body is not yet read."""
        self.response = response
        reply = self.outcome = Reply(response.status_code, Headers(response.headers), self.elapsed_ns())
        return reply

    def failed(self, error: BaseException, *, sent: bool = True) -> Failure:
        """Take in whatever was raised instead of an answer; ``sent`` where the request may have left."""
        failure = self.outcome = Failure(
            error,
            self.elapsed_ns(),
            sent=sent and not failed_before_sending(error),
            cancelled=not isinstance(error, Exception),
            retryable=self._flavour.is_trouble(error),
        )
        return failure

    def find(self, effect: Find) -> Found:
        """Look in the cache."""
        elapsed_ns, cache = self.elapsed_ns(), self._services.policies.cache
        if cache is None:
            raise TypeError("there is no cache to look in")
        now_ns = self.call.started_ns + elapsed_ns
        found = cache.find(effect.plan, now_ns, refresh=effect.refresh, leads=effect.leads)
        return found._replace(elapsed_ns=self.elapsed_ns())

    def begins_to_lead(self, plan: Plan) -> bool:
        """Whether others may wait for this call from now on; once only."""
        begins, self._leads = plan.leads is not None and not self._leads, plan.leads is not None
        return begins

    def resemble(self, effect: Resemble) -> Found:
        """Look in the cache for the answer to a similar question."""
        cache = self._services.policies.cache
        if cache is None or cache.similar is None:
            raise TypeError("there is no cache to look in")
        found = cache.similar.resemble(effect.plan, self.call.id, self.call.started_ns + self.elapsed_ns())
        return found._replace(elapsed_ns=self.elapsed_ns())

    def replay(self, entry: Entry) -> Reply:
        """Make an answer from the cache the response."""
        flavour = self._flavour
        made = self._own_headers(entry.content_type, entry.request_id)
        if not entry.streams:
            made.append((b"content-length", str(len(entry.body)).encode()))
        response = flavour.module.Response(
            entry.status, headers=made, stream=flavour.bytes_stream(entry.body)
        )
        return self.head(response)

    def join(self, flight: Flight, following: type[Any]) -> Reply | None:
        """Make the stream of another call the response; ``None`` where it was given up."""
        head = flight.head
        if head is None or not flight.join():
            return None
        self.call.hides_usage = False  # what others would hide is not in it
        module, timeout_s = self._flavour.module, self.original.extensions.get("timeout", {}).get("read")
        stream = following(flight, timeout_s, lambda: module.ReadTimeout("no further chunk came"))
        made = self._own_headers(head.content_type, head.request_id)
        return self.head(module.Response(head.status, headers=made, stream=stream))

    def _own_headers(self, content_type: str, origin: str | None) -> list[tuple[bytes, bytes]]:
        """The headers of a response that did not come from the provider just now."""
        # The SDKs show this as the request's id. It is ours, as the origin's stands for another request.
        named = b"request-id" if self.call.dialect.startswith("anthropic") else b"x-request-id"
        made = [(b"content-type", content_type.encode("latin-1")), (named, self.call.id.encode())]
        if origin:
            made.append((b"x-tokenguard-origin-request-id", origin.encode("latin-1", "replace")))
        return made

    def body(self, reply: Reply, raw: bytes) -> Body | Failure:
        """Take in a whole body; it is handed on as it came."""
        flavour, content = self._flavour, raw
        self.response.stream = flavour.bytes_stream(raw)
        try:
            if "content-encoding" in reply.headers:
                content = flavour.decoded(raw, reply.headers)
        except Exception as error:  # a broken encoding is the SDK's to report
            faults.note("transport.decode", error)
            content = b""
        return Body(content, self.elapsed_ns())

    def tap(self, reply: Reply, keeps: int) -> Tap | None:
        """A listener for a streamed answer, or ``None`` where its events cannot be read."""
        endpoint = self.endpoint
        if endpoint is None or endpoint.dialect.events is None:
            return None
        aws = reply.kind.startswith("application/vnd.amazon")
        splitter = AwsEventStream() if aws else ServerSentEvents()
        reader = endpoint.dialect.events()
        return Tap(splitter, reader, hides_usage=self.call.hides_usage, clock=self.elapsed_ns, keeps=keeps)

    def over(self, tap: Tap | None, how: How, error: BaseException | None = None) -> None:
        """A delivered body ended: go on with the flow, where nothing may wait any more."""
        _delivering.discard(self)
        answered = tap.answered() if tap else Answered()
        first_token_ns = tap.first_token_ns if tap else None
        try:
            end = End(how, answered, self.elapsed_ns(), first_token_ns, error)
            if tap is not None:
                end = end._replace(finished=tap.finished, body=tap.kept())
            effect = self.flow.send(end)
            while True:
                self.note(effect)
                effect = self.flow.send(None)
        except StopIteration:
            return
        except Exception as fault:
            faults.note("flow", fault)

    def note(self, effect: Effect) -> None:
        """Carry out an effect that never waits. What breaks in it costs the caller nothing."""
        try:
            if isinstance(effect, Finish):
                self._services.finished(effect.receipt, self.call)
            elif isinstance(effect, Keep):
                if self._services.policies.cache is not None:
                    self._services.policies.cache.put(effect.plan, effect.entry, keeps=effect.keeps)
            elif isinstance(effect, Rewrite):
                self._rewrite(effect.body)
            elif not isinstance(effect, Settle):
                raise TypeError("it cannot be carried out once the caller may be gone")
            elif self._services.ledger is not None:
                self._services.ledger.settle(effect.attempt)
        except Exception as fault:
            faults.note(f"flow.{type(effect).__name__.lower()}", fault)

    def _rewrite(self, body: Json) -> None:
        """Send another body, which the application did not write, from now on."""
        call = self.call
        if self._sign is None and rewrite.is_signed(self.plain):
            faults.warn_once(
                "transport.sign", "a request could not be changed: nobody here can sign it again"
            )
            return
        text = rewrite.encoded(body)
        self.plain, call.body = rewrite.with_body(self._flavour, self.plain, text), body
        if call.wire is not None:
            call.wire = call.wire._replace(body=text)
        if call.hides_usage and self.endpoint is not None and self.endpoint.dialect.with_usage is not None:
            asking = self.endpoint.dialect.with_usage(body)
            if asking is not None:
                self.asking = rewrite.with_body(
                    self._flavour, self.plain, rewrite.extended(text, body, asking)
                )

    def deliver(
        self, deliver: Deliver, delivery: type[Any], leading: type[Any], read: str, close: str
    ) -> Any:
        """Hand a streamed response out, listened to; ``read`` and ``close`` name its sync or async ways."""
        reply = deliver.reply
        response, tap = self.response, self.tap(reply, deliver.keeps)
        self._mark(None)
        if tap is None:
            self.over(None, "complete")  # nothing in it can be read: there is nothing to wait for
            return response
        dropped.start()
        self.original.extensions[CALL_ID] = self.call.id  # the stream may break
        stream = chunks = response.stream
        if "content-encoding" in reply.headers:
            chunks = getattr(self._flavour.decoding(stream, reply.headers), read)()
            for name in ("content-encoding", "content-length"):  # both are of the encoded body
                response.headers.pop(name, None)
        response.stream = delivery(
            chunks, getattr(stream, close), tap, lambda how, error: self.over(tap, how, error)
        )
        if deliver.flight is not None:
            from tokenguard.cache.flight import Head

            deliver.flight.begin(Head(reply.status, reply.kind, self.call.attempts[-1].provider_request_id))
            response.stream = leading(response.stream, deliver.flight)
        # Dropped in a cycle, as the SDKs' streams are, the stream is garbage together with all that only
        # it holds, and the collector would end a generator among that before anybody could go on with it.
        _delivering.add(self)
        self.response = None  # or the stream would never be dropped
        return response

    def step(self, answer: Any) -> Effect | None:
        """What the flow wants next, given the answer to what it wanted before; ``None`` once it is over.

        Raises:
            GuardError: A policy refused the call.
        """
        try:
            return self.flow.send(answer)
        except StopIteration as over:
            self.result = over.value
        except GuardError:
            raise
        except Exception as fault:  # a fault of ours must not cost the caller the answer
            faults.note("flow", fault)
            self.result = self.outcome
            if self.result is None:
                self._may_be_sent()
                self.call.hides_usage = False
        return None

    def _may_be_sent(self) -> None:
        """Whatever fails, a test suite whose cassette plays sends nothing.

        Raises:
            CassetteMissError: One does.
        """
        cache = self._services.policies.cache
        if cache is not None and cache.missed is not None:
            raise cache.missed(self.call, None, "")

    def conclude(self, outcome: Reply | Failure) -> Any:
        """What the SDK gets: the response, or the error raised."""
        if isinstance(outcome, Failure):
            self.original.extensions[CALL_ID] = self.call.id
            raise outcome.error
        if outcome.redirects and self.call.dialect:
            self.original.extensions[CALL] = self.call, self._began_ns
        self._mark(outcome.receipt)
        if outcome.status >= 400 and self._services.policies.retry is not None:
            self.response.headers["x-should-retry"] = "false"  # the loop is ours, and it is over
        return self.response

    def _mark(self, receipt: Receipt | None) -> None:
        """Say in the response's headers what happened."""
        if not self.call.dialect:
            return
        marks = [
            (b"x-tokenguard-call-id", self.call.id),
            (b"x-tokenguard-attempts", str(sum([one.role != "cache" for one in self.call.attempts]))),
        ]
        if receipt is not None:
            marks.append((b"x-tokenguard-cost-usd", _usd(receipt.cost_nano)))
        if self.call.cache is not None:
            marks += _cache_marks(self.call.cache, receipt)
        append(self.response.headers, marks)


def _cache_marks(used: CacheUse, receipt: Receipt | None) -> Iterator[tuple[bytes, str]]:
    yield b"x-tokenguard-cache", used.status
    if used.age_s is not None:
        yield b"x-tokenguard-cache-age", f"{used.age_s:.3f}"
        if used.similarity is not None:
            yield b"x-tokenguard-cache-similarity", f"{used.similarity:.4f}"
        if receipt is not None:
            yield b"x-tokenguard-saved-usd", _usd(receipt.saved_nano)


def _usd(nano: int | None) -> str:
    if nano is None:
        return "unpriced"
    return f"{'-' * (nano < 0)}{abs(nano) // 10**9}.{abs(nano) % 10**9:09d}"


_delivering: set[Exchange] = set()
