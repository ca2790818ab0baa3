"""A response's headers as the flow sees them: looked up by name, decoded only when asked for."""

from __future__ import annotations

from collections.abc import Iterable


class Headers:
    """Headers by lower-case name. The last of several headers of one name wins."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = {name.lower(): value for name, value in raw}

    def get(self, name: str, /) -> str | None:
        """The value of a header, or ``None``."""
        value = self._raw.get(name.encode())
        return None if value is None else value.decode("latin-1")

    def __contains__(self, name: object, /) -> bool:
        return isinstance(name, str) and name.encode() in self._raw
