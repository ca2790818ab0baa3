"""Replies that are not answers, and answers with something wrong in them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

from tokenguard.testing import aws_event_stream
from tokenguard.testing.exchange import Json, Reply
from tokenguard.testing.script import Failure, Fault
from tokenguard.testing.turn import new_id
from tokenguard.testing.wire import JSON_TYPE, Family, data, dumps, event

_OPENAI_TYPES: Final = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    503: ("service_unavailable_error", None),
}
_ANTHROPIC_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_NOT_JSON: Final = b"<html><head><title>502 Bad Gateway</title></head><body>not JSON</body></html>"
_MALFORMED: Final = '{"choices": [{"delta": {"con'


def failure_reply(failure: Failure, family: Family, headers: list[tuple[str, str]]) -> Reply:
    """The reply to a request that fails as scripted."""
    body = failure.body
    if body is None:
        body = dumps(error_object(family, failure.status, f"scripted failure with status {failure.status}"))
    elif not isinstance(body, str | bytes):
        body = dumps(dict(body))
    content = body.encode() if isinstance(body, str) else body
    own = {name.lower() for name in failure.headers}
    kept = [(name, value) for name, value in headers if name not in own]
    kind = [] if "content-type" in own else [("content-type", JSON_TYPE)]
    return Reply(failure.status, [*kept, *kind, *failure.headers.items()], content)


def error_object(family: Family, status: int, message: str, param: str | None = None) -> Json:
    """An error as the provider writes it."""
    if family == "anthropic":
        kind = _ANTHROPIC_TYPES.get(status, "api_error")
        error = {"type": kind, "message": message}
        return {"type": "error", "error": error, "request_id": new_id("req_")}
    kind, code = _OPENAI_TYPES.get(status, ("server_error", None))
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_event(family: Family, dialect: str, fault: Fault, *, aws: bool) -> bytes:
    """The event with which a stream breaks off although its status was 200."""
    if family == "anthropic":
        error = dict(fault.error or {"type": "overloaded_error", "message": "Overloaded"})
        if aws:
            return aws_event_stream.exception("throttlingException", str(error.get("message", "")))
        return event({"type": "error", "error": error})
    error = dict(fault.error or error_object("openai", 500, "scripted error inside the stream")["error"])
    if dialect == "openai_responses":
        return event({**error, "type": "error", "sequence_number": fault.error_after})
    return data(dumps({"error": error}))


def spoil(reply: Reply, fault: Fault, family: Family, dialect: str) -> Reply:
    """Work the faults that concern the content into a reply; those of sending are left to the server."""
    reply.fault = fault
    if fault.not_json:
        headers = [(n, v) for n, v in reply.headers if n != "content-type"]
        reply = Reply(reply.status, [*headers, ("content-type", "text/html")], _NOT_JSON, fault=fault)
    elif reply.pieces is not None:
        _spoil_stream(reply, reply.pieces, fault, family, dialect)
    elif fault.truncate_after is not None:
        reply.body = b"" if fault.truncate_after < 1 else reply.body[: (len(reply.body) + 1) // 2]
    if fault.gzip:
        reply.headers = [*reply.headers, ("content-encoding", "gzip")]
        if reply.pieces is None:
            reply.body = b"".join(_gzip([reply.body]))
        else:
            reply.pieces = _gzip(reply.pieces)
    return reply


def _spoil_stream(reply: Reply, pieces: list[bytes], fault: Fault, family: Family, dialect: str) -> None:
    aws = ("content-type", aws_event_stream.CONTENT_TYPE) in reply.headers
    if fault.malformed_after is not None:
        broken = aws_event_stream.chunk(_MALFORMED) if aws else data(_MALFORMED)
        pieces = [*pieces[: fault.malformed_after], broken, *pieces[fault.malformed_after :]]
    if fault.error_after is not None:
        pieces = [*pieces[: fault.error_after], error_event(family, dialect, fault, aws=aws)]
    if fault.truncate_after is not None:
        pieces = pieces[: fault.truncate_after]
    reply.pieces = pieces


def _gzip(pieces: Iterable[bytes]) -> list[bytes]:
    """Each piece compressed so that it can be read as soon as it is there."""
    packer = zlib.compressobj(wbits=31)
    packed = [packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    packed.append(packer.flush())
    return packed
