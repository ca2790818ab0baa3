"""What is asked of a store is waited for no longer than is said, on the caller's thread or aside from it."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cache.conftest import HandClock
from tests.cache.stores import Slow
from tokenguard import Cache
from tokenguard.cache import Plan, ResponseCache
from tokenguard.cache.aside import Aside, LateError
from tokenguard.cache.patience import LATE_IN_A_ROW, Patience, SlowError

SHORT_S = 0.001
LONG_S = 60.0


def plan(left_ns: int = 10**9) -> Plan:
    made = Plan("k" * 64, "n", (), 60.0)
    made.left_ns = left_ns
    return made


def patience(clock: HandClock, later: Callable[[Callable[[], object]], object] = lambda _: None) -> Patience:
    return Patience(10**9, clock.monotonic_ns, later, None, Counter())


def late(clock: HandClock) -> Callable[[float], None]:
    return lambda _: clock.forward(2)


def test_how_long_to_wait_is_what_is_left(clock: HandClock) -> None:
    """Of the time that the lookup has for all it asks."""
    asked, one, told = patience(clock), plan(), []

    def take(wait_s: float) -> None:
        told.append(wait_s)
        clock.forward(0.3)

    for _ in range(3):
        asked.ask(one, take)
    assert told == pytest.approx([1.0, 0.7, 0.4])
    asked.ask(one, take)
    with pytest.raises(SlowError):
        asked.ask(one, take)
    assert len(told) == 4


def test_those_that_are_late_together_count_once(clock: HandClock) -> None:
    """One pause makes all late that are under way; that is no reason to leave a store alone."""
    asked = patience(clock)
    under_way = 2 * LATE_IN_A_ROW

    def nested(wait_s: float) -> None:
        nonlocal under_way
        under_way -= 1
        if under_way:
            asked.ask(plan(), nested)
        else:
            late(clock)(wait_s)

    asked.ask(plan(), nested)
    assert asked.ask(plan(), lambda _: "asked") == "asked"
    for _ in range(LATE_IN_A_ROW):
        asked.ask(plan(), late(clock))
    with pytest.raises(SlowError):
        asked.ask(plan(), lambda _: "asked")


def test_what_fails_at_once_is_not_late(clock: HandClock) -> None:
    """What it raised is raised; the store is asked the next time, too."""
    asked = patience(clock)
    for _ in range(2 * LATE_IN_A_ROW):
        with pytest.raises(ZeroDivisionError):
            asked.ask(plan(), lambda _: 1 / 0)


def test_what_cannot_be_tried_in_the_background_is_tried_by_a_call(clock: HandClock) -> None:
    """By one of those that come after a pause; the others still leave it alone."""
    later: list[object] = []
    asked = patience(clock, later.append)
    for _ in range(LATE_IN_A_ROW):
        asked.ask(plan(), late(clock))
    clock.forward(1)

    def nested(_: float) -> str:
        with pytest.raises(SlowError):
            asked.ask(plan(), late(clock), repeatable=False)
        return "asked"

    assert asked.ask(plan(), nested, repeatable=False) == "asked"
    assert asked.ask(plan(), lambda _: "again") == "again"
    assert later == []


# Aside


def test_aside() -> None:
    """What was given or raised is the caller's; it is another thread that did it."""
    aside = Aside()
    assert aside.do(threading.get_ident, LONG_S) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        aside.do(lambda: 1 / 0, LONG_S)
    aside.close()


def test_what_takes_too_long_is_undone_when_it_comes() -> None:
    """Where it comes to something; and only if nobody waited for it to the end."""
    aside, wakes, undone = Aside(), threading.Event(), threading.Semaphore(0)
    kept: list[str] = []

    def undo(value: str) -> None:
        kept.append(value)
        undone.release()

    def hang() -> str:
        wakes.wait(LONG_S)
        return "late"

    assert aside.do(lambda: "in time", LONG_S, undo) == "in time"
    with pytest.raises(LateError):
        aside.do(hang, SHORT_S, undo)
    wakes.set()
    assert undone.acquire(timeout=LONG_S)
    assert kept == ["late"]


def test_however_much_hangs_threads_are_bounded() -> None:
    """Who finds none free does not wait for longer either; when they are free, they are used again."""
    aside, wakes = Aside(), threading.Event()
    before = threading.active_count()
    for _ in range(200):
        with pytest.raises(LateError):
            aside.do(lambda: wakes.wait(LONG_S), SHORT_S / 10)
    assert threading.active_count() <= before + 64
    wakes.set()
    assert aside.do(lambda: "free", LONG_S) == "free"
    aside.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_fork_has_threads_of_its_own(tmp_path: Path, clock: HandClock) -> None:
    """It asks a store that may block as its original does."""
    with closing(Slow(tmp_path / "answers", clock, may_block=True)) as store:
        cache = ResponseCache(Cache(lookup_timeout="1m"), store)
        assert cache.find(plan(), 0).what == "lead"
        child = os.fork()
        if not child:
            led = cache.find(Plan("o" * 64, "n", (), 60.0), 0)
            os._exit(0 if led.what == "lead" and cache.counts["slow"] == 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        cache.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_fork_waits_for_no_lock_of_its_original(tmp_path: Path, clock: HandClock) -> None:
    """Whoever held it when the process was copied is not there to give it back."""
    with closing(Slow(tmp_path / "answers", clock)) as store:
        cache = ResponseCache(Cache(lookup_timeout="20ms", negative_ttl="30s"), store, clock.monotonic_ns)
        assert cache.backing is not None
        assert cache._negative is not None
        held, over = threading.Event(), threading.Event()

        def hold() -> None:
            with cache._memory._lock, cache._negative._memory._lock, cache.backing._news._lock, cache._lock:  # type: ignore[union-attr]
                held.set()
                over.wait(LONG_S)

        holder = threading.Thread(target=hold)
        holder.start()
        assert held.wait(LONG_S)
        child = os.fork()
        if not child:
            signal.alarm(30)
            store.takes = {"generation": 1.0}
            os._exit(0 if cache.find(plan(), 0).what == "lead" else 1)
        over.set()
        holder.join()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        cache.close()
