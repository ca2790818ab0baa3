"""Lint the calls of one guard, and remember of each kind of request what the last one was like.

Some of what is wrong with a request shows only beside the one before: a history that grows, a beginning that
is never the same, a tool that nobody ever calls.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final, NamedTuple

from tokenguard.anatomy import Anatomy
from tokenguard.call import Call, Json
from tokenguard.dialects import Dialect
from tokenguard.lint.engine import Linter
from tokenguard.lint.finding import Finding, Severity
from tokenguard.lint.fixes import apply
from tokenguard.lint.policy import Lint
from tokenguard.lint.request import Before, Facts, Request
from tokenguard.tokens.limits import limits

_KINDS: Final = 32
"""How many kinds of requests are remembered; the one that was not seen for the longest is forgotten."""

_BEGINNING: Final = 4
"""Of how many messages the paragraphs count where requests are compared: instructions stand first."""


class Checked(NamedTuple):
    """What linting a call came to.

    Attributes:
        findings: What is still wrong with it.
        fixed: What was wrong, and is mended in ``body``.
        body: The request as it is to be sent, where that is another one.
        tokens_saved: By how many tokens that is shorter: counted, not added up from what rules promise.
    """

    findings: tuple[Finding, ...] = ()
    fixed: tuple[Finding, ...] = ()
    body: Json | None = None
    tokens_saved: int = 0

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What a call is refused for."""
        return tuple([one for one in self.findings if one.severity is Severity.ERROR])


class CallLinter:
    """A linter for the calls of one guard."""

    def __init__(self, settings: Lint) -> None:
        self.settings = settings
        self._linter = Linter(settings)
        self._kinds: deque[_Kind] = deque(maxlen=_KINDS)
        self._lock = threading.Lock()

    def check(self, call: Call, dialect: Dialect) -> Checked:
        """What is wrong with a call, and the request without what may be mended."""
        body = call.body
        if not body or dialect.anatomy is None:
            return Checked()
        request = self._request(call, dialect, dialect.anatomy(body))
        found = self._linter.request(request)
        if call.lint_ignores:
            found = [one for one in found if not one.code.startswith(call.lint_ignores)]
        if not found or (self.settings.compress is None and self.settings.on_error != "fix"):
            return Checked(tuple(found))
        return self._mended(body, found)

    def _request(self, call: Call, dialect: Dialect, anatomy: Anatomy) -> Request:
        linter, asked = self._linter, call.asked
        messages = tuple([linter.message(message) for message in anatomy.messages])
        tools = tuple([linter.tool(tool) for tool in anatomy.tools])
        return Request(
            body=call.body or {},
            dialect=dialect.name,
            provider=call.where.provider,
            asked=asked,
            anatomy=anatomy,
            facts=messages,
            tools=tools,
            limits=limits(asked.model, call.where.provider),
            settings=self.settings,
            before=self._remembered(call, anatomy, messages, tools),
        )

    def _mended(self, body: Json, found: list[Finding]) -> Checked:
        """The request without what may be mended: everything that is safe, or only what it would fail for."""
        everything = self.settings.compress is not None
        wanted = [
            one
            for one in found
            if one.fix is not None and one.fix.safe and (everything or one.severity is Severity.ERROR)
        ]
        if not wanted:
            return Checked(tuple(found))
        mended, applied = apply(body, wanted)
        done = set(map(id, applied))
        left = tuple([one for one in found if id(one) not in done])
        return Checked(left, tuple(applied), mended if applied else None)

    def _remembered(
        self, call: Call, anatomy: Anatomy, messages: tuple[Facts, ...], tools: tuple[Facts, ...]
    ) -> Before | None:
        """The last request of this kind, in whose place this one is remembered now."""
        place = call.where.origin, call.asked.model
        digests = tuple([one.digest for one in messages]), tuple([one.digest for one in tools])
        marks = _marks(messages, tools)
        with self._lock:
            kind = self._alike(place, call.run_id, marks)
            before = None if kind is None else kind.before
            if kind is not None:
                self._kinds.remove(kind)
            last = before or Before()
            offered = dict(last.offered)
            for tool in anatomy.tools:
                offered[tool.name] = offered.get(tool.name, 0) + 1
            now = Before(*digests, last.requests + 1, last.called | _called(anatomy), offered)
            self._kinds.append(_Kind(place, call.run_id, marks, now))
        return before

    def _alike(self, place: tuple[str, str], run_id: str | None, marks: frozenset[bytes]) -> _Kind | None:
        """The kind of request that has most in common with one; of the same run, before all others."""
        best, most = None, 0
        for kind in reversed(self._kinds):
            if kind.place != place:
                continue
            common = len(kind.marks & marks) + (len(marks) + 1 if run_id and kind.run_id == run_id else 0)
            if common > most:
                best, most = kind, common
        return best


class _Kind(NamedTuple):
    """One kind of request: where it goes, what is in it, and what the last one was like."""

    place: tuple[str, str]
    run_id: str | None
    marks: frozenset[bytes]
    before: Before


def _marks(messages: tuple[Facts, ...], tools: tuple[Facts, ...]) -> frozenset[bytes]:
    """By what two requests are seen to be of one kind: whole messages, tools and longer paragraphs."""
    made = [one.digest for one in (*messages, *tools)]
    for one in messages[:_BEGINNING]:
        made += [paragraph.digest for paragraph in one.paragraphs]
    return frozenset(made)


def _called(anatomy: Anatomy) -> frozenset[str]:
    return frozenset(
        [part.name for message in anatomy.messages for part in message.parts if part.source == "tool_call"]
    )
