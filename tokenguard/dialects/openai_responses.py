"""OpenAI responses: requests, replies and streams."""

from __future__ import annotations

from typing import Any, Final

from tokenguard.anatomy import Anatomy, Message, Part, Path, Role, Source
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
from tokenguard.dialects.openai_chat import error_type
from tokenguard.dialects.openai_content import content, tool_choice, tools
from tokenguard.dialects.pieces import Reader, call, media, nested, strange_message, stranger, texts
from tokenguard.dialects.words import NOT_WORDS

_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})


def ask(body: Json) -> Asked:
    """Read a request."""
    return Asked(
        model=str(body.get("model") or ""),
        stream=body.get("stream") is True,
        max_tokens=optional_int(body, "max_output_tokens"),
        temperature=optional_float(body, "temperature"),
        top_p=optional_float(body, "top_p"),
        service_tier=optional_str(body, "service_tier"),
    )


def usage(block: Json) -> Usage:
    """Disjoint meters of a usage block: tokens read from or written to the cache leave the input.

    A write for 12 hours has the price of the long write; one for 30 minutes that of the short one.
    """
    require(block, "input_tokens", "output_tokens")
    sent = details(block, "input_tokens_details")
    cached, written = tokens(sent, "cached_tokens"), tokens(sent, "cache_write_tokens")
    long = tokens(details(sent, "cache_write_tokens_details"), "ttl_12h_tokens")
    meters = {
        Meter.INPUT: tokens(block, "input_tokens") - cached - written,
        Meter.OUTPUT: tokens(block, "output_tokens"),
    }
    if cached:
        meters[Meter.CACHE_READ] = cached
    if written != long:
        meters[Meter.CACHE_WRITE] = written - long
    if long:
        meters[Meter.CACHE_WRITE_1H] = long
    total = block.get("total_tokens")
    return Usage(
        meters=meters,
        reasoning=tokens(details(block, "output_tokens_details"), "reasoning_tokens"),
        total=total if isinstance(total, int) else None,
        raw=block,
    )


def answer(body: Json) -> Answered:
    """Read a whole response object. Web searches are billed apart and counted from its output."""
    read = read_usage(usage, body.get("usage"))
    searches = sum(map(_is_search, items(body, "output")))
    if read and read.meters and searches:
        read = Usage({**read.meters, Meter.WEB_SEARCHES: searches}, read.reasoning, read.total, read.raw)
    reason = details(body, "incomplete_details").get("reason") or body.get("status")
    return Answered(
        response_id=optional_str(body, "id"),
        model=optional_str(body, "model"),
        service_tier=optional_str(body, "service_tier"),
        finish_reasons=(str(reason),) if reason else (),
        usage=read,
        error_type=error_type(body["error"]) if body.get("error") else None,
    )


def _is_search(item: Json) -> bool:
    """Whether an item is a billed search: opening a page and looking through it cost no call.

    Source: developers.openai.com/api/docs/guides/tools-web-search ("search actions incur a tool call cost").
    """
    return item.get("type") == "web_search_call" and details(item, "action").get("type") in (None, "search")


class Events:
    """Reads ``response.*`` events. The first and the last carry the whole response object."""

    def __init__(self) -> None:
        self.started = False
        self.finished = False
        self.text_key: str | None = None
        self._response = Answered()
        self._text: list[str] = []
        self._error: str | None = None

    def feed(self, name: str | None, data: Json) -> bool:
        """Take one event in. None of them carries only usage."""
        self.text_key = None
        kind = optional_str(data, "type") or name or ""
        if kind.endswith(".delta"):
            self.started = True
            delta = data.get("delta")
            if isinstance(delta, str) and kind != "response.audio.delta":  # that is base64
                self._text.append(delta)
                self.text_key = "delta"
        elif kind == "error":
            self._error = error_type(data.get("error") or {"code": data.get("code")})
        elif isinstance(data.get("response"), dict):
            self._response = answer(data["response"])
            self.finished = kind in _LAST
        return False

    def add(self, text: str) -> None:
        """Take in an event that differs from the last one in its text alone."""
        self._text.append(text)

    def answered(self) -> Answered:
        """What the events have said so far."""
        last = self._response
        return Answered(
            response_id=last.response_id,
            model=last.model,
            service_tier=last.service_tier,
            finish_reasons=last.finish_reasons if self.finished else (),
            usage=last.usage,
            text="".join(self._text),
            error_type=self._error or last.error_type,
        )


def anatomy(body: Json) -> Anatomy:
    """Take a request apart: instructions, a template's variables, then what was said and done."""
    messages = _before(body)
    offered = tools(body.get("tools"), ("tools",))
    unseen = [name for name in ("previous_response_id", "conversation", "prompt") if body.get(name)]
    told = body.get("input")
    if isinstance(told, list):
        for i, item in enumerate(told):
            messages.append(_message(item, ("input", i)))
            kind = item.get("type") if isinstance(item, dict) else None
            if kind in ("additional_tools", "tool_search_output"):
                offered += tools(item.get("tools"), ("input", i, "tools"))
        if any(map(_is_reference, told)):
            unseen.append("item_reference")
    elif told is not None:
        messages.append(strange_message(told, ("input",)))
    schema = nested(body, "text", "format", "schema")
    chosen = body.get("tool_choice")
    return Anatomy(
        tuple(messages),
        tuple(offered),
        schema if isinstance(schema, dict) else None,
        ("text", "format", "schema") if isinstance(schema, dict) else (),
        tuple(unseen),
        tool_choice(chosen) if chosen else "",
    )


