"""The life of one call, from what the application asked to what it came to: read it from top to bottom.

A flow is a generator. It never sends, sleeps, writes or reads a clock: it yields effects, and its
driver (``transport/``) carries them out and answers with what happened. That is how every policy is
written once for threads and for event loops, and how a test drives a whole call with no server.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tokenguard import faults
from tokenguard.call import (
    CACHED_PRICE,
    Answered,
    Attempt,
    CacheStatus,
    Call,
    Charge,
    CostBasis,
    Line,
    Meter,
    Receipt,
    Usage,
    Where,
    WholeReply,
)
from tokenguard.dialects import Dialect
from tokenguard.dialects.words import made_text, sent_text
from tokenguard.effects import (
    Await,
    Body,
    Deliver,
    Effect,
    End,
    Failure,
    Find,
    Finish,
    Flow,
    Join,
    Keep,
    Open,
    Read,
    Replay,
    Reply,
    Resemble,
    Send,
    Settle,
    Sleep,
)
from tokenguard.errors import CacheMissError, UnpricedModelError
from tokenguard.pricing import PriceBook
from tokenguard.retry import Retry
from tokenguard.telemetry import Telemetry
from tokenguard.tokens.estimate import estimate
from tokenguard.wire_json import decoded

if TYPE_CHECKING:  # a guard without a cache does not load it
    from tokenguard.cache import Answers, Found, Plan
    from tokenguard.cache.entry import Entry
    from tokenguard.cache.flight import Flight

_HIT: Final[CacheStatus] = "hit"
_COALESCED: Final[CacheStatus] = "coalesced"
_SIMILAR: Final[CacheStatus] = "similar"


class _NotCached(NamedTuple):
    """What is said of the cache where there is none."""

    status: None = None
    reason: None = None
    key: None = None
    age_s: None = None
    similarity: None = None


_NOT_CACHED: Final = _NotCached()


class Policies(NamedTuple):
    """Everything that has a say in a call's life."""

    prices: PriceBook
    retry: Retry | None
    telemetry: Telemetry
    refuse_unpriced: bool
    new_id: Callable[[int], str]
    cache: Answers | None = None


def flow(call: Call, dialect: Dialect, policies: Policies) -> Flow:
    """A metered call: answered from the cache, or by attempts until one succeeds or no other is worth it."""
    if policies.refuse_unpriced:
        _refuse_unpriced(call, policies)  # raises before a cent is spent
    plan = _plan(call, dialect, policies)
    call.trace = call.trace or policies.telemetry.started(
        call, looks_up=plan is not None or _only(call, policies)
    )
    try:
        outcome = yield from _from_cache(call, plan, policies)
        if outcome is None:
            outcome = yield from _from_provider(call, dialect, plan, policies)
        if plan is not None and plan.stale is not None and _may_be_stale(outcome):
            outcome = (yield from _replayed(call, plan.stale, "stale", policies)) or outcome
    finally:
        if plan is not None and policies.cache is not None:
            policies.cache.let_go(plan)  # whoever waits for us asks for itself
    if isinstance(outcome, Reply) and outcome.redirects:
        return outcome  # a part of this call, which goes on at the next hop
    receipt = _receipt(call, policies)
    policies.telemetry.finished(call.trace, receipt, call.attempts[-1])
    yield Finish(receipt)
    if isinstance(outcome, CacheMissError):
        raise outcome
    if isinstance(outcome, Reply):
        outcome.receipt = receipt
    return outcome


def _only(call: Call, policies: Policies) -> bool:
    """Whether the answer may come from nowhere but the cache: then there may be no inference."""
    plays = policies.cache is not None and policies.cache.missed is not None
    return plays or call.cache_wish.use == "only"


def _plan(call: Call, dialect: Dialect, policies: Policies) -> Plan | None:
    """What the call wants of the cache; nothing where a redirect led here, or where the cache is broken."""
    if policies.cache is None or call.attempts:
        return None
    try:
        return policies.cache.plan(call, dialect)
    except Exception as fault:
        faults.note("cache.plan", fault)
        return None


