"""The metrics that OpenTelemetry's GenAI conventions name: as dashboards know them, or as they are now."""

from __future__ import annotations

from functools import cache
from typing import Protocol

from opentelemetry.metrics import MeterProvider

from tokenguard.call import Receipt
from tokenguard.telemetry import semconv as sc
from tokenguard.telemetry.modality import PRODUCED, READ, SENT, WRITTEN, by_modality
from tokenguard.telemetry.sums import Labels, counter, histogram, meter_of


class Standard(Protocol):
    """One version of the conventions' client metrics."""

    def finished(self, receipt: Receipt, labels: Labels) -> None:
        """Record a call that is over, with the labels of the conventions and no others."""
        ...


class Default:
    """The names that dashboards, OpenLIT and the GenAI instrumentations use today."""

    def __init__(self, provider: MeterProvider) -> None:
        meter = meter_of(provider)
        self._duration = histogram(meter, sc.METRIC_DURATION, "s", sc.DURATION_BOUNDARIES)
        self._first_chunk = histogram(meter, sc.METRIC_FIRST_CHUNK, "s", sc.DURATION_BOUNDARIES)
        self._tokens = histogram(meter, sc.METRIC_TOKENS, "{token}", sc.TOKEN_BOUNDARIES)

    def finished(self, receipt: Receipt, labels: Labels) -> None:
        """Record a call that is over."""
        common = dict(labels)
        self._duration.record(receipt.duration_s, _with_error(common, receipt))
        if receipt.first_token_s is not None:
            self._first_chunk.record(receipt.first_token_s, common)
        usage = receipt.usage
        if usage is not None and usage.meters:
            self._tokens.record(usage.input_tokens, {**common, sc.TOKEN_TYPE: "input"})
            self._tokens.record(usage.output_tokens, {**common, sc.TOKEN_TYPE: "output"})


class Latest:
    """The names of the conventions as they are now: tokens are counters, by modality.

    Source: docs/gen-ai/client-inference.md and gen-ai-token-metrics.md of
    open-telemetry/semantic-conventions-genai, 2026-10.
    """

    def __init__(self, provider: MeterProvider) -> None:
        meter = meter_of(provider)
        self._duration = histogram(meter, sc.METRIC_INFERENCE_DURATION, "s", sc.DURATION_BOUNDARIES)
        self._first_chunk = histogram(meter, sc.METRIC_INFERENCE_FIRST_CHUNK, "s", sc.DURATION_BOUNDARIES)
        self._used = [
            (counter(meter, sc.METRIC_USAGE_INPUT, "{token}"), SENT),
            (counter(meter, sc.METRIC_USAGE_OUTPUT, "{token}"), PRODUCED),
            (counter(meter, sc.METRIC_USAGE_READ, "{token}"), READ),
            (counter(meter, sc.METRIC_USAGE_WRITTEN, "{token}"), WRITTEN),
        ]
        self._reasoning = counter(meter, sc.METRIC_USAGE_REASONING, "{token}")

    def finished(self, receipt: Receipt, labels: Labels) -> None:
        """Record a call that is over; without usage, zeros of unknown modality."""
        common = dict(labels)
        self._duration.record(receipt.duration_s, _with_error(common, receipt))
        if receipt.first_token_s is not None:
            self._first_chunk.record(receipt.first_token_s, common)
        for sums, among in self._used:
            for modality, n in (by_modality(receipt.meters, among) or {"unknown": 0}).items():
                sums.add(n, (*labels, (sc.TOKEN_MODALITY, modality)))
        reasoning = receipt.usage.reasoning if receipt.usage else 0
        self._reasoning.add(reasoning, (*labels, (sc.TOKEN_MODALITY, "text" if reasoning else "unknown")))


@cache
def standard(provider: MeterProvider, version: str) -> Standard:
    """The instruments of one version; made once, for a provider knows each name once."""
    return Latest(provider) if version == "latest" else Default(provider)


def _with_error(labels: dict[str, str | bool], receipt: Receipt) -> dict[str, str | bool]:
    return {**labels, sc.ERROR_TYPE: receipt.error_type} if receipt.error_type else labels
