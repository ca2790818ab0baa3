"""Text as JSON that diffs well: one thing on a line, in texts, too, and the way back to the same bytes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from itertools import product
from typing import Any, Final

LINES: Final = "$lines"
"""Under this name, alone in an object, stand the lines of one text."""

_SPACES: Final[dict[str, dict[str, Any]]] = {
    "compact": {"separators": (",", ":")},
    "spaced": {},
    "indented": {"indent": 2},
}
_BASE64: Final = "base64"
_TEXT: Final = "text"
_WIDTH: Final = 76  # of base64, as in RFC 2045


def laid_out(body: bytes) -> tuple[str, Any]:
    """The layout of a body, and JSON from which :func:`put_together` makes the same bytes again.

    The layout says how JSON was written (``indented, ascii, newline``), or is ``text`` or ``base64``.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        coded = base64.b64encode(body).decode()
        return _BASE64, [coded[start : start + _WIDTH] for start in range(0, len(coded), _WIDTH)]
    try:
        value = lined(json.loads(text))
        if isinstance(value, dict):
            for words in product(_SPACES, ("", ", ascii"), ("", ", newline")):
                layout = "".join(words)
                if put_together(layout, value) == body:
                    return layout, value
    except (ValueError, RecursionError):
        pass  # no JSON, or such as no encoder writes
    return _TEXT, text.split("\n")


def put_together(layout: str, value: Any) -> bytes:
    """The bytes that were laid out.

    Raises:
        ValueError: There is no such layout, or that is no such value.
    """
    if layout in (_TEXT, _BASE64):
        if not (isinstance(value, list) and all(isinstance(line, str) for line in value)):
            raise ValueError(f"a {layout} body is a list of texts")
        return base64.b64decode("".join(value)) if layout == _BASE64 else "\n".join(value).encode()
    spaces, *words = layout.split(", ")
    if spaces not in _SPACES or not {"ascii", "newline"}.issuperset(words):
        raise ValueError(f"{layout!r} is no layout")
    text = json.dumps(whole(value), ensure_ascii="ascii" in words, allow_nan=False, **_SPACES[spaces])
    return (text + "\n" * ("newline" in words)).encode()


def lined(value: Any) -> Any:
    """A JSON value whose texts of several lines are objects with these lines."""
    if isinstance(value, str) and "\n" in value:
        return {LINES: value.split("\n")}
    if isinstance(value, dict):
        return {name: lined(item) for name, item in value.items()}
    if isinstance(value, list):
        return [lined(item) for item in value]
    return value


def whole(value: Any) -> Any:
    """The value that was lined."""
    if isinstance(value, dict):
        if value.keys() == {LINES} and isinstance(value[LINES], list):
            return "\n".join(map(str, value[LINES]))
        return {name: whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return value


def pretty(value: Any) -> str:
    """JSON with one thing on a line; numbers share theirs."""
    return "\n".join(_pretty(value, "", ""))


def _pretty(value: Any, indent: str, before: str, after: str = "") -> Iterator[str]:
    """The lines of a value that stands behind ``before``."""
    if isinstance(value, dict) and value:
        items: list[tuple[str, Any]] = [(f"{_scalar(name)}: ", item) for name, item in value.items()]
        open_, close = "{", "}"
    elif isinstance(value, list) and any(isinstance(item, str | dict | list) for item in value):
        items = [("", item) for item in value]
        open_, close = "[", "]"
    else:
        yield indent + before + _scalar(value) + after
        return
    yield indent + before + open_
    for n, (name, item) in enumerate(items, 1):
        yield from _pretty(item, indent + "  ", name, "," * (n < len(items)))
    yield indent + close + after


def _scalar(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which UTF-8 does not have
        return json.dumps(value)
    return text
