"""The life of a call, driven by hand: values are sent into the generator, and it says what it would do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenguard import Retry, TelemetrySettings, UnpricedModelError
from tokenguard.call import Answered, Asked, Call, CostBasis, Meter, Receipt, Usage, Where, uuid7
from tokenguard.dialects.openai_chat import CHAT
from tokenguard.effects import (
    Body,
    Effect,
    End,
    Failure,
    Finish,
    Open,
    Read,
    Reply,
    Send,
    Settle,
    Sleep,
)
from tokenguard.flow import flow, unmetered
from tokenguard.policies import Policies
from tokenguard.pricing import PriceBook
from tokenguard.telemetry import Telemetry

NOW = 1_790_000_000 * 10**9
OPENAI = Where("openai", "direct", "https://api.openai.com", "api.openai.com", 443)
JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
ANSWER = {"id": "c-1", "model": "gpt-4.1", "choices": [{"finish_reason": "stop"}], "usage": USAGE}

Answering = Callable[[Effect], Any]


def policies(retry: Retry | None = Retry(base_s=0), **other: Any) -> Policies:  # noqa: B008 - frozen
    telemetry = Telemetry(TelemetrySettings(spans="off"))
    return Policies(PriceBook(), retry, telemetry, other.pop("refuse_unpriced", False), uuid7)


def call(**other: Any) -> Call:
    body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hello, world"}]}
    defaults: dict[str, Any] = {"asked": Asked("gpt-4.1"), "retries": 2, "body": body}
    return Call(uuid7(NOW), NOW, OPENAI, "chat", "openai.chat", **{**defaults, **other})


def status(code: int, **headers: str) -> Reply:
    return Reply(code, {**JSON, **{name.replace("_", "-"): text for name, text in headers.items()}}, 5)


def broken(*, sent: bool = True, retryable: bool = True, error: BaseException | None = None) -> Failure:
    error = error or ConnectionResetError("reset")
    return Failure(error, 5, sent, cancelled=not isinstance(error, Exception), retryable=retryable)


class Driven:
    """A flow that was carried through, with what it asked for and what it came to."""

    def __init__(self, made: Any, sent: list[Reply | Failure], **answers: Any) -> None:
        self.asked: list[Effect] = []
        self.outcome: Reply | Failure | None = None
        todo = list(sent)
        answer: Any = None
        while True:
            try:
                effect = made.send(answer)
            except StopIteration as over:
                self.outcome = over.value
                assert not todo, f"{len(todo)} answers were not asked for"
                return
            self.asked.append(effect)
            if isinstance(effect, Send):
                answer = todo.pop(0)
            else:
                answer = answers.get(type(effect).__name__.lower())
                if isinstance(effect, Read) and answer is None:
                    answer = Body(json.dumps(ANSWER).encode(), 9)

    def of(self, kind: type) -> list[Any]:
        return [effect for effect in self.asked if isinstance(effect, kind)]

    @property
    def names(self) -> list[str]:
        return [type(effect).__name__ for effect in self.asked]

    @property
    def waits(self) -> list[float]:
        return [effect.seconds for effect in self.of(Sleep)]

    @property
    def receipt(self) -> Receipt:
        (finish,) = self.of(Finish)
        return finish.receipt  # type: ignore[no-any-return]


def test_an_answer_takes_five_steps() -> None:
    """Written down, sent, read, settled, finished: in this order, each once."""
    driven = Driven(flow(call(), CHAT, policies()), [status(200)])
    assert driven.names == ["Open", "Send", "Read", "Settle", "Finish"]
    receipt = driven.receipt
    assert receipt.meters == {Meter.INPUT: 10, Meter.OUTPUT: 4}
    assert receipt.cost_nano == 10 * 2000 + 4 * 8000  # gpt-4.1: $2 and $8 a million
    assert (receipt.status, receipt.cost_basis, receipt.attempts) == ("ok", "usage", 1)
    assert isinstance(driven.outcome, Reply)
    assert driven.outcome.receipt is receipt


@pytest.mark.parametrize("retries", [0, 1, 2, 5])
@pytest.mark.parametrize(
    "trouble",
    [status(503), status(429), status(408), status(409), status(500), status(599), broken()],
    ids=["503", "429", "408", "409", "500", "599", "connection"],
)
def test_retries_plus_one_attempts(retries: int, trouble: Reply | Failure) -> None:
    """A call makes retries + 1 requests, each opened and settled, and then hands the failure on."""
    driven = Driven(flow(call(retries=retries), CHAT, policies()), [trouble] * (retries + 1))
    assert len(driven.of(Open)) == len(driven.of(Settle)) == len(driven.of(Send)) == retries + 1
    assert len(driven.waits) == retries
    assert driven.outcome is trouble
    assert driven.receipt.attempts == retries + 1
    roles = [effect.attempt.role for effect in driven.of(Send)]
    assert roles == ["primary"] + ["retry"] * retries


def test_an_answer_ends_the_trying() -> None:
    """Once there is an answer, no further attempt is made; the failed ones cost nothing."""
    driven = Driven(flow(call(retries=5), CHAT, policies()), [status(503), broken(sent=False), status(200)])
    assert driven.receipt.attempts == 3
    states = [effect.attempt.state for effect in driven.of(Settle)]
    assert states == ["released", "released", "settled"]
    assert driven.receipt.cost_nano == 52_000


@pytest.mark.parametrize("code", [400, 401, 402, 403, 404, 405, 410, 413, 422, 451])
def test_refusals_are_not_repeated(code: int) -> None:
    """A request that is wrong is not sent again."""
    driven = Driven(flow(call(), CHAT, policies()), [status(code)])
    assert driven.waits == []
    assert (driven.receipt.cost_nano, driven.receipt.cost_basis) == (0, "none")
    assert (driven.receipt.error_type, driven.receipt.http_status) == (str(code), code)


def test_the_provider_has_the_last_word() -> None:
    """x-should-retry overrules the status, as in both SDKs."""
    assert Driven(flow(call(), CHAT, policies()), [status(503, x_should_retry="false")]).waits == []
    driven = Driven(flow(call(), CHAT, policies()), [status(400, x_should_retry="true"), status(200)])
    assert driven.waits == [0.0]


def test_what_is_no_trouble_is_not_repeated() -> None:
    """Errors that are not the connection's, and cancellations, are handed on at once."""
    for failure in (broken(retryable=False), broken(error=KeyboardInterrupt(), retryable=False)):
        driven = Driven(flow(call(), CHAT, policies()), [failure])
        assert driven.outcome is failure
        assert driven.waits == []


