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


# The HTTP libraries' own ways to change a header scan all the others, for each header again. These work on
# the list that a headers object keeps, the same in both libraries: name, name in lower case, value.


def append(headers: Any, marks: Mapping[str, str]) -> None:
    """Add headers that are not there yet to an HTTP library's own headers object."""
    headers._list += [(name.encode(), name.encode(), value.encode()) for name, value in marks.items()]


def replace(headers: Any, name: bytes, value: bytes) -> None:
    """Give a header another value, where there is one of this name (in lower case)."""
    headers._list = [(raw, key, value if key == name else old) for raw, key, old in headers._list]


def remove(headers: Any, prefix: bytes) -> None:
    """Take out the headers whose names start so (in lower case)."""
    headers._list = [header for header in headers._list if not header[1].startswith(prefix)]
