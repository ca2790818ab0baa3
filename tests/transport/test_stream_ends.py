"""However a stream ends, its call settles: exactly one receipt and one settled row, estimated where cut."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx2
import openai
import pytest

import tokenguard
from tests.conftest import Rows
from tests.transport.clients import CLAUDE, GPT, HELLO, achat, chat, claude
from tokenguard import Guard, Receipt
from tokenguard.testing import Provider
from tokenguard.transport import dropped

LONG = "one two three four five six seven eight nine ten"


class BoomError(Exception):
    """What the caller's own code raises."""


@pytest.fixture
def seen() -> Iterator[list[Receipt]]:
    """Every receipt of every guard, as observers get them."""
    receipts: list[Receipt] = []
    stop = tokenguard.observe(receipts.append)
    yield receipts
    stop()


@pytest.fixture(autouse=True)
def slow(provider: Provider) -> None:
    """Streams whose end is not there yet when the first chunk is: the connection stays open."""
    provider.answer(LONG)
    provider.fault(stall_after=6, times=None, when=lambda request: "x-whole" not in dict(request.headers))


def gpt(client: Any, **options: Any) -> Any:
    return client.chat.completions.create(model=GPT, messages=HELLO, stream=True, **options)


def whole(client: Any) -> Any:
    return gpt(client, extra_headers={"x-whole": "1"})


def read_to_the_end(client: Any) -> None:
    assert len(list(whole(client))) > 10


def read_twice(client: Any) -> None:
    stream = whole(client)
    list(stream)
    assert list(stream) == []
    stream.close()


def closed_at_once(client: Any) -> None:
    stream = gpt(client)
    stream.close()
    stream.close()


def closed_half_read(client: Any) -> None:
    stream = gpt(client)
    next(stream)
    stream.close()


def left_by_with(client: Any) -> None:
    with gpt(client) as stream:
        for _ in stream:
            break


def broken_out_of(client: Any) -> None:
    for _ in gpt(client):
        break


def exception_in_the_loop(client: Any) -> None:
    try:
        with gpt(client) as stream:
            for _ in stream:
                raise BoomError
    except BoomError:
        pass


def interrupted_in_the_loop(client: Any) -> None:
    stream = gpt(client)
    with suppress(KeyboardInterrupt):
        for _ in stream:
            raise KeyboardInterrupt
    stream.close()


def dropped_unread(client: Any) -> None:
    gpt(client)


def dropped_half_read(client: Any) -> None:
    next(gpt(client))


def dropped_in_a_cycle(client: Any) -> None:
    ring: list[Any] = [gpt(client)]
    ring.append(ring)
    next(ring[0])


def raw_half_read(client: Any) -> None:
    create = client.chat.completions.with_streaming_response.create
    with create(model=GPT, messages=HELLO, stream=True) as response:
        next(response.iter_bytes(10))


def helper_half_read(client: Any) -> None:
    with client.chat.completions.stream(model=GPT, messages=HELLO) as stream:
        next(iter(stream))


COMPLETE = (read_to_the_end, read_twice)
CUT = (
    closed_at_once,
    closed_half_read,
    left_by_with,
    broken_out_of,
    exception_in_the_loop,
    interrupted_in_the_loop,
    dropped_unread,
    dropped_half_read,
    dropped_in_a_cycle,
    raw_half_read,
    helper_half_read,
)


@pytest.mark.parametrize("end", [*COMPLETE, *CUT], ids=lambda end: end.__name__)
def test_synchronous_streams(
    end: Callable[[Any], None], provider: Provider, guard: Guard, rows: Rows, seen: list[Receipt]
) -> None:
    """Read, closed, broken out of, raised in, or dropped: one receipt, one settled row."""
    end(guard.wrap(chat(provider)))
    gc.collect()
    (row,) = rows()
    (receipt,) = seen
    wanted = ("ok", "usage") if end in COMPLETE else ("aborted", "estimated")
    assert (receipt.status, receipt.cost_basis) == wanted
    assert (row["state"], row["status"], row["cost_nano"]) == ("settled", wanted[0], receipt.cost_nano)
    assert receipt.cost_nano


async def a_read_to_the_end(client: Any) -> None:
    assert len([chunk async for chunk in await whole(client)]) > 10


async def a_closed_at_once(client: Any) -> None:
    await (await gpt(client)).close()


async def a_closed_half_read(client: Any) -> None:
    stream = await gpt(client)
    await anext(stream)
    await stream.close()


async def a_left_by_with(client: Any) -> None:
    async with await gpt(client) as stream:
        async for _ in stream:
            break


async def a_exception_in_the_loop(client: Any) -> None:
    try:
        async with await gpt(client) as stream:
            async for _ in stream:
                raise BoomError
    except BoomError:
        pass


