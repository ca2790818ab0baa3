"""Uploads are streamed from the caller's file to the socket: never read, never kept."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest

from tests.conftest import Rows
from tests.transport.clients import GPT, chat
from tokenguard import Guard
from tokenguard.testing import Provider

MB = 1024 * 1024
HUGE = 100 * MB


class _Zeros(io.RawIOBase):
    """A file of that many zeros, which exist only while they are read."""

    name = "zeros.bin"

    def __init__(self, size: int, *, seeks: bool = True) -> None:
        self._left = self._size = size
        self._seeks = seeks

    def read(self, n: int = -1) -> bytes:
        n = self._left if n < 0 else min(n, self._left)
        self._left -= n
        return b"0" * n

    def seekable(self) -> bool:
        return self._seeks

    def seek(self, offset: int, whence: int = 0) -> int:
        if not self._seeks:
            raise io.UnsupportedOperation("seek")
        position = {0: 0, 1: self._size - self._left, 2: self._size}[whence] + offset
        self._left = self._size - position
        return position

    def tell(self) -> int:
        return self._size - self._left


Zeros: Any = _Zeros  # a file, but not one of those that typing knows


class Sink(httpx2.BaseTransport):
    """Where a huge body ends: it is counted, not kept, so that memory is the client's alone."""

    def __init__(self) -> None:
        self.size = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        for chunk in request.stream:  # type: ignore[union-attr]
            self.size += len(chunk)
        return httpx2.Response(200, json={"id": "file-1", "object": "file", "bytes": self.size})


def _as_form(client: Any, file: Any) -> Any:
    return client.files.create(file=("big.bin", file), purpose="user_data")


def _as_body(client: Any, file: Any) -> Any:
    def chunks() -> Iterator[bytes]:
        while chunk := file.read(65536):
            yield chunk

    return client.post("/files", cast_to=httpx2.Response, content=chunks())


def _as_json(client: Any, file: Any) -> Any:
    def chunks() -> Iterator[bytes]:
        yield b'{"model":"gpt-4.1","messages":[],"x":"'
        while chunk := file.read(65536):
            yield chunk
        yield b'"}'

    headers = {"content-type": "application/json"}
    return client.post(
        "/chat/completions", cast_to=httpx2.Response, content=chunks(), options={"headers": headers}
    )


@pytest.mark.parametrize("send", [_as_form, _as_body, _as_json])
def test_100_mb_are_streamed(send: Callable[[Any, Any], Any], guard: Guard) -> None:
    """A 100 MB upload costs a few hundred kB of memory, as a form, a body or even JSON from a generator."""
    sink = Sink()
    http_client = httpx2.Client(transport=sink)
    client = guard.wrap(openai.OpenAI(api_key="x", base_url="http://sink/v1", http_client=http_client))
    send(client, Zeros(MB))  # the first request imports things
    tracemalloc.start()
    try:
        send(client, Zeros(HUGE))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sink.size >= HUGE + MB
    assert peak < 4 * MB


def test_a_form_arrives_whole(provider: Provider, guard: Guard) -> None:
    """What arrives is the file: the same bytes under the same names."""
    content = bytes(range(256)) * 800
    client = guard.wrap(chat(provider))
    client.files.create(file=("a.bin", io.BytesIO(content)), purpose="user_data")
    request = provider.requests[0]
    assert content in request.body


def test_a_file_that_seeks_is_sent_again(provider: Provider, guard: Guard) -> None:
    """A failed upload is retried from the start of its file."""
    provider.fail(503)
    client = guard.wrap(chat(provider))
    client.files.create(file=("a.bin", Zeros(200_000)), purpose="user_data")
    first, second = provider.requests
    assert first.body_size == second.body_size > 200_000


def test_a_stream_that_cannot_be_repeated_is_not(provider: Provider, guard: Guard) -> None:
    """A body that was read from a pipe or a generator is sent once: never a second time, half-empty."""
    client = guard.wrap(chat(provider))
    provider.fail(503, times=None)
    for send in (
        lambda: client.files.create(file=("a.bin", Zeros(200_000, seeks=False)), purpose="user_data"),
        lambda: _as_body(client, Zeros(200_000)),
        lambda: _as_json(client, Zeros(1000)),
    ):
        before = provider.count
        with pytest.raises(openai.InternalServerError):
            send()
        assert provider.count == before + 1


def test_metered_uploads_are_not_read(provider: Provider, guard: Guard, rows: Rows) -> None:
    """An upload to an endpoint that is metered is priced by the reply; the model stands in its form."""
    client = guard.wrap(chat(provider))
    reply = client.audio.transcriptions.create(model="whisper-1", file=("a.wav", Zeros(64_000)))
    receipt = guard.receipt(reply)
    assert receipt is not None
    assert (receipt.model_requested, receipt.cost_basis) == ("whisper-1", "usage")
    assert [row["model_requested"] for row in rows()] == ["whisper-1"]


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"null", b'"x"', b"\xff", b"{}", b'{"model": 7}'])
def test_odd_bodies_go_through(body: bytes, provider: Provider, guard: Guard) -> None:
    """A body that is empty, malformed or no object is the provider's to refuse, not ours."""
    client = guard.wrap(chat(provider))
    options: Any = {"headers": {"content-type": "application/json"}}
    with pytest.raises(openai.BadRequestError):
        client.post("/chat/completions", cast_to=httpx2.Response, content=body, options=options)
    assert provider.requests[0].body == body


def test_a_huge_prompt(provider: Provider, guard: Guard) -> None:
    """A body of megabytes is read for its model and sent as it is."""
    client = guard.wrap(chat(provider))
    text = "word " * 200_000
    provider.answer("short")
    reply = client.chat.completions.create(model=GPT, messages=[{"role": "user", "content": text}])
    assert guard.receipt(reply).cost_nano  # type: ignore[union-attr]
    assert provider.requests[0].body_size > len(text)
