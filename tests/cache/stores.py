"""Places to keep answers in, for the tests that every one of them has to pass."""

from __future__ import annotations

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable
from contextlib import closing
from pathlib import Path

from tests.cache.conftest import HandClock
from tokenguard.cache.disk import DiskStore
from tokenguard.cache.store import CacheStore, Label


class Place(ABC):
    """One place; each store that it opens is as one of another process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stores: list[CacheStore] = []

    def open(self) -> CacheStore:
        """One more store on this place."""
        store = self.make()
        self.stores.append(store)
        return store

    def close(self) -> None:
        for store in self.stores:
            store.close()

    @abstractmethod
    def make(self) -> CacheStore: ...

    @abstractmethod
    def pass_time(self, seconds: float) -> None:
        """Let the place believe that so much time went by."""


class DiskPlace(Place):
    """A directory."""

    max_bytes = 4 * 2**20

    def make(self) -> DiskStore:
        return DiskStore(self.folder / "cache", max_bytes=self.max_bytes)

    def pass_time(self, seconds: float) -> None:
        moved = "expire_time = expire_time - ?1, access_time = access_time - ?1"
        with closing(sqlite3.connect(self.folder / "cache/cache.db", timeout=30)) as file, file:
            file.execute(f"UPDATE Cache SET {moved}", (seconds,))
        with closing(sqlite3.connect(self.folder / "cache/leases.db", timeout=30)) as file, file:
            file.execute("UPDATE lease SET until = until - ?", (seconds,))


class Slow(DiskStore):
    """A directory that takes its time, on a clock that is put forward by hand; or that hangs.

    Attributes:
        takes: How many seconds each thing takes that a lookup asks for, by its name.
        hangs: What does not come back before ``wakes`` is set.
        asked: How often each thing was asked for.
    """

    def __init__(self, directory: Path, clock: HandClock, *, may_block: bool = False) -> None:
        self.clock = clock
        self.takes: dict[str, float] = {}
        self.hangs: set[str] = set()
        self.wakes = threading.Event()
        self.asked: Counter[str] = Counter()
        super().__init__(directory)
        self.may_block = may_block

    def _pass(self, name: str) -> None:
        self.asked[name] += 1
        self.clock.forward(self.takes.get(name, 0.0))
        if name in self.hangs:
            assert self.wakes.wait(60)

    def get(self, key: str, wait_s: float | None = None) -> bytes | None:
        self._pass("get")
        return super().get(key, wait_s)

    def acquire(self, name: str, owner: str, ttl_s: float, wait_s: float | None = None) -> bool:
        self._pass("acquire")
        return super().acquire(name, owner, ttl_s, wait_s)

    def epoch(self, namespace: str) -> int:
        self._pass("epoch")
        return super().epoch(namespace)

    def generation(self) -> Hashable:
        if hasattr(self, "_heard"):  # it is made
            self._pass("generation")
        return super().generation()


PLACES: tuple[type[Place], ...] = (DiskPlace,)


def label(key: str, **fields: object) -> Label:
    """A label with what is said, and anything else."""
    known = Label(key, "team", "gpt-x", "openai.chat", ("red", "blue"), 1_000, 2_000, 3)
    return known._replace(**fields)  # type: ignore[arg-type]
