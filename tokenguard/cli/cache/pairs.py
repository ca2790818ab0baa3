"""Labelled pairs of questions, as ``tokenguard cache calibrate`` reads them: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tokenguard.errors import ConfigError


class Pair(NamedTuple):
    """A labelled pair of questions."""

    a: str
    b: str
    same: bool


def read_pairs(path: Path) -> tuple[list[Pair], int]:
    """The pairs of a file, each once and none of one text with itself; and how many others there were.

    Raises:
        ConfigError: The file cannot be read, or a line of it is no pair. The message says which.
    """
    found: dict[frozenset[str], Pair] = {}
    others = 0
    for number, pair in _lines(path):
        texts = frozenset((pair.a, pair.b))
        if texts in found and found[texts].same != pair.same:
            raise ConfigError(f"{path}:{number}: this pair stands there before, with the other label")
        if texts in found or len(texts) < 2:
            others += 1
        else:
            found[texts] = pair
    return list(found.values()), others


def _lines(path: Path) -> Iterator[tuple[int, Pair]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            said: Any = json.loads(line)
            pair = Pair(said["a"], said["b"], said["same"])
        except (ValueError, TypeError, LookupError) as error:
            wanted = '{"a": ..., "b": ..., "same": true or false}'
            raise ConfigError(f"{path}:{number}: give {wanted}") from error
        if not (isinstance(pair.a, str) and isinstance(pair.b, str) and isinstance(pair.same, bool)):
            raise ConfigError(f'{path}:{number}: "a" and "b" are texts, and "same" is true or false')
        yield number, pair
