"""Every client class of both SDKs, pointed at the local provider, and the usual call of each."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import anthropic
import openai

from tokenguard.testing import Provider

KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-west-1"

GPT = "gpt-4.1-mini"
CLAUDE = "claude-haiku-4-5"
CLAUDE_ON_BEDROCK = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
CLAUDE_ON_VERTEX = "claude-haiku-4-5@20251001"
HELLO: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]

TIMEOUT_S = 30
"""So that a call that hangs is a failed test and not ten minutes, the SDKs' default."""

Client = Any
Make = Callable[..., Client]


class Kind(NamedTuple):
    """One client class: how it is made, and what it calls the model."""

    cls: type[Any]
    make: Make  # make(provider, **options of the constructor)
    model: str
    channel: str

    @property
    def is_async(self) -> bool:
        return self.cls.__name__.startswith("Async")

    @property
    def sdk(self) -> str:
        return self.cls.__module__.partition(".")[0]


def _openai(cls: type[Any]) -> Make:
    return lambda provider, **options: cls(
        **{"base_url": provider.openai_url, "api_key": "sk-x", "timeout": TIMEOUT_S, **options}
    )


def _azure(cls: type[Any]) -> Make:
    return lambda provider, **options: cls(
        **{
            "azure_endpoint": provider.azure_url,
            "api_key": "az-x",
            "api_version": "2025-04-01",
            "timeout": TIMEOUT_S,
            **options,
        }
    )


def _bedrock_openai(cls: type[Any]) -> Make:
    return lambda provider, **options: cls(
        **{
            "base_url": provider.openai_url,
            "aws_region": REGION,
            "aws_access_key_id": KEY_ID,
            "aws_secret_access_key": SECRET,
            "timeout": TIMEOUT_S,
            **options,
        }
    )


def _anthropic(cls: type[Any]) -> Make:
    return lambda provider, **options: cls(
        **{"base_url": provider.anthropic_url, "api_key": "sk-ant-x", "timeout": TIMEOUT_S, **options}
    )


def _bedrock(cls: type[Any]) -> Make:
    return lambda provider, **options: cls(
        **{
            "base_url": provider.bedrock_url,
            "aws_region": REGION,
            "aws_access_key": KEY_ID,
            "aws_secret_key": SECRET,
            "timeout": TIMEOUT_S,
            **options,
        }
    )


def _vertex(cls: type[Any]) -> Make:
    return lambda provider, **options: cls(
        **{
            "base_url": provider.vertex_url,
            "region": REGION,
            "project_id": "p-1",
            "access_token": "ya29.x",
            "timeout": TIMEOUT_S,
            **options,
        }
    )


KINDS = (
    Kind(openai.OpenAI, _openai(openai.OpenAI), GPT, "compatible"),
    Kind(openai.AsyncOpenAI, _openai(openai.AsyncOpenAI), GPT, "compatible"),
    Kind(openai.AzureOpenAI, _azure(openai.AzureOpenAI), GPT, "azure"),
    Kind(openai.AsyncAzureOpenAI, _azure(openai.AsyncAzureOpenAI), GPT, "azure"),
    Kind(openai.BedrockOpenAI, _bedrock_openai(openai.BedrockOpenAI), GPT, "compatible"),
    Kind(openai.AsyncBedrockOpenAI, _bedrock_openai(openai.AsyncBedrockOpenAI), GPT, "compatible"),
    Kind(anthropic.Anthropic, _anthropic(anthropic.Anthropic), CLAUDE, "compatible"),
    Kind(anthropic.AsyncAnthropic, _anthropic(anthropic.AsyncAnthropic), CLAUDE, "compatible"),
    Kind(anthropic.AnthropicBedrock, _bedrock(anthropic.AnthropicBedrock), CLAUDE_ON_BEDROCK, "bedrock"),
    Kind(
        anthropic.AsyncAnthropicBedrock,
        _bedrock(anthropic.AsyncAnthropicBedrock),
        CLAUDE_ON_BEDROCK,
        "bedrock",
    ),
    Kind(anthropic.AnthropicVertex, _vertex(anthropic.AnthropicVertex), CLAUDE_ON_VERTEX, "vertex"),
    Kind(anthropic.AsyncAnthropicVertex, _vertex(anthropic.AsyncAnthropicVertex), CLAUDE_ON_VERTEX, "vertex"),
)
BY_NAME = {kind.cls.__name__: kind for kind in KINDS}


def ask(client: Client, kind: Kind, **options: Any) -> Any:
    """The usual call; an awaitable of it where the client is asynchronous."""
    options = {"model": kind.model, "messages": HELLO, **options}
    if kind.sdk == "openai":
        return client.chat.completions.create(**options)
    return client.messages.create(**{"max_tokens": 64, **options})


async def asked(client: Client, kind: Kind, **options: Any) -> Any:
    """The usual call, of either sort of client."""
    made = ask(client, kind, **options)
    return await made if inspect.isawaitable(made) else made


async def read(stream: Any) -> list[Any]:
    """All events of a stream, of either sort."""
    if isinstance(stream, AsyncIterator):
        return [event async for event in stream]
    assert isinstance(stream, Iterator)
    return list(stream)


async def closed(client: Client) -> None:
    """Close a client of either sort."""
    closing = client.close()
    if inspect.isawaitable(closing):
        await closing


def chat(provider: Provider, **options: Any) -> openai.OpenAI:
    """The usual synchronous client."""
    made: openai.OpenAI = BY_NAME["OpenAI"].make(provider, **options)
    return made


def achat(provider: Provider, **options: Any) -> openai.AsyncOpenAI:
    """The usual asynchronous client."""
    made: openai.AsyncOpenAI = BY_NAME["AsyncOpenAI"].make(provider, **options)
    return made


def claude(provider: Provider, **options: Any) -> anthropic.Anthropic:
    """The usual client of the other SDK."""
    made: anthropic.Anthropic = BY_NAME["Anthropic"].make(provider, **options)
    return made
