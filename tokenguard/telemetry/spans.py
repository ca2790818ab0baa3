"""The spans of a call: one leaf with usage and cost, and a root above it where there may be more leaves.

Usage, model and cost stand on leaves only. A parent with a cost replaces its children's in MLflow and
is added to them in Langfuse; a parent with a model is taken for an inference of its own in Phoenix.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from opentelemetry import trace as otel
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.util.types import AttributeValue

from tokenguard.call import Attempt, Call, CostBasis, Meter, Receipt, Usage
from tokenguard.telemetry import semconv as sc
from tokenguard.telemetry.modality import PRODUCED, READ, SENT, WRITTEN, by_modality
from tokenguard.telemetry.request import put_request
from tokenguard.telemetry.telemetry import Trace

Attributes = dict[str, AttributeValue]

_INFERENCES: Final = frozenset({"chat", "text_completion", "generate_content", "embeddings"})


class Tracing:
    """Starts and ends spans with one tracer."""

    def __init__(self, compat: Collection[str], *, captures: bool = False) -> None:
        from tokenguard import __version__

        self._tracer = otel.get_tracer("tokenguard", __version__)
        self._compat = compat
        self._captures = captures

    def start(self, call: Call, *, tree: bool) -> Trace:
        """Start the spans of a call below the current span."""
        outer = _inference_around_us()
        asked, where = call.asked, call.where
        root = context = None
        if tree and outer is None:
            root = self._tracer.start_span("tokenguard.call", attributes=_ROOT, start_time=call.started_ns)
            context = otel.set_span_in_context(root)
        if outer is not None:
            leaf = self._tracer.start_span("tokenguard.call", attributes=_ROOT, start_time=call.started_ns)
            return Trace(leaf, None, outer)
        attributes: Attributes = {
            sc.OPERATION: call.operation,
            sc.PROVIDER: where.provider,
            sc.SERVER_ADDRESS: where.host,
            sc.SERVER_PORT: where.port,
        }
        if asked.model:
            attributes[sc.REQUEST_MODEL] = asked.model
        name = f"{call.operation} {asked.model}".rstrip()
        leaf = self._tracer.start_span(name, context, SpanKind.CLIENT, attributes, start_time=call.started_ns)
        return Trace(leaf, root, None)

    def current(self, trace: Trace) -> AbstractContextManager[Any]:
        """Make the leaf the current span; it is not ended with the context."""
        return otel.use_span(
            trace.leaf, end_on_exit=False, record_exception=False, set_status_on_exception=False
        )

    def retry(self, trace: Trace, attempt: Attempt, wait_s: float) -> None:
        """Add an event for a failed attempt that will be followed by another."""
        trace.retries += 1
        attributes: Attributes = {sc.RETRY_DELAY: wait_s, sc.ERROR_TYPE: attempt.error_type or "error"}
        if attempt.http_status is not None:
            attributes[sc.HTTP_STATUS] = attempt.http_status
        trace.leaf.add_event(sc.RETRY_EVENT, attributes)

    def end(self, trace: Trace, receipt: Receipt, attempt: Attempt) -> None:
        """Put everything on the spans and end them, the leaf first."""
        end_ns = receipt.started_ns + round(receipt.duration_s * 1e9)
        leaf, root, outer = trace.leaf, trace.root, trace.outer
        if outer is not None:
            leaf.set_attributes(call_attributes(receipt))
            if outer.is_recording():  # it may have ended before the last byte was read
                outer.set_attributes(cost_attributes(receipt, attempt, self._compat))
        elif leaf.is_recording():
            leaf.set_attributes(leaf_attributes(receipt, attempt, self._compat, trace.retries))
            if self._captures:
                from tokenguard.telemetry.content import content_attributes

                leaf.set_attributes(content_attributes(attempt))
        _end(leaf, receipt, end_ns)
        if root is not None:
            root.set_attributes(call_attributes(receipt))
            _end(root, receipt, end_ns)


_ROOT: Final[Attributes] = {
    sc.OPERATION: "invoke_workflow",
    sc.WORKFLOW_NAME: "tokenguard",
    sc.OPENINFERENCE_KIND: "CHAIN",
    sc.LANGFUSE_TYPE: "chain",
}


def _end(span: Span, receipt: Receipt, end_ns: int) -> None:
    if receipt.status != "ok":
        span.set_status(StatusCode.ERROR, receipt.error_type)
        span.set_attribute(sc.ERROR_TYPE, receipt.error_type or receipt.status)
    span.end(end_ns)


def _inference_around_us() -> Span | None:
    """The current span, if another instrumentation opened it for this same inference.

    Whoever patches the SDK's methods stands outside the HTTP client, so their span is open when a call
    comes through the seam. Two spans with usage would count every token twice.
    """
    span = otel.get_current_span()
    attributes = getattr(span, "attributes", None)
    if not attributes or not span.is_recording():
        return None
    theirs = (
        attributes.get(sc.OPERATION) in _INFERENCES
        or attributes.get(sc.OPENINFERENCE_KIND) == "LLM"
        or "llm.request.type" in attributes
    )
    return span if theirs else None


def call_attributes(receipt: Receipt) -> Attributes:
    """What is said of the whole call, on the root (or on our span within somebody else's)."""
    made: Attributes = {
        sc.CALL_ID: receipt.call_id,
        sc.OWN_REQUEST_MODEL: receipt.model_requested,
        sc.OUTCOME: "provider" if receipt.status == "ok" else "error",
        sc.ATTEMPTS: receipt.attempts,
    }
    if receipt.cost_nano is not None:
        made[sc.COST_CALL_TOTAL] = receipt.cost_nano / 1e9
    if receipt.baseline_nano is not None:
        made[sc.COST_BASELINE] = receipt.baseline_nano / 1e9
    _put_labels(made, receipt)
    return made


def leaf_attributes(receipt: Receipt, attempt: Attempt, compat: Collection[str], retries: int) -> Attributes:
    """Everything on the leaf but what was set when it was started."""
    made: Attributes = {
        sc.CALL_ID: receipt.call_id,
        sc.ATTEMPT_INDEX: attempt.index,
        sc.ATTEMPT_ROLE: attempt.role,
    }
    if retries:
        made[sc.RESEND_COUNT] = retries
    if receipt.anomalies:
        made[sc.ANOMALIES] = receipt.anomalies
    _put_labels(made, receipt)
    put_request(made, attempt.call)
    _put_response(made, receipt, attempt)
    _put_usage(made, receipt, compat)
    made.update(cost_attributes(receipt, attempt, compat))
    return made


def _put_labels(made: Attributes, receipt: Receipt) -> None:
    for name, value in receipt.tags.items():
        made[sc.tag_name(name)] = value
    if receipt.run_id:
        made[sc.RUN_ID] = receipt.run_id
        made[sc.RUN_NAME] = receipt.run_name or ""


def _put_response(made: Attributes, receipt: Receipt, attempt: Attempt) -> None:
    if receipt.response_id:
        made[sc.RESPONSE_ID] = receipt.response_id
    if receipt.model_served:
        made[sc.RESPONSE_MODEL] = receipt.model_served
    reasons = receipt.finish_reasons
    if attempt.delivered and receipt.status != "ok":
        reasons += ("error",) * (attempt.call.asked.choices - len(reasons))  # these never finished
    if reasons:
        made[sc.FINISH_REASONS] = reasons
    if receipt.first_token_s is not None:
        made[sc.TIME_TO_FIRST_CHUNK] = receipt.first_token_s


def _put_usage(made: Attributes, receipt: Receipt, compat: Collection[str]) -> None:
    usage = receipt.usage
    if "openinference" in compat:
        made[sc.OPENINFERENCE_KIND] = "LLM"
        made[sc.OPENINFERENCE_MODEL] = receipt.model_served or receipt.model_requested
    if usage is None or not usage.meters:
        return
    meters = usage.meters
    made[sc.INPUT_TOKENS] = usage.input_tokens
    made[sc.OUTPUT_TOKENS] = usage.output_tokens
    made[sc.USAGE_SOURCE] = "estimated" if usage.estimated else "provider"
    if usage.reasoning:
        made[sc.REASONING_TOKENS] = usage.reasoning
    read = written = 0
    if len(meters) > 2:
        read = sum([meters.get(meter, 0) for meter in READ])
        written = sum([meters.get(meter, 0) for meter in WRITTEN])
        _put_modalities(made, meters)
    if read:
        made[sc.CACHE_READ_TOKENS] = read
    if written:
        made[sc.CACHE_WRITE_TOKENS] = made[sc.CACHE_CREATION_TOKENS] = written
    if "openinference" in compat:
        _put_token_counts(made, usage, read, written)
    if "langfuse" in compat:
        # Disjoint buckets and their total: with these, Langfuse does not sum gen_ai.usage.* itself.
        total = usage.input_tokens + usage.output_tokens
        buckets = "".join([f'"{meter}": {n}, ' for meter, n in meters.items() if n and meter.unit == "token"])
        made[sc.LANGFUSE_USAGE] = f'{{{buckets}"total": {total}}}'


def _put_token_counts(made: Attributes, usage: Usage, read: int, written: int) -> None:
    """Add the counts as OpenInference has them."""
    made[sc.OPENINFERENCE_PROMPT] = usage.input_tokens
    made[sc.OPENINFERENCE_COMPLETION] = usage.output_tokens
    made[sc.OPENINFERENCE_TOTAL] = usage.input_tokens + usage.output_tokens
    if read:
        made[sc.OPENINFERENCE_READ] = read
    if written:
        made[sc.OPENINFERENCE_WRITTEN] = written
    if usage.reasoning:
        made[sc.OPENINFERENCE_REASONING] = usage.reasoning


def _put_modalities(made: Attributes, meters: Mapping[Meter, int]) -> None:
    """Add the tokens by modality, where the provider tells them apart."""
    for among, names in ((SENT, _SENT_NAMES), (PRODUCED, _PRODUCED_NAMES)):
        for modality, n in by_modality(meters, among).items():
            if n and modality in names:
                made[names[modality]] = n


_SENT_NAMES: Final = {
    "text": sc.TEXT_INPUT_TOKENS,
    "audio": sc.AUDIO_INPUT_TOKENS,
    "image": sc.IMAGE_INPUT_TOKENS,
}
_PRODUCED_NAMES: Final = {
    "text": sc.TEXT_OUTPUT_TOKENS,
    "audio": sc.AUDIO_OUTPUT_TOKENS,
    "image": sc.IMAGE_OUTPUT_TOKENS,
}


def cost_attributes(receipt: Receipt, attempt: Attempt, compat: Collection[str]) -> Attributes:
    """The cost, under every name that somebody reads; nothing at all where it is not known."""
    uncertain: Attributes = {}
    if any(one.basis is CostBasis.UNKNOWN for one in attempt.call.attempts):
        uncertain[sc.COST_UNCERTAIN] = True
    if receipt.cost_nano is None or attempt.charge is None or receipt.cost_basis is CostBasis.UNKNOWN:
        return uncertain
    made_nano = sum([line.cost_nano for line in receipt.lines if line.meter.is_output and line.cost_nano])
    sent, produced, total = (receipt.cost_nano - made_nano) / 1e9, made_nano / 1e9, receipt.cost_nano / 1e9
    made: Attributes = {
        sc.COST_TOTAL: total,
        sc.COST_INPUT: sent,
        sc.COST_OUTPUT: produced,
        sc.COST_NANO: receipt.cost_nano,
        sc.COST_CURRENCY: "USD",
        sc.COST_SOURCE: receipt.cost_basis.value,
        sc.PRICE_VERSION: receipt.price_set,
        **uncertain,
    }
    for name in compat:
        _COMPAT[name](made, total, sent, produced)
    return made


def _put_openlit(made: Attributes, total: float, _sent: float, _produced: float) -> None:
    made[sc.COST_OPENLIT] = total


def _put_logfire(made: Attributes, total: float, _sent: float, _produced: float) -> None:
    made[sc.COST_LOGFIRE] = total


def _put_openinference(made: Attributes, total: float, sent: float, produced: float) -> None:
    made[sc.OPENINFERENCE_COST_TOTAL] = total
    made[sc.OPENINFERENCE_COST_PROMPT] = sent
    made[sc.OPENINFERENCE_COST_COMPLETION] = produced


def _put_langfuse(made: Attributes, total: float, sent: float, produced: float) -> None:
    made[sc.LANGFUSE_COST] = f'{{"input": {sent!r}, "output": {produced!r}, "total": {total!r}}}'


def _put_mlflow(made: Attributes, total: float, sent: float, produced: float) -> None:
    made[sc.COST_MLFLOW] = f'{{"input_cost": {sent!r}, "output_cost": {produced!r}, "total_cost": {total!r}}}'


def _put_sentry(made: Attributes, total: float, sent: float, produced: float) -> None:
    made[sc.SENTRY_COST] = total
    made[sc.SENTRY_COST_INPUT] = sent
    made[sc.SENTRY_COST_OUTPUT] = produced


def _put_otel_443(made: Attributes, total: float, _sent: float, _produced: float) -> None:
    made[sc.OTEL_443_AMOUNT] = total
    made[sc.OTEL_443_CURRENCY] = "USD"
    made[sc.OTEL_443_SOURCE] = "local"


_COMPAT: Final = {
    "langfuse": _put_langfuse,
    "openinference": _put_openinference,
    "mlflow": _put_mlflow,
    "logfire": _put_logfire,
    "openlit": _put_openlit,
    "sentry": _put_sentry,
    "otel-443": _put_otel_443,
}
