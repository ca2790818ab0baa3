"""OpenAI responses: whole objects, streams, searches, and answers that did not come to an end."""

from __future__ import annotations

from typing import Any

import pytest

from tokenguard.call import Asked, Meter
from tokenguard.dialects.openai_responses import RESPONSES

from .reading import read, reader

USAGE = {
    "input_tokens": 328,
    "input_tokens_details": {"cached_tokens": 128, "cache_write_tokens": 0},
    "output_tokens": 52,
    "output_tokens_details": {"reasoning_tokens": 32},
    "total_tokens": 380,
}


def response(**fields: Any) -> dict[str, Any]:
    message = {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Paris.", "annotations": []}],
    }
    return {
        "id": "resp_67ccd2bed1ec8190b14f964abc054267",
        "object": "response",
        "created_at": 1741476542,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "gpt-5.4-2026-03-01",
        "output": [message],
        "service_tier": "default",
        "usage": USAGE,
        **fields,
    }


def test_a_request_is_read() -> None:
    """The cap of this format is ``max_output_tokens``."""
    asked = RESPONSES.ask({"model": "gpt-5.4", "input": "Hi", "max_output_tokens": 50, "stream": True})
    assert asked == Asked("gpt-5.4", stream=True, max_tokens=50)


def test_a_response_is_read() -> None:
    """Cached tokens leave the input; the status is the finish reason."""
    answered = RESPONSES.answer(response())
    assert answered.response_id == "resp_67ccd2bed1ec8190b14f964abc054267"
    assert answered.model == "gpt-5.4-2026-03-01"
    assert answered.finish_reasons == ("completed",)
    assert answered.error_type is None
    assert answered.usage is not None
    assert answered.usage.meters == {Meter.INPUT: 200, Meter.CACHE_READ: 128, Meter.OUTPUT: 52}
    assert answered.usage.reasoning == 32
    assert answered.usage.anomaly() is None


def test_long_cache_writes_are_told_from_short_ones() -> None:
    """A write for 12 hours costs more than one for 30 minutes, and neither is plain input."""
    usage = {
        **USAGE,
        "input_tokens_details": {
            "cached_tokens": 0,
            "cache_write_tokens": 300,
            "cache_write_tokens_details": {"ttl_12h_tokens": 100, "ttl_30m_tokens": 200},
        },
    }
    read_usage = RESPONSES.answer(response(usage=usage)).usage
    assert read_usage is not None
    assert read_usage.meters == {
        Meter.INPUT: 28,
        Meter.CACHE_WRITE: 200,
        Meter.CACHE_WRITE_1H: 100,
        Meter.OUTPUT: 52,
    }
    assert read_usage.anomaly() is None


def test_only_searches_are_billed_as_searches() -> None:
    """Opening a page and looking through it are steps of a search that was paid for already."""

    def call(action: dict[str, Any] | None) -> dict[str, Any]:
        item = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
        return item if action is None else {**item, "action": action}

    output = [
        call({"type": "search", "query": "a"}),
        call({"type": "open_page", "url": "https://a"}),
        call({"type": "find_in_page", "pattern": "p", "url": "https://a"}),
        call({"type": "search", "query": "b"}),
        call(None),
        {"type": "reasoning", "summary": []},
    ]
    usage = RESPONSES.answer(response(output=output)).usage
    assert usage is not None
    assert usage.meters[Meter.WEB_SEARCHES] == 3
    assert usage.anomaly() is None, "searches are no tokens"


def test_searches_do_not_hide_usage_that_cannot_be_read() -> None:
    """Usage that makes no sense stays unreadable, however many searches there were."""
    output = [{"type": "web_search_call", "action": {"type": "search"}}]
    usage = RESPONSES.answer(response(output=output, usage={**USAGE, "input_tokens": "many"})).usage
    assert usage is not None
    assert usage.meters == {}


