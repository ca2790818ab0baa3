"""Listen to a streamed answer as it passes, and keep from the caller only what the caller did not ask for.

Every byte goes on as it came, in the chunks in which it came. The one exception is the usage chunk
that we asked for and the caller did not: then bytes go on event by event, without that one event.
"""

from __future__ import annotations

from collections.abc import Callable

from tokenguard import faults
from tokenguard.call import Answered
from tokenguard.dialects import EventReader
from tokenguard.dialects.skimming import Skimmer
from tokenguard.dialects.sse import Event, Splitter


class Tap:
    """Sits on the bytes of one streamed answer.

    Args:
        splitter: Finds the events in them.
        reader: Reads the events.
        hides_usage: Whether the event that has nothing but the usage is kept from the caller.
        clock: Nanoseconds since the call started.
        keeps: What went on to the caller is kept too, up to so many bytes.
    """

    def __init__(
        self,
        splitter: Splitter,
        reader: EventReader,
        *,
        hides_usage: bool,
        clock: Callable[[], int],
        keeps: int = 0,
    ) -> None:
        self._splitter = splitter
        self._reader = reader
        self._skimmer = Skimmer(reader)
        self._hides = hides_usage
        self._clock = clock
        self._done = False
        self._waits = False
        self._keeps = keeps
        self._kept: list[bytes] = []
        self.first_token_ns: int | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk from the provider; give what goes on to the caller (it may be nothing yet)."""
        passed = self._pass(chunk)
        if self._keeps:
            self._kept.append(passed)
            self._keeps = max(0, self._keeps - len(passed))
        return passed

    def kept(self) -> bytes | None:
        """All that went on to the caller; ``None`` if that was not wanted, or was too much."""
        return b"".join(self._kept) if self._keeps else None

    def _pass(self, chunk: bytes) -> bytes:
        skimmed = 0 if self._waits else self._skimmer.skim(chunk)
        if skimmed == len(chunk):
            return chunk
        kept = [chunk[:skimmed]]
        for event in self._splitter.feed(chunk[skimmed:]):
            only_usage = self._take(event)
            if not (only_usage and self._hides):
                kept.append(event.raw)
        self._waits = self._splitter.waits
        if self.first_token_ns is None and self._reader.started:
            self.first_token_ns = self._clock()
        return b"".join(kept) if self._hides else chunk

    def _take(self, event: Event) -> bool:
        """Let the reader have an event; one that it cannot follow still goes on to the caller."""
        data = event.data.lstrip()
        if not data.startswith(b"{"):
            self._done = self._done or data.startswith(b"[DONE]")  # as the SDK looks for it
            return False
        try:
            return self._skimmer.feed(event)
        except Exception as error:
            faults.note("transport.tap", error)
            return False

    def rest(self) -> bytes:
        """What goes on to the caller after the last chunk: an event that was cut off, as it is."""
        return self._splitter.rest if self._hides else b""

    @property
    def finished(self) -> bool:
        """Whether the answer said that it is over."""
        return self._done or self._reader.finished

    def answered(self) -> Answered:
        """What the answer has said so far."""
        try:
            return self._reader.answered()
        except Exception as error:  # odd events must not cost the caller anything
            faults.note("transport.tap", error)
            return Answered()
