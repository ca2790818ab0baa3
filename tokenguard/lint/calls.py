"""Lint the calls of one guard, and remember of each kind of request what the last one was like.

Some of what is wrong with a request shows only beside the one before: a history that grows, a beginning that
is never the same, a tool that nobody ever calls.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final, NamedTuple

from tokenguard.anatomy import Anatomy
from tokenguard.call import Asked, Call, Json
from tokenguard.dialects import Dialect
from tokenguard.lint.engine import Linter
from tokenguard.lint.finding import Finding, Severity
from tokenguard.lint.fixes import apply, touched
from tokenguard.lint.policy import Lint
from tokenguard.lint.request import Before, Facts, Request
from tokenguard.tokens.calibration import Calibration
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
    """A linter for the calls of one guard.

    Args:
        settings: What to look for, and what to do about it.
        calibration: What was learned of how models count.
        cached: Whether the guard keeps answers to calls that ask for one and the same answer each time.
    """

    def __init__(self, settings: Lint, calibration: Calibration, *, cached: bool = False) -> None:
        self.settings = settings
        self._cached = cached
        self._calibration = calibration
        self._linter = Linter(settings)
        self._kinds: deque[_Kind] = deque(maxlen=_KINDS)
        self._lock = threading.Lock()

    def check(self, call: Call, dialect: Dialect) -> Checked:
        """What is wrong with a call, and the request without what may be mended."""
        body = call.body
        if not body or dialect.anatomy is None:
            return Checked()
        call.anatomy = dialect.anatomy(body)
        request = self._request(call, dialect, body, call.asked, call.anatomy)
        request.before = self._remembered(call, request)
        found = self._found(call, request)
        wanted = self._wanted(found)
        mended, fixed = apply(body, wanted, request) if wanted else (body, [])
        if not fixed:
            return Checked(tuple(found))
        asked = dialect.ask(mended)._replace(model=call.asked.model, stream=call.asked.stream)
        call.anatomy = dialect.anatomy(mended)
        after = self._request(call, dialect, mended, asked, call.anatomy)
        after.before = request.before
        self._remember_mended(call, request, tuple(fixed))
        saved = request.count.total.tokens - after.count.total.tokens
        return Checked(tuple(self._found(call, after)), tuple(fixed), mended, saved)

    def _found(self, call: Call, request: Request) -> list[Finding]:
        found, off = self._linter.request(request), call.lint_ignores
        return [one for one in found if not one.code.startswith(off)] if off else found

    def _wanted(self, found: list[Finding]) -> list[Finding]:
        """What is to be mended: everything that safely can be, or only what the call would fail for."""
        everything = self.settings.compress is not None
        if not everything and self.settings.on_error != "fix":
            return []
        return [
            one
            for one in found
            if one.fix is not None and one.fix.safe and (everything or one.severity is Severity.ERROR)
        ]

    def _request(self, call: Call, dialect: Dialect, body: Json, asked: Asked, anatomy: Anatomy) -> Request:
        linter, provider = self._linter, call.where.provider
        return Request(
            body=body,
            dialect=dialect.name,
            provider=provider,
            asked=asked,
            anatomy=anatomy,
            facts=tuple([linter.message(message) for message in anatomy.messages]),
            tools=tuple([linter.tool(tool) for tool in anatomy.tools]),
            limits=limits(asked.model, provider),
            settings=self.settings,
            weights=self._calibration.weights(provider, asked.model),
            cached=self._cached,
        )

    def _remembered(self, call: Call, request: Request) -> Before | None:
        """The last request of this kind, in whose place this one is remembered now."""
        place, anatomy = (call.where.origin, call.asked.model), request.anatomy
        messages = tuple([one.digest for one in request.facts])
        tools = tuple([one.digest for one in request.tools])
        marks = _marks(request.facts, request.tools)
        with self._lock:
            kind = self._alike(place, call.run_id, marks)
            before = None if kind is None else kind.before
            if kind is not None:
                self._kinds.remove(kind)
            last = before or Before()
            offered = dict(last.offered)
            for tool in anatomy.tools:
                offered[tool.name] = offered.get(tool.name, 0) + 1
            now = Before(messages, tools, last.requests + 1, last.called | _called(anatomy), offered)
            self._kinds.append(_Kind(place, call.run_id, marks, now))
        return before

    def _remember_mended(self, call: Call, request: Request, fixed: tuple[Finding, ...]) -> None:
        """Keep in mind what was changed: the next request of this kind is to begin with the same."""
        digests = touched(request, fixed)
        if not digests:
            return
        place, messages = (call.where.origin, call.asked.model), tuple([one.digest for one in request.facts])
        with self._lock:
            for i, kind in reversed(list(enumerate(self._kinds))):
                if kind.place == place and kind.before.messages == messages:
                    self._kinds[i] = kind._replace(before=kind.before._replace(mended=digests))
                    return

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