@pytest.mark.parametrize(
    ("fields", "reason", "error"),
    [
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "max_output_tokens",
            None,
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
            None,
        ),
        ({"status": "failed", "error": {"code": "server_error", "message": "…"}}, "failed", "server_error"),
        ({"status": "cancelled"}, "cancelled", None),
    ],
)
def test_how_a_response_ended_is_its_finish_reason(
    fields: dict[str, Any], reason: str, error: str | None
) -> None:
    """Cut short, filtered, failed or cancelled."""
    answered = RESPONSES.answer(response(**fields))
    assert answered.finish_reasons == (reason,)
    assert answered.error_type == error
    assert answered.usage is not None


def test_a_background_response_has_no_usage_yet() -> None:
    """It was only accepted: what it will use is not known, and not nothing."""
    answered = RESPONSES.answer(response(status="queued", usage=None, output=[]))
    assert answered.usage is None
    assert answered.finish_reasons == ("queued",)


def test_a_compacted_response_is_read() -> None:
    """Compacting a conversation is billed too."""
    body = {"id": "resp_1", "object": "response.compaction", "created_at": 1, "output": [], "usage": USAGE}
    answered = RESPONSES.answer(body)
    assert answered.usage is not None
    assert answered.usage.total == 380


def stream(last: dict[str, Any]) -> list[dict[str, Any]]:
    begun = response(status="in_progress", usage=None, output=[])
    return [
        {"type": "response.created", "response": begun, "sequence_number": 0},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "item": {"type": "message"}},
        {"type": "response.content_part.added", "part": {"type": "output_text", "text": ""}},
        {"type": "response.output_text.delta", "delta": "Par", "logprobs": []},
        {"type": "response.output_text.delta", "delta": "is.", "logprobs": []},
        {"type": "response.output_text.done", "text": "Paris."},
        last,
    ]


def test_a_stream_is_read() -> None:
    """The last event carries the whole response; what comes before gives text and the first token."""
    events = reader(RESPONSES, stream({"type": "response.completed", "response": response()}))
    assert events.started
    assert events.finished
    answered = events.answered()
    assert answered.text == "Paris."
    assert answered.finish_reasons == ("completed",)
    assert answered.usage is not None
    assert answered.usage.total == 380


def test_nothing_has_started_before_the_first_delta() -> None:
    """Events that announce a response are no content."""
    events = reader(RESPONSES, stream({"type": "response.completed", "response": response()})[:4])
    assert not events.started
    assert not events.finished


def test_a_stream_that_stopped_has_neither_usage_nor_a_finish_reason() -> None:
    """Its ``in_progress`` is no reason, and no usage is not zero usage."""
    answered = read(RESPONSES, stream({"type": "response.completed", "response": response()})[:-2])
    assert answered.usage is None
    assert answered.finish_reasons == ()
    assert answered.text == "Paris."


@pytest.mark.parametrize("kind", ["incomplete", "failed", "cancelled"])
def test_a_stream_ends_with_whatever_its_last_event_says(kind: str) -> None:
    """Each of these is an end, with its usage."""
    last = {"type": f"response.{kind}", "response": response(status=kind)}
    events = reader(RESPONSES, stream(last))
    assert events.finished
    assert events.answered().finish_reasons == (kind,)


def test_arguments_and_reasoning_count_as_text_and_sound_does_not() -> None:
    """Everything written is counted; base64 is not writing."""
    events = [
        {"type": "response.reasoning_summary_text.delta", "delta": "Hm. "},
        {"type": "response.function_call_arguments.delta", "delta": "{}"},
        {"type": "response.refusal.delta", "delta": "No."},
        {"type": "response.audio.delta", "delta": "UklGRgAAAAA="},
        {"type": "response.audio.transcript.delta", "delta": "Hello"},
    ]
    assert read(RESPONSES, events).text == "Hm. {}No.Hello"


def test_an_error_event_gives_its_code() -> None:
    """Its ``type`` is always "error": the code says which."""
    events = [{"type": "error", "code": "rate_limit_exceeded", "message": "…", "sequence_number": 1}]
    assert read(RESPONSES, events).error_type == "rate_limit_exceeded"
    assert read(RESPONSES, [{"type": "error", "code": None, "message": "…"}]).error_type == "error"
    nested = [{"type": "error", "error": {"type": "server_error", "message": "…"}}]
    assert read(RESPONSES, nested).error_type == "server_error"
