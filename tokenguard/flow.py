"""The life of one call, from what the application asked to what it came to: read it from top to bottom.

A flow is a generator. It never sends, sleeps, writes or reads a clock: it yields effects, and its
driver (``transport/``) carries them out and answers with what happened. That is how every policy is
written once for threads and for event loops, and how a test drives a whole call with no server.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from tokenguard.cached import entry_of, from_cache, keep, only_cached, plan_of, shared, stale_if_error, wanted
from tokenguard.call import Answered, Attempt, Call
from tokenguard.dialects import Dialect
from tokenguard.effects import (
    Body,
    Deliver,
    Effect,
    Failure,
    Finish,
    Flow,
    Open,
    Read,
    Reply,
    Send,
    Settle,
    Sleep,
)
from tokenguard.errors import CacheMissError
from tokenguard.linted import lint
from tokenguard.policies import Policies
from tokenguard.settling import (
    next_attempt,
    note_head,
    receipt_of,
    refuse_unpriced,
    released,
    settle_body,
    settle_failure,
    settle_stream,
    settle_usage,
)

if TYPE_CHECKING:  # a guard without a cache does not load it
    from tokenguard.cache import Plan


def flow(call: Call, dialect: Dialect, policies: Policies) -> Flow:
    """A metered call: answered from the cache, or by attempts until one succeeds or no other is worth it."""
    if policies.refuse_unpriced:
        refuse_unpriced(call, policies)  # raises before a cent is spent
    if policies.lint is not None:
        yield from lint(call, dialect, policies.lint, policies)  # and so does this
    plan = plan_of(call, dialect, policies)
    call.trace = call.trace or policies.telemetry.started(
        call, looks_up=plan is not None or only_cached(call, policies)
    )
    try:
        outcome = yield from from_cache(call, plan, policies)
        if outcome is None:
            outcome = yield from _from_provider(call, dialect, plan, policies)
        if plan is not None and plan.stale is not None:
            outcome = yield from stale_if_error(call, plan.stale, outcome, policies)
    finally:
        if plan is not None and policies.cache is not None:
            policies.cache.let_go(plan)  # whoever waits for us asks for itself
    if isinstance(outcome, Reply) and outcome.redirects:
        return outcome  # a part of this call, which goes on at the next hop
    receipt = receipt_of(call, policies)
    policies.telemetry.finished(call.trace, receipt, call.attempts[-1])
    yield Finish(receipt)
    if isinstance(outcome, CacheMissError):
        raise outcome
    if isinstance(outcome, Reply):
        outcome.receipt = receipt
    return outcome


def _from_provider(
    call: Call, dialect: Dialect, plan: Plan | None, policies: Policies
) -> Generator[Effect, Any, Reply | Failure]:
    """Attempts, each written down, until one answers or no further one is worth it."""
    role, waited = "primary", 0.0
    while True:
        attempt = next_attempt(call, policies, role, waited)
        outcome = yield from _attempt(attempt, dialect, policies, plan)
        entry = entry_of(attempt, outcome, plan, policies)
        yield Settle(attempt)
        if attempt.status == "ok" or attempt.delivered:
            yield from keep(plan, entry)
            return outcome
        refused = yield from _usage_was_refused(call, outcome)
        if isinstance(refused, Failure):
            return refused
        if refused:
            role, waited = "without_usage", 0.0
            continue
        wait = _wait(call, outcome, policies)
        if wait is None:
            yield from keep(plan, entry)
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
        note_head(attempt, outcome)
        if outcome.status >= 300:
            released(attempt, outcome.elapsed_ns, str(outcome.status))
            return (yield from wanted(attempt, outcome, plan, policies))
        if outcome.streams:
            # The caller reads on; we are back once it is over.
            end = yield (Deliver(outcome) if plan is None else shared(outcome, plan, policies))
            settle_stream(attempt, end, policies)
        elif outcome.is_json:
            body = yield Read(outcome)
            if isinstance(body, Failure):
                outcome = body
            else:
                attempt.body = body.content
                settle_body(attempt, dialect, body, policies)
        else:
            settle_usage(attempt, Answered(), outcome.elapsed_ns, policies)
            outcome = yield from wanted(attempt, outcome, plan, policies)
    if isinstance(outcome, Failure):
        settle_failure(attempt, outcome, policies)
    return outcome


def unmetered(call: Call, policies: Policies, what: str = "") -> Flow:
    """A call to an endpoint that we do not know: nothing is read or written down, only retried.

    Raises:
        CassetteMissError: A cassette plays; ``what`` names the endpoint.
    """
    if policies.cache is not None and policies.cache.missed is not None:
        raise policies.cache.missed(call, None, what)
    while True:
        outcome: Reply | Failure = yield Send(next_attempt(call, policies, "primary", 0.0))
        failed = isinstance(outcome, Failure) or outcome.status >= 400
        wait = _wait(call, outcome, policies) if failed else None
        if wait is None:
            return outcome
        interrupted: Failure | None = yield Sleep(wait)
        if interrupted:
            return interrupted


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


def _usage_was_refused(call: Call, outcome: Reply | Failure) -> Generator[Effect, Any, bool | Failure]:
    """Whether an older server refused the usage that only we asked for: then ask as the caller did."""
    if not call.hides_usage or not isinstance(outcome, Reply) or outcome.status not in (400, 422):
        return False
    body: Body | Failure = yield Read(outcome)
    if isinstance(body, Failure):
        return body
    call.hides_usage = b"stream_options" not in body.content
    return not call.hides_usage
