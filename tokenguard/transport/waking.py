"""Wake a task of an event loop from any thread: asyncio's and trio's ways, as anyio has none of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress


def waker(wake: Callable[[], object]) -> Callable[[], None]:
    """A function that any thread may call to have ``wake`` called soon on this event loop.

    After the loop has ended it does nothing: nobody waits there any more.
    """
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        token = trio.lowlevel.current_trio_token()

        def on_trio() -> None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(wake)

        return on_trio
    loop = asyncio.get_running_loop()

    def on_asyncio() -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(wake)

    return on_asyncio
