"""OpenAI's chat completions and legacy completions, streamed and not."""

from __future__ import annotations

import hashlib
import time
from typing import Any, Final

from tokenguard.testing.exchange import Json, Request
from tokenguard.testing.turn import Ask, InvalidRequestError, Turn, count, new_id
from tokenguard.testing.wire import Endpoint, data, dumps, required, whole_number

PER_MESSAGE: Final = 3
PER_REPLY: Final = 3
PER_NAME: Final = 1
"""Tokens of the chat format around the texts. Source: OpenAI cookbook, "How to count tokens"."""

PER_IMAGE: Final = 85
"""Every image, audio or file part counts this much: an image at low detail. The parts are not looked at."""

_MOST_CHOICES = 128
"""As the API has it."""
_DEPLOYMENT: Final = "/openai/deployments/"

DONE: Final = b"data: [DONE]\n\n"


def read_chat(request: Request, body: Json) -> Ask:
    """What a chat completion asks."""
    messages = required(body, "messages", list)
    ask = _read(request, body)
    ask.max_tokens = whole_number(body, "max_completion_tokens", "max_tokens")
    ask.prompt = last_user_text(messages)
    ask.input_tokens = PER_REPLY + sum(message_tokens(message, ask.model) for message in messages)
    if tools := body.get("tools"):
        ask.input_tokens += count(dumps(tools), ask.model)
        ask.forced_tool = _forced_tool(tools, body.get("tool_choice"))
    shape = body.get("response_format")
    if isinstance(shape, dict) and shape.get("type") == "json_schema":
        ask.schema = (shape.get("json_schema") or {}).get("schema") or {}
        ask.input_tokens += count(dumps(ask.schema), ask.model)
    elif isinstance(shape, dict) and shape.get("type") == "json_object":
        ask.schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
    return ask


def read_completion(request: Request, body: Json) -> Ask:
    """What a legacy completion asks."""
    prompt = required(body, "prompt", (str, list))
    ask = _read(request, body)
    # The legacy endpoint's documented default; the others have none.
    ask.max_tokens = 16 if body.get("max_tokens") is None else whole_number(body, "max_tokens")
    texts, tokens = prompt_texts(prompt)
    ask.prompt = texts[-1] if texts else ""
    ask.input_tokens = tokens + sum(count(text, ask.model) for text in texts)
    return ask


def _read(request: Request, body: Json) -> Ask:
    if _DEPLOYMENT in request.path:
        # Azure takes the model from the path, and needs none in the body.
        body = {"model": request.path.partition(_DEPLOYMENT)[2].partition("/")[0], **body}
    model = required(body, "model", str)
    stream = bool(body.get("stream"))
    if not stream and body.get("stream_options") is not None:
        raise InvalidRequestError(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options"
        )
    choices = whole_number(body, "n") or 1
    if choices > _MOST_CHOICES:
        raise InvalidRequestError(f"Invalid 'n': expected a number of at most {_MOST_CHOICES}.", "n")
    return Ask(request, body, model, stream=stream, choices=choices)


def chat_body(ask: Ask, turn: Turn) -> Json:
    """A ``chat.completion`` object."""
    choices = [
        {
            "index": index,
            "message": _message(choice),
            "logprobs": _logprobs(ask, choice, choice.pieces),
            "finish_reason": _finish(choice),
        }
        for index, choice in enumerate(turn.choices or [turn])
    ]
    return _envelope("chatcmpl-", "chat.completion", ask, turn, choices)


def completion_body(ask: Ask, turn: Turn) -> Json:
    """A ``text_completion`` object."""
    choices = [
        {
            "index": index,
            "text": choice.text,
            "logprobs": _legacy_logprobs(ask, choice, choice.pieces),
            "finish_reason": _finish(choice),
        }
        for index, choice in enumerate(turn.choices or [turn])
    ]
    return _envelope("cmpl-", "text_completion", ask, turn, choices)


def _envelope(prefix: str, kind: str, ask: Ask, turn: Turn, choices: list[Json]) -> Json:
    envelope: Json = {
        "id": new_id(prefix),
        "object": kind,
        "created": int(time.time()),
        "model": turn.answer.model or ask.model,
        "choices": choices,
    }
    if (usage := chat_usage(turn)) is not None:
        envelope["usage"] = usage
    return {**envelope, "service_tier": service_tier(ask, turn), "system_fingerprint": "fp_tokenguard"}


