"""Counters that are added up here and read when somebody collects, and histograms with their buckets.

Sums are integers, so money stays exact to the nano-dollar, and adding one costs a dictionary entry
instead of an SDK call.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation

Labels = tuple[tuple[str, str | bool], ...]
Callback = Callable[[CallbackOptions], Iterable[Observation]]

_MOST: Final = 1_999
_OVERFLOW: Final[Labels] = (("otel.metric.overflow", True),)
"""Where label sets beyond the first 1,999 are added up: the SDK's own limit and name
(https://opentelemetry.io/docs/specs/otel/metrics/sdk/#cardinality-limits), so totals stay true and
memory bounded whatever names of models and tags come by."""


class Sums:
    """One counter's running sums, by label set."""

    def __init__(self, scale: float = 1) -> None:
        self._scale = scale
        self._sums: Counter[Labels] = Counter()
        self._lock = threading.Lock()

    def add(self, amount: int, labels: Labels) -> None:
        """Add to the sum of a label set."""
        with self._lock:
            if labels not in self._sums and len(self._sums) >= _MOST:
                labels = _OVERFLOW
            self._sums[labels] += amount

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """What a metrics reader gets."""
        with self._lock:
            sums = list(self._sums.items())
        return [Observation(amount / self._scale, dict(labels)) for labels, amount in sums]


def meter_of(provider: MeterProvider) -> Meter:
    """This library's meter."""
    from tokenguard import __version__

    return provider.get_meter("tokenguard", __version__)


def counter(meter: Meter, name: str, unit: str, scale: float = 1) -> Sums:
    """A counter that shows ``1 / scale`` of what is added to it."""
    sums = Sums(scale)
    callback: Callback = sums.observe
    meter.create_observable_counter(name, [callback], unit)
    return sums


def histogram(meter: Meter, name: str, unit: str, boundaries: Sequence[float]) -> Histogram:
    """A histogram with these bucket boundaries."""
    return meter.create_histogram(name, unit, explicit_bucket_boundaries_advisory=boundaries)
