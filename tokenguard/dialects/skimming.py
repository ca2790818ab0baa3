"""Read the events of a stream, most of them without parsing.

Nearly every event of a stream is the one before it with another piece of text. Once an event was parsed,
those that follow are laid against its bytes: where nothing but the text differs, only the text is taken.

Nothing is guessed. A likeness of an event is the same JSON but for one string, and but for noise that no
reader looks at. All the rest it says for the second time, which changes nothing; and an event that has to
be parsed ends the likeness of those before it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tokenguard.dialects.dialect import EventReader
from tokenguard.dialects.sse import Event
from tokenguard.wire_json import decoded

_OPENING: Final = re.compile(rb'\s*:\s*"')
_TEXT: Final = re.compile(rb'[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*)*')
"""The inside of a JSON string."""
_SCALAR: Final = re.compile(rb'"[ !#-\[\]-~]*"|-?(?:0|[1-9][0-9]{0,17})')
"""A plain string or a whole number: each can stand where another does."""
_NOISE: Final = re.compile(rb'"(?:obfuscation|sequence_number)"\s*:\s*(%b)(?=[\s,}])' % _SCALAR.pattern)
"""What OpenAI puts into events beside what they say: padding against eavesdroppers, and numbers."""
_BLANKS: Final = re.compile(rb" *")
"""What Anthropic pads events with, before the last brace."""

_PATIENCE: Final = 3
"""Moulds that may be made in vain, one after the other; where events differ that much, none is worth it."""


class Skimmer:
    """Gives a reader the events of a stream, and parses only those that are not like the one before."""

    def __init__(self, reader: EventReader) -> None:
        self._reader = reader
        self._parsed: tuple[Event, str] | None = None  # the last event, and where its text stood
        self._mould: Mould | None = None
        self._framed = False  # whether the mould is of all bytes of an event, or of its data alone
        self._name: str | None = None
        self._in_vain = 0

    def skim(self, chunk: bytes) -> int:
        """Take in the events at the start of a chunk that are like the last one; gives how long they are.

        The chunk must begin where an event does.
        """
        if self._parsed is not None:
            self._cast(*self._parsed)
        if self._mould is None or not self._framed:
            return 0
        at = 0
        while at < len(chunk) and (found := self._mould.match(chunk, at)):
            text, at = found
            self._reader.add(text)
            self._in_vain = 0
        return at

    def feed(self, event: Event) -> bool:
        """Take one event in; gives what :meth:`EventReader.feed` gives.

        Raises:
            ValueError: It is no JSON.
        """
        if self._parsed is not None:
            self._cast(*self._parsed)
        if self._mould is not None and event.name == self._name:
            alike = event.raw if self._framed else event.data
            found = self._mould.match(alike, 0)
            if found and found[1] == len(alike):
                self._reader.add(found[0])
                self._in_vain = 0
                return False
        self._mould = None
        only_usage = self._reader.feed(event.name, decoded(event.data))
        key = self._reader.text_key
        if key is not None and self._in_vain < _PATIENCE:
            self._parsed = event, key  # cast when another comes: the first token is not held up for it
        return only_usage

    def _cast(self, event: Event, key: str) -> None:
        """Expect more events like this one."""
        self._parsed = None
        # After any other blank line, what follows may still belong to it.
        ends = event.data + b"\n\n", event.data + b"\r\n\r\n"
        self._framed = event.raw.endswith(ends)
        self._mould = mould_of(event.raw if self._framed else event.data, key)
        self._name = event.name
        self._in_vain += 1


class Mould(NamedTuple):
    """The bytes of an event, with gaps where another may differ from it.

    ``gaps`` are what stands before each gap, and what fits into it; ``end`` stands after the last.
    """

    gaps: tuple[tuple[bytes, re.Pattern[bytes]], ...]
    end: bytes

    def match(self, buffer: bytes, at: int) -> tuple[str, int] | None:
        """The text of the event that begins at a place, and where the event ends; ``None`` if it differs."""
        literal = b""
        for before, fitting in self.gaps:
            if not buffer.startswith(before, at):
                return None
            found = fitting.match(buffer, at + len(before))
            if found is None:
                return None
            at = found.end()
            if fitting is _TEXT:
                literal = found[0]
        if not literal or not buffer.startswith(self.end, at):
            return None
        try:
            text = decoded(b'"%b"' % literal) if b"\\" in literal else literal.decode()
        except UnicodeDecodeError:
            return None
        return text, at + len(self.end)


def mould_of(event: bytes, key: str) -> Mould | None:
    """The mould of an event that was parsed, and whose text stands under ``key``.

    ``None`` where its bytes do not show which string that is. They do if the key occurs once, and nothing
    around the text is escaped: then every quote there begins or ends a string.
    """
    quoted = b'"%b"' % key.encode()
    if event.count(quoted) != 1:
        return None
    opening = _OPENING.match(event, event.index(quoted) + len(quoted))
    literal = opening and _TEXT.match(event, opening.end())
    if not literal or b"\\" in event[: literal.start()] or b"\\" in event[literal.end() :]:
        return None
    places = [(*noise.span(1), _SCALAR) for noise in _NOISE.finditer(event)]
    places.append((*literal.span(), _TEXT))
    brace = event.rindex(b"}")
    if event[brace - 1 : brace] == b" ":
        places.append((len(event[:brace].rstrip(b" ")), brace, _BLANKS))
    gaps, at = [], 0
    for start, end, fitting in sorted(places):
        gaps.append((event[at:start], fitting))
        at = end
    return Mould(tuple(gaps), event[at:])