def _from_cache(
    call: Call, plan: Plan | None, policies: Policies
) -> Generator[Effect, Any, Reply | Failure | CacheMissError | None]:
    """An answer that is there, or that somebody else is about to bring; ``None`` where we have to ask."""
    only = _only(call, policies)
    if plan is None or policies.cache is None:
        return _not_asked(call, plan, policies) if only else None
    refresh = call.cache_wish.use == "refresh"
    left_s, status = policies.cache.wait_s, _HIT
    while True:
        found: Found | Failure = yield Find(plan, refresh=refresh, leads=not only)
        if isinstance(found, Failure):
            return _interrupted(call, found, policies)
        if found.entry is not None:
            return (yield from _replayed(call, found.entry, status, policies))
        if found.what == "lead" or left_s <= 0:
            break
        status = _COALESCED
        if found.flight is None:  # another process asks
            left_s -= policies.cache.poll_s
            interrupted = yield Sleep(policies.cache.poll_s)
        else:
            interrupted = yield Await(found.flight, left_s)
            left_s = 0
        if interrupted:
            return _interrupted(call, interrupted, policies)
        if found.flight is not None:
            joined = yield from _joined(call, found.flight, policies)
            if joined is not None:
                return joined
    return (yield from _from_similar(call, plan, found, policies))


def _from_similar(
    call: Call, plan: Plan, found: Found, policies: Policies
) -> Generator[Effect, Any, Reply | Failure | CacheMissError | None]:
    """The answer to a similar question, as the same one has none; ``None`` where we have to ask."""
    if found.what == "lead" and _asks(call, plan, policies):
        resembling: Found | Failure = yield Resemble(plan)
        if isinstance(resembling, Failure):
            return _interrupted(call, resembling, policies)
        if resembling.entry is not None:
            similarity = resembling.similarity
            return (yield from _replayed(call, resembling.entry, _SIMILAR, policies, similarity))
        found = resembling
    policies.telemetry.looked_up(call, found.elapsed_ns)
    return _not_asked(call, plan, policies) if _only(call, policies) else None


def _asks(call: Call, plan: Plan, policies: Policies) -> bool:
    """Whether a call asks something that a similar question may have asked, and wants to know."""
    similar = None if policies.cache is None else policies.cache.similar
    if similar is None or call.cache_wish.use != "use":
        return False
    try:
        return similar.asks(call, plan)
    except Exception as fault:
        faults.note("cache.similar", fault)
        return False


def _joined(call: Call, flight: Flight, policies: Policies) -> Generator[Effect, Any, Reply | Failure | None]:
    """The answer of a call that was under way; ``None`` where it brought none."""
    if flight.entry is not None:
        status = _COALESCED if flight.similarity is None else _SIMILAR
        return (yield from _replayed(call, flight.entry, status, policies, flight.similarity))
    if flight.head is None:
        return None
    reply: Reply | None = yield Join(flight)
    if reply is None:
        return None
    if call.cache is not None:
        call.cache.status, call.cache.age_s = _COALESCED, 0.0
    policies.telemetry.looked_up(call, reply.elapsed_ns)
    attempt = _next_attempt(call, policies, "cache", 0.0)
    attempt.http_status, attempt.provider_request_id = reply.status, flight.head.request_id
    end: End = yield Deliver(reply)
    brought: Entry | None = flight.entry
    _settle_stream(attempt, end if brought is None else end._replace(answered=brought.answered), policies)
    _free(attempt, policies)
    yield Settle(attempt)
    return reply


def _interrupted(call: Call, failure: Failure, policies: Policies) -> Failure:
    """The caller gave up before anything was sent."""
    _settle_failure(_next_attempt(call, policies, "cache", 0.0), failure, policies)
    return failure


def _from_provider(
    call: Call, dialect: Dialect, plan: Plan | None, policies: Policies
) -> Generator[Effect, Any, Reply | Failure]:
    """Attempts, each written down, until one answers or no further one is worth it."""
    role, waited = "primary", 0.0
    while True:
        attempt = _next_attempt(call, policies, role, waited)
        outcome = yield from _attempt(attempt, dialect, policies, plan)
        entry = _entry(attempt, outcome, plan, policies)
        yield Settle(attempt)
        if attempt.status == "ok" or attempt.delivered:
            yield from _keep(call, plan, entry)
            return outcome
        refused = yield from _usage_was_refused(call, outcome)
        if isinstance(refused, Failure):
            return refused
        if refused:
            role, waited = "without_usage", 0.0
            continue
        wait = _wait(call, outcome, policies)
        if wait is None:
            yield from _keep(call, plan, entry)
            return outcome
        policies.telemetry.retrying(call.trace, attempt, wait)
        interrupted: Failure | None = yield Sleep(wait)
        if interrupted:
            return interrupted
        role, waited = "retry", wait


