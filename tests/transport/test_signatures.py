"""Requests that are signed (AWS Signature Version 4) and that we change are signed again."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest
from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from openai.providers.bedrock import bedrock

import tokenguard
from tests.conftest import NO_WAIT, Rows
from tests.transport.clients import (
    BY_NAME,
    CLAUDE_ON_BEDROCK,
    GPT,
    HELLO,
    KEY_ID,
    REGION,
    SECRET,
    Kind,
    asked,
    closed,
    read,
)
from tokenguard import Guard, GuardError
from tokenguard.testing import Provider, Request

SIGNING = [
    BY_NAME[name]
    for name in ("BedrockOpenAI", "AsyncBedrockOpenAI", "AnthropicBedrock", "AsyncAnthropicBedrock")
]
EVERY_SIGNING = pytest.mark.parametrize("kind", SIGNING, ids=lambda kind: kind.cls.__name__)
OTHER = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
pytestmark = pytest.mark.anyio


def signed_right(request: Request, provider: Provider, *, key: str = KEY_ID, secret: str = SECRET) -> bool:
    """Whether the signature is that of exactly what was received, worked out by AWS's own library."""
    given = request.header("authorization") or ""
    fields = dict(part.strip().split("=", 1) for part in given.partition(" ")[2].split(","))
    key_id, _, region, service, _ = fields["Credential"].split("/")
    assert key_id == key
    assert region == REGION
    url = provider.url + request.path + (f"?{request.query}" if request.query else "")
    names = fields["SignedHeaders"].split(";")
    headers = {name: request.header(name) for name in names}
    assert None not in headers.values(), "a signed header did not arrive"
    aws = AWSRequest(request.method, url, headers, request.body)
    aws.context["timestamp"] = request.header("x-amz-date")
    auth = SigV4Auth(Credentials(key, secret), service, region)
    text = auth.string_to_sign(aws, auth.canonical_request(aws))
    return bool(auth.signature(text, aws) == fields["Signature"])


@EVERY_SIGNING
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_signatures_verify(kind: Kind, stream: bool, provider: Provider, guard: Guard) -> None:
    """Untouched requests keep their signature; streams that are asked for usage get a new one."""
    client = guard.wrap(kind.make(provider))
    options = {"stream": True} if stream else {}
    reply = await asked(client, kind, **options)
    if stream:
        await read(reply)
    assert signed_right(provider.requests[0], provider)
    assert guard.receipt(reply).cost_basis == "usage"  # type: ignore[union-attr]
    await closed(client)


@EVERY_SIGNING
async def test_another_model(kind: Kind, provider: Provider, guard: Guard) -> None:
    """A request for another model than the one that was signed for is signed for the new one."""
    client = guard.wrap(kind.make(provider))
    with tokenguard.context(model=OTHER):
        reply = await asked(client, kind)
    request = provider.requests[0]
    assert signed_right(request, provider)
    assert OTHER in (request.path if kind.sdk == "anthropic" else request.json["model"])
    receipt = guard.receipt(reply)
    assert receipt is not None
    assert (receipt.model_requested, receipt.model_served) == (kind.model, OTHER)
    await closed(client)


@EVERY_SIGNING
async def test_wishes_in_headers(kind: Kind, provider: Provider, guard: Guard) -> None:
    """Headers of ours were signed with the rest: without them the request is signed again."""
    client = guard.wrap(kind.make(provider))
    extra = tokenguard.headers(tags={"team": "a"})
    reply = await asked(client, kind, extra_headers=extra)
    assert signed_right(provider.requests[0], provider)
    assert guard.receipt(reply).tags == {"team": "a"}  # type: ignore[union-attr]
    await closed(client)


@EVERY_SIGNING
async def test_retries(kind: Kind, provider: Provider, guard: Guard) -> None:
    """A retry is signed anew: its signature may have grown too old in the meantime."""
    provider.fail(503)
    client = guard.wrap(kind.make(provider))
    await asked(client, kind)
    assert provider.count == 2
    assert all(signed_right(request, provider) for request in provider.requests)
    await closed(client)


@pytest.mark.parametrize("name", ["AnthropicAWS", "AsyncAnthropicAWS", "AnthropicBedrockMantle"])
async def test_anthropics_other_amazon_clients(name: str, provider: Provider, guard: Guard) -> None:
    """The classes for Anthropic's own API at Amazon are signed again too."""
    options = {"aws_region": REGION, "aws_access_key": KEY_ID, "aws_secret_key": SECRET}
    if name.endswith("AWS"):
        options["workspace_id"] = "w-1"
    plain = getattr(anthropic, name)(base_url=provider.anthropic_url, **options)
    client = guard.wrap(plain)
    assert type(client) is type(plain)
    with tokenguard.context(model="claude-haiku-4-5", tags={"team": "a"}):
        made = client.messages.create(model="claude-opus-4-1", max_tokens=9, messages=HELLO)
        reply = await made if name.startswith("Async") else made
    assert signed_right(provider.requests[0], provider)
    assert guard.receipt(reply).model_served == "claude-haiku-4-5"  # type: ignore[union-attr]
    await closed(client)


