"""The body of a streamed answer on its way to the caller, and the news of how it ended.

The news comes exactly once, whatever happens: read to the end, closed, broken, cancelled, or simply
dropped and collected as garbage.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from tokenguard.effects import How
from tokenguard.transport import dropped
from tokenguard.transport.tap import Tap

Over = Callable[[How, BaseException | None], None]


class Delivery:
    """What the synchronous and the asynchronous delivery share."""

    def __init__(self, chunks: Any, close: Callable[[], Any], tap: Tap, over: Over) -> None:
        self._chunks = chunks
        self._close = close
        self._tap = tap
        self._over: Over | None = over
        self._forks = dropped.forks

    def _end(self, how: How, error: BaseException | None = None) -> None:
        over = self._news()
        if over is None:
            return
        if self._tap.finished and how != "complete":
            how, error = "complete", None  # the answer was over before the caller looked away
        if dropped.collecting():
            dropped.settle(lambda: over(how, error))
        else:
            over(how, error)

    def __del__(self) -> None:
        over = self._news()
        if over is not None:
            # The collector may run us in the middle of anything, locks held: settle elsewhere.
            how: How = "complete" if self._tap.finished else "dropped"
            dropped.settle(lambda: over(how, None))

    def _news(self) -> Over | None:
        """Whom to tell, once; nobody in a copy of the process, since the stream is the original's."""
        over, self._over = self._over, None
        return over if self._forks == dropped.forks else None


class SyncDelivery(Delivery):
    """A delivery to a thread."""

    def __iter__(self) -> Iterator[bytes]:
        tap = self._tap
        try:
            for chunk in self._chunks:
                passed = tap.feed(chunk)
                if passed:
                    yield passed
        except GeneratorExit:
            raise  # the caller stopped reading: close() or the collector will tell
        except BaseException as error:
            self._end("broken", error)
            raise
        rest = tap.rest()
        if rest:
            yield rest
        self._end("complete")

    def close(self) -> None:
        """Close the connection and settle the call, if that has not happened yet."""
        try:
            self._close()
        finally:
            self._end("closed")


class AsyncDelivery(Delivery):
    """A delivery to an event loop."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        tap = self._tap
        try:
            async for chunk in self._chunks:
                passed = tap.feed(chunk)
                if passed:
                    yield passed
        except GeneratorExit:
            raise  # the caller stopped reading: aclose() or the collector will tell
        except BaseException as error:
            self._end("broken", error)
            raise
        rest = tap.rest()
        if rest:
            yield rest
        self._end("complete")

    async def aclose(self) -> None:
        """Close the connection and settle the call, if that has not happened yet."""
        try:
            await self._close()
        finally:
            self._end("closed")
