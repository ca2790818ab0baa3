"""A task of its own on the running event loop, which goes on when whoever began it is cancelled."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, Final

import anyio

_running: Final[set[Any]] = set()  # asyncio itself holds its tasks by weak references only


class Detached:
    """Begins some work at once, on asyncio or trio.

    Attributes:
        over: Set once the work is over.
    """

    def __init__(self, work: Callable[[], Awaitable[Any]]) -> None:
        self.over = anyio.Event()
        self.result: Any = None
        self._error: BaseException | None = None
        self._scope = anyio.CancelScope()
        self._work = work
        trio = sys.modules.get("trio")
        if trio is not None and trio.lowlevel.in_trio_run():
            trio.lowlevel.spawn_system_task(self._run, context=copy_context())
        else:
            task = asyncio.get_running_loop().create_task(self._run())
            _running.add(task)
            task.add_done_callback(_running.discard)

    async def _run(self) -> None:
        self._error = asyncio.CancelledError()
        try:
            with self._scope:
                self.result = await self._work()
                self._error = None
        except Exception as error:
            self._error = error
        finally:
            self.over.set()

    def cancel(self) -> None:
        """Cancel the work. Call it on the event loop."""
        self._scope.cancel()

    async def outcome(self) -> Any:
        """Wait for what the work gives, or raises. Being cancelled meanwhile does not cancel the work."""
        await self.over.wait()
        if self._error is not None:
            raise self._error
        return self.result
