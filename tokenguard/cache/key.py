"""The key of an answer: everything in a request that could change it.

The whole body is in it but for a short list of fields that cannot change an answer, and so is every header
but for those that only carry the request. What we do not know makes a miss, never a wrong answer.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from tokenguard.call import Call, Json, Wire

VERSION: Final = "tokenguard-cache-1"
"""Part of every key: a later version that makes keys otherwise finds none of these."""

IGNORED: Final[Mapping[str, frozenset[str]]] = {
    "openai": frozenset(
        {
            *("user", "metadata", "safety_identifier"),
            *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
        }
    ),
    "anthropic": frozenset({"metadata", "diagnostics"}),
}
"""Fields of the body that cannot change an answer, by whose format it is. And within ``stream_options``,
:data:`IGNORED_OF_STREAM`."""

IGNORED_OF_STREAM: Final = frozenset({"include_obfuscation"})

MAY_IGNORE: Final = ("cache_control", "service_tier", "speed")
"""What a user may have ignored too: where an answer is made and how it is billed, not what it says.
``cache_control`` is ignored wherever it stands, the others at the top."""

IGNORED_HEADERS: Final = frozenset(
    {
        *("host", "accept", "accept-encoding", "connection", "content-length", "content-type"),
        *("content-encoding", "transfer-encoding", "user-agent", "cookie", "date", "priority"),
        *("authorization", "x-api-key", "api-key", "openai-organization", "openai-project"),
        *("x-goog-user-project", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"),
        *("idempotency-key", "x-client-request-id", "x-request-id", "x-correlation-id"),
        *("traceparent", "tracestate", "baggage", "b3", "sentry-trace", "uber-trace-id", "newrelic"),
        *("x-amzn-trace-id", "x-cloud-trace-context", "x-ms-client-request-id"),
        "anthropic-dangerous-direct-browser-access",
    }
)
"""Headers that only carry a request, sign it or trace it. Who asks is in the namespace instead."""

IGNORED_HEADER_PREFIXES: Final = ("x-stainless-", "x-b3-", "x-datadog-", "x-tokenguard-")

_CREDENTIALS: Final = ("authorization", "x-api-key", "api-key", "openai-organization", "openai-project")
_in_order: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_sorted: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True, allow_nan=False)


def key(
    call: Call, wire: Wire, *, provider: str, namespace: str, epoch: int, ignored: Iterable[str] = ()
) -> str:
    """The key of a call's answer: 64 hexadecimal digits, a SHA-256.

    Args:
        call: What the request asks for, and where.
        wire: The request as it was made.
        provider: Whose format it is: ``openai`` or ``anthropic``.
        namespace: Who may share the answer.
        epoch: How often everything in the namespace was given up.
        ignored: Further fields to ignore, of :data:`MAY_IGNORE`.
    """
    body = canonical(wire.body, call.body or {}, IGNORED.get(provider, frozenset()), frozenset(ignored))
    parts = [VERSION, provider, call.where.origin, wire.path, call.asked.model, namespace, str(epoch)]
    parts += _headers(wire)
    # Each part stands behind its length, so that no two lists of parts make the same bytes.
    data = [f"{len(part.encode())}:{part}".encode() for part in parts]
    data.append(body)
    return sha256(b"".join(data)).hexdigest()


def namespace(wire: Wire, secret: bytes) -> str:
    """A name for whoever sends a request, from which the credential cannot be found out: an HMAC of it.

    For AWS signatures, which are never twice the same, the credential is the access key's id.
    """
    parts = [f"{name}:{_lasting(wire.headers[name])}" for name in _CREDENTIALS if name in wire.headers]
    return hmac.digest(secret, "\n".join(parts).encode(), "sha256").hex()[:32]


def _lasting(credential: str) -> str:
    if credential.startswith("AWS4-"):
        return credential.partition("Credential=")[2].partition("/")[0]
    return credential


def _headers(wire: Wire) -> list[str]:
    return [
        f"{name}:{value}"
        for name, value in sorted(wire.headers.items())
        if name not in IGNORED_HEADERS and not name.startswith(IGNORED_HEADER_PREFIXES)
    ]


def canonical(text: bytes, body: Json, ignored: frozenset[str], also: frozenset[str] = frozenset()) -> bytes:
    """One text for all bodies that differ in the order of their keys and in what is ignored.

    A body whose meaning cannot be told for sure (a name that stands twice, a number that says more than a
    float can hold) is its own text.

    Args:
        text: The body as it was sent.
        body: What it says.
        ignored: Fields at the top that are left out.
        also: Of :data:`MAY_IGNORE`.
    """
    if _in_order.encode(body).encode("utf-8", "surrogatepass") != text:  # not as the SDKs write it
        try:
            body = json.loads(text, object_pairs_hook=_once, parse_float=_exact)
        except ValueError:
            return b"as it stands:" + text
    kept = {name: value for name, value in body.items() if name not in ignored and name not in also}
    options = kept.get("stream_options")
    if isinstance(options, dict):
        kept["stream_options"] = {n: v for n, v in options.items() if n not in IGNORED_OF_STREAM}
    if "cache_control" in also:
        kept = _without(kept, "cache_control")
    return _sorted.encode(kept).encode()


def _once(pairs: list[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return made


def _exact(text: str) -> float:
    number = float(text)
    if repr(number) != text:
        raise ValueError("a number is written as no float is")
    return number


def _without(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, name) for key, item in value.items() if key != name}
    if isinstance(value, list):
        return [_without(item, name) for item in value]
    return value
