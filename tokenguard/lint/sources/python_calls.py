"""Python: the texts that reach the SDKs' calls, read from the source without running it."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any, Final

from tokenguard.call import Json
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.dialect import Dialect
from tokenguard.dialects.openai_chat import CHAT, COMPLETIONS
from tokenguard.dialects.openai_embeddings import EMBEDDINGS
from tokenguard.dialects.openai_media import AUDIO, IMAGES, SPEECH
from tokenguard.dialects.openai_responses import RESPONSES
from tokenguard.lint.rules.files import broken_syntax
from tokenguard.lint.sources.file import File, Problem, Source, Unit
from tokenguard.lint.sources.places import KnownPlaces, Place
from tokenguard.lint.sources.python_values import UNKNOWN, Names, Values, span

_TEXTS: Final = ("messages", "system", "input", "instructions", "prompt")
_ANSWERS: Final = ("create", "parse", "stream")
_PICTURES: Final = ("generate", "edit")
_METHODS: Final = (*_ANSWERS, *_PICTURES)

_RESOURCES: Final = {
    "completions": (_ANSWERS, ("messages", "prompt"), CHAT),
    "responses": (_ANSWERS, ("input", "instructions"), RESPONSES),
    "messages": (_ANSWERS, ("messages",), MESSAGES),
    "embeddings": (_ANSWERS, ("input",), EMBEDDINGS),
    "transcriptions": (_ANSWERS, ("file",), AUDIO),
    "translations": (_ANSWERS, ("file",), AUDIO),
    "speech": (_ANSWERS, ("voice",), SPEECH),
    "images": (_PICTURES, ("prompt",), IMAGES),
}
"""What the SDKs call the things whose methods these are, and by which arguments they are told from those of
others: ``messages.create(to=..., body=...)`` sends a text message."""

_NOT_SENT: Final = ("timeout", "extra_headers", "extra_query", "text_format", "output_format")
"""Arguments of the SDKs that are not fields of a request, or say what the answer is parsed into."""

_SAYS_NOTHING: Final = (*_TEXTS, *_NOT_SENT, "model", "user", "metadata", "stream", "temperature", "file")
"""Fields that may be unknown without anything else of the request being in doubt."""

_WRAPPERS: Final = ("with_raw_response", "with_streaming_response", "beta")


def read(file: File) -> Iterator[Unit | Problem]:
    """The requests that the calls in a Python file make, as far as the source tells."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the file's own escapes, which its owner sees anyway
            tree = ast.parse(file.text)
        yield from _Scope(file, Names(tree.body)).units(tree)
    except SyntaxError as error:
        where = file.offset(error.lineno or 1, error.offset or 1)
        yield Problem(broken_syntax.run(f"is not Python: {error.msg}"), where, where)
    except (RecursionError, MemoryError, ValueError) as error:
        yield Problem(broken_syntax.run(f"is not Python: {error or type(error).__name__}"))


