"""A streamed answer that several read: its leader's, and those of whoever came with the same request.

Everybody gets every chunk as it came, when it comes. The stream goes on as long as anybody reads it, whether
or not that is the one for whom it was asked.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import anyio

from tokenguard import faults
from tokenguard.transport import dropped
from tokenguard.transport.detached import Detached
from tokenguard.transport.waking import waker

if TYPE_CHECKING:  # a guard without a cache does not load it
    from tokenguard.cache.flight import Flight


class SyncLeading:
    """The leader's stream in a thread: the leader reads for all, as long as it reads."""

    def __init__(self, delivery: Any, flight: Flight) -> None:
        self._delivery = delivery
        self._flight = flight
        self._chunks = iter(delivery)
        self._left = False

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._next()) is not None:
            yield chunk

    def _next(self) -> bytes | None:
        try:
            chunk: bytes | None = next(self._chunks, None)
        except BaseException as error:
            self._flight.end(error)
            raise
        if chunk is None:
            self._flight.end()
        else:
            self._flight.feed(chunk)
        return chunk

    def close(self) -> None:
        """Read no more; if others do, somebody else reads on for them."""
        if self._left:
            return
        self._left = True
        if self._flight.leave() or self._flight.ended:
            self._flight.end(self._flight.error or _given_up(self._flight))
            self._delivery.close()
        else:
            threading.Thread(target=self._read_on, name="tokenguard-reader", daemon=True).start()

    def _read_on(self) -> None:
        try:
            while self._flight.readers > 0 and self._next() is not None:
                pass
        except Exception as error:
            faults.note("transport.sharing", error)
        finally:
            self._delivery.close()

    def __del__(self) -> None:
        if not self._left:
            dropped.settle(self.close)  # the collector may run us with any lock held


class AsyncLeading:
    """The leader's stream on an event loop: a task reads for all, so that nobody's end is the others'."""

    def __init__(self, delivery: Any, flight: Flight) -> None:
        self._delivery = delivery
        self._flight = flight
        self._left = False
        self._task = Detached(self._read)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in _chunks(self._flight, None, _no_timeout):
            yield chunk

    async def _read(self) -> None:
        flight = self._flight
        try:
            async for chunk in self._delivery:
                flight.feed(chunk)
                if flight.readers <= 0:
                    break
        except BaseException as error:
            flight.end(error)
            if not isinstance(error, Exception):
                raise
        else:
            flight.end(_given_up(flight) if flight.readers <= 0 else None)
        finally:
            with anyio.CancelScope(shield=True):
                await self._delivery.aclose()

    async def aclose(self) -> None:
        """Read no more; the stream ends with its last reader."""
        if not self._left:
            self._left = True
            if self._flight.leave():
                self._task.cancel()
                with anyio.CancelScope(shield=True):
                    await self._task.over.wait()

    def leave(self) -> None:
        """The same where nothing can be awaited."""
        if not self._left:
            self._left = True
            self._flight.leave()

    def __del__(self) -> None:
        self.leave()


class SyncFollowing:
    """A follower's stream in a thread."""

    def __init__(self, flight: Flight, timeout_s: float | None, timed_out: Callable[[], Exception]) -> None:
        self._flight = flight
        self._timeout_s = timeout_s
        self._timed_out = timed_out
        self._left = False

    def __iter__(self) -> Iterator[bytes]:
        number, changed = 0, threading.Event()
        forget = self._flight.at_changes(changed.set)
        try:
            while True:
                changed.clear()
                chunk = self._flight.chunk(number)
                if chunk is not None:
                    number += 1
                    yield chunk
                elif self._flight.ended:
                    if self._flight.error is not None:
                        raise self._flight.error
                    return
                elif not changed.wait(self._timeout_s):
                    raise self._timed_out()
        finally:
            forget()

    def close(self) -> None:
        """Read no more."""
        if not self._left:
            self._left = True
            self._flight.leave()

    def __del__(self) -> None:
        self.close()


class AsyncFollowing:
    """A follower's stream on an event loop."""

    def __init__(self, flight: Flight, timeout_s: float | None, timed_out: Callable[[], Exception]) -> None:
        self._flight = flight
        self._timeout_s = timeout_s
        self._timed_out = timed_out
        self._left = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in _chunks(self._flight, self._timeout_s, self._timed_out):
            yield chunk

    async def aclose(self) -> None:
        """Read no more."""
        self._leave()

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._flight.leave()

    def __del__(self) -> None:
        self._leave()


async def _chunks(
    flight: Flight, timeout_s: float | None, timed_out: Callable[[], Exception]
) -> AsyncIterator[bytes]:
    number, changed = 0, [anyio.Event()]
    forget = flight.at_changes(waker(lambda: changed[0].set()))
    try:
        while True:
            chunk = flight.chunk(number)
            if chunk is not None:
                number += 1
                yield chunk
            elif flight.ended:
                if flight.error is not None:
                    raise flight.error
                return
            else:
                with anyio.move_on_after(timeout_s) as waiting:
                    await changed[0].wait()
                if waiting.cancelled_caught:
                    raise timed_out()
                changed[0] = anyio.Event()
    finally:
        forget()


def _no_timeout() -> Exception:
    return TimeoutError()


def _given_up(flight: Flight) -> Exception | None:
    """What a follower who joins too late hears of a stream that its last reader closed."""
    return None if flight.ended else ConnectionError("the stream was closed by its last reader")
