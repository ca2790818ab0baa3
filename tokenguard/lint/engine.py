"""Run the rules on a request: what a message says of itself is remembered, so that a chat is linted once.

The same engine serves every call at run time and every file of the command line.
"""

from __future__ import annotations

import marshal
from collections import OrderedDict
from hashlib import blake2b
from typing import Any, Final

from tokenguard import faults
from tokenguard.anatomy import Message, Path, Tool
from tokenguard.lint import repeats
from tokenguard.lint.finding import Finding
from tokenguard.lint.policy import Lint
from tokenguard.lint.request import Facts, Paragraph, Request
from tokenguard.lint.rule import RequestRule, Rule, TextRule, ToolRule
from tokenguard.lint.rules import REQUEST_RULES, TEXT_RULES, TOOL_RULES
from tokenguard.lint.text import Text
from tokenguard.lint.tools import description_path

_REMEMBERED: Final = 4096
"""Of how many messages and tools the facts are kept."""

_HEAVIEST: Final = 16 * 2**20
"""About how many bytes the fixes may have that are kept with them; the oldest facts make room."""

_SHORT: Final = 2048
"""So many bytes of a message are kept to know it again; of a longer one, a digest is."""

_WEIGHT_OF_EDIT: Final = 256

_LONGEST: Final = 8 * 2**20
"""So many characters are two million tokens: what is beyond fits into no model."""

_LEAST: Final = 100
"""A paragraph with fewer characters than that, about 20 words, is not compared with others."""


class Linter:
    """The rules that are on, and what is remembered of texts that were seen before."""

    def __init__(self, settings: Lint) -> None:
        self.settings = settings
        self.text_rules: tuple[TextRule, ...] = tuple(r for r in TEXT_RULES if selected(r, settings))
        self.tool_rules: tuple[ToolRule, ...] = tuple(r for r in TOOL_RULES if selected(r, settings))
        self.request_rules: tuple[RequestRule, ...] = tuple(r for r in REQUEST_RULES if selected(r, settings))
        # What is asked of every rule for every text, side by side.
        self._needs = [
            (rule, rule.least, (*rule.needs, "")[0], rule.needs[1:], rule.places) for rule in self.text_rules
        ]
        self._of_kind: dict[tuple[str, bool, bool, bool], tuple[RequestRule, ...]] = {}
        self._facts: OrderedDict[bytes, Facts] = OrderedDict()
        self._weight = 0

    def request(self, request: Request) -> list[Finding]:
        """All findings in a request, in the order of its parts."""
        found: list[Finding] = []
        for message, facts in zip(request.anatomy.messages, request.facts, strict=True):
            if facts.findings:
                found += [one.under(message.path) for one in facts.findings]
        for tool, facts in zip(request.anatomy.tools, request.tools, strict=True):
            if facts.findings:
                found += [one.under(tool.path) for one in facts.findings]
        rules = iter(self._concerning(request))
        while True:  # once, but where a rule breaks: these run for every call
            try:
                for rule in rules:
                    for one in rule.check(request):
                        found.append(rule.marked(one))
                return found
            except Exception as error:
                faults.note(f"lint.{rule.code}", error)

    def _concerning(self, request: Request) -> tuple[RequestRule, ...]:
        """The request rules that may find something in a request of this kind."""
        anatomy = request.anatomy
        has = request.dialect, bool(request.media), bool(anatomy.tools), anatomy.schema is not None
        rules = self._of_kind.get(has)
        if rules is None:
            known = dict(zip(("media", "tools", "schema"), has[1:], strict=True))
            rules = self._of_kind[has] = tuple(
                rule
                for rule in self.request_rules
                if (rule.dialects is None or request.dialect in rule.dialects)
                and (rule.about is None or known[rule.about])
                and (rule.option is None or getattr(self.settings, rule.option) is not None)
            )
        return rules

    def text(self, text: Text) -> list[Finding]:
        """All findings of the text rules in a text; of one beyond all reason, in its beginning."""
        if len(text.text) > _LONGEST:
            text = Text(text.text[:_LONGEST], text.role, text.place)
        found: list[Finding] = []
        body, place = text.text, text.place
        for rule, least, first, others, places in self._needs:
            if len(body) < least or (places is not None and place not in places):
                continue
            if first in body or any(map(body.__contains__, others)):
                found += guarded(rule, text)
        return found

    def message(self, message: Message) -> Facts:
        """What is known of a message; worked out when it is seen for the first time."""
        # Of a short one all bytes are its key: to digest them would take longer than all else here.
        data = marshal.dumps((message.role, message.raw), 2)
        key = data if len(data) <= _SHORT else digest_of(data)
        return self._facts.get(key) or self._remember(key, self._of_message(message, data))

    def tool(self, tool: Tool) -> Facts:
        """What is known of a tool; worked out when it is seen for the first time."""
        data = marshal.dumps(tool.raw, 2)
        key = data if len(data) <= _SHORT else digest_of(data)
        return self._facts.get(key) or self._remember(key, self._of_tool(tool, data))

    def _of_message(self, message: Message, data: bytes) -> Facts:
        depth = len(message.path)
        findings: list[Finding] = []
        paragraphs: list[Paragraph] = []
        characters = 0
        for part in message.parts:
            if part.text:
                characters += len(part.text)
                text, path = Text(part.text, message.role, part.source), part.path[depth:]
                findings += [one.under(path) for one in self.text(text)]
                paragraphs += compared(text, path)
        only_text = all(part.kind == "text" for part in message.parts)
        digest = digest_of(data)
        said = digest if not only_text or _is_plain(message.raw) else _said(message)
        return Facts(digest, tuple(findings), tuple(paragraphs), len(data), said, characters, only_text)

    def _of_tool(self, tool: Tool, data: bytes) -> Facts:
        findings = [one for rule in self.tool_rules for one in guarded(rule, tool)]
        if tool.description:
            found = self.text(Text(tool.description, "system", "description"))
            findings += [one.under(description_path(tool)) for one in found]
        return Facts(digest_of(data), tuple(findings), size=len(data), characters=len(tool.description))

    def _remember(self, key: bytes, facts: Facts) -> Facts:
        if key not in self._facts:
            self._facts[key] = facts
            self._weight += _weight(facts)
        while len(self._facts) > 1 and (len(self._facts) > _REMEMBERED or self._weight > _HEAVIEST):
            self._weight -= _weight(self._facts.popitem(last=False)[1])
        return facts