async def a_cancelled_while_waiting(client: Any) -> None:
    async def consume() -> None:
        async for _ in await gpt(client):
            started.set()

    started = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(consume)
        await started.wait()
        group.cancel_scope.cancel()


async def a_timed_out(client: Any) -> None:
    stream = await gpt(client)
    await anext(stream)
    with anyio.move_on_after(0.05):  # the provider stalls: there is no next chunk in time
        async for _ in stream:
            pass


async def a_dropped_unread(client: Any) -> None:
    await gpt(client)


async def a_dropped_half_read(client: Any) -> None:
    await anext(await gpt(client))
    gc.collect()
    for _ in range(5):  # the event loop closes the generator that was found
        await anyio.sleep(0)


async def a_relayed(client: Any) -> None:
    """Through a generator of the application's own, as web frameworks do, abandoned by its reader."""

    async def relay() -> AsyncIterator[str]:
        async with await gpt(client) as stream:
            async for chunk in stream:
                yield chunk.id

    relayed = relay()
    await anext(relayed)
    await relayed.aclose()  # type: ignore[attr-defined]


A_COMPLETE = (a_read_to_the_end,)
A_CUT = (
    a_closed_at_once,
    a_closed_half_read,
    a_left_by_with,
    a_exception_in_the_loop,
    a_cancelled_while_waiting,
    a_timed_out,
    a_dropped_unread,
    a_relayed,
)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("end", [*A_COMPLETE, *A_CUT, a_dropped_half_read], ids=lambda end: end.__name__)
def test_asynchronous_streams(
    end: Any, backend: str, provider: Provider, guard: Guard, rows: Rows, seen: list[Receipt]
) -> None:
    """The same asynchronously, on asyncio and on trio, cancelled tasks included."""

    async def main() -> None:
        client = guard.wrap(achat(provider))
        await end(client)
        await client.close()

    if backend == "trio" and end is a_dropped_half_read:
        with pytest.warns(ResourceWarning, match="was garbage collected"):
            anyio.run(main, backend=backend)
    else:
        anyio.run(main, backend=backend)
    gc.collect()
    (row,) = rows()
    (receipt,) = seen
    wanted = ("ok", "usage") if end in A_COMPLETE else ("aborted", "estimated")
    assert (receipt.status, receipt.cost_basis) == wanted
    assert (row["state"], row["cost_nano"]) == ("settled", receipt.cost_nano)


def test_what_was_delivered_is_what_is_paid(provider: Provider, guard: Guard, seen: list[Receipt]) -> None:
    """The more of a stream was delivered before it was cut, the more it costs; its input it always costs."""
    client = guard.wrap(chat(provider))
    for chunks in (0, 2, 5):
        stream = gpt(client)
        for _ in range(chunks):
            next(stream)
        stream.close()
    unread, little, more = seen
    assert unread.usage is not None
    assert unread.usage.input_tokens > 0
    assert unread.usage.output_tokens == 0
    assert (unread.cost_nano or 0) < (little.cost_nano or 0) < (more.cost_nano or 0)
    assert unread.first_token_s is None
    assert more.first_token_s is not None


def test_anthropic_knows_its_input_from_the_start(provider: Provider, guard: Guard) -> None:
    """A message that is cut costs the input that its first event tells, and what was delivered."""
    client = guard.wrap(claude(provider))
    with client.messages.stream(model=CLAUDE, max_tokens=99, messages=HELLO) as stream:
        for text in stream.text_stream:
            assert text
            break
    receipt = guard.receipt(stream)
    assert receipt is not None
    assert (receipt.status, receipt.cost_basis) == ("aborted", "estimated")
    assert receipt.usage is not None
    assert receipt.usage.input_tokens == stream.current_message_snapshot.usage.input_tokens


@pytest.mark.parametrize("fault", ["truncate_after", "disconnect_after"])
def test_streams_that_the_provider_cuts(
    fault: str, provider: Provider, guard: Guard, rows: Rows, seen: list[Receipt]
) -> None:
    """A stream that ends too early, politely or not, settles to what was delivered."""
    provider.clear()
    provider.answer(LONG)
    provider.fault(**{fault: 4})  # type: ignore[arg-type]
    stream = gpt(guard.wrap(chat(provider)))
    try:
        list(stream)
    except openai.APIConnectionError:
        assert fault == "disconnect_after"
    (receipt,) = seen
    assert receipt.cost_basis == "estimated"
    assert [row["state"] for row in rows()] == ["settled"]


def test_malformed_events(provider: Provider, guard: Guard, rows: Rows) -> None:
    """An event that is not JSON is the SDK's to complain of, and the call settles all the same."""
    provider.clear()
    provider.fault(malformed_after=3)
    stream = gpt(guard.wrap(chat(provider)))
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        list(stream)
    stream.close()
    assert [row["state"] for row in rows()] == ["settled"]


