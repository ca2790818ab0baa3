"""Where the characters of a YAML text stand: exactly in the styles that keep them, by words in the others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from tokenguard.lint.sources.places import Placed, Run, Write, opaque

_PROPERTIES: Final = re.compile(r"(?:[&!]\S*\s+)*")
_BLOCK_HEADER: Final = re.compile(r"[|>][^\r\n]*(?:\r\n|\r|\n)")
_LINE: Final = re.compile(r"(?P<indent> *)(?P<said>[^\r\n]*)(?P<end>\r\n|\r|\n|\Z)")
_DOUBLE_ESCAPE: Final = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[^\r\n])")
_SINGLE_ESCAPE: Final = re.compile(r"''")
_LAST_LINE_END: Final = re.compile(r"\n(?!\n)")
_WORD: Final = re.compile(r"\S+")


def placed(text: str, start: int, end: int, value: str, style: str | None) -> Placed:
    """A text of a YAML file in its place.

    Args:
        text: All of the file.
        start: Where the scalar begins, with its anchor or tag.
        end: Where it ends.
        value: What it means.
        style: ``|``, ``>``, ``"``, ``'``, or nothing for a plain one.
    """
    match = _PROPERTIES.match(text, start, end)
    begin = match.end() if match else start
    runs = _runs(text, begin, end, value, style)
    # What was put together has to be what YAML made of it, or nothing is known of it.
    if runs is None or sum(run.length for run in runs) != len(value) or not _same(text, value, runs):
        return opaque(value, start, end)
    return Placed(value, runs, start, end)


def _runs(text: str, start: int, end: int, value: str, style: str | None) -> list[Run] | None:
    if style == "|":
        return list(_block(text, start, end, value))
    if "\n" in text[start:end] or "\r" in text[start:end]:
        return _by_words(text, start, end, value)
    if style == '"':
        return list(_quoted(text, start + 1, end - 1, _DOUBLE_ESCAPE, _write_double))
    if style == "'":
        return list(_quoted(text, start + 1, end - 1, _SINGLE_ESCAPE, _write_single()))
    return [Run(0, end - start, start, end, _write_plain())]


def _same(text: str, value: str, runs: list[Run]) -> bool:
    return all(
        text[run.start : run.end] == value[run.at : run.at + run.length]
        for run in runs
        if run.length == run.end - run.start and run.length > 1
    )


def _block(text: str, start: int, end: int, value: str) -> Iterator[Run]:
    """A literal block: each line as it is, after its indentation, which belongs to the line end before."""
    header = _BLOCK_HEADER.match(text, start, end)
    if header is None:
        return
    lines = [match for match in _LINE.finditer(text, header.end(), end) if match.end() > match.start()]
    depth = next((len(line["indent"]) for line in lines if line["said"]), 0)
    write = _write_block(" " * depth)
    at = 0
    for number, line in enumerate(lines):
        first = min(line.start() + depth, line.end("said"))
        if (length := line.end("said") - first) > 0:
            yield Run(at, length, first, line.end("said"), write)
            at += length
        if at >= len(value):  # the line ends after it are not part of the text
            return
        if line["end"]:
            last = number + 1 == len(lines)
            after = line.end() if last else min(line.end() + depth, lines[number + 1].end("said"))
            yield Run(at, 1, line.end("said"), after, write)
            at += 1


def _quoted(text: str, start: int, end: int, escape: re.Pattern[str], write: Write) -> Iterator[Run]:
    at, position = 0, start
    for match in escape.finditer(text, start, end):
        if match.start() > position:
            yield Run(at, match.start() - position, position, match.start(), write)
            at += match.start() - position
        yield Run(at, 1, match.start(), match.end(), write)
        at, position = at + 1, match.end()
    if end > position:
        yield Run(at, end - position, position, end, write)


def _by_words(text: str, start: int, end: int, value: str) -> list[Run] | None:
    """A text that is folded: its words are those of the file, the space between them is not."""
    runs: list[Run] = []
    at, position = 0, start
    for match in _WORD.finditer(value):
        found = text.find(match[0], position, end)
        if found < 0:
            return None
        if match.start() > at:
            runs.append(Run(at, match.start() - at, position, found))
        runs.append(Run(match.start(), len(match[0]), found, found + len(match[0])))
        at, position = match.end(), found + len(match[0])
    if len(value) > at:
        runs.append(Run(at, len(value) - at, position, end))
    return runs


def _write_block(indent: str) -> Write:
    return lambda text: _LAST_LINE_END.sub("\n" + indent, text)  # empty lines have no indentation


def _write_double(text: str) -> str:
    # A JSON string is a YAML string.
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _write_single() -> Write:
    return lambda text: None if "\n" in text else text.replace("'", "''")


def _write_plain() -> Write:
    # Whether it still is one plain text afterwards is seen when the file is read again.
    return lambda text: None if "\n" in text else text
