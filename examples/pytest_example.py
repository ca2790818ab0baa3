"""Tests of code that calls models: a provider on loopback, and a limit on what a block may cost.

Both fixtures come with tokenguard's pytest plugin. Run it with ``pytest pytest_example.py``.
"""

import openai
import pytest

import tokenguard


def answer(client: openai.OpenAI, question: str) -> str:
    """The code under test."""
    reply = client.chat.completions.create(
        model="gpt-4.1-mini", messages=[{"role": "user", "content": question}], max_tokens=50
    )
    return reply.choices[0].message.content


@pytest.fixture
def client(tokenguard_provider):
    """A guarded client of the local provider; nothing is written to a ledger."""
    client = openai.OpenAI(base_url=tokenguard_provider.openai_url, api_key="test")
    return tokenguard.Guard(ledger=None).wrap(client)


def test_an_answer_is_cheap(client, tokenguard_provider, assert_cost):
    """The whole block costs less than a hundredth of a cent."""
    tokenguard_provider.answer("It arrives tomorrow.")
    with assert_cost(max_usd="0.0001"):
        assert answer(client, "Where is my parcel?") == "It arrives tomorrow."


def test_a_refusal_is_tried_again(client, tokenguard_provider):
    """The provider says "too many requests" once; the caller never hears of it."""
    tokenguard_provider.fail(429, retry_after_ms=1)
    assert answer(client, "Where is my parcel?")
    assert tokenguard_provider.count == 2
