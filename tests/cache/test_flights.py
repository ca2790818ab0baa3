"""Whoever asks the same at the same time waits for one call, and gets its answer."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import openai
import pytest

import tokenguard
from tests.cache.conftest import Cached
from tests.transport.clients import GPT, HELLO, achat, chat
from tokenguard import Cache, Guard, Receipt
from tokenguard.cache import Plan, ResponseCache
from tokenguard.cache.disk import DiskStore
from tokenguard.testing import Answer, Provider

BACKENDS = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
FOREVER = float("inf")


@pytest.fixture
async def open_client(provider: Provider, anyio_backend: str) -> AsyncIterator[openai.AsyncOpenAI]:
    """An asynchronous client, closed on the loop that it was used on."""
    async with achat(provider) as client:
        yield client


@pytest.fixture
def seen() -> Iterator[list[Receipt]]:
    """Every receipt of every guard, as observers get them."""
    receipts: list[Receipt] = []
    stop = tokenguard.observe(receipts.append)
    yield receipts
    stop()


def gpt(client: Any, **options: Any) -> Any:
    return client.chat.completions.create(**{"model": GPT, "messages": HELLO, "temperature": 0, **options})


def statuses(receipts: list[Receipt]) -> list[str | None]:
    return sorted(receipt.cache or "" for receipt in receipts)


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread to come so far."""
    ticks = threading.Event()
    for _ in range(10_000):
        if condition():
            return
        ticks.wait(0.001)
    raise AssertionError("it never came so far")


def followers(guard: Guard) -> int:
    """How many wait for a call of this guard."""
    assert guard.cache is not None
    return sum(len(flight._wakers) for flight in guard.cache._flights.values())


def test_threads(provider: Provider, cached: Cached, seen: list[Receipt]) -> None:
    """Twenty threads ask at once: the provider is asked once, and all get its answer."""
    guard = cached()
    client = guard.wrap(chat(provider))
    provider.fault(header_delay=FOREVER)
    with ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(gpt, client) for _ in range(20)]
        until(lambda: followers(guard) == 19)
        provider.wait_for(1)
        provider.release()
        answers = [call.result() for call in calls]
    assert len({answer.to_json() for answer in answers}) == 1
    assert provider.count == 1
    assert statuses(seen) == ["coalesced"] * 19 + ["miss"]
    assert sum(receipt.cost_nano or 0 for receipt in seen) == max(r.cost_nano or 0 for r in seen)


@pytest.mark.anyio
@BACKENDS
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_tasks(
    provider: Provider,
    open_client: openai.AsyncOpenAI,
    cached: Cached,
    seen: list[Receipt],
    stream: bool,
    anyio_backend: str,
) -> None:
    """And so do twenty tasks."""
    guard = cached()
    client = guard.wrap(open_client)
    provider.fault(header_delay=FOREVER)
    said = []

    async def call() -> None:
        answer = await gpt(client, stream=stream)
        said.append([e.to_json() async for e in answer] if stream else answer.to_json())

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(call)
        await anyio.to_thread.run_sync(until, lambda: followers(guard) == 19)
        await anyio.to_thread.run_sync(provider.wait_for, 1)
        provider.release()
    assert all(answer == said[0] for answer in said)
    assert provider.count == 1
    await anyio.to_thread.run_sync(until, lambda: len(seen) == 20)
    assert statuses(seen) == ["coalesced"] * 19 + ["miss"]
    assert {receipt.saved_nano for receipt in seen if receipt.cache != "miss"} == {
        receipt.cost_nano for receipt in seen if receipt.cache == "miss"
    }


def test_a_stream_is_followed_while_it_comes(provider: Provider, cached: Cached) -> None:
    """Who follows has the first words before the last ones are there."""
    guard = cached()
    client = guard.wrap(chat(provider))
    provider.answer(Answer("one two three four five six"))
    provider.fault(stall_after=3)
    first = iter(gpt(client, stream=True))
    begun = [next(first), next(first)]
    second = iter(gpt(client, stream=True))
    assert [next(second), next(second)] == begun
    assert provider.count == 1
    provider.release()
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(list, second)
        assert list(first) == rest.result()


def test_a_leader_that_leaves_early(provider: Provider, cached: Cached, seen: list[Receipt]) -> None:
    """Who asked first may read no further: the others still get everything, and it is paid and kept once."""
    guard = cached()
    client = guard.wrap(chat(provider))
    provider.answer(Answer("one two three four five six"))
    provider.fault(stall_after=3)
    first = gpt(client, stream=True)
    next(iter(first))
    second = gpt(client, stream=True)
    words = iter(second)
    begun = [next(words)]
    first.close()
    provider.release()
    whole = "".join(e.choices[0].delta.content or "" for e in [*begun, *words])
    assert whole == "one two three four five six"
    until(lambda: len(seen) == 2)
    assert statuses(seen) == ["coalesced", "miss"]
    assert all(receipt.status == "ok" for receipt in seen)
    assert list(gpt(client, stream=True))
    assert provider.count == 1


