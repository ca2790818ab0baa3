"""What caches hold, keep and let go of, as a metrics reader gets it; and what that costs nobody."""

from __future__ import annotations

import gc
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.metrics import _internal as metrics_state

from tests.cache.embedders import Words
from tokenguard import Cache, Guard, Similar, TelemetrySettings, faults
from tokenguard.cache import writer
from tokenguard.cache.disk import DiskStore
from tokenguard.testing import Provider

from .conftest import Measured

SIZE, ENTRIES = "tokenguard.cache.size", "tokenguard.cache.entries"
EVICTIONS, WRITES = "tokenguard.cache.evictions", "tokenguard.cache.writes"
Ask = Callable[..., Guard]


@pytest.fixture
def ask(provider: Provider) -> Iterator[Ask]:
    """Asks questions with a guard, a new one unless one is given; gives it."""
    made: list[Guard] = []

    def asking(cache: Cache | None = None, *texts: str, guard: Guard | None = None, **more: Any) -> Guard:
        if guard is None:
            guard = Guard(cache=cache, ledger=None, telemetry=TelemetrySettings(spans="metrics"))
            made.append(guard)
        client = guard.wrap(openai.OpenAI(base_url=provider.openai_url, api_key="k"))
        for text in texts:
            messages: Any = [{"role": "user", "content": text}]
            client.chat.completions.create(
                **{"model": "gpt-4.1", "messages": messages, "temperature": 0, **more}
            )
        guard.flush()
        return guard

    yield asking
    for guard in made:
        guard.close()


class Stuck(DiskStore):
    """Writes nothing until it is told to."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.go_on = threading.Event()

    def set(self, *given: Any, **more: Any) -> int:
        self.go_on.wait(30)
        return super().set(*given, **more)


class Failing(DiskStore):
    """Cannot say what it has."""

    asked = 0

    def held(self) -> None:
        self.asked += 1
        raise OSError("disk I/O error")


def by(measured: Measured, name: str, attribute: str = "tier") -> dict[str, Any]:
    """The values of a metric by one of its attributes."""
    return {labels[f"tokenguard.cache.{attribute}"]: value for labels, value in measured.points(name)}


def test_what_is_in_memory(ask: Ask, measured: Measured) -> None:
    """Entries, and about how many bytes they take; of all guards together."""
    guard = ask(Cache(), "a", "b", "a")
    assert by(measured, ENTRIES) == {"memory": 2}
    one = by(measured, SIZE)["memory"]
    assert one > 2 * 2048
    ask(Cache(), "a", "b")
    assert by(measured, ENTRIES) == {"memory": 4}
    assert by(measured, SIZE)["memory"] == pytest.approx(2 * one, rel=0.01)
    assert guard.cache is not None
    guard.cache.invalidate()
    assert by(measured, ENTRIES) == {"memory": 2}
    assert measured.metrics()[SIZE].unit == "By"


def test_what_is_on_disk_is_told_once(ask: Ask, measured: Measured, tmp_path: Path) -> None:
    """However many guards use a directory; another directory adds to it."""
    ask(Cache(store=tmp_path / "c"), "a", "b")
    with closing(DiskStore(tmp_path / "c")) as store:
        held = store.held()
    assert held is not None
    assert (by(measured, ENTRIES)["store"], by(measured, SIZE)["store"]) == (2, held.bytes)
    ask(Cache(store=tmp_path / "c"), "a")
    assert by(measured, ENTRIES)["store"] == 2
    ask(Cache(store=tmp_path / "d"), "a")
    assert by(measured, ENTRIES)["store"] == 3


def test_the_index_of_similar_questions_is_told_apart(ask: Ask, measured: Measured, tmp_path: Path) -> None:
    """In memory its entries are questions, and on disk a page is an entry."""
    similar = Similar(Words(), threshold=0.9, uncalibrated=True, max_entries=64)
    ask(Cache(store=tmp_path / "c", similar=similar), "How do I reset it?", "Where is the nearest shop?")
    assert by(measured, ENTRIES) == {"memory": 2, "index": 2, "store": 3}
    assert by(measured, SIZE)["index"] > 0


def test_what_had_to_go_from_memory(ask: Ask, measured: Measured) -> None:
    """What was kept is there, or had to go."""
    guard = ask(Cache(memory_bytes=10_000), "a")
    assert by(measured, EVICTIONS) == {"memory": 0}
    ask(None, *map(str, range(9)), guard=guard)
    evicted, left = by(measured, EVICTIONS)["memory"], by(measured, ENTRIES)["memory"]
    assert evicted > 0 < left
    assert evicted + left == 10
    assert getattr(measured.metrics()[EVICTIONS].data, "is_monotonic", False)


def test_what_had_to_go_from_disk(ask: Ask, measured: Measured, provider: Provider, tmp_path: Path) -> None:
    """Only what this process let go, so that a fleet's adds up; the directory has the sum."""
    provider.answer("x" * 300_000)
    settings = Cache(store=tmp_path / "c", max_bytes=4 * 2**20)
    ask(settings, *map(str, range(20)))
    evicted, left = by(measured, EVICTIONS)["store"], by(measured, ENTRIES)["store"]
    assert evicted > 0 < left
    assert evicted + left == 20
    with closing(DiskStore(tmp_path / "c")) as store:
        assert store.evicted() == evicted


