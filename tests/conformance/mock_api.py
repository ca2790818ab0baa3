"""A mock of the whole API: whatever is asked, the answer validates as what the SDK expects back.

The suites' ``api_resources`` tests need a server that answers thousands of endpoints. The type that a
call expects is known where the SDK makes it, so a value of that type is made up and sent.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import re
import threading
import types
import typing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pydantic
import typing_extensions

requests: list[str] = []
"""A digest of every request that came since the list was last cleared."""

_expected: dict[str, Any] = {"type": object, "stream": False}
_DEEP = 8


def digest(text: str | bytes, digits: int = 16) -> int:
    """A short, stable number for a text."""
    data = text.encode() if isinstance(text, str) else text
    return int(hashlib.sha256(data).hexdigest()[:digits], 16)


def expect_what_is_called_for(base: Any) -> None:
    """Note, at every call that the SDK makes, what it expects back."""
    for cls in (base.SyncAPIClient, base.AsyncAPIClient):
        original = cls.request

        @functools.wraps(original)
        def request(
            self: Any, cast_to: Any, options: Any, *, _original: Any = original, **kwargs: Any
        ) -> Any:
            _expected.update(type=cast_to, stream=bool(kwargs.get("stream")))
            return _original(self, cast_to, options, **kwargs)

        cls.request = request


def start() -> str:
    """Serve on a loopback port, in a thread; gives the URL."""
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        requests.append(f"{digest(self._seen()):x}")
        kind, body, status = self._body()
        self.send_response(status)
        headers = {
            "content-type": kind,
            "content-length": str(len(body)),
            "x-request-id": "r",
            "request-id": "r",
        }
        if status == 500:
            headers["x-should-retry"] = "false"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _seen(self) -> bytes:
        """The request, byte for byte, but for what differs from run to run."""
        head = [f"{name}: {value}" for name, value in self.headers.items() if name.lower() != "host"]
        seen = (
            "\n".join([f"{self.command} {self.path}", *head]).encode("latin-1", "replace") + self._content()
        )
        boundary = re.search(rb"boundary=([^;\s]+)", seen)
        if boundary:
            seen = seen.replace(boundary[1].strip(b'"'), b"-")
        return re.sub(rb"stainless-python-retry-[0-9a-f-]{36}", b"-", seen)

    def _content(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        content = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _body(self) -> tuple[str, bytes, int]:
        expected = _expected["type"]
        if _expected["stream"]:
            return "text/event-stream", b"event: ping\ndata: {}\n\n", 200
        if expected is str:
            return "text/plain", b"string", 200
        if isinstance(expected, type) and "Binary" in expected.__name__:
            return "application/octet-stream", b'{"foo": "bar"}', 200
        try:
            if "JSONLDecoder" in str(expected):
                (row,) = typing.get_args(expected)
                return "application/x-jsonl", json.dumps(value_of(row)).encode() + b"\n", 200
            return "application/json", json.dumps(value_of(expected)).encode(), 200
        except Exception as error:  # fails in the unwrapped run too, and does not count
            return "application/json", json.dumps({"error": {"message": repr(error)}}).encode(), 500


def value_of(wanted: Any, depth: int = 0) -> Any:
    """A JSON value that validates as a type: required fields, first variants."""
    wanted = _bare(wanted)
    for kind, value in _PLAIN:
        if wanted is kind:
            return value
    origin, args = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Literal, typing_extensions.Literal):
        return args[0]
    if origin in (typing.Union, types.UnionType):
        some = [arg for arg in args if arg is not type(None)]
        return None if depth > _DEEP and len(some) < len(args) else value_of(some[0], depth + 1)
    if wanted is list or str(origin).endswith(("list'>", "set'>", "tuple'>", "Sequence'>", "Iterable'>")):
        return [value_of(args[0], depth + 1)] if args and depth <= _DEEP else []
    if wanted is dict or str(origin).endswith(("dict'>", "Mapping'>")):
        return {"foo": value_of(args[1], depth + 1)} if args and depth <= _DEEP else {}
    model = next(
        (t for t in (wanted, origin) if isinstance(t, type) and issubclass(t, pydantic.BaseModel)), None
    )
    if model is not None:
        return _object(model, depth)
    if typing_extensions.is_typeddict(wanted):
        hints = typing_extensions.get_type_hints(wanted)
        return {name: value_of(hints[name], depth + 1) for name in wanted.__required_keys__}
    return {}


_PLAIN: list[tuple[Any, Any]] = [
    (None, None),
    (type(None), None),
    (str, "string"),
    (bool, True),
    (int, 1),
    (float, 1.5),
    (datetime.datetime, "2020-01-01T00:00:00Z"),
    (datetime.date, "2020-01-01"),
]


def _object(model: type[pydantic.BaseModel], depth: int) -> Any:
    model.model_rebuild(raise_errors=False)
    fields = model.model_fields
    if getattr(model, "__pydantic_root_model__", False):
        return value_of(fields["root"].annotation, depth + 1)
    required = {name: field for name, field in fields.items() if field.is_required()}
    return {field.alias or name: value_of(field.annotation, depth + 1) for name, field in required.items()}


def _bare(wanted: Any) -> Any:
    """The type without aliases, annotations and type variables around it."""
    while True:
        if type(wanted).__name__ == "TypeAliasType":
            wanted = wanted.__value__
        elif typing.get_origin(wanted) in (typing.Annotated, typing_extensions.Required):
            wanted = typing.get_args(wanted)[0]
        elif isinstance(wanted, typing.TypeVar):
            wanted = wanted.__bound__ or object
        else:
            return wanted
