"""OpenAI's responses, streamed and not, and the count of their input tokens."""

from __future__ import annotations

import time
from typing import Any, Final

from tokenguard.testing.exchange import Json, Request
from tokenguard.testing.openai_wire import (
    PER_MESSAGE,
    content_tokens,
    last_user_text,
    service_tier,
    token_logprobs,
)
from tokenguard.testing.turn import Ask, InvalidRequestError, Turn, count, new_id
from tokenguard.testing.wire import Endpoint, dumps, event, required, whole_number

_ECHOED: Final = (
    "instructions",
    "max_output_tokens",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "truncation",
    "user",
)
_DEFAULTS: Final[Json] = {
    "background": False,
    "error": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
}


def read_response(request: Request, body: Json) -> Ask:
    """What a response asks."""
    model = str(required(body, "model", str))
    given = body.get("input") or []
    if not isinstance(given, str | list):
        raise InvalidRequestError("Invalid type for 'input'.", "input")
    messages = [{"role": "user", "content": given}] if isinstance(given, str) else given
    ask = Ask(request, body, model, prompt=last_user_text(messages), stream=bool(body.get("stream")))
    ask.max_tokens = whole_number(body, "max_output_tokens")
    ask.input_tokens = content_tokens(body.get("instructions"), model)
    ask.input_tokens += sum(_item_tokens(item, model) for item in messages)
    if tools := body.get("tools"):
        ask.input_tokens += count(dumps(tools), model)
        ask.forced_tool = _forced_tool(tools, body.get("tool_choice"))
    shape = (body.get("text") or {}).get("format") or {}
    if shape.get("type") == "json_schema":
        ask.schema = shape.get("schema") or {}
        ask.input_tokens += count(dumps(ask.schema), model)
    return ask


def _item_tokens(item: Any, model: str) -> int:
    if not isinstance(item, dict):
        raise InvalidRequestError("Invalid type for 'input': expected objects.", "input")
    if item.get("type", "message") == "message":
        return PER_MESSAGE + content_tokens(item.get("content"), model)
    return PER_MESSAGE + count(dumps(item), model)


def _forced_tool(tools: list[Any], choice: Any) -> tuple[str, Json] | None:
    name = choice.get("name") if isinstance(choice, dict) else None
    if name is None and choice != "required":
        return None
    for tool in tools:
        if tool.get("type") == "function" and name in (None, tool.get("name")):
            return str(tool.get("name")), tool.get("parameters") or {}
    return None


def response_body(ask: Ask, turn: Turn) -> Json:
    """A ``response`` object."""
    return _finished(_opened(ask, turn), _output(ask, turn), turn)


def count_body(_: Ask, turn: Turn) -> Json:
    """The reply to a count of input tokens."""
    return {"object": "response.input_tokens", "input_tokens": turn.input_tokens}


