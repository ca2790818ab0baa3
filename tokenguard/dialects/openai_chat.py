"""OpenAI chat completions and legacy completions: requests, replies and streams."""

from __future__ import annotations

from typing import Any, Final

from tokenguard.anatomy import Anatomy, Media, Message, Part, Path, Role, Tool
from tokenguard.call import Answered, Asked, Json, Meter, Usage
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
from tokenguard.dialects.openai_content import content, inputs, tool_choice, tools
from tokenguard.dialects.pieces import call, nested, strange_message, stranger, text_or_empty, texts, tool
from tokenguard.dialects.words import NOT_WORDS, made_text

_TEXTS: Final = ("content", "text", "refusal")
_REASONING: Final = ("reasoning_content", "reasoning")  # of OpenAI-compatible servers
_CALLED: Final = ("name", "arguments", "input")  # a function has arguments, a custom tool an input


def ask(body: Json) -> Asked:
    """Read a request. ``max_completion_tokens`` wins over the older ``max_tokens``."""
    return Asked(
        model=str(body.get("model") or ""),
        stream=body.get("stream") is True,
        max_tokens=optional_int(body, "max_completion_tokens") or optional_int(body, "max_tokens"),
        temperature=optional_float(body, "temperature"),
        top_p=optional_float(body, "top_p"),
        choices=optional_int(body, "n") or 1,
        service_tier=optional_str(body, "service_tier"),
    )


def usage(block: Json) -> Usage:
    """Disjoint meters of a usage block: cached, written, audio and image tokens leave the prompt.

    Reasoning is part of the completion, but for xAI, which counts it beside: the total tells.
    """
    require(block, "prompt_tokens", "completion_tokens")
    prompt, completion = tokens(block, "prompt_tokens"), tokens(block, "completion_tokens")
    made = details(block, "completion_tokens_details")
    reasoning, total = tokens(made, "reasoning_tokens"), block.get("total_tokens")
    if total == prompt + completion + reasoning:
        completion += reasoning
    meters: dict[Meter, int] = {}
    prompt -= _set_apart(meters, details(block, "prompt_tokens_details"), _OF_PROMPT)
    completion -= _set_apart(meters, made, _OF_COMPLETION)
    meters[Meter.INPUT] = prompt
    meters[Meter.OUTPUT] = completion
    return Usage(meters, reasoning, total if isinstance(total, int) else None, block)


_OF_PROMPT: Final = (
    ("cached_tokens", Meter.CACHE_READ),
    ("cache_write_tokens", Meter.CACHE_WRITE),
    ("audio_tokens", Meter.AUDIO_INPUT),
    ("image_tokens", Meter.IMAGE_INPUT),
)
_OF_COMPLETION: Final = (("audio_tokens", Meter.AUDIO_OUTPUT), ("image_tokens", Meter.IMAGE_OUTPUT))


def _set_apart(meters: dict[Meter, int], block: Json, kinds: tuple[tuple[str, Meter], ...]) -> int:
    """Give what is counted within a total a meter of its own; returns how much that is."""
    apart = 0
    for name, meter in kinds:
        if block.get(name):
            meters[meter] = n = tokens(block, name)
            apart += n
    return apart


def answer(body: Json) -> Answered:
    """Read a whole reply."""
    choices = items(body, "choices")
    return Answered(
        response_id=optional_str(body, "id"),
        model=optional_str(body, "model"),
        service_tier=optional_str(body, "service_tier"),
        finish_reasons=tuple(str(c["finish_reason"]) for c in choices if c.get("finish_reason")),
        usage=read_usage(usage, body.get("usage")),
        error_type=error_type(body["error"]) if body.get("error") else None,
    )


class Events:
    """Reads ``chat.completion.chunk`` (and legacy ``text_completion``) events."""

    def __init__(self) -> None:
        self.started = False
        self.finished = False
        self.text_key: str | None = None
        self._id: str | None = None
        self._model: str | None = None
        self._tier: str | None = None
        self._finish: dict[int, str] = {}
        self._usage: Usage | None = None
        self._text: list[str] = []
        self._error: str | None = None

    def feed(self, name: str | None, data: Json) -> bool:  # noqa: ARG002 - OpenAI's chunks have no names
        """Take one chunk in; True for the one that carries only the usage."""
        if self._id is None:
            self._id = optional_str(data, "id")
        self._model = optional_str(data, "model") or self._model
        self._tier = optional_str(data, "service_tier") or self._tier
        keys = [self._take(choice) for choice in items(data, "choices")]
        block, error = data.get("usage"), data.get("error")
        if block:
            self._usage = read_usage(usage, block)
        if error:
            self._error = error_type(error)
        self.text_key = keys[0] if len(keys) == 1 and not (block or error) else None
        return bool(block) and data.get("choices") == []

    def _take(self, choice: Json) -> str | None:
        """Take one choice in; gives the key of its text, where it says nothing else."""
        reason = choice.get("finish_reason")
        if reason:
            self._finish[optional_int(choice, "index") or 0] = str(reason)
        # Legacy completions have their text in the choice itself.
        key, text = _content(choice.get("delta") or choice)
        if not text:
            return None
        self.started = True
        self._text.append(text)
        return None if reason else key

    def add(self, text: str) -> None:
        """Take in a chunk that differs from the last one in its text alone."""
        self._text.append(text)

    def answered(self) -> Answered:
        """What the chunks have said so far."""
        return Answered(
            response_id=self._id,
            model=self._model,
            service_tier=self._tier,
            finish_reasons=tuple(self._finish[index] for index in sorted(self._finish)),
            usage=self._usage,
            text="".join(self._text),
            error_type=self._error,
        )


