"""Requests as the linter sees them, from bodies as applications send them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenguard import Lint
from tokenguard.anatomy import Role
from tokenguard.call import Json
from tokenguard.dialects import Dialect
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.openai_chat import CHAT
from tokenguard.dialects.openai_responses import RESPONSES
from tokenguard.lint.engine import Linter
from tokenguard.lint.finding import Finding
from tokenguard.lint.request import Before, Request
from tokenguard.lint.text import Place, Text
from tokenguard.tokens.limits import Limits
from tokenguard.tokens.request import Count, RequestCount

DIALECTS: dict[str, Dialect] = {one.name: one for one in (CHAT, RESPONSES, MESSAGES)}
ALL = Lint(select=("TG",))


def request(
    body: Json,
    dialect: str = "openai.chat",
    *,
    settings: Lint = ALL,
    before: Before | None = None,
    limits: Limits = Limits(),  # noqa: B008 # it is never changed
    count: RequestCount | None = None,
) -> Request:
    """A request with all that is known of it."""
    spoken = DIALECTS[dialect]
    linter = Linter(settings)
    body = {"model": "gpt-4.1-mini", **body}
    assert spoken.anatomy is not None
    anatomy = spoken.anatomy(body)
    made = Request(
        body=body,
        dialect=dialect,
        provider=spoken.provider,
        asked=spoken.ask(body),
        anatomy=anatomy,
        facts=tuple(linter.message(one) for one in anatomy.messages),
        tools=tuple(linter.tool(one) for one in anatomy.tools),
        limits=limits,
        settings=settings,
        before=before,
    )
    if count is not None:
        made.count = count
    return made


def exactly(tokens: int, **parts: int) -> RequestCount:
    """A count that is exact."""
    return RequestCount(Count(tokens, "exact", 0.0, tokens), **parts)


def lint(request: Request, *codes: str) -> list[Finding]:
    """What is found in a request, of these codes."""
    found = Linter(request.settings).request(request)
    return [one for one in found if one.code in codes] if codes else found


def lint_text(text: str, *codes: str, role: Role = "user", place: Place = "content") -> list[Finding]:
    """What the text rules find in a text, of these codes."""
    found = Linter(ALL).text(Text(text, role, place))
    return [one for one in found if one.code in codes] if codes else found


def chat(*contents: Any, system: str | None = None) -> Json:
    """A conversation that user and assistant take turns in."""
    first = [{"role": "system", "content": system}] if system is not None else []
    turns = [
        {"role": "assistant" if n % 2 else "user", "content": content} for n, content in enumerate(contents)
    ]
    return {"messages": [*first, *turns]}


def function(name: str, description: str = "", parameters: Json | None = None) -> Json:
    """A tool, as chat completions have it."""
    inner = {"name": name, "description": description, "parameters": parameters or {"type": "object"}}
    return {"type": "function", "function": inner}


def remembered(request: Request, **of: Any) -> Before:
    """What is remembered of a request when the next one comes."""
    given: dict[str, Any] = {
        "messages": tuple(one.digest for one in request.facts),
        "tools": tuple(one.digest for one in request.tools),
        "requests": 1,
        "offered": {tool.name: 1 for tool in request.anatomy.tools},
    }
    return Before(**{**given, **of})


def codes(findings: Sequence[Finding]) -> list[str]:
    """The codes of findings, in their order."""
    return [one.code for one in findings]
