"""OpenAI responses: requests, replies and streams."""

from __future__ import annotations

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


RESPONSES = Dialect("openai.responses", "openai", "chat", ask, answer, Events)
