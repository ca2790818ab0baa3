"""One call from its first attempt to its last, driven by hand: no server, no sleeping, no mocks."""

from __future__ import annotations

from typing import Any

import pytest

from tokenguard.call import CostBasis, Meter
from tokenguard.dialects.openai_chat import CHAT
from tokenguard.errors import UnpricedModelError
from tokenguard.flow import flow, unmetered
from tokenguard.retry import Retry

from .driving import COST, MS, NOON, body, call, drive, end, failure, policies, reply, run, stream


def test_a_call_that_goes_well() -> None:
    """Written down, sent, read, settled, finished: in this order, and the receipt says it all."""
    driven = drive(call(tags={"team": "support"}), [reply(), body()])
    assert driven.names == "Open Send Read Settle Finish"
    receipt = driven.receipt
    assert receipt.cost_nano == receipt.list_cost_nano == receipt.baseline_nano == COST
    assert sum(line.cost_nano for line in receipt.lines) == COST
    assert receipt.cost_basis is CostBasis.USAGE
    assert receipt.meters == {Meter.INPUT: 1000, Meter.OUTPUT: 100}
    assert (receipt.status, receipt.http_status, receipt.error_type) == ("ok", 200, None)
    assert (receipt.model_requested, receipt.model_served) == ("gpt-4.1", "gpt-4.1-2025-04-14")
    assert (receipt.attempts, receipt.waited_s, receipt.anomalies) == (1, 0.0, ())
    assert (receipt.response_id, receipt.provider_request_id) == ("chatcmpl-1", "req_1")
    assert receipt.duration_s == 0.9
    assert receipt.finish_reasons == ("stop",)
    assert receipt.tags == {"team": "support"}
    assert receipt.call_id == driven.attempts[0].id == driven.call.id
    assert driven.outcome.receipt is receipt  # type: ignore[union-attr]


def test_trouble_is_tried_again() -> None:
    """A refusal costs nothing; the answer after it is the call's."""
    driven = drive(call(), [reply(503), reply(), body()])
    assert driven.names == "Open Send Settle Sleep Open Send Read Settle Finish"
    first, second = driven.attempts
    assert (first.state, first.basis, first.charge, first.error_type) == (
        "released",
        CostBasis.NONE,
        None,
        "503",
    )
    assert (second.index, second.role, second.waited_s) == (1, "retry", driven.sleeps[0])
    assert first.id != second.id
    assert driven.receipt.cost_nano == COST
    assert driven.receipt.attempts == 2
    assert driven.receipt.waited_s == sum(driven.sleeps)
    assert driven.receipt.status == "ok"


def test_tries_run_out() -> None:
    """The last refusal is the call's answer, and it cost nothing: that is 0, and known."""
    driven = drive(call(), [reply(503), reply(429), reply(500, at_ms=800)])
    assert len(driven.sleeps) == 2
    receipt = driven.receipt
    assert (receipt.status, receipt.http_status, receipt.error_type) == ("error", 500, "500")
    assert (receipt.cost_nano, receipt.baseline_nano, receipt.cost_basis) == (0, 0, CostBasis.NONE)
    assert receipt.usage is None
    assert driven.outcome.status == 500  # type: ignore[union-attr]


def test_no_tries_were_asked_for() -> None:
    """``retries=0``, or a guard that leaves the loop to the SDK."""
    assert drive(call(retries=0), [reply(503)]).receipt.attempts == 1
    assert drive(call(), [reply(503)], policies(retry=None)).receipt.attempts == 1


def test_a_body_that_cannot_be_sent_twice_is_not() -> None:
    """An upload from a pipe is gone after the first attempt."""
    assert drive(call(replayable=False), [reply(503)]).receipt.attempts == 1


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "Fri, 20 Nov 2026 12:00:20 GMT"}, 19.5),  # it came half a second after noon
        ({"retry_after": "Fri, 20 Nov 2026 12:00:20 GMT", "date": "Fri, 20 Nov 2026 12:00:05 GMT"}, 15.0),
    ],
)
def test_the_provider_says_how_long_to_wait(headers: dict[str, Any], least: float) -> None:
    """At least that long, and not much longer."""
    (waited,) = drive(call(), [reply(429, **headers), reply(), body()]).sleeps
    assert least <= waited <= least + 0.5