def _attempt(
    attempt: Attempt, dialect: Dialect, policies: Policies, plan: Plan | None
) -> Generator[Effect, Any, Reply | Failure]:
    """One request: written down, sent, and settled by what came of it."""
    outcome: Reply | Failure = (yield Open(attempt)) or (yield Send(attempt))
    if isinstance(outcome, Reply):
        _note_head(attempt, outcome)
        if outcome.status >= 300:
            _released(attempt, outcome.elapsed_ns, str(outcome.status))
            return (yield from _wanted(attempt, outcome, plan, policies))
        if outcome.streams:
            # The caller reads on; we are back once it is over.
            end = yield (Deliver(outcome) if plan is None else _shared(outcome, plan, policies))
            _settle_stream(attempt, end, policies)
        elif outcome.is_json:
            body = yield Read(outcome)
            if isinstance(body, Failure):
                outcome = body
            else:
                attempt.body = body.content
                _settle_body(attempt, dialect, body, policies)
        else:
            _settle_usage(attempt, Answered(), outcome.elapsed_ns, policies)
            outcome = yield from _wanted(attempt, outcome, plan, policies)
    if isinstance(outcome, Failure):
        _settle_failure(attempt, outcome, policies)
    return outcome


def _wanted(
    attempt: Attempt, reply: Reply, plan: Plan | None, policies: Policies
) -> Generator[Effect, Any, Reply | Failure]:
    """A reply that nobody has to read here, read all the same where a cassette is to have it."""
    if plan is None or policies.cache is None or not policies.cache.takes_all or reply.redirects:
        return reply
    body: Body | Failure = yield Read(reply)
    if isinstance(body, Failure):
        return body
    attempt.body = body.content
    return reply


def _keep(call: Call, plan: Plan | None, entry: Entry | None) -> Generator[Effect, Any, None]:
    """Give what the call came to to the cache, and to whoever waits for it."""
    if entry is not None and plan is not None:
        yield Keep(plan, entry, keeps=call.cache is not None and call.cache.reason is None)


def _replayed(
    call: Call, entry: Entry, status: CacheStatus, policies: Policies, similarity: float | None = None
) -> Generator[Effect, Any, Reply | Failure]:
    """An answer from the cache: nothing is billed for it, and its worth is what it would cost today."""
    outcome: Reply | Failure = yield Replay(entry)
    if isinstance(outcome, Failure):
        return outcome
    elapsed_ns = outcome.elapsed_ns
    if call.cache is not None:
        call.cache.status, call.cache.reason = status, None
        call.cache.key, call.cache.similarity = entry.key, similarity
        call.cache.age_s = max(0.0, (call.started_ns + elapsed_ns - entry.stored_ns) / 1e9)
    if not call.attempts:
        policies.telemetry.looked_up(call, elapsed_ns)
    attempt = _next_attempt(call, policies, "cache", 0.0)
    attempt.state, attempt.http_status = "settled", entry.status
    attempt.provider_request_id = entry.request_id
    if entry.status >= 300:
        _released(attempt, elapsed_ns, str(entry.status))
    else:
        _price(attempt, entry.answered, entry.answered.usage, elapsed_ns, policies)
        _free(attempt, policies)
    yield Settle(attempt)
    return outcome


def _free(attempt: Attempt, policies: Policies) -> None:
    """Nothing is billed for what was given again: its quantities have the price 0."""
    usage = attempt.usage.meters if attempt.usage is not None else {}
    lines = tuple([Line(meter, n, "0", CACHED_PRICE, 0) for meter, n in usage.items() if n])
    price_set = attempt.charge.price_set if attempt.charge else _price_set(policies)
    attempt.charge, attempt.basis = Charge(0, 0, lines, price_set), CostBasis.CACHED


