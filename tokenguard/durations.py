"""Lengths of time as people write them in settings: ``"90s"``, ``"15m"``, ``"12h"``, ``"7d"``, ``"2w"``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from tokenguard.errors import ConfigError

Duration = str | float | timedelta
"""A text like ``"7d"``, a number of seconds, or a ``timedelta``."""

_WRITTEN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|d|w)")
_FOREVER: Final = timedelta.max.total_seconds()
_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds(duration: Duration, name: str) -> float:
    """A length of time in seconds, 0 or more.

    Args:
        duration: As people write it.
        name: What the setting is called, for the error.

    Raises:
        ConfigError: It cannot be read, is negative, or is longer than two million years.
    """
    found: float | None = None
    if isinstance(duration, timedelta):
        found = duration.total_seconds()
    elif isinstance(duration, str):
        if written := _WRITTEN.fullmatch(duration.strip().lower()):
            found = float(written[1]) * _SECONDS[written[2]]
    elif isinstance(duration, int | float) and not isinstance(duration, bool):
        found = float(max(-1, min(duration, _FOREVER + 1)))  # an int may be too large for a float
    if found is None or not 0 <= found <= _FOREVER:
        raise ConfigError(
            f"{name}={duration!r}: give a length of time like '90s', '15m', '12h', '7d' or '2w'"
        )
    return found
