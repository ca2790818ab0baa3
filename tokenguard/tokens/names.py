"""A model's own name, looked for behind all that clouds, gateways and fine-tuning put around it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_BEDROCK: Final = re.compile(
    r"^(?:[a-z-]+\.)?(?:anthropic|openai|meta|mistral|amazon|google|deepseek|qwen)\."
)
"""``us.anthropic.``: where a model of Bedrock's may be run, and whose it is."""

_VERSION: Final = re.compile(r"-(?:v\d+(?::\d+)?|\d+:\d+)(?::\w+)?$")
"""``-v1:0``: Bedrock's own version of a model."""

_DATE: Final = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|latest|default)$")
"""``-2025-04-14``, ``-20250929``, ``@20250514``, ``-0613``: which snapshot of a model is meant."""

_DOT: Final = re.compile(r"(?<=\d)\.(?=\d)")
_NUMBER_FIRST: Final = re.compile(r"^claude-([45](?:-\d)?)-(opus|sonnet|haiku)\b")
"""Claude 3 has its number first, and keeps it there."""


@lru_cache(maxsize=4096)
def bare(model: str) -> str:
    """The name that the provider itself gives a model, in lower case: with its date, without all else.

    ``openai/gpt-4.1``, ``ft:gpt-4.1:acme::id`` and ``azure/gpt-4.1`` are ``gpt-4.1``;
    ``us.anthropic.claude-sonnet-4-5-20250929-v1:0``, an ARN with that at its end, and
    ``publishers/anthropic/models/claude-sonnet-4-5@20250929`` are ``claude-sonnet-4-5-20250929``.
    """
    name = model.strip().lower()
    if name.startswith("ft:"):
        name = name.split(":")[1]
    name = _BEDROCK.sub("", name.rsplit("/", 1)[-1])
    return _VERSION.sub("", name).replace("@", "-")


def dashed(name: str) -> str:
    """A bare name as its maker writes it: ``claude-sonnet-4-5`` where gateways say ``claude-4.5-sonnet``."""
    if not name.startswith("claude"):
        return name
    return _NUMBER_FIRST.sub(r"claude-\2-\1", _DOT.sub("-", name))


@lru_cache(maxsize=4096)
def spellings(model: str) -> tuple[str, ...]:
    """The names to look a model up by, the most precise one first: with its date, then without."""
    name = bare(model)
    names: list[str] = []
    for one in (name, dashed(name)):
        names.append(one)
        while (undated := _VERSION.sub("", _DATE.sub("", names[-1]))) != names[-1]:
            names.append(undated)
    return tuple(dict.fromkeys(names))