def _not_asked(call: Call, plan: Plan | None, policies: Policies) -> CacheMissError:
    """The answer is not in the cache, and may come from nowhere else."""
    if policies.cache is not None and policies.cache.missed is not None:
        error = policies.cache.missed(call, plan, "")
    else:
        why = f" ({call.cache.reason})" if call.cache is not None and call.cache.reason else ""
        error = CacheMissError(
            f"cache='only', but the answer of {call.asked.model!r} to this request is not in the cache{why}; "
            "nothing was sent"
        )
    attempt = Attempt(call.id, call, 0, "cache")
    _released(attempt, 0, type(error).__name__)
    call.attempts.append(attempt)
    error.request_id = call.id
    return error


def _may_be_stale(outcome: Reply | Failure | CacheMissError) -> bool:
    """Whether the provider is overloaded or out of reach: an old answer is better than none."""
    if isinstance(outcome, Reply):
        return outcome.status == 429 or outcome.status >= 500
    return isinstance(outcome, Failure) and outcome.retryable and not outcome.cancelled


def _shared(reply: Reply, plan: Plan, policies: Policies) -> Deliver:
    """The delivery of a stream that is kept, and that others may follow."""
    largest = policies.cache.settings.max_entry_bytes if policies.cache is not None else 0
    return Deliver(reply, keeps=largest, flight=plan.leads)


def _entry(attempt: Attempt, outcome: Reply | Failure, plan: Plan | None, policies: Policies) -> Entry | None:
    """The answer for the cache and for whoever waits for it; ``None`` where there is no whole one."""
    if plan is None or policies.cache is None or not isinstance(outcome, Reply):
        return None
    body, attempt.body = attempt.body, None
    usage = attempt.usage if attempt.usage is not None and not attempt.usage.estimated else None
    try:
        answered, request_id = attempt.answered._replace(usage=usage), attempt.provider_request_id
        reply = WholeReply(outcome.status, outcome.kind, body, attempt.finished, answered, request_id)
        return policies.cache.entry(attempt.call, plan, reply, attempt.ended_ns or attempt.call.started_ns)
    except Exception as fault:
        faults.note("cache.keep", fault)
        return None


def unmetered(call: Call, policies: Policies, what: str = "") -> Flow:
    """A call to an endpoint that we do not know: nothing is read or written down, only retried.

    Raises:
        CassetteMissError: A cassette plays; ``what`` names the endpoint.
    """
    if policies.cache is not None and policies.cache.missed is not None:
        raise policies.cache.missed(call, None, what)
    while True:
        outcome: Reply | Failure = yield Send(_next_attempt(call, policies, "primary", 0.0))
        failed = isinstance(outcome, Failure) or outcome.status >= 400
        wait = _wait(call, outcome, policies) if failed else None
        if wait is None:
            return outcome
        interrupted: Failure | None = yield Sleep(wait)
        if interrupted:
            return interrupted


def _next_attempt(call: Call, policies: Policies, role: str, waited: float) -> Attempt:
    attempt_id = call.id if not call.attempts else policies.new_id(call.started_ns)
    attempt = Attempt(attempt_id, call, len(call.attempts), role, waited_s=waited)
    call.attempts.append(attempt)
    return attempt


def _wait(call: Call, outcome: Reply | Failure, policies: Policies) -> float | None:
    if policies.retry is None or not call.replayable:
        return None
    made = sum(_counts_as_try(attempt) for attempt in call.attempts)
    now_ns = call.started_ns + outcome.elapsed_ns
    return policies.retry.wait(outcome, made=made, allowed=call.retries, now_ns=now_ns)


def _counts_as_try(attempt: Attempt) -> bool:
    """Whether it uses up one of the call's tries: a hop on the way and our own second asking do not."""
    hop = attempt.http_status is not None and 300 <= attempt.http_status < 400
    return not hop and attempt.role != "without_usage"


