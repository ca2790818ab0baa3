"""The metrics of calls. They are recorded whether or not a call's spans are sampled: sums stay true.

Counters are observable: they are added up here, in integers, and read when somebody collects. That
keeps money exact to the nano-dollar, and costs a dictionary entry per call instead of an SDK call.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from opentelemetry import metrics as otel
from opentelemetry.metrics import CallbackOptions, Observation

from tokenguard.call import Call, CostBasis, Receipt
from tokenguard.telemetry import semconv as sc

Labels = tuple[tuple[str, str], ...]
Callback = Callable[[CallbackOptions], Iterable[Observation]]


class Sums:
    """One counter's running sums, by label set."""

    def __init__(self, scale: float = 1) -> None:
        self._scale = scale
        self._sums: Counter[Labels] = Counter()
        self._lock = threading.Lock()

    def add(self, amount: int, labels: Labels) -> None:
        """Add to the sum of a label set."""
        with self._lock:
            self._sums[labels] += amount

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """What a metrics reader gets."""
        with self._lock:
            sums = list(self._sums.items())
        return [Observation(amount / self._scale, dict(labels)) for labels, amount in sums]


class Instruments:
    """The instruments of this process, which all guards share: OpenTelemetry knows each name once."""

    def __init__(self) -> None:
        from tokenguard import __version__

        meter = otel.get_meter("tokenguard", __version__)

        def histogram(name: str, unit: str, boundaries: Sequence[float]) -> otel.Histogram:
            return meter.create_histogram(name, unit, explicit_bucket_boundaries_advisory=boundaries)

        def counter(name: str, unit: str, scale: float = 1) -> Sums:
            sums = Sums(scale)
            callback: Callback = sums.observe
            meter.create_observable_counter(name, [callback], unit)
            return sums

        self.duration = histogram(sc.METRIC_DURATION, "s", sc.DURATION_BOUNDARIES)
        self.first_chunk = histogram(sc.METRIC_FIRST_CHUNK, "s", sc.DURATION_BOUNDARIES)
        self.tokens = histogram(sc.METRIC_TOKENS, "{token}", sc.TOKEN_BOUNDARIES)
        self.call_cost = histogram(sc.METRIC_CALL_COST, "USD", sc.COST_BOUNDARIES)
        self.cost = counter(sc.METRIC_COST, "USD", 1e9)
        self.baseline = counter(sc.METRIC_BASELINE, "USD", 1e9)
        self.calls = counter(sc.METRIC_CALLS, "{call}")
        self.attempts = counter(sc.METRIC_ATTEMPTS, "{attempt}")
        self.unpriced = counter(sc.METRIC_UNPRICED, "{call}")
        self.unmetered = counter(sc.METRIC_UNMETERED, "{request}")


@cache
def instruments() -> Instruments:
    """The instruments of this process."""
    return Instruments()


class Metrics:
    """Records calls, with the tags that one guard allows on metrics."""

    def __init__(self, tags: Sequence[str], max_values: int) -> None:
        self._tags = tags
        self._max_values = max_values
        self._seen: dict[str, set[str]] = {tag: set() for tag in tags}
        self._to = instruments()

    def finished(self, receipt: Receipt, call: Call) -> None:
        """Record a call that is over."""
        to = self._to
        model = (sc.REQUEST_MODEL, call.asked.model)
        standard = ((sc.OPERATION, receipt.operation), (sc.PROVIDER, receipt.provider), model)
        self._standard(receipt, dict(standard))
        tags = self._tag_labels(receipt)
        outcome = (sc.OUTCOME, "provider" if receipt.status == "ok" else "error")
        to.calls.add(1, (outcome, *tags))
        for attempt in call.attempts:
            role = (sc.ATTEMPT_ROLE, attempt.role)
            to.attempts.add(1, (role, (sc.ERROR_TYPE, attempt.error_type)) if attempt.error_type else (role,))
        if receipt.cost_basis is CostBasis.UNPRICED:
            to.unpriced.add(1, (model,))
        if receipt.cost_nano:
            to.cost.add(receipt.cost_nano, (*standard, (sc.COST_SOURCE, str(receipt.cost_basis)), *tags))
            to.call_cost.record(receipt.cost_nano / 1e9, dict((outcome, model, *tags)))
        if receipt.baseline_nano:
            to.baseline.add(receipt.baseline_nano, (*standard, *tags))

    def _standard(self, receipt: Receipt, labels: dict[str, str]) -> None:
        """What the semantic conventions ask for, with their labels only."""
        to = self._to
        with_error = {**labels, sc.ERROR_TYPE: receipt.error_type} if receipt.error_type else labels
        to.duration.record(receipt.duration_s, with_error)
        if receipt.first_token_s is not None:
            to.first_chunk.record(receipt.first_token_s, labels)
        if receipt.usage is not None and receipt.usage.meters:
            to.tokens.record(receipt.usage.input_tokens, {**labels, sc.TOKEN_TYPE: "input"})
            to.tokens.record(receipt.usage.output_tokens, {**labels, sc.TOKEN_TYPE: "output"})

    def not_metered(self, host: str) -> None:
        """Record a request that went through untouched."""
        self._to.unmetered.add(1, ((sc.SERVER_ADDRESS, host),))

    def _tag_labels(self, receipt: Receipt) -> Labels:
        made = []
        for tag in self._tags:
            value = receipt.tags.get(tag)
            if value is not None:
                made.append((sc.OWN + tag, value if self._told_apart(tag, value) else "other"))
        return tuple(made)

    def _told_apart(self, tag: str, value: str) -> bool:
        seen = self._seen[tag]
        if value not in seen and len(seen) < self._max_values:
            seen.add(value)
        return value in seen
