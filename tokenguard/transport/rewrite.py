"""Change a request without disturbing anything else in it: headers keep their order and their case."""

from __future__ import annotations

import json
from typing import Any, Final

from tokenguard.call import Json
from tokenguard.dialects import path_for_model
from tokenguard.errors import GuardError
from tokenguard.transport import headers
from tokenguard.transport.flavour import Flavour
from tokenguard.wishes import PREFIX

_SIGNATURE: Final = ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256")
_encoder: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def encoded(body: Json) -> bytes:
    """A JSON body as both SDKs write it: compact, not ASCII-escaped, no NaN."""
    return _encoder.encode(body).encode()


def extended(text: bytes, body: Json, more: Json) -> bytes:
    """The JSON text of ``body`` with further fields at its end; what stands there stays byte for byte.

    Args:
        text: The JSON text.
        body: What it says.
        more: The same with more fields, or with others.
    """
    kept = all(more.get(name) is value for name, value in body.items())
    if not kept or not body or text[:1] != b"{" or text[-1:] != b"}":
        return encoded(more)
    added = {name: value for name, value in more.items() if name not in body}
    return text[:-1] + b"," + encoded(added)[1:] if added else text


def with_body(flavour: Flavour, request: Any, body: bytes) -> Any:
    """The same request with another body; ``content-length`` follows it."""
    made = _copy(flavour, request)
    made.stream = flavour.bytes_stream(body)
    made._content = body
    headers.replace(made.headers, b"content-length", str(len(body)).encode())
    return made


def without_wishes(flavour: Flavour, request: Any) -> Any:
    """The same request without ``x-tokenguard-*`` headers."""
    made = _copy(flavour, request)
    headers.remove(made.headers, PREFIX.encode())
    return made


def with_model(flavour: Flavour, request: Any, body: Json, model: str) -> Any:
    """The same request for another model: in the body, and in the URL where the URL names it."""
    if "model" in body:
        request = with_body(flavour, request, encoded({**body, "model": model}))
    path = request.url.raw_path.decode("ascii")
    plain, mark, query = path.partition("?")
    moved = path_for_model(plain, model)
    if moved == plain:
        return request
    made = _copy(flavour, request)
    made.url = request.url.copy_with(raw_path=(moved + mark + query).encode("ascii"))
    return made


def _copy(flavour: Flavour, request: Any) -> Any:
    """A request that can be changed without changing the original, whose body it shares.

    The library's constructor would read the URL, and look through all headers a dozen times.
    """
    made = object.__new__(flavour.module.Request)
    made.__dict__ = {
        **request.__dict__,
        "headers": flavour.module.Headers(request.headers),
        "extensions": dict(request.extensions),
    }
    return made


def is_signed(request: Any) -> bool:
    """Whether the request carries an AWS Signature Version 4, which covers its headers and body."""
    authorization: str = request.headers.get("authorization", "")
    return authorization.startswith("AWS4-HMAC-SHA256")


def unsigned(request: Any) -> str:
    """Take the signature off, so that the SDK's own signer can put a new one on; gives the signer's key."""
    key = _access_key(request)
    for name in _SIGNATURE:
        if name in request.headers:
            del request.headers[name]
    return key


def check_signer(request: Any, key: str) -> None:
    """Make sure that the new signature was made with the key of the old one.

    Raises:
        GuardError: It was not: the client is a copy with other AWS credentials.
    """
    if _access_key(request) != key:
        raise GuardError(
            "this request has to be signed again, but its client was copied with other AWS credentials after "
            "it was wrapped; wrap the copy itself: guard.wrap(client.with_options(...))"
        )


def _access_key(request: Any) -> str:
    """The access key id in ``Credential=<id>/<date>/<region>/...``; it is no secret."""
    authorization: str = request.headers.get("authorization", "")
    return authorization.partition("Credential=")[2].partition("/")[0]
