"""Pairs of requests that must have different keys, and pairs that must have the same one.

Requests are made at random from a seed, in the formats of five endpoints, with bodies as deep as they come
(tools, schemas, parts of content). Their keys are made as those of calls are: from the HTTP request, through
the seam. What is the same is decided here, not by the code that is measured: a change to anything but the
fields below is another request, down to the type of a number and a field of the same name further inside.
"""

from __future__ import annotations

import json
import math
import random
import string
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, NamedTuple
from unicodedata import normalize

import openai
from bars import Bar, counted, progress

import tokenguard
from tokenguard.cache import Cache

Json = dict[str, Any]

_OF_OPENAI: Final = (
    *("user", "metadata", "safety_identifier"),
    *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
)
_OF_ANTHROPIC: Final = ("metadata", "diagnostics")
_INSIDE: Final = ("user", "metadata", "cache_control", "diagnostics", "include_obfuscation", "x", "X", "x_ü")
"""Names within a body. Some of them do not matter at its top, but here they do."""
_WORDS: Final = (
    "",
    " ",
    "0",
    "1",
    "true",
    "null",
    "Paris",
    "paris",
    "Zürich",
    "Zu\u0308rich",
    "\u0000",
    '"',
    "{}",
)


@dataclass(frozen=True, slots=True)
class Format:
    """The requests of one endpoint.

    Attributes:
        path: Where they go.
        ignored: Fields at the top that do not matter.
        make: Makes the fields that such a request has.
    """

    path: str
    ignored: tuple[str, ...]
    make: Callable[[random.Random], Json]


class Request(NamedTuple):
    """A request of an endpoint."""

    format: Format
    body: Json


def key_bars(*, quick: bool, rng: random.Random) -> Iterator[Bar]:
    """Unequal requests with the same key, and equal ones with different keys."""
    pairs = 10_000 if quick else 100_000
    keys, collisions, misses, means = Keys(), 0, 0, dict[str | None, str]()
    began = time.monotonic()
    for _ in range(pairs):
        one = _request(rng)
        (other, changed), equal = _changed(rng, one, keys), _written_otherwise(rng, one)
        if _meaning(equal) != _meaning(one):
            raise RuntimeError(f"not equal: {one.body} and {equal.body}")
        first = keys.of(one)
        for request, key in ((one, first), (other, changed)):
            meaning = _meaning(request)
            collisions += means.setdefault(key, meaning) != meaning
        misses += keys.of(equal, rng) != first
    if None in means:
        raise RuntimeError("a request was made that is passed by")
    progress(
        f"  {len(means)} different keys, in {time.monotonic() - began:.1f} s; faults {dict(keys.faults)}"
    )
    yield counted("cache.key.collisions", collisions, "requests", pairs, "pairs that differ in one place")
    yield counted("cache.key.misses", misses, "requests", pairs, "pairs that differ in what does not matter")


class Keys:
    """The keys that a guard's cache makes, of requests that never leave."""

    def __init__(self) -> None:
        guard = tokenguard.Guard(
            ledger=None,
            cache=Cache(mode="always", namespace="bench"),
            telemetry=tokenguard.TelemetrySettings(spans="off"),
        )
        client: Any = guard.wrap(openai.OpenAI(base_url="http://127.0.0.1:1/v1", api_key="bench"))
        self.faults: Counter[str] = Counter()
        assert guard.cache is not None
        self._cache = guard.cache
        self._build, self._seam = client._client.build_request, client._client._transport._seam

    def of(self, request: Request, rng: random.Random | None = None) -> str | None:
        """The key of a request, written as the SDKs write it, or else, perhaps, as somebody else would.

        ``None`` where the cache would be passed by.
        """
        text = _text(request.body, rng)
        headers = {"content-type": "application/json"}
        exchange = self._seam.begin(
            self._build("POST", "http://127.0.0.1:1" + request.format.path, content=text, headers=headers)
        )
        try:
            plan = self._cache.plan(exchange.call, exchange.endpoint.dialect)
        except Exception as error:  # the cache is passed by then, too
            self.faults[repr(error)] += 1
            return None
        return None if plan is None else str(plan.key)


def _text(body: Json, rng: random.Random | None) -> bytes:
    if rng is None or rng.random() < 0.5:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return json.dumps(body, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 1])).encode()


