"""Anthropic messages (and beta messages): requests, replies and streams."""

from __future__ import annotations

from typing import Any, Final

from tokenguard.anatomy import Anatomy, Message, Part
from tokenguard.call import Answered, Asked, Json, Meter, Usage
from tokenguard.dialects.anthropic_content import content, message, tool_choice, tools
from tokenguard.dialects.dialect import (
    Dialect,
    details,
    items,
    optional_float,
    optional_int,
    optional_str,
    read_usage,
    require,
    tokens,
)
from tokenguard.dialects.openai_chat import error_type
from tokenguard.dialects.pieces import mark_last, nested, strange_message

_TEXTS: Final = ("text", "partial_json", "thinking")


def ask(body: Json) -> Asked:
    """Read a request."""
    return Asked(
        model=str(body.get("model") or ""),
        stream=body.get("stream") is True,
        max_tokens=optional_int(body, "max_tokens"),
        temperature=optional_float(body, "temperature"),
        top_p=optional_float(body, "top_p"),
        service_tier=optional_str(body, "service_tier"),
    )


def usage(block: Json) -> Usage:
    """Disjoint meters of a usage block. Anthropic's are disjoint already; writes are split by lifetime.

    A compaction of the context is billed like any other inference, but only told among the iterations.
    """
    meters = _meters(block)
    for iteration in items(block, "iterations"):
        if iteration.get("type") == "compaction":
            for meter, n in _meters(iteration).items():
                meters[meter] = meters.get(meter, 0) + n
    return Usage(
        meters=meters,
        reasoning=tokens(details(block, "output_tokens_details"), "thinking_tokens"),
        raw=block,
    )


def _meters(block: Json) -> dict[Meter, int]:
    require(block, "input_tokens", "output_tokens")
    lifetimes = details(block, "cache_creation")
    long = tokens(lifetimes, "ephemeral_1h_input_tokens")
    short = tokens(block, "cache_creation_input_tokens") - long
    if block.get("cache_creation_input_tokens") is None:
        short = tokens(lifetimes, "ephemeral_5m_input_tokens")
    meters = {
        Meter.CACHE_READ: tokens(block, "cache_read_input_tokens"),
        Meter.CACHE_WRITE: short,
        Meter.CACHE_WRITE_1H: long,
        Meter.WEB_SEARCHES: tokens(details(block, "server_tool_use"), "web_search_requests"),
    }
    meters = {meter: n for meter, n in meters.items() if n}
    meters[Meter.INPUT] = tokens(block, "input_tokens")
    meters[Meter.OUTPUT] = tokens(block, "output_tokens")
    return meters


def answer(body: Json) -> Answered:
    """Read a whole message."""
    block = details(body, "usage")
    reason = body.get("stop_reason")
    return Answered(
        response_id=optional_str(body, "id"),
        model=optional_str(body, "model"),
        service_tier=optional_str(block, "service_tier"),
        finish_reasons=(str(reason),) if reason else (),
        usage=read_usage(usage, body.get("usage")),
        error_type=error_type(body["error"]) if body.get("error") else None,
        inference_geo=optional_str(block, "inference_geo"),
        speed=optional_str(block, "speed"),
    )


class Events:
    """Reads ``message_*`` and ``content_block_*`` events.

    The counts in ``message_delta`` are cumulative: they replace those of ``message_start``.
    Usage is only the truth once ``message_delta`` has come; until then, only its input is known.
    """

    def __init__(self) -> None:
        self.started = False
        self.finished = False
        self.text_key: str | None = None
        self._message: Json = {}
        self._usage: Json = {}
        self._reason: str | None = None
        self._text: list[str] = []
        self._error: str | None = None

    def feed(self, name: str | None, data: Json) -> bool:
        """Take one event in. None of them carries only usage."""
        self.text_key = None
        kind = data.get("type") or name
        if kind == "content_block_delta":
            self._take(details(data, "delta"))
        elif kind == "message_start":
            self._message = details(data, "message")
            self._usage = dict(details(self._message, "usage"))
        elif kind == "message_delta":
            later = details(data, "usage")
            self._usage.update({key: value for key, value in later.items() if value is not None})
            self._reason = details(data, "delta").get("stop_reason") or self._reason
        elif kind == "content_block_start":
            self.started = True
        elif kind == "message_stop":
            self.finished = True
        elif kind == "error":
            self._error = error_type(data.get("error"))
        return False

    def _take(self, delta: Json) -> None:
        self.started = True
        key = next((key for key in _TEXTS if delta.get(key)), None)
        if key and isinstance(delta[key], str):
            self._text.append(delta[key])
            self.text_key = key

    def add(self, text: str) -> None:
        """Take in an event that differs from the last one in its text alone."""
        self._text.append(text)

    def answered(self) -> Answered:
        """What the events have said so far."""
        whole = answer({**self._message, "usage": self._usage, "stop_reason": self._reason})
        return Answered(
            response_id=whole.response_id,
            model=whole.model,
            service_tier=whole.service_tier,
            finish_reasons=whole.finish_reasons,
            usage=whole.usage if self._usage else None,
            usage_final=self._reason is not None,
            text="".join(self._text),
            error_type=self._error,
            inference_geo=whole.inference_geo,
            speed=whole.speed,
        )


def anatomy(body: Json) -> Anatomy:
    """Take a request apart: the system prompt, then the messages."""
    messages, told = _system(body.get("system")), body.get("messages")
    if isinstance(told, list):
        messages += [message(raw, ("messages", i)) for i, raw in enumerate(told)]
    elif told:
        messages.append(strange_message(told, ("messages",)))
    if body.get("cache_control") and messages:  # the provider puts the mark on the last block
        messages[-1] = _marked(messages[-1])
    path = next((path for path in _SCHEMAS if isinstance(nested(body, *path), dict)), ())
    return Anatomy(
        tuple(messages),
        tuple(tools(body.get("tools"), ("tools",))),
        nested(body, *path) if path else None,
        path,
        tuple([name for name in _ELSEWHERE if _adds(body.get(name))]),
        tool_choice(body.get("tool_choice")),
    )


_SCHEMAS: Final = (("output_config", "format", "schema"), ("output_format", "schema"))
_ELSEWHERE: Final = ("mcp_servers", "container", "thread")


def _system(value: Any) -> list[Message]:
    parts: list[Part] = []
    content(value, ("system",), "content", parts)
    return [Message("system", ("system",), tuple(parts), value)] if parts else []


def _marked(last: Message) -> Message:
    parts = list(last.parts)
    mark_last(parts, 0)
    return last._replace(parts=tuple(parts))


def _adds(value: Any) -> bool:
    """Whether there is something that the provider adds: servers, skills, an earlier conversation."""
    if isinstance(value, dict):
        return bool(value.get("skills") or value.get("previous_message_id"))
    return isinstance(value, list) and bool(value)


MESSAGES = Dialect("anthropic.messages", "anthropic", "chat", ask, answer, Events, anatomy=anatomy)
