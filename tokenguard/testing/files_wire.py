"""OpenAI's files and lists of models: what is neither asked of a model nor paid for."""

from __future__ import annotations

import hashlib
import time
from typing import Final

from tokenguard.testing import forms
from tokenguard.testing.exchange import Json, Request
from tokenguard.testing.turn import Ask, Turn, new_id
from tokenguard.testing.wire import Endpoint

MODELS: Final = (
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-5",
    "gpt-5-mini",
    "text-embedding-3-large",
    "text-embedding-3-small",
)
"""What the list of models names; every other model is answered for as well."""

CLAUDES: Final = ("claude-haiku-4-5", "claude-opus-5", "claude-sonnet-5")


def read_nothing(request: Request, body: Json) -> Ask:
    """Endpoints that ask nothing of a model."""
    return Ask(request, body, model="")


def upload_body(ask: Ask, _: Turn) -> Json:
    """The ``file`` that was uploaded. ``bytes`` is the size of the whole form."""
    fields = forms.fields_of(ask.request)
    return _file(
        new_id("file-"), ask.request.body_size, fields.get("filename", ""), fields.get("purpose", "")
    )


def file_body(ask: Ask, _: Turn) -> Json:
    """What is said of any file."""
    return _file(ask.request.path.rpartition("/")[2], len(_content("")), "file.bin", "user_data")


def content_body(ask: Ask, _: Turn) -> bytes:
    """4 KiB that depend on nothing but the identifier of the file."""
    return _content(ask.request.path.removesuffix("/content").rpartition("/")[2])


def _content(file_id: str) -> bytes:
    return hashlib.shake_128(file_id.encode()).digest(4096)


def _file(file_id: str, size: int, name: str, purpose: str) -> Json:
    return {
        "id": file_id,
        "object": "file",
        "bytes": size,
        "created_at": int(time.time()),
        "filename": name,
        "purpose": purpose or "user_data",
        "status": "processed",
    }


def models_body(ask: Ask, _: Turn) -> Json:
    """The list of models, OpenAI's or Anthropic's by the headers of the request."""
    if ask.request.header("anthropic-version"):
        data = [_claude(name) for name in CLAUDES]
        return {"data": data, "has_more": False, "first_id": CLAUDES[0], "last_id": CLAUDES[-1]}
    return {"object": "list", "data": [_model(name) for name in MODELS]}


def model_body(ask: Ask, _: Turn) -> Json:
    """What is said of any one model."""
    name = ask.request.path.rpartition("/")[2]
    return _claude(name) if ask.request.header("anthropic-version") else _model(name)


def _model(name: str) -> Json:
    return {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "tokenguard-testing"}


def _claude(name: str) -> Json:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2025-01-01T00:00:00Z",
        "lifecycle": "active",
    }


UPLOAD: Final = Endpoint("openai_files", read_nothing, upload_body, speaks=False)
FILE: Final = Endpoint("openai_files", read_nothing, file_body, speaks=False)
CONTENT: Final = Endpoint("openai_files", read_nothing, content_body, speaks=False)
MODEL_LIST: Final = Endpoint("models", read_nothing, models_body, speaks=False)
MODEL: Final = Endpoint("models", read_nothing, model_body, speaks=False)
