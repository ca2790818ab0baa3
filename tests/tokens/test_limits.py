"""What is known of models agrees with what the SDKs and the price list say; what is not known is None."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path

import genai_prices.data
import openai.types.shared.chat_model
import pytest
from anthropic.resources.messages.messages import DEPRECATED_MODELS

from tokenguard.tokens.limits import Limits, limits

DATA = json.loads(files("tokenguard.tokens").joinpath("data", "limits.json").read_text("utf-8"))
WINDOWS = {
    model.id: model.context_window
    for provider in genai_prices.data.providers
    if provider.id in ("openai", "anthropic")
    for model in provider.models
    if model.context_window
}


def announced() -> dict[str, date]:
    """The shutdown dates in the openai SDK's list of models."""
    source = Path(openai.types.shared.chat_model.__file__).read_text("utf-8")
    found: dict[str, date] = {}
    for item in source.split('"""Deprecated values:')[1].split("\n- "):
        day = re.search(r"shutdown date:\s+(\d{4}-\d\d-\d\d)", " ".join(item.split()))
        if day:
            found |= dict.fromkeys(re.findall(r'"([^"]+)"', item.split(":")[0]), date.fromisoformat(day[1]))
    return found


def test_shutdowns_are_those_of_the_openai_sdk() -> None:
    """All that it announces, on the day."""
    days = announced()
    assert len(days) > 70
    assert {model: limits(model).shutdown for model in days} == days


def test_shutdowns_are_those_of_the_anthropic_sdk() -> None:
    """All that it warns of, on the day."""
    for model, words in DEPRECATED_MODELS.items():
        day = datetime.strptime(re.sub(r"(\d)(st|nd|rd|th),", r"\1,", words), "%B %d, %Y").date()  # noqa: DTZ007
        assert limits(model, "anthropic").shutdown == day, model


@pytest.mark.parametrize("model", WINDOWS)
def test_windows_are_those_of_the_price_list(model: str) -> None:
    """But where it rounds, and for snapshots that it does not tell apart."""
    known = limits(model).context
    assert known is None or known == pytest.approx(WINDOWS[model], rel=0.06)


@pytest.mark.parametrize("model", DATA["models"])
def test_what_is_known_is_possible(model: str) -> None:
    """Answers fit into windows, every fact has a source, and nothing else is in the file."""
    entry = DATA["models"][model]
    assert set(entry) <= {*Limits._fields, "sources"}
    assert entry["sources"]
    assert set(entry["sources"]) <= set(DATA["sources"])
    found = limits(model)
    if found.context and found.max_output:
        assert found.max_output <= found.context
    if found.max_input:
        assert found.context is not None
        assert found.max_input < found.context


@pytest.mark.parametrize(
    ("model", "provider", "expected"),
    [
        ("gpt-4o-2024-05-13", "openai", (128_000, 4_096)),
        ("gpt-4o-2024-08-06", "openai", (128_000, 16_384)),
        ("openai/gpt-5", "", (400_000, 128_000)),
        ("ft:gpt-4.1-mini:acme::id", "openai", (1_047_576, 32_768)),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws.bedrock", (200_000, 64_000)),
        ("claude-opus-4-5@20251101", "gcp.vertex_ai", (200_000, 64_000)),
        ("anthropic/claude-haiku-5.5", "", (1_000_000, 128_000)),
        ("gpt-6.1-sol", "openai", (1_050_000, 128_000)),
    ],
)
def test_names_are_looked_through(model: str, provider: str, expected: tuple[int, int]) -> None:
    """Whoever runs the model, and whatever they call it."""
    assert limits(model, provider)[:2] == expected


def test_who_runs_a_model_says_how_long() -> None:
    """A cloud may keep what its maker shuts down; a fine-tuned model has a day of its own."""
    assert limits("claude-sonnet-4-5", "anthropic").shutdown == date(2026, 11, 30)
    assert limits("anthropic.claude-sonnet-4-5-20250929-v1:0", "aws.bedrock").shutdown is None
    assert limits("ft:gpt-4.1:acme::id").shutdown is None
    assert limits("gpt-5.9-2027-01-01").shutdown is None


def test_what_is_refused() -> None:
    """By models that reason, and by Claude since Opus 4.7; of others nothing is said."""
    assert {"temperature", "max_tokens"} <= (limits("o3").refuses or set())
    assert limits("gpt-5.4").refuses == frozenset({"max_tokens"})
    assert limits("gpt-4o").refuses == frozenset()
    assert "temperature" in (limits("claude-opus-4-7").refuses or set())
    assert limits("claude-sonnet-4-6").refuses == frozenset()


def test_an_unknown_model_is_unknown() -> None:
    """In every respect: a guess would be taken for knowledge."""
    assert limits("llama-9-900b") == Limits()
    assert limits("") == Limits()
