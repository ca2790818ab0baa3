"""What an answer comes to: by its usage, by our own count, or not known, and never 0 for unknown."""

from __future__ import annotations

from typing import Any

import pytest

from tokenguard.call import Answered, CostBasis, Meter, Usage
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.openai_chat import CHAT
from tokenguard.dialects.openai_embeddings import EMBEDDINGS
from tokenguard.dialects.openai_media import AUDIO
from tokenguard.dialects.openai_responses import RESPONSES
from tokenguard.effects import How

from .driving import ANTHROPIC, COST, USAGE, Driven, body, call, drive, end, reply, stream

WHOLE = Usage({Meter.INPUT: 1000, Meter.OUTPUT: 100}, total=1100)


def streamed(how: How, **answered: Any) -> Driven:
    return drive(call(stream=True), [stream(), end(how, **answered)])


@pytest.mark.parametrize("how", ["complete", "closed", "broken", "dropped"])
def test_usage_settles_a_stream_however_it_ended(how: How) -> None:
    """Once the usage has come, the rest of the stream changes no bill."""
    receipt = streamed(how, usage=WHOLE, text="Paris.").receipt
    assert receipt.cost_nano == COST
    assert receipt.cost_basis is CostBasis.USAGE
    assert receipt.status == ("error" if how == "broken" else "ok")
    assert receipt.first_token_s == 0.6


@pytest.mark.parametrize(
    ("how", "status", "error"),
    [
        ("complete", "ok", None),
        ("closed", "aborted", None),
        ("dropped", "aborted", None),
        ("broken", "error", "ConnectionResetError"),
    ],
)
def test_a_stream_without_usage_is_settled_by_what_was_delivered(
    how: How, status: str, error: str | None
) -> None:
    """Input as sent plus output as delivered, and marked as an estimate."""
    receipt = streamed(how, text="Paris is the capital of France. " * 10).receipt
    assert (receipt.status, receipt.error_type) == (status, error)
    assert receipt.cost_basis is CostBasis.ESTIMATED
    assert receipt.usage is not None
    assert receipt.usage.estimated
    assert 60 <= receipt.meters[Meter.OUTPUT] <= 90
    assert 5 <= receipt.meters[Meter.INPUT] <= 12
    assert receipt.cost_nano == 2_000 * receipt.meters[Meter.INPUT] + 8_000 * receipt.meters[Meter.OUTPUT]


@pytest.mark.parametrize("how", ["closed", "broken", "dropped"])
def test_a_stream_that_ended_before_its_first_token_costs_its_input(how: How) -> None:
    """The prompt was read, whatever came after it."""
    receipt = streamed(how).receipt
    assert receipt.meters[Meter.OUTPUT] == 0
    assert receipt.meters[Meter.INPUT] > 0
    assert receipt.cost_nano


@pytest.mark.parametrize("model", ["gpt-4.1", "nobody-knows-this-model"])
def test_a_stream_closed_after_its_usage_was_not_aborted(model: str) -> None:
    """Whether there is a price has nothing to do with it."""
    receipt = drive(call(model, stream=True), [stream(), end("closed", usage=WHOLE)]).receipt
    assert receipt.status == "ok"


def test_a_stream_that_knows_only_its_input_is_settled_to_it() -> None:
    """Anthropic tells the input first: the caches in it are priced as what they are."""
    known = Usage({Meter.INPUT: 21, Meter.CACHE_READ: 1000, Meter.OUTPUT: 1}, raw={"input_tokens": 21})
    made = call("claude-sonnet-4-5", dialect=MESSAGES, where=ANTHROPIC, stream=True)
    receipt = drive(
        made, [stream(), end("closed", usage=known, usage_final=False, text="Hello " * 20)], dialect=MESSAGES
    ).receipt
    assert receipt.cost_basis is CostBasis.ESTIMATED
    assert receipt.meters[Meter.INPUT] == 21
    assert receipt.meters[Meter.CACHE_READ] == 1000
    assert 15 <= receipt.meters[Meter.OUTPUT] <= 30
    assert receipt.usage is not None
    assert receipt.usage.raw == {"input_tokens": 21}
    assert receipt.status == "aborted"


