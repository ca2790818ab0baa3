"""A guard with a cache, in memory and on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NO_WAIT
from tokenguard import Cache, Guard

Cached = Callable[..., Guard]


class HandClock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now_ns = 1_790_000_000 * 10**9

    def time_ns(self) -> int:
        return self.now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += int(seconds * 1e9)


@pytest.fixture
def clock() -> HandClock:
    """The time of the guards that ``cached`` makes, if it is asked for."""
    return HandClock()


@pytest.fixture
def cached(tmp_path: Path) -> Iterator[Cached]:
    """Makes guards with a cache and a ledger, which never wait before they try again.

    Unless a test has a clock of its own, its lookups have all the time that a busy machine makes them take.
    """
    made: list[Guard] = []

    def make(cache: Cache | None = None, **options: Any) -> Guard:
        if cache is not None and "clock" not in options and cache.lookup_timeout == Cache().lookup_timeout:
            cache = replace(cache, lookup_timeout="1m")
        options = {"ledger": tmp_path / "ledger.db", "retry": NO_WAIT, **options}
        cache = Cache() if cache is None else cache
        if isinstance(cache.store, str | Path):  # a disk may be slow where the machine is busy
            cache = replace(cache, lookup_timeout="1m")
        guard = Guard(cache=cache, **options)
        made.append(guard)
        return guard

    yield make
    for guard in made:
        guard.close()
