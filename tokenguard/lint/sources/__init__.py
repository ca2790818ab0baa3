"""The kinds of files that can be linted: a file for each. Add a kind by adding its file, and a line here."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from tokenguard.lint.sources.file import File, Problem, Source, Unit
from tokenguard.lint.sources.jinja import JINJA
from tokenguard.lint.sources.json_requests import JSON, JSONL
from tokenguard.lint.sources.prose import PROSE
from tokenguard.lint.sources.python_calls import PYTHON
from tokenguard.lint.sources.yaml_requests import YAML

__all__ = ["SOURCES", "File", "Problem", "Source", "Unit", "source_of"]

SOURCES: Final[tuple[Source, ...]] = (PROSE, JINJA, JSON, JSONL, YAML, PYTHON)

_BY_SUFFIX: Final = {suffix: source for source in SOURCES for suffix in source.suffixes}


def source_of(path: PurePath) -> Source | None:
    """The kind of a file, by how its name ends; ``None`` where it is none of these."""
    return _BY_SUFFIX.get(path.suffix.lower())
