"""Mend a file: apply fixes where they have exact places in it, and prove that nothing else changed.

A file is mended in memory. What comes out is read again, and must hold the requests that the fixes make of
the old ones, and be the same file otherwise; a fix for which that does not hold is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from tokenguard.call import Json
from tokenguard.lint.fixes import apply
from tokenguard.lint.project.linting import FileLinter, Hit, Linted
from tokenguard.lint.project.located import Located
from tokenguard.lint.project.reading import Content, contents
from tokenguard.lint.sources import File, Unit
from tokenguard.lint.sources.changes import applied, changes
from tokenguard.lint.sources.places import Change

_ROUNDS = 20
"""How often a file is mended: one fix may make room for another."""


class Mended(NamedTuple):
    """A file that was mended.

    Attributes:
        content: The file, as it is afterwards.
        fixed: What was found in it and is mended.
    """

    content: Content
    fixed: list[Located]


def mend(linter: FileLinter, content: Content, linted: Linted, *, unsafe: bool) -> Mended:
    """Apply the fixes of a file until there are no more; ``unsafe`` ones only where that is said."""
    fixed: list[Located] = []
    wanted = ("safe", "unsafe") if unsafe else ("safe",)
    for _ in range(_ROUNDS):
        hits = [hit for hit in linted.hits if hit.located.fixable in wanted]
        made, done = _apply(content, linted.units, hits)
        if not done:
            break
        # A text that several calls use is one finding.
        fixed += {hit.located.identity: hit.located for hit in done}.values()
        content = made
        linted = linter.lint(content)
    return Mended(content, fixed)


def _apply(content: Content, units: list[Unit], hits: list[Hit]) -> tuple[Content, list[Hit]]:
    """Apply as many fixes as go together; of those that do not stand the proof, the halves are tried."""
    if not hits:
        return content, []
    made = _made(content, units, hits)
    if made is not None:
        return made
    if len(hits) == 1:
        return content, []
    middle = len(hits) // 2
    # The second half is tried on what the first one left, in the next round: its places have moved.
    return _first([hits[:middle], hits[middle:]], content, units)


def _first(halves: Sequence[list[Hit]], content: Content, units: list[Unit]) -> tuple[Content, list[Hit]]:
    for half in halves:
        made, done = _apply(content, units, half)
        if done:
            return made, done
    return content, []


def _made(content: Content, units: list[Unit], hits: list[Hit]) -> tuple[Content, list[Hit]] | None:
    """The file with fixes applied, and those that are; ``None`` where something else would change too."""
    bodies, done = _bodies(units, hits)
    every: dict[Change, None] = {}
    for hit in done:
        every.update(dict.fromkeys(_changes(hit)))
    if not every or _overlap(list(every)):
        return None
    before = content.file
    text = applied(before.text, list(every))
    file = File(before.path, text, before.encoding, before.mark, named=before.named)
    after = content._replace(file=file)
    read = [one for one in contents(after) if isinstance(one, Unit)]
    if [unit.body for unit in read] != bodies or not content.source.intact(before.text, text):
        return None
    try:
        file.encoded(text)
    except UnicodeEncodeError:
        return None
    return after, done


def _bodies(units: list[Unit], hits: list[Hit]) -> tuple[list[Json], list[Hit]]:
    """What the requests are to be afterwards, and the findings whose fixes can be made."""
    bodies: list[Json] = []
    done: list[Hit] = []
    of: dict[int, list[Hit]] = {}
    for hit in hits:
        of.setdefault(id(hit.unit), []).append(hit)
    for unit in units:
        mine = of.get(id(unit), [])
        body, mended = apply(unit.body, [hit.located.finding for hit in mine])
        ours = set(map(id, mended))
        bodies.append(body)
        done += [hit for hit in mine if id(hit.located.finding) in ours]
    return bodies, done


def _changes(hit: Hit) -> tuple[Change, ...]:
    fix = hit.located.finding.fix
    return (changes(hit.unit, fix) if fix is not None else None) or ()


def _overlap(made: list[Change]) -> bool:
    ordered = sorted(made)
    return any(one.end > other.start for one, other in pairwise(ordered))
