"""A call that is given up settles, and whatever gave it up reaches the caller unchanged."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import httpx2
import openai
import pytest

import tokenguard
from tests.conftest import Rows
from tests.transport.clients import GPT, HELLO, achat, chat
from tokenguard import Guard, Receipt, Retry
from tokenguard.testing import Provider


@pytest.fixture
def seen() -> Iterator[list[Receipt]]:
    """Every receipt of every guard, as observers get them."""
    receipts: list[Receipt] = []
    stop = tokenguard.observe(receipts.append)
    yield receipts
    stop()


def gpt(client: Any, **options: Any) -> Any:
    return client.chat.completions.create(model=GPT, messages=HELLO, **options)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_cancelled_while_sending(
    backend: str, stream: bool, provider: Provider, guard: Guard, rows: Rows, seen: list[Receipt]
) -> None:
    """Cancelled while the provider thinks: it may be billed, so it is unknown, and it is not tried again."""
    provider.fault(header_delay=float("inf"), times=None)

    async def main() -> None:
        async with guard.wrap(achat(provider)) as client, anyio.create_task_group() as group:

            async def call() -> None:
                await gpt(client, stream=stream)

            group.start_soon(call)
            await anyio.to_thread.run_sync(provider.wait_for, 1)
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    (row,), (receipt,) = rows(), seen
    assert (row["state"], row["status"]) == ("unknown", "aborted")
    assert (receipt.status, receipt.cost_basis, receipt.attempts) == ("aborted", "unknown", 1)
    assert provider.count == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_cancelled_while_reading(
    backend: str, provider: Provider, guard: Guard, rows: Rows, seen: list[Receipt]
) -> None:
    """Cancelled in the middle of a whole answer: the same."""
    provider.fault(stall_after=1, times=None)

    async def main() -> None:
        async with guard.wrap(achat(provider)) as client, anyio.create_task_group() as group:
            group.start_soon(gpt, client)
            await anyio.to_thread.run_sync(provider.wait_for, 1)
            await anyio.sleep(0.02)
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    assert [(row["state"], row["status"]) for row in rows()] == [("unknown", "aborted")]
    assert len(seen) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_cancelled_while_waiting_to_try_again(
    backend: str, provider: Provider, guard: Guard, rows: Rows, seen: list[Receipt]
) -> None:
    """Cancelled between two attempts: what was refused costs nothing, and nothing more is sent."""
    provider.fail(503, retry_after=60, times=None)

    async def main() -> None:
        async with guard.wrap(achat(provider)) as client:
            with anyio.move_on_after(0.2):
                await gpt(client)

    anyio.run(main, backend=backend)
    assert [row["state"] for row in rows()] == ["released"]
    assert [(receipt.cost_nano, receipt.attempts) for receipt in seen] == [(0, 1)]
    assert provider.count == 1


def test_cancelled_while_the_row_is_written(provider: Provider, seen: list[Receipt]) -> None:
    """Cancelled while the disk is awaited: nothing is sent, and the row is released."""

    async def main() -> None:
        async with guard.wrap(achat(provider)) as client:
            task = asyncio.create_task(gpt(client))
            await asyncio.to_thread(ledger.asked.wait, 10)
            task.cancel()
            ledger.answer.set()
            with pytest.raises(asyncio.CancelledError):
                await task

    ledger = SlowLedger()
    guard = Guard(ledger=ledger)  # type: ignore[arg-type]
    asyncio.run(main())
    assert provider.count == 0
    assert ledger.settled == ["released"]
    assert [(receipt.status, receipt.cost_nano) for receipt in seen] == [("aborted", 0)]


class SlowLedger:
    """A ledger whose disk answers when it is told to."""

    path = "slow"
    may_block = True

    def __init__(self) -> None:
        self.asked, self.answer = threading.Event(), threading.Event()
        self.settled: list[str] = []

    def begin(self, attempt: Any) -> None:
        self.asked.set()
        assert self.answer.wait(10)

    def settle(self, attempt: Any) -> None:
        self.settled.append(attempt.state)

    def flush(self, timeout_s: float) -> bool:
        return True

    def close(self) -> None:
        pass


def test_an_interrupt_is_not_swallowed(
    provider: Provider, guard: Guard, rows: Rows, seen: list[Receipt]
) -> None:
    """Control-C in the middle of a call is a KeyboardInterrupt of the caller's, and settles the call."""
    main = threading.main_thread().ident
    assert main is not None
    assert main == threading.get_ident()
    provider.fault(header_delay=float("inf"), times=None)
    client = guard.wrap(chat(provider))

    def interrupt() -> None:
        provider.wait_for(1)
        signal.pthread_kill(main, signal.SIGINT)  # or its wait for the socket would go on

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        gpt(client)
    assert [(row["state"], row["status"]) for row in rows()] == [("unknown", "aborted")]
    assert [receipt.error_type for receipt in seen] == ["KeyboardInterrupt"]
    assert provider.count == 1


class Raises(httpx2.BaseTransport):
    """An upstream that raises what it is given."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.calls = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.calls += 1
        raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()], ids=repr)
def test_what_ends_the_program_ends_it(error: BaseException, guard: Guard, rows: Rows) -> None:
    """Whatever is no Exception goes through as it is, once."""
    upstream = Raises(error)
    client = guard.wrap(openai.OpenAI(api_key="x", http_client=httpx2.Client(transport=upstream)))
    with pytest.raises(type(error)) as raised:
        gpt(client)
    assert raised.value is error
    assert upstream.calls == 1
    assert [row["status"] for row in rows()] == ["aborted"]


@pytest.mark.parametrize("error", [RuntimeError("x"), ValueError("x"), OSError("x")], ids=repr)
def test_strange_errors_go_through(error: Exception, guard: Guard, rows: Rows) -> None:
    """An error that is not the HTTP library's is not tried again, and reaches the caller as it is."""
    upstream = Raises(error)
    client = guard.wrap(openai.OpenAI(api_key="x", http_client=httpx2.Client(transport=upstream)))
    with pytest.raises(type(error)) as raised:
        gpt(client)
    assert raised.value is error
    assert upstream.calls == 1
    assert guard.flush()
    assert [row["state"] for row in rows()] == ["unknown"]


def test_a_cause_stays_a_cause(guard: Guard) -> None:
    """The chain of exceptions is the HTTP library's own: nothing of ours is put into it."""
    cause = OSError("no route")
    error = httpx2.ConnectError("failed")
    error.__cause__ = cause
    upstream = Raises(error)
    http_client = httpx2.Client(transport=upstream)
    bounded = Guard(ledger=None, retry=Retry(retries=0))
    client = bounded.wrap(openai.OpenAI(api_key="x", http_client=http_client))
    with pytest.raises(openai.APIConnectionError) as raised:
        gpt(client)
    assert raised.value.__cause__ is error
    assert error.__cause__ is cause
    assert error.__context__ is None
