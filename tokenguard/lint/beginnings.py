"""How a request begins: what a provider can keep of it, what is new on every call, what was there before."""

from __future__ import annotations

import json
from functools import partial
from typing import Final

from tokenguard.anatomy import Message, Tool
from tokenguard.lint.request import Request
from tokenguard.lint.volatile import Volatile, placeholder, volatile
from tokenguard.lint.worked_out import WorkedOut
from tokenguard.tokens.estimate import estimate

MESSAGES: Final = "anthropic.messages"
KEPT_UNASKED: Final = ("openai.chat", "openai.responses")
"""Formats whose providers keep the beginning of a prompt without being told to."""

MARK: Final = "cache_control"

LEAST: Final = 1024
"""Tokens that a beginning needs to be kept, where nobody knows better (OpenAI's prompt caching guide)."""

PER_TOKEN: Final = 4
"""Characters in a token of English, to say of about how many tokens we speak."""


def asked(request: Request) -> bool:
    """Whether the provider is told to keep something."""
    return bool(request.marks) or automatic(request)


def automatic(request: Request) -> bool:
    """Whether all of a request is to be kept, wherever it ends: Anthropic's automatic caching."""
    return bool(request.body.get(MARK))


def kept(request: Request) -> bool:
    """Whether the provider keeps anything of such a request."""
    return request.dialect in KEPT_UNASKED or (request.dialect == MESSAGES and asked(request))


def least(request: Request) -> int:
    """Tokens that a beginning needs to be kept."""
    return request.limits.min_cached or LEAST


def instructions(request: Request) -> int:
    """How many messages are instructions that stand first."""
    n = 0
    for message in request.anatomy.messages:
        if message.role != "system":
            break
        n += 1
    return n


def common(request: Request) -> int:
    """How many messages are those with which the last request of this kind began; 0 if there was none."""
    if request.before is None:
        return 0
    n = 0
    for facts, digest in zip(request.facts, request.before.messages, strict=False):
        if facts.digest != digest:
            break
        n += 1
    return n


def changing(request: Request, i: int) -> tuple[int, Volatile] | None:
    """The first value in a message that is new on every call, and in which part it is.

    ``None`` where the message was the same on the last call, whatever is in it.
    """
    digest = request.facts[i].digest
    if request.before is not None and digest in request.before.messages:
        return None
    values = _values_of_templates if request.template else _values
    return values(digest, request.anatomy.messages[i])


def _first_value(message: Message, *, template: bool) -> tuple[int, Volatile] | None:
    for k, part in enumerate(message.parts):
        found = (placeholder(part.text, template=template) or volatile(part.text)) if part.text else None
        if found is not None:
            return k, found
    return None


_values: Final = WorkedOut(partial(_first_value, template=False))
_values_of_templates: Final = WorkedOut(partial(_first_value, template=True))


def characters(messages: tuple[Message, ...]) -> int:
    """How long their texts are together."""
    return sum([len(part.text) for message in messages for part in message.parts])


def size(request: Request, messages: int) -> int:
    """About how many tokens of o200k_base the tools and the first messages are."""
    n = sum([_tool_size(f.digest, t) for f, t in zip(request.tools, request.anatomy.tools, strict=True)])
    for facts, message in zip(request.facts[:messages], request.anatomy.messages[:messages], strict=True):
        n += _message_size(facts.digest, message)
    return n


_tool_size: Final = WorkedOut[Tool, int](lambda tool: estimate(json.dumps(tool.raw, default=str)))
_message_size: Final = WorkedOut[Message, int](
    lambda message: sum(estimate(part.text) for part in message.parts if part.text)
)
