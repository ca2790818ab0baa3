"""Streams for property tests: what providers send, and what they never should, alike and almost alike."""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import strategies as st

from tokenguard.dialects import Dialect
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.openai_chat import CHAT, COMPLETIONS
from tokenguard.dialects.openai_media import AUDIO
from tokenguard.dialects.openai_responses import RESPONSES

Json = dict[str, Any]

TEXT: Final = "\0text"
"""In a template: the place of the text."""
NOISE: Final = "\0noise"
"""In a template: the place of what is different every time."""


def chunk(delta: Json, *, top: Json | None = None, **choice: Any) -> Json:
    """A chunk of a chat, with one choice."""
    fields = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None, **choice}
    return {"id": "c-1", "model": "gpt-4.1", "choices": [fields], "usage": None, **(top or {})}


def _legacy(**choice: Any) -> Json:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "text": TEXT, "finish_reason": None, **choice}]}


_CALL = {"index": 0, "function": {"arguments": TEXT}}
_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
_CHAT: Final[list[Json]] = [
    chunk({"content": TEXT}),
    chunk({"content": TEXT}, top={"obfuscation": NOISE}),
    chunk({"content": TEXT}, top={"model": "gpt-4.1-mini", "service_tier": "flex"}),
    chunk({"content": TEXT, "refusal": None, "role": "assistant"}, top={"created": NOISE}),
    chunk({"content": "", "refusal": TEXT}),
    chunk({"content": TEXT, "refusal": "no"}),
    chunk({"content": TEXT, "text": TEXT}),
    chunk({"content": [{"type": "text", "text": TEXT}]}),
    chunk({"reasoning_content": TEXT}),
    chunk({"reasoning": TEXT, "reasoning_content": ""}),
    chunk({"tool_calls": [_CALL]}),
    chunk({"tool_calls": [_CALL, _CALL]}),
    chunk({"tool_calls": [{"index": 0, "id": "call", "function": {"name": "f", "arguments": TEXT}}]}),
    chunk({"function_call": {"arguments": TEXT}}),
    chunk({"audio": {"id": "a", "transcript": TEXT, "data": NOISE}}),
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": TEXT}, index=1),
    chunk({"content": TEXT}, finish_reason="length"),
    chunk({"content": TEXT}, finish_reason={"obfuscation": NOISE}),
    chunk({"content": TEXT}, logprobs={"content": [{"token": TEXT}]}),
    chunk({"content": TEXT}, top={"usage": _USAGE}),
    chunk({"content": TEXT}, top={"usage": {"sequence_number": NOISE}}),
    chunk({"content": TEXT}, top={"error": {"type": TEXT}}),
    chunk({}, finish_reason="stop"),
    {**chunk({}), "choices": []},
    {**chunk({}), "choices": [], "usage": _USAGE},
    {**chunk({}), "choices": [{"delta": {"content": TEXT}}, {"index": 1, "delta": {"content": "b"}}]},
    {"error": {"type": "server_error", "message": TEXT}},
]
_COMPLETIONS: Final[list[Json]] = [
    _legacy(),
    _legacy(logprobs=None, seed=NOISE),
    _legacy(finish_reason="stop"),
    {"id": "c", "choices": [], "usage": _USAGE},
]
_DELTA: Final[Json] = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0}
_RESPONSES: Final[list[Json]] = [
    {"type": "response.created", "response": {"id": "r", "model": "gpt-5.4", "status": "in_progress"}},
    {**_DELTA, "delta": TEXT},
    {**_DELTA, "delta": TEXT, "logprobs": [], "sequence_number": NOISE, "obfuscation": NOISE},
    {"type": "response.reasoning_summary_text.delta", "sequence_number": NOISE, "delta": TEXT},
    {"type": "response.function_call_arguments.delta", "delta": TEXT, "sequence_number": NOISE},
    {"type": "response.audio.delta", "delta": TEXT},
    {"type": "response.output_text.done", "text": TEXT, "sequence_number": NOISE},
    {"delta": TEXT},
    {"type": TEXT, "delta": TEXT},
    {"type": "error", "code": TEXT},
    {
        "type": "response.completed",
        "response": {"id": "r", "status": "completed", "usage": {"input_tokens": 3}},
    },
]
_MESSAGES: Final[list[Json]] = [
    {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 9, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": TEXT}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": TEXT}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": TEXT}},
    {"type": "content_block_delta", "delta": {"text": "", "thinking": TEXT}},
    {"index": 0, "delta": {"text": TEXT}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
    {"type": "error", "error": {"type": TEXT}},
]
_AUDIO: Final[list[Json]] = [
    {"type": "transcript.text.delta", "delta": TEXT, "sequence_number": NOISE},
    {"type": "transcript.text.delta", "delta": TEXT, "usage": {"obfuscation": NOISE}},
    {"type": "transcript.text.done", "text": TEXT, "usage": {"input_tokens": 3, "output_tokens": 2}},
]
_KINDS: Final[dict[Dialect, list[Json]]] = {
    CHAT: _CHAT,
    COMPLETIONS: _COMPLETIONS,
    RESPONSES: _RESPONSES,
    MESSAGES: _MESSAGES,
    AUDIO: _AUDIO,
}
DIALECTS: Final = tuple(_KINDS)

_WORDS = (
    *("choices", "delta", "content", "text", "refusal", "reasoning", "tool_calls", "function", "arguments"),
    *("name", "finish_reason", "index", "id", "model", "usage", "error", "type", "obfuscation", "message"),
    *("partial_json", "thinking", "sequence_number", "response", "audio", "transcript", "stop_reason"),
)
_VALUES = ("response.output_text.delta", "content_block_delta", "content", "text", "", 0, 1, None)
_WILD = st.dictionaries(
    st.sampled_from(_WORDS),
    st.recursive(
        st.sampled_from([TEXT, TEXT, NOISE, *_VALUES]),
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=4)
        ),
        max_leaves=8,
    ),
    max_size=6,
)
"""Any JSON in the words of the wire formats."""

