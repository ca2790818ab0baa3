"""Read whole streams with a dialect, as the tap in the transport does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tokenguard.call import Answered
from tokenguard.dialects import Dialect, EventReader


def read(dialect: Dialect, events: Iterable[tuple[str | None, dict[str, Any]] | dict[str, Any]]) -> Answered:
    """What the events of a stream say, once all have come."""
    return reader(dialect, events).answered()


def reader(
    dialect: Dialect, events: Iterable[tuple[str | None, dict[str, Any]] | dict[str, Any]]
) -> EventReader:
    """A reader that has had these events; Anthropic's and Responses' carry their name in ``type`` too."""
    assert dialect.events is not None
    made = dialect.events()
    for event in events:
        name, data = event if isinstance(event, tuple) else (event.get("type"), event)
        made.feed(name, json.loads(json.dumps(data)))
    return made
