"""How much there is in a directory, and how much had to go from it: for whoever looks, now or later."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cache.stores import label
from tokenguard.cache.disk import DiskStore
from tokenguard.cache.store import Which

MB = 2**20
BLOB = b"x" * 100_000
Open = Callable[..., DiskStore]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens a store on one directory, small enough to have some 36 blobs; it is closed in the end."""
    stores: list[DiskStore] = []

    def make(**settings: Any) -> DiskStore:
        stores.append(DiskStore(tmp_path / "c", **{"max_bytes": 4 * MB, **settings}))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def execute(folder: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / "c/cache.db", timeout=30)) as database, database:
        database.execute(statement, values)


def fill(store: DiskStore, first: int, last: int) -> int:
    """Keep blobs, and give how many had to go for them."""
    return sum(store.set(label(str(n)), BLOB, 600) for n in range(first, last))


def there(store: DiskStore) -> int:
    return len(list(store.labels()))


def test_what_it_holds_is_what_is_listed(opened: Open) -> None:
    """And its bytes are those that are in use on the disk."""
    store = opened()
    held = store.held()
    assert held is not None
    assert (held.tier, held.entries) == ("store", 0)
    fill(store, 0, 10)
    fill(store, 5, 10)  # again: they take the place of those before
    grown = store.held()
    assert grown is not None
    assert grown.entries == there(store) == 10
    assert 10 * len(BLOB) < grown.bytes - held.bytes < 11 * len(BLOB)
    store.remove(Which())
    removed = store.held()
    assert removed is not None
    assert (removed.entries, removed.bytes) == (0, held.bytes)


def test_all_who_share_a_directory_hold_the_same(opened: Open, tmp_path: Path) -> None:
    """So that whoever adds up can tell that it is one."""
    one, other = opened(), opened()
    fill(one, 0, 3)
    assert one.held() == other.held()
    with closing(DiskStore(tmp_path / "d")) as elsewhere:
        held, apart = one.held(), elsewhere.held()
    assert held is not None
    assert apart is not None
    assert held.place != apart.place


def test_what_had_to_go_is_counted_once(opened: Open) -> None:
    """By the one that made room, and in the directory for all; what was kept and is not there had to go."""
    one, other = opened(), opened()
    mine = fill(one, 0, 50)
    theirs = fill(other, 50, 100)
    assert mine > 0 < theirs
    assert one.evicted() == other.evicted() == mine + theirs == 100 - there(one)


def test_the_count_outlives_the_process(opened: Open, tmp_path: Path) -> None:
    """Whoever comes later learns what a process had to let go that has ended, however it ended."""
    program = (
        "import os, sys; from tests.cache.stores import label; from tokenguard.cache.disk import DiskStore\n"
        "store = DiskStore(sys.argv[1], max_bytes=4 * 2**20)\n"
        "print(sum(store.set(label(str(n)), b'x' * 100_000, 600) for n in range(50)), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "c"], capture_output=True, text=True, timeout=60
    )
    assert opened().evicted() == int(ran.stdout) > 0


def test_what_is_removed_or_past_its_time_did_not_have_to_go(opened: Open, tmp_path: Path) -> None:
    """It is gone for another reason than want of room."""
    store = opened()
    fill(store, 0, 30)
    store.remove(Which())
    fill(store, 0, 30)
    execute(tmp_path, "UPDATE Cache SET expire_time = expire_time - 1000")
    fill(store, 30, 60)
    assert there(store) == 30
    assert store.evicted() == 0


def test_a_lower_bound_lets_go(opened: Open) -> None:
    """That counts, too: it is for want of room."""
    larger = opened(max_bytes=20 * MB)
    fill(larger, 0, 100)
    larger.close()
    smaller = opened()
    assert smaller.evicted() == 100 - there(smaller) > 0


def test_what_went_for_nothing_is_still_there(opened: Open, tmp_path: Path) -> None:
    """An entry that cannot be written after all has evicted nothing, and nothing is counted."""
    store = opened()
    evicted = fill(store, 0, 50)
    before = there(store)
    fails = "BEFORE INSERT ON Cache WHEN NEW.key = 'doomed' BEGIN SELECT RAISE(ABORT, 'no'); END"
    execute(tmp_path, f"CREATE TRIGGER fails {fails}")
    with pytest.raises(sqlite3.DatabaseError):
        store.set(label("doomed"), BLOB * 4, 600)
    assert (there(store), store.evicted()) == (before, evicted)


@pytest.mark.parametrize("value", ["many", b"\x80", 2.5, None])
def test_a_planted_count_is_none(value: object, opened: Open, tmp_path: Path) -> None:
    """Nor does it keep anything from being kept."""
    store = opened()
    for name in ("tokenguard_evicted", "count"):
        execute(tmp_path, "INSERT OR REPLACE INTO Settings VALUES (?, ?)", name, value)
    held = store.held()
    assert held is not None
    assert (held.entries, store.evicted()) == (0, 0)
    assert fill(store, 0, 50) > 0
    assert store.get("49") == BLOB


def test_to_look_makes_no_directory(opened: Open, tmp_path: Path) -> None:
    """One that was removed stays away until somebody uses it."""
    store = opened()
    shutil.rmtree(tmp_path / "c")
    assert store.held() is None
    assert not (tmp_path / "c").exists()