def test_a_wait_that_is_too_long_ends_the_call() -> None:
    """The caller hears of it at once."""
    driven = drive(call(), [reply(429, retry_after="3600")])
    assert driven.sleeps == []
    assert driven.receipt.error_type == "429"


def test_a_request_that_never_left_costs_nothing() -> None:
    """Refused connections and timeouts of the pool come before the first byte."""
    driven = drive(call(), [failure(sent=False)] * 3)
    assert [attempt.state for attempt in driven.attempts] == ["released"] * 3
    assert driven.receipt.cost_nano == 0
    assert driven.receipt.error_type == "ConnectionResetError"
    assert driven.outcome.error is not None  # type: ignore[union-attr]


def test_a_request_that_may_have_arrived_may_be_billed() -> None:
    """Nobody saw the answer: at least the input is counted, and the state says unknown."""
    driven = drive(call(), [failure(), failure(), reply(), body()])
    lost, again, answered = driven.attempts
    for attempt in (lost, again):
        assert (attempt.state, attempt.basis, attempt.status) == ("unknown", CostBasis.UNKNOWN, "error")
        assert attempt.usage is not None
        assert attempt.usage.estimated
        assert attempt.usage.meters[Meter.INPUT] > 3
        assert attempt.charge is not None
        assert attempt.charge.cost_nano
    assert answered.charge is not None
    assert lost.charge is not None
    assert driven.receipt.cost_nano == 2 * (lost.charge.cost_nano or 0) + COST
    assert driven.receipt.baseline_nano == COST


def test_an_upload_that_may_have_arrived_is_not_free() -> None:
    """Its body was never read: what it cost is not known, which is not 0."""
    driven = drive(call(body={}), [failure(retryable=False)])
    assert driven.attempts[0].state == "unknown"
    assert driven.receipt.cost_nano is None
    assert driven.receipt.usage is None


def test_a_body_that_breaks_off_is_tried_again() -> None:
    """None of it was delivered, so the caller need not know; both may be billed."""
    driven = drive(call(), [reply(), failure(), reply(), body()])
    assert driven.names == "Open Send Read Settle Sleep Open Send Read Settle Finish"
    assert [attempt.state for attempt in driven.attempts] == ["unknown", "settled"]
    assert driven.attempts[0].http_status == 200


def test_nothing_is_tried_again_once_it_was_delivered() -> None:
    """Half of an answer cannot be taken back."""
    driven = drive(call(stream=True), [stream(), end("broken", text="Par")])
    assert driven.receipt.attempts == 1
    assert driven.names == "Open Send Deliver Settle Finish"


def test_a_redirect_is_a_part_of_the_call() -> None:
    """The next hop goes on with the same call; the hop is in the ledger, and uses up no try."""
    made = call(retries=1)
    hop = drive(made, [reply(307, location="https://eu.api.openai.com/v1/chat/completions")])
    assert hop.names == "Open Send Settle"
    assert hop.outcome.redirects  # type: ignore[union-attr]
    rest = drive(made, [reply(503), reply(), body()])
    assert rest.names == "Open Send Settle Sleep Open Send Read Settle Finish"
    assert [attempt.index for attempt in made.attempts] == [0, 1, 2]
    assert [attempt.state for attempt in made.attempts] == ["released", "released", "settled"]
    assert len({attempt.id for attempt in made.attempts}) == 3
    assert rest.receipt.cost_nano == COST


def test_a_redirect_to_nowhere_is_an_answer() -> None:
    """Without a location there is no next hop, and the call is over."""
    driven = drive(call(), [reply(304)])
    assert driven.receipt.http_status == 304
    assert driven.receipt.status == "error"


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_does_not_know_the_usage_option_is_asked_without(status: int) -> None:
    """That it does not is our doing: the caller sees none of it, and no try is used up."""
    made = call(stream=True, hides_usage=True, retries=0)
    refusal = body({"error": {"message": "Unrecognized request argument supplied: stream_options"}})
    driven = drive(made, [reply(status), refusal, stream(), end(text="Paris.")])
    assert driven.names == "Open Send Settle Read Open Send Deliver Settle Finish"
    assert [attempt.role for attempt in driven.attempts] == ["primary", "without_usage"]
    assert not made.hides_usage
    assert driven.receipt.status == "ok"
    assert driven.receipt.cost_basis is CostBasis.ESTIMATED


