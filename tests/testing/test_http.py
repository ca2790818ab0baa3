"""The HTTP server itself, spoken to over a bare socket."""

import json
import socket
from collections.abc import Iterator

import pytest

from tokenguard.testing import Provider

pytestmark = pytest.mark.timeout(60)

BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi."}]}).encode()
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture
def wire(provider: Provider) -> Iterator[socket.socket]:
    provider.answer("Paris.")
    with socket.create_connection(("127.0.0.1", int(provider.url.rpartition(":")[2])), timeout=20) as sock:
        yield sock


def reply(wire: socket.socket) -> tuple[int, bytes]:
    """Read one reply with a content-length; its status and body."""
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        buffer += wire.recv(1)
    head = buffer.decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    body = b""
    while len(body) < length:
        body += wire.recv(length - len(body))
    return int(head.split()[1]), body


def whole(body: bytes = BODY) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_a_connection_is_kept_alive(wire, provider) -> None:
    """Request after request, each with its own reply."""
    for _ in range(3):
        wire.sendall(whole())
        assert reply(wire)[0] == 200
    assert provider.count == 3


def test_requests_can_be_pipelined(wire) -> None:
    """Replies come in the order of the requests, delayed ones included."""
    wire.sendall(whole() * 5)
    assert [reply(wire)[0] for _ in range(5)] == [200] * 5


def test_pipelined_requests_wait_for_a_stalled_one(wire, provider) -> None:
    """And are served when it is over."""
    provider.fault(stall_after=0)
    wire.sendall(whole() * 3)
    provider.wait_for(1)
    assert provider.count == 1
    provider.release()
    assert [reply(wire)[0] for _ in range(3)] == [200] * 3


def test_a_request_may_come_byte_by_byte(wire) -> None:
    """However it is cut, it is one request."""
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in whole():
        wire.sendall(bytes([byte]))
    assert reply(wire)[0] == 200


def test_chunked_bodies_are_put_together(wire, provider) -> None:
    """With extensions and trailers, which are ignored."""
    chunks = b"".join(
        b"%x;a=b\r\n%b\r\n" % (len(BODY[n : n + 7]), BODY[n : n + 7]) for n in range(0, len(BODY), 7)
    )
    wire.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nTrailer: x\r\n\r\n" + whole())
    assert [reply(wire)[0] for _ in range(2)] == [200, 200]
    assert {request.body for request in provider.requests} == {BODY}


def test_a_client_that_asks_first_is_told_to_go_on(wire) -> None:
    """``Expect: 100-continue``, as curl sends for big uploads."""
    wire.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY))
    assert wire.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.sendall(BODY)
    assert reply(wire)[0] == 200


@pytest.mark.parametrize("how", [b"HTTP/1.1\r\nConnection: close", b"HTTP/1.0"])
def test_a_connection_is_closed_on_request(wire, how) -> None:
    """After the reply."""
    wire.sendall(whole().replace(b"HTTP/1.1", how, 1))
    assert reply(wire)[0] == 200
    assert wire.recv(1) == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: ten\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 65_536, 431),
    ],
)
def test_what_is_not_http_is_refused(wire, sent, status) -> None:
    """With a status, and the end of the connection."""
    wire.sendall(sent)
    assert reply(wire)[0] == status
    assert wire.recv(1) == b""


def test_a_body_that_is_not_json_is_refused(wire) -> None:
    """By the endpoint, so the connection lives on."""
    wire.sendall(whole(b"{not json"))
    status, body = reply(wire)
    assert status == 400
    assert b"could not parse" in body
    wire.sendall(whole())
    assert reply(wire)[0] == 200


def test_answers_may_contain_anything(wire, provider) -> None:
    """Lone surrogates and control characters do not break the wire."""
    provider.answer("a\ud800b\x00c")
    wire.sendall(whole())
    status, body = reply(wire)
    assert status == 200
    assert json.loads(body)["choices"][0]["message"]["content"] == "a?b\x00c"