def _message(turn: Turn) -> Json:
    refused = turn.answer.refusal is not None
    message: Json = {
        "role": "assistant",
        "content": None if refused or (turn.tool_calls and not turn.text) else turn.text,
        "refusal": turn.text if refused else None,
        "annotations": [],
    }
    if turn.tool_calls:
        message["tool_calls"] = tool_calls(turn)
    return message


def tool_calls(turn: Turn) -> list[Json]:
    """The calls of a turn as chat completions write them."""
    return [
        {
            "id": call.id or new_id("call_"),
            "type": "function",
            "function": {"name": call.name, "arguments": dumps(dict(call.arguments))},
        }
        for call in turn.tool_calls
    ]


def _finish(turn: Turn) -> str:
    return turn.stop if turn.stop == "length" else turn.answer.finish_reason or turn.stop


def chat_events(ask: Ask, turn: Turn) -> list[bytes]:
    """The chunks of a streamed chat completion: role, content, finish, usage if asked for, ``[DONE]``."""
    head, tail, last = _stream_frame("chatcmpl-", "chat.completion.chunk", ask, turn)
    events = []
    for index, choice in enumerate(turn.choices or [turn]):
        start = f'{head}{{"index":{index},"delta":'
        plain_end = f'}},"logprobs":null,"finish_reason":null}}]{tail}'
        field = "content" if choice.answer.refusal is None else "refusal"
        empty = "null" if choice.tool_calls and not choice.text else '""'
        events.append(data(f'{start}{{"role":"assistant","content":{empty},"refusal":null{plain_end}'))
        if ask.body.get("logprobs"):
            for piece in choice.pieces:
                delta = dumps({field: piece})
                logprobs = dumps(_logprobs(ask, choice, [piece]))
                events.append(data(f'{start}{delta},"logprobs":{logprobs},"finish_reason":null}}]{tail}'))
        else:
            opening = f'{start}{{"{field}":'
            events += [data(f"{opening}{dumps(piece)}{plain_end}") for piece in choice.pieces]
        events += [data(f"{start}{dumps(delta)[:-1]}{plain_end}") for delta in _tool_deltas(choice)]
        events.append(data(f'{start}{{}},"logprobs":null,"finish_reason":"{_finish(choice)}"}}]{tail}'))
    return [*events, *last, DONE]


def completion_events(ask: Ask, turn: Turn) -> list[bytes]:
    """The chunks of a streamed legacy completion."""
    head, tail, last = _stream_frame("cmpl-", "text_completion", ask, turn)
    events = []
    for index, choice in enumerate(turn.choices or [turn]):
        for piece in choice.pieces:
            logprobs = dumps(_legacy_logprobs(ask, choice, [piece]))
            events.append(
                data(
                    f'{head}{{"index":{index},"text":{dumps(piece)},"logprobs":{logprobs},'
                    f'"finish_reason":null}}]{tail}'
                )
            )
        finish = f'"logprobs":null,"finish_reason":"{_finish(choice)}"'
        events.append(data(f'{head}{{"index":{index},"text":"",{finish}}}]{tail}'))
    return [*events, *last, DONE]


def _stream_frame(prefix: str, kind: str, ask: Ask, turn: Turn) -> tuple[str, str, list[bytes]]:
    """What stands before and after the choices of every chunk, and the chunk with the usage if asked for."""
    head = dumps(
        {
            "id": new_id(prefix),
            "object": kind,
            "created": int(time.time()),
            "model": turn.answer.model or ask.model,
            "service_tier": service_tier(ask, turn),
            "system_fingerprint": "fp_tokenguard",
        }
    )
    head = head[:-1] + ',"choices":['
    if not (ask.body.get("stream_options") or {}).get("include_usage"):
        return head, "}", []
    usage = chat_usage(turn)
    if usage is None:
        return head, "}", []
    return head, ',"usage":null}', [data(f'{head}],"usage":{dumps(usage)}}}')]


def _tool_deltas(turn: Turn) -> list[Json]:
    deltas: list[Json] = []
    for index, call in enumerate(tool_calls(turn)):
        function = call["function"]
        opened = {**call, "function": {"name": function["name"], "arguments": ""}}
        deltas.append({"tool_calls": [{"index": index, **opened}]})
        arguments = function["arguments"]
        for start in range(0, len(arguments), 8):
            part = {"arguments": arguments[start : start + 8]}
            deltas.append({"tool_calls": [{"index": index, "function": part}]})
    return deltas


