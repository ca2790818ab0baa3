"""The metrics of calls. They are recorded whether or not a call's spans are sampled: sums stay true."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from opentelemetry import metrics as otel

from tokenguard.call import Call, CostBasis, Receipt
from tokenguard.telemetry import semconv as sc


class Instruments:
    """The instruments of one guard, and the tags that its metrics may carry."""

    def __init__(self, tags: Sequence[str], max_values: int) -> None:
        from tokenguard import __version__

        meter = otel.get_meter("tokenguard", __version__)
        self._tags = tags
        self._max_values = max_values
        self._seen: dict[str, set[str]] = {tag: set() for tag in tags}
        self._lock = threading.Lock()
        self._duration = meter.create_histogram(
            sc.METRIC_DURATION, "s", explicit_bucket_boundaries_advisory=sc.DURATION_BOUNDARIES
        )
        self._first_chunk = meter.create_histogram(
            sc.METRIC_FIRST_CHUNK, "s", explicit_bucket_boundaries_advisory=sc.DURATION_BOUNDARIES
        )
        self._tokens = meter.create_histogram(
            sc.METRIC_TOKENS, "{token}", explicit_bucket_boundaries_advisory=sc.TOKEN_BOUNDARIES
        )
        self._call_cost = meter.create_histogram(
            sc.METRIC_CALL_COST, "USD", explicit_bucket_boundaries_advisory=sc.COST_BOUNDARIES
        )
        self._cost = meter.create_counter(sc.METRIC_COST, "USD")
        self._baseline = meter.create_counter(sc.METRIC_BASELINE, "USD")
        self._calls = meter.create_counter(sc.METRIC_CALLS, "{call}")
        self._attempts = meter.create_counter(sc.METRIC_ATTEMPTS, "{attempt}")
        self._unpriced = meter.create_counter(sc.METRIC_UNPRICED, "{call}")
        self._unmetered = meter.create_counter(sc.METRIC_UNMETERED, "{request}")

    def finished(self, receipt: Receipt, call: Call) -> None:
        """Record a call that is over."""
        tags = self._tag_attributes(receipt)
        standard = {
            sc.OPERATION: receipt.operation,
            sc.PROVIDER: receipt.provider,
            sc.REQUEST_MODEL: call.asked.model,
        }
        self._standard(receipt, standard)
        outcome = {sc.OUTCOME: "provider" if receipt.status == "ok" else "error", **tags}
        self._calls.add(1, outcome)
        for attempt in call.attempts:
            labels = {sc.ATTEMPT_ROLE: attempt.role}
            if attempt.error_type:
                labels[sc.ERROR_TYPE] = attempt.error_type
            self._attempts.add(1, labels)
        if receipt.cost_basis is CostBasis.UNPRICED:
            self._unpriced.add(1, {sc.REQUEST_MODEL: call.asked.model})
        if receipt.cost_nano:
            labels = {**standard, sc.COST_SOURCE: str(receipt.cost_basis), **tags}
            self._cost.add(receipt.cost_nano / 1e9, labels)
            self._call_cost.record(
                receipt.cost_nano / 1e9, {**outcome, sc.REQUEST_MODEL: call.asked.model}
            )
        if receipt.baseline_nano:
            self._baseline.add(receipt.baseline_nano / 1e9, {**standard, **tags})

    def _standard(self, receipt: Receipt, labels: dict[str, str]) -> None:
        """What the semantic conventions ask for, with their labels only."""
        with_error = {**labels, sc.ERROR_TYPE: receipt.error_type} if receipt.error_type else labels
        self._duration.record(receipt.duration_s, with_error)
        if receipt.first_token_s is not None:
            self._first_chunk.record(receipt.first_token_s, labels)
        if receipt.usage is not None and receipt.usage.meters:
            self._tokens.record(receipt.usage.input_tokens, {**labels, sc.TOKEN_TYPE: "input"})
            self._tokens.record(receipt.usage.output_tokens, {**labels, sc.TOKEN_TYPE: "output"})

    def not_metered(self, host: str) -> None:
        """Record a request that went through untouched."""
        self._unmetered.add(1, {sc.SERVER_ADDRESS: host})

    def _tag_attributes(self, receipt: Receipt) -> dict[str, str]:
        made: dict[str, str] = {}
        for tag in self._tags:
            value = receipt.tags.get(tag)
            if value is not None:
                made[sc.OWN + tag] = value if self._told_apart(tag, value) else "other"
        return made

    def _told_apart(self, tag: str, value: str) -> bool:
        seen = self._seen[tag]
        if value in seen:
            return True
        with self._lock:
            if len(seen) >= self._max_values:
                return False
            seen.add(value)
            return True
