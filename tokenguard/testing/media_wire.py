"""OpenAI's transcriptions and images, with the usage that real ones would have."""

from __future__ import annotations

import time
from typing import Final

from tokenguard.testing import forms
from tokenguard.testing.exchange import Json, Request
from tokenguard.testing.turn import Ask, Turn, count
from tokenguard.testing.wire import Endpoint, event, required, whole_number

BYTES_PER_SECOND: Final = 16_000
"""Recordings are taken for 128 kbit/s, whatever they are: their length is their size divided by this."""

AUDIO_TOKENS_PER_SECOND: Final = 10

_IMAGE_TOKENS: Final = {
    "low": {"1024x1024": 272, "1024x1536": 408, "1536x1024": 400},
    "medium": {"1024x1024": 1056, "1024x1536": 1584, "1536x1024": 1568},
    "high": {"1024x1024": 4160, "1024x1536": 6240, "1536x1024": 6208},
}
"""Output tokens of gpt-image-1 by quality and size. Source: OpenAI's image generation guide."""

_PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def read_transcription(request: Request, _: Json) -> Ask:
    """What a transcription asks. The recording itself is not looked at, only its size."""
    fields = forms.fields_of(request)
    model = fields.get("model") or "whisper-1"
    seconds = max(1, -(-request.body_size // BYTES_PER_SECOND))
    body: Json = {**fields, "seconds": seconds}
    prompt = fields.get("prompt", "")
    return Ask(
        request,
        body,
        model,
        prompt=prompt,
        input_tokens=seconds * AUDIO_TOKENS_PER_SECOND + count(prompt, model),
        stream=fields.get("stream") == "true",
    )


def transcription_body(ask: Ask, turn: Turn) -> Json | bytes:
    """The transcript as ``json``, ``verbose_json`` or plain text, as asked for."""
    shape = ask.body.get("response_format", "json")
    if shape not in ("json", "verbose_json"):
        return f"{turn.text}\n".encode("utf-8", "replace")
    body: Json = {"text": turn.text}
    if shape == "verbose_json":
        seconds = ask.body["seconds"]
        body |= {"task": "transcribe", "language": "english", "duration": float(seconds), "segments": []}
    usage = _transcription_usage(ask, turn)
    return body if usage is None else {**body, "usage": usage}


def transcription_events(ask: Ask, turn: Turn) -> list[bytes]:
    """The events of a streamed transcript."""
    done: Json = {"type": "transcript.text.done", "text": turn.text}
    if (usage := _transcription_usage(ask, turn)) is not None:
        done["usage"] = usage
    deltas = [event({"type": "transcript.text.delta", "delta": piece}) for piece in turn.pieces]
    return [*deltas, event(done)]


def _transcription_usage(ask: Ask, turn: Turn) -> Json | None:
    if ask.model.startswith("whisper"):
        seconds = ask.body["seconds"]
        return turn.usage({"type": "duration", "seconds": seconds}, wrong={})
    audio = ask.body["seconds"] * AUDIO_TOKENS_PER_SECOND
    total = turn.input_tokens + turn.output_tokens
    return turn.usage(
        {
            "type": "tokens",
            "input_tokens": turn.input_tokens,
            "input_token_details": {
                "text_tokens": max(0, turn.input_tokens - audio),
                "audio_tokens": min(audio, turn.input_tokens),
            },
            "output_tokens": turn.output_tokens,
            "total_tokens": total,
        },
        wrong={"total_tokens": total + 7},
    )


def read_image(request: Request, body: Json) -> Ask:
    """What the generation of images asks."""
    prompt = str(required(body, "prompt", str))
    model = body.get("model") or "gpt-image-1"
    return Ask(request, body, model, prompt, count(prompt, model), choices=1)


def image_body(ask: Ask, turn: Turn) -> Json:
    """Images of one pixel, with the usage of full ones where the model reports any."""
    quality, size = ask.body.get("quality", "medium"), ask.body.get("size", "1024x1024")
    per_image = _IMAGE_TOKENS.get(quality, _IMAGE_TOKENS["medium"]).get(size, 1056)
    number = whole_number(ask.body, "n") or 1
    body: Json = {"created": int(time.time()), "data": [{"b64_json": _PNG} for _ in range(number)]}
    if not ask.model.startswith("gpt-image"):
        return body
    output = per_image * number
    usage = turn.usage(
        {
            "input_tokens": turn.input_tokens,
            "input_tokens_details": {"text_tokens": turn.input_tokens, "image_tokens": 0},
            "output_tokens": output,
            "total_tokens": turn.input_tokens + output,
        },
        wrong={"total_tokens": turn.input_tokens + output + 7},
    )
    body |= {"size": size, "quality": quality, "output_format": "png"}
    return body if usage is None else {**body, "usage": usage}


TRANSCRIPTIONS: Final = Endpoint(
    "openai_transcriptions",
    read_transcription,
    transcription_body,
    transcription_events,
    bytes_type="text/plain; charset=utf-8",
)
IMAGES: Final = Endpoint("openai_images", read_image, image_body, speaks=False)
