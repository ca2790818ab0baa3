"""Places to keep answers in, for the tests that every one of them has to pass."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from contextlib import closing
from pathlib import Path

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


PLACES: tuple[type[Place], ...] = (DiskPlace,)


def label(key: str, **fields: object) -> Label:
    """A label with what is said, and anything else."""
    known = Label(key, "team", "gpt-x", "openai.chat", ("red", "blue"), 1_000, 2_000, 3)
    return known._replace(**fields)  # type: ignore[arg-type]