def _before(body: Json) -> list[Message]:
    """What the model reads before the input."""
    messages = []
    instructions, values = body.get("instructions"), nested(body, "prompt", "variables")
    parts: list[Part] = []
    if instructions:
        content(instructions, ("instructions",), "content", parts)
        messages.append(Message("system", ("instructions",), tuple(parts), instructions))
    if isinstance(values, dict) and values:
        parts = []
        for name, value in values.items():
            content(value, ("prompt", "variables", name), "content", parts)
        messages.append(Message("user", ("prompt", "variables"), tuple(parts), values))
    return messages


def _is_reference(item: Any) -> bool:
    """Whether an item only names one that the provider keeps."""
    return isinstance(item, dict) and (
        item.get("type") == "item_reference" or ("id" in item and item.keys() <= {"id", "type"})
    )


_ROLES: Final[dict[Any, Role]] = {"system": "system", "developer": "system", "assistant": "assistant"}

_ARGUMENTS: Final = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "mcp_call": "arguments",
    "mcp_approval_request": "arguments",
    "tool_search_call": "arguments",
    "computer_call": "action",
    "local_shell_call": "action",
    "shell_call": "action",
    "apply_patch_call": "operation",
    "web_search_call": "action",
    "file_search_call": "queries",
    "code_interpreter_call": "code",
    "program": "code",
}
"""Under which key an item that is a call has its arguments."""


_RESULT: Final = {
    "function_call_output": "output",
    "custom_tool_call_output": "output",
    "computer_call_output": "output",
    "local_shell_call_output": "output",
    "shell_call_output": "output",
    "apply_patch_call_output": "output",
    "program_output": "result",
}
"""Under which key an item that answers a call has its answer."""

_TOOLS: Final = ("additional_tools", "tool_search_output")
"""Items that offer more tools, and say nothing else."""


def _message(item: Any, path: Path) -> Message:
    """One item of the input."""
    if not isinstance(item, dict):
        return strange_message(item, path)
    kind, said = item.get("type"), item.get("role")
    parts: list[Part] = []
    role: Role = "assistant"
    if isinstance(said, str) and (kind == "message" or kind is None):
        role = _ROLES.get(said, "user")
        content(item.get("content"), (*path, "content"), "content", parts)
    elif kind in _TOOLS:
        role = "system"
    elif not isinstance(kind, str):
        _unnamed(item, path, parts)
    elif kind in _RESULT:
        role, key = "tool", _RESULT[kind]
        content(item.get(key), (*path, key), "tool_result", parts)
    elif kind in _ARGUMENTS:
        _call(item, kind, path, parts)
    else:
        reader: Reader = _READERS.get(kind, stranger)
        reader(item, path, "content", parts)
    return Message(role, path, tuple(parts), item)


def _unnamed(item: Json, path: Path, parts: list[Part]) -> None:
    """What has no type: a reference, or something that no provider takes."""
    if _is_reference(item):
        parts.append(Part("unseen", path))
    else:
        stranger(item, path, "content", parts)


def _call(item: Json, kind: str, path: Path, parts: list[Part]) -> None:
    key = _ARGUMENTS[kind]
    if key not in item and f"{key}s" in item:
        key = f"{key}s"  # newer computer calls have several actions
    name = item.get("name") or kind.removesuffix("_call")
    call(item, path, key, parts, name)
    if kind in ("function_call", "custom_tool_call"):
        return
    for other, value in item.items():  # what came of it, where the provider ran the tool
        if other not in (key, "name") and other not in NOT_WORDS:
            texts(value, (*path, other), "tool_result", parts)
    parts.append(Part("unseen", path, "", None, "tool_result"))


def _reasoning(item: Json, path: Path, source: Source, parts: list[Part]) -> None:  # noqa: ARG001
    content(item.get("content"), (*path, "content"), "reasoning", parts)
    thought = bool(parts)
    content(item.get("summary"), (*path, "summary"), "reasoning", parts)
    if item.get("encrypted_content"):
        parts.append(Part("unseen", (*path, "encrypted_content"), "", None, "reasoning"))
    elif not thought:  # the provider keeps it, and has its id
        parts.append(Part("unseen", path, "", None, "reasoning"))


def _kept(item: Json, path: Path, source: Source, parts: list[Part]) -> None:
    key = ("encrypted_content",) if item.get("encrypted_content") else ()
    parts.append(Part("unseen", (*path, *key), "", None, source))


def _image(item: Json, path: Path, source: Source, parts: list[Part]) -> None:
    texts(item.get("revised_prompt"), (*path, "revised_prompt"), source, parts)
    kind = item.get("output_format")
    found = media(item.get("result"), None, f"image/{kind}" if isinstance(kind, str) else "")
    parts.append(Part("image", path, "", found, source))


_READERS: Final[dict[str, Reader]] = {
    "reasoning": _reasoning,
    "compaction": _kept,
    "item_reference": _kept,
    "image_generation_call": _image,
}


RESPONSES = Dialect("openai.responses", "openai", "chat", ask, answer, Events, anatomy=anatomy)