class _Scope:
    """A module, or a function in it, with the names that are known there."""

    def __init__(self, file: File, names: Names) -> None:
        self._file = file
        self._names = names

    def units(self, node: ast.AST) -> Iterator[Unit]:
        """The calls below a node, in the order of the source."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                body = child.body if isinstance(child.body, list) else []
                names = Names(body, self._names)
                names.bind(child.args)
                yield from _Scope(self._file, names).units(child)
                continue
            if isinstance(child, ast.Call) and (unit := self._unit(child)) is not None:
                yield unit
            yield from self.units(child)

    def _unit(self, call: ast.Call) -> Unit | None:
        chain = _chain(call.func)
        if chain[-1] == "Prompt":
            return self._prompt(call)
        if len(chain) < 2 or chain[-1] not in _METHODS:
            return None
        body, values, complete = self._body(call)
        given = body.keys() | {keyword.arg for keyword in call.keywords}
        dialect = _dialect(chain, body, given)
        if dialect is None:
            return None
        start, end = span(self._file, call)
        values.places[()] = Place(*span(self._file, call.func))  # what is wrong with all of it is told there
        complete = complete and chain[-2] in _RESOURCES
        return Unit(body, dialect, KnownPlaces(values.places), start, end, complete, template=True)

    def _prompt(self, call: ast.Call) -> Unit | None:
        """One of tokenguard's own prompts, which becomes part of a request later."""
        values = Values(self._file, self._names)
        messages: list[Json] = []
        for keyword in call.keywords:
            if keyword.arg in ("system", "user"):
                found = values.value(keyword.value, ("messages", len(messages), "content"))
                if isinstance(found, str):
                    messages.append({"role": keyword.arg, "content": found})
        if not messages:
            return None
        start, end = span(self._file, call)
        values.places[()] = Place(*span(self._file, call.func))
        places = KnownPlaces(values.places)
        return Unit({"messages": messages}, CHAT, places, start, end, complete=False, template=True)

    def _body(self, call: ast.Call) -> tuple[Json, Values, bool]:
        """The request, as far as its fields are literals; and whether nothing in it is in doubt."""
        values = Values(self._file, self._names)
        body: Json = {}
        complete = not call.args
        for keyword in call.keywords:
            if keyword.arg is None or keyword.arg == "extra_body":
                found = values.value(keyword.value, ())
                body.update(found if isinstance(found, dict) else {})
                complete = complete and isinstance(found, dict)
            elif keyword.arg not in _NOT_SENT:
                found = self._field(values, keyword.arg, keyword.value)
                if found is not UNKNOWN:
                    body[keyword.arg] = found
                complete = complete and (found is not UNKNOWN or keyword.arg in _SAYS_NOTHING)
        return body, values, complete

    def _field(self, values: Values, name: str, node: ast.expr) -> Any:
        found = values.value(node, (name,))
        if name == "messages" and not isinstance(found, list):
            return UNKNOWN
        return found


def _chain(node: ast.expr) -> list[str]:
    """``client.chat.completions.create`` as its names."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        if node.attr not in _WRAPPERS:
            names.append(node.attr)
        node = node.value
    names.append(node.id if isinstance(node, ast.Name) else "")
    return names[::-1]


def _dialect(chain: list[str], body: Json, given: Set[str | None]) -> Dialect | None:
    """The wire format of a call: of the SDKs' resources by their names, else by the call's own fields."""
    if (resource := _RESOURCES.get(chain[-2])) is not None:
        methods, needed, dialect = resource
        if dialect is CHAT and "prompt" in given:
            return COMPLETIONS
        return dialect if chain[-1] in methods and not given.isdisjoint(needed) else None
    if "messages" in body:
        return MESSAGES if "system" in body else CHAT
    if "input" in body or "instructions" in body:
        return RESPONSES
    if "system" in body:
        return MESSAGES
    return COMPLETIONS if "prompt" in body else None


def decode(path: Path, data: bytes) -> File:
    """A source file in the encoding that it names, as Python reads it.

    Raises:
        UnicodeDecodeError: It is not in that encoding.
        SyntaxError: There is no such encoding.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    if encoding == "utf-8-sig":
        mark = data[:3]
        return File(path, data[3:].decode("utf-8"), "utf-8", mark)
    return File(path, data.decode(encoding), encoding)


def comments(file: File) -> Iterator[tuple[int, str]]:
    """The comments of a source file, with their lines."""
    if "tg:" not in file.text:
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError):  # which is reported as such
        return


def intact(before: str, after: str) -> bool:
    """Whether two sources are the same program but for what its strings say."""
    return _outline(before) == _outline(after)


def _outline(text: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text)
        except (SyntaxError, RecursionError, MemoryError, ValueError):
            return text
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


PYTHON: Final = Source("Python", (".py", ".pyi"), read, decode, comments, may_be_empty=True, intact=intact)
