"""Clients of the real SDKs, unwrapped and without retries, that talk to a fresh provider."""

from collections.abc import Iterator

import anthropic
import openai
import pytest

from tokenguard.testing import Provider


@pytest.fixture
def provider(tokenguard_provider: Provider) -> Provider:
    """The fixture of the pytest plugin, under a shorter name."""
    return tokenguard_provider


@pytest.fixture
def gpt(provider: Provider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.openai_url, api_key="test", max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def claude(provider: Provider) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=provider.anthropic_url, api_key="test", max_retries=0, timeout=20
    ) as client:
        yield client


@pytest.fixture
def prompt() -> list[dict[str, str]]:
    return [{"role": "user", "content": "What is the capital of France?"}]
