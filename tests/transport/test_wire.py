"""What leaves the process through a wrapped client is, byte for byte, what the bare one sends."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import httpx2
import openai
import pytest

import tokenguard
from tests.conftest import Rows
from tests.transport.clients import (
    BY_NAME,
    CLAUDE,
    GPT,
    HELLO,
    KINDS,
    Kind,
    asked,
    chat,
    claude,
    closed,
    read,
)
from tokenguard import Guard
from tokenguard.testing import Provider, Request

Wire = tuple[str, str, str, list[tuple[str, str]], bytes]


@pytest.fixture
def silent() -> Guard:
    """A guard that only meters: it neither retries nor asks for usage."""
    return Guard(ledger=":memory:", retry=None, stream_usage=False)


def wire(request: Request) -> Wire:
    """All of a request that was received, but the boundary of a form, which is drawn by lot."""
    kind = request.header("content-type") or ""
    boundary = kind.partition("boundary=")[2]

    def known(text: str) -> str:
        return text.replace(boundary, "BOUNDARY") if boundary else text

    return (
        request.method,
        request.path,
        request.query,
        [(name, known(value)) for name, value in request.headers],
        known(request.body.decode("latin-1")).encode("latin-1"),
    )


def _upload(client: Any) -> Any:
    return client.files.create(file=("a.jsonl", io.BytesIO(b'{"a":1}\n' * 999)), purpose="batch")


def _raw_bytes(client: Any) -> Any:
    return client.post("/odd/thing", cast_to=httpx2.Response, content=bytes(range(256)))


def _chunked(client: Any) -> Any:
    def chunks() -> Iterator[bytes]:
        yield b'{"a":'
        yield b"1}"

    return client.post("/odd/thing", cast_to=httpx2.Response, content=chunks())


def _get(client: Any) -> Any:
    return client.get("/odd/thing", cast_to=httpx2.Response, options={"params": {"a": ["b", "c d"]}})


OPENAI_CALLS: dict[str, Callable[[Any], Any]] = {
    "chat": lambda c: c.chat.completions.create(model=GPT, messages=HELLO, temperature=0.1, seed=7),
    "chat, unicode": lambda c: c.chat.completions.create(
        model=GPT, messages=[{"role": "user", "content": "Zürich 東京 \u2028 \x7f 😀 \\u00e9"}]
    ),
    "chat, streamed": lambda c: list(c.chat.completions.create(model=GPT, messages=HELLO, stream=True)),
    "chat, usage asked for": lambda c: list(
        c.chat.completions.create(
            model=GPT, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    ),
    "chat, headers": lambda c: c.chat.completions.create(
        model=GPT, messages=HELLO, extra_headers={"X-ODD-Case": "v", "accept": "x"}, extra_query={"a": "b c"}
    ),
    "completions": lambda c: c.completions.create(model="gpt-3.5-turbo-instruct", prompt=["a", "b"]),
    "responses": lambda c: c.responses.create(model=GPT, input="Hello"),
    "responses, streamed": lambda c: list(c.responses.create(model=GPT, input="Hello", stream=True)),
    "embeddings": lambda c: c.embeddings.create(model="text-embedding-3-small", input=["a", "b"]),
    "images": lambda c: c.images.generate(model="gpt-image-1", prompt="a"),
    "transcription": lambda c: c.audio.transcriptions.create(
        model="whisper-1", file=("a.wav", b"RIFF" + bytes(5000))
    ),
    "upload": _upload,
    "models": lambda c: c.models.list(),
    "file": lambda c: c.files.content("file-1"),
    "unknown, bytes": _raw_bytes,
    "unknown, chunked": _chunked,
    "unknown, get": _get,
}
ANTHROPIC_CALLS: dict[str, Callable[[Any], Any]] = {
    "messages": lambda c: c.messages.create(model=CLAUDE, max_tokens=9, messages=HELLO),
    "messages, streamed": lambda c: list(
        c.messages.create(model=CLAUDE, max_tokens=9, messages=HELLO, stream=True)
    ),
    "beta messages": lambda c: c.beta.messages.create(
        model=CLAUDE, max_tokens=9, messages=HELLO, betas=["context-1m-2025-08-07"]
    ),
    "count": lambda c: c.messages.count_tokens(model=CLAUDE, messages=HELLO),
    "models": lambda c: c.models.list(),
}


def _sent(provider: Provider, client: Any, call: Callable[[Any], Any]) -> list[Wire]:
    start = provider.count
    with suppress(openai.NotFoundError):  # of endpoints that nobody knows: it is the request that counts
        call(client)
    return [wire(request) for request in provider.requests[start:]]


@pytest.mark.parametrize("name", OPENAI_CALLS)
def test_openai_requests_are_the_bare_ones(name: str, provider: Provider, silent: Guard) -> None:
    """Method, path, query, headers in their order and spelling, and body are the bare client's."""
    call = OPENAI_CALLS[name]
    bare = _sent(provider, chat(provider, max_retries=0), call)
    assert bare
    assert _sent(provider, silent.wrap(chat(provider, max_retries=0)), call) == bare