def chat_usage(turn: Turn) -> Json | None:
    """The usage block of chat and legacy completions; ``None`` where it is to be missing."""
    answer = turn.answer
    return turn.usage(
        {
            "prompt_tokens": turn.input_tokens,
            "completion_tokens": turn.output_tokens,
            "total_tokens": turn.input_tokens + turn.output_tokens,
            "prompt_tokens_details": {"cached_tokens": answer.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": answer.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        wrong={"total_tokens": turn.input_tokens + turn.output_tokens + 7},
    )


def service_tier(ask: Ask, turn: Turn) -> str:
    """The tier that says it served the request: ``auto`` is served as ``default``."""
    asked = ask.body.get("service_tier")
    return turn.answer.service_tier or ("default" if asked in (None, "auto") else str(asked))


def _logprobs(ask: Ask, turn: Turn, pieces: Any) -> Json | None:
    if not ask.body.get("logprobs"):
        return None
    top = whole_number(ask.body, "top_logprobs") or 0
    return {"content": token_logprobs(turn, pieces, top), "refusal": None}


def token_logprobs(turn: Turn, pieces: Any, top: int) -> list[Json]:
    """One entry for each piece: its log probability, and ``top`` likely tokens, itself the first."""
    entries = []
    for piece in pieces:
        chance = _logprob(turn, piece)
        entry = {"token": piece, "logprob": chance, "bytes": list(piece.encode("utf-8", "replace"))}
        others = [
            {"token": f"{piece}{n}", "logprob": chance - n, "bytes": list(f"{piece}{n}".encode())}
            for n in range(1, top)
        ]
        entries.append({**entry, "top_logprobs": [entry, *others][:top]})
    return entries


def _logprob(turn: Turn, piece: str) -> float:
    if turn.answer.logprob is not None:
        return turn.answer.logprob
    return -hashlib.sha256(piece.encode("utf-8", "replace")).digest()[0] / 512


def _legacy_logprobs(ask: Ask, turn: Turn, pieces: Any) -> Json | None:
    if ask.body.get("logprobs") is None:
        return None
    chances = [_logprob(turn, piece) for piece in pieces]
    offsets, offset = [], 0
    for piece in pieces:
        offsets.append(offset)
        offset += len(piece)
    return {
        "tokens": list(pieces),
        "token_logprobs": chances,
        "top_logprobs": [{piece: chance} for piece, chance in zip(pieces, chances, strict=True)],
        "text_offset": offsets,
    }


def message_tokens(message: Any, model: str) -> int:
    """The tokens of one message, its frame included. Parts that are not text count as small images."""
    if not isinstance(message, dict):
        raise InvalidRequestError("Invalid type for 'messages': expected objects.", "messages")
    total = PER_MESSAGE + count(str(message.get("role", "")), model)
    total += content_tokens(message.get("content"), model)
    if name := message.get("name"):
        total += PER_NAME + count(str(name), model)
    if calls := message.get("tool_calls"):
        total += count(dumps(calls), model)
    return total


def content_tokens(content: Any, model: str) -> int:
    """The tokens of the content of a message, a text or a list of parts."""
    if isinstance(content, str):
        return count(content, model)
    total = 0
    for part in content if isinstance(content, list) else []:
        text = part.get("text") if isinstance(part, dict) else part
        total += count(text, model) if isinstance(text, str) else PER_IMAGE
    return total


def last_user_text(messages: list[Any]) -> str:
    """The text of the last message of the user; the parts of its content joined by line breaks."""
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, list):
                texts = [part.get("text") if isinstance(part, dict) else part for part in content]
                return "\n".join(text for text in texts if isinstance(text, str))
            return content if isinstance(content, str) else ""
    return ""


def prompt_texts(prompt: str | list[Any]) -> tuple[list[str], int]:
    """The texts of a legacy prompt or an embedding's input, and the number of tokens given as tokens."""
    if isinstance(prompt, str):
        return [prompt], 0
    if prompt and all(isinstance(token, int) for token in prompt):
        return [], len(prompt)
    texts = [text for text in prompt if isinstance(text, str)]
    return texts, sum(len(tokens) for tokens in prompt if isinstance(tokens, list))


def _forced_tool(tools: list[Any], choice: Any) -> tuple[str, Json] | None:
    name = (choice.get("function") or {}).get("name") if isinstance(choice, dict) else None
    if name is None and choice != "required":
        return None
    for tool in tools:
        function = tool.get("function") or {}
        if name in (None, function.get("name")):
            return str(function.get("name")), function.get("parameters") or {}
    return None


CHAT: Final = Endpoint("openai_chat", read_chat, chat_body, chat_events)
COMPLETIONS: Final = Endpoint("openai_completions", read_completion, completion_body, completion_events)