_PARTS = (
    *('"finish_reason":null', '{"content":"x"}', '"delta":{"text":"', '"usage":{', '"error"', '","text":"'),
    *("Hello", " the", "   ", "", "\\", '"', "\\u0041", "\n\n", "\r\n", "\u2028", "\0", "\x7f"),
    *("é", "東京", "😀", "\ud83d", "\ude00"),
)
_TEXTS = st.lists(st.sampled_from(_PARTS) | st.text(max_size=5), max_size=3).map("".join)
_NOISES: st.SearchStrategy[Any] = (
    st.text("aZ09", max_size=4)
    | st.integers()
    | st.sampled_from(["", 'a"b', "é", " ", None, True, 1.5, [], {}, 10**17, 10**18, -1])
)
_PUT = [
    *(b"", b'"', b"\\", b"\\u", b"{", b"}", b",", b":", b" ", b"0", b"x", b".", b"e5", b"9" * 5000, b"NaN"),
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x01", b"\n", b"\r", b'"content":"', b'"obfuscation":'),
]


_NAMES = ("content_block_delta", "response.output_text.delta", "message_stop")
_FRAMES: Final = (
    *(b"data: %(data)b\n\n", b"event: %(name)b\ndata: %(data)b\n\n", b"data:%(data)b\n\n"),
    *(b"event: %(name)b\r\ndata: %(data)b\r\n\r\n", b"data: %(data)b\r\r", b"data: %(data)b\n\r\n"),
    *(b"event: %(name)b\ndata: %(data)b\nid: 7\n\n", b"id: 7\ndata: %(data)b\n\n"),
    *(b"data: \ndata: %(data)b\n\n", b": %(data)b\ndata: %(data)b\n\n"),
    *(b"data: %(data)b\n: data: %(data)b\n\n", b"data:  %(data)b\n\n", b"data: %(data)b\n\r"),
)


@st.composite
def streams(draw: st.DrawFn, dialect: Dialect) -> list[bytes]:
    """The events of a stream: a few kinds of them, each coming again and again with other texts."""
    kinds = draw(st.lists(st.sampled_from(_KINDS[dialect]) | _WILD, min_size=1, max_size=3))
    ascii_only = draw(st.booleans())
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]))
    frame = draw(st.sampled_from(_FRAMES))
    made = []
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=10)):
        filled = _filled(kind, draw(_TEXTS), draw(_NOISES))
        text = json.dumps(filled, ensure_ascii=ascii_only, separators=separators)
        data = text.encode("utf-8", "surrogatepass")
        data = draw(st.sampled_from([data, data, data[:-1] + b"   }", data + b" "]) | _changed(data))
        name = draw(st.sampled_from([str(kind.get("type")), *_NAMES]))
        made.append(frame % {b"name": name.encode("utf-8", "replace"), b"data": data})
    return made


def _filled(value: Any, text: str, noise: Any) -> Any:
    if isinstance(value, list):
        return [_filled(item, text, noise) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, text, noise) for key, item in value.items()}
    return {TEXT: text, NOISE: noise}.get(value, value)


@st.composite
def _changed(draw: st.DrawFn, data: bytes) -> bytes:
    """An event with a few bytes put in, taken out, or put in place of others."""
    at, taken = draw(st.integers(0, len(data))), draw(st.integers(0, 3))
    return data[:at] + draw(st.sampled_from(_PUT)) + data[at + taken :]
