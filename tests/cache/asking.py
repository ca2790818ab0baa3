"""Requests as applications make them, and answers as providers send them, for the tests of the cache."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from tokenguard.cache.key import key, namespace
from tokenguard.call import Call, WholeReply, Wire
from tokenguard.dialects import Dialect, Endpoint, find
from tokenguard.dialects.sse import AwsEventStream, ServerSentEvents, Splitter
from tokenguard.testing import Answer, wire
from tokenguard.testing.anthropic_wire import BEDROCK, MESSAGES
from tokenguard.testing.embeddings_wire import EMBEDDINGS
from tokenguard.testing.exchange import Request
from tokenguard.testing.openai_wire import CHAT, COMPLETIONS
from tokenguard.testing.responses_wire import RESPONSES
from tokenguard.testing.turn import take_turn
from tokenguard.transport.tap import Tap
from tokenguard.wire_json import decoded

Json = dict[str, Any]

OPENAI: Final = "https://api.openai.com/v1/"
CHAT_URL: Final = OPENAI + "chat/completions"
COMPLETIONS_URL: Final = OPENAI + "completions"
RESPONSES_URL: Final = OPENAI + "responses"
EMBEDDINGS_URL: Final = OPENAI + "embeddings"
MESSAGES_URL: Final = "https://api.anthropic.com/v1/messages"
BEDROCK_URL: Final = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/{}/invoke-with-response-stream"

SECRET: Final = b"s" * 32

_WIRES: Final = {
    "openai.chat": CHAT,
    "openai.completions": COMPLETIONS,
    "openai.responses": RESPONSES,
    "openai.embeddings": EMBEDDINGS,
    "anthropic.messages": MESSAGES,
}


def written(body: Any) -> bytes:
    """A body as the SDKs write it; what UTF-8 has no bytes for, escaped."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":")).encode()


def endpoint_of(url: str) -> Endpoint:
    parts = urlsplit(url)
    found = find("POST", parts.scheme, parts.hostname or "", parts.port, parts.path)
    assert found is not None
    return found


def asking(url: str, body: Json | bytes, headers: Mapping[str, str] | None = None) -> Call:
    """A call of a client, as the transport hands it to the cache."""
    endpoint = endpoint_of(url)
    text = body if isinstance(body, bytes) else written(body)
    read = decoded(text)
    asked = endpoint.dialect.ask(read)
    parts = urlsplit(url)
    return Call(
        id="call",
        started_ns=0,
        where=endpoint.where,
        operation=endpoint.dialect.operation,
        dialect=endpoint.dialect.name,
        asked=asked._replace(model=endpoint.model or asked.model),
        body=read,
        wire=wired(parts.path + (f"?{parts.query}" if parts.query else ""), headers or {}, text),
    )


def wired(path: str, headers: Mapping[str, str], body: bytes = b"") -> Wire:
    """A request as it is on the wire."""
    encoded = {name.encode("latin-1"): value.encode("latin-1") for name, value in headers.items()}
    return Wire(path.encode(), encoded, body)


def key_of(
    call: Call, dialect: Dialect | None = None, *, owner: str | None = None, epoch: int = 0, **ignored: Any
) -> str:
    """The key of a call, in the namespace of its credential unless another is given."""
    assert call.wire is not None
    provider = dialect.provider if dialect else call.dialect.partition(".")[0]
    owner = namespace(call.wire, SECRET) if owner is None else owner
    return key(call, call.wire, provider=provider, namespace=owner, epoch=epoch, **ignored)


def answered(
    call: Call, answer: Answer | str = "Paris.", *, change: Callable[[Json], Any] | None = None
) -> WholeReply:
    """What a provider answers to a call as a whole.

    Args:
        call: What was asked for.
        answer: What the model says.
        change: What else is done to the reply.
    """
    answer = Answer(answer) if isinstance(answer, str) else answer
    spoken = _wire(call)
    ask = spoken.read(_request(call), call.body or {})
    body = spoken.body(ask, take_turn(ask, answer))
    assert isinstance(body, dict)
    if change is not None:
        change(body)
    return reply(call, body)


def reply(call: Call, body: Json | bytes) -> WholeReply:
    """A whole reply of this body."""
    text = body if isinstance(body, bytes) else wire.encode(body)
    return WholeReply(200, "application/json", text, True, _dialect(call).answer(decoded(text)))


def streamed(
    call: Call,
    answer: Answer | str = "Paris.",
    *,
    change: Callable[[list[bytes]], Any] | None = None,
    keeps: int = 2**20,
) -> WholeReply:
    """What a provider answers to a call as a stream, after it has passed our tap.

    Args:
        call: What was asked for.
        answer: What the model says.
        change: What else is done to the events.
        keeps: How much of it is kept.
    """
    answer = Answer(answer) if isinstance(answer, str) else answer
    spoken = _wire(call)
    ask = spoken.read(_request(call), call.body or {})
    assert spoken.events is not None
    events = list(spoken.events(replace(ask, stream=True), take_turn(ask, answer)))
    if change is not None:
        change(events)
    splitter: Splitter = AwsEventStream() if spoken is BEDROCK else ServerSentEvents()
    return _tapped(call, events, splitter, spoken.stream_type, keeps)


def _wire(call: Call) -> wire.Endpoint:
    return BEDROCK if call.where.channel == "bedrock" else _WIRES[call.dialect]


def _tapped(call: Call, events: list[bytes], splitter: Splitter, kind: str, keeps: int) -> WholeReply:
    reader = _dialect(call).events
    assert reader is not None
    tap = Tap(splitter, reader(), hides_usage=False, clock=lambda: 0, keeps=keeps)
    for event in events:
        tap.feed(event)
    return WholeReply(200, kind, tap.kept(), tap.finished, tap.answered())


def _dialect(call: Call) -> Dialect:
    assert call.wire is not None
    return endpoint_of(call.where.origin + call.wire.path.decode()).dialect


def _request(call: Call) -> Request:
    assert call.wire is not None
    path = call.wire.path.decode().partition("?")[0]
    return Request(0, "POST", path, "", [], call.wire.body)
