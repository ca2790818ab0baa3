"""The asynchronous driver: a transport that carries out a flow on an event loop, asyncio's or trio's."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from tokenguard import faults
from tokenguard.effects import Body, Deliver, Failure, Open, Read, Reply, Send, Sleep
from tokenguard.errors import GuardError
from tokenguard.transport import rewrite
from tokenguard.transport.delivery import AsyncDelivery
from tokenguard.transport.exchange import Exchange
from tokenguard.transport.seam import Seam


class AsyncTransport:
    """Sends every request of one HTTP client through the guard, then through the client it wraps."""

    def __init__(
        self, seam: Seam, forward: Callable[[Any], Awaitable[Any]], close: Callable[[], Awaitable[None]]
    ) -> None:
        self._seam = seam
        self._forward = forward
        self._close = close
        self._delivery = seam.flavour.stream_class(AsyncDelivery, is_async=True)
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
            return await self._drive(exchange)
        except GuardError as error:
            raise self._seam.own_error(error, exchange.call.dialect if exchange else "") from None

    async def _drive(self, exchange: Exchange) -> Any:
        flow = exchange.flow
        answer: Any = None
        while True:
            try:
                effect = flow.send(answer)
            except StopIteration as over:
                outcome = over.value
                break
            except GuardError:
                raise
            except Exception as fault:  # a fault of ours must not cost the caller the answer
                outcome = exchange.fault(fault) or await self._send(exchange)
                break
            match effect:
                case Open(attempt):
                    answer = await self._open(exchange, attempt)
                case Send():
                    answer = await self._send(exchange)
                case Read(reply):
                    answer = await self._read(exchange, reply)
                case Deliver(reply):
                    return exchange.deliver(reply, self._delivery, "aiter_bytes", "aclose")
                case Sleep(seconds):
                    answer = await self._sleep(exchange, seconds)
                case _:
                    exchange.note(effect)
                    answer = None
        return exchange.conclude(outcome)

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
