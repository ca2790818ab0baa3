"""OpenAI chat completions and legacy completions, on replies and streams as servers send them."""

from __future__ import annotations

from typing import Any

import pytest

from tokenguard.call import Asked, Meter
from tokenguard.dialects.openai_chat import CHAT, COMPLETIONS

from .reading import read, reader

USAGE = {
    "prompt_tokens": 2006,
    "completion_tokens": 300,
    "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 192,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}


def reply(**fields: Any) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "Paris.", "refusal": None, "annotations": []},
        "logprobs": None,
        "finish_reason": "stop",
    }
    return {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion",
        "created": 1741570283,
        "model": "gpt-4.1-2025-04-14",
        "choices": [choice],
        "usage": USAGE,
        "service_tier": "default",
        "system_fingerprint": "fp_fc9f1d7035",
        **fields,
    }


def chunk(delta: dict[str, Any] | None = None, *, index: int = 0, **fields: Any) -> dict[str, Any]:
    finish = fields.pop("finish_reason", None)
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4.1-2025-04-14",
        "service_tier": "flex",
        "choices": choices,
        "usage": None,
        **fields,
    }


def test_a_request_is_read() -> None:
    """What spans, caps and prices need of a request is found in it, the newer cap before the older."""
    asked = CHAT.ask(
        {
            "model": "o3",
            "messages": [],
            "stream": True,
            "max_completion_tokens": 900,
            "max_tokens": 100,
            "temperature": 1,
            "top_p": 0.5,
            "n": 3,
            "service_tier": "priority",
        }
    )
    assert asked == Asked("o3", True, 900, 1.0, 0.5, 3, "priority")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": None, "stream": "yes", "max_tokens": "many", "temperature": "hot", "n": None},
        {"model": "", "stream": 1, "max_tokens": True, "temperature": False, "n": 0},
    ],
)
def test_an_odd_request_is_read_as_far_as_it_goes(body: dict[str, Any]) -> None:
    """A request that the provider will refuse is no trouble to us."""
    assert CHAT.ask(body) == Asked("")


def test_a_reply_is_read() -> None:
    """Id, model, tier, finish reason and usage; cached tokens leave the prompt, reasoning stays in."""
    answered = CHAT.answer(reply())
    assert answered.response_id == "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"
    assert answered.model == "gpt-4.1-2025-04-14"
    assert answered.service_tier == "default"
    assert answered.finish_reasons == ("stop",)
    assert answered.error_type is None
    assert answered.usage is not None
    assert answered.usage.meters == {Meter.INPUT: 86, Meter.CACHE_READ: 1920, Meter.OUTPUT: 300}
    assert answered.usage.reasoning == 192
    assert answered.usage.raw == USAGE
    assert answered.usage.anomaly() is None


def test_every_choice_has_its_finish_reason() -> None:
    """With n > 1 there are n finish reasons, in the order of the choices."""
    choices = [
        {"index": i, "finish_reason": reason} for i, reason in enumerate(["stop", "length", "tool_calls"])
    ]
    assert CHAT.answer(reply(choices=choices)).finish_reasons == ("stop", "length", "tool_calls")


def test_tokens_of_every_kind_are_told_apart() -> None:
    """Audio, images and cache writes have prices of their own: they leave the prompt and the completion."""
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 500,
        "total_tokens": 1500,
        "prompt_tokens_details": {
            "cached_tokens": 100,
            "cache_write_tokens": 200,
            "audio_tokens": 50,
            "image_tokens": 300,
            "text_tokens": 650,
        },
        "completion_tokens_details": {"audio_tokens": 400, "image_tokens": 30, "reasoning_tokens": 20},
    }
    read = CHAT.answer(reply(usage=usage)).usage
    assert read is not None
    assert read.meters == {
        Meter.INPUT: 350,
        Meter.CACHE_READ: 100,
        Meter.CACHE_WRITE: 200,
        Meter.AUDIO_INPUT: 50,
        Meter.IMAGE_INPUT: 300,
        Meter.AUDIO_OUTPUT: 400,
        Meter.IMAGE_OUTPUT: 30,
        Meter.OUTPUT: 70,
    }
    assert read.anomaly() is None


