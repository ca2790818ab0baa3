"""OpenAI audio and images: metered where the reply carries usage, which not all models send."""

from __future__ import annotations

import math

from tokenguard.anatomy import Anatomy
from tokenguard.call import Answered, Asked, Json, Meter, Usage
from tokenguard.dialects.dialect import (
    Dialect,
    details,
    optional_int,
    optional_str,
    read_usage,
    require,
    tokens,
)
from tokenguard.dialects.openai_chat import error_type
from tokenguard.dialects.openai_content import inputs


def ask(body: Json) -> Asked:
    """Read a request. Forms (uploads) are not read: their model stays unknown until the reply."""
    return Asked(
        model=str(body.get("model") or ""),
        stream=body.get("stream") is True,
        choices=optional_int(body, "n") or 1,
    )


def usage(block: Json) -> Usage:
    """Meters of an audio or image usage block: tokens by kind, or whole seconds of audio, rounded up."""
    if block.get("type") == "duration":
        seconds = block.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise TypeError(f"seconds is {seconds!r}, not a number")
        return Usage(meters={Meter.SECONDS: math.ceil(seconds)}, raw=block)
    require(block, "input_tokens", "output_tokens")
    sent = details(block, "input_tokens_details") or details(block, "input_token_details")
    made = details(block, "output_tokens_details")
    meters = {
        Meter.AUDIO_INPUT: tokens(sent, "audio_tokens"),
        Meter.IMAGE_INPUT: tokens(sent, "image_tokens"),
        Meter.IMAGE_OUTPUT: tokens(made, "image_tokens"),
    }
    meters = {meter: n for meter, n in meters.items() if n}
    meters[Meter.INPUT] = tokens(block, "input_tokens") - sum(
        n for meter, n in meters.items() if not meter.is_output
    )
    meters[Meter.OUTPUT] = tokens(block, "output_tokens") - meters.get(Meter.IMAGE_OUTPUT, 0)
    total = block.get("total_tokens")
    return Usage(meters=meters, total=total if isinstance(total, int) else None, raw=block)


def image_usage(block: Json) -> Usage:
    """As :func:`usage`; an image model's output is image tokens unless the block says otherwise."""
    read = usage(block)
    if details(block, "output_tokens_details") or not read.meters.get(Meter.OUTPUT):
        return read
    meters = {**read.meters, Meter.IMAGE_OUTPUT: read.meters[Meter.OUTPUT], Meter.OUTPUT: 0}
    return Usage(meters=meters, total=read.total, raw=block)


def answer_audio(body: Json) -> Answered:
    """Read a transcription or translation."""
    return Answered(model=optional_str(body, "model"), usage=read_usage(usage, body.get("usage")))


def answer_images(body: Json) -> Answered:
    """Read a generation or edit."""
    return Answered(model=optional_str(body, "model"), usage=read_usage(image_usage, body.get("usage")))


class Events:
    """Reads the streams of transcriptions and images; their last event carries the usage."""

    def __init__(self) -> None:
        self.started = False
        self.finished = False
        self.text_key: str | None = None
        self._usage: Usage | None = None
        self._text: list[str] = []
        self._error: str | None = None

    def feed(self, name: str | None, data: Json) -> bool:  # noqa: ARG002 - the type is in the data
        """Take one event in."""
        self.text_key = None
        kind = str(data.get("type") or "")
        if data.get("error"):
            self._error = error_type(data["error"])
            return False
        self.started = True
        if isinstance(data.get("delta"), str):
            self._text.append(data["delta"])
            self.text_key = None if data.get("usage") else "delta"
        if data.get("usage"):
            read = image_usage if kind.startswith("image") else usage
            self._usage = read_usage(read, data["usage"])
            self.finished = True
        return False

    def add(self, text: str) -> None:
        """Take in an event that differs from the last one in its text alone."""
        self._text.append(text)

    def answered(self) -> Answered:
        """What the events have said so far."""
        return Answered(usage=self._usage, text="".join(self._text), error_type=self._error)


def anatomy(body: Json) -> Anatomy:
    """Take a request apart: its texts. What is uploaded with it is not in its JSON."""
    return inputs(body, "instructions", "input", "prompt")


AUDIO = Dialect("openai.audio", "openai", "transcribe", ask, answer_audio, Events, anatomy=anatomy)
SPEECH = Dialect("openai.speech", "openai", "speech", ask, answer_audio, Events, anatomy=anatomy)
IMAGES = Dialect("openai.images", "openai", "image_generation", ask, answer_images, Events, anatomy=anatomy)
