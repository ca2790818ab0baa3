"""Read whole streams with a dialect, every event of them parsed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from tokenguard.call import Answered
from tokenguard.dialects import Dialect, EventReader
from tokenguard.dialects.sse import Event

Said = tuple[bool, str]
"""Whether an event was nothing but usage, and all that its reader could say after it."""


def read(dialect: Dialect, events: Iterable[tuple[str | None, dict[str, Any]] | dict[str, Any]]) -> Answered:
    """What the events of a stream say, once all have come."""
    return reader(dialect, events).answered()


def reader(
    dialect: Dialect, events: Iterable[tuple[str | None, dict[str, Any]] | dict[str, Any]]
) -> EventReader:
    """A reader that has had these events; Anthropic's and Responses' carry their name in ``type`` too."""
    made = opened(dialect)
    for event in events:
        name, data = event if isinstance(event, tuple) else (event.get("type"), event)
        made.feed(name, json.loads(json.dumps(data)))
    return made


def opened(dialect: Dialect) -> EventReader:
    """A reader that has had no events."""
    assert dialect.events is not None
    return dialect.events()


def parsed(dialect: Dialect, events: Iterable[Event]) -> list[Said]:
    """What is said after each event, if all are parsed."""
    reader = opened(dialect)
    return followed(reader, lambda event: reader.feed(event.name, json.loads(event.data)), events)


def followed(reader: EventReader, feed: Callable[[Event], bool], events: Iterable[Event]) -> list[Said]:
    """What a reader says after each event that it is fed."""
    said = []
    for event in events:
        only_usage = False
        with suppress(Exception):  # as the tap does: what cannot be followed is passed over
            only_usage = feed(event)
        said.append((only_usage, known(reader)))
    return said


def known(reader: EventReader) -> str:
    """All that a reader can say, or how it fails to."""
    try:
        answered = repr(reader.answered())
    except Exception as error:
        answered = repr(error)
    return f"started={reader.started} finished={reader.finished} {answered}"