@pytest.mark.parametrize("name", ANTHROPIC_CALLS)
def test_anthropic_requests_are_the_bare_ones(name: str, provider: Provider, silent: Guard) -> None:
    """The same of the other SDK."""
    call = ANTHROPIC_CALLS[name]
    bare = _sent(provider, claude(provider, max_retries=0), call)
    assert bare
    assert _sent(provider, silent.wrap(claude(provider, max_retries=0)), call) == bare


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.cls.__name__)
@pytest.mark.anyio
async def test_every_clients_requests_are_the_bare_ones(
    kind: Kind, provider: Provider, silent: Guard
) -> None:
    """The same of every client class, streamed and not; signatures may differ by their time only."""
    bare, wrapped = kind.make(provider), silent.wrap(kind.make(provider))
    for stream in (False, True):
        for client in (bare, wrapped):
            reply = await asked(client, kind, **({"stream": True} if stream else {}))
            await read(reply) if stream else None
        first, second = (_unsigned(wire(request)) for request in provider.requests[-2:])
        assert first == second
    await closed(bare)
    await closed(wrapped)


def _unsigned(received: Wire) -> Wire:
    method, path, query, headers, body = received
    kept = [(name, value.partition("Signature=")[0]) for name, value in headers if name != "x-amz-date"]
    return method, path, query, [h for h in kept if h[0].lower() != "x-amz-date"], body


@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_either_http_library_sends_what_it_would(module: Any, provider: Provider, silent: Guard) -> None:
    """openai 3 also takes clients of the older library: they are guarded as they are."""
    clients = [chat(provider, http_client=module.Client()) for _ in range(2)]
    clients[1] = silent.wrap(clients[1])
    assert isinstance(clients[1]._client, module.Client)
    for name in ("chat, unicode", "chat, streamed", "upload", "transcription", "unknown, bytes"):
        bare, wrapped = (_sent(provider, client, OPENAI_CALLS[name]) for client in clients)
        assert bare == wrapped, name


@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_clients_of_either_library(
    module: Any, backend: str, provider: Provider, guard: Guard, rows: Rows
) -> None:
    """The same asynchronously, on both event loops."""
    import anyio

    async def main() -> None:
        kind = BY_NAME["AsyncOpenAI"]
        client = guard.wrap(kind.make(provider, http_client=module.AsyncClient()))
        await asked(client, kind)
        await read(await asked(client, kind, stream=True))
        await closed(client)

    anyio.run(main, backend=backend)
    assert [row["state"] for row in rows()] == ["settled", "settled"]


def test_bodies_arrive_untouched(provider: Provider, silent: Guard) -> None:
    """What the provider answers reaches the caller byte for byte: whole, streamed, binary or broken."""
    bare, wrapped = chat(provider, max_retries=0), silent.wrap(chat(provider, max_retries=0))
    provider.answer("one two\nthree € 😀")

    def bodies(client: Any) -> list[bytes]:
        raw = client.with_streaming_response
        found = []
        with raw.files.content("file-7") as response:
            found.append(response.read())
        with raw.chat.completions.create(model=GPT, messages=HELLO, stream=True) as response:
            found.append(_without_ids(response.read()))
        provider.fault(not_json=True)
        with raw.chat.completions.create(model=GPT, messages=HELLO) as response:
            found.append(response.read())
        provider.fault(truncate_after=1)
        with raw.chat.completions.create(model=GPT, messages=HELLO, stream=True) as response:
            found.append(_without_ids(response.read()))
        return found

    assert bodies(bare) == bodies(wrapped)


def _without_ids(body: bytes) -> bytes:
    return re.sub(rb'"(id|created)":[^,]+', b"", body)


def test_response_headers_are_the_providers(provider: Provider, silent: Guard) -> None:
    """Response headers stay as they came, in their order; ours are added behind them."""
    provider.answer(tokenguard.testing.Answer("x", headers={"X-Odd": "1", "x-ratelimit-reset-tokens": "1s"}))
    bare = chat(provider).chat.completions.with_raw_response.create(model=GPT, messages=HELLO)
    raw = silent.wrap(chat(provider)).chat.completions.with_raw_response.create(model=GPT, messages=HELLO)

    def known(headers: Any) -> list[tuple[str, str]]:
        volatile = ("x-request-id", "content-length", "date")
        return [(name, value) for name, value in headers.multi_items() if name not in volatile]

    ours = [(name, value) for name, value in known(raw.headers) if name.startswith("x-tokenguard-")]
    assert known(raw.headers) == known(bare.headers) + ours
    assert [name for name, _ in ours] == [
        "x-tokenguard-call-id",
        "x-tokenguard-attempts",
        "x-tokenguard-cost-usd",
    ]


def test_wishes_never_leave_the_process(provider: Provider, guard: Guard) -> None:
    """x-tokenguard-* request headers are taken off, however they are spelled, known endpoint or not."""
    client = guard.wrap(chat(provider))
    extra = {**tokenguard.headers(tags={"team": "a"}, retries=0), "X-TokenGuard-Odd": "1"}
    client.chat.completions.create(model=GPT, messages=HELLO, extra_headers=extra)
    client.models.list(extra_headers=extra)
    client.files.create(file=b"x" * 99, purpose="batch", extra_headers=extra)
    for request in provider.requests:
        assert not [name for name, _ in request.headers if name.lower().startswith("x-tokenguard")]
    assert provider.requests[2].body_size > 99


def test_unknown_endpoints_are_counted(provider: Provider, guard: Guard, rows: Rows) -> None:
    """Requests to endpoints that we do not know go through untouched and are counted as not metered."""
    client = guard.wrap(claude(provider))
    client.messages.count_tokens(model=CLAUDE, messages=HELLO)
    assert guard.not_metered == 1
    assert rows() == []
