"""The two HTTP libraries under the SDKs: httpx2 (openai 3, anthropic 2) and httpx (openai 2).

Their transport contract is the same; only the module differs. A user's client is never moved from
one to the other: its errors, limits and connection pool are the library's own.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Final

from tokenguard.effects import Lookup
from tokenguard.errors import ConfigError, NotWrappableError

NAMES: Final = ("httpx2", "httpx")

_NOT_SENT: Final = frozenset(
    {
        "ConnectError",
        "ConnectTimeout",
        "PoolTimeout",
        "UnsupportedProtocol",
        "LocalProtocolError",
        "ProxyError",
    }
)
"""Errors that can only come before a byte of the request has left."""


class Flavour:
    """One HTTP library.

    Attributes:
        module: It.
        bytes_stream: Its class of bodies that are here already, for threads and event loops alike.
    """

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.bytes_stream: type[Any] = module.ByteStream

    def is_trouble(self, error: BaseException) -> bool:
        """Whether the library raised it for a connection that failed: the kind worth another attempt."""
        return isinstance(error, self.module.TransportError)

    def decoded(self, content: bytes, headers: Lookup) -> bytes:
        """A whole body with its ``content-encoding`` taken off, by the library's own decoders."""
        encoding = {"content-encoding": headers.get("content-encoding") or "identity"}
        response = self.module.Response(200, headers=encoding, content=content)
        decoded: bytes = response.content
        return decoded

    def decoding(self, stream: Any, headers: Lookup) -> Any:
        """A response whose ``iter_bytes`` reads ``stream`` with its ``content-encoding`` taken off."""
        return self.module.Response(
            200, headers={"content-encoding": headers.get("content-encoding")}, stream=stream
        )

    def stream_class(self, ours: type[Any], *, is_async: bool) -> type[Any]:
        """Our response stream as a class that the library accepts for one."""
        base = self.module.AsyncByteStream if is_async else self.module.SyncByteStream
        made = _streams.get((ours, base))
        if made is None:
            body = {"__module__": ours.__module__, "__doc__": ours.__doc__}
            made = _streams[ours, base] = type(ours.__name__, (ours, base), body)
        return made


_streams: dict[tuple[type[Any], type[Any]], type[Any]] = {}


def of_client(http_client: object) -> tuple[Flavour, bool]:
    """The library that an HTTP client belongs to, and whether it is asynchronous.

    Raises:
        NotWrappableError: It belongs to neither.
    """
    for name in NAMES:
        module = sys.modules.get(name)  # a client of a library that is not loaded cannot exist
        if module is None:
            continue
        if isinstance(http_client, module.AsyncClient):
            return Flavour(module), True
        if isinstance(http_client, module.Client):
            return Flavour(module), False
    raise NotWrappableError(f"{type(http_client).__name__} is not an HTTP client of httpx2 or httpx")


def named(name: str) -> Flavour:
    """The library of this name.

    Raises:
        ConfigError: The name is neither ``httpx2`` nor ``httpx``, or that library is not installed.
    """
    if name not in NAMES:
        raise ConfigError(f"flavour={name!r}: give 'httpx2' or 'httpx'")
    try:
        return Flavour(__import__(name))
    except ImportError as error:
        raise ConfigError(f"flavour={name!r}: that library is not installed; pip install {name}") from error


def failed_before_sending(error: BaseException) -> bool:
    """Whether an error proves that the provider never got the request."""
    return type(error).__name__ in _NOT_SENT