def test_bodies_that_cannot_be_repeated_are_not() -> None:
    """A body that was read from a pipe is sent once."""
    driven = Driven(flow(call(replayable=False), CHAT, policies()), [status(503)])
    assert driven.waits == []


def test_the_sdks_loop_can_be_left_alone() -> None:
    """With retry=None the flow tries once, whatever happens."""
    driven = Driven(flow(call(retries=5), CHAT, policies(None)), [status(503)])
    assert driven.waits == []


def _date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(NOW / 1e9, UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "floor"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": _date(30)}, 30.0),
        ({"retry-after": _date(-30)}, 0.0),
        ({"retry-after": _date(30), "date": _date(20)}, 10.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "60"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "nan"}, 0.0),
        ({"retry-after": "inf"}, 0.0),
        ({"retry-after": ""}, 0.0),
        ({}, 0.0),
    ],
    ids=str,
)
def test_retry_after_is_a_floor(headers: dict[str, str], floor: float) -> None:
    """Every form of Retry-After is waited for; the jitter comes on top of it, never in its place."""
    reply = Reply(429, {**JSON, **headers}, 0)
    exact = Driven(flow(call(retries=1), CHAT, policies()), [reply, status(200)])
    assert exact.waits == [pytest.approx(floor)]
    for _ in range(20):
        jittered = Driven(flow(call(retries=1), CHAT, policies(Retry(base_s=2))), [reply, status(200)])
        (wait,) = jittered.waits
        assert floor <= wait <= floor + 2
    assert jittered.receipt.waited_s == wait