@pytest.mark.anyio
@BACKENDS
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_cancelled_leader(
    provider: Provider,
    open_client: openai.AsyncOpenAI,
    cached: Cached,
    seen: list[Receipt],
    stream: bool,
    anyio_backend: str,
) -> None:
    """The task that asked first is cancelled: the others get the answer of its call all the same."""
    guard = cached()
    client = guard.wrap(open_client)
    provider.fault(header_delay=FOREVER)
    said, leader = [], anyio.CancelScope()

    async def call() -> None:
        answer = await gpt(client, stream=stream)
        said.append([e.to_json() async for e in answer] if stream else answer.to_json())

    async def lead() -> None:
        with leader:
            await call()

    async with anyio.create_task_group() as group:
        group.start_soon(lead)
        await anyio.to_thread.run_sync(provider.wait_for, 1)
        for _ in range(3):
            group.start_soon(call)
        await anyio.to_thread.run_sync(until, lambda: followers(guard) == 3)
        leader.cancel()
        await anyio.lowlevel.checkpoint()
        provider.release()
    assert len(said) == 3
    assert all(answer == said[0] for answer in said)
    assert provider.count == 1
    await anyio.to_thread.run_sync(until, lambda: len(seen) == 4)
    assert statuses(seen) == ["coalesced"] * 3 + ["miss"]


@pytest.mark.anyio
@BACKENDS
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_cancelled_call_that_nobody_follows(
    provider: Provider,
    open_client: openai.AsyncOpenAI,
    cached: Cached,
    seen: list[Receipt],
    stream: bool,
    anyio_backend: str,
) -> None:
    """It is given up with its task, as without a cache: nothing goes on in the background."""
    guard = cached()
    client = guard.wrap(open_client)
    provider.fault(header_delay=FOREVER)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: gpt(client, stream=stream))
        await anyio.to_thread.run_sync(provider.wait_for, 1)
        group.cancel_scope.cancel()
    (receipt,) = seen
    assert (receipt.status, receipt.cost_basis) == ("aborted", "unknown")
    assert guard.cache is not None
    assert not guard.cache._flights


@pytest.mark.anyio
@BACKENDS
async def test_a_cancelled_follower(
    provider: Provider, open_client: openai.AsyncOpenAI, cached: Cached, anyio_backend: str
) -> None:
    """It leaves, and nobody notices."""
    guard = cached()
    client = guard.wrap(open_client)
    provider.fault(header_delay=FOREVER)
    said, follower = [], anyio.CancelScope()

    async def call() -> None:
        said.append((await gpt(client)).to_json())

    async def follow() -> None:
        with follower:
            await call()

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        await anyio.to_thread.run_sync(provider.wait_for, 1)
        group.start_soon(follow)
        await anyio.to_thread.run_sync(until, lambda: followers(guard) == 1)
        follower.cancel()
        await anyio.to_thread.run_sync(until, lambda: followers(guard) == 0)
        provider.release()
    assert len(said) == 1


def test_a_leader_that_fails(provider: Provider, cached: Cached, seen: list[Receipt]) -> None:
    """Those who waited ask for themselves."""
    guard = cached(retry=0)
    client = guard.wrap(chat(provider))
    provider.fault(header_delay=FOREVER, reset="before_headers")
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(gpt, client) for _ in range(4)]
        until(lambda: followers(guard) == 3)
        provider.wait_for(1)
        provider.release()
        failed = [call for call in calls if isinstance(call.exception(), openai.APIConnectionError)]
    assert len(failed) == 1
    assert 2 <= provider.count <= 4
    assert "miss" in statuses(seen)


def test_tools_are_called_once_for_each(provider: Provider, cached: Cached) -> None:
    """A request with tools is not shared, or all would carry out the same call; with ``tools=True`` it is."""
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    for cache, expected in ((Cache(), 2), (Cache(tools=True), 1)):
        provider.forget_requests()
        guard = cached(cache)
        client = guard.wrap(chat(provider))
        provider.fault(header_delay=FOREVER, times=2)
        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(gpt, client, tools=[tool]) for _ in range(2)]
            until(lambda: provider.count + followers(guard) == 2)  # noqa: B023
            provider.wait_for(expected)
            provider.release()
            assert all(call.result().choices for call in calls)
        assert provider.count == expected
        provider.clear()


def test_a_follower_does_not_wait_for_ever(provider: Provider, cached: Cached, seen: list[Receipt]) -> None:
    """After its time it asks for itself."""
    guard = cached(Cache(wait=0.05))
    client = guard.wrap(chat(provider))
    provider.fault(header_delay=FOREVER)
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(gpt, client)
        provider.wait_for(1)
        assert gpt(client).choices
        assert not leader.done()
        provider.release()
        assert leader.result().choices
    assert provider.count == 2
    assert statuses(seen) == ["miss", "miss"]