def test_other_refusals_are_the_callers() -> None:
    """A 400 for another reason is handed on, its body read and given back."""
    made = call(stream=True, hides_usage=True)
    driven = drive(made, [reply(400), body({"error": {"message": "max_tokens is too large"}})])
    assert driven.names == "Open Send Settle Read Finish"
    assert driven.receipt.error_type == "400"
    assert made.hides_usage


def test_a_caller_who_gives_up_while_a_refusal_is_read_has_given_up() -> None:
    """A cancellation is not swallowed on the way."""
    given_up = failure(cancelled=True)
    driven = drive(call(stream=True, hides_usage=True), [reply(400), given_up])
    assert driven.outcome is given_up
    assert driven.names == "Open Send Settle Read Finish"


def test_a_caller_who_gives_up_while_waiting_has_given_up() -> None:
    """The wait ends, and nothing more is sent."""
    made = call()
    given_up = failure(cancelled=True)
    answers = iter([None, reply(503), None, given_up, None])
    driven = run(flow(made, CHAT, policies()), made, lambda _effect: next(answers))
    assert driven.names == "Open Send Settle Sleep Finish"
    assert driven.outcome is given_up
    assert driven.receipt.cost_nano == 0


def test_a_caller_who_gives_up_while_it_is_written_down_was_never_billed() -> None:
    """Nothing was sent."""
    made = call()
    given_up = failure(cancelled=True, sent=False)
    answers = iter([given_up, None, None])
    driven = run(flow(made, CHAT, policies()), made, lambda _effect: next(answers))
    assert driven.names == "Open Settle Finish"
    assert (driven.receipt.status, driven.receipt.cost_nano) == ("aborted", 0)
    assert driven.attempts[0].state == "released"


def test_a_caller_who_gives_up_in_flight_may_be_billed() -> None:
    """The request had left."""
    driven = drive(call(), [failure(cancelled=True)])
    assert driven.receipt.status == "aborted"
    assert driven.receipt.error_type == "KeyboardInterrupt"
    assert driven.attempts[0].state == "unknown"
    assert driven.receipt.cost_nano


def test_an_unpriced_model_can_be_refused() -> None:
    """Before anything is written down or sent."""
    made = call("nobody-knows-this-model")
    running = flow(made, CHAT, policies(refuse_unpriced=True))
    with pytest.raises(UnpricedModelError, match="nobody-knows-this-model"):
        next(running)
    assert made.attempts == []
    assert drive(call(), [reply(), body()], policies(refuse_unpriced=True)).receipt.cost_nano == COST


def test_a_model_put_in_anothers_place_is_measured_against_it() -> None:
    """The baseline is what the answer would have cost as the application asked for it."""
    made = call("gpt-4.1-nano", model_asked="gpt-4.1")
    receipt = drive(made, [reply(), body(model="gpt-4.1-nano-2025-04-14")]).receipt
    assert receipt.cost_nano == 1000 * 100 + 100 * 400
    assert receipt.baseline_nano == COST
    assert receipt.model_requested == "gpt-4.1"


def test_an_unmetered_call_is_only_tried_again() -> None:
    """Nothing is written down, read or finished."""
    made = call(body={})
    answers = iter([reply(503), None, reply(200)])
    driven = run(unmetered(made, policies(retry=Retry(base_s=0))), made, lambda _effect: next(answers))
    assert driven.names == "Send Sleep Send"
    assert driven.outcome.status == 200  # type: ignore[union-attr]


def test_an_unmetered_call_that_is_given_up_is_over() -> None:
    """While it waits, too."""
    made = call(body={})
    given_up = failure(cancelled=True)
    answers = iter([failure(), given_up])
    driven = run(unmetered(made, policies()), made, lambda _effect: next(answers))
    assert driven.outcome is given_up


def test_times_are_those_of_the_call() -> None:
    """The wall clock at the start, and the monotonic one from there."""
    driven = drive(call(), [reply(at_ms=100), body(at_ms=250)])
    assert driven.attempts[0].ended_ns == NOON + 250 * MS
    assert driven.receipt.started_ns == NOON
    assert driven.receipt.duration_s == 0.25
