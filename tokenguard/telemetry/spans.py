"""The spans of a call: one leaf with usage and cost, and a root above it where there may be more leaves.

Usage, model and cost stand on leaves only. A parent with a cost replaces its children's in MLflow and is
added to them in Langfuse; a parent with a model is taken for an inference of its own in Phoenix.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from contextvars import Token
from typing import Final

from opentelemetry import trace as otel
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import Span, SpanKind, StatusCode

from tokenguard.call import FROM_CACHE, Attempt, Call, Receipt
from tokenguard.telemetry import semconv as sc
from tokenguard.telemetry.attributes import (
    Attributes,
    call_attributes,
    cost_attributes,
    inference,
    leaf_attributes,
)

_INFERENCES: Final = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
_INFERENCE_SIGNS: Final = frozenset({sc.OPERATION, sc.OPENINFERENCE_KIND, "llm.request.type"})
_NOTHING: Final[AbstractContextManager[None]] = nullcontext()
_CLIENT: Final = SpanKind.CLIENT  # on Python 3.11, an enum's members are looked up by Python code


class Tracing:
    """Starts the spans of calls, all with one tracer.

    Args:
        compat: Whose attributes to put on them besides our own.
        tree: Whether a call gets a root above its leaf.
        captures: Whether what was said stands on the leaf.
    """

    def __init__(self, compat: Collection[str], *, tree: bool = False, captures: bool = False) -> None:
        from tokenguard import __version__

        self.compat = compat
        self.captures = captures
        self._tree = tree
        self._tracer = otel.get_tracer("tokenguard", __version__)

    def start(self, call: Call, *, looks_up: bool = False) -> Trace | None:
        """Start the spans of a call below the current span; ``None`` where nobody would see them."""
        context = get_current()
        around = otel.get_current_span(context)
        if _is_inference(around):
            return Trace(self, self._span_of_call(call, context), None, around)
        root = None
        if self._tree:
            root = self._span_of_call(call, context)
            if root is around:
                return None
            if looks_up:
                return Trace(self, None, root, None)
            context = otel.set_span_in_context(root, context)
        leaf = self._leaf(call, context)
        # Without a provider, what a tracer starts is the span that is current already.
        return None if leaf is around else Trace(self, leaf, root, None)

    def leaf(self, call: Call, root: Span) -> Span:
        """Start the span of a call's inference below its root."""
        return self._leaf(call, otel.set_span_in_context(root))

    def look_up(self, call: Call, root: Span, elapsed_ns: int) -> None:
        """A span for a lookup in the cache, which is over."""
        used = call.cache
        attributes: Attributes = {sc.WORKFLOW_NAME: "tokenguard", sc.CACHE_KIND: "exact"}
        if used is not None:
            attributes[sc.CACHE_HIT] = used.status in FROM_CACHE
            attributes[sc.CACHE_RESULT] = used.status
            if used.similarity is not None:
                attributes[sc.CACHE_KIND] = "semantic"
                attributes[sc.CACHE_SIMILARITY] = used.similarity
            if used.age_s is not None:
                attributes[sc.CACHE_AGE] = used.age_s
        context = otel.set_span_in_context(root)
        span = self._tracer.start_span(
            "tokenguard.cache.lookup", context, SpanKind.INTERNAL, attributes, start_time=call.started_ns
        )
        span.end(call.started_ns + elapsed_ns)

    def _leaf(self, call: Call, context: Context) -> Span:
        asked, where = call.asked, call.where
        attributes: Attributes = {
            sc.OPERATION: call.operation,
            sc.PROVIDER: where.provider,
            sc.SERVER_ADDRESS: where.host,
            sc.SERVER_PORT: where.port,
        }
        if asked.model:
            attributes[sc.REQUEST_MODEL] = asked.model
        name = f"{call.operation} {asked.model}".rstrip()
        return self._tracer.start_span(name, context, _CLIENT, attributes, start_time=call.started_ns)

    def _span_of_call(self, call: Call, context: Context) -> Span:
        return self._tracer.start_span(
            "tokenguard.call", context, SpanKind.INTERNAL, _SPAN_OF_CALL.copy(), start_time=call.started_ns
        )


_SPAN_OF_CALL: Final[Attributes] = {
    sc.OPERATION: "invoke_workflow",
    sc.WORKFLOW_NAME: "tokenguard",
    sc.OPENINFERENCE_KIND: "CHAIN",
    sc.LANGFUSE_TYPE: "chain",
}