def test_a_collection_never_settles_on_its_own_thread(provider: Provider, guard: Guard) -> None:
    """The collector may find a stream while its thread holds any lock: observers run on another one."""
    lock = threading.Lock()
    threads: list[str] = []

    def needs_the_lock(_: Receipt) -> None:
        assert lock.acquire(timeout=10), "settled by the thread that holds the lock"
        lock.release()
        threads.append(threading.current_thread().name)

    stop = tokenguard.observe(needs_the_lock)
    try:
        dropped_in_a_cycle(guard.wrap(chat(provider)))
        with lock:
            gc.collect()
        dropped.flush()
    finally:
        stop()
    assert threads == ["tokenguard-dropped"]


def test_flush_waits_for_what_was_dropped(provider: Provider, guard: Guard) -> None:
    """guard.flush() returns once dropped streams are settled too, also one that is being settled."""
    begun, go_on = threading.Event(), threading.Event()
    seen: list[Receipt] = []

    def slowly(receipt: Receipt) -> None:
        begun.set()
        assert go_on.wait(10)
        seen.append(receipt)

    stop = tokenguard.observe(slowly)
    try:
        dropped_unread(guard.wrap(chat(provider)))
        gc.collect()
        assert begun.wait(10)
        threading.Timer(0.05, go_on.set).start()
        assert guard.flush()
        assert len(seen) == 1
    finally:
        stop()


FORKED = """
import os, sys, gc, tokenguard, openai
guard = tokenguard.Guard(ledger=sys.argv[2])
client = guard.wrap(openai.OpenAI(base_url=sys.argv[1], api_key="x"))
seen = []
tokenguard.observe(seen.append)
stream = client.chat.completions.create(
    model="gpt-4.1-mini", messages=[{"role": "user", "content": "Hello"}], stream=True
)
next(stream)
child = os.fork()
if child == 0:
    stream.response.stream = None
    del stream
    gc.collect()
    guard.flush()
    sys.exit(len(seen))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
list(stream)
guard.flush()
print([receipt.cost_basis.value for receipt in seen])
print(guard.ledger.reader().execute("SELECT state, cost_basis FROM call").fetchall())
"""


def test_a_fork_settles_nothing(provider: Provider, tmp_path: Path) -> None:
    """A child that was forked in the middle of a stream does not settle it: the parent still reads it."""
    provider.clear()
    command = [sys.executable, "-W", "ignore", "-c", FORKED, provider.openai_url, str(tmp_path / "ledger.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['usage']", "[('settled', 'usage')]"]


class Upstream(httpx2.AsyncBaseTransport):
    """An upstream in this process whose streams begin at once and go on once ``n`` of them are open.

    Over sockets, a thousand connections at once keep the HTTP library's pool busy for ten seconds.
    """

    def __init__(self, n: int) -> None:
        self._missing = n
        self._all_open = asyncio.Event()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        assert b"include_usage" in request.read()
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=_Events(self))

    async def events(self) -> AsyncIterator[bytes]:
        """A chunk, a wait for all others, the rest."""
        self._missing -= 1
        if not self._missing:
            self._all_open.set()
        yield _event(choices=[{"index": 0, "delta": {"role": "assistant", "content": "one two"}}])
        await self._all_open.wait()
        yield _event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
        usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
        yield _event(choices=[], usage=usage) + b"data: [DONE]\n\n"


class _Events(httpx2.AsyncByteStream):
    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._upstream.events()


def _event(**fields: Any) -> bytes:
    fields = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": GPT, **fields}
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def test_1000_streams_at_once(guard: Guard, rows: Rows, seen: list[Receipt]) -> None:
    """A thousand streams open at once on one event loop all settle: read, closed, cancelled or dropped."""
    n = 1000

    async def one(client: openai.AsyncOpenAI, index: int) -> None:
        stream = await gpt(client)
        await anext(stream)
        if index % 4 == 0:
            assert len([chunk async for chunk in stream]) == 1
        elif index % 4 == 1:
            await anext(stream)
            await stream.close()
        elif index % 4 == 2:
            reading = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            reading.cancel()
            await reading

    async def main() -> None:
        http_client = httpx2.AsyncClient(transport=Upstream(n))
        made = openai.AsyncOpenAI(base_url="http://127.0.0.1:1/v1", api_key="x", http_client=http_client)
        async with guard.wrap(made) as client:
            await asyncio.gather(*(one(client, index) for index in range(n)), return_exceptions=True)
            gc.collect()
            for _ in range(5):
                await asyncio.sleep(0)

    asyncio.run(main())
    gc.collect()
    written = rows()
    assert len(written) == len(seen) == n
    assert {row["state"] for row in written} == {"settled"}
    assert len({row["id"] for row in written}) == n
    assert sum(row["cost_nano"] for row in written) == sum(receipt.cost_nano or 0 for receipt in seen)
    assert sum(receipt.cost_basis == "usage" for receipt in seen) >= n / 4
