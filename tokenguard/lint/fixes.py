"""Apply fixes: to the request that is sent, and to the text of a file.

A fix is made as a whole or not at all. Where it claims to change nothing for the model, that is proven
first, on what it is applied to; a fix that fails its proof is left out, and counted as a fault of ours. Of
fixes that meet in one place, the one that stands first is made, whatever order they are given in.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from tokenguard import faults
from tokenguard.anatomy import Path, at, shown
from tokenguard.call import Json
from tokenguard.lint import proofs, schemas
from tokenguard.lint.finding import REMOVED, Edit, Finding, Fix
from tokenguard.lint.proofs import Span, spans, spliced

if TYPE_CHECKING:
    from tokenguard.lint.request import Request

_TEXT: Final = "text"


def apply(
    body: Json, findings: Iterable[Finding], request: Request | None = None
) -> tuple[Json, list[Finding]]:
    """Mend a request.

    Args:
        body: It. Nothing in it is changed: what is, is copied.
        findings: What to mend in it; those without a fix, or whose fix cannot be made, are left.
        request: The same as the rules saw it. With it, nothing is changed in what the model has thought, or
            in what the provider keeps from an earlier call (:func:`kept`).

    Returns:
        The request as it is mended, and the findings that are.
    """
    barred = [] if request is None else [*_thoughts(request), *kept(request)]
    plan = _Plan(body)
    done = [
        finding
        for finding, fix in _in_order(findings)
        if not _meets(fix, barred) and plan.takes(fix, finding.code)
    ]
    return plan.made(), done


def apply_text(text: str, findings: Iterable[Finding]) -> tuple[str, list[Finding]]:
    """Mend a text whose findings have no paths: a file, or one string. As :func:`apply`."""
    given = list(findings)
    moved = [one.under((_TEXT,)) for one in given]
    body, done = apply({_TEXT: text}, moved)
    made = set(map(id, done))
    return body[_TEXT], [one for one, other in zip(given, moved, strict=True) if id(other) in made]


def kept(request: Request) -> list[Path]:
    """What the provider has from the last request of this kind, and would have to read anew if it changed.

    Within a conversation that is the beginning that both requests have in common; with Anthropic, up to the
    last mark in it. What was mended in the last request is mended again, to be the same as then. A new
    conversation may begin otherwise than the last one.
    """
    before = request.before
    if before is None:
        return []
    messages, tools = request.anatomy.messages, request.anatomy.tools
    common = 0
    for fact, digest in zip(request.facts, before.messages, strict=False):
        if fact.digest != digest:
            break
        common += 1
    goes_on = any(message.role != "system" for message in messages[:common])
    if not goes_on or tuple(fact.digest for fact in request.tools) != before.tools:
        return []
    if request.dialect.startswith("anthropic"):
        marked = [i for i in range(common) if any(part.marked for part in messages[i].parts)]
        if not marked and not any(tool.marked for tool in tools):
            return []
        common = marked[-1] + 1 if marked else 0
    paths = [*(message.path for message in messages[:common]), *(tool.path for tool in tools)]
    digests = [one.digest for one in (*request.facts[:common], *request.tools)]
    return [path for path, digest in zip(paths, digests, strict=True) if digest not in before.mended]


def touched(request: Request, findings: Iterable[Finding]) -> frozenset[bytes]:
    """The digests of the messages and tools in which fixes change something."""
    paths = {edit.path for one in findings if one.fix is not None for edit in one.fix.edits}
    digests = [one.digest for one in (*request.facts, *request.tools)]
    places = [*(one.path for one in request.anatomy.messages), *(one.path for one in request.anatomy.tools)]
    return frozenset(
        digest
        for place, digest in zip(places, digests, strict=True)
        if any(path[: len(place)] == place for path in paths)
    )


def _thoughts(request: Request) -> list[Path]:
    """What the model has thought, which providers sign."""
    return [
        part.path
        for message in request.anatomy.messages
        for part in message.parts
        if part.source == "reasoning"
    ]


def _meets(fix: Fix, barred: Sequence[Path]) -> bool:
    """Whether a fix changes something in one of these places, or something that one of them is in."""
    return any(edit.path[: len(path)] == path[: len(edit.path)] for edit in fix.edits for path in barred)


def _in_order(findings: Iterable[Finding]) -> list[tuple[Finding, Fix]]:
    """Findings with their fixes, in the order in which their changes stand."""
    fixes = [(one, one.fix) for one in findings if one.fix is not None and one.fix.edits]
    return sorted(fixes, key=lambda pair: (min(map(_place, pair[1].edits)), pair[0].code, pair[0].message))


def _place(edit: Edit) -> Any:
    keys = tuple([(0, key, "") if isinstance(key, int) else (1, 0, key) for key in edit.path])
    return keys, -1 if edit.start is None else edit.start, -1 if edit.end is None else edit.end


class _Plan:
    """The fixes that are made together."""

    def __init__(self, body: Json) -> None:
        self._body = body
        self._values: dict[Path, Any] = {}  # what takes the place of a whole value
        self._texts: dict[Path, list[Span]] = {}  # in order
        self._words: dict[Path, list[Span]] = {}  # those of them that are to change nothing but whitespace
        self._above: set[Path] = set()  # values that have something changed within
        self._relied: list[Path] = []  # values that must stay as they are

    def takes(self, fix: Fix, code: str) -> bool:
        """Take a fix in: unless it meets another one, has nowhere to be made, or cannot be proven."""
        values = {edit.path: edit.new for edit in fix.edits if edit.start is None}
        edits: dict[Path, list[Edit]] = {}
        for edit in fix.edits:
            if edit.start is not None:
                edits.setdefault(edit.path, []).append(edit)
        if _meets(fix, self._relied) or not all(self._is_free(path, new) for path, new in values.items()):
            return False
        try:
            texts = {path: spans(self._text(path), some) for path, some in edits.items()}
            if not all(self._is_room(path, changes) for path, changes in texts.items()):
                return False
            if fix.safe and not self._is_proven(fix, values, texts):
                raise ValueError(f"the fix of {code} would have changed what the model is told")
        except (LookupError, TypeError, ValueError) as error:
            faults.note("lint.fix", error)
            return False
        self._take(fix, values, texts)
        return True

    def made(self) -> Json:
        """The request with everything changed that was taken in."""
        changes = dict(self._values)
        for path, some in self._texts.items():
            changes[path] = spliced(self._text(path), some)
        return dict(_changed(self._body, changes)) if changes else self._body

    def _text(self, path: Path) -> str:
        value = at(self._body, path)
        if not isinstance(value, str):
            raise TypeError(f"no text at {shown(path)}")
        return value

    def _is_free(self, path: Path, new: Any) -> bool:
        """Whether a whole value can be changed: it or its object is there, and nothing else changes it."""
        if path in self._values:
            return bool(self._values[path] is new or self._values[path] == new)
        if not path or path in self._above or path in self._texts or self._is_below(path):
            return False
        try:
            above = at(self._body, path[:-1])
        except LookupError:
            return False
        return isinstance(above, dict) or (
            isinstance(above, list) and isinstance(path[-1], int) and 0 <= path[-1] < len(above)
        )

    def _is_room(self, path: Path, changes: Sequence[Span]) -> bool:
        """Whether no change of a text overlaps with those that are there, or it is one of them."""
        if path in self._values or self._is_below(path):
            return False
        there = self._texts.get(path, [])
        for change in changes:
            i = bisect_left(there, change)
            if i < len(there) and there[i] == change:
                continue
            if (i < len(there) and there[i][0] < change[1]) or (i > 0 and there[i - 1][1] > change[0]):
                return False
        return True

    def _is_below(self, path: Path) -> bool:
        return any(path[:i] in self._values for i in range(1, len(path)))

    def _is_proven(self, fix: Fix, values: dict[Path, Any], texts: dict[Path, list[Span]]) -> bool:
        if fix.proof == "json":
            return not values and all(
                proofs.same_json(text[start:end], new)
                for path, changes in texts.items()
                for text in [self._text(path)]
                for start, end, new in changes
            )
        if fix.proof == "words":
            return not values and all(
                proofs.words(self._text(path), sorted({*self._words.get(path, ()), *changes}))
                for path, changes in texts.items()
            )
        if fix.proof == "schema":
            return not texts and all(schemas.same(at(self._body, path), new) for path, new in values.items())
        if fix.proof == "copy":
            return self._stands_still(fix, values, texts)
        return not texts  # a text that is changed needs a proof

    def _stands_still(self, fix: Fix, values: dict[Path, Any], texts: dict[Path, list[Span]]) -> bool:
        """Whether all that is taken out stands elsewhere, where nothing changes it."""
        place = fix.copy_of
        if place in self._texts or place in self._values or self._is_below(place):
            return False
        there = self._text(place)
        gone = [at(self._body, path) for path in values]
        gone += [self._text(path)[start:end] for path, some in texts.items() for start, end, _ in some]
        return all(edit.path != place for edit in fix.edits) and all(
            isinstance(text, str) and text in there for text in gone
        )

    def _take(self, fix: Fix, values: dict[Path, Any], texts: dict[Path, list[Span]]) -> None:
        self._values.update(values)
        for path, changes in texts.items():
            self._texts[path] = sorted({*self._texts.get(path, ()), *changes})
            if fix.proof == "words":
                self._words[path] = sorted({*self._words.get(path, ()), *changes})
        for path in (*values, *texts):
            self._above.update(path[:i] for i in range(len(path)))
        if fix.proof == "copy":
            self._relied.append(fix.copy_of)


def _changed(value: Any, changes: dict[Path, Any]) -> Any:
    """A value with what stands at these paths within it changed; of the rest, nothing is copied."""
    if () in changes:
        return changes[()]
    within: dict[str | int, dict[Path, Any]] = {}
    for path, new in changes.items():
        within.setdefault(path[0], {})[path[1:]] = new
    copy: Any = value.copy()
    gone = {key for key, inner in within.items() if inner.get(()) is REMOVED}
    for key, inner in within.items():
        if key not in gone:
            copy[key] = inner[()] if () in inner else _changed(value[key], inner)
    if isinstance(copy, list):
        return [one for i, one in enumerate(copy) if i not in gone]
    return {key: one for key, one in copy.items() if key not in gone}