async def test_instrumented_clients(provider: Provider) -> None:
    """A client that is guarded in place signs again just the same."""
    kind = BY_NAME["BedrockOpenAI"]
    client = kind.make(provider)
    Guard(ledger=None).adopt(client)
    await read(await asked(client, kind, stream=True))
    assert signed_right(provider.requests[0], provider)
    assert provider.requests[0].json["stream_options"] == {"include_usage": True}


async def test_the_bedrock_provider_of_openai(provider: Provider, guard: Guard) -> None:
    """OpenAI(provider=bedrock(...)) is signed by its provider, also again."""
    made = bedrock(
        endpoint="mantle",
        region=REGION,
        base_url=provider.openai_url,
        access_key_id=KEY_ID,
        secret_access_key=SECRET,
    )
    client = guard.wrap(openai.OpenAI(provider=made))
    stream = client.chat.completions.create(model=GPT, messages=HELLO, stream=True)
    assert list(stream)
    assert signed_right(provider.requests[0], provider)


async def test_a_session_token(provider: Provider, guard: Guard) -> None:
    """Temporary credentials bring a token, which is sent and signed once."""
    kind = BY_NAME["BedrockOpenAI"]
    client = guard.wrap(kind.make(provider, aws_session_token="tok"))
    await read(await asked(client, kind, stream=True))
    request = provider.requests[0]
    assert [value for name, value in request.headers if name.lower() == "x-amz-security-token"] == ["tok"]


async def test_bearer_tokens_are_left_alone(provider: Provider, guard: Guard) -> None:
    """A client that uses a bearer token has nothing to sign."""
    client = guard.wrap(
        openai.BedrockOpenAI(base_url=provider.openai_url, aws_region=REGION, api_key="bearer-x")
    )
    list(client.chat.completions.create(model=GPT, messages=HELLO, stream=True))
    assert provider.requests[0].header("authorization") == "Bearer bearer-x"


async def test_a_copy_with_other_credentials(provider: Provider, guard: Guard, rows: Rows) -> None:
    """A copy with other keys is never signed with the first one's: where we must sign, it is refused."""
    kind = BY_NAME["AnthropicBedrock"]
    other = guard.wrap(kind.make(provider)).with_options(aws_access_key="AKIDOTHER", aws_secret_key="s")
    other.messages.create(model=kind.model, max_tokens=9, messages=HELLO)
    assert signed_right(provider.requests[0], provider, key="AKIDOTHER", secret="s")
    with tokenguard.context(model=OTHER), pytest.raises(GuardError, match="wrap the copy itself"):
        other.messages.create(model=kind.model, max_tokens=9, messages=HELLO)
    assert provider.count == 1
    assert [row["state"] for row in rows()] == ["settled", "released"]


async def test_no_signer_no_change(provider: Provider) -> None:
    """A signing client that was given our HTTP client keeps its signature: nobody could sign again."""
    guard = Guard(ledger=None, retry=NO_WAIT)
    kind = BY_NAME["BedrockOpenAI"]
    client = kind.make(provider, http_client=guard.http_client())
    with tokenguard.context(model=OTHER):
        stream = await asked(client, kind, stream=True)
    await read(stream)
    request = provider.requests[0]
    assert signed_right(request, provider)
    assert request.json["model"] == GPT
    assert guard.receipt(stream).cost_basis == "estimated"  # type: ignore[union-attr]


async def test_an_inference_profile(provider: Provider, guard: Guard) -> None:
    """A model named by an ARN has a slash in it, which is escaped in the path: it is metered all the same."""
    arn = f"arn:aws:bedrock:{REGION}:123456789012:inference-profile/{CLAUDE_ON_BEDROCK}"
    kind = BY_NAME["AnthropicBedrock"]
    client = guard.wrap(kind.make(provider))
    reply: Any = client.messages.create(model=arn, max_tokens=9, messages=HELLO)
    assert guard.receipt(reply).model_requested == arn  # type: ignore[union-attr]
    with tokenguard.context(model=arn):
        reply = await asked(client, kind)
    assert guard.receipt(reply).model_served == arn  # type: ignore[union-attr]
    assert all(signed_right(request, provider) for request in provider.requests)
