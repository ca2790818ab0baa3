"""A cassette as a file: JSON, one call after the other, made to be read and compared in a code review."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tokenguard.cache.cassette.layout import laid_out, lined, pretty, put_together, whole
from tokenguard.cache.cassette.recording import Recording, Request, Response
from tokenguard.cache.key import sorted_json

VERSION: Final = 1
_MARK: Final = "tokenguard_cassette"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def written(texts: Iterable[str]) -> bytes:
    """A cassette file.

    Args:
        texts: Of each of its recordings, see :func:`text_of`.
    """
    head, tail = f'{{\n  "{_MARK}": {VERSION},\n  "recordings": [', "]\n}\n"
    inner = ",\n".join(texts)
    return (head + (f"\n{inner}\n  " if inner else "") + tail).encode()


def text_of(recording: Recording) -> str:
    """A recording as it stands in the file."""
    response = recording.response
    layout, body = laid_out(response.body)
    answer: dict[str, Any] = {
        "recorded": (_EPOCH + timedelta(microseconds=response.recorded_ns // 1000)).isoformat(),
        "status": response.status,
        "content_type": response.content_type,
        "request_id": response.request_id,
        "usage": None if response.usage is None else json.loads(response.usage),
        "layout": layout,
        "body": body,
    }
    document = {
        "request": document_of(recording.request),
        "response": {name: value for name, value in answer.items() if value is not None},
    }
    return "\n".join("    " + line for line in pretty(document).split("\n"))


def document_of(request: Request) -> dict[str, Any]:
    """A request as it stands in the file."""
    body: Any = request.body.split("\n")
    try:
        value = lined(json.loads(request.body))
        if isinstance(value, dict) and _sorted_text(value) == request.body:
            body = value
    except (ValueError, RecursionError):
        pass  # it stands as it was sent
    return {
        "format": request.format,
        "model": request.model,
        "path": request.path,
        **({"headers": dict(request.headers)} if request.headers else {}),
        "body": body,
    }


def read(content: bytes) -> list[Recording]:
    """The recordings in a file.

    Raises:
        ValueError: It is no cassette, one of a later version, or one that was damaged.
    """
    if not content.strip():
        return []
    document = json.loads(content)
    if not isinstance(document, dict) or _MARK not in document:
        raise ValueError(f"there is no {_MARK!r} in it")
    if document[_MARK] != VERSION:
        raise ValueError(f"it is of version {document[_MARK]!r}, and this tokenguard reads version {VERSION}")
    made = []
    for n, item in enumerate(_field(document, "recordings", list)):
        try:
            made.append(_recording(item))
        except ValueError as error:
            raise ValueError(f"recordings[{n}]: {error}") from None
    return made


def _recording(item: Any) -> Recording:
    request, response = _field(item, "request", dict), _field(item, "response", dict)
    headers, usage = request.get("headers", {}), response.get("usage")
    if not isinstance(headers, dict):
        raise ValueError("'headers' is no object")
    recorded = datetime.fromisoformat(_field(response, "recorded", str))
    if recorded.tzinfo is None:
        raise ValueError("'recorded' has no zone")
    return Recording(
        Request(
            _field(request, "format", str),
            _field(request, "model", str),
            _field(request, "path", str),
            tuple(sorted((str(name), str(value)) for name, value in headers.items())),
            _body_of(request.get("body")),
        ),
        Response(
            (recorded - _EPOCH) // timedelta(microseconds=1) * 1000,
            _field(response, "status", int),
            _field(response, "content_type", str),
            _field(response, "request_id", str) if "request_id" in response else None,
            put_together(_field(response, "layout", str), response.get("body")),
            None if usage is None else json.dumps(usage),
        ),
    )


def _body_of(body: Any) -> str:
    if isinstance(body, dict):
        return _sorted_text(body)
    if isinstance(body, list) and all(isinstance(line, str) for line in body):
        return "\n".join(body)
    raise ValueError("the request's 'body' is neither an object nor a list of lines")


def _sorted_text(value: Any) -> str:
    return sorted_json(whole(value)).decode("utf-8", "surrogatepass")


def _field(item: Any, name: str, kind: type) -> Any:
    value = item.get(name) if isinstance(item, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{name!r} is missing" if value is None else f"{name!r} is {value!r}")
    return value