def test_the_output_is_never_less_than_the_provider_has_counted() -> None:
    """Reasoning that is not shown is counted by the provider only."""
    known = Usage({Meter.INPUT: 21, Meter.OUTPUT: 700})
    receipt = streamed("closed", usage=known, usage_final=False, text="Hi").receipt
    assert receipt.meters[Meter.OUTPUT] == 700


@pytest.mark.parametrize("how", ["complete", "closed", "broken"])
def test_an_error_in_a_stream_is_an_error_however_it_ended(how: How) -> None:
    """The SDK raises on it and closes the stream: that is the provider's error, not the caller's wish."""
    receipt = streamed(how, text="Par", error_type="overloaded_error").receipt
    assert (receipt.status, receipt.error_type) == ("error", "overloaded_error")
    assert receipt.cost_basis is CostBasis.ESTIMATED


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff\xfe{}", b"[1]", b'"text"', b"7", b"[" * 100_000])
def test_a_reply_that_is_no_json_object_goes_through(content: bytes) -> None:
    """It is the caller's to make sense of; its cost is not known."""
    receipt = drive(call(), [reply(), body(content)]).receipt
    assert receipt.status == "ok"
    assert receipt.cost_nano is None
    assert receipt.cost_basis is CostBasis.UNMETERED
    assert receipt.anomalies == ("reply_not_json",)


def test_a_reply_without_usage_is_counted_by_its_words() -> None:
    """Small servers leave usage out."""
    receipt = drive(call(), [reply(), body(usage=None)]).receipt
    assert receipt.cost_basis is CostBasis.ESTIMATED
    assert receipt.meters[Meter.OUTPUT] in (1, 2, 3)
    assert receipt.status == "ok"


@pytest.mark.parametrize("usage", [None, {}])
def test_a_reply_that_says_nothing_at_all_is_not_free(usage: object) -> None:
    """No usage and no words: not known."""
    receipt = drive(call(), [reply(), body({"id": "resp_1", "usage": usage})]).receipt
    assert receipt.cost_nano is None
    assert receipt.cost_basis is CostBasis.UNMETERED


def test_a_response_in_the_background_is_not_free() -> None:
    """It has only been accepted."""
    made = call("gpt-4.1", dialect=RESPONSES, body={"model": "gpt-4.1", "input": "Hi", "background": True})
    queued: dict[str, Any] = {"id": "resp_1", "status": "queued", "output": [], "usage": None, "error": None}
    receipt = drive(made, [reply(), body(queued)], dialect=RESPONSES).receipt
    assert receipt.cost_nano is None
    assert receipt.cost_basis is CostBasis.UNMETERED


@pytest.mark.parametrize(
    ("usage", "anomaly"),
    [
        ({**USAGE, "prompt_tokens": -5, "total_tokens": 95}, "usage_negative:input"),
        ({**USAGE, "prompt_tokens": "1000"}, "usage_unreadable"),
        ({**USAGE, "prompt_tokens": 2**70}, "usage_unreadable"),
        ({"credits": 5}, "usage_unreadable"),
        ({**USAGE, "prompt_tokens_details": {"cached_tokens": 2000}}, "usage_negative:input"),
    ],
)
def test_usage_that_makes_no_sense_is_kept_and_not_priced(usage: dict[str, Any], anomaly: str) -> None:
    """The record has what the provider sent; no number is made of it."""
    receipt = drive(call(), [reply(), body(usage=usage)]).receipt
    assert receipt.anomalies == (anomaly,)
    assert receipt.cost_nano is None
    assert receipt.cost_basis is CostBasis.UNMETERED
    assert receipt.usage is not None
    assert receipt.usage.raw == usage
    assert receipt.status == "ok"


def test_usage_that_does_not_add_up_is_priced_and_flagged() -> None:
    """Its parts make sense each; that they are not the total is recorded."""
    receipt = drive(call(), [reply(), body(usage={**USAGE, "total_tokens": 5})]).receipt
    assert receipt.anomalies == ("usage_sum_mismatch",)
    assert receipt.cost_nano == COST


def test_a_model_without_a_price_is_unpriced() -> None:
    """Its usage is known and its cost is not: that is None, not 0."""
    receipt = drive(call("nobody-knows-this-model"), [reply(), body(model="nor-this-one")]).receipt
    assert receipt.cost_nano is None
    assert receipt.baseline_nano is None
    assert receipt.cost_usd is None
    assert receipt.cost_basis is CostBasis.UNPRICED
    assert receipt.meters == {Meter.INPUT: 1000, Meter.OUTPUT: 100}


def test_a_served_name_that_is_another_model_is_not_billed_as_the_one_asked_for() -> None:
    """That would be a guess; a deployment that was mapped to a model is none."""
    receipt = drive(call("gpt-4.1"), [reply(), body(model="/models/llama-q4.gguf")]).receipt
    assert receipt.cost_basis is CostBasis.UNPRICED
    assert receipt.model_served == "/models/llama-q4.gguf"
    receipt = drive(call("house-model"), [reply(), body(model="/models/llama-q4.gguf")]).receipt
    assert receipt.cost_nano == COST


def test_a_snapshot_too_new_for_the_prices_is_billed_as_it_was_asked_for() -> None:
    """That is what an alias stands for."""
    assert drive(call("gpt-4.1"), [reply(), body(model="gpt-4.1-2031-01-01")]).receipt.cost_nano == COST


def test_one_cost_that_is_not_known_makes_the_sum_unknown() -> None:
    """A retry's cost is known, that of the lost upload before it is not."""
    from .driving import failure

    driven = drive(call(body={}), [failure(), reply(), body()])
    assert [attempt.state for attempt in driven.attempts] == ["unknown", "settled"]
    assert driven.attempts[1].charge is not None
    assert driven.attempts[1].charge.cost_nano == COST
    assert driven.receipt.cost_nano is None


@pytest.mark.parametrize("kind", ["audio/mpeg", "application/octet-stream", "text/plain", ""])
def test_a_binary_reply_is_not_read(kind: str) -> None:
    """It goes through; what it cost is not known."""
    driven = drive(call(), [reply(kind=kind)])
    assert driven.names == "Open Send Settle Finish"
    assert driven.receipt.cost_basis is CostBasis.UNMETERED
    assert driven.receipt.cost_nano is None


def test_a_transcription_by_the_second_is_priced() -> None:
    """Whisper is $0.006 a minute: 9 seconds are 900,000 nano-dollars."""
    made = call("whisper-1", dialect=AUDIO, body={})
    usage = {"type": "duration", "seconds": 8.4}
    receipt = drive(made, [reply(), body({"text": "Hi", "usage": usage})], dialect=AUDIO).receipt
    assert receipt.meters == {Meter.SECONDS: 9}
    assert receipt.cost_nano == 900_000


def test_an_embedding_is_priced() -> None:
    """$0.02 a million."""
    made = call("text-embedding-3-small", dialect=EMBEDDINGS, body={"input": "Hi"})
    usage = {"prompt_tokens": 50, "total_tokens": 50}
    receipt = drive(
        made, [reply(), body({"model": "text-embedding-3-small", "usage": usage})], dialect=EMBEDDINGS
    )
    assert receipt.receipt.cost_nano == 1_000


def test_an_answer_is_not_kept_after_it_was_counted() -> None:
    """Whole replies are not copied where nobody asked for their words."""
    driven = drive(call(), [reply(), body()])
    assert driven.attempts[0].answered.text == ""


def test_an_empty_answer_is_read_as_one() -> None:
    """Everything about an answer may be missing."""
    assert Answered().usage_final
    assert CHAT.answer({}) == Answered()
