"""How a fix, which is for a request, changes the file that the request stands in."""

from __future__ import annotations

from tokenguard.anatomy import Path
from tokenguard.lint.finding import REMOVED, Edit, Fix
from tokenguard.lint.sources.file import Unit
from tokenguard.lint.sources.places import Change, Place


def changes(unit: Unit, fix: Fix) -> tuple[Change, ...] | None:
    """The changes of the file; ``None`` where one of them has no exact place in it."""
    found = []
    places: dict[Path, Place | None] = {}  # a text may be changed in a thousand places
    for edit in fix.edits:
        if edit.path not in places:
            places[edit.path] = unit.places.find(edit.path)
        change = _change(unit, edit, places[edit.path])
        if change is None:
            return None
        found.append(change)
    return tuple(found)


def _change(unit: Unit, edit: Edit, place: Place | None) -> Change | None:
    if edit.new is REMOVED:
        return unit.places.removed(edit.path)
    if edit.start is None or edit.end is None:
        return unit.places.replaced(edit.path, edit.new)
    if place is None or place.text is None:
        return None
    return place.text.change(edit.start, edit.end, str(edit.new))


def applied(text: str, made: list[Change]) -> str:
    """A file's text with changes made, which do not overlap."""
    for change in sorted(made, reverse=True):
        text = text[: change.start] + change.new + text[change.end :]
    return text
