"""Answers in memory: never more than there is room for, and those used last."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.cache.entries import entry
from tokenguard.cache.entry import Entry
from tokenguard.cache.memory import Memory, label_of
from tokenguard.cache.store import Which

SMALL = entry(size=0).size
KEYS = st.sampled_from("abcdef")
WHICH = st.builds(
    Which,
    tag=st.none() | st.sampled_from(["red", "blue", "no"]),
    model=st.none() | st.sampled_from(["m1", "m2"]),
    namespace=st.none() | st.sampled_from(["n1", "n2"]),
    stored_before_ns=st.none() | st.integers(0, 4),
)
ENTRIES = st.builds(
    entry,
    KEYS,
    size=st.integers(0, 5 * SMALL),
    tags=st.sampled_from([(), ("red",), ("blue",), ("red", "blue")]),
    model=st.sampled_from(["m1", "m2"]),
    namespace=st.sampled_from(["n1", "n2"]),
    stored_ns=st.integers(0, 3),
)


class Remembering(RuleBasedStateMachine):
    """A memory, beside a list of entries from the one used longest ago to the one used last."""

    room = 4 * SMALL

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory(self.room)
        self.known: list[Entry] = []

    def _drop(self, key: str) -> None:
        self.known = [one for one in self.known if one.key != key]

    @rule(one=ENTRIES)
    def put(self, one: Entry) -> None:
        evicted = self.memory.put(one)
        self._drop(one.key)
        if one.size > self.room:
            assert evicted == 0
            return
        self.known.append(one)
        while sum(each.size for each in self.known) > self.room:
            del self.known[0]
            evicted -= 1
        assert evicted == 0

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        expected = next((one for one in self.known if one.key == key), None)
        assert self.memory.get(key) is expected
        if expected is not None:
            self._drop(key)
            self.known.append(expected)

    @rule(which=WHICH)
    def remove(self, which: Which) -> None:
        left = [one for one in self.known if not _is_meant(one, which)]
        assert self.memory.remove(which) == len(self.known) - len(left)
        self.known = left

    @rule()
    def clear(self) -> None:
        self.memory.clear()
        self.known = []

    @invariant()
    def stays_in_its_bounds(self) -> None:
        assert self.memory.bytes == sum(one.size for one in self.known) <= self.room
        assert len(self.memory) == len(self.known)


def _is_meant(one: Entry, which: Which) -> bool:
    said: list[tuple[Any, bool]] = [
        (which.tag, which.tag in one.tags),
        (which.model, which.model == one.model),
        (which.namespace, which.namespace == one.namespace),
        (which.stored_before_ns, one.stored_ns < (which.stored_before_ns or 0)),
        (which.keys, one.key in (which.keys or ())),
    ]
    return all(holds for value, holds in said if value is not None)


TestRemembering = Remembering.TestCase
TestRemembering.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_one_used_longest_ago_goes_first() -> None:
    """Looking at an entry is a use; so is keeping it again."""
    memory = Memory(3 * SMALL)
    for key in "abc":
        memory.put(entry(key, size=0))
    assert memory.get("a") is not None
    memory.put(entry("b", size=0))
    memory.put(entry("d", size=0))
    assert [key for key in "abcd" if memory.get(key)] == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("which", "left"),
    [
        (Which(), ""),
        (Which(tag="red"), "c"),
        (Which(tag="re"), "abc"),
        (Which(model="m2"), "ac"),
        (Which(namespace="n2"), "ab"),
        (Which(stored_before_ns=2), "bc"),
        (Which(stored_before_ns=1), "abc"),
        (Which(tag="red", model="m2"), "ac"),
        (Which(tag="red", model="m2", namespace="n2"), "abc"),
    ],
)
def test_what_is_meant_is_removed(which: Which, left: str) -> None:
    """All that has all that is said, and nothing else; it says how many there were."""
    memory = Memory(100 * SMALL)
    memory.put(entry("a", tags=("red",), model="m1", namespace="n1", stored_ns=1))
    memory.put(entry("b", tags=("red", "blue"), model="m2", namespace="n1", stored_ns=2))
    memory.put(entry("c", tags=(), model="m1", namespace="n2", stored_ns=3))
    assert memory.remove(which) == 3 - len(left)
    assert "".join(key for key in "abc" if memory.get(key)) == left


def test_an_answer_that_is_too_large_leaves_no_older_one() -> None:
    """What was asked anew is not answered with what there was before."""
    memory = Memory(2 * SMALL)
    memory.put(entry("k", size=1))
    memory.put(entry("k", size=10 * SMALL))
    assert memory.get("k") is None
    assert (len(memory), memory.bytes) == (0, 0)


def test_a_memory_without_room_keeps_nothing() -> None:
    """``memory_bytes=0`` switches it off."""
    memory = Memory(0)
    memory.put(entry("k", size=0))
    assert memory.get("k") is None
    assert memory.bytes == 0


def test_a_label_says_what_the_entry_says() -> None:
    """But for its answer."""
    one = entry("k", size=7)
    label = label_of(one)
    assert label.size == 7
    for name in ("key", "namespace", "model", "dialect", "tags", "stored_ns", "expires_ns"):
        assert getattr(label, name) == getattr(one, name)


def test_threads_share_it() -> None:
    """However they come, the sum is right in the end."""
    memory = Memory(20 * SMALL)

    def work(name: str) -> None:
        for n in range(300):
            memory.put(entry(f"{name}{n % 9}", size=n, tags=(name,)))
            memory.get(f"{name}{n % 7}")
            if n % 50 == 0:
                memory.remove(Which(tag=name))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [memory.get(f"{name}{n}") for name in "abcd" for n in range(9)]
    assert memory.bytes == sum(one.size for one in found if one) <= 20 * SMALL
    assert len(memory) == sum(one is not None for one in found)
