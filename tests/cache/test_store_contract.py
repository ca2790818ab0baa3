"""What every place to keep answers in promises."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cache.stores import PLACES, Place, label
from tokenguard.cache.store import INDEX_PAGE, CacheStore, Which


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made: Place = request.param(tmp_path)
    yield made
    made.close()


@pytest.fixture
def store(place: Place) -> CacheStore:
    return place.open()


@pytest.fixture
def other(place: Place, store: CacheStore) -> CacheStore:
    """A second store on the same place."""
    return place.open()


@pytest.mark.parametrize("blob", [b"", b"\x00\xff", b"{}" * 50_000])
def test_what_is_kept_is_found(store: CacheStore, other: CacheStore, blob: bytes) -> None:
    """Byte for byte, by everybody who shares the place."""
    store.set(label("k"), blob, 60)
    assert store.get("k") == blob
    assert other.get("k") == blob


def test_nothing_is_found_where_nothing_was_kept(store: CacheStore) -> None:
    """It is None, not an error."""
    assert store.get("k") is None


def test_the_last_one_kept_counts(store: CacheStore, other: CacheStore) -> None:
    """There is one entry under a key, with the last label."""
    store.set(label("k", tags=("old",)), b"old", 60)
    other.set(label("k", tags=("new",)), b"new", 60)
    assert store.get("k") == b"new"
    assert list(store.labels()) == [label("k", tags=("new",))]


def test_an_entry_past_its_time_is_gone(place: Place, store: CacheStore) -> None:
    """Nor is it listed."""
    store.set(label("short"), b"1", 10)
    store.set(label("long"), b"2", 1000)
    place.pass_time(11)
    assert store.get("short") is None
    assert store.get("long") == b"2"
    assert [found.key for found in store.labels()] == ["long"]


def test_the_secret_is_shared(store: CacheStore, other: CacheStore) -> None:
    """All who share a place have the same 32 bytes."""
    assert len(store.secret) == 32
    assert store.secret == other.secret


def test_labels_come_back_as_they_were(store: CacheStore) -> None:
    """Each field, whatever is in it."""
    given = [label(f"k{i}", tags=(f"t{i}", 'quo"te', "ünï"), namespace=f"n{i}") for i in range(3)]
    given.append(label("bare", tags=(), stored_ns=2**62, size=0))
    for one in given:
        store.set(one, b"x", 60)
    assert sorted(store.labels()) == sorted(given)


def test_more_labels_than_are_read_at_once(store: CacheStore) -> None:
    """All are listed, once each."""
    keys = [f"{i:04}" for i in range(1203)]
    for key in keys:
        store.set(label(key), b"x", 60)
    assert sorted(found.key for found in store.labels()) == keys
    assert store.remove(Which()) == len(keys)
    assert list(store.labels()) == []


@pytest.mark.parametrize(
    ("which", "left"),
    [
        (Which(), []),
        (Which(tag="red"), ["c"]),
        (Which(model="m2"), ["a", "c"]),
        (Which(namespace="n2"), ["a", "b"]),
        (Which(stored_before_ns=2), ["b", "c"]),
        (Which(tag="red", model="m2"), ["a", "c"]),
        (Which(tag="re"), ["a", "b", "c"]),
    ],
)
def test_what_is_meant_is_removed(
    store: CacheStore, other: CacheStore, which: Which, left: list[str]
) -> None:
    """All that has all that is said, and nothing else; it says how many there were."""
    store.set(label("a", tags=("red",), model="m1", namespace="n1", stored_ns=1), b"a", 60)
    store.set(label("b", tags=("red", "blue"), model="m2", namespace="n1", stored_ns=2), b"b", 60)
    store.set(label("c", tags=(), model="m1", namespace="n2", stored_ns=3), b"c", 60)
    assert other.remove(which) == 3 - len(left)
    assert sorted(found.key for found in store.labels()) == left
    assert [key for key in "abc" if store.get(key) is not None] == left


def test_a_page_of_an_index_is_removed_and_not_counted(store: CacheStore) -> None:
    """It is no answer."""
    store.set(label("answer"), b"a", 60)
    store.set(label("page", dialect=INDEX_PAGE), b"p", 60)
    assert store.remove(Which(tag="red")) == 1
    assert list(store.labels()) == []


def test_everybody_hears_of_a_removal(store: CacheStore, other: CacheStore) -> None:
    """The generation is another one each time, and the same one in between."""
    seen = {store.generation()}
    for _ in range(20):
        assert store.generation() == other.generation()
        store.remove(Which(tag="red"))
        assert other.generation() not in seen
        seen.add(other.generation())
    store.set(label("k"), b"x", 60)
    assert other.generation() in seen


def test_everybody_hears_of_the_end_of_an_epoch(store: CacheStore, other: CacheStore) -> None:
    """It is counted for that namespace alone."""
    assert other.epoch("team") == 0
    before = other.generation()
    store.end_epoch("team")
    assert other.generation() != before
    assert (store.epoch("team"), other.epoch("team"), other.epoch("else")) == (1, 1, 0)
    other.end_epoch("team")
    store.end_epoch("else")
    assert (store.epoch("team"), other.epoch("team"), other.epoch("else")) == (2, 2, 1)


def test_no_epoch_ends_unheard(place: Place) -> None:
    """Those who end one at the same moment are counted one by one."""
    stores = [place.open() for _ in range(4)]
    threads = [
        threading.Thread(target=lambda one=one: [one.end_epoch("team") for _ in range(5)]) for one in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].epoch("team") == 20


def test_epochs_outlive_removals_and_stores(place: Place, store: CacheStore) -> None:
    """What was given up stays given up."""
    store.end_epoch("team")
    store.remove(Which())
    store.close()
    assert place.open().epoch("team") == 1


def test_a_lease_has_one_owner(store: CacheStore, other: CacheStore) -> None:
    """Others do not get it until it is given back."""
    assert store.acquire("k", "a", 10)
    assert not other.acquire("k", "b", 10)
    assert other.acquire("another", "b", 10)
    store.release("k", "a")
    assert other.acquire("k", "b", 10)


def test_a_lease_can_be_prolonged(place: Place, store: CacheStore, other: CacheStore) -> None:
    """By its owner, before it ends."""
    assert store.acquire("k", "a", 10)
    place.pass_time(8)
    assert store.acquire("k", "a", 10)
    place.pass_time(8)
    assert not other.acquire("k", "b", 10)


def test_a_lease_ends(place: Place, store: CacheStore, other: CacheStore) -> None:
    """Somebody else has it then, and its first owner cannot give it back."""
    assert store.acquire("k", "a", 10)
    place.pass_time(11)
    assert other.acquire("k", "b", 10)
    store.release("k", "a")
    assert not store.acquire("k", "a", 10)


def test_one_of_many_gets_a_lease(place: Place) -> None:
    """However many want it at the same moment."""
    stores = [place.open() for _ in range(8)]
    start, got = threading.Barrier(8), []

    def want(n: int) -> None:
        start.wait()
        if stores[n].acquire("k", str(n), 10):
            got.append(n)

    threads = [threading.Thread(target=want, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_a_lease_is_no_entry(store: CacheStore) -> None:
    """It is neither found, nor listed, nor removed."""
    assert store.acquire("k", "a", 10)
    assert store.get("k") is None
    assert list(store.labels()) == []
    assert store.remove(Which()) == 0
    assert not store.acquire("k", "b", 10)


def test_what_was_used_longest_ago_goes_first(place: Place, store: CacheStore) -> None:
    """An entry that is used and noted stays, however old; a lease is not evicted."""
    store.acquire("lease", "a", 1000)
    for n in range(20):
        store.set(label(str(n)), b"x" * 100_000, 10_000)
    place.pass_time(100)
    for n in range(20, 60):
        store.touch(["0", "7", "none"])
        store.set(label(str(n)), b"x" * 100_000, 10_000)
    left = {found.key for found in store.labels()}
    assert {"0", "7", "59", "58"} <= left
    assert not {str(n) for n in range(1, 7)} & left
    assert len(left) > 20
    assert not store.acquire("lease", "b", 10)


def test_a_closed_store_opens_again(store: CacheStore) -> None:
    """Whoever uses it once more finds all that there was."""
    store.set(label("k"), b"x", 60)
    store.acquire("k", "a", 10)
    store.close()
    store.close()
    assert store.get("k") == b"x"
    assert not store.acquire("k", "b", 10)


def test_threads_share_a_store(store: CacheStore) -> None:
    """Each may do anything at any time."""
    failed: list[BaseException] = []

    def use(n: int) -> None:
        try:
            for i in range(30):
                store.set(label(f"{n}-{i}"), b"x" * 1000, 60)
                assert store.get(f"{n}-{i}") == b"x" * 1000
                store.touch([f"{n}-{i}"])
                store.acquire("k", str(n), 10)
                store.release("k", str(n))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=use, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(list(store.labels())) == 180
