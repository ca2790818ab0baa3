"""The spans of a call: one leaf with usage and cost, and a root above it where there may be more leaves.

Usage, model and cost stand on leaves only. A parent with a cost replaces its children's in MLflow and
is added to them in Langfuse; a parent with a model is taken for an inference of its own in Phoenix.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Any, Final

from opentelemetry import trace as otel
from opentelemetry.trace import Span, SpanKind, StatusCode

from tokenguard.call import Attempt, Call, Receipt
from tokenguard.telemetry import semconv as sc
from tokenguard.telemetry.attributes import Attributes, call_attributes, cost_attributes, leaf_attributes
from tokenguard.telemetry.telemetry import Trace

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
