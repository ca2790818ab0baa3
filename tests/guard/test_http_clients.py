"""Guarded HTTP clients, for frameworks that take nothing else."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest

import tokenguard
from tests.conftest import Rows
from tests.transport.clients import CLAUDE, GPT, HELLO
from tokenguard import ConfigError, Guard, NotWrappableError, UnpricedModelError
from tokenguard.testing import Provider

MODULES = pytest.mark.parametrize("module", [httpx2, httpx], ids=["httpx2", "httpx"])


@MODULES
def test_synchronous(module: Any, provider: Provider, guard: Guard, rows: Rows) -> None:
    """A framework's SDK client that was given ours is metered, retried and streamed as a wrapped one."""
    http_client = guard.http_client(flavour=module.__name__, timeout=7)
    assert isinstance(http_client, module.Client)
    assert http_client.timeout.read == 7
    provider.fail(503)
    client = openai.OpenAI(base_url=provider.openai_url, api_key="x", http_client=http_client)
    reply = client.chat.completions.create(model=GPT, messages=HELLO)
    assert guard.receipt(reply).attempts == 2  # type: ignore[union-attr]
    assert all(c.choices for c in client.chat.completions.create(model=GPT, messages=HELLO, stream=True))
    assert [row["state"] for row in rows()] == ["released", "settled", "settled"]
    http_client.close()


@MODULES
@pytest.mark.anyio
async def test_asynchronous(module: Any, provider: Provider, guard: Guard, rows: Rows) -> None:
    """The same asynchronously."""
    http_client = guard.async_http_client(flavour=module.__name__)
    assert isinstance(http_client, module.AsyncClient)
    async with openai.AsyncOpenAI(
        base_url=provider.openai_url, api_key="x", http_client=http_client
    ) as client:
        await client.chat.completions.create(model=GPT, messages=HELLO)
    assert [row["state"] for row in rows()] == ["settled"]


@pytest.mark.anyio
async def test_the_other_sdk(provider: Provider, guard: Guard) -> None:
    """anthropic takes them too."""
    client = anthropic.AsyncAnthropic(
        base_url=provider.anthropic_url, api_key="x", http_client=guard.async_http_client()
    )
    reply = await client.messages.create(model=CLAUDE, max_tokens=9, messages=HELLO)
    assert guard.receipt(reply).cost_nano  # type: ignore[union-attr]
    await client.close()


def test_without_any_sdk(provider: Provider, guard: Guard) -> None:
    """A program that speaks HTTP itself is metered by what it sends and gets."""
    with guard.http_client() as http_client:
        response = http_client.post(
            f"{provider.openai_url}/chat/completions", json={"model": GPT, "messages": HELLO}
        )
        assert response.json()["choices"]
        assert response.headers["x-tokenguard-call-id"]
        assert guard.receipt(response).cost_nano  # type: ignore[union-attr]
        with http_client.stream(
            "POST",
            f"{provider.openai_url}/chat/completions",
            json={"model": GPT, "messages": HELLO, "stream": True},
        ) as stream:
            lines = list(stream.iter_lines())
        assert lines[-2] == "data: [DONE]"
        assert guard.receipt(stream).cost_basis == "usage"  # type: ignore[union-attr]
        assert http_client.get(f"{provider.url}/v1/models").status_code == 200
    assert guard.not_metered == 1


def test_refusals_fit_the_sdk_that_is_loaded(provider: Provider) -> None:
    """A refusal is an error of the SDK whose wire format was spoken."""
    guard = Guard(ledger=None, on_unpriced="refuse")
    client = anthropic.Anthropic(
        base_url=provider.anthropic_url, api_key="x", http_client=guard.http_client()
    )
    with pytest.raises(UnpricedModelError) as raised:
        client.messages.create(model="no-such-model", max_tokens=1, messages=HELLO)
    assert isinstance(raised.value, anthropic.AnthropicError)
    assert provider.count == 0


def test_loops_do_not_multiply(provider: Provider, guard: Guard) -> None:
    """The framework's SDK keeps its own loop: a failure that we hand on is not tried nine times."""
    provider.fail(503, times=None)
    client = openai.OpenAI(base_url=provider.openai_url, api_key="x", http_client=guard.http_client())
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model=GPT, messages=HELLO)
    assert provider.count == 3


def test_options_reach_the_constructor(guard: Guard) -> None:
    """Options are the HTTP client's own; redirects are followed as by the SDKs' own clients."""
    client = guard.http_client(headers={"X-A": "b"}, follow_redirects=False)
    assert client.headers["x-a"] == "b"
    assert client.follow_redirects is False
    assert guard.http_client().follow_redirects is True
    with pytest.raises(TypeError):
        guard.http_client(colour="red")


def test_wrong_flavours_are_refused(guard: Guard) -> None:
    """A library that there is not is an error that names those there are."""
    with pytest.raises(ConfigError, match="'httpx2' or 'httpx'"):
        guard.http_client(flavour="requests")  # type: ignore[arg-type]
    with pytest.raises(NotWrappableError):
        guard.wrap(guard.http_client())


def test_tags_by_header(provider: Provider, guard: Guard) -> None:
    """Wishes travel in headers here as well, and stay in the process."""
    with guard.http_client(headers=tokenguard.headers(tags={"team": "a"})) as http_client:
        response = http_client.post(
            f"{provider.openai_url}/chat/completions", json={"model": GPT, "messages": HELLO}
        )
    assert guard.receipt(response).tags == {"team": "a"}  # type: ignore[union-attr]
    assert not [name for name, _ in provider.requests[0].headers if "tokenguard" in name.lower()]
