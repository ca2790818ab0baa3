"""The requests in data: is it one, a list of them, a conversation alone, or something else altogether?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tokenguard.anatomy import Path
from tokenguard.call import Json
from tokenguard.dialects.dialect import Dialect
from tokenguard.dialects.shape import of_body, request_in


class Shape(NamedTuple):
    """A request that was recognised.

    Attributes:
        body: It.
        dialect: Its wire format.
        path: Where it stands in the value that was looked at.
        complete: Whether it is a whole request; a conversation alone has no model.
        above: How many keys of a path in the body lead to what the value has, and are not in it.
    """

    body: Json
    dialect: Dialect
    path: Path
    complete: bool
    above: int = 0


def requests(value: Any) -> Iterator[Shape]:
    """The requests in a value: it is one, it holds one as a batch's line does, or it is a list of them."""
    if isinstance(value, dict):
        yield from _held(value)
    elif is_conversation(value):
        for shape in _held({"messages": value}):
            yield shape._replace(path=(), above=1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for shape in _held(item) if isinstance(item, dict) else ():
                yield shape._replace(path=(index, *shape.path))


def _held(value: Json) -> Iterator[Shape]:
    found = request_in(value)
    if found is not None and _is_request(found.body):
        has_model = isinstance(found.body.get("model"), str) or "anthropic_version" in found.body
        yield Shape(found.body, found.dialect, found.path, complete=has_model)


def _is_request(body: Json) -> bool:
    """Whether an object that may be a request is one: most files of data are something else.

    Catalogues of an application's texts have "messages" too, and tables of examples an "input".
    """
    if "messages" in body:
        return is_conversation(body["messages"])
    return isinstance(body.get("model"), str) and of_body(body) is not None


def is_conversation(value: Any) -> bool:
    """Whether a value is a list of messages."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and isinstance(item.get("role"), str) for item in value)
        and any("content" in item or "tool_calls" in item for item in value)
    )
