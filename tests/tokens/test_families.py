"""A model is found by whatever name clouds, gateways and fine-tuning give it."""

from __future__ import annotations

from typing import get_args

import anthropic.types
import openai.types.shared
import pytest

from tokenguard.tokens.estimate import CLASSES
from tokenguard.tokens.families import FAMILIES, UNKNOWN, family_of
from tokenguard.tokens.names import bare, spellings
from tokenguard.tokens.text import encoding_for

OPENAI = get_args(openai.types.shared.ChatModel)
ANTHROPIC = get_args(get_args(anthropic.types.Model)[0])


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4.1", "gpt-4.1"),
        ("openai/GPT-4.1-2025-04-14", "gpt-4.1-2025-04-14"),
        ("ft:gpt-4.1-mini-2025-04-14:acme:support:abc", "gpt-4.1-mini-2025-04-14"),
        ("azure/eu/gpt-4o", "gpt-4o"),
        ("anthropic.claude-opus-5-5", "claude-opus-5-5"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.anthropic.claude-haiku-4-5-20251001-v1:0",
            "claude-haiku-4-5-20251001",
        ),
        ("openai.gpt-oss-120b-1:0", "gpt-oss-120b"),
        ("publishers/anthropic/models/claude-sonnet-4@20250514", "claude-sonnet-4-20250514"),
    ],
)
def test_the_makers_name_is_found(model: str, name: str) -> None:
    """Behind regions, vendors, versions and owners."""
    assert bare(model) == name


@pytest.mark.parametrize(
    ("model", "last"),
    [
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("gpt-4-0613", "gpt-4"),
        ("claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet"),
        ("anthropic/claude-4.5-sonnet", "claude-sonnet-4-5"),
        ("anthropic/claude-3.7-sonnet", "claude-3-7-sonnet"),
        ("gpt-5.1", "gpt-5.1"),
    ],
)
def test_snapshots_and_other_spellings_lead_to_the_alias(model: str, last: str) -> None:
    """Dates come off, and gateways' spellings become the maker's."""
    assert spellings(model)[-1] == last


@pytest.mark.parametrize(
    ("model", "provider", "family"),
    [
        ("gpt-4-0613", "openai", "GPT-3.5, GPT-4"),
        ("gpt-35-turbo", "azure.ai.openai", "GPT-3.5, GPT-4"),
        ("gpt-4o-mini-2024-07-18", "openai", "GPT-4o mini"),
        ("gpt-5.1-codex-mini", "openai", "GPT-5 mini, nano"),
        ("gpt-5.1-chat-latest", "openai", "GPT-5, 5.1"),
        ("gpt-5.4-nano", "openai", "GPT-5.4"),
        ("o3-pro", "openai", "o1, o3"),
        ("claude-opus-4-20250514", "anthropic", "Claude 4"),
        ("claude-opus-4-1-20250805", "anthropic", "Claude 4"),
        ("claude-4.5-sonnet", "openrouter", "Claude 4.5, 4.6"),
        ("claude-sonnet-5", "anthropic", "Claude Sonnet 5"),
        ("claude-sonnet-5-5", "anthropic", "Claude 5.5"),
        ("claude-opus-6", "anthropic", "Claude 5.5"),
        ("our-deployment", "azure.ai.openai", "azure.ai.openai, others"),
        ("our-deployment", "", "others"),
    ],
)
def test_a_family_is_found(model: str, provider: str, family: str) -> None:
    """Newer Claudes count like the newest; a deployment like its provider's, less surely so."""
    found = family_of(model, provider)
    assert found.name == family
    if family.endswith("others"):
        assert not found.published


@pytest.mark.parametrize("model", [*OPENAI, *ANTHROPIC])
def test_every_model_of_the_sdks_has_a_family(model: str) -> None:
    """And those of OpenAI have the encoding that texts are counted with elsewhere."""
    family = family_of(model)
    assert family is not UNKNOWN
    assert family.encoding == encoding_for(model) or model in ANTHROPIC


def test_every_family_is_whole() -> None:
    """A weight for each class; no pattern that another one hides entirely."""
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert len(family.weights.classes) == len(CLASSES)
        assert family.framing.request >= 0
