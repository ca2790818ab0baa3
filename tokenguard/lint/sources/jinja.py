"""Jinja templates: the file is a prompt; its tags are the template's own, and its comments are not sent."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from tokenguard.lint.rules.files import broken_syntax, template_cycle
from tokenguard.lint.sources.file import File, Problem, Source, Unit
from tokenguard.lint.sources.places import KnownPlaces, Place
from tokenguard.lint.sources.prose import CONTENT, prompt

_TAG: Final = re.compile(
    r"\{%-?\s*raw\s*-?%\}(?:.*?\{%-?\s*endraw\s*-?%\}|(?P<unraw>\Z|.*))"
    r"|(?P<comment>\{\#.*?\#\})"
    r"|\{%[-+]?\s*(?:include|extends|import|from)\s+(?P<quote>[\"'])(?P<name>.*?)(?P=quote).*?%\}"
    r"|\{%.*?%\}|\{\{.*?\}\}"
    r"|(?P<open>\{[%{#])",
    re.S,
)
_SEARCHED: Final = 16
"""Folders above a template in which the templates that it names are looked for."""


class Reference(NamedTuple):
    """A tag that names another template."""

    name: str
    start: int
    end: int


def read(file: File) -> Iterator[Unit | Problem]:
    """The prompt that the template is, and what is wrong with its tags."""
    comments = []
    for match in _TAG.finditer(file.text):
        if match["comment"]:
            comments.append(match.span())
        elif match["open"] or match["unraw"] is not None:
            begin = match[0][:2]
            yield Problem(broken_syntax.run(f"a template's {begin} without its end"), *match.span())
            break
    yield from _cycles(file)
    yield _without(prompt(file), comments)


def _without(unit: Unit, comments: list[tuple[int, int]]) -> Unit:
    place = unit.places.find(CONTENT)
    if not comments or place is None or place.text is None:
        return unit
    spans = [(_in_text(place, start), _in_text(place, end)) for start, end in comments]
    placed = place.text.without(spans)
    body = {"messages": [{"role": "system", "content": placed.text}]}
    return unit._replace(body=body, places=KnownPlaces({CONTENT: place._replace(text=placed)}))


def _in_text(place: Place, offset: int) -> int:
    """Where in the text a character of the file is, whose line ends may be longer."""
    assert place.text is not None
    for run in reversed(place.text.runs):
        if run.start <= offset:
            return min(run.at + offset - run.start, run.at + run.length)
    return 0


def _cycles(file: File) -> Iterator[Problem]:
    start = _absolute(file.path)
    for reference in references(file.text):
        first = _found(start, reference.name)
        if first is not None and (way := _way(first, start)):
            names = " -> ".join(path.name for path in (start, *way))
            finding = template_cycle.run(f"the template needs itself: {names}")
            yield Problem(finding, reference.start, reference.end)


def _way(first: Path, goal: Path) -> list[Path]:
    """The shortest way from one template to another, both included; empty where there is none."""
    came_from: dict[Path, Path | None] = {first: None}
    for here in (queue := [first]):
        if here == goal:
            way: list[Path] = []
            step: Path | None = here
            while step is not None:
                way.append(step)
                step = came_from[step]
            return way[::-1]
        for name in _references_of(here):
            found = _found(here, name)
            if found is not None and found not in came_from:
                came_from[found] = here
                queue.append(found)
    return []


def references(text: str) -> list[Reference]:
    """The templates that a template names."""
    return [
        Reference(match["name"], match.start(), match.end()) for match in _TAG.finditer(text) if match["name"]
    ]


@lru_cache(maxsize=1024)
def _references_of(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(reference.name for reference in references(text))


def _found(path: Path, name: str) -> Path | None:
    """A template by its name: beside the one that names it, or below a folder above."""
    candidates = (_absolute(folder / name) for folder in path.parents[:_SEARCHED])
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - keeps links, and takes ".." out


JINJA: Final = Source("template", (".j2", ".jinja", ".jinja2"), read)
