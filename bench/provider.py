"""How many simple calls a second the local provider of ``tokenguard.testing`` answers with one core.

The calls are raw requests over kept connections, so that the caller costs little. What counts is the CPU
time of the provider's own process: the machine's other core makes the calls.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import intervals
from bars import Bar, estimated
from sides import REQUEST

_CONNECTIONS: Final = 8
_CALLS: Final = 250
"""In a round, by each connection."""
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def provider_bars(*, quick: bool) -> Iterator[Bar]:
    """Chat completions per second of the provider's CPU."""
    rounds = 3 if quick else 15
    with _running() as (pid, port), ThreadPoolExecutor(_CONNECTIONS) as threads:
        rates = []
        for i in range(-1, rounds):
            before = _cpu_s(pid)
            list(threads.map(_calls, [port] * _CONNECTIONS))
            if i >= 0:
                rates.append(_CONNECTIONS * _CALLS / (_cpu_s(pid) - before))
    n = rounds * _CONNECTIONS * _CALLS
    yield estimated("core.provider.calls_per_s", intervals.of_median(rates), "calls/s", n, "one core")


@contextmanager
def _running() -> Iterator[tuple[int, int]]:
    command = [sys.executable, "-m", "tokenguard.testing", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = urlsplit(json.loads(process.stdout.readline())["url"]).port
            assert port is not None
            yield process.pid, port
        finally:
            process.terminate()


def _calls(port: int) -> None:
    body = json.dumps(REQUEST).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer bench\r\n"
    request = f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(_CALLS):
            connection.sendall(request)
            _read(connection)


def _read(connection: socket.socket) -> None:
    """Read one whole answer.

    Raises:
        RuntimeError: It is none of what was asked for.
    """
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(65536)
    head, _, rest = got.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if not head.startswith(b"HTTP/1.1 200") or length is None:
        raise RuntimeError(head.decode("latin-1"))
    while len(rest) < int(length[1]):
        rest += connection.recv(65536)


def _cpu_s(pid: int) -> float:
    """The CPU time of a process so far: fields 14 and 15 of /proc/<pid>/stat (proc(5)); Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
