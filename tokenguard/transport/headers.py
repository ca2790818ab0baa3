"""Headers as we look at them: by name, and decoded only when asked for, which is rarely.

The HTTP libraries' own class decodes and scans the whole list at every look.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Headers:
    """The headers of one request or response, by lower-case name.

    Args:
        of: An HTTP library's own headers object. Both libraries keep the list that it is read from: each
            header's name, its name in lower case, and its value.

    Attributes:
        values: Them, as they are on the wire; of several of one name, the last.
    """

    __slots__ = ("_list", "values")

    def __init__(self, of: Any) -> None:
        self._list: list[tuple[bytes, bytes, bytes]] = of._list
        self.values: dict[bytes, bytes] = {name: value for _, name, value in self._list}

    def joined(self) -> dict[bytes, bytes]:
        """Them, as they are on the wire; of several of one name, all, with commas between (RFC 9110 §5.3)."""
        if len(self.values) == len(self._list):
            return self.values
        made: dict[bytes, bytes] = {}
        for _, name, value in self._list:
            made[name] = b"%b, %b" % (made[name], value) if name in made else value
        return made

    def get(self, name: str, /) -> str | None:
        """The value of a header, or ``None``."""
        value = self.values.get(name.encode())
        return None if value is None else value.decode("latin-1")

    def starting(self, prefix: bytes) -> dict[str, str]:
        """The headers whose names start so."""
        if prefix not in b" ".join(self.values):  # as a rule: one look instead of one for each
            return {}
        return {
            name.decode(): value.decode("latin-1")
            for name, value in self.values.items()
            if name.startswith(prefix)
        }

    def __contains__(self, name: object, /) -> bool:
        return isinstance(name, str) and name.encode() in self.values


# The HTTP libraries' own ways to change a header scan all the others, for each header again. These work on
# the list that a headers object keeps, the same in both libraries: name, name in lower case, value.


def append(headers: Any, marks: Iterable[tuple[bytes, str]]) -> None:
    """Add headers that are not there yet, names in lower case, to an HTTP library's own headers object."""
    headers._list += [(name, name, value.encode()) for name, value in marks]


def replace(headers: Any, name: bytes, value: bytes) -> None:
    """Give a header another value, where there is one of this name (in lower case)."""
    headers._list = [(raw, key, value if key == name else old) for raw, key, old in headers._list]


def remove(headers: Any, prefix: bytes) -> None:
    """Take out the headers whose names start so (in lower case)."""
    headers._list = [header for header in headers._list if not header[1].startswith(prefix)]
