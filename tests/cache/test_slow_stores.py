"""A store that is slow costs a call no more than ``lookup_timeout``, and not each call that."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

import tokenguard
from tests.cache.conftest import Cached, HandClock
from tests.cache.embedders import Words
from tests.cache.stores import Slow, label
from tests.cache.test_flights import followers, until
from tests.transport.clients import GPT, HELLO, achat, chat
from tokenguard import Cache, CacheMissError, ConfigError, Guard, Receipt, Similar, faults
from tokenguard.cache.disk import DiskStore
from tokenguard.cache.patience import FIRST_PAUSE_NS, LATE_IN_A_ROW, LONGEST_PAUSE_NS
from tokenguard.testing import Provider

BACKENDS = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
FOREVER = float("inf")
LATE_S = 0.05
ENTRIES = {"get": LATE_S}
NEWS = {"generation": LATE_S}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "answers"


@pytest.fixture
def slow(folder: Path, clock: HandClock) -> Iterator[Slow]:
    """A store that is quick, until it is told otherwise."""
    store = Slow(folder, clock)
    yield store
    store.close()


@pytest.fixture
def hanging(folder: Path, clock: HandClock) -> Iterator[Slow]:
    """A store that may block."""
    store = Slow(folder, clock, may_block=True)
    yield store
    store.wakes.set()
    store.close()


def gpt(client: Any, **options: Any) -> Any:
    return client.chat.completions.create(**{"model": GPT, "messages": HELLO, "temperature": 0, **options})


def use(guard: Guard, client: Any, **options: Any) -> tuple[str | None, str | None]:
    """What the cache did for a call, and why. What it left to be written takes no time of the next one."""
    receipt = guard.receipt(gpt(client, **options))
    assert receipt is not None
    assert guard.flush()
    return receipt.cache, receipt.cache_reason


def counts(guard: Guard) -> tuple[int, int]:
    assert guard.cache is not None
    return guard.cache.counts["slow"], guard.cache.counts["left_alone"]


def leave_alone(guard: Guard, client: Any, store: Slow, takes: dict[str, float]) -> None:
    """Have a store come late so often that it is left alone."""
    store.takes = takes
    for n in range(LATE_IN_A_ROW):
        assert use(guard, client, seed=1000 + n) == ("bypass", "slow")


# Late


@pytest.mark.parametrize("late", ["generation", "epoch", "get"])
def test_a_lookup_that_takes_too_long_is_abandoned(
    late: str, provider: Provider, cached: Cached, clock: HandClock, slow: Slow
) -> None:
    """Nothing more is asked of the store; the call goes on, and says why. Its answer is kept all the same."""
    guard = cached(Cache(store=slow, lookup_timeout="20ms"), clock=clock)
    client = guard.wrap(chat(provider))
    slow.takes = {late: LATE_S}
    before = faults.counts().get("cache.slow", 0)
    assert use(guard, client) == ("bypass", "slow")
    assert slow.asked["get"] == (late == "get")
    assert counts(guard) == (1, 0)
    assert faults.counts()["cache.slow"] == before + 1
    slow.takes = {}
    assert use(guard, client) == ("hit", None)
    assert provider.count == 1


def test_what_a_lookup_asks_for_has_one_time_together(
    provider: Provider, cached: Cached, clock: HandClock, slow: Slow
) -> None:
    """Each thing is quick enough, but not all of them; the next lookup has its whole time again."""
    guard = cached(Cache(store=slow, lookup_timeout="20ms"), clock=clock)
    client = guard.wrap(chat(provider))
    use(guard, client)
    slow.takes = {"generation": 0.006, "get": 0.006}
    assert use(guard, client, seed=1) == ("miss", None)
    assert counts(guard) == (0, 0)
    slow.takes = {"generation": 0.012, "get": 0.012}
    assert use(guard, client, seed=2) == ("bypass", "slow")
    assert counts(guard) == (1, 0)
    slow.takes = {"generation": 0.006, "get": 0.006}
    assert use(guard, client, seed=3) == ("miss", None)


def test_an_answer_that_comes_late_is_used(
    provider: Provider, cached: Cached, clock: HandClock, slow: Slow
) -> None:
    """It is there: nobody is asked again for it."""
    cache = Cache(store=slow, lookup_timeout="20ms")
    first = cached(cache, clock=clock)
    gpt(first.wrap(chat(provider)))
    assert first.flush()
    guard = cached(cache, clock=clock)
    slow.takes = ENTRIES
    assert use(guard, guard.wrap(chat(provider))) == ("hit", None)
    assert counts(guard) == (1, 0)


def test_a_lease_is_tried_for_without_any_time_left(
    provider: Provider, cached: Cached, clock: HandClock, slow: Slow, folder: Path
) -> None:
    """Without it another process would ask the provider, too."""
    guard = cached(Cache(store=slow, lookup_timeout="20ms"), clock=clock)
    client = guard.wrap(chat(provider))
    slow.takes = ENTRIES
    provider.fault(header_delay=FOREVER)
    with ThreadPoolExecutor(1) as pool, closing(DiskStore(folder)) as other:
        call = pool.submit(use, guard, client)
        provider.wait_for(1)
        assert guard.cache is not None
        (key,) = guard.cache._flights  # type: ignore[attr-defined]
        assert not other.acquire(key, "other", 10)
        provider.release()
        assert call.result() == ("bypass", "slow")
        assert guard.flush()
        assert other.acquire(key, "other", 10)


@pytest.mark.parametrize("file", ["cache.db", "leases.db"])
def test_a_lock_is_waited_for_no_longer_than_is_left(file: str, folder: Path) -> None:
    """Neither by a thread that has the database open, nor by one that opens it."""
    with closing(DiskStore(folder)) as store:
        store.set(label("k"), b"x", 60)
        assert store.acquire("k", "a", 10)

        def ask() -> Any:
            return store.get("k", 0.0) if file == "cache.db" else store.acquire("k", "a", 10, 0.0)

        assert ask()
        store.close()
        with (
            closing(sqlite3.connect(folder / file, isolation_level=None)) as other,
            ThreadPoolExecutor(1) as pool,
        ):
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            for run in (ask, lambda: pool.submit(ask).result()):
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    run()
        assert ask()


@pytest.mark.parametrize("given", [0, "0s", "0ms"])
def test_no_time_at_all_is_refused(given: str | int) -> None:
    """Nothing would ever be found."""
    with pytest.raises(ConfigError, match=r"lookup_timeout=0.*leave that out"):
        Cache(lookup_timeout=given)


# Late again and again


def test_a_store_that_keeps_coming_late_is_left_alone(
    provider: Provider, cached: Cached, clock: HandClock, slow: Slow
) -> None:
    """Memory serves, nobody waits for the disk; once it is quick again, it is used again."""
    guard = cached(Cache(store=slow, lookup_timeout="20ms"), clock=clock)
    client = guard.wrap(chat(provider))
    assert use(guard, client) == ("miss", None)
    leave_alone(guard, client, slow, {"get": LATE_S, "acquire": LATE_S})
    asked = slow.asked["get"]
    assert use(guard, client) == ("hit", None)
    assert use(guard, client, seed=1) == ("bypass", "slow")
    assert use(guard, client, seed=1) == ("hit", None)
    assert slow.asked["get"] == asked
    assert counts(guard)[1] > 0

    slow.takes = {}
    clock.forward(FIRST_PAUSE_NS / 1e9)
    assert use(guard, client, seed=2) == ("bypass", "slow"), "it is tried in the background"
    assert guard.flush()
    assert slow.asked["get"] > asked
    assert use(guard, client, seed=3) == ("miss", None)


def test_it_is_tried_less_and_less(provider: Provider, cached: Cached, clock: HandClock, slow: Slow) -> None:
    """After each try that is late, too, it is left alone for twice as long, up to a minute."""
    guard = cached(Cache(store=slow, lookup_timeout="20ms"), clock=clock)
    client = guard.wrap(chat(provider))
    leave_alone(guard, client, slow, ENTRIES)
    began_ns, tried = clock.now_ns, []
    asked = slow.asked["get"]
    for n in range(400):
        clock.forward(0.5)
        assert use(guard, client, seed=n) == ("bypass", "slow")
        if slow.asked["get"] > asked:
            asked = slow.asked["get"]
            tried.append((clock.now_ns - began_ns) / 1e9)
    pauses = [b - a for a, b in zip([0.0, *tried], tried, strict=False)]
    assert pauses[:6] == pytest.approx([1, 2, 4, 8, 16, 32], abs=0.7)
    assert pauses[6:] == pytest.approx([LONGEST_PAUSE_NS / 1e9] * len(pauses[6:]), abs=0.7)


def test_one_that_is_late_at_times_is_not_left_alone(
    provider: Provider, cached: Cached, clock: HandClock, slow: Slow
) -> None:
    """Only what is late several times in a row."""
    guard = cached(Cache(store=slow, lookup_timeout="20ms"), clock=clock)
    client = guard.wrap(chat(provider))
    for n in range(10):
        slow.takes = ENTRIES if n % 3 else {}
        use(guard, client, seed=n)
    assert counts(guard) == (6, 0)


@pytest.mark.parametrize("late", [ENTRIES, NEWS], ids=["entries", "news"])
def test_what_another_process_gives_up_while_the_store_is_left_alone(
    late: dict[str, float],
    provider: Provider,
    cached: Cached,
    clock: HandClock,
    slow: Slow,
    folder: Path,
) -> None:
    """Memory does not give it, whether that is heard of, or cannot be."""
    guard = cached(Cache(store=slow, tags=("faq",), lookup_timeout="20ms"), clock=clock)
    client = guard.wrap(chat(provider))
    use(guard, client)
    leave_alone(guard, client, slow, late)
    with closing(DiskStore(folder)) as other:
        other.remove(tokenguard.cache.Which(tag="faq"))
    assert use(guard, client) == ("bypass", "slow")
    assert provider.count == LATE_IN_A_ROW + 2


def test_what_was_invalidated_is_not_known(
    provider: Provider, cached: Cached, clock: HandClock, slow: Slow
) -> None:
    """Then nothing is given, kept, or shared; what is in memory is good again once that is known."""
    guard = cached(Cache(store=slow, lookup_timeout="20ms"), clock=clock)
    client = guard.wrap(chat(provider))
    use(guard, client)
    leave_alone(guard, client, slow, NEWS)
    for _ in range(2):
        assert use(guard, client) == ("bypass", "slow")
    with tokenguard.context(cache="only"), pytest.raises(CacheMissError, match="slow"):
        gpt(client)
    with tokenguard.context(cache="refresh"):
        assert use(guard, client) == ("bypass", "slow")
    assert use(guard, client, seed=1) == ("bypass", "slow")
    slow.takes = {}
    clock.forward(FIRST_PAUSE_NS / 1e9)
    use(guard, client, seed=2)
    assert guard.flush()
    assert use(guard, client) == ("hit", None)
    assert use(guard, client, seed=1) == ("miss", None)


def test_news_that_cannot_be_read(provider: Provider, cached: Cached, folder: Path) -> None:
    """The store cannot say what was given up: the cache is passed by, and the answer is not kept."""
    guard = cached(Cache(store=folder, namespace="n"))
    client = guard.wrap(chat(provider))
    assert use(guard, client) == ("miss", None)
    assert guard.cache is not None
    guard.cache.invalidate(namespace="n")
    news = (folder / "invalidations.json").read_bytes()
    (folder / "invalidations.json").write_bytes(b"{")
    before = faults.counts().get("cache.generation", 0)
    for _ in range(2):
        assert use(guard, client) == ("bypass", "store")
    assert faults.counts()["cache.generation"] == before + 2
    (folder / "invalidations.json").write_bytes(news)
    assert use(guard, client) == ("miss", None)


def test_what_was_given_up_elsewhere_has_another_key(
    provider: Provider, cached: Cached, folder: Path
) -> None:
    """Who did not know the epoch when the call came learns of it in the lookup: before, nothing was asked."""
    cache = Cache(store=folder, namespace="n")
    one, other = cached(cache), cached(cache)
    clients = [guard.wrap(chat(provider)) for guard in (one, other)]
    assert use(one, clients[0]) == ("miss", None)
    for guard in (one, other):
        assert guard.flush()
        assert guard.cache is not None
        guard.cache.invalidate(namespace="n")
        assert use(one, clients[0]) == ("miss", None)
        assert one.flush()
        answer = gpt(clients[1])
        receipt = other.receipt(answer)
        assert receipt is not None
        assert (receipt.cache, receipt.attempts) == ("hit", 0)
        assert other.receipt(gpt(clients[1])).cache_key == receipt.cache_key  # type: ignore[union-attr]


def test_one_call_for_all_of_a_process_who_ask_at_once(
    provider: Provider, cached: Cached, clock: HandClock, slow: Slow
) -> None:
    """They follow each other though the store is left alone."""
    guard = cached(Cache(store=slow, lookup_timeout="20ms"), clock=clock)
    client = guard.wrap(chat(provider))
    leave_alone(guard, client, slow, ENTRIES)
    provider.forget_requests()
    provider.fault(header_delay=FOREVER)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(gpt, client) for _ in range(4)]
        until(lambda: followers(guard) == 3)
        provider.wait_for(1)
        provider.release()
        assert len({call.result().to_json() for call in calls}) == 1
    assert provider.count == 1


@pytest.mark.parametrize("takes", [NEWS, ENTRIES], ids=["news", "entries"])
def test_no_embedder_is_asked_where_the_lookup_was_late(
    takes: dict[str, float], provider: Provider, cached: Cached, clock: HandClock, slow: Slow
) -> None:
    """What a similar question got could not be told from what was given up."""
    embedder = Words()
    similar = Similar(embedder, threshold=0.6, uncalibrated=True)
    guard = cached(Cache(store=slow, similar=similar, lookup_timeout="20ms"), clock=clock)
    client = guard.wrap(chat(provider))
    use(guard, client)
    assert len(embedder.texts) == 1
    slow.takes = takes
    for n in range(LATE_IN_A_ROW):
        assert use(guard, client, messages=[{"role": "user", "content": f"hi {n}"}]) == ("bypass", "slow")
    assert len(embedder.texts) == 1


# A store that may block


@pytest.mark.parametrize("hangs", ["generation", "epoch", "get", "acquire"])
def test_a_store_that_hangs_is_not_waited_for(
    hangs: str, provider: Provider, cached: Cached, clock: HandClock, hanging: Slow
) -> None:
    """The call is answered by the provider meanwhile, and what comes of the lookup later changes nothing."""
    guard = cached(Cache(store=hanging, lookup_timeout="1ms"), clock=clock)
    client = guard.wrap(chat(provider))
    hanging.hangs = {hangs}
    assert use(guard, client) == ("bypass", "slow")
    hanging.wakes.set()
    assert guard.cache is not None
    guard.close()
    assert provider.count == 1


def test_a_lease_that_comes_too_late_is_given_back(
    provider: Provider, cached: Cached, clock: HandClock, hanging: Slow, folder: Path
) -> None:
    """No other process waits for a call that is over."""
    guard = cached(Cache(store=hanging, lookup_timeout="1ms"), clock=clock)
    client = guard.wrap(chat(provider))
    hanging.hangs = {"acquire"}
    receipt = guard.receipt(gpt(client))
    assert receipt is not None
    assert receipt.cache_reason == "slow"
    hanging.wakes.set()
    with closing(DiskStore(folder)) as other:
        until(lambda: other.acquire(receipt.cache_key or "", "other", 10))


@pytest.mark.anyio
@BACKENDS
async def test_event_loops_do_not_wait_for_it_either(
    provider: Provider, cached: Cached, clock: HandClock, hanging: Slow, anyio_backend: str
) -> None:
    """Nor is the loop kept waiting: a task that hangs in the store lets others run."""
    guard = cached(Cache(store=hanging, lookup_timeout="1ms"), clock=clock)
    hanging.hangs = {"get"}
    async with guard.wrap(achat(provider)) as client:
        receipts: list[Receipt | None] = []

        async def call(n: int) -> None:
            receipts.append(guard.receipt(await gpt(client, seed=n)))

        async with anyio.create_task_group() as group:
            for n in range(20):
                group.start_soon(call, n)
    assert {(one.cache, one.cache_reason) for one in receipts if one} == {("bypass", "slow")}
    assert provider.count == 20


def test_a_store_that_may_block_is_used_as_any_other(
    provider: Provider, cached: Cached, clock: HandClock, hanging: Slow
) -> None:
    """On threads of its own, where the caller gets what it asked for, or hears of what was raised."""
    cache = Cache(store=hanging, lookup_timeout="1m")
    first, guard = cached(cache, clock=clock), cached(cache, clock=clock)
    assert use(first, first.wrap(chat(provider))) == ("miss", None)
    assert first.flush()
    client = guard.wrap(chat(provider))
    assert use(guard, client) == ("hit", None)
    (hanging._directory / "invalidations.json").write_bytes(b"{")
    assert use(guard, client) == ("bypass", "store")
