"""Where a store cannot tell what was given up, nothing is trusted; but who asks at one time asks once."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import tokenguard
from tests.cache.conftest import Cached
from tests.cache.embedders import Words
from tests.cache.entries import entry
from tests.cache.test_flights import FOREVER, followers, gpt, until
from tests.transport.clients import chat
from tokenguard import Cache, CacheMissError, Guard, Similar
from tokenguard.cache import Plan, ResponseCache
from tokenguard.cache.disk import DiskStore
from tokenguard.testing import Provider


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "answers"


def break_(folder: Path) -> None:
    """Put a file where the directory was."""
    shutil.move(folder, folder.with_name("elsewhere"))
    folder.write_text("in the way")


def mend(folder: Path) -> None:
    folder.unlink()
    shutil.move(folder.with_name("elsewhere"), folder)


def use_of(guard: Guard, answer: Any) -> tuple[str | None, str | None]:
    receipt = guard.receipt(answer)
    assert receipt is not None
    return receipt.cache, receipt.cache_reason


def test_who_asks_at_one_time_asks_once(provider: Provider, cached: Cached, folder: Path) -> None:
    """Twelve threads, one request; and the next one asks again, for nothing was kept."""
    guard = cached(Cache(store=folder))
    client = guard.wrap(chat(provider))
    break_(folder)
    provider.fault(header_delay=FOREVER)
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(gpt, client) for _ in range(12)]
        until(lambda: followers(guard) == 11)
        provider.wait_for(1)
        provider.release()
        answers = [call.result() for call in calls]
    assert len({answer.to_json() for answer in answers}) == 1
    assert provider.count == 1
    assert use_of(guard, gpt(client)) == ("bypass", "store")
    assert provider.count == 2


def test_a_stream_is_followed(provider: Provider, cached: Cached, folder: Path) -> None:
    """While it comes, as ever."""
    guard = cached(Cache(store=folder))
    client = guard.wrap(chat(provider))
    break_(folder)
    provider.fault(stall_after=3)
    first = iter(gpt(client, stream=True))
    begun = [next(first), next(first)]
    second = iter(gpt(client, stream=True))
    assert [next(second), next(second)] == begun
    provider.release()
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(list, second)
        assert list(first) == rest.result()
    assert provider.count == 1


def test_what_is_in_memory_is_not_given(provider: Provider, cached: Cached, folder: Path) -> None:
    """It may have been given up by somebody; once that can be told again, what is there is given again."""
    guard = cached(Cache(store=folder))
    client = guard.wrap(chat(provider))
    gpt(client)
    guard.flush()
    assert use_of(guard, gpt(client)) == ("hit", None)
    break_(folder)
    assert [use_of(guard, gpt(client)) for _ in range(2)] == [("bypass", "store")] * 2
    with tokenguard.context(cache="only"), pytest.raises(CacheMissError, match="store"):
        gpt(client)
    mend(folder)
    assert use_of(guard, gpt(client)) == ("hit", None)
    assert provider.count == 3


def test_no_vector_is_made(provider: Provider, cached: Cached, folder: Path) -> None:
    """There is nothing to compare it with, nor will there be."""
    embedder = Words()
    guard = cached(Cache(store=folder, similar=Similar(embedder, threshold=0.6, uncalibrated=True)))
    client = guard.wrap(chat(provider))
    break_(folder)
    gpt(client)
    assert embedder.texts == []


class Failing(DiskStore):
    """A store whose news cannot be had at times."""

    fails = False

    def generation(self) -> Any:
        if self.fails:
            raise OSError("no news")
        return super().generation()


def plan() -> Plan:
    return Plan("k" * 64, "team", (), 60.0)


def test_trouble_that_comes_and_goes(folder: Path) -> None:
    """Only who asks in the same trouble is followed: in between, something may have been given up."""
    store = Failing(folder)
    cache = ResponseCache(Cache(), store)
    now_ns = time.time_ns()
    before = plan()
    assert cache.find(before, now_ns).what == "lead"
    store.fails = True
    first = plan()
    assert cache.find(first, now_ns).what == "lead"
    assert cache.find(plan(), now_ns).flight is first.leads
    assert cache.find(plan(), now_ns).flight is first.leads
    store.fails = False
    cache.let_go(before)
    assert cache.find(plan(), now_ns).what in ("lead", "elsewhere")
    store.fails = True
    second = plan()
    assert cache.find(second, now_ns).what == "lead"
    assert cache.find(plan(), now_ns).flight is second.leads
    cache.close()


def test_an_answer_of_that_time_is_kept_nowhere(folder: Path) -> None:
    """Neither in memory nor on disk, not even if the trouble is over by then."""
    store = Failing(folder)
    cache = ResponseCache(Cache(), store)
    now_ns = time.time_ns()
    store.fails = True
    asked = plan()
    cache.find(asked, now_ns)
    made = entry("k" * 64, namespace="team", stored_ns=now_ns, expires_ns=now_ns + 10**12)
    cache.put(asked, made, keeps=True)
    assert cache.find(plan(), now_ns).what == "lead"
    store.fails = False
    cache.flush()
    assert store.get("k" * 64) is None
    assert cache.find(plan(), now_ns).entry is None
    cache.close()
