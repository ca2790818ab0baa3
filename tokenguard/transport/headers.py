"""Headers as we look at them: by name, and decoded only when asked for, which is rarely.

The HTTP libraries' own class decodes and scans the whole list at every look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Headers:
    """Headers by lower-case name. The last of several headers of one name wins."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = {name.lower(): value for name, value in raw}

    def get(self, name: str, /) -> str | None:
        """The value of a header, or ``None``."""
        value = self._raw.get(name.encode())
        return None if value is None else value.decode("latin-1")

    def starting(self, prefix: bytes) -> dict[str, str]:
        """The headers whose names start so."""
        return {
            name.decode(): value.decode("latin-1")
            for name, value in self._raw.items()
            if name.startswith(prefix)
        }

    def __contains__(self, name: object, /) -> bool:
        return isinstance(name, str) and name.encode() in self._raw


def append(headers: Any, marks: Mapping[str, str]) -> None:
    """Add headers that are not there yet to an HTTP library's own headers object.

    Setting each one scans all the others, so they are put at the end of the list that the object keeps
    (the same in both libraries: its name, its name in lower case, its value).
    """
    headers._list += [(name.encode(), name.encode(), value.encode()) for name, value in marks.items()]