def test_a_wait_that_is_too_long_is_not_made() -> None:
    """Asked to wait longer than the policy allows, the failure is handed on at once."""
    asks = Reply(429, {**JSON, "retry-after": "121"}, 0)
    assert Driven(flow(call(), CHAT, policies()), [asks]).waits == []
    patient = policies(Retry(base_s=0, max_retry_after_s=200))
    assert Driven(flow(call(retries=1), CHAT, patient), [asks, status(200)]).waits == [121.0]


@given(base=st.floats(0, 10), cap=st.floats(0, 20), retries=st.integers(1, 8))
def test_waits_grow_up_to_the_cap(base: float, cap: float, retries: int) -> None:
    """The n-th wait is drawn from 0 to base * 2^(n-1), and never from more than the cap."""
    driven = Driven(
        flow(call(retries=retries), CHAT, policies(Retry(base_s=base, cap_s=cap))),
        [status(500)] * (retries + 1),
    )
    for n, wait in enumerate(driven.waits):
        assert 0 <= wait <= min(cap, base * 2**n) + 1e-9


def test_nothing_is_repeated_after_the_first_byte() -> None:
    """Once a stream was delivered there is no way back, however it ended."""
    for how, error in (("broken", ConnectionResetError()), ("closed", None), ("dropped", None)):
        end = End(how, Answered(text="Once upon"), 9, 3, error)  # type: ignore[arg-type]
        driven = Driven(flow(call(), CHAT, policies()), [Reply(200, EVENTS, 2)], deliver=end)
        assert driven.names == ["Open", "Send", "Deliver", "Settle", "Finish"]
        assert driven.receipt.cost_basis == "estimated"
        assert driven.receipt.cost_nano


def test_nothing_after_delivery_may_wait() -> None:
    """After Deliver a flow only settles and finishes: the caller may be gone."""
    for answered in (Answered(), Answered(error_type="server_error"), Answered(text="x")):
        for how in ("complete", "closed", "broken", "dropped"):
            end = End(how, answered, 9, None, RuntimeError() if how == "broken" else None)
            driven = Driven(flow(call(), CHAT, policies()), [Reply(200, EVENTS, 2)], deliver=end)
            assert driven.names[3:] == ["Settle", "Finish"]


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (End("complete", Answered(usage=Usage({Meter.INPUT: 1, Meter.OUTPUT: 1})), 9, 3), ("ok", "usage")),
        (End("complete", Answered(text="a b"), 9, 3), ("ok", "estimated")),
        (End("complete", Answered(), 9, 3), ("ok", "unmetered")),
        (End("closed", Answered(text="a b"), 9, 3), ("aborted", "estimated")),
        (End("closed", Answered(), 9, None), ("aborted", "estimated")),
        (End("dropped", Answered(text="a"), 9, 3), ("aborted", "estimated")),
        (End("broken", Answered(text="a"), 9, 3, OSError()), ("error", "estimated")),
        (End("broken", Answered(text="a"), 9, 3, KeyboardInterrupt()), ("aborted", "estimated")),
        (End("complete", Answered(text="a", error_type="overloaded"), 9, 3), ("error", "estimated")),
        (
            End("closed", Answered(usage=Usage({Meter.INPUT: 7, Meter.OUTPUT: 1}), usage_final=False), 9, 3),
            ("aborted", "estimated"),
        ),
        (End("closed", Answered(usage=Usage({Meter.INPUT: 7, Meter.OUTPUT: 1})), 9, 3), ("ok", "usage")),
    ],
)
def test_how_streams_settle(end: End, state: tuple[str, str]) -> None:
    """A stream settles to its usage where that is the whole truth, and to what was delivered where not."""
    driven = Driven(flow(call(), CHAT, policies()), [Reply(200, EVENTS, 2)], deliver=end)
    receipt = driven.receipt
    assert (receipt.status, receipt.cost_basis) == state
    assert driven.of(Settle)[0].attempt.state == "settled"


