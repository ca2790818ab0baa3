"""A provider that does as little as it can: static answers, in a process of its own.

The full local provider (``python -m tokenguard.testing``) thinks about each answer; here the time of an
answer must be short and steady, since a benchmark waits for it. What is measured is the client.

Paths: ``/v1/chat/completions`` and ``/v1/messages`` answer at once; below ``/slow/MS`` after so many
milliseconds; below ``/hold/N`` a stream stops half-way until N streams have got there; below
``/large/KB`` an answer has about so many kilobytes.
``GET /seen`` tells what was received.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

MODEL: Final = "gpt-4.1-mini"
CHUNKS: Final = 50
"""Chunks with content in a stream; the role, the end, the usage and ``[DONE]`` come on top."""
_HELD_CHUNKS: Final = 4
_ID: Final = b"000000000000"

_ANSWER: Final = (
    "A prompt cache keeps the state that a model has computed for the beginning of a prompt, so that a "
    "later request which begins in the same way can skip that work. It is worth most where a long and "
    "unchanging part (instructions, tools, documents) stands first and what differs stands last, and "
    "where requests follow each other quickly enough that the entry has not been thrown away meanwhile."
)
_USAGE: Final = {
    "prompt_tokens": 47,
    "completion_tokens": 76,
    "total_tokens": 123,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}


class Upstream:
    """One running upstream."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.openai_url = f"{self.url}/v1"

    def below(self, prefix: str) -> str:
        """The ``base_url`` of an OpenAI client whose requests go below a prefix.

        ``slow/5`` answers after 5 ms, ``hold/9`` when 9 streams are half-way, ``large/200`` with 200 kB.
        """
        return f"{self.url}/{prefix}/v1"

    def seen(self) -> dict[str, Any]:
        """What was received: ``requests``, ``connections`` open now, ``ids`` (``x-bench-id``, in order)."""
        with urllib.request.urlopen(f"{self.url}/seen", timeout=30) as reply:
            seen: dict[str, Any] = json.load(reply)
        return seen


@contextmanager
def running() -> Iterator[Upstream]:
    """Start an upstream in a process of its own, and stop it afterwards."""
    command = [sys.executable, str(Path(__file__)), "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Upstream(int(process.stdout.readline()))
        finally:
            process.stdin.close()  # that ends it, as our own death would


class Answers:
    """The bytes of every answer. All that differs from one to the next is an identifier."""

    def __init__(self) -> None:
        self._n = 0
        whole = _completion()
        chat = [_chat_event(piece, finish=None) for piece in _pieces(CHUNKS)]
        held = [_chat_event(piece, finish=None) for piece in _pieces(_HELD_CHUNKS)]
        end = _chat_event(None, finish="stop")
        usage, done = _sse(_chat_chunk([], _USAGE)), b"data: [DONE]\n\n"
        self.chat = _head("application/json", len(whole)) + whole
        self.chat_stream = _chunked([*chat, end, done])
        self.chat_stream_usage = _chunked([*chat, end, usage, done])
        middle = len(held) // 2
        self.held = (
            _stream_head() + _frames(held[:middle]),
            _frames([*held[middle:], end]),
            _frames([usage]),
        )
        self._large: dict[int, bytes] = {}
        self.done = _frames([done]) + b"0\r\n\r\n"
        message = json.dumps(_MESSAGE, separators=(",", ":")).encode()
        self.message = _head("application/json", len(message)) + message
        self.message_stream = _chunked(_message_events())

    def large(self, kilobytes: int) -> bytes:
        """A chat completion of about that size."""
        if kilobytes not in self._large:
            whole = _completion(_ANSWER * (kilobytes * 1000 // len(_ANSWER)))
            self._large[kilobytes] = _head("application/json", len(whole)) + whole
        return self._large[kilobytes]

    def numbered(self, answer: bytes) -> bytes:
        """An answer with an identifier of its own."""
        self._n += 1
        return answer.replace(_ID, b"%012d" % self._n)


class Record:
    """What all connections have received."""

    def __init__(self) -> None:
        self.answers = Answers()
        self.requests = 0
        self.ids: list[str] = []
        self.connections: set[Connection] = set()
        self.held: list[tuple[Connection, bytes]] = []

    def hold(self, connection: Connection, rest: bytes, until: int) -> None:
        """Keep the rest of a stream back until so many streams are half-way."""
        self.held.append((connection, rest))
        if len(self.held) >= until:
            held, self.held = self.held, []
            for waiting, bytes_left in held:
                waiting.write(bytes_left)

    def as_json(self) -> bytes:
        """For ``GET /seen``, which does not count itself."""
        told = {"requests": self.requests, "connections": len(self.connections) - 1, "ids": self.ids}
        return json.dumps(told).encode()


class Connection(asyncio.Protocol):
    """One client connection. Requests come one after the other, each with a ``content-length``."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection in."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._record.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        """The client left."""
        self._record.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            over = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < over:
                return
            body, self._buffer = self._buffer[end + 4 : over], self._buffer[over:]
            self._answer(head, body)

    def write(self, data: bytes) -> None:
        """Send, if the client is still there."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def _answer(self, head: bytes, body: bytes) -> None:
        record, path = self._record, head[head.index(b" ") + 1 : head.index(b" HTTP/1.1")]
        if path == b"/seen":
            told = record.as_json()
            self.write(_head("application/json", len(told)) + told)
            return
        record.requests += 1
        named = _BENCH_ID.search(head)
        if named:
            record.ids.append(named[1].decode())
        streams, usage = b'"stream":true' in body, b'"include_usage":true' in body
        if path.startswith(b"/hold/"):
            start, rest, counted = (record.answers.numbered(part) for part in record.answers.held)
            self.write(start)
            record.hold(self, rest + (counted if usage else b"") + record.answers.done, _number(path))
            return
        answer = record.answers.numbered(self._chosen(path, streams, usage))
        if path.startswith(b"/slow/"):
            asyncio.get_running_loop().call_later(_number(path) / 1000, self.write, answer)
        else:
            self.write(answer)

    def _chosen(self, path: bytes, streams: bool, usage: bool) -> bytes:
        answers = self._record.answers
        if path.startswith(b"/large/"):
            return answers.large(_number(path))
        if path.endswith(b"/chat/completions"):
            if not streams:
                return answers.chat
            return answers.chat_stream_usage if usage else answers.chat_stream
        if path.endswith(b"/messages"):
            return answers.message_stream if streams else answers.message
        return _head("application/json", 2) + b"{}"  # somebody's telemetry


_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BENCH_ID: Final = re.compile(rb"\r\nx-bench-id: *([^\r]+)", re.IGNORECASE)


def _number(path: bytes) -> int:
    """The number in ``/slow/5/v1/...``."""
    return int(path.split(b"/", 3)[2])


def _completion(text: str = _ANSWER) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    made = {
        "id": "chatcmpl-" + _ID.decode(),
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": MODEL + "-2025-04-14",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _USAGE,
        "service_tier": "default",
        "system_fingerprint": "fp_" + "0" * 10,
    }
    return json.dumps(made, indent=2).encode()


def _pieces(count: int) -> list[str]:
    words = (_ANSWER.replace("  ", " ").split(" ") * 2)[:count]
    return [word + " " for word in words]


def _chat_chunk(choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-" + _ID.decode(),
        "object": "chat.completion.chunk",
        "created": 1_795_000_000,
        "model": MODEL + "-2025-04-14",
        "service_tier": "default",
        "system_fingerprint": "fp_" + "0" * 10,
        "choices": choices,
        "usage": usage,
        "obfuscation": "f" * 8,
    }


def _chat_event(piece: str | None, finish: str | None) -> bytes:
    delta = {} if piece is None else {"content": piece}
    return _sse(_chat_chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], None))


_MESSAGE: Final[dict[str, Any]] = {
    "id": "msg_" + _ID.decode(),
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": _ANSWER}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 47,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 76,
        "service_tier": "standard",
    },
}


