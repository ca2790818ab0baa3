"""What one call wants of the cache, and what a lookup for it came to."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Literal, NamedTuple

from tokenguard.cache.entry import Entry
from tokenguard.cache.flight import Flight
from tokenguard.call import CacheUse

if TYPE_CHECKING:  # a cache without it does not load it
    from tokenguard.cache.similar.lookup import Question

Generation = tuple[int, Hashable]
"""Another one once anything was invalidated: here, and in the store."""


class Plan:
    """What one call wants of the cache; it goes from lookup to lookup until there is an answer.

    Attributes:
        key: The key of the answer.
        namespace: Who may have it.
        asker: Whose credential it is.
        epoch: How often all in that was given up, as far as the key knows.
        keyed: Gives the key for another epoch.
        provider: Whose format the call has: ``openai`` or ``anthropic``.
        shares: Whether others may be given the answer while it comes.
        keeps: Whether the answer that came is to be kept.
        stale: An answer that is too old, but better than none where there will be none.
        leads: The flight that it leads, for others to wait for.
        generation: The cache's generation when it was looked into last; ``None`` if nobody could tell.
        left_ns: For how long the lookup may still wait for the store, in nanoseconds.
        question: What it asks, where a similar question may have been answered.
        audited: The answer to one, to be compared with the provider's.
        use: Where it is said what the cache did for the call.
    """

    __slots__ = (
        *("asker", "epoch", "key", "keyed", "namespace", "provider", "shares", "tags", "ttl_s"),
        *("audited", "generation", "keeps", "leads", "leased", "left_ns", "question", "stale", "use"),
    )

    def __init__(
        self,
        key: str,
        namespace: str,
        tags: tuple[str, ...],
        ttl_s: float,
        *,
        asker: str | None = None,
        epoch: int = 0,
        keyed: Callable[[int], str] | None = None,
        provider: str = "",
        shares: bool = True,
        use: CacheUse | None = None,
    ) -> None:
        self.key = key
        self.namespace = namespace
        self.tags = tags
        self.ttl_s = ttl_s
        self.asker = namespace if asker is None else asker
        self.epoch = epoch
        self.keyed = keyed
        self.provider = provider
        self.shares = shares
        self.use = use
        self.keeps = True
        self.left_ns = 0
        self.question: Question | None = None
        self.audited: Entry | None = None
        self.stale: Entry | None = None
        self.leads: Flight | None = None
        self.leased = False
        self.generation: Generation | None = None

    @property
    def store_generation(self) -> Hashable:
        """The store's part of ``generation``."""
        return None if self.generation is None else self.generation[1]

    def begin(self, left_ns: int, *, refresh: bool) -> None:
        """A lookup begins: what the last one could not do does not matter any more."""
        self.left_ns = left_ns
        if self.use is not None and self.use.status == "bypass":
            self.use.status, self.use.reason = "refresh" if refresh else "miss", None

    def pass_by(self, reason: str) -> None:
        """The store was not looked into, or not as far as it would have had to be."""
        if self.use is not None:
            self.use.status, self.use.reason = "bypass", reason

    def move(self, epoch: int) -> None:
        """All in the namespace was given up before the call: its answer has another key."""
        self.epoch = epoch
        if self.keyed is not None:
            self.key = self.keyed(epoch)
            if self.use is not None:
                self.use.key = self.key


class Found(NamedTuple):
    """What a lookup came to.

    Attributes:
        what: ``hit``: there is an entry. ``lead``: there is nothing; ask, for all who come meanwhile.
            ``wait``: somebody in this process asks already. ``elsewhere``: somebody in another one does.
        entry: The answer of a hit.
        flight: What to wait for.
    """

    what: Literal["hit", "lead", "wait", "elsewhere"]
    entry: Entry | None = None
    flight: Flight | None = None
    elapsed_ns: int = 0
    """Nanoseconds since the call started."""
    similarity: float | None = None
    """How similar the question is that the entry is the answer to, if it is another one."""
