"""What genai-prices leaves out, and the examples in the documentation."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from tokenguard import config
from tokenguard.pricing import PriceBook
from tokenguard.pricing.gaps import is_fine_tuned, surcharge

from .places import ANTHROPIC, OPENAI, OPENAI_EU, VERTEX_EU, VERTEX_GLOBAL

DOCS = Path(__file__).parents[2] / "docs" / "concepts" / "prices.md"
OLDER = [
    "gpt-3.5-turbo",
    "gpt-4o-2024-08-06",
    "gpt-4.1",
    "gpt-5",
    "gpt-5-mini-2025-08-07",
    "gpt-5.1-codex",
    "gpt-5-2-2025-12-11",
    "gpt-5.3-chat-latest",
    "o1-pro",
    "o4-mini",
    "gpt-realtime-2025-08-28",
    "gpt-realtime-mini-2025-12-15",
    "gpt-audio-1.5",
    "gpt-image-1.5",
    "text-embedding-3-large",
    "whisper-1",
    "omni-moderation-latest",
    "ft:gpt-4o-mini-2024-07-18:acme::x",
]
NEWER = [
    "gpt-5.4",
    "gpt-5-4-mini",
    "GPT-5.5-PRO",
    "gpt-6-sol",
    "gpt-6.1-terra",
    "gpt-7",
    "chat-latest",
    "o5",
    "gpt-realtime-2.1-mini",
    "gpt-image-2-2026-04-21",
    "gpt-live-1",
    "a-model-of-tomorrow",
]
TEN_PER_CENT, NOTHING = Decimal("1.1"), Decimal(1)


@pytest.mark.parametrize("model", OLDER)
def test_openai_models_before_march_2026_cost_the_same_everywhere(model: str) -> None:
    """Data residency is free for them."""
    assert surcharge("openai", OPENAI_EU, model, None) == NOTHING


@pytest.mark.parametrize("model", NEWER)
def test_later_openai_models_cost_ten_per_cent_more_in_a_region(model: str) -> None:
    """Also those that nobody knew when this was written; never at the global host."""
    assert surcharge("openai", OPENAI_EU, model, None) == TEN_PER_CENT
    assert surcharge("openai", OPENAI, model, None) == NOTHING


@pytest.mark.parametrize(
    ("model", "geo", "vertex"),
    [
        ("claude-3-5-haiku-20241022", False, False),
        ("claude-3-opus@20240229", False, False),
        ("claude-sonnet-4-20250514", False, False),
        ("claude-4-sonnet", False, False),
        ("claude-opus-4-1@20250805", False, False),
        ("claude-v1", False, False),
        ("claude-instant-1.2", False, False),
        ("claude-sonnet-4-5@20250929", False, True),
        ("claude-haiku-4.5", False, True),
        ("claude-4-5-opus", False, True),
        ("claude-opus-4-6", True, True),
        ("claude-4.8-opus", True, True),
        ("claude-opus-5", True, True),
        ("claude-fable-5-1-20260601", True, True),
        ("claude-mythos-preview", True, True),
    ],
)
def test_claude_surcharges_begin_with_a_version(model: str, geo: bool, vertex: bool) -> None:
    """4.6 for inference in the US, 4.5 for Vertex AI's regions; never without a region."""
    assert surcharge("anthropic", ANTHROPIC, model, "us") == (TEN_PER_CENT if geo else NOTHING)
    assert surcharge("google", VERTEX_EU, model, None) == (TEN_PER_CENT if vertex else NOTHING)
    assert surcharge("google", VERTEX_GLOBAL, model, None) == NOTHING
    assert surcharge("anthropic", ANTHROPIC, model, "global") == NOTHING
    assert surcharge("anthropic", ANTHROPIC, model, "mars") is None


@pytest.mark.parametrize(
    ("name", "tuned"),
    [("ft:gpt-4.1:a::b", True), ("gpt-4o-mini-2024-07-18.ft-1a", True), ("davinci:ft-acme-2023", True),
     ("gpt-4.1", False), ("soft-gpt", False), ("left:right", False)],
)  # fmt: skip
def test_fine_tuned_names_are_recognised(name: str, tuned: bool) -> None:
    """As OpenAI and Azure write them."""
    assert is_fine_tuned(name) is tuned


def test_the_documented_configuration_loads(tmp_path: Path) -> None:
    """Every TOML example in the documentation makes a price book."""
    examples = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    assert len(examples) >= 3
    for example in examples:
        file = tmp_path / "tokenguard.toml"
        file.write_text(example)
        said = config.guard_arguments(config.load(file, environ={}))
        assert PriceBook(said.get("prices", ()), said.get("deployments", {})).price_set
