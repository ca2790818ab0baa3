"""A small HTTP/1.1 server on the loopback interface, in a thread and an event loop of its own.

Besides serving (keep-alive, pipelining, chunked bodies, ``Expect``) it does on purpose what real servers
only do in bad hours: stall, reset, and stop in the middle of a body.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from tokenguard.testing.exchange import Outcome, Reply, Request
from tokenguard.testing.http_parser import MAX_HEAD, BadRequestError, Body, parse_head
from tokenguard.testing.script import NO_FAULT, Fault

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
_ABORT: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing sends RST
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Server:
    """Serve ``respond`` on a loopback port until closed.

    Args:
        respond: Makes the reply to a request whose body is complete; called in the server's thread.
        done: Told about each request once its reply is out or has come to nothing.
        host: The address to bind.
        port: The port to bind; 0 takes a free one.

    Raises:
        OSError: the port cannot be bound.
    """

    def __init__(
        self,
        respond: Callable[[Request], Reply],
        done: Callable[[Request], None],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.respond = respond
        self.done = done
        self.host = host
        self.connections: set[Connection] = set()
        self.held: set[asyncio.Future[None]] = set()
        self.loop = asyncio.new_event_loop()
        # Bound here, so that a port in use is an error of the caller's and not of a thread's.
        self._socket = socket.create_server((host, port), backlog=1024)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name=f"provider:{self.port}", daemon=True)
        self._listening = threading.Event()
        self._thread.start()
        self._listening.wait()  # or closing at once would stop a loop that has not begun

    def release(self) -> None:
        """End every delay and stall that is under way now; the replies go on."""
        if self._thread.is_alive():
            # Two turns of the loop: who was told of a request may be here before its delay has begun.
            self.loop.call_soon_threadsafe(self.loop.call_soon, self._release)

    def close(self) -> None:
        """Stop listening, break off what is under way, and end the thread. Returns when all is gone."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()

    def _release(self) -> None:
        for future in self.held:
            if not future.done():
                future.set_result(None)

    def _run(self) -> None:
        loop = self.loop
        try:
            listening = loop.run_until_complete(
                loop.create_server(lambda: Connection(self), sock=self._socket)
            )
            self._listening.set()
            loop.run_forever()
            loop.run_until_complete(self._end(listening))
        finally:
            self._listening.set()
            loop.close()

    async def _end(self, listening: asyncio.Server) -> None:
        listening.close()
        for connection in list(self.connections):
            connection.end()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # lets the transports close their sockets


class Connection(asyncio.Protocol):
    """One client connection: requests are read, answered and written one after the other."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = bytearray()
        self._request: Request | None = None
        self._body: Body | None = None
        self._replying = False
        self._keep_alive = True
        self._aborted = False
        self._delivery: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection in."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        """The client left, or we ended the connection."""
        self._server.connections.discard(self)
        if self._delivery is not None:
            self._delivery.cancel()
        if self._replying and self._request is not None:
            self._conclude(self._request, "broken off" if self._aborted else "closed by client")

    def data_received(self, data: bytes) -> None:
        """Read on, and answer every request that is complete."""
        self._buffer += data
        self._advance()

    def end(self) -> None:
        """Break off the reply that is under way; close quietly if there is none."""
        if self._replying:
            self._abort()
        else:
            self._transport.close()

    def _abort(self) -> None:
        """Reset the connection: the client sees RST, not an orderly end."""
        self._aborted = True
        sock = self._transport.get_extra_info("socket")
        if sock is not None and not self._transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._transport.abort()

    def _advance(self) -> None:
        try:
            while not self._replying and not self._transport.is_closing():
                if self._request is None and not self._read_head():
                    return
                assert self._request is not None
                assert self._body is not None
                if not self._body.take(self._buffer):
                    return
                self._body.give_to(self._request)
                self._replying = True
                self._send(self._request, self._server.respond(self._request))
        except BadRequestError as error:
            body = str(error).encode()
            self._transport.write(_head(Reply(error.status, [("connection", "close")]), len(body)) + body)
            self._transport.close()

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadRequestError(431, "the head of the request is too long")
            return False
        request, framing = parse_head(self._buffer[:end].decode("latin-1"))
        del self._buffer[: end + 4]
        self._request = request
        self._keep_alive = framing.keep_alive
        self._body = Body(framing)
        if framing.expects_continue:
            self._transport.write(_CONTINUE)
        return True

    def _send(self, request: Request, reply: Reply) -> None:
        if reply.fault is not NO_FAULT:
            self._delivery = self._server.loop.create_task(self._deliver(request, reply))
            return
        if reply.pieces is None:
            data = _head(reply, len(reply.body)) + reply.body
        else:
            body = b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in reply.pieces])
            data = _head(reply, None) + body + b"0\r\n\r\n"
        self._conclude(request, "answered", data)

    def _conclude(self, request: Request, outcome: Outcome, last: bytes = b"") -> None:
        """Note the outcome, send the ``last`` of the reply, and make ready for the next request."""
        request.outcome = outcome
        self._server.done(request)  # before the client can see the end, so that it finds this done
        if last:
            self._transport.write(last)
        self._request = self._body = self._delivery = None
        self._replying = False
        if not self._keep_alive:
            self._transport.close()

    async def _deliver(self, request: Request, reply: Reply) -> None:
        """Send a reply that goes wrong in the way its fault says."""
        fault = reply.fault
        if fault.header_delay:
            await self._pause(fault.header_delay)
        if fault.reset == "before_headers":
            self._break_off(request, reset=True)
            return
        chunked = reply.pieces is not None
        half = (len(reply.body) + 1) // 2
        pieces = reply.pieces if reply.pieces is not None else [reply.body[:half], reply.body[half:]]
        self._transport.write(_head(reply, None if chunked else len(reply.body)))
        for sent in range(len(pieces) + 1):
            if await self._goes_wrong(request, fault, sent):
                return
            if sent < len(pieces):
                if sent and fault.chunk_delay:
                    await self._pause(fault.chunk_delay)
                piece = pieces[sent]
                self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if self._transport.is_closing():
            return  # the client left; connection_lost is about to say so
        self._conclude(request, "answered", b"0\r\n\r\n" if chunked else b"")
        self._advance()

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    async def _goes_wrong(self, request: Request, fault: Fault, sent: int) -> bool:
        """Do what the fault says to do after ``sent`` pieces; whether that was the end of it."""
        if sent == fault.stall_after:
            await self._pause(math.inf)
        if fault.reset == "mid_body" and sent == fault.reset_after:
            self._break_off(request, reset=True)
            return True
        if sent == fault.disconnect_after:
            self._break_off(request, reset=False)
            return True
        return False

    def _break_off(self, request: Request, *, reset: bool) -> None:
        self._keep_alive = False
        if reset:
            self._abort()
        self._conclude(request, "broken off")

    async def _pause(self, seconds: float) -> None:
        future = self._server.loop.create_future()
        self._server.held.add(future)
        try:
            await asyncio.wait([future], timeout=None if seconds == math.inf else seconds)
        finally:
            self._server.held.discard(future)


_date = (0, "")


def _head(reply: Reply, length: int | None) -> bytes:
    """The status line and headers of a reply; chunked if it has no ``length``."""
    global _date
    now = int(time.time())
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True))
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}", f"date: {_date[1]}", framing]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
