"""What caches hold, keep and let go of: read from them when somebody collects, so that no call pays for it.

A cache's own counts go on from when it was made. They are kept here beyond its end, as a counter may not go
back; what it held is gone with it.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from functools import cache
from typing import Final, Protocol

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from tokenguard.telemetry import semconv as sc
from tokenguard.telemetry.sums import Callback, meter_of

_WRITES: Final = ("stored", "store_busy", "refused")
_making: Final = threading.Lock()


Held = tuple[str, Hashable, int, int]
"""What one place has: its kind, its identity, entries and bytes; see :class:`tokenguard.cache.Held`."""


class Watched(Protocol):
    """A cache; see :class:`tokenguard.cache.ResponseCache`.

    Attributes:
        counts: What it kept, did not keep, and let go of.
    """

    counts: Counter[str]

    def held(self) -> Iterable[Held]:
        """What each of its places has at present. Never raises."""
        ...


class Caches:
    """The caches of this process that one meter provider hears of."""

    def __init__(self, provider: MeterProvider) -> None:
        self._lock = threading.Lock()
        self._watched: list[tuple[weakref.ref[Watched], Counter[str]]] = []
        self._gone: Counter[str] = Counter()
        sizes: Callback = self._sizes
        entries: Callback = self._entries
        evictions: Callback = self._evictions
        writes: Callback = self._writes
        meter = meter_of(provider)
        meter.create_observable_gauge(sc.METRIC_CACHE_SIZE, [sizes], "By")
        meter.create_observable_gauge(sc.METRIC_CACHE_ENTRIES, [entries], "{entry}")
        meter.create_observable_counter(sc.METRIC_CACHE_EVICTIONS, [evictions], "{entry}")
        meter.create_observable_counter(sc.METRIC_CACHE_WRITES, [writes], "{answer}")

    def watch(self, watched: Watched) -> None:
        """Tell of a cache from now on, with all that it counted before."""
        with self._lock:
            if all(known() is not watched for known, _ in self._watched):
                self._watched.append((weakref.ref(watched), watched.counts))

    def _sizes(self, _options: CallbackOptions) -> Iterable[Observation]:
        return _by_tier((tier, place, size) for tier, place, _, size in self._held())

    def _entries(self, _options: CallbackOptions) -> Iterable[Observation]:
        return _by_tier((tier, place, n) for tier, place, n, _ in self._held())

    def _evictions(self, _options: CallbackOptions) -> Iterable[Observation]:
        for name, n in self._counts().items():
            what, _, tier = name.partition(":")
            if what == "evicted":
                yield Observation(n, {sc.CACHE_TIER: tier})

    def _writes(self, _options: CallbackOptions) -> Iterable[Observation]:
        for name, n in self._counts().items():
            what, _, reason = name.partition(":")
            if what in _WRITES:
                labels = {sc.CACHE_WRITE: what}
                yield Observation(n, labels | {sc.CACHE_REASON: reason} if reason else labels)

    def _held(self) -> Iterator[Held]:
        with self._lock:
            every = [known() for known, _ in self._watched]
        for watched in every:
            if watched is not None:
                yield from watched.held()

    def _counts(self) -> Counter[str]:
        """The counts of all caches, of those that are gone too."""
        with self._lock:
            still = []
            for known, counts in self._watched:
                if known() is None:
                    self._gone.update(counts)
                else:
                    still.append((known, counts))
            self._watched = still
            every = self._gone.copy()
            for _, counts in still:
                every.update(dict(counts))  # a copy made at once: calls go on counting
        return every


@cache
def _made(provider: MeterProvider) -> Caches:
    return Caches(provider)


def caches(provider: MeterProvider) -> Caches:
    """Those of a provider, which knows each name once."""
    with _making:
        return _made(provider)


def _by_tier(found: Iterable[tuple[str, Hashable, int]]) -> Iterator[Observation]:
    """Sums, in which a place that several caches share counts once."""
    tiers: dict[str, dict[Hashable, int]] = {}
    for tier, place, n in found:
        tiers.setdefault(tier, {})[place] = n
    for tier, places in tiers.items():
        yield Observation(sum(places.values()), {sc.CACHE_TIER: tier})
