"""What is wrong with a configuration, one line for each mistake: where, what, and what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tokenguard.config import Settings
from tokenguard.config.models import keys
from tokenguard.config.sources import KeyPath
from tokenguard.config.toml import dotted, literal

_SHOWN = 80
"""Characters of a wrong value that a message repeats."""


def problems(error: ValidationError, settings: Settings) -> list[str]:
    """A line for each mistake, in the order in which pydantic found them."""
    return [
        f"{settings.origin(path)}: {_said(detail, path, settings.values)}"
        for path, detail in _mistakes(error, settings.values)
    ]


def faulty_paths(error: ValidationError, values: Mapping[str, Any]) -> list[KeyPath]:
    """Where the mistakes are."""
    return [path for path, _ in _mistakes(error, values)]


def _mistakes(error: ValidationError, values: Mapping[str, Any]) -> list[tuple[KeyPath, ErrorDetails]]:
    found: dict[KeyPath, ErrorDetails] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_path(detail, values), detail)
    # Of a union every member complains: once a value in a table is to blame, the table is not.
    return [
        (path, detail)
        for path, detail in found.items()
        if not any(other != path and other[: len(path)] == path for other in found)
    ]


def _path(detail: ErrorDetails, values: Any) -> KeyPath:
    """Where a mistake is in the values: pydantic's ``loc`` also names the members of unions."""
    path: KeyPath = ()
    for part in detail["loc"]:
        try:
            values = values[part]
        except (LookupError, TypeError):
            if detail["type"] != "missing" or part != detail["loc"][-1]:
                continue
        path = (*path, part)
    if detail["type"] == "value_error" and isinstance(values, dict):
        # A policy's own message speaks of one of its keys, whose line says more than the table's.
        about, _, rest = _refusal(detail).partition(": ")
        about = re.sub(r"^\w+\((\w+).*", r"\1", about)  # Cache(ttl=0)
        named = (word.rstrip("_") for word in (about, *re.findall(r"\w+", rest)))
        path = (*path, *[word for word in named if word in values][:1])
    return path


def _refusal(detail: ErrorDetails) -> str:
    return str(detail["ctx"]["error"])


def _said(detail: ErrorDetails, path: KeyPath, values: Any) -> str:
    if detail["type"] == "extra_forbidden":
        return _unknown_key(path)
    if detail["type"] == "value_error":
        return _refusal(detail)
    must = _must(path)
    if detail["type"] == "missing":
        return f"{dotted(path)} is missing; it must be {must}"
    if _is_secret(path):
        return f"{dotted(path)} must be {must}"
    for part in path:
        values = values[part]
    shown = literal(values)
    return f"{dotted(path)} must be {must}, not {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + ' ...'}"


def _must(path: KeyPath) -> str:
    """What is allowed at a path, which may be that of an entry whose name is free (``tags.team``)."""
    names = tuple(part for part in path if isinstance(part, str))
    known = {key.path: key.must for key in keys()}
    if names in known:
        return known[names].be
    holder = known[names[:-1]]
    return holder.entry or holder.be


def _is_secret(path: KeyPath) -> bool:
    return any(key.path == path and key.must.secret for key in keys())


def _unknown_key(path: KeyPath) -> str:
    *above, unknown = (part for part in path if isinstance(part, str))
    beside = [key.path[-1] for key in keys() if key.path[:-1] == tuple(above)]
    near = next(_near(unknown, tuple(above)), None)
    table = f" in [{dotted(tuple(above))}]" if above else ""
    return (
        f"unknown key {unknown!r}{table}; {f'did you mean {near}? ' if near else ''}"
        f"The keys {'there' if above else 'outside tables'} are {', '.join(beside)}"
    )


def _near(unknown: str, above: tuple[str, ...]) -> Iterator[str]:
    """Known keys that may be meant: of this name elsewhere, of nearly this name here, then anywhere."""
    known = [key.path for key in keys()]
    beside = {path[-1]: path for path in known if path[:-1] == above}
    anywhere = {path[-1]: path for path in known}
    if unknown in anywhere:
        yield f"'{dotted(anywhere[unknown])}'"
    for names in (beside, anywhere):
        for near in difflib.get_close_matches(unknown, names, n=1):
            yield f"'{near}'" if names is beside else f"'{dotted(names[near])}'"