def _is_inference(span: Span) -> bool:
    """Whether another instrumentation opened this span, the current one, for the same inference.

    Whoever patches the SDK's methods stands outside the HTTP client, so their span is open when a call
    comes through the seam. Two spans with usage would count every token twice.
    """
    attributes = getattr(span, "attributes", None)
    if not attributes or _INFERENCE_SIGNS.isdisjoint(attributes) or not span.is_recording():
        return False
    return (
        attributes.get(sc.OPERATION) in _INFERENCES
        or attributes.get(sc.OPENINFERENCE_KIND) == "LLM"
        or "llm.request.type" in attributes
    )


class Trace:
    """The spans of one call while it is under way.

    Args:
        tracing: Who started them.
        leaf: The span of the inference; ``None`` until it is known that there is one.
        root: The one above it, if there is one.
        outer: Somebody else's inference span around them: usage is theirs to report, the cost is ours.
    """

    __slots__ = ("_leaf", "_outer", "_retries", "_root", "_tracing")

    def __init__(self, tracing: Tracing, leaf: Span | None, root: Span | None, outer: Span | None) -> None:
        self._tracing = tracing
        self._leaf = leaf
        self._root = root
        self._outer = outer
        self._retries = 0

    def looked_up(self, call: Call, elapsed_ns: int) -> None:
        """Add the span of a lookup, and begin the leaf where it found nothing and the provider is asked."""
        root = self._root or self._leaf
        if root is None:
            return
        self._tracing.look_up(call, root, elapsed_ns)
        if self._leaf is None and call.cache is not None and call.cache.status not in FROM_CACHE:
            if call.cache_wish.use == "only":
                return
            self._leaf = self._tracing.leaf(call, root)

    def current(self) -> AbstractContextManager[None]:
        """A context in which the leaf is the current span."""
        return _NOTHING if self._leaf is None else Current(self._leaf)

    def retry(self, attempt: Attempt, wait_s: float) -> None:
        """Add an event for a failed attempt that will be followed by another."""
        self._retries += 1
        attributes: Attributes = {sc.RETRY_DELAY: wait_s, sc.ERROR_TYPE: attempt.error_type or "error"}
        if attempt.http_status is not None:
            attributes[sc.HTTP_STATUS] = attempt.http_status
        if self._leaf is not None:
            self._leaf.add_event(sc.RETRY_EVENT, attributes)

    def end(self, receipt: Receipt, attempt: Attempt) -> None:
        """Put everything on the spans and end them, the leaf first."""
        root, end_ns = self._root, attempt.ended_ns or receipt.started_ns
        if self._leaf is not None and self._outer is not None:
            self._end_within(self._leaf, self._outer, receipt, attempt)
            _end(self._leaf, receipt, end_ns)
        elif self._leaf is not None:
            self._end_leaf(self._leaf, *(inference(receipt, attempt) or (receipt, attempt)))
        if root is not None:
            root.set_attributes(call_attributes(receipt))
            _end(root, receipt, end_ns)

    def _end_leaf(self, leaf: Span, receipt: Receipt, attempt: Attempt) -> None:
        if leaf.is_recording():
            leaf.set_attributes(leaf_attributes(receipt, attempt, self._tracing.compat, self._retries))
            if self._tracing.captures:
                from tokenguard.telemetry.content import content_attributes

                leaf.set_attributes(content_attributes(attempt))
        _end(leaf, receipt, attempt.ended_ns or receipt.started_ns)

    def _end_within(self, leaf: Span, outer: Span, receipt: Receipt, attempt: Attempt) -> None:
        """Within somebody else's span of the inference: what is ours to add to it, and to our own."""
        leaf.set_attributes(call_attributes(receipt))
        if outer.is_recording() and receipt.cache not in FROM_CACHE:  # it may have ended before the last byte
            outer.set_attributes(cost_attributes(receipt, attempt, self._tracing.compat))


def _end(span: Span, receipt: Receipt, end_ns: int) -> None:
    if receipt.status != "ok":
        span.set_status(StatusCode.ERROR, receipt.error_type)
        span.set_attribute(sc.ERROR_TYPE, receipt.error_type or receipt.status)
    span.end(end_ns)


class Current:
    """Makes a span the current one for a block, and leaves it open.

    OpenTelemetry's ``use_span`` does the same, but as a generator, which costs more than what it does.
    """

    __slots__ = ("_span", "_token")

    _token: Token[Context]

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> None:
        self._token = attach(otel.set_span_in_context(self._span))

    def __exit__(self, *_: object) -> None:
        detach(self._token)
