"""Spans and metrics of calls, through opentelemetry-api alone: nothing is configured on anyone's behalf.

OpenTelemetry is looked up, not imported: as long as nobody in the process has imported it there is no
provider to send to, and nothing is paid. A span that was started is ended by the flow, never by a
context, so that a stream abandoned in another task cannot leave a context behind.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from tokenguard import faults
from tokenguard.call import Attempt, Call, Receipt
from tokenguard.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from tokenguard.telemetry.caches import Watched
    from tokenguard.telemetry.metrics import Metrics
    from tokenguard.telemetry.spans import Trace, Tracing

COMPAT: Final = ("langfuse", "openinference", "mlflow", "logfire", "openlit", "sentry", "otel-443")
_DEFAULT_COMPAT: Final = frozenset(COMPAT[:5])
_NOTHING: Final[AbstractContextManager[None]] = nullcontext()
_CAPTURE_VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_SEMCONV_VARIABLE: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
_PROVIDER_VARIABLES: Final = ("OTEL_PYTHON_TRACER_PROVIDER", "OTEL_PYTHON_METER_PROVIDER")


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """What to emit.

    Attributes:
        spans: ``own`` emits spans and metrics; ``metrics`` leaves spans to another instrumentation;
            ``off`` emits nothing.
        compat: Whose cost attributes to put on spans besides our own, of ``langfuse``,
            ``openinference``, ``mlflow``, ``logfire``, ``openlit`` (these by default), ``sentry`` and
            ``otel-443`` (the open proposal open-telemetry/semantic-conventions-genai#443).
        metric_tags: Tags that become metric attributes. ``customer`` and ``user`` may not: a series for
            every customer drowns a metrics backend; spans and the ledger have them.
        max_tag_values: Distinct values of one tag that metrics tell apart; later ones become ``other``.
        capture_content: Whether to put prompts and answers on spans. ``None`` asks
            ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT``, which says so with ``span_only`` or
            ``span_and_event``; without it, nothing of what was said leaves the process.
        semconv: Which names the standard metrics have: ``default`` those that dashboards know,
            ``latest`` those of the GenAI conventions as they are now. ``None`` asks
            ``OTEL_SEMCONV_STABILITY_OPT_IN``, which says so with ``gen_ai_latest_experimental``.
    """

    spans: Literal["own", "metrics", "off"] = "own"
    compat: frozenset[str] = _DEFAULT_COMPAT
    metric_tags: tuple[str, ...] = ("project", "team", "environment", "feature")
    max_tag_values: int = 200
    capture_content: bool | None = None
    semconv: Literal["default", "latest"] | None = None

    def __post_init__(self) -> None:
        if self.spans not in ("own", "metrics", "off"):
            raise ConfigError(f"spans={self.spans!r}: give 'own', 'metrics' or 'off'")
        if self.semconv not in (None, "default", "latest"):
            raise ConfigError(f"semconv={self.semconv!r}: give 'default' or 'latest'")
        for name in sorted(set(self.compat) - set(COMPAT)):
            raise ConfigError(f"compat: {name!r} is not known; known are {', '.join(COMPAT)}")
        if isinstance(self.metric_tags, str):
            raise ConfigError(
                f"metric_tags={self.metric_tags!r}: give a tuple of names, ({self.metric_tags!r},)"
            )
        for tag in ("customer", "user"):
            if tag in self.metric_tags:
                raise ConfigError(
                    f"metric_tags: {tag!r} cannot be a metric attribute (one series for each would drown the "
                    "backend); spans and the ledger have it: tokenguard report --by " + tag
                )


class Telemetry:
    """Turns calls into spans and metrics. One per guard.

    Args:
        settings: What to emit.
        tree: Whether a call gets a root span above its leaf, as it does where a policy may add leaves.
        cache: A cache to tell of what it holds, keeps and lets go of.
    """

    def __init__(
        self, settings: TelemetrySettings | None = None, *, tree: bool = False, cache: Watched | None = None
    ) -> None:
        self.settings = settings or TelemetrySettings()
        self.captures = self.settings.spans == "own" and _captures_content(self.settings)
        self._tree = tree
        self._cache = cache
        # Read once, as a miss in the environment costs every call as much as all else here.
        self._named = any(name in os.environ for name in _PROVIDER_VARIABLES)
        self._tracing: Tracing | None = None
        self._meter_provider: Callable[[], MeterProvider] | None = None
        self._recording: tuple[MeterProvider | None, Metrics | None] = (None, None)

    def started(self, call: Call, *, looks_up: bool = False) -> Trace | None:
        """Start the spans of a call; ``None`` where nobody would see them.

        Args:
            call: It.
            looks_up: Whether it looks in the cache first; whether there is an inference will turn out then.
        """
        try:
            tracing = self._tracing or self._begin_tracing()
            return tracing.start(call, looks_up=looks_up) if tracing else None
        except Exception as error:
            faults.note("telemetry.started", error)
            return None

    def looked_up(self, call: Call, elapsed_ns: int) -> None:
        """Note what the cache said, so many nanoseconds after the call began."""
        if call.trace is None:
            return
        try:
            call.trace.looked_up(call, elapsed_ns)
        except Exception as error:
            faults.note("telemetry.looked_up", error)

    def linted(self, call: Call) -> None:
        """Count what the linter found in a call, where a meter provider is set."""
        try:
            metrics = self._metrics()
            if metrics is not None:
                metrics.linted(call)
        except Exception as error:
            faults.note("telemetry.linted", error)

    def sending(self, trace: Trace | None) -> AbstractContextManager[None]:
        """A context in which the leaf is the current span, for spans of the HTTP library below it."""
        return _NOTHING if trace is None else trace.current()

    def retrying(self, trace: Trace | None, attempt: Attempt, wait_s: float) -> None:
        """Note on the leaf that an attempt failed and another will follow after a wait."""
        if trace is None:
            return
        try:
            trace.retry(attempt, wait_s)
        except Exception as error:
            faults.note("telemetry.retrying", error)

    def finished(self, trace: Trace | None, receipt: Receipt, attempt: Attempt) -> None:
        """End the spans of a call, and count it where a meter provider is set."""
        try:
            if trace is not None:
                trace.end(receipt, attempt)
        except Exception as error:
            faults.note("telemetry.finished", error)
        try:
            metrics = self._metrics()
            if metrics is not None:
                metrics.finished(receipt, attempt.call)
        except Exception as error:
            faults.note("telemetry.counted", error)

    def not_metered(self, host: str) -> None:
        """Count a request that went through untouched, where a meter provider is set."""
        try:
            metrics = self._metrics()
            if metrics is not None:
                metrics.not_metered(host)
        except Exception as error:
            faults.note("telemetry.not_metered", error)

    def _begin_tracing(self) -> Tracing | None:
        if self.settings.spans != "own" or not self._in_use("opentelemetry.trace"):
            return None
        from tokenguard.telemetry.spans import Tracing

        self._tracing = Tracing(self.settings.compat, tree=self._tree, captures=self.captures)
        return self._tracing

    def _metrics(self) -> Metrics | None:
        """The metrics of the meter provider that is set at this moment; ``None`` where none is."""
        if self._meter_provider is None:
            if self.settings.spans == "off" or not self._in_use("opentelemetry.metrics"):
                return None
            from opentelemetry.metrics import get_meter_provider

            self._meter_provider = get_meter_provider
        provider = self._meter_provider()
        known, metrics = self._recording
        if provider is not known:
            metrics = self._metrics_of(provider)
            self._recording = (provider, metrics)
        return metrics

    def _metrics_of(self, provider: MeterProvider) -> Metrics | None:
        # The API's own providers, which stand in until somebody sets a real one, record nothing.
        if f"{type(provider).__module__}.".startswith("opentelemetry.metrics."):
            return None
        from tokenguard.telemetry.metrics import Metrics

        if self._cache is not None:
            from tokenguard.telemetry.caches import caches

            caches(provider).watch(self._cache)
        settings = self.settings
        return Metrics(provider, settings.metric_tags, settings.max_tag_values, _semconv(settings))

    def _in_use(self, module: str) -> bool:
        """Whether anybody in this process can have set up OpenTelemetry, of which we import nothing."""
        return module in sys.modules or self._named


def _captures_content(settings: TelemetrySettings) -> bool:
    if settings.capture_content is not None:
        return settings.capture_content
    return os.environ.get(_CAPTURE_VARIABLE, "").strip().lower() in ("span_only", "span_and_event")


def _semconv(settings: TelemetrySettings) -> Literal["default", "latest"]:
    if settings.semconv is not None:
        return settings.semconv
    wanted = os.environ.get(_SEMCONV_VARIABLE, "").split(",")
    return "latest" if "gen_ai_latest_experimental" in map(str.strip, wanted) else "default"