def _meaning(request: Request) -> str:
    """What a request asks for, as a digest: the same for equal requests, and for no others."""
    kept = {name: value for name, value in request.body.items() if name not in request.format.ignored}
    options = kept.get("stream_options")
    if isinstance(options, dict):
        kept["stream_options"] = {n: v for n, v in options.items() if n != "include_obfuscation"}
    return blake2b((request.format.path + _told(kept)).encode(), digest_size=16).hexdigest()


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{name!r}:{_told(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_told, value)) + "]"
    return repr(value)  # which tells 1, 1.0, True and "1" from one another


# Requests.


def _request(rng: random.Random) -> Request:
    form = rng.choice(FORMATS)
    body = {**form.make(rng), **{f"x_top_{i}": _any(rng) for i in range(rng.randrange(3))}}
    for name in rng.sample(form.ignored, rng.randrange(3)):
        body[name] = _any(rng)
    return Request(form, _shuffled(rng, body))


def _chat(rng: random.Random) -> Json:
    messages = [{"role": rng.choice(("user", "system")), "content": _content(rng)} for _ in range(_few(rng))]
    made: Json = {"model": _model(rng), "messages": messages, "temperature": rng.choice((0, 0.0, 0.5))}
    if rng.random() < 0.3:
        made |= {"stream": True, "stream_options": {"include_usage": rng.random() < 0.5}}
    if rng.random() < 0.3:
        made["tools"] = [{"type": "function", "function": _tool(rng, "parameters")} for _ in range(_few(rng))]
    if rng.random() < 0.2:
        schema = {"name": _name(rng), "schema": _schema(rng), "strict": True}
        made["response_format"] = {"type": "json_schema", "json_schema": schema}
    return made


def _completions(rng: random.Random) -> Json:
    return {"model": _model(rng), "prompt": _words(rng), "temperature": 0, "max_tokens": rng.randrange(1, 99)}


def _responses(rng: random.Random) -> Json:
    parts = [{"role": "user", "content": _content(rng)} for _ in range(_few(rng))]
    made: Json = {"model": _model(rng), "input": rng.choice((parts, _words(rng))), "store": False}
    if rng.random() < 0.3:
        made["tools"] = [{"type": "function", **_tool(rng, "parameters")}]
    return made


def _embeddings(rng: random.Random) -> Json:
    asked: list[Any] = [
        _words(rng),
        [_words(rng), _words(rng)],
        [rng.randrange(99) for _ in range(_few(rng))],
    ]
    return {"model": _model(rng), "input": rng.choice(asked), "encoding_format": "base64"}


def _messages(rng: random.Random) -> Json:
    said = [{"role": "user", "content": _content(rng)} for _ in range(_few(rng))]
    made: Json = {"model": _model(rng), "messages": said, "max_tokens": rng.randrange(1, 999)}
    if rng.random() < 0.3:
        made["system"] = _content(rng)
    if rng.random() < 0.3:
        made["tools"] = [_tool(rng, "input_schema")]
    return made


FORMATS: Final = (
    Format("/v1/chat/completions", _OF_OPENAI, _chat),
    Format("/v1/completions", _OF_OPENAI, _completions),
    Format("/v1/responses", _OF_OPENAI, _responses),
    Format("/v1/embeddings", _OF_OPENAI, _embeddings),
    Format("/v1/messages", _OF_ANTHROPIC, _messages),
)


def _few(rng: random.Random) -> int:
    return rng.choice((1, 1, 2, 3))


def _model(rng: random.Random) -> str:
    return rng.choice(("gpt-4.1-mini", "gpt-4.1", "o4-mini", "claude-sonnet-4-5", "local/model:1"))


def _content(rng: random.Random) -> Any:
    if rng.random() < 0.6:
        return _words(rng)
    return [{"type": "text", "text": _words(rng), _name(rng): _any(rng)} for _ in range(_few(rng))]


def _tool(rng: random.Random, schema: str) -> Json:
    return {"name": _name(rng), "description": _words(rng), schema: _schema(rng)}


