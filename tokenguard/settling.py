"""What a call comes to: each attempt is settled to what was used and its cost, and the call to a receipt.

Plain functions on records, for the flow to call at the right moment: nothing here sends, waits or yields.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from tokenguard import faults
from tokenguard.call import (
    CACHED_PRICE,
    Answered,
    Attempt,
    Call,
    Charge,
    CostBasis,
    Line,
    Meter,
    Receipt,
    Usage,
    Where,
)
from tokenguard.dialects import Dialect
from tokenguard.dialects.words import made_text, sent_text
from tokenguard.effects import Body, End, Failure, Reply
from tokenguard.errors import UnpricedModelError
from tokenguard.policies import Policies
from tokenguard.tokens.estimate import estimate
from tokenguard.wire_json import decoded

if TYPE_CHECKING:  # a guard that does not count does not load it
    from tokenguard.tokens.calibration import Calibration


def next_attempt(call: Call, policies: Policies, role: str, waited: float) -> Attempt:
    """One more attempt of a call, after a wait of so many seconds."""
    attempt_id = call.id if not call.attempts else policies.new_id(call.started_ns)
    attempt = Attempt(attempt_id, call, len(call.attempts), role, waited_s=waited)
    call.attempts.append(attempt)
    return attempt


def refuse_unpriced(call: Call, policies: Policies) -> None:
    """Refuse a call whose price nobody knows.

    Raises:
        UnpricedModelError: There is no price for its model. Nothing was sent.
    """
    nothing = Usage(meters={Meter.INPUT: 0, Meter.OUTPUT: 0})
    charge = _charge(call, nothing, call.asked.model, Answered(), policies)
    if charge.cost_nano is None:
        raise UnpricedModelError(
            f"no price is known for model {call.asked.model!r} at {call.where.origin} "
            f"(price set {charge.price_set}), and on_unpriced is 'refuse'; nothing was sent. "
            "Add a price for it, or map the deployment to a model."
        )


def note_head(attempt: Attempt, reply: Reply) -> None:
    """Note what a reply says before its body comes: its status, and what the provider calls it."""
    attempt.http_status = reply.status
    attempt.provider_request_id = reply.headers.get("x-request-id") or reply.headers.get("request-id")
    if attempt.provider_request_id is None:
        attempt.provider_request_id = reply.headers.get("x-amzn-requestid")


def released(attempt: Attempt, elapsed_ns: int, error_type: str | None = None) -> None:
    """The provider refused: that costs nothing."""
    attempt.state, attempt.status, attempt.error_type = "released", "error", error_type
    attempt.basis = CostBasis.NONE
    attempt.ended_ns = attempt.call.started_ns + elapsed_ns


def settle_failure(attempt: Attempt, failure: Failure, policies: Policies) -> None:
    """No answer came. If the request may have arrived it may be billed: its input, at least."""
    error_type = type(failure.error).__name__
    if not failure.sent:
        released(attempt, failure.elapsed_ns, error_type)
    else:
        price_usage(attempt, Answered(), _estimated(attempt, Answered()), failure.elapsed_ns, policies)
        attempt.state, attempt.basis, attempt.error_type = "unknown", CostBasis.UNKNOWN, error_type
    attempt.status = "aborted" if failure.cancelled else "error"


def settle_body(attempt: Attempt, dialect: Dialect, body: Body, policies: Policies) -> None:
    """The whole answer is here: read its usage. Where it says nothing, count what it says."""
    try:
        parsed = decoded(body.content)
        answered = dialect.answer(parsed)
    except (ValueError, TypeError, AttributeError):
        attempt.anomalies += ("reply_not_json",)
        settle_usage(attempt, Answered(), body.elapsed_ns, policies)
        return
    if dialect.events is not None and (answered.usage is None or policies.telemetry.captures):
        answered = answered._replace(text=made_text(parsed))
    settle_usage(attempt, answered, body.elapsed_ns, policies)


def settle_stream(attempt: Attempt, end: End, policies: Policies) -> None:
    """The stream is over, one way or another: settle to its usage, or to what was delivered."""
    attempt.delivered = True
    attempt.finished, attempt.body = end.finished, end.body
    attempt.first_token_ns = end.first_token_ns
    settle_usage(attempt, end.answered, end.elapsed_ns, policies, cut=end.how != "complete")
    if attempt.status == "error":
        return  # the provider said why, in the stream
    if end.how == "broken":
        cancelled = not isinstance(end.error, Exception)
        attempt.status = "aborted" if cancelled else "error"
        attempt.error_type = type(end.error).__name__
    elif end.how != "complete" and (attempt.usage is None or attempt.usage.estimated):
        attempt.status = "aborted"


def settle_usage(
    attempt: Attempt, answered: Answered, elapsed_ns: int, policies: Policies, *, cut: bool = False
) -> None:
    """The usage is known, or will not be: an answer that was cut short, or says nothing, is counted."""
    usage = answered.usage
    anomaly = usage.anomaly() if usage else None
    if usage and not usage.meters:
        anomaly = "usage_unreadable"
    if anomaly:
        attempt.anomalies += (anomaly,)
        faults.warn_once(
            "usage", "%s from %s: %s", anomaly, attempt.call.where.provider, attempt.call.dialect
        )
    if anomaly and anomaly != "usage_sum_mismatch":
        usage = Usage(meters={}, raw=usage.raw if usage else None)  # unusable; kept for the record
    elif (usage is None and (cut or answered.text)) or not answered.usage_final:
        usage = _estimated(attempt, answered)
    elif usage is not None and policies.calibration is not None and not (cut or anomaly):
        _learn(attempt.call, usage, policies.calibration)
    price_usage(attempt, answered, usage, elapsed_ns, policies)
    attempt.state = "settled"
    if answered.error_type:
        attempt.status, attempt.error_type = "error", answered.error_type


def _learn(call: Call, usage: Usage, calibration: Calibration) -> None:
    """What was billed teaches how the model counts."""
    if call.anatomy is None:
        return
    try:
        calibration.observe(call.where.provider, call.asked.model, call.anatomy, usage.input_tokens)
    except Exception as fault:
        faults.note("tokens.calibration", fault)


def _estimated(attempt: Attempt, answered: Answered) -> Usage | None:
    """Our own count: the input as the provider gave it or as we sent it, the output as delivered.

    ``None`` for an upload, which is not read: it is not nothing, and nobody knows how much it is.
    """
    known = answered.usage.meters if answered.usage else {}
    meters = {meter: n for meter, n in known.items() if not meter.is_output}
    if not meters:
        if not attempt.call.body:
            return None
        meters[Meter.INPUT] = estimate(sent_text(attempt.call.body))
    meters[Meter.OUTPUT] = max(estimate(answered.text), known.get(Meter.OUTPUT, 0))
    return Usage(meters=meters, raw=answered.usage.raw if answered.usage else None, estimated=True)


def settle_cached(attempt: Attempt, policies: Policies) -> None:
    """Nothing is billed for what was given again: its quantities have the price 0."""
    usage = attempt.usage.meters if attempt.usage is not None else {}
    lines = tuple([Line(meter, n, "0", CACHED_PRICE, 0) for meter, n in usage.items() if n])
    price_set = attempt.charge.price_set if attempt.charge else _price_set(policies)
    attempt.charge, attempt.basis = Charge(0, 0, lines, price_set), CostBasis.CACHED


def price_usage(
    attempt: Attempt, answered: Answered, usage: Usage | None, elapsed_ns: int, policies: Policies
) -> None:
    """Put the price on what was used, and what it would have cost as the application asked for it."""
    call = attempt.call
    attempt.answered, attempt.usage = answered, usage
    attempt.ended_ns = call.started_ns + elapsed_ns
    if usage is None or not usage.meters:
        attempt.basis = CostBasis.UNMETERED
        return
    attempt.charge = _charge(call, usage, call.asked.model, answered, policies)
    if attempt.charge.cost_nano is None:
        attempt.basis = CostBasis.UNPRICED
    else:
        attempt.basis = CostBasis.ESTIMATED if usage.estimated else CostBasis.USAGE
    baseline = attempt.charge
    if call.model_asked:
        # Not by the deployment, which is that of the model asked for in its place.
        where = call.where._replace(deployment=None)
        asked = answered._replace(model=None)
        baseline = _charge(call, usage, call.model_asked, asked, policies, where=where)
    attempt.baseline_nano = baseline.cost_nano


def _charge(
    call: Call,
    usage: Usage,
    model: str,
    answered: Answered,
    policies: Policies,
    *,
    where: Where | None = None,
) -> Charge:
    """What a usage costs, asked for under one model name and answered, perhaps, under another.

    Unpriced where the price book itself is broken.
    """
    prices, where, at_ns = policies.prices, where or call.where, call.started_ns
    try:
        return prices.charge(
            usage,
            where=where,
            model=model,
            served=answered.model,
            service_tier=answered.service_tier,
            at_ns=at_ns,
            inference_geo=answered.inference_geo,
            speed=answered.speed,
        )
    except Exception as fault:
        faults.note("pricing.charge", fault)
        return Charge(None, None, (), "")


def _price_set(policies: Policies) -> str:
    try:
        return policies.prices.price_set
    except Exception as fault:
        faults.note("pricing.price_set", fault)
        return ""


class _NotCached(NamedTuple):
    """What is said of the cache where there is none."""

    status: None = None
    reason: None = None
    key: None = None
    age_s: None = None
    similarity: None = None


_NOT_CACHED: Final = _NotCached()


def receipt_of(call: Call, policies: Policies) -> Receipt:
    """What the call came to: the last attempt's answer, and the cost of them all."""
    last = call.attempts[-1]
    where, answered = call.where, last.answered
    total, used, linted = _total(call.attempts), call.cache or _NOT_CACHED, call.lint
    return Receipt(
        call_id=call.id,
        started_ns=call.started_ns,
        duration_s=((last.ended_ns or call.started_ns) - call.started_ns) / 1e9,
        first_token_s=None if last.first_token_ns is None else last.first_token_ns / 1e9,
        provider=where.provider,
        channel=where.channel,
        origin=where.origin,
        region=where.region,
        operation=call.operation,
        stream=call.asked.stream,
        model_requested=call.model_asked or call.asked.model,
        model_served=answered.model,
        service_tier=answered.service_tier,
        status=last.status,
        http_status=last.http_status,
        error_type=last.error_type,
        finish_reasons=answered.finish_reasons,
        response_id=answered.response_id,
        provider_request_id=last.provider_request_id,
        usage=last.usage,
        lines=total.lines,
        cost_nano=total.cost_nano,
        list_cost_nano=total.list_cost_nano,
        baseline_nano=0 if last.basis is CostBasis.NONE else last.baseline_nano,
        cost_basis=last.basis,
        price_set=_price_set(policies),
        attempts=sum([attempt.role != "cache" for attempt in call.attempts]),
        waited_s=total.waited_s,
        anomalies=total.anomalies,
        tags=call.tags,
        run_id=call.run_id,
        run_name=call.run_name,
        cache=used.status,
        cache_reason=used.reason,
        cache_key=used.key,
        cache_age_s=used.age_s,
        cache_similarity=used.similarity,
        findings=() if linted is None else linted.findings,
        fixed=() if linted is None else linted.fixed,
        tokens_saved=0 if linted is None else linted.tokens_saved,
    )


class _Total(NamedTuple):
    """What several attempts come to together."""

    lines: tuple[Line, ...] = ()
    cost_nano: int | None = 0
    list_cost_nano: int | None = 0
    waited_s: float = 0.0
    anomalies: tuple[str, ...] = ()


def _total(attempts: Iterable[Attempt]) -> _Total:
    """The sums; a cost is ``None`` as soon as one part of it is not known: unknown is never 0."""
    lines, cost, listed, waited_s, anomalies = _Total()
    for attempt in attempts:
        waited_s += attempt.waited_s
        anomalies += attempt.anomalies
        if attempt.basis is CostBasis.NONE:
            continue
        charge = attempt.charge
        if charge is None:
            cost = listed = None
            continue
        lines += charge.lines
        cost = _sum(cost, charge.cost_nano)
        listed = _sum(listed, charge.list_cost_nano)
    return _Total(lines, cost, listed, waited_s, anomalies)


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b
