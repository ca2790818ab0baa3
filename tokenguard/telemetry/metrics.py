"""The metrics of calls. They are recorded whether or not a call's spans are sampled: sums stay true."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from typing import Final

from opentelemetry.metrics import MeterProvider

from tokenguard.call import Call, CostBasis, Receipt
from tokenguard.telemetry import semconv as sc
from tokenguard.telemetry.attributes import inference
from tokenguard.telemetry.attributes import outcome as outcome_of
from tokenguard.telemetry.standard import standard
from tokenguard.telemetry.sums import Labels, counter, histogram, meter_of

_making: Final = threading.Lock()


class Instruments:
    """Our own instruments of one meter provider, which all guards share: it knows each name once."""

    def __init__(self, provider: MeterProvider) -> None:
        meter = meter_of(provider)
        self.call_cost = histogram(meter, sc.METRIC_CALL_COST, "USD", sc.COST_BOUNDARIES)
        self.cost = counter(meter, sc.METRIC_COST, "USD", 1e9)
        self.baseline = counter(meter, sc.METRIC_BASELINE, "USD", 1e9)
        self.calls = counter(meter, sc.METRIC_CALLS, "{call}")
        self.attempts = counter(meter, sc.METRIC_ATTEMPTS, "{attempt}")
        self.lookups = counter(meter, sc.METRIC_CACHE_LOOKUPS, "{lookup}")
        self.saved = counter(meter, sc.METRIC_CACHE_SAVED, "USD", 1e9)
        self.findings = counter(meter, sc.METRIC_LINT_FINDINGS, "{finding}")
        self.tokens_saved = counter(meter, sc.METRIC_LINT_SAVED, "{token}")
        self.unpriced = counter(meter, sc.METRIC_UNPRICED, "{call}")
        self.unmetered = counter(meter, sc.METRIC_UNMETERED, "{request}")


@cache
def instruments(provider: MeterProvider) -> Instruments:
    """Our own instruments of a provider; made once."""
    return Instruments(provider)


class Metrics:
    """Records calls with one meter provider, with the tags that one guard allows on metrics."""

    def __init__(self, provider: MeterProvider, tags: Sequence[str], max_values: int, semconv: str) -> None:
        self._tags = [(tag, sc.tag_name(tag)) for tag in tags]
        self._max_values = max_values
        self._seen: dict[str, set[str]] = {tag: set() for tag in tags}
        with _making:  # or the first calls of two threads would each register the same names
            self._to = instruments(provider)
            self._standard = standard(provider, semconv)

    def finished(self, receipt: Receipt, call: Call) -> None:
        """Record a call that is over."""
        to = self._to
        model = (sc.REQUEST_MODEL, call.asked.model)
        labels = ((sc.OPERATION, receipt.operation), (sc.PROVIDER, receipt.provider), model)
        asked = inference(receipt, call.attempts[-1])
        if asked is not None:
            self._standard.finished(asked[0], labels)
        tags = self._tag_labels(receipt)
        self._attempts(call, labels, tags)
        outcome = (sc.OUTCOME, outcome_of(receipt))
        to.calls.add(1, (outcome, *tags))
        if receipt.cache is not None:
            self._cache(receipt, tags)
        if receipt.cost_basis is CostBasis.UNPRICED:
            to.unpriced.add(1, (model,))
        if receipt.cost_nano:
            to.call_cost.record(receipt.cost_nano / 1e9, dict((outcome, model, *tags)))
        if receipt.baseline_nano:
            to.baseline.add(receipt.baseline_nano, (*labels, *tags))

    def _cache(self, receipt: Receipt, tags: Labels) -> None:
        to, kind = self._to, "semantic" if receipt.cache == "similar" else "exact"
        result = ((sc.CACHE_KIND, kind), (sc.CACHE_RESULT, str(receipt.cache)))
        to.lookups.add(
            1, (*result, (sc.CACHE_REASON, receipt.cache_reason)) if receipt.cache_reason else result
        )
        if receipt.saved_nano:
            to.saved.add(receipt.saved_nano, ((sc.REQUEST_MODEL, receipt.model_requested), *tags))

    def linted(self, call: Call) -> None:
        """Record what the linter found in a call: codes, never content."""
        checked, model = call.lint, (sc.REQUEST_MODEL, call.asked.model)
        if checked is None:
            return
        for found, fixed in ((checked.findings, False), (checked.fixed, True)):
            for one in found:
                labels = (
                    (sc.LINT_CODE, one.code),
                    (sc.LINT_SEVERITY, str(one.severity)),
                    (sc.LINT_MENDED, fixed),
                )
                self._to.findings.add(1, (*labels, model))
        if checked.tokens_saved:
            self._to.tokens_saved.add(checked.tokens_saved, (model,))

    def _attempts(self, call: Call, labels: Labels, tags: Labels) -> None:
        """Count each attempt and its cost; what one cost is known even where another has no price."""
        to = self._to
        for attempt in call.attempts:
            if attempt.role == "cache":
                continue
            role = (sc.ATTEMPT_ROLE, attempt.role)
            to.attempts.add(1, (role, (sc.ERROR_TYPE, attempt.error_type)) if attempt.error_type else (role,))
            if attempt.charge is not None and attempt.charge.cost_nano:
                source = (sc.COST_SOURCE, str(attempt.basis))
                to.cost.add(attempt.charge.cost_nano, (*labels, source, role, *tags))

    def not_metered(self, host: str) -> None:
        """Record a request that went through untouched."""
        self._to.unmetered.add(1, ((sc.SERVER_ADDRESS, host),))

    def _tag_labels(self, receipt: Receipt) -> Labels:
        made = []
        for tag, name in self._tags:
            value = receipt.tags.get(tag)
            if value is not None:
                made.append((name, value if self._told_apart(tag, value) else "other"))
        return tuple(made)

    def _told_apart(self, tag: str, value: str) -> bool:
        seen = self._seen[tag]
        if value not in seen and len(seen) < self._max_values:
            seen.add(value)
        return value in seen
