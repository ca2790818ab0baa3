"""The synchronous driver: a transport that carries out a flow on the calling thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from tokenguard import faults
from tokenguard.effects import (
    Await,
    Body,
    Deliver,
    Failure,
    Find,
    Join,
    Open,
    Read,
    Replay,
    Reply,
    Resemble,
    Send,
    Sleep,
)
from tokenguard.errors import GuardError
from tokenguard.transport import rewrite
from tokenguard.transport.delivery import SyncDelivery
from tokenguard.transport.exchange import Exchange
from tokenguard.transport.seam import Seam
from tokenguard.transport.sharing import SyncFollowing, SyncLeading


class SyncTransport:
    """Sends every request of one HTTP client through the guard, then through the client it wraps."""

    def __init__(self, seam: Seam, forward: Callable[[Any], Any], close: Callable[[], None]) -> None:
        self._seam = seam
        self._forward = forward
        self._close = close
        self._delivery = seam.flavour.stream_class(SyncDelivery, is_async=False)
        self._leading = seam.flavour.stream_class(SyncLeading, is_async=False)
        self._following = seam.flavour.stream_class(SyncFollowing, is_async=False)
        self._sending = seam.services.policies.telemetry.sending

    def __enter__(self) -> SyncTransport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what the wrapped client would have closed."""
        self._close()

    def handle_request(self, request: Any) -> Any:
        """Send one request; gives the response as the provider sent it.

        Raises:
            GuardError: A policy refused the call.
        """
        exchange: Exchange | None = None
        try:
            exchange = self._seam.begin(request)
            return self._drive(exchange)
        except GuardError as error:
            raise self._seam.own_error(error, exchange.call.dialect if exchange else "") from None

    def _drive(self, exchange: Exchange) -> Any:
        answer: Any = None
        while (effect := exchange.step(answer)) is not None:
            match effect:
                case Find() | Resemble() | Await() | Join() | Replay():
                    answer = self._from_cache(exchange, effect)
                case Open(attempt):
                    answer = self._open(exchange, attempt)
                case Send():
                    answer = self._send(exchange)
                case Read(reply):
                    answer = self._read(exchange, reply)
                case Deliver():
                    return exchange.deliver(effect, self._delivery, self._leading, "iter_bytes", "close")
                case Sleep(seconds):
                    answer = self._sleep(exchange, seconds)
                case _:
                    exchange.note(effect)
                    answer = None
        return exchange.conclude(exchange.result or self._send(exchange))

    def _from_cache(self, exchange: Exchange, effect: Find | Resemble | Await | Join | Replay) -> Any:
        match effect:
            case Find():
                return exchange.find(effect)
            case Resemble():
                return self._resemble(exchange, effect)
            case Await(flight, seconds):
                return self._await(exchange, flight, seconds)
            case Join(flight):
                return exchange.join(flight, self._following)
            case Replay(entry):
                return self._replay(exchange, entry)

    def _resemble(self, exchange: Exchange, effect: Resemble) -> Any:
        try:
            return exchange.resemble(effect)
        except BaseException as error:  # an interrupt: the embedder may have been waited for
            return exchange.failed(error, sent=False)

    def _await(self, exchange: Exchange, flight: Any, seconds: float) -> Failure | None:
        over = threading.Event()
        forget = flight.at_changes(over.set)
        try:
            if not flight.ready:
                over.wait(seconds)
        except BaseException as error:
            return exchange.failed(error, sent=False)
        finally:
            forget()
        return None

    def _replay(self, exchange: Exchange, entry: Any) -> Reply | Failure:
        try:
            if exchange.response is not None:
                exchange.response.stream.close()
        except Exception as error:
            faults.note("transport.close", error)
        except BaseException as error:
            return exchange.failed(error)
        return exchange.replay(entry)

    def _open(self, exchange: Exchange, attempt: Any) -> Failure | None:
        ledger = self._seam.services.ledger
        try:
            if ledger is not None:
                ledger.begin(attempt)
        except Exception as fault:
            faults.note("ledger.begin", fault)
        except BaseException as error:
            return exchange.failed(error, sent=False)
        return None

    def _send(self, exchange: Exchange) -> Reply | Failure:
        request = exchange.outgoing()
        try:
            if exchange.must_be_signed(request):
                key = rewrite.unsigned(request)
                self._seam.sign(request)  # type: ignore[misc] # must_be_signed: there is a signer
                rewrite.check_signer(request, key)
        except BaseException as error:
            return exchange.failed(error, sent=False)
        try:
            with self._sending(exchange.call.trace):
                return exchange.head(self._forward(request))
        except BaseException as error:
            return exchange.failed(error)

    def _read(self, exchange: Exchange, reply: Reply) -> Body | Failure:
        stream = exchange.response.stream
        try:
            try:
                raw = b"".join(stream)
            finally:
                stream.close()
        except BaseException as error:
            return exchange.failed(error)
        return exchange.body(reply, raw)

    def _sleep(self, exchange: Exchange, seconds: float) -> Failure | None:
        exchange.outcome = None  # its response is closed: nobody can go on with it
        try:
            if exchange.response is not None:
                exchange.response.stream.close()
            time.sleep(seconds)
        except BaseException as error:
            return exchange.failed(error)
        return None