def _refuse_unpriced(call: Call, policies: Policies) -> None:
    nothing = Usage(meters={Meter.INPUT: 0, Meter.OUTPUT: 0})
    charge = _charge(call, nothing, call.asked.model, Answered(), policies)
    if charge.cost_nano is None:
        raise UnpricedModelError(
            f"no price is known for model {call.asked.model!r} at {call.where.origin} "
            f"(price set {charge.price_set}), and on_unpriced is 'refuse'; nothing was sent. "
            "Add a price for it, or map the deployment to a model."
        )


def _usage_was_refused(call: Call, outcome: Reply | Failure) -> Generator[Effect, Any, bool | Failure]:
    """Whether an older server refused the usage that only we asked for: then ask as the caller did."""
    if not call.hides_usage or not isinstance(outcome, Reply) or outcome.status not in (400, 422):
        return False
    body: Body | Failure = yield Read(outcome)
    if isinstance(body, Failure):
        return body
    call.hides_usage = b"stream_options" not in body.content
    return not call.hides_usage


def _note_head(attempt: Attempt, reply: Reply) -> None:
    attempt.http_status = reply.status
    attempt.provider_request_id = reply.headers.get("x-request-id") or reply.headers.get("request-id")
    if attempt.provider_request_id is None:
        attempt.provider_request_id = reply.headers.get("x-amzn-requestid")


def _released(attempt: Attempt, elapsed_ns: int, error_type: str | None = None) -> None:
    """The provider refused: that costs nothing."""
    attempt.state, attempt.status, attempt.error_type = "released", "error", error_type
    attempt.basis = CostBasis.NONE
    attempt.ended_ns = attempt.call.started_ns + elapsed_ns


def _settle_failure(attempt: Attempt, failure: Failure, policies: Policies) -> None:
    """No answer came. If the request may have arrived it may be billed: its input, at least."""
    error_type = type(failure.error).__name__
    if not failure.sent:
        _released(attempt, failure.elapsed_ns, error_type)
    else:
        _price(attempt, Answered(), _estimated(attempt, Answered()), failure.elapsed_ns, policies)
        attempt.state, attempt.basis, attempt.error_type = "unknown", CostBasis.UNKNOWN, error_type
    attempt.status = "aborted" if failure.cancelled else "error"


def _settle_body(attempt: Attempt, dialect: Dialect, body: Body, policies: Policies) -> None:
    """The whole answer is here: read its usage. Where it says nothing, count what it says."""
    try:
        parsed = decoded(body.content)
        answered = dialect.answer(parsed)
    except (ValueError, TypeError, AttributeError):
        attempt.anomalies += ("reply_not_json",)
        _settle_usage(attempt, Answered(), body.elapsed_ns, policies)
        return
    if dialect.events is not None and (answered.usage is None or policies.telemetry.captures):
        answered = answered._replace(text=made_text(parsed))
    _settle_usage(attempt, answered, body.elapsed_ns, policies)


def _settle_stream(attempt: Attempt, end: End, policies: Policies) -> None:
    """The stream is over, one way or another: settle to its usage, or to what was delivered."""
    attempt.delivered = True
    attempt.finished, attempt.body = end.finished, end.body
    attempt.first_token_ns = end.first_token_ns
    _settle_usage(attempt, end.answered, end.elapsed_ns, policies, cut=end.how != "complete")
    if attempt.status == "error":
        return  # the provider said why, in the stream
    if end.how == "broken":
        cancelled = not isinstance(end.error, Exception)
        attempt.status = "aborted" if cancelled else "error"
        attempt.error_type = type(end.error).__name__
    elif end.how != "complete" and (attempt.usage is None or attempt.usage.estimated):
        attempt.status = "aborted"


def _settle_usage(
    attempt: Attempt, answered: Answered, elapsed_ns: int, policies: Policies, *, cut: bool = False
) -> None:
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
    _price(attempt, answered, usage, elapsed_ns, policies)
    attempt.state = "settled"
    if answered.error_type:
        attempt.status, attempt.error_type = "error", answered.error_type


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


def _price(
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


def _receipt(call: Call, policies: Policies) -> Receipt:
    """What the call came to: the last attempt's answer, and the cost of them all."""
    last = call.attempts[-1]
    where, answered = call.where, last.answered
    total, used = _total(call.attempts), call.cache or _NOT_CACHED
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
