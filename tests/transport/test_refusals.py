"""What we refuse is refused before a cent is spent, with an error that the SDK lets through."""

from __future__ import annotations

import logging
from typing import Any

import anthropic
import openai
import pytest

from tests.transport.clients import GPT, HELLO, KINDS, Kind, asked, chat, claude, closed
from tokenguard import ConfigError, Guard, GuardError, PriceOverride, UnpricedModelError
from tokenguard.testing import Provider

pytestmark = pytest.mark.anyio


@pytest.fixture
def strict(tmp_path: Any) -> Guard:
    """A guard that lets no call through whose price it does not know."""
    return Guard(ledger=":memory:", on_unpriced="refuse")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.cls.__name__)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_unpriced_models(kind: Kind, stream: bool, provider: Provider, strict: Guard) -> None:
    """The error is ours and the SDK's, nothing was sent, and neither SDK tries again."""
    client = strict.wrap(kind.make(provider))
    base: type[Exception] = openai.OpenAIError if kind.sdk == "openai" else anthropic.AnthropicError
    with pytest.raises(UnpricedModelError, match="no-such-model") as raised:
        await asked(client, kind, model="no-such-model", **({"stream": True} if stream else {}))
    assert isinstance(raised.value, base)
    assert isinstance(raised.value, GuardError)
    assert type(raised.value).__name__ == "UnpricedModelError"
    assert not isinstance(raised.value, openai.APIError | anthropic.APIError)
    assert provider.count == 0
    reader: Any = strict.ledger.reader()  # type: ignore[union-attr]
    assert reader.execute("SELECT count(*) FROM call").fetchone() == (0,)
    reader.close()
    assert (await asked(client, kind)) is not None
    await closed(client)


async def test_once_whatever_the_sdks_loop(provider: Provider) -> None:
    """Also where the SDK's own loop is on, the refusal comes out at once."""
    guard = Guard(ledger=None, on_unpriced="refuse", retry=None)
    with pytest.raises(UnpricedModelError):
        guard.wrap(chat(provider, max_retries=5)).chat.completions.create(model="x", messages=HELLO)
    messages = guard.wrap(claude(provider, max_retries=5)).messages
    with pytest.raises(UnpricedModelError):
        messages.create(model="x", max_tokens=1, messages=HELLO)
    assert provider.count == 0


async def test_a_price_of_your_own_is_a_price(provider: Provider) -> None:
    """A model with an override, or a deployment of a known one, is not refused."""
    own = PriceOverride("house-model", prices={"input": "1", "output": "2"})
    guard = Guard(ledger=None, on_unpriced="refuse", prices=[own], deployments={"prod": "gpt-4.1"})
    client = guard.wrap(chat(provider))
    for model in ("house-model", "prod"):
        reply = client.chat.completions.create(model=model, messages=HELLO)
        assert guard.receipt(reply).cost_nano  # type: ignore[union-attr]


async def test_a_warning_is_the_default(
    provider: Provider, guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    """Without refusing, an unpriced call is warned of once, counted, and never taken for free."""
    client = guard.wrap(chat(provider))
    with caplog.at_level(logging.WARNING), guard.run("r") as run:
        for _ in range(3):
            reply = client.chat.completions.create(model="house-model-7", messages=HELLO)
    receipt = guard.receipt(reply)
    assert receipt is not None
    assert receipt.cost_nano is None
    assert receipt.cost_basis == "unpriced"
    assert (run.unpriced, run.cost_nano, run.calls) == (3, 0, 3)
    assert sum("house-model-7" in record.message for record in caplog.records) == 1


async def test_wishes_that_cannot_be_read(provider: Provider, guard: Guard) -> None:
    """A header written by hand and wrong is an error of the caller's, in the SDK's family, unsent."""
    extra = {"x-tokenguard-retries": "many"}
    with pytest.raises(ConfigError, match="retries") as raised:
        guard.wrap(chat(provider)).chat.completions.create(model=GPT, messages=HELLO, extra_headers=extra)
    assert isinstance(raised.value, openai.OpenAIError)
    with pytest.raises(ConfigError) as refused:
        guard.wrap(claude(provider)).messages.create(
            model="claude-haiku-4-5", max_tokens=1, messages=HELLO, extra_headers=extra
        )
    assert isinstance(refused.value, anthropic.AnthropicError)
    assert provider.count == 0


async def test_the_error_is_one_error(strict: Guard, provider: Provider) -> None:
    """It carries no other exception with it, and says what happened."""
    with pytest.raises(UnpricedModelError) as raised:
        strict.wrap(chat(provider)).chat.completions.create(model="x-1", messages=HELLO)
    assert raised.value.__cause__ is None
    assert "nothing was sent" in str(raised.value)
    assert raised.value.__suppress_context__
