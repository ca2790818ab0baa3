"""Requests and texts as rules see them, made of what an application would send."""

from __future__ import annotations

from typing import Any

from tokenguard import Lint
from tokenguard.call import Json
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.dialect import Dialect
from tokenguard.dialects.openai_chat import CHAT
from tokenguard.lint.engine import Linter
from tokenguard.lint.finding import Finding
from tokenguard.lint.request import Before, Request
from tokenguard.lint.rule import RequestRule, TextRule
from tokenguard.lint.text import Place, Text
from tokenguard.tokens.limits import Limits, limits


def request(
    body: Json,
    dialect: Dialect = CHAT,
    *,
    provider: str | None = None,
    known: Limits | None = None,
    before: Before | None = None,
    complete: bool = True,
    cached: bool = False,
) -> Request:
    """A request, taken apart; ``known`` is what is known of its model, if not what is published."""
    linter = Linter(Lint(select=()))
    assert dialect.anatomy is not None
    anatomy, asked = dialect.anatomy(body), dialect.ask(body)
    return Request(
        body=body,
        dialect=dialect.name,
        provider=dialect.provider if provider is None else provider,
        asked=asked,
        anatomy=anatomy,
        facts=tuple(linter.message(message) for message in anatomy.messages),
        tools=tuple(linter.tool(tool) for tool in anatomy.tools),
        limits=limits(asked.model, dialect.provider) if known is None else known,
        settings=linter.settings,
        before=before,
        complete=complete,
        cached=cached,
    )


def before(body: Json, dialect: Dialect = CHAT, *, requests: int = 3) -> Before:
    """What is remembered of a request that was sent before."""
    last = request(body, dialect)
    return Before(
        tuple(facts.digest for facts in last.facts), tuple(facts.digest for facts in last.tools), requests
    )


def chat(*messages: tuple[str, Any], **options: Any) -> Json:
    """A chat completion: pairs of role and content."""
    said = [{"role": role, "content": content} for role, content in messages]
    return {"model": "gpt-4.1", "messages": said, **options}


def claude(*messages: tuple[str, Any], **options: Any) -> Json:
    """A message of Anthropic's."""
    said = [{"role": role, "content": content} for role, content in messages]
    return {"model": "claude-sonnet-4-5", "max_tokens": 500, "messages": said, **options}


def in_claude(rule: RequestRule, body: Json, **options: Any) -> list[Finding]:
    """What a rule finds in a request to Anthropic."""
    return rule.run(request(body, MESSAGES, **options))


def in_chat(rule: RequestRule, body: Json, **options: Any) -> list[Finding]:
    """What a rule finds in a chat completion."""
    return rule.run(request(body, CHAT, **options))


def in_text(rule: TextRule, text: str, role: Any = "user", place: Place = "content") -> list[Finding]:
    """What a rule finds in a text."""
    return rule.run(Text(text, role, place))


def said(findings: list[Finding], text: str) -> list[str]:
    """The stretches of a text that were found."""
    return [text[finding.start : finding.end] for finding in findings]