def test_reasoning_that_is_counted_beside_the_completion_is_added_to_it() -> None:
    """xAI leaves reasoning out of ``completion_tokens`` and in the total: the total tells."""
    usage = {
        "prompt_tokens": 32,
        "completion_tokens": 9,
        "total_tokens": 135,
        "completion_tokens_details": {"reasoning_tokens": 94},
    }
    read = CHAT.answer(reply(usage=usage)).usage
    assert read is not None
    assert read.meters == {Meter.INPUT: 32, Meter.OUTPUT: 103}
    assert read.reasoning == 94
    assert read.anomaly() is None


def test_an_error_inside_a_good_status_is_an_error() -> None:
    """Gateways answer 200 with an error in the body; ``"error": null`` is none."""
    answered = CHAT.answer({"error": {"code": 502, "message": "Provider returned error"}, "user_id": "u"})
    assert answered.error_type == "502"
    assert answered.usage is None
    assert CHAT.answer(reply(error=None)).error_type is None


def test_a_stream_is_read() -> None:
    """Text, finish reason, tier and the usage of the extra chunk, which alone carries only usage."""
    assert CHAT.events is not None
    events = CHAT.events()
    assert not events.feed(None, chunk({"role": "assistant", "content": "", "refusal": None}))
    assert not events.started, "the role is no content"
    assert not events.feed(None, chunk({"content": "Par"}))
    assert events.started
    assert not events.feed(None, chunk({"content": "is."}))
    assert not events.feed(None, chunk({}, finish_reason="stop"))
    assert events.feed(None, chunk(usage=USAGE))
    answered = events.answered()
    assert answered.text == "Paris."
    assert answered.finish_reasons == ("stop",)
    assert answered.service_tier == "flex"
    assert answered.response_id == "chatcmpl-1"
    assert answered.usage is not None
    assert answered.usage.total == 2306


def test_only_the_extra_chunk_is_one_that_carries_only_usage() -> None:
    """A chunk with choices, or without usage, is the caller's."""
    assert CHAT.events is not None
    events = CHAT.events()
    assert not events.feed(None, chunk({"content": "x"}, usage=USAGE)), "usage beside content"
    assert not events.feed(None, chunk(prompt_filter_results=[{"prompt_index": 0}])), "Azure's first chunk"
    assert not events.feed(None, {"usage": USAGE}), "no choices at all: not the chunk we asked for"


def test_choices_of_a_stream_keep_their_finish_reasons_apart() -> None:
    """Chunks of several choices come in any order; their reasons are sorted by choice."""
    events = [
        chunk({"content": "b"}, index=1),
        chunk({"content": "a"}, index=0),
        chunk({}, index=1, finish_reason="length"),
        chunk({}, index=0, finish_reason="stop"),
    ]
    assert read(CHAT, events).finish_reasons == ("stop", "length")