def test_a_body_that_breaks_off_is_tried_again() -> None:
    """Nothing of a whole answer was delivered before it was read: a connection lost in it is retried."""
    lost = broken()
    driven = Driven(flow(call(retries=1), CHAT, policies()), [status(200)] * 2, read=lost)
    assert driven.outcome is lost
    assert driven.names == [
        *["Open", "Send", "Read", "Settle"],
        "Sleep",
        *["Open", "Send", "Read", "Settle"],
        "Finish",
    ]
    assert [effect.attempt.state for effect in driven.of(Settle)] == ["unknown", "unknown"]


def test_what_may_have_been_billed_is_unknown() -> None:
    """A request that may have arrived and has no answer is unknown; one that never left is free."""
    sent = Driven(flow(call(retries=0), CHAT, policies()), [broken()])
    assert sent.receipt.cost_basis is CostBasis.UNKNOWN
    assert sent.of(Settle)[0].attempt.state == "unknown"
    assert sent.receipt.cost_nano  # at least its input is held against it
    unsent = Driven(flow(call(retries=0), CHAT, policies()), [broken(sent=False)])
    assert unsent.receipt.cost_basis is CostBasis.NONE
    assert unsent.receipt.cost_nano == 0


def test_a_wait_that_is_interrupted_ends_the_call() -> None:
    """A cancelled wait is the call's outcome: no further attempt, one receipt."""
    cancelled = broken(error=KeyboardInterrupt(), retryable=False)
    driven = Driven(flow(call(), CHAT, policies()), [status(503)], sleep=cancelled)
    assert driven.outcome is cancelled
    assert driven.names == ["Open", "Send", "Settle", "Sleep", "Finish"]


def test_a_wait_for_the_disk_that_is_interrupted_sends_nothing() -> None:
    """Where the row could not be awaited, nothing is sent, and the call is over."""
    cancelled = broken(sent=False, error=KeyboardInterrupt(), retryable=False)
    driven = Driven(flow(call(), CHAT, policies()), [], open=cancelled)
    assert driven.outcome is cancelled
    assert (driven.receipt.status, driven.receipt.cost_nano) == ("aborted", 0)


def test_unpriced_models_are_refused_first() -> None:
    """on_unpriced="refuse" raises before anything is asked of the driver."""
    made = flow(call(asked=Asked("no-such-model")), CHAT, policies(refuse_unpriced=True))
    with pytest.raises(UnpricedModelError, match=r"no-such-model.*nothing was sent"):
        made.send(None)


def test_unpriced_is_not_free() -> None:
    """Without a price the cost is None, in the receipt and in the sum over attempts."""
    answer = json.dumps({**ANSWER, "model": "no-such-model"}).encode()
    driven = Driven(
        flow(call(asked=Asked("no-such-model")), CHAT, policies()), [status(200)], read=Body(answer, 9)
    )
    assert driven.receipt.cost_nano is None
    assert driven.receipt.baseline_nano is None
    assert driven.receipt.cost_basis is CostBasis.UNPRICED
    assert driven.receipt.meters == {Meter.INPUT: 10, Meter.OUTPUT: 4}


@pytest.mark.parametrize(
    ("content", "anomaly", "basis"),
    [
        (b"<html>", "reply_not_json", "unmetered"),
        (b"", "reply_not_json", "unmetered"),
        (b"[]", "reply_not_json", "unmetered"),
        (b'{"usage": {"prompt_tokens": -1, "completion_tokens": 2}}', "usage_negative:input", "unmetered"),
        (b'{"usage": {"prompt_tokens": "x", "completion_tokens": 2}}', "usage_unreadable", "unmetered"),
        (
            b'{"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 9}}',
            "usage_sum_mismatch",
            "usage",
        ),
    ],
)
def test_odd_usage_is_recorded(content: bytes, anomaly: str, basis: str) -> None:
    """Usage that is missing, negative or inconsistent is an anomaly of the call, never its failure."""
    driven = Driven(flow(call(), CHAT, policies()), [status(200)], read=Body(content, 9))
    assert driven.receipt.status == "ok"
    assert driven.receipt.anomalies == (anomaly,)
    assert driven.receipt.cost_basis == basis