def _message_events() -> list[bytes]:
    text = {"type": "text", "text": ""}
    start = {**_MESSAGE, "content": [], "stop_reason": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": text},
    ]
    for piece in _pieces(CHUNKS):
        delta = {"type": "text_delta", "text": piece}
        events.append({"type": "content_block_delta", "index": 0, "delta": delta})
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    events += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 76}},
        {"type": "message_stop"},
    ]
    return [b"event: " + event["type"].encode() + b"\n" + _sse(event) for event in events]


def _sse(event: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


def _frames(events: list[bytes]) -> bytes:
    """Events as HTTP chunks, one each."""
    return b"".join([b"%x\r\n%b\r\n" % (len(event), event) for event in events])


def _chunked(events: list[bytes]) -> bytes:
    return _stream_head() + _frames(events) + b"0\r\n\r\n"


def _stream_head() -> bytes:
    return _head("text/event-stream; charset=utf-8", None)


def _head(kind: str, length: int | None) -> bytes:
    """The headers that OpenAI sends, since reading headers is a part of a call's cost."""
    lines = [
        "HTTP/1.1 200 OK",
        "date: Sun, 22 Nov 2026 00:00:00 GMT",
        f"content-type: {kind}",
        "transfer-encoding: chunked" if length is None else f"content-length: {length}",
        "openai-organization: bench",
        "openai-processing-ms: 312",
        "openai-version: 2020-10-01",
        "x-ratelimit-limit-requests: 10000",
        "x-ratelimit-limit-tokens: 10000000",
        "x-ratelimit-remaining-requests: 9999",
        "x-ratelimit-remaining-tokens: 9999953",
        "x-ratelimit-reset-requests: 6ms",
        "x-ratelimit-reset-tokens: 0s",
        f"x-request-id: req_{_ID.decode()}",
        "strict-transport-security: max-age=31536000; includeSubDomains; preload",
        "cf-cache-status: DYNAMIC",
        "server: cloudflare",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _serve() -> None:
    loop, record = asyncio.get_running_loop(), Record()
    server = await loop.create_server(lambda: Connection(record), "127.0.0.1", 0, backlog=2048)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever started us closes it, or dies
    server.close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve())
