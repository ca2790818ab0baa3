"""Anthropic messages: replies and streams, with caches, thinking, server tools and compaction."""

from __future__ import annotations

from typing import Any

import pytest

from tokenguard.call import Asked, Meter
from tokenguard.dialects.anthropic_messages import MESSAGES

from .reading import read, reader

USAGE = {
    "input_tokens": 21,
    "cache_creation_input_tokens": 1400,
    "cache_read_input_tokens": 188086,
    "cache_creation": {"ephemeral_5m_input_tokens": 456, "ephemeral_1h_input_tokens": 944},
    "output_tokens": 393,
    "output_tokens_details": {"thinking_tokens": 250},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    "service_tier": "standard",
    "inference_geo": "us",
    "speed": "fast",
}


def message(**fields: Any) -> dict[str, Any]:
    return {
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": "Hi!"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
        **fields,
    }


def test_a_request_is_read() -> None:
    """The cap is required here; there are no choices."""
    body = {
        "model": "claude-opus-5",
        "max_tokens": 1024,
        "messages": [],
        "top_p": 0.9,
        "service_tier": "auto",
    }
    assert MESSAGES.ask(body) == Asked("claude-opus-5", False, 1024, None, 0.9, 1, "auto")


def test_a_message_is_read() -> None:
    """Anthropic's counts are disjoint; writes are split by lifetime; where it ran has a price."""
    answered = MESSAGES.answer(message())
    assert answered.usage is not None
    assert answered.usage.meters == {
        Meter.INPUT: 21,
        Meter.CACHE_READ: 188086,
        Meter.CACHE_WRITE: 456,
        Meter.CACHE_WRITE_1H: 944,
        Meter.OUTPUT: 393,
        Meter.WEB_SEARCHES: 2,
    }
    assert answered.usage.input_tokens == 21 + 188086 + 1400
    assert answered.usage.reasoning == 250
    assert (answered.service_tier, answered.inference_geo, answered.speed) == ("standard", "us", "fast")
    assert answered.finish_reasons == ("end_turn",)
    assert answered.response_id == "msg_013Zva2CMHLNnXjNJJKqJ2EF"


@pytest.mark.parametrize(
    ("usage", "short", "long"),
    [
        ({"cache_creation_input_tokens": 100}, 100, 0),
        ({"cache_creation_input_tokens": 100, "cache_creation": None}, 100, 0),
        ({"cache_creation_input_tokens": 100, "cache_creation": {"ephemeral_1h_input_tokens": 100}}, 0, 100),
        ({"cache_creation": {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": 9}}, 7, 9),
        ({"cache_creation_input_tokens": None, "cache_read_input_tokens": None}, 0, 0),
    ],
)
def test_cache_writes_are_read_with_and_without_their_lifetimes(
    usage: dict[str, Any], short: int, long: int
) -> None:
    """Without a breakdown a write is a short one; without a sum the breakdown is the sum."""
    read_usage = MESSAGES.answer(message(usage={"input_tokens": 1, "output_tokens": 1, **usage})).usage
    assert read_usage is not None
    assert read_usage.meters.get(Meter.CACHE_WRITE, 0) == short
    assert read_usage.meters.get(Meter.CACHE_WRITE_1H, 0) == long


def test_compaction_is_billed_with_the_message() -> None:
    """Beta: tokens of a compaction stand among the iterations and not in the sum above them."""
    iterations = [
        {
            "type": "compaction",
            "input_tokens": 180_000,
            "output_tokens": 3_500,
            "cache_read_input_tokens": 10,
            "cache_creation_input_tokens": 0,
        },
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
    ]
    usage = {"input_tokens": 23_000, "output_tokens": 1_000, "iterations": iterations}
    read_usage = MESSAGES.answer(message(usage=usage)).usage
    assert read_usage is not None
    assert read_usage.meters == {Meter.INPUT: 203_000, Meter.OUTPUT: 4_500, Meter.CACHE_READ: 10}


def events(*, to: int | None = None) -> list[dict[str, Any]]:
    start = message(
        content=[], stop_reason=None, usage={**USAGE, "output_tokens": 1, "server_tool_use": None}
    )
    whole: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm. "}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "signature_delta", "signature": "EqQB"},
        },
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Hi!"}},
        {"type": "content_block_stop", "index": 1},
        {
            "type": "content_block_start",
            "index": 2,
            "content_block": {"type": "tool_use", "id": "t", "name": "f"},
        },
        {
            "type": "content_block_delta",
            "index": 2,
            "delta": {"type": "input_json_delta", "partial_json": "{}"},
        },
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {
                "output_tokens": 393,
                "input_tokens": None,
                "server_tool_use": {"web_search_requests": 2},
            },
        },
        {"type": "message_stop"},
    ]
    return whole[:to]


def test_a_stream_is_read() -> None:
    """The counts of ``message_delta`` are cumulative: they replace those of ``message_start``."""
    stream = reader(MESSAGES, events())
    assert stream.started
    assert stream.finished
    answered = stream.answered()
    assert answered.usage is not None
    assert answered.usage.meters == {
        Meter.INPUT: 21,
        Meter.CACHE_READ: 188086,
        Meter.CACHE_WRITE: 456,
        Meter.CACHE_WRITE_1H: 944,
        Meter.OUTPUT: 393,
        Meter.WEB_SEARCHES: 2,
    }
    assert answered.usage_final
    assert answered.finish_reasons == ("tool_use",)
    assert answered.text == "Hm. Hi!{}"
    assert (answered.inference_geo, answered.speed) == ("us", "fast")


def test_a_stream_that_stopped_knows_its_input() -> None:
    """Before ``message_delta`` the input is known and the output is not."""
    answered = read(MESSAGES, events(to=8))
    assert answered.usage is not None
    assert not answered.usage_final
    assert answered.usage.meters[Meter.INPUT] == 21
    assert answered.finish_reasons == ()
    assert answered.text == "Hm. Hi!"


def test_the_start_of_a_message_is_no_content() -> None:
    """The first token is that of the first content block."""
    assert not reader(MESSAGES, events(to=1)).started
    assert reader(MESSAGES, events(to=2)).started


def test_a_stream_without_a_start_has_no_usage() -> None:
    """Nothing is not zero."""
    assert read(MESSAGES, events()[1:4]).usage is None
    assert read(MESSAGES, []).usage is None


def test_an_error_in_the_stream_is_noted() -> None:
    """``overloaded_error`` may come in the middle of a 200 answer."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert read(MESSAGES, [*events(to=4), error]).error_type == "overloaded_error"


def test_the_event_name_stands_in_for_a_missing_type() -> None:
    """Some proxies leave ``type`` to the event line."""
    stop: tuple[str, dict[str, Any]] = ("message_stop", {})
    assert reader(MESSAGES, [*events(to=4), stop]).finished


def test_an_error_inside_a_good_status_is_an_error() -> None:
    """Gateways answer 200 with an error in the body."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert MESSAGES.answer(error).error_type == "overloaded_error"
    assert MESSAGES.answer(error).usage is None
