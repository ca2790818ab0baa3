"""The cache's part of a call's life: an answer that is there, that comes, that is old; and what is kept.

Parts of the flow (``flow.py``), generators like it, in a file of their own.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from tokenguard import faults
from tokenguard.call import Attempt, CacheStatus, Call, WholeReply
from tokenguard.dialects import Dialect
from tokenguard.effects import (
    Await,
    Body,
    Deliver,
    Effect,
    End,
    Failure,
    Find,
    Join,
    Keep,
    Read,
    Replay,
    Reply,
    Resemble,
    Settle,
    Sleep,
)
from tokenguard.errors import CacheMissError
from tokenguard.policies import Policies
from tokenguard.settling import (
    next_attempt,
    price_usage,
    released,
    settle_cached,
    settle_failure,
    settle_stream,
)

if TYPE_CHECKING:  # a guard without a cache does not load it
    from tokenguard.cache import Found, Plan
    from tokenguard.cache.entry import Entry
    from tokenguard.cache.flight import Flight

_HIT: Final[CacheStatus] = "hit"
_COALESCED: Final[CacheStatus] = "coalesced"
_SIMILAR: Final[CacheStatus] = "similar"


def only_cached(call: Call, policies: Policies) -> bool:
    """Whether the answer may come from nowhere but the cache: then there may be no inference."""
    plays = policies.cache is not None and policies.cache.missed is not None
    return plays or call.cache_wish.use == "only"


def plan_of(call: Call, dialect: Dialect, policies: Policies) -> Plan | None:
    """What the call wants of the cache; nothing where a redirect led here, or where the cache is broken."""
    if policies.cache is None or call.attempts:
        return None
    try:
        return policies.cache.plan(call, dialect)
    except Exception as fault:
        faults.note("cache.plan", fault)
        return None


def from_cache(
    call: Call, plan: Plan | None, policies: Policies
) -> Generator[Effect, Any, Reply | Failure | CacheMissError | None]:
    """An answer that is there, or that somebody else is about to bring; ``None`` where we have to ask."""
    only = only_cached(call, policies)
    if plan is None or policies.cache is None:
        return (yield from _not_asked(call, plan, policies)) if only else None
    refresh = call.cache_wish.use == "refresh"
    left_s, status = policies.cache.wait_s, _HIT
    while True:
        found: Found | Failure = yield Find(plan, refresh=refresh, leads=not only)
        if isinstance(found, Failure):
            return (yield from _interrupted(call, found, policies))
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
            return (yield from _interrupted(call, interrupted, policies))
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
            return (yield from _interrupted(call, resembling, policies))
        if resembling.entry is not None:
            similarity = resembling.similarity
            return (yield from _replayed(call, resembling.entry, _SIMILAR, policies, similarity))
        found = resembling
    policies.telemetry.looked_up(call, found.elapsed_ns)
    return (yield from _not_asked(call, plan, policies)) if only_cached(call, policies) else None


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
    attempt = next_attempt(call, policies, "cache", 0.0)
    attempt.http_status, attempt.provider_request_id = reply.status, flight.head.request_id
    end: End = yield Deliver(reply)
    brought: Entry | None = flight.entry
    settle_stream(attempt, end if brought is None else end._replace(answered=brought.answered), policies)
    settle_cached(attempt, policies)
    yield Settle(attempt)
    return reply


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
    attempt = next_attempt(call, policies, "cache", 0.0)
    attempt.state, attempt.http_status = "settled", entry.status
    attempt.provider_request_id = entry.request_id
    if entry.status >= 300:
        released(attempt, elapsed_ns, str(entry.status))
    else:
        price_usage(attempt, entry.answered, entry.answered.usage, elapsed_ns, policies)
        settle_cached(attempt, policies)
    yield Settle(attempt)
    return outcome


def _interrupted(call: Call, failure: Failure, policies: Policies) -> Generator[Effect, Any, Failure]:
    """The caller gave up before anything was sent."""
    attempt = next_attempt(call, policies, "cache", 0.0)
    settle_failure(attempt, failure, policies)
    yield Settle(attempt)
    return failure


def _not_asked(call: Call, plan: Plan | None, policies: Policies) -> Generator[Effect, Any, CacheMissError]:
    """The answer is not in the cache, and may come from nowhere else."""
    if policies.cache is not None and policies.cache.missed is not None:
        error = policies.cache.missed(call, plan, "")
    else:
        why = f" ({call.cache.reason})" if call.cache is not None and call.cache.reason else ""
        error = CacheMissError(
            f"cache='only', but the answer of {call.asked.model!r} to this request is not in the cache{why}; "
            "nothing was sent"
        )
    attempt = next_attempt(call, policies, "cache", 0.0)
    released(attempt, 0, type(error).__name__)
    yield Settle(attempt)
    error.request_id = call.id
    return error


def stale_if_error(
    call: Call, stale: Entry, outcome: Reply | Failure | CacheMissError, policies: Policies
) -> Generator[Effect, Any, Reply | Failure | CacheMissError]:
    """An answer that is too old, where there will be none; else what the call came to without."""
    if not _may_be_stale(outcome):
        return outcome
    return (yield from _replayed(call, stale, "stale", policies)) or outcome


def _may_be_stale(outcome: Reply | Failure | CacheMissError) -> bool:
    """Whether the provider is overloaded or out of reach: an old answer is better than none."""
    if isinstance(outcome, Reply):
        return outcome.status == 429 or outcome.status >= 500
    return isinstance(outcome, Failure) and outcome.retryable and not outcome.cancelled


def wanted(
    attempt: Attempt, reply: Reply, plan: Plan | None, policies: Policies
) -> Generator[Effect, Any, Reply | Failure]:
    """A reply that nobody else has to read, read all the same where a cassette or the cache wants it."""
    if plan is None or policies.cache is None or reply.redirects or not policies.cache.takes(reply.status):
        return reply
    body: Body | Failure = yield Read(reply)
    if isinstance(body, Failure):
        return body
    attempt.body = body.content
    return reply


def shared(reply: Reply, plan: Plan, policies: Policies) -> Deliver:
    """The delivery of a stream that is kept, and that others may follow."""
    largest = policies.cache.settings.max_entry_bytes if policies.cache is not None else 0
    return Deliver(reply, keeps=largest, flight=plan.leads)


def entry_of(
    attempt: Attempt, outcome: Reply | Failure, plan: Plan | None, policies: Policies
) -> Entry | None:
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


def keep(plan: Plan | None, entry: Entry | None) -> Generator[Effect, Any, None]:
    """Give what the call came to to the cache, and to whoever waits for it."""
    if entry is not None and plan is not None:
        yield Keep(plan, entry, keeps=plan.keeps)
