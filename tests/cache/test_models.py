"""An alias is answered by what it stands for; what a provider or a gateway falls back to is another model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cache.asking import CHAT_URL, MESSAGES_URL, answered, asking
from tests.cache.conftest import Cached
from tests.transport.clients import HELLO, chat
from tokenguard import Cache
from tokenguard.cache.models import is_same_model
from tokenguard.cache.storing import refusal
from tokenguard.call import Call
from tokenguard.testing import Answer, Provider

# Asked for, and answered. Those before each dash are names that OpenAI and Anthropic document as aliases.
SAME = [
    ("gpt-4-turbo-preview", "gpt-4-0125-preview"),
    ("gpt-4-turbo-preview", "gpt-4-1106-preview"),
    ("gpt-4-turbo", "gpt-4-turbo-2024-04-09"),
    ("gpt-4-turbo", "gpt-4-0125-preview"),
    ("gpt-4-vision-preview", "gpt-4-1106-vision-preview"),
    ("gpt-4", "gpt-4-0613"),
    ("gpt-4-32k", "gpt-4-32k-0613"),
    ("gpt-4o", "gpt-4o-2024-05-13"),
    ("gpt-4o", "gpt-4o-2024-11-20"),
    ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o-audio-preview", "gpt-4o-audio-preview-2024-12-17"),
    ("gpt-4o-search-preview", "gpt-4o-search-preview-2025-03-11"),
    ("gpt-4.5-preview", "gpt-4.5-preview-2025-02-27"),
    ("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"),
    ("gpt-3.5-turbo", "gpt-3.5-turbo-0125"),
    ("gpt-3.5-turbo-16k", "gpt-3.5-turbo-16k-0613"),
    ("gpt-3.5-turbo-instruct", "gpt-3.5-turbo-instruct:20230824-v2"),
    ("o1-preview", "o1-preview-2024-09-12"),
    ("o3-mini", "o3-mini-2025-01-31"),
    ("o4-mini-deep-research", "o4-mini-deep-research-2025-06-26"),
    ("gpt-5", "gpt-5-2025-08-07"),
    ("gpt-5-chat-latest", "gpt-5-chat-latest"),
    ("gpt-5.1-codex", "gpt-5.1-codex"),
    ("gpt-5.6", "gpt-5.6-sol"),
    ("gpt-5.6", "gpt-5.6-sol-2026-06-30"),
    ("text-embedding-ada-002", "text-embedding-ada-002-v2"),
    ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
    ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20240620"),
    ("claude-3-7-sonnet-latest", "claude-3-7-sonnet-20250219"),
    ("claude-3-opus-latest", "claude-3-opus-20240229"),
    ("claude-3-haiku", "claude-3-haiku-20240307"),
    ("claude-sonnet-4-0", "claude-sonnet-4-20250514"),
    ("claude-opus-4-1", "claude-opus-4-1-20250805"),
    ("claude-haiku-4-5", "claude-haiku-4-5-20251001"),
    ("claude-opus-5-latest", "claude-opus-5-20260601"),
]
OTHERS = [
    ("gpt-4o", "gpt-4o-mini"),
    ("gpt-4o", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o-mini", "gpt-4o-2024-08-06"),
    ("gpt-4o-mini", "gpt-4o-mini-search-preview"),  # of one price
    ("gpt-4o", "chatgpt-4o-latest"),
    ("gpt-4o", "gpt-4o-audio-preview"),
    ("gpt-4-turbo-preview", "gpt-4-0613"),
    ("gpt-4-turbo-preview", "gpt-4o-2024-08-06"),
    ("gpt-4-turbo-preview", "gpt-3.5-turbo-0125"),
    ("gpt-4-turbo-preview", "gpt-4-1106-vision-preview"),
    ("gpt-4-0125-preview", "gpt-4-1106-preview"),  # who asks for a date gets that one
    ("gpt-4o-2024-11-20", "gpt-4o-2024-08-06"),
    ("gpt-4.1", "gpt-4.1-mini-2025-04-14"),
    ("gpt-3.5-turbo-16k", "gpt-3.5-turbo-0125"),
    ("o3-mini", "o3-mini-high"),
    ("o1", "o1-pro-2025-03-19"),
    ("gpt-5", "gpt-5-codex"),  # of one price
    ("gpt-5-codex", "gpt-5-2025-08-07"),
    ("gpt-5", "gpt-5-chat-latest"),
    ("gpt-5", "gpt-5-mini-2025-08-07"),
    ("gpt-5.1-codex-max", "gpt-5.1-codex"),
    ("gpt-5.2", "gpt-5.1-2025-11-13"),
    ("gpt-5.6", "gpt-5.6-luna"),
    ("gpt-5.6-luna", "gpt-5.6-sol"),
    ("gpt-99", "gpt-99-mini"),  # that no book knows
    ("gpt-99", "gpt-99-turbo"),
    ("text-embedding-3-small", "text-embedding-3-large"),
    ("claude-3-5-sonnet-20240620", "claude-3-5-sonnet-20241022"),
    ("claude-3-5-sonnet-latest", "claude-3-5-haiku-20241022"),
    ("claude-3-5-sonnet-latest", "claude-3-7-sonnet-20250219"),
    ("claude-opus-4-1", "claude-opus-4-20250514"),
    ("claude-opus-4-5", "claude-sonnet-4-5-20250929"),
    ("claude-sonnet-4-5", "claude-sonnet-4-20250514"),
    ("gpt-4o", "claude-sonnet-4-5-20250929"),
]
# At a gateway, which may put the publisher before a model, and may have names of its own.
AT_A_GATEWAY = [
    ("openai/gpt-4o", "openai/gpt-4o-2024-08-06", True),
    ("openai/gpt-4o", "gpt-4o", True),
    ("anthropic/claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929", True),
    ("anthropic/claude-haiku-4.5", "claude-haiku-4-5-20251001", True),
    ("our-own-name", "gpt-4o-mini", True),
    ("production", "claude-sonnet-4-5-20250929", True),
    ("gpt-4o", "our-own-deployment", True),
    ("llama-3.3-70b", "llama-3.3-70b-instruct-fp8", True),
    ("gpt-99", "gpt-99-2027-01-01", True),
    ("gpt-4o", "gpt-4o-mini", False),
    ("openai/gpt-4o", "openai/gpt-4o-mini-2024-07-18", False),
    ("openai/gpt-4o", "anthropic/claude-sonnet-4.5", False),
    ("anthropic/claude-sonnet-4.5", "anthropic/claude-haiku-4.5", False),
    ("claude-sonnet-4-5-20250929", "claude-sonnet-4-20250514", False),
    ("gpt-4o", "mistral-large-latest", False),
    ("gpt-99", "gpt-99-mini", False),
]


def judged(call: Call, served: str) -> str | None:
    """Why an answer of this model is not kept."""
    got = answered(call, Answer("Paris.", model=served))
    return refusal(call, got, tools=False, max_bytes=2**20, validate=None)


def _row(asked: str, served: str, expected: bool) -> object:
    return pytest.param(asked, served, expected, id=f"{asked}-{served}")


@pytest.mark.parametrize(
    ("asked", "served", "expected"),
    [*(_row(*row, True) for row in SAME), *(_row(*row, False) for row in OTHERS)],
)
def test_at_its_maker(asked: str, served: str, expected: bool) -> None:
    """An alias and what it stands for are one; whatever else answers is another, known or not."""
    url = MESSAGES_URL if asked.startswith("claude") else CHAT_URL
    call = asking(url, {"model": asked, "max_tokens": 9, "messages": HELLO})
    reason = refusal(
        call, answered(call, Answer("x", model=served)), tools=False, max_bytes=2**20, validate=None
    )
    assert reason == (None if expected else "other_model")


@pytest.mark.parametrize(("asked", "served", "expected"), AT_A_GATEWAY)
def test_at_a_gateway(asked: str, served: str, expected: bool) -> None:
    """A name that says nothing may stand for anything; two that are known are compared."""
    call = asking("https://gateway.example/v1/chat/completions", {"model": asked, "messages": HELLO})
    reason = refusal(
        call, answered(call, Answer("x", model=served)), tools=False, max_bytes=2**20, validate=None
    )
    assert reason == (None if expected else "other_model")


@pytest.mark.parametrize(("asked", "served"), [*SAME, *OTHERS])
def test_a_gateway_is_trusted_no_more_than_the_maker_but_for_names_of_its_own(
    asked: str, served: str
) -> None:
    """What is one at its maker is one behind a gateway, and what is two is two."""
    assert is_same_model(asked, served, at_its_maker=False) == is_same_model(asked, served, at_its_maker=True)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_names_can_be_compared(asked: str, served: str) -> None:
    """Whatever they are; and each model is itself."""
    assert is_same_model(asked, asked, at_its_maker=True)
    is_same_model(asked, served, at_its_maker=False)


def test_an_answer_of_an_alias_is_given_again(provider: Provider, cached: Cached) -> None:
    """And one of what the gateway fell back to is not."""
    guard = cached(Cache())
    client = guard.wrap(chat(provider))

    def ask(model: str, served: str) -> tuple[str | None, str | None]:
        provider.answer(Answer("Paris.", model=served))
        answer = client.chat.completions.create(model=model, messages=HELLO, temperature=0)
        receipt = guard.receipt(answer)
        assert receipt is not None
        return receipt.cache, receipt.cache_reason

    assert ask("gpt-4-turbo-preview", "gpt-4-0125-preview") == ("miss", None)
    assert ask("gpt-4-turbo-preview", "gpt-4-0125-preview") == ("hit", None)
    assert ask("gpt-4o", "gpt-4o-mini-2024-07-18") == ("miss", "other_model")
    assert ask("gpt-4o", "gpt-4o-2024-08-06") == ("miss", None)
