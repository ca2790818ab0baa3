"""Requests that are changed: one thing in them is another, and all else is as the SDK made it."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenguard.testing import Provider, Request
from tokenguard.transport import rewrite
from tokenguard.transport.flavour import Flavour

pytestmark = pytest.mark.anyio
EITHER_LIBRARY = pytest.mark.parametrize("module", [httpx2, httpx], ids=["httpx2", "httpx"])
BODY = b'{"model":"gpt-4.1-mini","messages":[]}'
LONGER = b'{"model":"gpt-4.1-mini","messages":[],"stream_options":{"include_usage":true}}'
HEADERS = [
    *(("X-First", "1"), ("x-tokenguard-tags", "a=b"), ("X-Twice", "a"), ("x-twice", "b")),
    *(("Content-Type", "application/json"), ("X-TokenGuard-Model", "m"), ("X-Odd", "é".encode("latin-1"))),
]
"""In odd cases, twice, and of odd bytes."""


PATH = "/openai/deployments/small/chat/completions?api-version=1"


def made(module: Any, provider: Provider) -> Any:
    """A request as a client of the library makes it."""
    options = {"content": BODY, "headers": HEADERS, "extensions": {"timeout": {"read": 9}, "ours": []}}
    return module.Client().build_request("POST", provider.url + PATH, **options)


def longer(headers: list[Any], name: Any, length: Any) -> list[Any]:
    """The headers, with the length of another body."""
    return [(key, length if key.lower() == name else value) for key, value in headers]


def state(request: Any) -> dict[str, Any]:
    """All that a request is made of."""
    return {
        **vars(request),
        "headers": request.headers.raw,
        "stream": b"".join(request.stream),
        "extensions": dict(request.extensions),
    }


async def sent(module: Any, request: Any, provider: Provider) -> list[Request]:
    """What arrives of a request that is sent by a synchronous client, and by an asynchronous one."""
    with module.Client() as client:
        client.send(request)
    async with module.AsyncClient() as client:
        await client.send(request)
    return provider.requests[-2:]


@EITHER_LIBRARY
async def test_another_body(module: Any, provider: Provider) -> None:
    """Body and length are the new ones on the wire; every other header keeps its place, case and bytes."""
    request = made(module, provider)
    changed = rewrite.with_body(Flavour(module), request, LONGER)
    assert changed.content == changed.read() == await changed.aread() == LONGER
    bare = await sent(module, request, provider)
    for plain, arrived in zip(bare, await sent(module, changed, provider), strict=True):
        assert plain.body == BODY
        assert arrived.body == LONGER
        assert arrived.headers == longer(plain.headers, "content-length", str(len(LONGER)))


@EITHER_LIBRARY
async def test_without_wishes(module: Any, provider: Provider) -> None:
    """Our own headers are gone, however they are written; the others stay as they are."""
    request = made(module, provider)
    changed = rewrite.without_wishes(Flavour(module), request)
    bare = await sent(module, request, provider)
    for plain, arrived in zip(bare, await sent(module, changed, provider), strict=True):
        assert arrived.body == plain.body
        names = ("x-tokenguard-tags", "x-tokenguard-model")
        assert arrived.headers == [pair for pair in plain.headers if pair[0].lower() not in names]


@EITHER_LIBRARY
async def test_another_model(module: Any, provider: Provider) -> None:
    """A model that stands in the URL is another one there, too, and the query stays."""
    request = made(module, provider)
    changed = rewrite.with_model(Flavour(module), request, {"model": "small", "a": "é"}, "la/rge")
    for arrived in await sent(module, changed, provider):
        assert arrived.path == "/openai/deployments/la%2Frge/chat/completions"
        assert arrived.query == "api-version=1"
        assert arrived.body == '{"model":"la/rge","a":"é"}'.encode()
    assert request.url.raw_path == PATH.encode()


@EITHER_LIBRARY
async def test_the_original_stays(module: Any, provider: Provider) -> None:
    """Whatever is done to a changed request later, nothing of it reaches the one that it was made of."""
    request = made(module, provider)
    before = state(request)
    for changed in (
        rewrite.with_body(Flavour(module), request, LONGER),
        rewrite.without_wishes(Flavour(module), request),
        rewrite.with_model(Flavour(module), request, {}, "other"),
        rewrite.with_model(Flavour(module), request, {"model": "m"}, "other"),
    ):
        del changed.headers["x-first"]
        changed.headers["Authorization"] = "again"
        changed.extensions["more"] = 1
    assert state(request) == before


@EITHER_LIBRARY
async def test_it_is_what_the_library_would_make(module: Any, provider: Provider) -> None:
    """A changed request has all that one from the library's constructor has, with the same values."""
    first = made(module, provider)
    parts = first.method, first.url
    # As redirects make them: nobody has read its body.
    hop = module.Request(*parts, headers=first.headers, stream=first.stream, extensions=first.extensions)
    headers = longer(first.headers.raw, b"content-length", str(len(LONGER)).encode())
    built = module.Request(*parts, headers=headers, content=LONGER, extensions=first.extensions)
    for request in (first, hop):
        changed = rewrite.with_body(Flavour(module), request, LONGER)
        assert type(changed) is type(built)
        assert state(changed) == state(built)
        assert changed.extensions["ours"] is request.extensions["ours"]


@EITHER_LIBRARY
async def test_uploads_are_not_read(module: Any, provider: Provider) -> None:
    """A body that comes from a file is handed on as it is, and read only when it is sent."""
    request = module.Client().build_request(
        "POST", provider.openai_url + "/files", headers=HEADERS[:2], files={"file": io.BytesIO(b"x" * 9)}
    )
    changed = rewrite.without_wishes(Flavour(module), request)
    assert changed.stream is request.stream
    with pytest.raises(module.RequestNotRead):
        changed.content  # noqa: B018
    with module.Client() as client:
        client.send(changed)
    assert b"x" * 9 in provider.requests[-1].body


FIELDS = st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.integers()))


@given(
    FIELDS,
    FIELDS,
    st.sampled_from([(", ", ": "), (",", ":"), (" ,\n", " : ")]),
    st.sampled_from(["", " ", "\n"]),
)
def test_a_field_is_added_behind_what_is_there(
    body: dict[str, Any], added: dict[str, Any], separators: tuple[str, str], around: str
) -> None:
    """What is said is what was meant, and bytes that need no change are not changed."""
    text = (around + json.dumps(body, separators=separators) + around).encode()
    more = {**body, **{name: value for name, value in added.items() if name not in body}}
    made = rewrite.extended(text, body, more)
    assert json.loads(made) == more
    if body and not around:
        assert made.startswith(text[:-1])


@given(FIELDS.filter(bool))
def test_a_field_that_is_another_now_is_written_anew(body: dict[str, Any]) -> None:
    """A changed field is changed where it stands, not said twice."""
    more = {**body, next(iter(body)): ["changed"]}
    assert rewrite.extended(json.dumps(body).encode(), body, more) == rewrite.encoded(more)