@pytest.mark.parametrize(
    ("deltas", "text"),
    [
        ([{"refusal": "I'm sorry, "}, {"refusal": "no."}], "I'm sorry, no."),
        ([{"reasoning_content": "Let me "}, {"content": "think"}], "Let me think"),
        ([{"reasoning": "Hm. "}, {"content": "Yes"}], "Hm. Yes"),
        (
            [
                {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "weather", "arguments": ""}}]},
                {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
                {"tool_calls": [{"index": 0, "function": {"arguments": '"Oslo"}'}}]},
            ],
            'weather{"city":"Oslo"}',
        ),
        (
            [
                {
                    "tool_calls": [
                        {"index": 0, "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
                    ]
                }
            ],
            "sqlselect 1",
        ),
        ([{"reasoning": "", "function_call": {"name": "f", "arguments": ""}}], "f"),
        ([{"function_call": {"name": "f", "arguments": "{}"}}], "f{}"),
        (
            [
                {"audio": {"id": "a", "transcript": "Hel"}},
                {"audio": {"data": "UklGRg==", "transcript": "lo"}},
            ],
            "Hello",
        ),
        (
            [
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]},
                {"content": "!"},
            ],
            "Hm!",
        ),
    ],
    ids=[
        "refusal",
        "reasoning",
        "openrouter",
        "tool",
        "custom-tool",
        "no-reasoning",
        "function",
        "audio",
        "mistral",
    ],
)
def test_everything_the_model_writes_counts_as_text(deltas: list[dict[str, Any]], text: str) -> None:
    """An aborted stream is settled by what was written, whatever kind of writing it was."""
    events = reader(CHAT, [chunk(delta) for delta in deltas])
    assert events.started
    assert events.answered().text == text


def test_an_error_in_the_stream_is_noted() -> None:
    """An error chunk gives its type; a chunk with ``"error": null`` is none."""
    assert read(CHAT, [chunk({"content": "a"}, error=None)]).error_type is None
    error = {"error": {"type": "server_error", "message": "The server had an error"}}
    assert read(CHAT, [chunk({"content": "a"}), error]).error_type == "server_error"
    assert read(CHAT, [{"error": "overloaded"}]).error_type == "error"


@pytest.mark.parametrize("model", [5, ["a"], {"a": 1}, None, ""])
def test_names_of_a_wrong_type_are_not_taken_for_names(model: object) -> None:
    """A model that is no text would be no key of a price table."""
    answered = read(CHAT, [chunk({"content": "a"}, model=model, service_tier=model, id=model)])
    assert answered.model is None
    assert answered.service_tier is None
    assert answered.response_id in (None, "")


def test_usage_is_asked_for_only_where_the_caller_did_not_speak_of_it() -> None:
    """The caller's own options stay; the caller's own request is not changed."""
    body = {"model": "m", "stream": True, "stream_options": {"include_obfuscation": False}}
    assert CHAT.with_usage is not None
    assert CHAT.with_usage(body) == {
        **body,
        "stream_options": {"include_obfuscation": False, "include_usage": True},
    }
    assert body["stream_options"] == {"include_obfuscation": False}
    for other in (
        {"stream": False},
        {"stream": None},
        {"stream": True, "stream_options": {"include_usage": False}},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"stream": True, "stream_options": "usage"},
    ):
        assert CHAT.with_usage(other) is None


def test_legacy_completions_are_read() -> None:
    """Text stands in the choice itself; usage is that of chat."""
    assert COMPLETIONS.operation == "text_completion"
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    answered = COMPLETIONS.answer(
        {
            "id": "cmpl-1",
            "object": "text_completion",
            "model": "gpt-3.5-turbo-instruct",
            "choices": [{"text": "\n\nYes", "index": 0, "logprobs": None, "finish_reason": "length"}],
            "usage": usage,
        }
    )
    assert answered.finish_reasons == ("length",)
    assert answered.usage is not None
    assert answered.usage.meters == {Meter.INPUT: 5, Meter.OUTPUT: 7}
    streamed = read(
        COMPLETIONS,
        [
            {
                "id": "cmpl-1",
                "choices": [{"text": "\n\nY", "index": 0, "logprobs": None, "finish_reason": None}],
            },
            {
                "id": "cmpl-1",
                "choices": [{"text": "es", "index": 0, "logprobs": None, "finish_reason": "stop"}],
            },
            {"id": "cmpl-1", "choices": [], "usage": usage},
        ],
    )
    assert streamed.text == "\n\nYes"
    assert streamed.finish_reasons == ("stop",)
    assert streamed.usage is not None
    assert streamed.usage.total == 12
