"""What a place to keep answers in must be able to do: bytes under keys, labels on them, leases, and news.

A store is written once, synchronously, and says whether it may block. Whatever it raises is a miss, counted
and logged once; it never fails a call.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Final, Literal, NamedTuple, Protocol

INDEX_PAGE: Final = "tokenguard.similar"
"""The dialect of an entry that is no answer, but a page of the index of similar questions."""


class Label(NamedTuple):
    """What can be seen of an entry from outside, and what it can be invalidated by."""

    key: str
    namespace: str
    model: str
    dialect: str
    tags: tuple[str, ...]
    stored_ns: int
    expires_ns: int
    size: int  # bytes
    epoch: int = 0  # how often all in its namespace had been given up

    @property
    def is_answer(self) -> bool:
        """Whether it is on an answer; else on a page of the index of similar questions."""
        return self.dialect != INDEX_PAGE


class Which(NamedTuple):
    """Entries that have all that is said here; said nothing, all of them."""

    tag: str | None = None
    model: str | None = None
    namespace: str | None = None
    stored_before_ns: int | None = None
    keys: frozenset[str] | None = None

    def holds(self, label: Label) -> bool:
        """Whether an entry with this label is meant."""
        return (
            (self.tag is None or self.tag in label.tags)
            and (self.model is None or self.model == label.model)
            and (self.namespace is None or self.namespace == label.namespace)
            and (self.stored_before_ns is None or label.stored_ns < self.stored_before_ns)
            and (self.keys is None or label.key in self.keys)
        )


class Held(NamedTuple):
    """What one place has at present.

    Attributes:
        tier: What kind of place it is: ``memory``, the ``index`` of similar questions in memory, or the
            ``store`` behind both.
        place: Tells it from others of its kind; where several caches use one store, theirs are equal.
        entries: How many entries there are, stale ones included; in the index, questions; in a store, pages
            of an index too.
        bytes: How much room they take.
    """

    tier: Literal["memory", "index", "store"]
    place: Hashable
    entries: int
    bytes: int


class CacheStore(Protocol):
    """A place to keep answers in, shared by threads and perhaps by processes.

    Attributes:
        may_block: Whether a lookup may take as long as a network does; it is then made on another thread,
            and abandoned if it takes longer than :attr:`~tokenguard.cache.policy.Cache.lookup_timeout`.
        secret: 32 bytes that all who share the store have, and nobody else.
    """

    may_block: bool
    secret: bytes

    def get(self, key: str, wait_s: float | None = None) -> bytes | None:
        """The bytes under a key, stale or not; ``None`` where there are none.

        Whoever asks waits for so many seconds at most; what would come later may as well raise.
        """
        ...

    def set(self, label: Label, blob: bytes, keep_s: float, generation: Hashable = None) -> int | None:
        """Keep bytes under ``label.key`` for so many seconds at most. Anything may be evicted for them.

        With a ``generation``, they are kept only if it is still that one: what was removed meanwhile may
        not come back. Gives how many entries were evicted, if that is known.
        """
        ...

    def touch(self, keys: Iterable[str]) -> None:
        """Note that entries were used: they are evicted last."""
        ...

    def labels(self) -> Iterator[Label]:
        """The labels of all entries."""
        ...

    def remove(self, which: Which) -> int:
        """Remove entries and tell every process that shares the store; gives how many answers there were.

        Pages of an index go as answers do, but are not counted.
        """
        ...

    def end_epoch(self, namespace: str) -> None:
        """Give up all that is in a namespace, however much, and tell every process."""
        ...

    def sweep(self) -> Iterator[None]:
        """Remove what was given up with its namespace, by whomever; a little at each step.

        Nobody can find it any more, and so nobody is told. Nothing is done before the first step, and next
        to nothing where there is nothing to remove.
        """
        ...

    def epoch(self, namespace: str) -> int:
        """How often a namespace was given up."""
        ...

    def generation(self) -> Hashable:
        """Something that is another one once anything was removed or given up by anybody. Must be quick."""
        ...

    def held(self) -> Held | None:
        """What it has at present; ``None`` where that is not known, or takes long to find out.

        It is asked when somebody collects metrics, and by no call.
        """
        ...

    def acquire(self, name: str, owner: str, ttl_s: float, wait_s: float | None = None) -> bool:
        """Take a lease, or prolong one's own; False while another owner has it.

        ``wait_s`` is as for :meth:`get`.
        """
        ...

    def release(self, name: str, owner: str) -> None:
        """Give a lease back, if it is still one's own."""
        ...

    def close(self) -> None:
        """Let go of files and connections. A call that comes later opens them again."""
        ...
