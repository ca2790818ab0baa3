"""Another model than the call names: in the body, in the URL, in the price, and in what is told of it."""

from __future__ import annotations

import pytest

import tokenguard
from tests.conftest import Rows
from tests.transport.clients import BY_NAME, GPT, HELLO, KINDS, Kind, achat, asked, chat, closed, read
from tokenguard import Guard
from tokenguard.testing import Provider

pytestmark = pytest.mark.anyio
EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.cls.__name__)


def other(kind: Kind) -> str:
    """A cheaper or dearer model of the same provider."""
    if kind.sdk == "openai":
        return "gpt-4.1"
    return {
        "compatible": "claude-opus-4-1",
        "bedrock": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "vertex": "claude-sonnet-4-5@20250929",
    }[kind.channel]


@EVERY_KIND
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_wish_goes_where_the_model_stands(
    kind: Kind, stream: bool, provider: Provider, guard: Guard, rows: Rows
) -> None:
    """Body, URL, receipt and row all name the wished-for model; the baseline is the one asked for."""
    wish = other(kind)
    client = guard.wrap(kind.make(provider))
    with tokenguard.context(model=wish):
        reply = await asked(client, kind, **({"stream": True} if stream else {}))
        if stream:
            await read(reply)
    request = provider.requests[0]
    if kind.channel in ("azure", "bedrock", "vertex"):
        assert wish in request.path
        assert kind.model not in request.path
    if kind.channel not in ("bedrock", "vertex"):
        assert request.json["model"] == wish
    receipt = guard.receipt(reply)
    assert receipt is not None
    assert receipt.model_requested == kind.model
    assert receipt.model_served == wish
    assert receipt.stream is stream
    assert receipt.cost_nano is not None
    assert receipt.baseline_nano is not None
    assert receipt.cost_nano > receipt.baseline_nano > 0
    (row,) = rows()
    assert (row["model_requested"], row["model_sent"], row["model_served"]) == (kind.model, wish, wish)
    assert row["baseline_nano"] == receipt.baseline_nano
    await closed(client)


async def test_nothing_else_changes(provider: Provider, guard: Guard) -> None:
    """But for the model and the length, the request is the one that the SDK wrote."""
    client = guard.wrap(chat(provider))
    extra = {"metadata": {"a": "é"}, "seed": 3}
    client.chat.completions.create(model=GPT, messages=HELLO, **extra)  # type: ignore[call-overload]
    with tokenguard.context(model="gpt-4.1"):
        client.chat.completions.create(model=GPT, messages=HELLO, **extra)  # type: ignore[call-overload]
    plain, wished = provider.requests
    assert wished.body == plain.body.replace(b'"gpt-4.1-mini"', b'"gpt-4.1"')
    longer = len("gpt-4.1-mini") - len("gpt-4.1")
    assert wished.headers == [
        (name, str(int(value) - longer) if name.lower() == "content-length" else value)
        for name, value in plain.headers
    ]


async def test_the_same_model_is_no_wish(provider: Provider, guard: Guard) -> None:
    """A wish for the model that is named anyway leaves every byte as it was."""
    client = guard.wrap(chat(provider))
    bare = chat(provider)
    bare.chat.completions.create(model=GPT, messages=HELLO)
    with tokenguard.context(model=GPT):
        client.chat.completions.create(model=GPT, messages=HELLO)
    assert provider.requests[0].body == provider.requests[1].body
    assert provider.requests[0].headers == provider.requests[1].headers


async def test_retries_keep_the_wish(provider: Provider, guard: Guard) -> None:
    """Every attempt is for the model that was wished for."""
    provider.fail(503, times=2)
    with tokenguard.context(model="gpt-4.1"):
        guard.wrap(chat(provider)).chat.completions.create(model=GPT, messages=HELLO)
    assert [request.json["model"] for request in provider.requests] == ["gpt-4.1"] * 3


async def test_embeddings_too(provider: Provider, guard: Guard) -> None:
    """Every endpoint whose body names a model takes the wish."""
    client = guard.wrap(chat(provider))
    with tokenguard.context(model="text-embedding-3-large"):
        reply = client.embeddings.create(model="text-embedding-3-small", input="a")
    assert reply.model == "text-embedding-3-large"


async def test_deployments_are_priced_as_their_models(provider: Provider) -> None:
    """Azure deployments have the price of the model they stand for: the wished-for and the asked one."""
    guard = Guard(ledger=None, deployments={"house-small": "gpt-4.1-nano", "house-large": "gpt-4.1"})
    client = guard.wrap(BY_NAME["AzureOpenAI"].make(provider))
    with tokenguard.context(model="house-large"):
        reply = client.chat.completions.create(model="house-small", messages=HELLO)
    assert provider.requests[0].path.startswith("/openai/deployments/house-large/")
    receipt = guard.receipt(reply)
    assert receipt is not None
    used = receipt.usage
    assert used is not None
    assert receipt.cost_nano == used.input_tokens * 2000 + used.output_tokens * 8000
    assert receipt.baseline_nano == used.input_tokens * 100 + used.output_tokens * 400


async def test_a_fixed_deployment_follows(provider: Provider, guard: Guard) -> None:
    """A client that is bound to one deployment asks for the wished-for one all the same."""
    client = guard.wrap(BY_NAME["AzureOpenAI"].make(provider, azure_deployment="fixed"))
    client.chat.completions.create(model=GPT, messages=HELLO)
    with tokenguard.context(model="gpt-4.1"):
        client.chat.completions.create(model=GPT, messages=HELLO)
    paths = [request.path for request in provider.requests]
    assert paths == [f"/openai/deployments/{name}/chat/completions" for name in ("fixed", "gpt-4.1")]


async def test_endpoints_without_a_model_stay(provider: Provider, guard: Guard) -> None:
    """Where no model is named, there is nothing to wish for."""
    with tokenguard.context(model="gpt-4.1"):
        async with guard.wrap(achat(provider)) as client:
            await client.models.list()
            await client.files.create(file=b"x", purpose="batch")
    assert provider.requests[0].path == "/v1/models"