def _schema(rng: random.Random, depth: int = 0) -> Json:
    if depth > 2 or rng.random() < 0.4:
        return {"type": rng.choice(("string", "number", "boolean")), "description": _words(rng)}
    fields = {_name(rng): _schema(rng, depth + 1) for _ in range(_few(rng))}
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _any(rng: random.Random, depth: int = 0) -> Any:
    """Any JSON, with more of what is easily taken for something else."""
    kind = rng.randrange(6 if depth > 2 else 8)
    match kind:
        case 0:
            return rng.choice((None, True, False))
        case 1:
            return rng.choice((0, 1, -1, 2**31, 2**53, 2**53 + 1, 2**64))
        case 2:
            return rng.choice((0.0, 1.0, 0.1, 0.30000000000000004, 1e-7, 1e22, rng.random()))
        case 3 | 4 | 5:
            return _words(rng)
        case 6:
            return [_any(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {_name(rng): _any(rng, depth + 1) for _ in range(rng.randrange(4))}


def _words(rng: random.Random) -> str:
    return " ".join(
        rng.choice(_WORDS) if rng.random() < 0.3 else "".join(rng.choices(string.ascii_letters, k=6))
        for _ in range(rng.randrange(1, 8))
    )


def _name(rng: random.Random) -> str:
    return rng.choice(_INSIDE) if rng.random() < 0.5 else "x_" + rng.choice(string.ascii_lowercase)


# Pairs.


def _changed(rng: random.Random, one: Request, keys: Keys) -> tuple[Request, str]:
    """Another request for the cache, with its key: the same but for one place, which matters."""
    while True:
        body = _copied(one.body)
        _change(rng, *rng.choice(list(_places(body))))
        other = Request(one.format, body)
        if _meaning(other) != _meaning(one):
            key = keys.of(other)
            if key is not None:
                return other, key


def _copied(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a body: an object or a list, and the name or the number within it."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in inside:
        yield value, name
        if isinstance(item, dict | list):
            yield from _places(item)


def _change(rng: random.Random, holder: Any, name: Any) -> None:
    """Change what stands in a place: to something like it, to nothing, or in its order or its name."""
    kind = rng.randrange(8)
    if kind == 0:
        del holder[name]
    elif kind == 1 and isinstance(holder, dict):
        holder[name + rng.choice((" ", "_", "2"))] = holder.pop(name)
    elif kind == 2 and isinstance(holder, dict):
        holder["x_new"] = rng.choice((None, "", False, 0, [], {}))
    elif kind == 3 and isinstance(holder, list):
        holder.insert(name, _copied(holder[name]))
    elif kind == 4:
        places = list(range(len(holder))) if isinstance(holder, list) else list(holder)
        with_ = rng.choice(places)
        holder[name], holder[with_] = holder[with_], holder[name]
    elif kind == 5:
        holder[name] = rng.choice(([holder[name]], {"x": holder[name]}, json.dumps(holder[name])))
    else:
        holder[name] = _like(rng, holder[name])


def _like(rng: random.Random, value: Any) -> Any:
    """Something that is easily taken for a value."""
    match value:
        case None | bool():
            return rng.choice((None, True, False, 0, 1, "", "null", "true", [], {}))
        case int():
            return rng.choice((value + 1, -value, float(value), str(value), value == 1, value * 10))
        case float():
            return rng.choice((math.nextafter(value, math.inf), int(value), str(value), value * 10))
        case str():
            if "ü" in value or "u\u0308" in value:  # alike to the eye, and not to a tokenizer
                return normalize(rng.choice(("NFC", "NFD")), value)
            swapped = value[1:2] + value[:1] + value[2:]
            return rng.choice(
                (value + " ", " " + value, value.swapcase(), swapped, value[:-1], value + "\u0000")
            )
        case list():
            return rng.choice((value[::-1], value[:-1], [*value, None], {}, [value]))
    return rng.choice(({}, [], None, [value], {**value, "x_new": None}))


def _written_otherwise(rng: random.Random, one: Request) -> Request:
    """The same request: its keys in another order at every depth, and other values where none matters."""
    body = _copied(one.body)
    for name in rng.sample(one.format.ignored, rng.randrange(1, 3)):
        if name in body and rng.random() < 0.5:
            del body[name]
        else:
            body[name] = _any(rng)
    if isinstance(body.get("stream_options"), dict):
        body["stream_options"]["include_obfuscation"] = rng.random() < 0.5
    return Request(one.format, _shuffled(rng, body))


def _shuffled(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shuffled(rng, value[name]) for name in rng.sample(list(value), len(value))}
    if isinstance(value, list):
        return [_shuffled(rng, item) for item in value]
    return value
