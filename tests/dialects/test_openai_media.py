"""Embeddings, audio and images: metered where the reply says what it used, unknown where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from tokenguard.call import Asked, Meter
from tokenguard.dialects.openai_embeddings import EMBEDDINGS
from tokenguard.dialects.openai_media import AUDIO, IMAGES, SPEECH

from .reading import read, reader


def test_embeddings_are_all_input() -> None:
    """Their total is their input, and a server that sends only the total means just that."""
    body = {"object": "list", "data": [], "model": "text-embedding-3-small"}
    answered = EMBEDDINGS.answer({**body, "usage": {"prompt_tokens": 8, "total_tokens": 8}})
    assert answered.model == "text-embedding-3-small"
    assert answered.usage is not None
    assert answered.usage.meters == {Meter.INPUT: 8}
    assert answered.usage.anomaly() is None
    only_total = EMBEDDINGS.answer({**body, "usage": {"total_tokens": 8}}).usage
    assert only_total is not None
    assert only_total.meters == {Meter.INPUT: 8}
    assert EMBEDDINGS.answer(body).usage is None
    assert EMBEDDINGS.ask({"model": "text-embedding-3-small", "input": ["a"]}) == Asked(
        "text-embedding-3-small"
    )


def test_transcriptions_are_billed_by_token_or_by_second() -> None:
    """Models that are billed by duration count seconds, each one that was begun."""
    tokens = {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
        "output_tokens": 101,
        "total_tokens": 115,
    }
    usage = AUDIO.answer({"text": "Imagine …", "usage": tokens}).usage
    assert usage is not None
    assert usage.meters == {Meter.AUDIO_INPUT: 10, Meter.INPUT: 4, Meter.OUTPUT: 101}
    assert usage.anomaly() is None
    seconds = AUDIO.answer({"text": "…", "usage": {"type": "duration", "seconds": 8.2}}).usage
    assert seconds is not None
    assert seconds.meters == {Meter.SECONDS: 9}
    assert seconds.anomaly() is None
    assert AUDIO.answer({"text": "…"}).usage is None


@pytest.mark.parametrize("seconds", ["long", None, True, float("inf"), float("nan")])
def test_a_duration_that_is_none_cannot_be_read(seconds: object) -> None:
    """Python's JSON knows infinity; a bill does not."""
    usage = AUDIO.answer({"usage": {"type": "duration", "seconds": seconds}}).usage
    assert usage is not None
    assert usage.meters == {}


def test_images_are_image_tokens() -> None:
    """What an image model makes is image tokens, unless the reply says otherwise."""
    block = {
        "input_tokens": 50,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        "output_tokens": 4160,
        "total_tokens": 4210,
    }
    usage = IMAGES.answer({"created": 1, "data": [{"b64_json": "iVBO"}], "usage": block}).usage
    assert usage is not None
    assert usage.meters == {
        Meter.INPUT: 10,
        Meter.IMAGE_INPUT: 40,
        Meter.IMAGE_OUTPUT: 4160,
        Meter.OUTPUT: 0,
    }
    assert usage.anomaly() is None
    told = {**block, "output_tokens_details": {"text_tokens": 160, "image_tokens": 4000}}
    usage = IMAGES.answer({"usage": told}).usage
    assert usage is not None
    assert usage.meters[Meter.IMAGE_OUTPUT] == 4000
    assert usage.meters[Meter.OUTPUT] == 160
    assert usage.anomaly() is None
    assert IMAGES.answer({"created": 1, "data": [{"url": "https://…"}]}).usage is None


@pytest.mark.parametrize(
    ("dialect", "events", "text", "meters"),
    [
        (
            AUDIO,
            [
                {"type": "transcript.text.delta", "delta": "Hel"},
                {"type": "transcript.text.delta", "delta": "lo"},
                {
                    "type": "transcript.text.done",
                    "text": "Hello",
                    "usage": {"type": "tokens", "input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
                },
            ],
            "Hello",
            {Meter.INPUT: 5, Meter.OUTPUT: 2},
        ),
        (
            SPEECH,
            [
                {"type": "speech.audio.delta", "audio": "UklGRg=="},
                {
                    "type": "speech.audio.done",
                    "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115},
                },
            ],
            "",
            {Meter.INPUT: 14, Meter.OUTPUT: 101},
        ),
        (
            IMAGES,
            [
                {"type": "image_generation.partial_image", "b64_json": "iVBO", "partial_image_index": 0},
                {
                    "type": "image_generation.completed",
                    "b64_json": "iVBO",
                    "usage": {"input_tokens": 9, "output_tokens": 50, "total_tokens": 59},
                },
            ],
            "",
            {Meter.INPUT: 9, Meter.IMAGE_OUTPUT: 50, Meter.OUTPUT: 0},
        ),
    ],
    ids=["transcription", "speech", "image"],
)
def test_the_last_event_of_a_stream_carries_the_usage(
    dialect: Any, events: list[dict[str, Any]], text: str, meters: dict[Meter, int]
) -> None:
    """Until it has come, nothing is known; then the answer is over."""
    assert read(dialect, events[:-1]).usage is None
    stream = reader(dialect, events)
    assert stream.started
    assert stream.finished
    answered = stream.answered()
    assert answered.text == text
    assert answered.usage is not None
    assert answered.usage.meters == meters
    assert answered.usage.anomaly() is None


def test_requests_are_read_as_far_as_they_are_json() -> None:
    """A form is not read: its model comes from elsewhere."""
    assert IMAGES.ask({"model": "gpt-image-1", "prompt": "a cat", "n": 2, "stream": True}) == Asked(
        "gpt-image-1", stream=True, choices=2
    )
    assert AUDIO.ask({}) == Asked("")


def test_an_error_in_a_stream_is_noted() -> None:
    """It is no content."""
    stream = reader(IMAGES, [{"type": "error", "error": {"type": "image_generation_server_error"}}])
    assert not stream.started
    assert stream.answered().error_type == "image_generation_server_error"