def test_a_reply_without_usage_is_counted() -> None:
    """A whole reply that says nothing of its usage is estimated from the texts."""
    content = json.dumps({"choices": [{"message": {"content": "Hello there, you"}}]}).encode()
    driven = Driven(flow(call(), CHAT, policies()), [status(200)], read=Body(content, 9))
    assert driven.receipt.cost_basis is CostBasis.ESTIMATED
    assert driven.receipt.meters[Meter.INPUT] > 1
    assert driven.receipt.meters[Meter.OUTPUT] > 1


def test_the_baseline_is_the_model_asked_for() -> None:
    """Where a wish put another model in, the baseline is what the asked one would have cost."""
    made = call(asked=Asked("gpt-4.1-nano"), model_asked="gpt-4.1")
    answer = json.dumps({**ANSWER, "model": "gpt-4.1-nano"}).encode()
    receipt = Driven(flow(made, CHAT, policies()), [status(200)], read=Body(answer, 9)).receipt
    assert receipt.model_requested == "gpt-4.1"
    assert receipt.cost_nano == 10 * 100 + 4 * 400
    assert receipt.baseline_nano == 10 * 2000 + 4 * 8000


def test_every_attempt_has_its_own_id_and_the_first_has_the_calls() -> None:
    """Ids are unique, sort by time, and every attempt knows its index."""
    driven = Driven(flow(call(), CHAT, policies()), [status(503)] * 3)
    attempts = [effect.attempt for effect in driven.of(Open)]
    assert attempts[0].id == driven.receipt.call_id
    assert len({attempt.id for attempt in attempts}) == 3
    assert [attempt.index for attempt in attempts] == [0, 1, 2]


def test_unknown_endpoints_are_only_retried() -> None:
    """The flow of an endpoint that we do not know sends and waits, and reads and writes nothing."""
    driven = Driven(unmetered(call(), policies()), [status(503), broken(), status(200)])
    assert driven.names == ["Send", "Sleep", "Send", "Sleep", "Send"]
    assert Driven(unmetered(call(), policies()), [status(404)]).names == ["Send"]
    assert Driven(unmetered(call(), policies(None)), [status(503)]).names == ["Send"]


def test_a_redirect_is_not_the_end() -> None:
    """A hop settles its own attempt and leaves the call open for the next one."""
    hop = Reply(307, {"location": "/there"}, 3)
    made = call()
    driven = Driven(flow(made, CHAT, policies()), [hop])
    assert driven.names == ["Open", "Send", "Settle"]
    again = Driven(flow(made, CHAT, policies()), [status(200)])
    assert again.receipt.attempts == 2
    assert again.receipt.cost_nano == 52_000


class Broken:
    """A price book that is itself out of order."""

    @property
    def price_set(self) -> str:
        raise RuntimeError("no price set")

    def charge(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no price")

    def model_for(self, *_: Any, **__: Any) -> str:
        raise RuntimeError("no model")


@pytest.mark.parametrize("reply", [status(200), status(503), broken(), broken(sent=False)])
def test_a_broken_price_book_costs_the_call_nothing(reply: Reply | Failure) -> None:
    """Where prices cannot be had, the call is unpriced and its outcome is what it was."""
    own = policies()._replace(prices=Broken())
    driven = Driven(flow(call(retries=0), CHAT, own), [reply])
    assert driven.outcome is reply
    assert len(driven.of(Settle)) == len(driven.of(Finish)) == 1
    assert driven.receipt.cost_nano in (None, 0)
