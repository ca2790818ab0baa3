"""Values as TOML, for messages and for ``tokenguard config show``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from tokenguard.config import Settings
from tokenguard.config.models import Configuration, Key, keys
from tokenguard.config.sources import KeyPath

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def literal(value: Any) -> str:
    """A value as TOML, on one line."""
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for the one control character that JSON lets pass.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name(key)} = {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value) if isinstance(value, bool) else str(value)


def name(key: str) -> str:
    """A key as TOML."""
    return key if _BARE.fullmatch(key) else literal(key)


def dotted(path: KeyPath) -> str:
    """A path as people write it: ``prices[0].model``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{name(part)}"
    return text.removeprefix(".")


def document(settings: Settings) -> str:
    """The effective settings as a file that can be loaded; a comment says where each value is from."""
    values = Configuration.model_validate(settings.values).effective()
    known = {key.path: key for key in keys()}
    return "\n".join(_table(values, (), settings, known)).strip() + "\n"


def _table(
    table: Mapping[str, Any], path: KeyPath, settings: Settings, known: Mapping[tuple[str, ...], Key]
) -> Iterator[str]:
    """The plain values of a table, then the tables in it: TOML has them in this order."""
    inner = {key: value for key, value in table.items() if _has_header(value)}
    for key, value in table.items():
        if key not in inner:
            yield _line((*path, key), value, settings, known)
    for key, value in inner.items():
        for index, entry in enumerate(value) if isinstance(value, list) else [(None, value)]:
            brackets = ("[[", "]]") if index is not None else ("[", "]")
            here = (*path, key) if index is None else (*path, key, index)
            yield ""
            yield brackets[0] + dotted(_names((*path, key))) + brackets[1]
            yield from _table(entry, here, settings, known)


def _names(path: KeyPath) -> tuple[str, ...]:
    return tuple(part for part in path if isinstance(part, str))


def _has_header(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) for item in value)
    return isinstance(value, dict) and bool(value)


def _line(path: KeyPath, value: Any, settings: Settings, known: Mapping[tuple[str, ...], Key]) -> str:
    origin = settings.origin(path) if _said(settings.values, path) else "default"
    if value is None:
        default = known[_names(path)].must.default
        return f"# {path[-1]}: {default}"
    key = known.get(_names(path))
    if key is not None and key.must.secret:
        return f"# {path[-1]}: {value}  # {origin}"
    return f"{name(str(path[-1]))} = {literal(value)}  # {origin}"


def _said(values: Any, path: KeyPath) -> bool:
    try:
        for part in path:
            values = values[part]
    except (LookupError, TypeError):
        return False
    return True
