"""Which calls ask a question that another one may have asked before: the last text of the user, and the rest.

Two questions are compared only where all the rest of their requests is equal.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from tokenguard.cache.eligibility import CHAT, MESSAGES, RESPONSES
from tokenguard.call import Json

_WHERE: Final = {CHAT: "messages", MESSAGES: "messages", RESPONSES: "input"}
_TOOLS: Final = ("tools", "functions", "mcp_servers")


class Asked(NamedTuple):
    """A question: its text, and the request's body without it."""

    text: str
    rest: Json


def asked(dialect: str, body: Json) -> Asked | None:
    """The question of a call; ``None`` where it is none.

    It is one where the request has no tools, and its last message is the user's and is one plain text.
    """
    where = _WHERE.get(dialect)
    if where is None or any(body.get(name) for name in _TOOLS):
        return None
    turns = body.get(where)
    if isinstance(turns, str) and dialect == RESPONSES:
        return Asked(turns, {**body, where: None})
    if not isinstance(turns, list) or not turns or not isinstance(turns[-1], dict):
        return None
    last = turns[-1]
    if last.get("role") != "user" or last.get("type", "message") != "message":
        return None
    found = _text(last.get("content"))
    if found is None:
        return None
    text, blank = found
    return Asked(text, {**body, where: [*turns[:-1], {**last, "content": blank}]})


def _text(content: Any) -> tuple[str, Any] | None:
    """A message's one text, and the message's content without it."""
    if isinstance(content, str):
        return content, None
    if not isinstance(content, list) or len(content) != 1 or not isinstance(content[0], dict):
        return None
    part = content[0]
    if part.get("type") not in ("text", "input_text") or not isinstance(part.get("text"), str):
        return None
    return part["text"], [{**part, "text": None}]
