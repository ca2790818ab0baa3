"""What a tenant gave up is gone from the disk soon, and nobody has to wait for that."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.cache.conftest import Cached
from tests.cache.stores import label
from tests.transport.clients import GPT, chat
from tokenguard import Cache, Guard
from tokenguard.cache.disk import DiskStore
from tokenguard.cache.writer import Writer
from tokenguard.testing import Answer, Provider

SECRET = "The patient is called Ada."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "answers"


@pytest.fixture
def store(folder: Path) -> Iterator[DiskStore]:
    with closing(DiskStore(folder)) as opened:
        yield opened


def ask(guard: Guard, provider: Provider, text: str) -> str | None:
    client = guard.wrap(chat(provider))
    message: list[Any] = [{"role": "user", "content": text}]
    receipt = guard.receipt(client.chat.completions.create(model=GPT, messages=message, temperature=0))
    assert receipt is not None
    return receipt.cache


def on_disk(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def keys(store: DiskStore) -> set[str]:
    return {one.key for one in store.labels()}


def test_a_tenants_data_are_gone_from_the_disk(provider: Provider, cached: Cached, folder: Path) -> None:
    """Neither in the database nor in its log; what another one has is there still, and found."""
    mine, other = (cached(Cache(store=folder, namespace=name)) for name in ("acme", "other"))
    provider.answer(Answer(SECRET))
    assert [ask(mine, provider, text) for text in "abc"] == ["miss"] * 3
    provider.answer(Answer("Nothing of note."))
    assert ask(other, provider, "a") == "miss"
    assert mine.flush()
    assert other.flush()
    assert SECRET.encode() in on_disk(folder)
    assert mine.cache is not None
    mine.cache.invalidate(namespace="acme")
    assert mine.flush()
    assert SECRET.encode() not in on_disk(folder)
    assert [ask(mine, provider, "a"), ask(other, provider, "a")] == ["miss", "hit"]


def test_what_is_asked_for_afterwards_stays(provider: Provider, cached: Cached, folder: Path) -> None:
    """It is in the same namespace, and comes while the old is still being removed."""
    guard = cached(Cache(store=folder, namespace="acme"))
    for n in range(30):
        ask(guard, provider, f"old {n}")
    guard.flush()
    assert guard.cache is not None
    guard.cache.invalidate(namespace="acme")
    assert [ask(guard, provider, f"new {n}") for n in range(5)] == ["miss"] * 5
    assert guard.flush()
    with closing(DiskStore(folder)) as store:
        assert len(keys(store)) == 5
    later = cached(Cache(store=folder, namespace="acme"))
    assert [ask(later, provider, f"new {n}") for n in range(5)] == ["hit"] * 5


def test_the_next_process_goes_on_where_one_was_killed(
    provider: Provider, cached: Cached, folder: Path, store: DiskStore
) -> None:
    """As soon as it has something to do; and then there is nothing left to look for."""
    for n in range(700):
        store.set(label(f"{n:03}", namespace="acme"), SECRET.encode(), 60)
    store.end_epoch("acme")
    half_done = store.sweep()
    next(half_done)
    assert 0 < len(keys(store)) < 700
    half_done.close()  # as by kill -9
    guard = cached(Cache(store=folder, namespace="acme"))
    assert len(keys(store)) > 0
    ask(guard, provider, "a")
    assert guard.flush()
    assert len(keys(store)) == 1
    assert SECRET.encode() not in on_disk(folder)
    assert not list(store.sweep())


def test_nobody_waits_for_a_sweep(store: DiskStore, folder: Path) -> None:
    """Between its steps anybody can write, at once; in each it removes a few rows only."""
    for n in range(1200):
        store.set(label(f"{n:04}", namespace="acme"), b"x" * 3000, 60)
    store.end_epoch("acme")
    left = [1200]
    with closing(sqlite3.connect(folder / "cache.db", timeout=0, isolation_level=None)) as another:
        for _ in store.sweep():
            another.execute("BEGIN IMMEDIATE")
            left.append(another.execute("SELECT count(*) FROM Cache").fetchone()[0])
            another.execute("ROLLBACK")
    assert left[-1] == 0
    assert all(0 <= before - after <= 50 for before, after in pairwise(left))


def test_sweeping_is_no_news(store: DiskStore) -> None:
    """Nobody forgets what is in memory, or refuses to keep an answer, for what nobody can find anyway."""
    store.set(label("old", namespace="acme"), b"x", 60)
    store.end_epoch("acme")
    before = store.generation()
    list(store.sweep())
    assert store.generation() == before
    store.set(label("new", namespace="acme", epoch=1), b"x", 60, before)
    assert keys(store) == {"new"}


def test_two_who_sweep_are_not_in_each_others_way(store: DiskStore, folder: Path) -> None:
    """And what a third one gives up meanwhile is not forgotten."""
    for namespace in ("a", "b", "c"):
        for n in range(150):
            store.set(label(f"{namespace}{n}", namespace=namespace), b"x", 60)
    store.end_epoch("a")
    with closing(DiskStore(folder)) as other:
        mine, others = store.sweep(), other.sweep()
        next(mine)
        next(others)
        other.end_epoch("b")
        list(mine)
        list(others)
        assert {key[0] for key in keys(store)} <= {"b", "c"}
        list(other.sweep())
        assert {key[0] for key in keys(store)} == {"c"}
        assert not list(store.sweep())


def test_only_what_was_given_up_is_swept(store: DiskStore) -> None:
    """By its epoch; rows that an earlier version wrote have none, and are of the first."""
    store.end_epoch("acme")
    for epoch in range(3):
        store.set(label(f"acme {epoch}", namespace="acme", epoch=epoch), b"x", 60)
        store.set(label(f"other {epoch}", namespace="other", epoch=epoch), b"x", 60)
    with closing(sqlite3.connect(store._directory / "cache.db", timeout=30)) as database, database:
        database.execute("UPDATE Cache SET tag = replace(tag, ',0]', ']')")
    assert len(keys(store)) == 6
    list(store.sweep())
    assert keys(store) == {"acme 1", "acme 2", "other 0", "other 1", "other 2"}


class Steps:
    """A store of which only sweeps are wanted; it notes what is done in which order."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.done: list[str] = []

    def sweep(self) -> Iterator[None]:
        for n in range(self.number):
            self.done.append(f"step {n}")
            yield

    def touch(self, keys: object) -> None:
        pass


def test_other_work_is_done_between_the_steps() -> None:
    """An answer that is to be written waits for one step at most; who flushes waits for all of them."""
    store = Steps(6)
    writer = Writer(store, "me")  # type: ignore[arg-type]
    writer.sweep(at_once=False)
    waiting = threading.Event()
    writer.do(waiting.wait)
    for name in "abc":
        writer.do(lambda name=name: store.done.append(name))  # type: ignore[misc]
    waiting.set()
    assert writer.flush()
    assert sorted(store.done) == sorted([*"abc", *(f"step {n}" for n in range(6))])
    assert store.done.index("c") == 5
    writer.close()
