"""Anthropic's messages and token counts, streamed and not; directly, on Vertex AI and on Bedrock."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from tokenguard.testing import aws_event_stream
from tokenguard.testing.exchange import Json, Request
from tokenguard.testing.openai_wire import content_tokens, last_user_text
from tokenguard.testing.turn import Ask, InvalidRequestError, Turn, count, new_id
from tokenguard.testing.wire import Endpoint, dumps, event, required, whole_number

PER_MESSAGE: Final = 4
"""Tokens of the format around each message; Anthropic publishes no figure, so any does."""

_CUMULATIVE: Final = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
)
"""What the usage in ``message_delta`` repeats. Source: ``MessageDeltaUsage`` of the anthropic SDK."""

_STOPS: Final = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def read_messages(request: Request, body: Json) -> Ask:
    """What a message asks."""
    return _read(request, body, str(required(body, "model", str)), bool(body.get("stream")))


def read_count(request: Request, body: Json) -> Ask:
    """What a token count asks: the same as a message, without a cap."""
    return _read(request, {"max_tokens": 0, **body}, str(required(body, "model", str)), stream=False)


def read_bedrock(request: Request, body: Json) -> Ask:
    """What a message asks on Bedrock, where path names the model and whether to stream."""
    _, _, rest = request.path.partition("/model/")
    model, _, action = rest.rpartition("/")
    return _read(request, body, unquote(model), action.endswith("response-stream"))


def read_vertex(request: Request, body: Json) -> Ask:
    """What a message asks on Vertex AI, where the path names the model and whether to stream."""
    model, _, action = request.path.rpartition("/")[2].partition(":")
    if model == "count-tokens":
        return read_count(request, body)
    return _read(request, body, unquote(model), action == "streamRawPredict")


def _read(request: Request, body: Json, model: str, stream: bool) -> Ask:
    messages = required(body, "messages", list)
    ask = Ask(request, body, model, prompt=last_user_text(messages), stream=stream)
    ask.max_tokens = whole_number(body, "max_tokens")
    if ask.max_tokens is None:
        raise InvalidRequestError("max_tokens: Field required", "max_tokens")
    ask.input_tokens = content_tokens(body.get("system"), model)
    for message in messages:
        if not isinstance(message, dict):
            raise InvalidRequestError("messages: Input should be objects", "messages")
        ask.input_tokens += PER_MESSAGE + content_tokens(message.get("content"), model)
    if tools := body.get("tools"):
        ask.input_tokens += count(dumps(tools), model)
        ask.forced_tool = _forced_tool(tools, body.get("tool_choice") or {})
    shape = (body.get("output_config") or {}).get("format") or body.get("output_format")
    if isinstance(shape, dict) and shape.get("type") == "json_schema":
        ask.schema = shape.get("schema") or {}
        ask.input_tokens += count(dumps(ask.schema), model)
    return ask


def _forced_tool(tools: list[Any], choice: Json) -> tuple[str, Json] | None:
    if choice.get("type") not in ("any", "tool"):
        return None
    for tool in tools:
        if choice["type"] == "any" or tool.get("name") == choice.get("name"):
            return str(tool.get("name")), tool.get("input_schema") or {}
    return None


def message_body(ask: Ask, turn: Turn) -> Json:
    """A ``message`` object."""
    message = _message(ask, turn, _content(turn), _stop_reason(turn))
    if (usage := _usage(ask, turn)) is not None:
        message["usage"] = usage
    return message


def count_body(_: Ask, turn: Turn) -> Json:
    """The reply to a token count."""
    return {"input_tokens": turn.input_tokens}


def _message(ask: Ask, turn: Turn, content: list[Json], stop_reason: str | None) -> Json:
    return {
        "id": new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": turn.answer.model or ask.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
    }


def _content(turn: Turn) -> list[Json]:
    blocks: list[Json] = []
    if turn.answer.thinking is not None:
        blocks.append({"type": "thinking", "thinking": turn.answer.thinking, "signature": "c2lnbmF0dXJl"})
    if turn.text or not turn.tool_calls:
        blocks.append({"type": "text", "text": turn.text})
    for call in turn.tool_calls:
        made_up = call.id or new_id("toolu_")
        blocks.append({"type": "tool_use", "id": made_up, "name": call.name, "input": dict(call.arguments)})
    return blocks


def _stop_reason(turn: Turn) -> str:
    if turn.stop == "length":
        return "max_tokens"
    if turn.answer.refusal is not None:
        return "refusal"
    return turn.answer.finish_reason or _STOPS[turn.stop]


def _usage(ask: Ask, turn: Turn) -> Json | None:
    answer = turn.answer
    tier = ask.body.get("service_tier")
    return turn.usage(
        {
            "input_tokens": max(0, turn.input_tokens - answer.cached_tokens - answer.cache_write_tokens),
            "cache_creation_input_tokens": answer.cache_write_tokens,
            "cache_read_input_tokens": answer.cached_tokens,
            "cache_creation": {
                "ephemeral_5m_input_tokens": answer.cache_write_tokens,
                "ephemeral_1h_input_tokens": 0,
            },
            "output_tokens": turn.output_tokens,
            "service_tier": answer.service_tier
            or ("standard" if tier in (None, "auto", "standard_only") else tier),
        },
        wrong={
            "cache_creation_input_tokens": answer.cache_write_tokens + 1,
            "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 7},
        },
    )


def message_payloads(ask: Ask, turn: Turn) -> list[Json]:
    """The events of a streamed message. The usage in ``message_delta`` is cumulative."""
    usage = _usage(ask, turn)
    message = _message(ask, turn, [], None)
    if usage is not None:
        message["usage"] = {**usage, "output_tokens": min(1, usage["output_tokens"])}
    payloads: list[Json] = [{"type": "message_start", "message": message}]
    for index, block in enumerate(_content(turn)):
        payloads += _block_payloads(index, block, turn)
        if index == 0:
            payloads.insert(2, {"type": "ping"})
    delta: Json = {"stop_reason": _stop_reason(turn), "stop_sequence": None}
    last: Json = {"type": "message_delta", "delta": delta}
    if usage is not None:
        last["usage"] = {key: usage[key] for key in _CUMULATIVE if key in usage}
    return [*payloads, last, {"type": "message_stop"}]


def _block_payloads(index: int, block: Json, turn: Turn) -> list[Json]:
    kind = block["type"]
    deltas: list[Json]
    if kind == "text":
        opened: Json = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in turn.pieces]
    elif kind == "thinking":
        opened = {"type": "thinking", "thinking": "", "signature": ""}
        deltas = [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    else:
        opened = {**block, "input": {}}
        arguments = dumps(block["input"])
        parts = [arguments[start : start + 8] for start in range(0, len(arguments), 8)]
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in ("", *parts)]
    return [
        {"type": "content_block_start", "index": index, "content_block": opened},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def message_events(ask: Ask, turn: Turn) -> list[bytes]:
    """The server-sent events of a streamed message."""
    return [event(payload) for payload in message_payloads(ask, turn)]


def bedrock_events(ask: Ask, turn: Turn) -> list[bytes]:
    """The same events in the framing of Bedrock; the last one carries its metrics."""
    *payloads, last = message_payloads(ask, turn)
    metrics = {
        "inputTokenCount": turn.input_tokens,
        "outputTokenCount": turn.output_tokens,
        "invocationLatency": 100,
        "firstByteLatency": 50,
    }
    payloads.append({**last, "amazon-bedrock-invocationMetrics": metrics})
    return [aws_event_stream.chunk(dumps(payload)) for payload in payloads]


MESSAGES: Final = Endpoint("anthropic_messages", read_messages, message_body, message_events)
COUNT_TOKENS: Final = Endpoint("anthropic_count", read_count, count_body, speaks=False)
VERTEX: Final = Endpoint("anthropic_messages", read_vertex, message_body, message_events)
VERTEX_COUNT: Final = Endpoint("anthropic_count", read_vertex, count_body, speaks=False)
BEDROCK: Final = Endpoint(
    "anthropic_messages",
    read_bedrock,
    message_body,
    bedrock_events,
    stream_type=aws_event_stream.CONTENT_TYPE,
)