def _is_plain(raw: Any) -> bool:
    """Whether a message is nothing but a role and a text: then its digest is of what it says."""
    return isinstance(raw, dict) and len(raw) == 2 and isinstance(raw.get("content"), str)


def _said(message: Message) -> bytes:
    """A digest of who says what in a message, whatever else is in it."""
    digest = blake2b(message.role.encode(), digest_size=16)
    for part in message.parts:
        digest.update(f"\0{part.source}\0{part.text}".encode("utf-8", "replace"))
    return digest.digest()


def compared(text: Text, path: Path) -> list[Paragraph]:
    """The paragraphs of a text that are compared with others."""
    found = []
    for start, end in text.paragraphs if _LEAST <= len(text.text) <= _LONGEST else ():
        if end - start >= _LEAST:
            stretch = text.text[start:end]
            words = stretch.split()
            same = blake2b(" ".join(words).encode("utf-8", "replace"), digest_size=16).digest()
            found.append(Paragraph(same, path, start, end, repeats.signs(stretch, words)))
    return found


def _weight(facts: Facts) -> int:
    if not facts.findings:
        return 0
    edits = [edit for one in facts.findings if one.fix is not None for edit in one.fix.edits]
    return sum(_WEIGHT_OF_EDIT + (len(edit.new) if isinstance(edit.new, str) else 0) for edit in edits)


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


def digest_of(data: bytes) -> bytes:
    """By what a message or tool is known, given all its bytes."""
    return blake2b(data, digest_size=16).digest()