def _content(delta: Json) -> tuple[str | None, str]:
    """What a delta says, of whatever kind; and under which key, where that is one string."""
    for key in _TEXTS:
        text = delta.get(key)
        if text and not isinstance(text, str):
            return None, made_text({"content": text})  # Mistral streams lists of parts
        if text:
            return key, text
    for key in _REASONING:
        text = delta.get(key)
        if text and isinstance(text, str):
            return key, text
    return _other_content(delta)


def _other_content(delta: Json) -> tuple[str | None, str]:
    """Tool calls and audio, as :func:`_content`."""
    made: list[tuple[Any, tuple[str, ...]]]
    made = [(tool.get("function") or tool.get("custom"), _CALLED) for tool in items(delta, "tool_calls")]
    made += [(delta.get("function_call"), _CALLED), (delta.get("audio"), ("transcript",))]
    parts = [
        (name, block[name])
        for block, names in made
        if isinstance(block, dict)
        for name in names
        if block.get(name) and isinstance(block[name], str)
    ]
    return parts[0][0] if len(parts) == 1 else None, "".join(text for _, text in parts)


def error_type(error: Any) -> str:
    """A low-cardinality name for an error object that came inside a 200 answer."""
    if isinstance(error, dict):
        return str(error.get("type") or error.get("code") or "error")
    return "error"


def with_usage(body: Json) -> Json | None:
    """The same streamed request, asking for usage too; ``None`` where nothing is to be changed."""
    if body.get("stream") is not True:
        return None
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        return None
    if options and "include_usage" in options:
        return None
    return {**body, "stream_options": {**(options or {}), "include_usage": True}}


def anatomy(body: Json) -> Anatomy:
    """Take a request apart."""
    told = body.get("messages")
    if isinstance(told, list):
        messages = tuple([_message(raw, ("messages", i)) for i, raw in enumerate(told)])
    else:
        messages = (strange_message(told, ("messages",)),) if told else ()
    schema = nested(body, "response_format", "json_schema", "schema")
    chosen = body.get("tool_choice") or body.get("function_call")
    return Anatomy(
        messages,
        (*tools(body.get("tools"), ("tools",)), *_functions(body.get("functions"))),
        schema if isinstance(schema, dict) else None,
        ("response_format", "json_schema", "schema") if isinstance(schema, dict) else (),
        ("web_search_options",) if body.get("web_search_options") is not None else (),
        tool_choice(chosen) if chosen else "",
    )


_ROLES: Final[dict[Any, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


def _message(raw: Any, path: Path) -> Message:
    if not isinstance(raw, dict):
        return strange_message(raw, path)
    said = raw.get("role")
    role = _ROLES.get(said, "user") if isinstance(said, str) else "user"
    parts: list[Part] = []
    content(raw.get("content"), (*path, "content"), "tool_result" if role == "tool" else "content", parts)
    if len(raw) <= 2 and "content" in raw and "role" in raw:  # as most are
        return Message(role, path, tuple(parts), raw)
    for key, value in raw.items():
        if key not in _READ and key not in NOT_WORDS and value is not None:
            _beside(key, value, path, parts)
    return Message(role, path, tuple(parts), raw, text_or_empty(raw.get("name")))


_READ: Final = frozenset({"role", "content", "name"})


def _beside(key: str, value: Any, path: Path, parts: list[Part]) -> None:
    """What a message has beside its content."""
    path = (*path, key)
    if key == "tool_calls" and isinstance(value, list):
        for i, one in enumerate(value):
            _tool_call(one, (*path, i), parts)
    elif key == "function_call" and isinstance(value, dict):
        call(value, path, "arguments", parts)
    elif key == "audio":  # what the model said earlier, which the provider keeps
        parts.append(Part("audio", path, "", Media(url=text_or_empty(nested(value, "id")))))
    else:
        texts(value, path, "reasoning" if key.startswith("reasoning") else "content", parts)


def _tool_call(one: Any, path: Path, parts: list[Part]) -> None:
    for key, arguments in (("function", "arguments"), ("custom", "input")):
        called = nested(one, key)
        if isinstance(called, dict):
            return call(called, (*path, key), arguments, parts)
    return stranger(one, path, "tool_call", parts)


def _functions(value: Any) -> list[Tool]:
    """The tools of older requests."""
    if not isinstance(value, list):
        return []
    return [
        tool(raw, ("functions", i), raw, "parameters") for i, raw in enumerate(value) if isinstance(raw, dict)
    ]


def completion_anatomy(body: Json) -> Anatomy:
    """Take a legacy request apart: one message, with a part for each prompt."""
    return inputs(body, "prompt", "suffix")


CHAT = Dialect("openai.chat", "openai", "chat", ask, answer, Events, with_usage, anatomy)
COMPLETIONS = Dialect(
    "openai.completions", "openai", "text_completion", ask, answer, Events, with_usage, completion_anatomy
)
