"""The asynchronous driver: a transport that carries out a flow on an event loop, asyncio's or trio's."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio

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
from tokenguard.transport.delivery import AsyncDelivery
from tokenguard.transport.detached import Detached
from tokenguard.transport.exchange import Exchange
from tokenguard.transport.seam import Seam
from tokenguard.transport.sharing import AsyncFollowing, AsyncLeading
from tokenguard.transport.waking import waker

if TYPE_CHECKING:  # a guard without a cache does not load it
    from tokenguard.cache.flight import Flight


class AsyncTransport:
    """Sends every request of one HTTP client through the guard, then through the client it wraps."""

    def __init__(
        self, seam: Seam, forward: Callable[[Any], Awaitable[Any]], close: Callable[[], Awaitable[None]]
    ) -> None:
        self._seam = seam
        self._forward = forward
        self._close = close
        self._delivery = seam.flavour.stream_class(AsyncDelivery, is_async=True)
        self._leading = seam.flavour.stream_class(AsyncLeading, is_async=True)
        self._following = seam.flavour.stream_class(AsyncFollowing, is_async=True)
        self._sending = seam.services.policies.telemetry.sending

    async def __aenter__(self) -> AsyncTransport:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close what the wrapped client would have closed."""
        await self._close()

    async def handle_async_request(self, request: Any) -> Any:
        """Send one request; gives the response as the provider sent it.

        Raises:
            GuardError: A policy refused the call.
        """
        exchange: Exchange | None = None
        try:
            exchange = self._seam.begin(request)
            return await self._drive(exchange, None)
        except GuardError as error:
            raise self._seam.own_error(error, exchange.call.dialect if exchange else "") from None

    async def _drive(self, exchange: Exchange, answer: Any) -> Any:
        while (effect := exchange.step(answer)) is not None:
            match effect:
                case Find() | Resemble() | Await() | Join() | Replay():
                    answer = await self._from_cache(exchange, effect)
                    if isinstance(effect, Find) and exchange.begins_to_lead(effect.plan):
                        return await self._lead(exchange, effect.plan.leads, answer)
                case Open(attempt):
                    answer = await self._open(exchange, attempt)
                case Send():
                    answer = await self._send(exchange)
                case Read(reply):
                    answer = await self._read(exchange, reply)
                case Deliver():
                    return exchange.deliver(effect, self._delivery, self._leading, "aiter_bytes", "aclose")
                case Sleep(seconds):
                    answer = await self._sleep(exchange, seconds)
                case _:
                    exchange.note(effect)
                    answer = None
        return exchange.conclude(exchange.result or await self._send(exchange))

    async def _from_cache(self, exchange: Exchange, effect: Find | Resemble | Await | Join | Replay) -> Any:
        match effect:
            case Find():
                return await self._find(exchange, effect)
            case Resemble():
                return await self._resemble(exchange, effect)
            case Await(flight, seconds):
                return await self._await(exchange, flight, seconds)
            case Join(flight):
                return exchange.join(flight, self._following)
            case Replay(entry):
                return await self._replay(exchange, entry)

    async def _find(self, exchange: Exchange, effect: Find) -> Any:
        cache = self._seam.services.policies.cache
        if cache is not None and cache.may_block:
            try:
                return await anyio.to_thread.run_sync(exchange.find, effect)
            except BaseException as error:  # the flow hears of a cancelled task when it is to be answered
                return exchange.failed(error, sent=False)
        return exchange.find(effect)

    async def _resemble(self, exchange: Exchange, effect: Resemble) -> Any:
        cache = self._seam.services.policies.cache
        try:
            if cache is not None and cache.similar is not None and cache.similar.may_block:
                return await anyio.to_thread.run_sync(exchange.resemble, effect)
            return exchange.resemble(effect)
        except BaseException as error:  # as in _find
            return exchange.failed(error, sent=False)

    async def _lead(self, exchange: Exchange, flight: Flight | None, answer: Any) -> Any:
        """Go on in a task of its own: if the caller is cancelled, others may wait for the answer."""
        task = Detached(lambda: self._drive(exchange, answer))
        try:
            return await task.outcome()
        except BaseException:
            if not task.over.is_set() and not (flight and flight.followed):
                task.cancel()
                with anyio.CancelScope(shield=True):
                    await task.over.wait()
            raise

    async def _await(self, exchange: Exchange, flight: Any, seconds: float) -> Failure | None:
        over = anyio.Event()
        forget = flight.at_changes(waker(over.set))
        try:
            if not flight.ready:
                with anyio.move_on_after(seconds):
                    await over.wait()
        except BaseException as error:
            return exchange.failed(error, sent=False)
        finally:
            forget()
        return None

    async def _replay(self, exchange: Exchange, entry: Any) -> Reply | Failure:
        try:
            if exchange.response is not None:
                await exchange.response.stream.aclose()
        except Exception as error:
            faults.note("transport.close", error)
        except BaseException as error:
            return exchange.failed(error)
        return exchange.replay(entry)

    async def _open(self, exchange: Exchange, attempt: Any) -> Failure | None:
        ledger = self._seam.services.ledger
        try:
            if ledger is None:
                return None
            if ledger.may_block:
                await anyio.to_thread.run_sync(ledger.begin, attempt)
            else:
                ledger.begin(attempt)
        except Exception as fault:
            faults.note("ledger.begin", fault)
        except BaseException as error:
            return exchange.failed(error, sent=False)
        return None

    async def _send(self, exchange: Exchange) -> Reply | Failure:
        request = exchange.outgoing()
        try:
            if exchange.must_be_signed(request):
                key = rewrite.unsigned(request)
                signing = self._seam.sign(request)  # type: ignore[misc] # must_be_signed: there is a signer
                if inspect.isawaitable(signing):
                    await signing
                rewrite.check_signer(request, key)
        except BaseException as error:
            return exchange.failed(error, sent=False)
        try:
            with self._sending(exchange.call.trace):
                return exchange.head(await self._forward(request))
        except BaseException as error:
            return exchange.failed(error)

    async def _read(self, exchange: Exchange, reply: Reply) -> Body | Failure:
        stream = exchange.response.stream
        try:
            try:
                raw = b"".join([chunk async for chunk in stream])
            finally:
                await stream.aclose()
        except BaseException as error:
            return exchange.failed(error)
        return exchange.body(reply, raw)

    async def _sleep(self, exchange: Exchange, seconds: float) -> Failure | None:
        exchange.outcome = None  # its response is closed: nobody can go on with it
        try:
            if exchange.response is not None:
                await exchange.response.stream.aclose()
            await anyio.sleep(seconds)
        except BaseException as error:
            return exchange.failed(error)
        return None
