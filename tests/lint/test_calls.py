"""Calls are linted before they are paid for: noted, mended or refused, and never broken by it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

import tokenguard
from tests.conftest import NO_WAIT
from tokenguard import Cache, Guard, Lint
from tokenguard.errors import ConfigError, GuardError
from tokenguard.lint.engine import Linter
from tokenguard.testing import Provider

ROWS = [{"city": f"City {n}", "country": "Atlantis", "people": 1000 * n} for n in range(40)]
INDENTED = json.dumps({"rows": ROWS}, indent=4)
COMPACT = json.dumps({"rows": ROWS}, separators=(",", ":"))
ASKED = "Which city is the largest? Here is all we know:\n\n```json\n" + INDENTED + "\n```"

Linting = Callable[..., Guard]


@pytest.fixture
def linting(tmp_path: Path) -> Iterator[Linting]:
    """Makes guards that lint."""
    made: list[Guard] = []

    def make(lint: Lint, **options: Any) -> Guard:
        made.append(Guard(lint=lint, ledger=None, retry=NO_WAIT, **options))
        return made[-1]

    yield make
    for guard in made:
        guard.close()


def gpt(guard: Guard, provider: Provider) -> openai.OpenAI:
    return guard.wrap(openai.OpenAI(api_key="none", base_url=provider.openai_url))


def ask(client: openai.OpenAI, content: str = ASKED, **options: Any) -> Any:
    return client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": content}], **options
    )


def test_a_request_that_is_too_long_costs_nothing(linting: Linting, provider: Provider) -> None:
    """It is refused as the SDK's own error, with what was found, and nothing is sent."""
    client = gpt(linting(Lint(max_input_tokens=100, on_error="raise")), provider)
    with pytest.raises(openai.OpenAIError, match=r"^TG1\d\d: .*; nothing was sent") as caught:
        ask(client)
    error = caught.value
    assert isinstance(error, tokenguard.LintError)
    assert [one.severity for one in error.findings] == ["error"]
    assert provider.count == 0
    assert ask(client, "Hello").choices


def test_what_is_found_is_on_the_receipt(linting: Linting, provider: Provider) -> None:
    """Nothing is changed and nothing refused where nobody asked for that."""
    guard = linting(Lint(max_input_tokens=100))
    receipt = guard.receipt(ask(gpt(guard, provider)))
    assert receipt is not None
    codes = {one.code for one in receipt.findings}
    assert any(code.startswith("TG1") for code in codes), "too long"
    assert any(code.startswith("TG2") for code in codes), "indented JSON"
    assert receipt.fixed == ()
    (request,) = provider.requests
    assert json.loads(request.body)["messages"][0]["content"] == ASKED


@pytest.mark.parametrize("stream", [False, True])
def test_compression_changes_only_what_is_the_same_to_the_model(
    linting: Linting, provider: Provider, stream: bool
) -> None:
    """The JSON says what it said; what was saved is counted; the answer comes as always."""
    guard = linting(Lint(compress="safe"))
    response = ask(gpt(guard, provider), stream=stream)
    if stream:
        assert [chunk for chunk in response if chunk.choices]
    (request,) = provider.requests
    sent = json.loads(request.body)["messages"][0]["content"]
    assert sent == ASKED.replace(INDENTED, COMPACT)
    receipt = guard.receipt(response)
    assert receipt is not None
    assert receipt.fixed
    assert receipt.tokens_saved > 200
    assert receipt.usage is not None


def test_a_mended_request_is_found_in_the_cache(linting: Linting, provider: Provider) -> None:
    """The cache's key is that of what is sent: whoever writes it compact gets the same answer."""
    guard = linting(Lint(compress="safe"), cache=Cache())
    client = gpt(guard, provider)
    ask(client, temperature=0)
    receipt = guard.receipt(ask(client, ASKED.replace(INDENTED, COMPACT), temperature=0))
    assert receipt is not None
    assert receipt.cache == "hit"
    assert provider.count == 1


def test_rules_can_be_off_for_a_call(linting: Linting, provider: Provider) -> None:
    """In a context, and in headers where contexts do not reach."""
    guard = linting(Lint())
    client = gpt(guard, provider)
    with tokenguard.context(lint_ignore=("TG2",)):
        receipts = [guard.receipt(ask(client))]
    receipts.append(guard.receipt(ask(client, extra_headers=tokenguard.headers(lint_ignore=("TG2",)))))
    for receipt in receipts:
        assert receipt is not None
        assert not [one for one in receipt.findings if one.code.startswith("TG2")]
    with pytest.raises(ConfigError, match="lint_ignore"), tokenguard.context(lint_ignore="TG201"):
        pass


def test_a_fault_of_the_linter_costs_nobody_a_call(
    linting: Linting, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted, and the request goes out as it is."""

    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    before = tokenguard.faults.counts().get("lint", 0)
    monkeypatch.setattr(Linter, "request", broken)
    assert ask(gpt(linting(Lint(on_error="raise", max_input_tokens=1)), provider)).choices
    assert tokenguard.faults.counts()["lint"] == before + 1


@pytest.mark.anyio
async def test_asynchronous_calls_are_linted_as_well(linting: Linting, provider: Provider) -> None:
    """The same, from an event loop."""
    guard = linting(Lint(max_input_tokens=100, on_error="raise"))
    client = guard.wrap(anthropic.AsyncAnthropic(api_key="none", base_url=provider.anthropic_url))
    with pytest.raises(anthropic.AnthropicError, match="nothing was sent") as caught:
        await client.messages.create(
            model="claude-haiku-4-5", max_tokens=100, messages=[{"role": "user", "content": ASKED}]
        )
    assert isinstance(caught.value, GuardError)
    assert provider.count == 0


def test_a_growing_chat_is_linted_once(linting: Linting, provider: Provider) -> None:
    """A message that was seen before is remembered: what was found in it is found again, in its place."""
    guard = linting(Lint())
    client = gpt(guard, provider)
    messages: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASKED}]
    seen = []
    for n in range(3):
        messages += [
            {"role": "assistant", "content": f"Answer {n}"},
            {"role": "user", "content": f"And {n}?"},
        ]
        receipt = guard.receipt(client.chat.completions.create(model="gpt-4o-mini", messages=messages))
        assert receipt is not None
        seen.append([one for one in receipt.findings if one.path[:2] == ("messages", 1)])
    assert seen[0]
    assert seen[0] == seen[1] == seen[2]


def test_a_conversation_that_is_mended_keeps_its_beginning(linting: Linting, provider: Provider) -> None:
    """What was sent on the first turn is sent on the second one, to the byte: the provider has it already."""
    client = gpt(linting(Lint(compress="safe")), provider)
    messages: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASKED}]
    for n in range(3):
        client.chat.completions.create(model="gpt-4o-mini", messages=messages)
        messages += [{"role": "assistant", "content": f"{n}"}, {"role": "user", "content": f"{ASKED} {n}"}]
    first, second, third = (json.loads(one.body)["messages"] for one in provider.requests)
    assert INDENTED not in json.dumps(third)
    assert first == second[:2]
    assert second == third[:4]
