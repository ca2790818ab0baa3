"""What a model can take, as far as it is published: its window, its longest answer, what it refuses."""

from __future__ import annotations

import json
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

from tokenguard.call import Json
from tokenguard.tokens.names import bare, dashed, spellings


class Limits(NamedTuple):
    """What is known of a model. ``None`` where it is not known.

    Attributes:
        context: The most tokens that input and output may have together.
        max_output: The longest answer, in tokens.
        min_cached: The shortest beginning of a prompt that the provider keeps, in tokens.
        reasons: Whether it thinks before it answers.
        max_input: The most tokens of input, where there is a limit besides ``context``.
        refuses: Parameters that it answers with an error (``temperature``, ``max_tokens``): whatever their
            value, or any but the default. ``None`` unless all that is published was looked at.
        shutdown: The day that is announced as its last.
    """

    context: int | None = None
    max_output: int | None = None
    min_cached: int | None = None
    reasons: bool | None = None
    max_input: int | None = None
    refuses: frozenset[str] | None = None
    shutdown: date | None = None


_OWN_PLATFORM: Final = frozenset({"", "openai", "anthropic"})
"""Who shuts models down on the days that are announced: clouds keep some for longer."""


@lru_cache(maxsize=4096)
def limits(model: str, provider: str = "") -> Limits:
    """What is known of a model.

    Args:
        model: Its name, in any of the forms of :func:`~tokenguard.tokens.names.spellings`. A snapshot has the
            limits of its alias, but for those that are known of itself; when it is shut down must be its own.
        provider: Who runs it, as in ``gen_ai.provider.name``; empty: its maker.
    """
    known = _models()
    found: Json = {}
    for name in reversed(spellings(model)):
        found = {**found, **known.get(name, {})}
    refuses = found.get("refuses")
    return Limits(
        found.get("context"),
        found.get("max_output"),
        found.get("min_cached"),
        found.get("reasons"),
        found.get("max_input"),
        None if refuses is None else frozenset(refuses),
        None if model.startswith("ft:") or provider not in _OWN_PLATFORM else _shutdown(model),
    )


def _shutdown(model: str) -> date | None:
    day = _models().get(dashed(bare(model)), {}).get("shutdown")
    return None if day is None else date.fromisoformat(day)


@cache
def _models() -> dict[str, Json]:
    data = files(__package__).joinpath("data", "limits.json").read_text("utf-8")
    models: dict[str, Json] = json.loads(data)["models"]
    return {dashed(name): known for name, known in models.items()}
