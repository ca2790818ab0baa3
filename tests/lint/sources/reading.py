"""Read a text as a file of some kind, and look at what was found in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenguard.anatomy import Path as Keys
from tokenguard.lint.sources import File, Problem, Unit, source_of
from tokenguard.lint.sources.places import Place


def read(name: str, text: str) -> list[Unit | Problem]:
    """Everything that a file with this name and text has."""
    source = source_of(Path(name))
    assert source is not None
    return list(source.read(File(Path(name), text)))


def units(name: str, text: str) -> list[Unit]:
    """The prompts and requests in it; it must have nothing else."""
    found = read(name, text)
    assert all(isinstance(one, Unit) for one in found), found
    return [one for one in found if isinstance(one, Unit)]


def unit(name: str, text: str) -> Unit:
    """The one prompt or request in it."""
    (found,) = units(name, text)
    return found


def problem(name: str, text: str) -> tuple[str, int]:
    """The code of the one thing that is wrong with it, and its line."""
    (found,) = [one for one in read(name, text) if isinstance(one, Problem)]
    return found.findings[0].code, File(Path(name), text).line(found.start)


def place(one: Unit, *path: str | int) -> Place:
    """Where a value is."""
    found = one.places.find(path)
    assert found is not None
    return found


def written(text: str, one: Unit, path: Keys, start: int, end: int) -> str:
    """What the file has where a stretch of a text stands."""
    found = place(one, *path)
    assert found.text is not None
    first, last = found.text.span(start, end)
    return text[first:last]


def changed(text: str, one: Unit, path: Keys, start: int, end: int, new: str) -> str | None:
    """The file with a stretch of a text changed."""
    found = place(one, *path)
    assert found.text is not None
    change = found.text.change(start, end, new)
    return None if change is None else text[: change.start] + change.new + text[change.end :]


def body(value: Any) -> dict[str, Any]:
    """A request whose one message says this."""
    return {"model": "gpt-4.1", "messages": [{"role": "user", "content": value}]}
