"""What genai-prices leaves out: regional surcharges, fine-tuned names, and a few missing prices.

Every rule names its source. A surcharge is for models released after a day in the past, so the
tables list the *older* models: that set can never grow, and a model nobody knew when this was
written is rightly taken for a newer one.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from tokenguard.call import Meter, Where
from tokenguard.pricing.rates import Prices

NO_SURCHARGE: Final = Decimal(1)
SURCHARGE: Final = Decimal("1.1")
"""Ten per cent, the regional surcharge of OpenAI, Anthropic and Vertex AI alike."""

UNTOUCHED: Final = frozenset({Meter.REQUESTS, Meter.WEB_SEARCHES})
"""Meters without surcharge: it is on what the model processes, not on tools."""

# "Data residency endpoints are charged a 10% uplift for models released on or after March 5, 2026":
# https://developers.openai.com/api/docs/guides/data-residency. The hosts are <region>.api.openai.com.
_OPENAI_REGIONS: Final = ".api.openai.com"
_OPENAI_BEFORE_MARCH_2026: Final = r"""(ft:)?(
    gpt-3\.?5.* | gpt-4.* | chatgpt-4o.* | gpt-5(?![.-]?[4-9]).* | gpt-oss.*
    | o[134](-.*)? | codex-mini.* | computer-use.* | .*moderation.*
    | gpt-(audio|realtime)(-mini)?(-1\.5|-2025.*)?
    | gpt-image-1(?!\d).* | chatgpt-image-latest | dall-e.*
    | text-embedding-.* | text-davinci.* | davinci.* | curie.* | babbage.* | ada.*
    | whisper-1 | tts-1.*
)"""

# "US-only inference" costs 1.1x for Claude Opus 4.6, Sonnet 4.6 and later, on Anthropic's own API only;
# older models report "not_available": https://platform.claude.com/docs/en/manage-claude/data-residency.
_ANTHROPIC_GEOS: Final = {None: False, "global": False, "not_available": False, "us": True}
_SINCE_CLAUDE_4_6: Final = (4, 6)

# Regional and multi-region endpoints cost 10% more than the global one from Claude Sonnet 4.5 on:
# https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai.
_SINCE_CLAUDE_4_5: Final = (4, 5)

_CLAUDE: Final = r"claude-(?:v|[a-z]+-)?(\d+)(?:[.-](\d)(?!\d))?"
_NEWEST: Final = (99, 0)


def surcharge(provider: str, where: Where, model: str, inference_geo: str | None) -> Decimal | None:
    """What the public price is multiplied by for where a request was processed.

    Args:
        provider: Whose price list it is, as in genai-prices.
        where: The endpoint: OpenAI's host and Vertex AI's location decide.
        model: The model's name, as in the request or the reply.
        inference_geo: What Anthropic's usage says, which alone decides there.

    Returns:
        The factor, or ``None`` for an ``inference_geo`` whose price nobody has published.
    """
    if provider == "openai":
        if not where.host.endswith(_OPENAI_REGIONS):
            return NO_SURCHARGE
        older = re.fullmatch(_OPENAI_BEFORE_MARCH_2026, model.lower(), re.X)
        return NO_SURCHARGE if older else SURCHARGE
    if provider == "anthropic":
        regional = _ANTHROPIC_GEOS.get(inference_geo.lower() if inference_geo else None)
        if regional is None:
            return None
        return SURCHARGE if regional and _claude_version(model) >= _SINCE_CLAUDE_4_6 else NO_SURCHARGE
    if provider == "google" and "claude" in model.lower() and where.region not in (None, "global"):
        return SURCHARGE if _claude_version(model) >= _SINCE_CLAUDE_4_5 else NO_SURCHARGE
    return NO_SURCHARGE


def _claude_version(model: str) -> tuple[int, int]:
    """``claude-opus-4-1@20250805`` is (4, 1); a name without a number is taken for the newest."""
    found = re.search(_CLAUDE, model.lower())
    return (int(found[1]), int(found[2] or 0)) if found else _NEWEST


def is_fine_tuned(name: str) -> bool:
    """Whether a model's name or id says that it is fine-tuned: OpenAI's ``ft:``, Azure's ``.ft-``."""
    return name.startswith("ft:") or ".ft-" in name or ":ft-" in name


# Provider, names (a regular expression for the whole of one), and prices that genai-prices lacks.
# It has the text prices only of these models; the 2024-10-01 snapshot had other audio prices.
# https://developers.openai.com/api/docs/models/gpt-4o-audio-preview, .../gpt-4o-mini-audio-preview
_SUPPLEMENTS: Final[tuple[tuple[str, str, Prices], ...]] = (
    (
        "openai",
        r"gpt-4o-audio-preview(?!-2024-10-01)(-\d{4}-\d\d-\d\d)?",
        {Meter.AUDIO_INPUT: ((0, Decimal(40)),), Meter.AUDIO_OUTPUT: ((0, Decimal(80)),)},
    ),
    (
        "openai",
        r"gpt-4o-mini-audio-preview(-\d{4}-\d\d-\d\d)?",
        {Meter.AUDIO_INPUT: ((0, Decimal(10)),), Meter.AUDIO_OUTPUT: ((0, Decimal(20)),)},
    ),
)


def supplement(provider: str, name: str) -> Prices:
    """The prices that are missing for a model, by meter; empty for nearly all."""
    for whose, names, prices in _SUPPLEMENTS:
        if whose == provider and re.fullmatch(names, name.lower()):
            return prices
    return {}
