"""JSON: a request, a list of them, a batch's lines; and JSONL, where every line is such a thing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from tokenguard.lint.rules.files import broken_syntax, unreadable_file
from tokenguard.lint.sources.file import File, Problem, Source, Unit
from tokenguard.lint.sources.json_places import Index, JsonPlaces
from tokenguard.lint.sources.shapes import requests

LONGEST: Final = 10_000_000
"""Characters of the longest file, or line of a JSONL file, that is read."""

_KEYS: Final = re.compile(r'"(?:messages|role|content|input|prompt|instructions)"\s*:')
_LINE: Final = re.compile(r"[^\n]*\S[^\n]*")


def read(file: File) -> Iterator[Unit | Problem]:
    """The requests in a JSON file. That it is broken is told if it was named, or is about requests."""
    for one in _read(file.text, 0):
        if isinstance(one, Unit) or file.named or _KEYS.search(file.text):
            yield one


def read_lines(file: File) -> Iterator[Unit | Problem]:
    """The requests in a JSONL file; a line that is not JSON is a problem of its own."""
    for line in _LINE.finditer(file.text):
        if line.end() - line.start() > LONGEST:
            why = unreadable_file.run(
                f"a line of {line.end() - line.start():,} characters; {LONGEST:,} are read"
            )
            yield Problem(why, line.start(), line.start())
        else:
            yield from _read(line[0], line.start())


def _read(text: str, start: int) -> Iterator[Unit | Problem]:
    try:
        value = parsed(text)
    except json.JSONDecodeError as error:
        yield Problem(broken_syntax.run(f"is not JSON: {error.msg}"), start + error.pos, start + error.pos)
        return
    except RecursionError:
        yield Problem(broken_syntax.run("is JSON that is nested too deeply"), start, start)
        return
    index = Index(text, start)
    for shape in requests(value):
        places = JsonPlaces(index, shape.path, shape.above)
        # Where exactly is found out where something is found: most requests are clean.
        yield Unit(shape.body, shape.dialect, places, start, start + len(text), shape.complete)


def parsed(text: str) -> Any:
    """A JSON value.

    Raises:
        json.JSONDecodeError: It is none.
        RecursionError: It is nested too deeply.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError as error:  # a number with more digits than Python converts
        raise json.JSONDecodeError(str(error).partition(";")[0], text, 0) from error


JSON: Final = Source("JSON", (".json",), read)
JSONL: Final = Source("JSONL", (".jsonl", ".ndjson"), read_lines, each_line=True)
