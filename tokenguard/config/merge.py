"""File and variables put together, and every mistake in them found at once."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from tokenguard.config import Settings
from tokenguard.config.models import Configuration, keys
from tokenguard.config.problems import problems
from tokenguard.config.sources import Found, KeyPath
from tokenguard.config.toml import dotted
from tokenguard.config.variables import read_variables
from tokenguard.errors import ConfigError

_PATHS: Final = {("ledger",): ":memory:", ("cache", "store"): "disk", ("cache", "similar", "calibration"): ""}
"""Keys that are paths, relative to the file that they stand in; and the one text that is none there."""


def merge(found: Found) -> Settings:
    """The settings that a file and variables make together.

    Raises:
        ConfigError: Something is wrong; the message has a line for each mistake.
    """
    values = copy.deepcopy(found.file.values) if found.file is not None else {}
    if found.file is not None:
        _make_absolute(values, found.file.path.parent)
    _write_out(values)
    said, wrong = read_variables(found.variables)
    for variable in said:
        _set(values, variable.path, variable.value)
    _make_absolute(values, Path())
    _write_out(values)
    settings = Settings(values, found.file, {variable.path: variable.name for variable in said})
    try:
        Configuration.model_validate(values)
    except ValidationError as error:
        wrong += problems(error, settings)
    if wrong:
        raise ConfigError("\n".join(wrong))
    return settings


def sources(settings: Settings) -> dict[str, list[str]]:
    """The keys that each file and variable decides."""
    found: dict[str, list[str]] = {str(settings.file.path): []} if settings.file is not None else {}
    for path in _leaves(settings.values, ()):
        by = settings.variable(path) or (str(settings.file.path) if settings.file is not None else "")
        found.setdefault(by, []).append(dotted(path))
    return found


def _leaves(values: Any, path: KeyPath) -> list[KeyPath]:
    if not isinstance(values, dict) or not values:
        return [path] if path else []
    return [leaf for key, value in values.items() for leaf in _leaves(value, (*path, key))]


def _make_absolute(values: dict[str, Any], folder: Path) -> None:
    for (*above, key), no_path in _PATHS.items():
        table: Any = values
        for part in above:
            table = table.get(part) if isinstance(table, dict) else None
        value = table.get(key) if isinstance(table, dict) else None
        if isinstance(value, str) and value not in ("", no_path):
            table[key] = os.path.abspath(folder / os.path.expanduser(value))  # noqa: PTH100, PTH111 - never raises


def _write_out(values: dict[str, Any]) -> None:
    """Write short forms in full: ``retry = 3`` is ``[retry] retries = 3``."""
    for key in keys():
        value = values.get(key.path[0]) if len(key.path) == 1 else None
        if key.table is not None and key.table.short and type(value) is int:
            values[key.path[0]] = {key.table.short: value}


def _set(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *above, last = path
    for part in above:
        inner = values.get(part)
        if not isinstance(inner, dict):  # nothing yet, or switched off: a key of it switches it on
            inner = values[part] = {}
        values = inner
    values[last] = value
