"""What stands on the spans of a call.

Every call comes through here, and by then little of this is left in the processor's caches: code and
names that are touched cost more than work. So one dictionary is filled from top to bottom, written out in
few functions, and nothing is worked out twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from opentelemetry.util.types import AttributeValue

from tokenguard.call import FROM_CACHE, Attempt, CostBasis, Meter, Receipt, Usage
from tokenguard.telemetry import semconv as sc
from tokenguard.telemetry.modality import PRODUCED, READ, SENT, WRITTEN, by_modality
from tokenguard.telemetry.request import put_request

Attributes = dict[str, AttributeValue]

_UNKNOWN: Final = CostBasis.UNKNOWN  # on Python 3.11, an enum's members are looked up by Python code
_BUCKETS: Final = {meter: f'"{meter}": ' for meter in Meter if meter.unit == "token"}


def call_attributes(receipt: Receipt) -> Attributes:
    """What is said of the whole call, on the root (or on our span within somebody else's)."""
    made: Attributes = {
        sc.CALL_ID: receipt.call_id,
        sc.OWN_REQUEST_MODEL: receipt.model_requested,
        sc.OUTCOME: outcome(receipt),
        sc.ATTEMPTS: receipt.attempts,
    }
    if receipt.cache is not None:
        made[sc.CACHE_RESULT] = receipt.cache
        if receipt.cache_reason is not None:
            made[sc.CACHE_REASON] = receipt.cache_reason
        if receipt.saved_nano:
            made[sc.CACHE_SAVED] = receipt.saved_nano / 1e9
    if receipt.findings or receipt.fixed:
        _put_lint(made, receipt)
    if receipt.cost_nano is not None:
        made[sc.COST_CALL_TOTAL] = receipt.cost_nano / 1e9
    if receipt.baseline_nano is not None:
        made[sc.COST_BASELINE] = receipt.baseline_nano / 1e9
    _put_labels(made, receipt)
    return made


def _put_lint(made: Attributes, receipt: Receipt) -> None:
    """Codes and counts; what they were found in is nobody's business here."""
    made[sc.LINT_FINDINGS] = len(receipt.findings)
    made[sc.LINT_CODES] = sorted({one.code for one in receipt.findings})
    if receipt.fixed:
        made[sc.LINT_FIXED] = sorted({one.code for one in receipt.fixed})
        made[sc.LINT_SAVED] = receipt.tokens_saved


def outcome(receipt: Receipt) -> str:
    """Where the answer came from: ``provider``, ``cache_exact`` or ``cache_semantic``; else ``error``."""
    if receipt.status != "ok":
        return "error"
    if receipt.cache in FROM_CACHE:
        return "cache_semantic" if receipt.cache == "similar" else "cache_exact"
    return "provider"


def inference(receipt: Receipt, last: Attempt) -> tuple[Receipt, Attempt] | None:
    """What a call came to at the provider, and its last attempt there; ``None`` where nothing was asked.

    It differs from what the caller got where that came from the cache in the end.
    """
    if last.role != "cache":
        return receipt, last
    asked = [attempt for attempt in last.call.attempts if attempt.role != "cache"]
    if not asked:
        return None
    attempt = asked[-1]
    answered, ended_ns = attempt.answered, attempt.ended_ns or receipt.started_ns
    return receipt._replace(
        duration_s=(ended_ns - receipt.started_ns) / 1e9,
        model_served=answered.model,
        status=attempt.status,
        http_status=attempt.http_status,
        error_type=attempt.error_type,
        finish_reasons=answered.finish_reasons,
        response_id=answered.response_id,
        usage=attempt.usage,
        cost_basis=attempt.basis,
    ), attempt


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
    if receipt.tags or receipt.run_id:
        _put_labels(made, receipt)
    put_request(made, attempt.call)
    _put_response(made, receipt, attempt)
    if "openinference" in compat:
        made[sc.OPENINFERENCE_KIND] = "LLM"
        made[sc.OPENINFERENCE_MODEL] = receipt.model_served or receipt.model_requested
    if receipt.usage is not None and receipt.usage.meters:
        _put_usage(made, receipt.usage, compat)
    _put_cost(made, receipt, attempt, compat)
    return made


def cost_attributes(receipt: Receipt, attempt: Attempt, compat: Collection[str]) -> Attributes:
    """What is ours to add to somebody else's span of the same inference."""
    made: Attributes = {}
    _put_cost(made, receipt, attempt, compat)
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


def _put_usage(made: Attributes, usage: Usage, compat: Collection[str]) -> None:
    meters, sent, produced = usage.meters, usage.input_tokens, usage.output_tokens
    made[sc.INPUT_TOKENS] = sent
    made[sc.OUTPUT_TOKENS] = produced
    made[sc.USAGE_SOURCE] = "estimated" if usage.estimated else "provider"
    if "openinference" in compat:
        made[sc.OPENINFERENCE_PROMPT] = sent
        made[sc.OPENINFERENCE_COMPLETION] = produced
        made[sc.OPENINFERENCE_TOTAL] = sent + produced
    if "langfuse" in compat:
        # Disjoint buckets and their total: with these, Langfuse does not sum gen_ai.usage.* itself.
        buckets = ""
        for meter, n in meters.items():
            if n and meter in _BUCKETS:
                buckets += f"{_BUCKETS[meter]}{n}, "
        made[sc.LANGFUSE_USAGE] = f'{{{buckets}"total": {sent + produced}}}'
    if usage.reasoning:
        made[sc.REASONING_TOKENS] = usage.reasoning
        if "openinference" in compat:
            made[sc.OPENINFERENCE_REASONING] = usage.reasoning
    if len(meters) > 2:  # more than plain input and output
        _put_cached(made, meters, compat)
        _put_modalities(made, meters)


def _put_cached(made: Attributes, meters: Mapping[Meter, int], compat: Collection[str]) -> None:
    read = sum([meters.get(meter, 0) for meter in READ])
    written = sum([meters.get(meter, 0) for meter in WRITTEN])
    if read:
        made[sc.CACHE_READ_TOKENS] = read
        if "openinference" in compat:
            made[sc.OPENINFERENCE_READ] = read
    if written:
        made[sc.CACHE_WRITE_TOKENS] = made[sc.CACHE_CREATION_TOKENS] = written
        if "openinference" in compat:
            made[sc.OPENINFERENCE_WRITTEN] = written


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


def _put_cost(made: Attributes, receipt: Receipt, attempt: Attempt, compat: Collection[str]) -> None:
    """Add the cost, under every name that somebody reads; nothing at all where it is not known."""
    for one in attempt.call.attempts:
        if one.basis is _UNKNOWN:
            made[sc.COST_UNCERTAIN] = True
    nano = receipt.cost_nano
    if nano is None or attempt.charge is None or receipt.cost_basis is _UNKNOWN:
        return
    produced_nano = 0
    for line in receipt.lines:
        if line.meter in PRODUCED:
            produced_nano += line.cost_nano
    total, sent, produced = nano / 1e9, (nano - produced_nano) / 1e9, produced_nano / 1e9
    made[sc.COST_TOTAL] = total
    made[sc.COST_INPUT] = sent
    made[sc.COST_OUTPUT] = produced
    made[sc.COST_NANO] = nano
    made[sc.COST_CURRENCY] = "USD"
    made[sc.COST_SOURCE] = str(receipt.cost_basis)
    made[sc.PRICE_VERSION] = receipt.price_set
    _put_cost_for_tools(made, total, sent, produced, compat)


def _put_cost_for_tools(
    made: Attributes, total: float, sent: float, produced: float, compat: Collection[str]
) -> None:
    if "openlit" in compat:
        made[sc.COST_OPENLIT] = total
    if "logfire" in compat:
        made[sc.COST_LOGFIRE] = total
    if "openinference" in compat:
        made[sc.OPENINFERENCE_COST_TOTAL] = total
        made[sc.OPENINFERENCE_COST_PROMPT] = sent
        made[sc.OPENINFERENCE_COST_COMPLETION] = produced
    in_, out, both = repr(sent), repr(produced), repr(total)  # as JSON has floats
    if "langfuse" in compat:
        made[sc.LANGFUSE_COST] = f'{{"input": {in_}, "output": {out}, "total": {both}}}'
    if "mlflow" in compat:
        made[sc.COST_MLFLOW] = f'{{"input_cost": {in_}, "output_cost": {out}, "total_cost": {both}}}'
    if "sentry" in compat:
        made[sc.SENTRY_COST] = total
        made[sc.SENTRY_COST_INPUT] = sent
        made[sc.SENTRY_COST_OUTPUT] = produced
    if "otel-443" in compat:
        made[sc.OTEL_443_AMOUNT] = total
        made[sc.OTEL_443_CURRENCY] = "USD"
        made[sc.OTEL_443_SOURCE] = "local"