def test_what_was_kept_and_what_was_not(ask: Ask, measured: Measured, provider: Provider) -> None:
    """Each answer that was asked for once, with the reason; a hit is none of them."""
    guard = ask(Cache(), "a", "b", "a")
    ask(None, "a", guard=guard, max_tokens=1)
    provider.answer("", times=1)
    ask(None, "c", guard=guard)
    found = {
        (labels["tokenguard.cache.write"], labels.get("tokenguard.cache.reason")): value
        for labels, value in measured.points(WRITES)
    }
    assert found == {("stored", None): 2, ("refused", "finish_reason"): 1, ("refused", "empty"): 1}


def test_a_store_that_cannot_keep_up_shows(
    measured: Measured, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those answers are in memory only, and counted apart."""
    monkeypatch.setattr(writer, "_MOST_BYTES", 20_000)
    store = Stuck(tmp_path / "c")
    guard = Guard(cache=Cache(store=store), ledger=None, telemetry=TelemetrySettings(spans="metrics"))
    client = guard.wrap(openai.OpenAI(base_url=provider.openai_url, api_key="k"))
    for n in range(20):
        messages: Any = [{"role": "user", "content": str(n)}]
        client.chat.completions.create(model="gpt-4.1", messages=messages, temperature=0)
    written = by(measured, WRITES, "write")
    assert written["store_busy"] > 0 < written["stored"]
    assert written["stored"] + written["store_busy"] == 20
    store.go_on.set()
    guard.close()


def test_a_guard_that_is_gone_takes_nothing_back(ask: Ask, measured: Measured) -> None:
    """What it held is gone; what it counted was so, and a counter never falls."""

    def use_one() -> None:
        with closing(Guard(cache=Cache(memory_bytes=5_000), ledger=None)) as guard:
            ask(None, "a", "b", "c", guard=guard)

    use_one()
    before = by(measured, EVICTIONS)["memory"]
    assert before > 0
    gc.collect()
    ask(Cache(), "a")
    assert by(measured, ENTRIES) == {"memory": 1}
    assert by(measured, EVICTIONS) == {"memory": before}
    assert by(measured, WRITES, "write") == {"stored": 4}


def test_to_collect_opens_no_directory_again(ask: Ask, measured: Measured, tmp_path: Path) -> None:
    """Not one that was removed, and not that of a guard that was closed."""
    guard = ask(Cache(store=tmp_path / "c"), "a")
    assert "store" in by(measured, ENTRIES)
    shutil.rmtree(tmp_path / "c")
    assert by(measured, ENTRIES) == {"memory": 1}
    assert not (tmp_path / "c").exists()
    ask(None, "b", guard=guard)
    assert "store" in by(measured, ENTRIES)
    guard.close()
    assert "store" not in by(measured, ENTRIES)


def test_a_store_that_fails_hides_nothing_else(ask: Ask, measured: Measured, tmp_path: Path) -> None:
    """It is counted as a fault; what is in memory, and what other guards hold, is told."""
    ask(Cache(store=Failing(tmp_path / "c")), "a")
    ask(Cache(store=tmp_path / "d"), "a", "b")
    before = faults.counts().get("cache.held", 0)
    assert by(measured, ENTRIES) == {"memory": 3, "store": 2}
    assert faults.counts()["cache.held"] > before


def test_nothing_is_asked_of_a_store_but_by_a_reader(ask: Ask, measured: Measured, tmp_path: Path) -> None:
    """Neither a miss nor a hit pays for what nobody collects."""
    store = Failing(tmp_path / "c")
    ask(Cache(store=store), "a", "a", "b")
    assert store.asked == 0
    by(measured, ENTRIES)
    assert store.asked == 2  # for two metrics


def test_it_begins_with_a_provider(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard may be older: what it counted until then is told."""
    monkeypatch.setattr(metrics_state, "_METER_PROVIDER", NoOpMeterProvider())
    guard = ask(Cache(), "a", "b")
    measured = Measured()
    monkeypatch.setattr(metrics_state, "_METER_PROVIDER", measured.provider)
    assert measured.points(WRITES) == []
    ask(None, "c", guard=guard)
    assert by(measured, WRITES, "write") == {"stored": 3}
    assert by(measured, ENTRIES) == {"memory": 3}
