"""The key of an answer: everything in a request that could change it.

The whole body is in it but for a short list of fields that cannot change an answer, and so is every header
that may change it (:mod:`tokenguard.cache.headers`). What we do not know makes a miss, never a wrong answer.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from math import isfinite
from typing import Any, Final

from tokenguard.cache.headers import CARRYING, in_key, in_namespace
from tokenguard.call import Call, Json, Wire

VERSION: Final = "tokenguard-cache-1"
"""Part of every key: a later version that makes keys otherwise finds none of these."""

SCOPE_VERSION: Final = "tokenguard-similar-1"
"""Part of every scope, likewise; so none is ever the key of an answer."""

_AS_IT_STANDS: Final = b"as it stands:"

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

_in_order: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_sorted: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def key(
    call: Call,
    wire: Wire,
    *,
    provider: str,
    namespace: str,
    epoch: int,
    ignored: Iterable[str] = (),
    ignored_headers: frozenset[bytes] = frozenset(),
) -> str:
    """The key of a call's answer: 64 hexadecimal digits, a SHA-256.

    Args:
        call: What the request asks for, and where.
        wire: The request as it was made.
        provider: Whose format it is: ``openai`` or ``anthropic``.
        namespace: Who may share the answer.
        epoch: How often everything in the namespace was given up.
        ignored: Further fields to ignore, of :data:`MAY_IGNORE`.
        ignored_headers: Further headers to ignore: :func:`tokenguard.cache.headers.ignorable`.
    """
    body = canonical(wire.body, call.body or {}, IGNORED.get(provider, frozenset()), frozenset(ignored))
    headers = in_key(wire.headers, call.where.origin, ignored_headers)
    return _hash(VERSION, provider, call, wire.path, headers, body, namespace, str(epoch))


def scope(
    call: Call,
    wire: Wire,
    rest: Json,
    *,
    provider: str,
    namespace: str,
    epoch: int,
    ignored: Iterable[str] = (),
    ignored_headers: frozenset[bytes] = frozenset(),
    embedder: str,
) -> str | None:
    """What calls have in common that differ in one text only; ``None`` where that cannot be told for sure.

    Args:
        call: As for :func:`key`, as are the others.
        wire: The request as it was made.
        rest: Its body without that text.
        provider: Whose format it is.
        namespace: Who may share the answer.
        epoch: How often everything in the namespace was given up.
        ignored: Further fields to ignore.
        ignored_headers: Further headers to ignore.
        embedder: Who makes vectors of the texts; those of two are never compared.
    """
    if canonical(wire.body, call.body or {}, frozenset()).startswith(_AS_IT_STANDS):
        return None
    text = _bytes(_in_order.encode(rest))
    body = canonical(text, rest, IGNORED.get(provider, frozenset()), frozenset(ignored))
    headers = in_key(wire.headers, call.where.origin, ignored_headers)
    return _hash(SCOPE_VERSION, provider, call, wire.path, headers, body, namespace, str(epoch), embedder)


def _hash(
    version: str, provider: str, call: Call, path: bytes, headers: list[bytes], body: bytes, *said: str
) -> str:
    texts = (version, provider, call.where.origin, call.asked.model, *said)
    parts = [*map(_bytes, texts), path, *headers]
    # Each part stands behind its length, so that no two lists of parts make the same bytes.
    data = [b"%d:%b" % (len(part), part) for part in parts]
    data.append(body)
    return sha256(b"".join(data)).hexdigest()


def fingerprint(call: Call, wire: Wire, passing: frozenset[bytes] = CARRYING) -> bytes:
    """A short name for a request just as it stands: the same one has the same key, without another look.

    Args:
        call: What the request asks for, and where.
        wire: The request as it was made.
        passing: Headers that are neither in its key nor in its namespace.
    """
    model = _bytes(call.asked.model)  # perhaps not the body's, but a wish
    parts = [call.where.origin.encode(), b"%d" % len(model), model, wire.path]
    for name, value in wire.headers.items():
        if name not in passing:
            parts += name, value
    parts.append(wire.body)
    return sha256(b"\n".join(parts)).digest()  # no header can have a newline in it


def namespace(wire: Wire, secret: bytes) -> str:
    """A name for whoever sends a request, from which the credential cannot be found out: an HMAC of it.

    For AWS signatures, which are never twice the same, the credential is the access key's id.
    """
    return hmac.digest(secret, b"\n".join(in_namespace(wire.headers)), "sha256").hex()[:32]


def canonical(text: bytes, body: Json, ignored: frozenset[str], also: frozenset[str] = frozenset()) -> bytes:
    """One text for all bodies that differ in the order of their keys and in what is ignored.

    A body whose meaning cannot be told for sure (a name that stands twice, a number that says more than a
    float can hold, more levels than can be read) is its own text.

    Args:
        text: The body as it was sent.
        body: What it says.
        ignored: Fields at the top that are left out.
        also: Of :data:`MAY_IGNORE`.
    """
    try:
        if _bytes(_in_order.encode(body)) != text:  # not as the SDKs write it
            body = json.loads(
                text, object_pairs_hook=_once, parse_float=_exact, parse_int=_whole, parse_constant=_exact
            )
        return sorted_json(_kept(body, ignored, also))
    except (ValueError, RecursionError):
        return _AS_IT_STANDS + text


def sorted_json(value: Any) -> bytes:
    """One text for all JSON values that differ in the order of their keys."""
    return _bytes(_sorted.encode(value))


def _kept(body: Json, ignored: frozenset[str], also: frozenset[str]) -> Json:
    kept = {name: value for name, value in body.items() if name not in ignored and name not in also}
    options = kept.get("stream_options")
    if isinstance(options, dict):
        kept["stream_options"] = {n: v for n, v in options.items() if n not in IGNORED_OF_STREAM}
    return _unmarked(kept) if "cache_control" in also else kept


def _once(pairs: list[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return made


def _exact(text: str) -> float:
    number = float(text)
    if repr(number) != text or not isfinite(number):
        raise ValueError("a number is written as no float is")
    return number


def _whole(text: str) -> int:
    if text == "-0":
        raise ValueError("a sign that an int does not keep")
    return int(text)


def _unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _unmarked(item) for name, item in value.items() if not _is_marker(name, item)}
    if isinstance(value, list):
        return [_unmarked(item) for item in value]
    return value


def _is_marker(name: str, value: Any) -> bool:
    """Whether a field is a mark for the provider's cache, and not an argument or a schema's property."""
    return name == "cache_control" and (
        value is None or (isinstance(value, dict) and value.get("type") == "ephemeral")
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # half of a pair is a model's name, too