def _opened(ask: Ask, turn: Turn) -> Json:
    echoed = {key: ask.body[key] for key in _ECHOED if ask.body.get(key) is not None}
    return {
        "id": new_id("resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": turn.answer.model or ask.model,
        "output": [],
        **_DEFAULTS,
        **echoed,
        "service_tier": service_tier(ask, turn),
        "usage": None,
    }


def _finished(opened: Json, output: list[Json], turn: Turn) -> Json:
    cut = turn.stop == "length"
    finished = {
        **opened,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": output,
        "usage": _usage(turn),
    }
    if not cut:
        finished["completed_at"] = int(time.time())
    return finished


def _usage(turn: Turn) -> Json | None:
    answer = turn.answer
    return turn.usage(
        {
            "input_tokens": turn.input_tokens,
            "input_tokens_details": {
                "cached_tokens": answer.cached_tokens,
                "cache_write_tokens": answer.cache_write_tokens,
            },
            "output_tokens": turn.output_tokens,
            "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
            "total_tokens": turn.input_tokens + turn.output_tokens,
        },
        wrong={"total_tokens": turn.input_tokens + turn.output_tokens + 7},
    )


def _output(ask: Ask, turn: Turn) -> list[Json]:
    items: list[Json] = []
    status = "incomplete" if turn.stop == "length" else "completed"
    if turn.answer.reasoning_tokens:
        items.append({"id": new_id("rs_"), "type": "reasoning", "summary": []})
    if turn.text or not turn.tool_calls:
        items.append(
            {
                "id": new_id("msg_"),
                "type": "message",
                "status": status,
                "role": "assistant",
                "content": [_part(ask, turn)],
            }
        )
    calls = [
        {
            "id": new_id("fc_"),
            "type": "function_call",
            "status": status,
            "call_id": call.id or new_id("call_"),
            "name": call.name,
            "arguments": dumps(dict(call.arguments)),
        }
        for call in turn.tool_calls
    ]
    return [*items, *calls]


def _part(ask: Ask, turn: Turn) -> Json:
    if turn.answer.refusal is not None:
        return {"type": "refusal", "refusal": turn.text}
    logprobs = _logprobs(ask, turn, list(turn.pieces))
    return {"type": "output_text", "text": turn.text, "annotations": [], "logprobs": logprobs}


def _logprobs(ask: Ask, turn: Turn, pieces: list[str]) -> list[Json]:
    if "message.output_text.logprobs" not in (ask.body.get("include") or ()):
        return []
    return token_logprobs(turn, pieces, whole_number(ask.body, "top_logprobs") or 0)


def response_events(ask: Ask, turn: Turn) -> list[bytes]:
    """The events of a streamed response, numbered in sequence."""
    opened = _opened(ask, turn)
    output = _output(ask, turn)
    payloads: list[Json] = [
        {"type": "response.created", "response": opened},
        {"type": "response.in_progress", "response": opened},
    ]
    for index, item in enumerate(output):
        payloads += _item_payloads(ask, turn, index, item)
    finished = _finished(opened, output, turn)
    payloads.append({"type": f"response.{finished['status']}", "response": finished})
    return [event({**payload, "sequence_number": number}) for number, payload in enumerate(payloads)]


def _item_payloads(ask: Ask, turn: Turn, index: int, item: Json) -> list[Json]:
    if item["type"] == "message":
        begun = {**item, "status": "in_progress", "content": []}
        between = _text_payloads(ask, turn, index, item)
    elif item["type"] == "function_call":
        begun = {**item, "status": "in_progress", "arguments": ""}
        between = _arguments_payloads(index, item)
    else:
        begun, between = item, []
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *between,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _text_payloads(ask: Ask, turn: Turn, index: int, item: Json) -> list[Json]:
    part = item["content"][0]
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    if part["type"] == "refusal":
        kind, field, more = "response.refusal", "refusal", False
    else:
        kind, field, more = "response.output_text", "text", True
    deltas: list[Json] = [{"type": f"{kind}.delta", **place, "delta": piece} for piece in turn.pieces]
    done: Json = {"type": f"{kind}.done", **place, field: turn.text}
    if more:
        for delta in deltas:
            delta["logprobs"] = _logprobs(ask, turn, [delta["delta"]])
        done["logprobs"] = part["logprobs"]
    empty = {**part, field: ""}
    return [
        {"type": "response.content_part.added", **place, "part": empty},
        *deltas,
        done,
        {"type": "response.content_part.done", **place, "part": part},
    ]


def _arguments_payloads(index: int, item: Json) -> list[Json]:
    place = {"item_id": item["id"], "output_index": index}
    arguments = item["arguments"]
    kind = "response.function_call_arguments"
    deltas = [arguments[start : start + 8] for start in range(0, len(arguments), 8)]
    done = {"type": f"{kind}.done", **place, "name": item["name"], "arguments": arguments}
    return [*({"type": f"{kind}.delta", **place, "delta": delta} for delta in deltas), done]


RESPONSES: Final = Endpoint("openai_responses", read_response, response_body, response_events)
INPUT_TOKENS: Final = Endpoint("openai_count", read_response, count_body, speaks=False)
