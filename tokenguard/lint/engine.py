"""Run the rules on a request: what a message says of itself is remembered, so that a chat is linted once.

The same engine serves every call at run time and every file of the command line.
"""

from __future__ import annotations

import marshal
from collections import OrderedDict
from hashlib import blake2b
from typing import Any, Final

from tokenguard import faults
from tokenguard.anatomy import Message, Tool
from tokenguard.lint.finding import Finding
from tokenguard.lint.policy import Lint
from tokenguard.lint.request import Facts, Paragraph, Request
from tokenguard.lint.rule import RequestRule, Rule, TextRule
from tokenguard.lint.rules import REQUEST_RULES, TEXT_RULES
from tokenguard.lint.text import Text

_REMEMBERED: Final = 4096
"""Of how many messages and tools the facts are kept."""

_LEAST_WORDS: Final = 20
"""A paragraph with fewer words than that is not compared with others."""


class Linter:
    """The rules that are on, and what is remembered of texts that were seen before."""

    def __init__(self, settings: Lint) -> None:
        self.settings = settings
        self.text_rules: tuple[TextRule, ...] = tuple(r for r in TEXT_RULES if selected(r, settings))
        self.request_rules: tuple[RequestRule, ...] = tuple(r for r in REQUEST_RULES if selected(r, settings))
        self._facts: OrderedDict[bytes, Facts] = OrderedDict()

    def request(self, request: Request) -> list[Finding]:
        """All findings in a request, in the order of its parts."""
        found: list[Finding] = []
        for message, facts in zip(request.anatomy.messages, request.facts, strict=True):
            found += [one.under(message.path) for one in facts.findings]
        for rule in self.request_rules:
            found += guarded(rule, request)
        return found

    def text(self, text: Text) -> list[Finding]:
        """All findings of the text rules in a text."""
        return [one for rule in self.text_rules for one in guarded(rule, text)]

    def message(self, message: Message) -> Facts:
        """What is known of a message; worked out when it is seen for the first time."""
        digest = digest_of(message.raw)
        facts = self._facts.get(digest)
        if facts is None:
            facts = self._worked_out(message, digest)
            self._facts[digest] = facts
            if len(self._facts) > _REMEMBERED:
                self._facts.popitem(last=False)
        return facts

    def tool(self, tool: Tool) -> Facts:
        """What is known of a tool."""
        return Facts(digest_of(tool.raw))

    def _worked_out(self, message: Message, digest: bytes) -> Facts:
        depth = len(message.path)
        findings: list[Finding] = []
        paragraphs: list[Paragraph] = []
        for part in message.parts:
            if not part.text:
                continue
            text, path = Text(part.text, message.role, part.source), part.path[depth:]
            findings += [one.under(path) for one in self.text(text)]
            for start, end in text.paragraphs:
                words = part.text[start:end].split()
                if len(words) >= _LEAST_WORDS:
                    same = blake2b(" ".join(words).encode("utf-8", "replace"), digest_size=16).digest()
                    paragraphs.append(Paragraph(same, path, start, end, text.tokens(start, end)))
        return Facts(digest, tuple(findings), tuple(paragraphs))


def selected(rule: Rule[Any], settings: Lint) -> bool:
    """Whether a rule is on: the longest code that speaks of it decides, and ``ignore`` before ``select``."""
    if settings.ignore and rule.code.startswith(settings.ignore):
        return False
    if settings.extend_select and rule.code.startswith(settings.extend_select):
        return True
    return rule.default if settings.select is None else rule.code.startswith(settings.select)


def guarded(rule: Rule[Any], subject: Any) -> list[Finding]:
    """What a rule finds; nothing where it breaks, which costs nobody a call."""
    try:
        return rule.run(subject)
    except Exception as error:
        faults.note(f"lint.{rule.code}", error)
        return []


def digest_of(value: Any) -> bytes:
    """A digest of a JSON value, the same for the same value."""
    return blake2b(marshal.dumps(value, 2), digest_size=16).digest()
