"""``TOKENGUARD_*`` variables: which key each one is for, and what its text means there.

``TOKENGUARD_LEDGER`` is for ``ledger``, ``TOKENGUARD_RETRY__RETRIES`` for ``retries`` in ``[retry]``. A
value is written as in TOML; quotes may be left out, a list may be written with commas, and ``off``,
``no`` and ``0`` are ``false`` where that is allowed.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from tokenguard.config.models import Configuration, Key, keys
from tokenguard.config.problems import faulty_paths
from tokenguard.config.sources import CONFIG_VARIABLE, PREFIX

_WORDS: Final = {
    **dict.fromkeys(("false", "off", "no", "0"), False),
    **dict.fromkeys(("true", "on", "yes", "1"), True),
}


class Variable(NamedTuple):
    """What a variable says."""

    name: str
    path: tuple[str, ...]
    value: Any


def variable_keys() -> dict[tuple[str, ...], Key]:
    """The keys that a variable can say: all but those of ``[[prices]]`` and its like, which have no names."""
    known = {key.path: key for key in keys()}
    return {
        path: key
        for path, key in known.items()
        if not any(known[path[:length]].is_array for length in range(1, len(path)))
    }


def variable_name(path: tuple[str, ...]) -> str:
    """The variable for a key."""
    return PREFIX + "__".join(path).upper()


def read_variables(variables: Mapping[str, str]) -> tuple[list[Variable], list[str]]:
    """What the variables say, and what is wrong with their names."""
    known = variable_keys()
    said: dict[tuple[str, ...], Variable] = {}
    wrong = []
    for name, text in sorted(variables.items()):
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        key = known.get(path) or _holder(path, known)
        if key is None:
            wrong.append(_unknown(name, known))
        elif around := [path[:length] for length in range(1, len(path)) if path[:length] in said]:
            whole = said[around[0]]
            wrong.append(f"{whole.name} and {name} both say what {whole.path[-1]!r} is; keep one of them")
        else:
            said[path] = Variable(name, path, _meaning(text, path, key))
    return list(said.values()), wrong


def _holder(path: tuple[str, ...], known: Mapping[tuple[str, ...], Key]) -> Key | None:
    """The key that holds an entry whose name is free: ``tags`` for ``tags.team``."""
    above = known.get(path[:-1])
    return above if above is not None and above.is_mapping and path[-1] else None


def _meaning(text: str, path: tuple[str, ...], key: Key) -> Any:
    readings = list(_readings(text, key))
    return next((value for value in readings if _fits(path, value)), readings[0])


def _readings(text: str, key: Key) -> Iterator[Any]:
    """What a text may mean, the most particular first."""
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        document = {}
    if document.keys() == {"value"}:
        yield document["value"]
    if key.is_array:
        yield [item.strip() for item in text.split(",") if item.strip()]
    if text.lower() in _WORDS:
        yield _WORDS[text.lower()]
    yield text


def _fits(path: tuple[str, ...], value: Any) -> bool:
    nested = value
    for part in reversed(path):
        nested = {part: nested}
    try:
        Configuration.model_validate(nested)
    except ValidationError as error:
        # Its table may lack a key that the file has, which is not this value's fault.
        return not any(faulty[: len(path)] == path for faulty in faulty_paths(error, nested))
    return True


def _unknown(name: str, known: Mapping[tuple[str, ...], Key]) -> str:
    # The value stays unsaid: it may be a secret of somebody else's.
    said = name.removeprefix(PREFIX)
    names = [one.removeprefix(PREFIX) for one in (CONFIG_VARIABLE, *map(variable_name, known))]
    near = [one for one in names if one.split("__")[-1] == said.split("__")[-1]]
    near += difflib.get_close_matches(said, names, n=1)
    return f"{name}: no setting has this name" + (f"; did you mean {PREFIX}{near[0]}?" if near else "")
