"""What was asked for before an invalidation is neither kept after it, nor given to whoever comes then."""

from __future__ import annotations

import threading
import time

from tokenguard.cache import Cache, ResponseCache
from tokenguard.cache.entry import Entry
from tokenguard.cache.plan import Plan
from tokenguard.call import Answered


def plan() -> Plan:
    """What a call wants, always of the same answer."""
    return Plan("k" * 64, "team", ("red",), 60.0)


def entry(tags: tuple[str, ...] = ("red",), key: str = "k") -> Entry:
    now_ns = time.time_ns()
    return Entry(
        key * 64,
        now_ns,
        now_ns + 10**12,
        200,
        "application/json",
        b"{}",
        Answered(),
        None,
        "d",
        "m",
        "team",
        tags,
    )


def test_who_comes_after_does_not_wait_for_who_asked_before() -> None:
    """It leads a call of its own, whose answer is the one that is kept."""
    cache = ResponseCache(Cache())
    before, after, later = plan(), plan(), plan()
    assert cache.find(before, time.time_ns()).what == "lead"
    assert cache.find(plan(), time.time_ns()).what == "wait"
    cache.invalidate(tag="red")
    assert cache.find(after, time.time_ns()).what == "lead"
    assert cache.find(later, time.time_ns()).flight is after.leads
    cache.put(before, entry(), keeps=True)
    assert cache.find(plan(), time.time_ns()).flight is after.leads
    new = entry()
    cache.put(after, new, keeps=True)
    assert cache.find(plan(), time.time_ns()).entry is new


def test_an_answer_that_comes_while_others_are_removed_is_not_kept() -> None:
    """Not even one that comes between the removal and its end."""
    cache = ResponseCache(Cache())
    before = plan()
    cache.find(before, time.time_ns())
    threads = []

    class Comes(tuple[str, ...]):
        """Tags that have an answer come while they are looked at."""

        def __contains__(self, tag: object) -> bool:
            threads.append(threading.Thread(target=cache.put, args=(before, entry()), kwargs={"keeps": True}))
            threads[-1].start()
            threads[-1].join(0.1)  # it waits for a lock that we have
            return True

    other = Plan("o" * 64, "team", (), 60.0)
    cache.find(other, time.time_ns())
    cache.put(other, entry(Comes(), "o"), keeps=True)
    assert cache.invalidate(tag="red") == 1
    for thread in threads:
        thread.join()
    assert cache.find(plan(), time.time_ns()).what == "lead"
