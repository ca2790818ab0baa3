"""The provider's own counts, for whoever asks for them."""

from __future__ import annotations

import anthropic
import openai
import pytest

from tokenguard.errors import ConfigError
from tokenguard.testing import Provider
from tokenguard.tokens.ask import ask, ask_async

CLAUDE = {
    "model": "claude-haiku-4-5",
    "max_tokens": 100,
    "stop_sequences": ["END"],
    "system": "Be brief.",
    "messages": [{"role": "user", "content": "Where is my order?"}],
}
GPT = {"model": "gpt-4.1", "instructions": "Be brief.", "input": "Where is my order?", "max_output_tokens": 9}


def test_a_count_is_what_the_call_is_billed(provider: Provider) -> None:
    """For both providers, and without sending what the call would be paid for."""
    gpt = openai.OpenAI(api_key="none", base_url=provider.openai_url)
    claude = anthropic.Anthropic(api_key="none", base_url=provider.anthropic_url)
    counted = [ask(gpt, "openai.responses", GPT), ask(claude, "anthropic.messages", CLAUDE)]
    assert [request.path for request in provider.requests] == [
        "/v1/responses/input_tokens",
        "/v1/messages/count_tokens",
    ]
    answer, message = gpt.responses.create(**GPT), claude.messages.create(**CLAUDE)
    assert answer.usage is not None
    assert [one.tokens for one in counted] == [answer.usage.input_tokens, message.usage.input_tokens]
    assert {one.how for one in counted} == {"exact"}


@pytest.mark.anyio
async def test_from_an_event_loop(provider: Provider) -> None:
    """The same."""
    client = anthropic.AsyncAnthropic(api_key="none", base_url=provider.anthropic_url)
    assert (await ask_async(client, "anthropic.messages", CLAUDE)).tokens > 5


def test_what_nobody_counts_is_refused(provider: Provider) -> None:
    """With what can be counted; and so is a client of the other SDK."""
    gpt = openai.OpenAI(api_key="none", base_url=provider.openai_url)
    with pytest.raises(ConfigError, match=r"no provider counts requests of the format openai\.chat"):
        ask(gpt, "openai.chat", {})
    with pytest.raises(ConfigError, match="a client of the anthropic SDK"):
        ask(gpt, "anthropic.messages", CLAUDE)
    assert provider.count == 0
