"""Whatever happens at any step: each attempt is settled once, a call finishes once, and money adds up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenguard.call import Call, CostBasis, Meter, Usage
from tokenguard.dialects.openai_chat import CHAT
from tokenguard.effects import Deliver, Effect, Failure, Finish, Open, Read, Reply, Send, Settle, Sleep
from tokenguard.flow import flow
from tokenguard.retry import Retry

from .driving import COST, USAGE, Driven, body, call, end, failure, policies, reply, run, stream

POLICIES = policies(retry=Retry(base_s=0))
WHOLE = Usage({Meter.INPUT: 1000, Meter.OUTPUT: 100}, total=1100)

GIVEN_UP = st.builds(failure, sent=st.booleans(), cancelled=st.just(True))
FAILED = st.builds(failure, sent=st.booleans(), retryable=st.booleans())
REPLIES = st.one_of(
    st.builds(reply, st.sampled_from([200, 200, 200, 201, 400, 401, 409, 422, 429, 500, 503, 304])),
    st.builds(reply, st.just(200), st.sampled_from(["audio/mpeg", "text/plain"])),
    st.builds(reply, st.just(429), retry_after=st.sampled_from(["1", "900", "soon"])),
    st.builds(reply, st.just(307), location=st.just("/elsewhere")),
    st.builds(stream),
)
BODIES = st.one_of(
    st.just(body()),
    st.just(body(usage=None)),
    st.just(body(usage={})),
    st.just(body(usage={**USAGE, "prompt_tokens": -1})),
    st.just(body(usage={**USAGE, "prompt_tokens": "?"})),
    st.just(body(usage={**USAGE, "total_tokens": 1})),
    st.just(body(model="nobody-knows-this-model")),
    st.just(body(b"stream_options is not known here")),
    st.just(body({"error": {"type": "server_error"}})),
)
ENDS = st.builds(
    end,
    st.sampled_from(["complete", "closed", "broken", "dropped"]),
    usage=st.sampled_from([None, WHOLE, Usage({Meter.INPUT: 5}), Usage({}, raw={"a": 1})]),
    usage_final=st.booleans(),
    text=st.sampled_from(["", "Paris.", "Paris is the capital of France."]),
    error_type=st.sampled_from([None, "overloaded_error"]),
    model=st.sampled_from([None, "gpt-4.1-2025-04-14", "nobody-knows-this-model"]),
)
ANSWERS: dict[type[Any], st.SearchStrategy[Any]] = {
    Open: st.one_of(
        st.none(), st.none(), st.none(), st.builds(failure, sent=st.just(False), cancelled=st.just(True))
    ),
    Send: st.one_of(REPLIES, REPLIES, REPLIES, FAILED, GIVEN_UP),
    Read: st.one_of(BODIES, BODIES, FAILED, GIVEN_UP),
    Deliver: ENDS,
    Sleep: st.one_of(st.none(), st.none(), GIVEN_UP),
    Settle: st.none(),
    Finish: st.none(),
}
CALLS = st.builds(
    call,
    st.sampled_from(["gpt-4.1", "nobody-knows-this-model"]),
    stream=st.booleans(),
    hides_usage=st.booleans(),
    retries=st.integers(0, 3),
    replayable=st.booleans(),
    body=st.sampled_from([{}, {"messages": [{"role": "user", "content": "What is the capital of France?"}]}]),
)


@settings(max_examples=400, deadline=None)
@given(CALLS, st.data())
def test_whatever_happens_the_books_are_right(made: Call, data: st.DataObject) -> None:
    """Every effect is answered with anything that can happen there, across redirects to the end."""
    given_up: list[Failure] = []

    def answer(effect: Effect) -> Any:
        drawn = data.draw(ANSWERS[type(effect)], label=type(effect).__name__)
        if isinstance(drawn, Failure) and drawn.cancelled:
            given_up.append(drawn)
        return drawn

    hops = 0
    effects: list[Effect] = []
    while True:
        driven = run(flow(made, CHAT, POLICIES), made, answer)
        effects += driven.effects
        hops += 1
        if not (isinstance(driven.outcome, Reply) and driven.outcome.redirects) or hops > 3:
            break
    whole = Driven(made, driven.outcome, effects)
    check_order(whole)
    check_attempts(whole)
    if isinstance(whole.outcome, Reply) and whole.outcome.redirects:
        assert not whole.asked_for(Finish), "the call goes on elsewhere"
        return
    check_money(whole)
    if given_up:
        assert whole.outcome is given_up[-1], "a cancellation is not swallowed"


def check_order(driven: Driven) -> None:
    """Written down, sent, settled: each attempt once and in this order; and one end."""
    steps: dict[int, list[str]] = {}
    for effect in driven.effects:
        if isinstance(effect, Open | Send | Settle):
            steps.setdefault(effect.attempt.index, []).append(type(effect).__name__)
    assert sorted(steps) == list(range(len(driven.attempts)))
    for made in steps.values():
        assert made in (["Open", "Send", "Settle"], ["Open", "Settle"])
    finishes = driven.asked_for(Finish)
    assert len(finishes) <= 1
    if finishes:
        assert driven.effects[-1] is finishes[0]
    delivered = [i for i, effect in enumerate(driven.effects) if isinstance(effect, Deliver)]
    if delivered:
        assert not [
            e for e in driven.effects[delivered[0] + 1 :] if isinstance(e, Open | Send | Sleep | Read)
        ]


def check_attempts(driven: Driven) -> None:
    """No attempt stays open, none is sent too often, and each state means what it says."""
    asked_again = sum(attempt.role == "without_usage" for attempt in driven.attempts)
    assert asked_again <= 1
    hops = sum(attempt.http_status == 307 for attempt in driven.attempts)
    assert len(driven.attempts) - hops <= driven.call.retries + 1 + asked_again
    assert len({attempt.id for attempt in driven.attempts}) == len(driven.attempts)
    for attempt in driven.attempts:
        assert attempt.state != "sent"
        assert attempt.ended_ns is not None
        assert attempt.ended_ns >= driven.call.started_ns
        assert (attempt.state == "released") == (attempt.basis is CostBasis.NONE)
        assert (attempt.state == "unknown") == (attempt.basis is CostBasis.UNKNOWN)
        if attempt.state == "released":
            assert attempt.charge is None
        if attempt.state == "unknown" and driven.call.body:
            assert attempt.usage is not None
            assert attempt.usage.input_tokens > 0
        if attempt.charge is not None and attempt.charge.cost_nano is not None:
            assert attempt.charge.cost_nano >= 0
            assert sum(line.cost_nano for line in attempt.charge.lines) == attempt.charge.cost_nano


def check_money(driven: Driven) -> None:
    """The receipt is the sum of its attempts, and unknown as soon as one of them is."""
    receipt = driven.receipt
    billed = [attempt for attempt in driven.attempts if attempt.basis is not CostBasis.NONE]
    costs = [attempt.charge.cost_nano if attempt.charge else None for attempt in billed]
    known = [cost for cost in costs if cost is not None]
    assert receipt.cost_nano == (sum(known) if len(known) == len(costs) else None)
    if receipt.cost_nano is not None:
        assert sum(line.cost_nano for line in receipt.lines) == receipt.cost_nano
    assert receipt.attempts == len(driven.attempts)
    assert receipt.status == driven.attempts[-1].status
    if receipt.cost_basis in (CostBasis.UNPRICED, CostBasis.UNMETERED):
        assert receipt.cost_nano is None
    if isinstance(driven.outcome, Reply):
        assert driven.outcome.receipt is receipt


STEPS: list[Any] = [None, reply(503), None, None, None, reply(503), None, None, None, reply(), body()]


@pytest.mark.parametrize("step", [0, 1, 3, 4, 5, 7, 8, 9, 10])
def test_a_call_can_be_given_up_at_every_step(step: int) -> None:
    """At any effect of a call with two retries that can be interrupted: the books are right each time."""
    made = call()
    given_up = failure(cancelled=True)
    answers = iter([*STEPS[:step], given_up, None, None])
    driven = run(flow(made, CHAT, POLICIES), made, lambda _effect: next(answers))
    assert driven.outcome is given_up
    check_order(driven)
    check_attempts(driven)
    check_money(driven)


def test_the_steps_above_are_those_of_a_call() -> None:
    """Not given up, it goes through all of them."""
    made = call()
    answers = iter([*STEPS, None, None])
    driven = run(flow(made, CHAT, POLICIES), made, lambda _effect: next(answers))
    assert len(driven.effects) == len(STEPS) + 2
    assert driven.receipt.cost_nano == COST
