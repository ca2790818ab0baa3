"""Which endpoint a request is for, and what every reply of its provider carries."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from tokenguard.testing import (
    anthropic_wire,
    embeddings_wire,
    files_wire,
    media_wire,
    openai_wire,
    responses_wire,
)
from tokenguard.testing.exchange import Json, Request
from tokenguard.testing.turn import InvalidRequestError, new_id
from tokenguard.testing.wire import Endpoint, Family

_POSTS: Final = {
    "/chat/completions": openai_wire.CHAT,
    "/completions": openai_wire.COMPLETIONS,
    "/responses": responses_wire.RESPONSES,
    "/responses/input_tokens": responses_wire.INPUT_TOKENS,
    "/embeddings": embeddings_wire.EMBEDDINGS,
    "/audio/transcriptions": media_wire.TRANSCRIPTIONS,
    "/images/generations": media_wire.IMAGES,
    "/files": files_wire.UPLOAD,
    "/messages": anthropic_wire.MESSAGES,
    "/messages/count_tokens": anthropic_wire.COUNT_TOKENS,
}
"""By the end of the path, so that any prefix (``/v1``, ``/openai/deployments/{name}``, a proxy's) works."""

_GETS: Final = (
    (re.compile(r".*/models"), files_wire.MODEL_LIST),
    (re.compile(r".*/models/[^/]+"), files_wire.MODEL),
    (re.compile(r".*/files/[^/]+"), files_wire.FILE),
    (re.compile(r".*/files/[^/]+/content"), files_wire.CONTENT),
)
_ANTHROPIC: Final = ("/messages", "/model/", "/publishers/anthropic/")
_FORMS: Final = (media_wire.TRANSCRIPTIONS, files_wire.UPLOAD)


def find(request: Request) -> tuple[Endpoint, Json]:
    """The endpoint of a request, and its decoded body; ``{}`` where the endpoint takes no JSON.

    Raises:
        InvalidRequestError: there is no such endpoint (404), or the body is not what it takes (400).
    """
    endpoint = _endpoint(request.method, request.path)
    if endpoint is None:
        message = f"Invalid URL ({request.method} {request.path})"
        raise InvalidRequestError(message, status=404)
    takes_json = request.method == "POST" and endpoint not in _FORMS
    return endpoint, _json_body(request) if takes_json else {}


@lru_cache(maxsize=1024)
def _endpoint(method: str, path: str) -> Endpoint | None:
    if method == "GET":
        return next((endpoint for pattern, endpoint in _GETS if pattern.fullmatch(path)), None)
    if method != "POST":
        return None
    if "/publishers/anthropic/models/" in path:
        counts = path.endswith("/count-tokens:rawPredict")
        return anthropic_wire.VERTEX_COUNT if counts else anthropic_wire.VERTEX
    if path.startswith("/model/") and path.endswith(("/invoke", "/invoke-with-response-stream")):
        return anthropic_wire.BEDROCK
    ends = [end for end in _POSTS if path.endswith(end)]
    return _POSTS[max(ends, key=len)] if ends else None


def _json_body(request: Request) -> Json:
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise InvalidRequestError("We could not parse the JSON body of your request.")
    return body


def family_of(request: Request) -> Family:
    """Whose API a path belongs to."""
    if request.method == "GET":
        return "anthropic" if request.header("anthropic-version") else "openai"
    return "anthropic" if any(part in request.path for part in _ANTHROPIC) else "openai"


def usual_headers(family: Family, request: Request) -> list[tuple[str, str]]:
    """The headers that every reply carries: its own identifier and the state of the rate limits."""
    if family == "anthropic":
        return [("request-id", new_id("req_")), *_anthropic_limits(int(time.time()))]
    headers = [("x-request-id", new_id("req_")), *_OPENAI_LIMITS]
    if request.path.startswith("/openai/deployments/"):
        headers += [("apim-request-id", new_id("")), ("x-ms-region", "West Europe")]
    return headers


_OPENAI_LIMITS: Final = [
    ("openai-version", "2020-10-01"),
    ("openai-organization", "tokenguard-testing"),
    ("openai-processing-ms", "1"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-limit-tokens", "2000000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-remaining-tokens", "1999000"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-ratelimit-reset-tokens", "30ms"),
]


@lru_cache(maxsize=2)
def _anthropic_limits(now: int) -> list[tuple[str, str]]:
    reset = (datetime.fromtimestamp(now, UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    limits = [("anthropic-organization-id", "00000000-0000-4000-8000-000000000000")]
    for kind, limit, left in (
        ("requests", 4000, 3999),
        ("tokens", 500_000, 499_000),
        ("input-tokens", 400_000, 399_000),
        ("output-tokens", 100_000, 99_000),
    ):
        name = f"anthropic-ratelimit-{kind}"
        limits += [(f"{name}-limit", str(limit)), (f"{name}-remaining", str(left)), (f"{name}-reset", reset)]
    return limits
