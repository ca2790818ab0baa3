"""OpenAI's embeddings, as floats and as base64."""

from __future__ import annotations

import base64
import hashlib
import struct
from functools import lru_cache
from typing import Final

from tokenguard.testing.exchange import Json, Request
from tokenguard.testing.openai_wire import prompt_texts
from tokenguard.testing.turn import Ask, Turn, count
from tokenguard.testing.wire import Endpoint, dumps, required, whole_number

_DIMENSIONS: Final = {"text-embedding-3-large": 3072}
_DEFAULT_DIMENSIONS: Final = 1536


def read_embedding(request: Request, body: Json) -> Ask:
    """What an embedding asks."""
    model = str(required(body, "model", str))
    texts, tokens = prompt_texts(required(body, "input", (str, list)))
    return Ask(request, body, model, input_tokens=tokens + sum(count(text, model) for text in texts))


def embedding_body(ask: Ask, turn: Turn) -> Json:
    """A list of unit vectors that depend on nothing but the inputs; as floats or base64, as asked for."""
    given = ask.body["input"]
    inputs = given if isinstance(given, list) and not all(isinstance(n, int) for n in given) else [given]
    size = whole_number(ask.body, "dimensions") or _DIMENSIONS.get(ask.model, _DEFAULT_DIMENSIONS)
    packed = ask.body.get("encoding_format") == "base64"
    data = []
    for index, text in enumerate(inputs):
        value = _packed_vector(dumps(text), size) if packed else _vector(dumps(text), size)
        data.append({"object": "embedding", "index": index, "embedding": value})
    body: Json = {"object": "list", "data": data, "model": turn.answer.model or ask.model}
    usage = turn.usage(
        {"prompt_tokens": turn.input_tokens, "total_tokens": turn.input_tokens},
        wrong={"total_tokens": turn.input_tokens + 7},
    )
    return body if usage is None else {**body, "usage": usage}


def _vector(text: str, size: int) -> list[float]:
    raw = hashlib.shake_128(text.encode("utf-8", "replace")).digest(size)
    values = [byte - 127.5 for byte in raw]
    norm = sum(value * value for value in values) ** 0.5
    return [value / norm for value in values]


@lru_cache(maxsize=256)
def _packed_vector(text: str, size: int) -> str:
    """Little-endian 32-bit floats in base64, which the SDK asks for unless told otherwise."""
    return base64.b64encode(struct.pack(f"<{size}f", *_vector(text, size))).decode()


EMBEDDINGS: Final = Endpoint("openai_embeddings", read_embedding, embedding_body, speaks=False)