def test_threads_follow_tasks_and_tasks_threads(provider: Provider, cached: Cached) -> None:
    """Synchronous and asynchronous callers of one guard wait for each other."""
    guard = cached()
    sync = guard.wrap(chat(provider))

    async def one(stream: bool) -> list[str]:
        async with guard.wrap(achat(provider)) as client:
            answer = await gpt(client, stream=stream)
            return [e.to_json() async for e in answer] if stream else [answer.to_json()]

    def in_a_thread(stream: bool) -> list[str]:
        answer = gpt(sync, stream=stream)
        return [e.to_json() for e in answer] if stream else [answer.to_json()]

    for stream in (False, True):
        provider.forget_requests()
        guard.cache.invalidate()  # type: ignore[union-attr]
        provider.fault(header_delay=FOREVER)
        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(lambda: asyncio.run(one(stream))) for _ in range(2)]  # noqa: B023
            calls += [pool.submit(in_a_thread, stream) for _ in range(2)]
            until(lambda: followers(guard) == 3)
            provider.wait_for(1)
            provider.release()
            said = [call.result() for call in calls]
        assert all(answer == said[0] for answer in said)
        assert provider.count == 1


@pytest.mark.anyio
@BACKENDS
async def test_tasks_wait_for_another_process(
    provider: Provider, open_client: openai.AsyncOpenAI, cached: Cached, tmp_path: Path, anyio_backend: str
) -> None:
    """A task looks again and again whether the other process, here another guard, has the answer."""
    one, other = [cached(Cache(store=tmp_path / "answers")) for _ in range(2)]
    sync, client = one.wrap(chat(provider)), other.wrap(open_client)
    provider.fault(header_delay=FOREVER)
    said: list[Any] = []

    async def call() -> None:
        said.append(await gpt(client))

    async with anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, gpt, sync)
        await anyio.to_thread.run_sync(provider.wait_for, 1)
        for _ in range(3):
            group.start_soon(call)
        await anyio.to_thread.run_sync(until, lambda: followers(other) == 2)
        provider.release()
    assert provider.count == 1
    receipts = [other.receipt(answer) for answer in said]
    assert {receipt.cache for receipt in receipts if receipt} == {"coalesced"}


PROGRAM = """
import json, sys
import openai
import tokenguard
from concurrent.futures import ThreadPoolExecutor
from tokenguard import Cache, Guard

url, directory, n = sys.argv[1:]
guard = Guard(cache=Cache(store=directory, lookup_timeout="10s"), ledger=None)  # the machine may be busy
client = guard.wrap(openai.OpenAI(base_url=url, api_key="sk-x"))
print("ready", flush=True)
sys.stdin.readline()

def call(_):
    answer = client.chat.completions.create(
        model="gpt-4.1-mini", messages=[{"role": "user", "content": "hi"}], temperature=0
    )
    return guard.receipt(answer).cache, answer.to_json()

with ThreadPoolExecutor(int(n)) as pool:
    print(json.dumps(list(pool.map(call, range(int(n))))))
guard.close()
"""


def begin(provider: Provider, directory: Path, n: int) -> subprocess.Popen[str]:
    made = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, provider.openai_url, str(directory), str(n)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert made.stdout is not None
    assert made.stdout.readline() == "ready\n"
    return made


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_processes(provider: Provider, tmp_path: Path) -> None:
    """Four processes of ten threads ask at once: the provider is asked once."""
    provider.fault(header_delay=0.3)
    processes = [begin(provider, tmp_path / "answers", 10) for _ in range(4)]
    for process in processes:
        go(process)
    got = [pair for process in processes for pair in json.loads(process.communicate(timeout=30)[0])]
    assert len(got) == 40
    assert len({answer for _, answer in got}) == 1
    assert provider.count == 1
    assert [status for status, _ in got].count("miss") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_fork_gives_its_lease_back(tmp_path: Path) -> None:
    """It leads in its own name: nobody has to wait until its lease runs out."""
    store = DiskStore(tmp_path / "answers")
    cache = ResponseCache(Cache(), store)
    child = os.fork()
    if not child:
        plan = Plan("k" * 64, "n", (), 60.0)
        led = cache.find(plan, 0).what == "lead" and not store.acquire(plan.key, "other", 10.0)
        cache.let_go(plan)
        os._exit(0 if led and cache.flush() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.acquire("k" * 64, "other", 10.0)
    cache.close()


def test_a_leader_that_is_killed(provider: Provider, tmp_path: Path) -> None:
    """Its lease ends with its time, and another process asks instead: nobody waits for the dead for long."""
    provider.fault(header_delay=FOREVER)
    first, second = [begin(provider, tmp_path / "answers", 1) for _ in range(2)]
    go(first)
    provider.wait_for(1)
    first.kill()
    first.wait()
    go(second)
    ((status, _),) = json.loads(second.communicate(timeout=50)[0])
    assert status in ("miss", "coalesced")
    assert provider.count == 2
