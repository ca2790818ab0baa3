"""Requests in files, for commands: one as JSON, a list of them, or one on each line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tokenguard.cli.count import UnreadableError, read_text
from tokenguard.dialects.shape import Request, request_in


class Found(NamedTuple):
    """What stands in one place of a file.

    Attributes:
        where: The place: ``batch.jsonl:3``.
        request: The request.
        why_not: Why there is none, where there is none.
    """

    where: str
    request: Request | None
    why_not: str = ""


def requests_in(name: str) -> Iterator[Found]:
    """All requests in a file, or in standard input for ``-``; and each place where there should be one."""
    try:
        text = read_text(name).removeprefix("\ufeff")  # a mark of byte order is no JSON
    except UnreadableError as error:
        yield Found(name, None, str(error))
        return
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        yield from _by_line(name, text, error)
        return
    for where, each in _each(name, document):
        yield _found(where, each)


def _each(name: str, document: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(document, list):
        yield from ((f"{name}[{i}]", each) for i, each in enumerate(document))
    else:
        yield name, document


def _by_line(name: str, text: str, error: Exception) -> Iterator[Found]:
    """The requests on the lines of what is no JSON as a whole."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    read = [(f"{name}:{number}", *_decoded(line)) for number, line in lines]
    if not any(isinstance(document, dict) for _, document, _ in read):
        yield Found(f"{name}{_line_of(error)}", None, _not_json(error))
        return
    for where, document, why_not in read:
        yield Found(where, None, why_not) if why_not else _found(where, document)


def _decoded(line: str) -> tuple[Any, str]:
    try:
        return json.loads(line), ""
    except (ValueError, RecursionError) as error:
        return None, _not_json(error)


def _line_of(error: Exception) -> str:
    return f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""


def _not_json(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg}, at column {error.colno}"
    return f"not JSON that can be read: {error}"


def _found(where: str, document: Any) -> Found:
    request = request_in(document)
    if request is None:
        return Found(where, None, "no request: it has neither messages, nor input, nor a prompt")
    if request.dialect.anatomy is None or request.dialect.operation not in _IN_TOKENS:
        return Found(where, None, f"a request of {request.dialect.name} is not billed by its texts")
    return Found(where, request)


_IN_TOKENS = ("chat", "text_completion", "embeddings")
