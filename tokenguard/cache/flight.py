"""One call that others wait for: who comes with the same request meanwhile gets its answer.

A flight knows nothing of threads or event loops: whoever waits leaves something to call at every change.
A streamed answer is shared while it comes; one that is read as a whole, once it is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import NamedTuple

from tokenguard.cache.entry import Entry

Waker = Callable[[], None]


class Head(NamedTuple):
    """The beginning of a streamed answer."""

    status: int
    content_type: str
    request_id: str | None


class Flight:
    """A call under way. Its leader lands it exactly once, whatever happens.

    Args:
        generation: The cache's generation when it began: who comes after something was invalidated may not
            have what was asked for before.

    Attributes:
        over: Whether it has landed.
        entry: What it brought, then; ``None`` if nothing that others can be given.
        similarity: How similar the question was that this is the answer to, if it was another one.
        head: The beginning of its answer, once that has come, if it is a stream.
        ended: Whether the last chunk of the stream has come.
        error: What broke the stream, if something did.
        readers: How many read the stream, the leader among them.
    """

    def __init__(self, generation: Hashable = None) -> None:
        self.generation = generation
        self.over = False
        self.entry: Entry | None = None
        self.similarity: float | None = None
        self.head: Head | None = None
        self.ended = False
        self.error: BaseException | None = None
        self.readers = 0
        self._chunks: list[bytes] = []
        self._lock = threading.RLock()
        self._wakers: list[Waker] = []

    @property
    def ready(self) -> bool:
        """Whether there is something for those who wait."""
        return self.over or self.head is not None

    @property
    def followed(self) -> bool:
        """Whether anybody waits."""
        return bool(self._wakers)

    def at_changes(self, wake: Waker) -> Callable[[], None]:
        """Have ``wake`` called at every change, from any thread; gives a way to call that off."""
        with self._lock:
            self._wakers.append(wake)

        def forget() -> None:
            with self._lock:
                if wake in self._wakers:
                    self._wakers.remove(wake)

        return forget

    def land(self, entry: Entry | None, similarity: float | None = None) -> None:
        """Hand out what came of it. Only the first time counts."""
        with self._lock:
            if self.over:
                return
            self.over, self.entry, self.similarity = True, entry, similarity
        self._changed()

    def begin(self, head: Head) -> None:
        """A streamed answer has begun; its leader is its first reader."""
        with self._lock:
            self.head = head
            self.readers = 1
        self._changed()

    def feed(self, chunk: bytes) -> None:
        """A further chunk of the stream has come."""
        self._chunks.append(chunk)
        self._changed()

    def end(self, error: BaseException | None = None) -> None:
        """The stream is over, or has broken."""
        self.ended, self.error = True, error
        self._changed()

    def chunk(self, number: int) -> bytes | None:
        """A chunk of the stream; ``None`` if it has not come."""
        return self._chunks[number] if number < len(self._chunks) else None

    def join(self) -> bool:
        """Become a reader, from the first chunk on; False if the stream has broken or was given up."""
        with self._lock:
            if self.error is not None or not (self.readers or self.ended):
                return False
            self.readers += 1
            return True

    def leave(self) -> bool:
        """Read no more; gives whether nobody does."""
        with self._lock:
            self.readers -= 1
            return self.readers <= 0

    def _changed(self) -> None:
        with self._lock:
            wakers = tuple(self._wakers)
        for wake in wakers:
            wake()
