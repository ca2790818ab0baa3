"""The cache of one guard at work: what a call may be answered with, and what is kept of its answer.

A lookup goes to memory, then to the store, then to whoever asks the same at this moment: a call of this
process, or (by a lease in the store) of another one. Who finds nothing anywhere leads: it asks the provider,
and the others get what it brings.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import Counter
from collections.abc import Hashable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from tokenguard import faults
from tokenguard.cache.cipher import Cipher
from tokenguard.cache.eligibility import ineligible
from tokenguard.cache.entry import Entry, opened, sealed
from tokenguard.cache.flight import Flight
from tokenguard.cache.key import fingerprint, key, namespace
from tokenguard.cache.memory import Memory, label_of
from tokenguard.cache.policy import Cache
from tokenguard.cache.store import CacheStore, Held, Which
from tokenguard.cache.storing import refusal
from tokenguard.cache.writer import LEASE_S, Writer
from tokenguard.call import CacheUse, Call, WholeReply, Wire
from tokenguard.dialects import Dialect

if TYPE_CHECKING:  # a cache without it does not load it
    from tokenguard.cache.similar import Similar
    from tokenguard.cache.similar.index import Row
    from tokenguard.cache.similar.lookup import Lookup, Question

POLL_S: Final = 0.02
"""How often to look whether another process has brought the answer."""

_NAMES: Final = 4096
"""Of how many requests the key is remembered."""

_SPREAD: Final = 0.1
"""By how much of its length a ttl is longer or shorter, so that answers of one moment end at several."""


class Plan:
    """What one call wants of the cache; it goes from lookup to lookup until there is an answer.

    Attributes:
        key: The key of the answer.
        namespace: Who may have it.
        epoch: How often all in that was given up.
        provider: Whose format the call has: ``openai`` or ``anthropic``.
        shares: Whether others may be given the answer while it comes.
        stale: An answer that is too old, but better than none where there will be none.
        leads: The flight that it leads, for others to wait for.
        generation: The cache's generation when it was looked into last.
        question: What it asks, where a similar question may have been answered.
        audited: The answer to one, to be compared with the provider's.
    """

    __slots__ = (
        *("epoch", "key", "namespace", "provider", "shares", "tags", "ttl_s"),
        *("audited", "generation", "leads", "leased", "question", "stale"),
    )

    def __init__(
        self,
        key: str,
        namespace: str,
        tags: tuple[str, ...],
        ttl_s: float,
        *,
        epoch: int = 0,
        provider: str = "",
        shares: bool = True,
    ) -> None:
        self.key = key
        self.namespace = namespace
        self.tags = tags
        self.ttl_s = ttl_s
        self.epoch = epoch
        self.provider = provider
        self.shares = shares
        self.question: Question | None = None
        self.audited: Entry | None = None
        self.stale: Entry | None = None
        self.leads: Flight | None = None
        self.leased = False
        self.generation: tuple[int, Hashable] | None = None

    @property
    def store_generation(self) -> Hashable:
        """The store's part of ``generation``."""
        return None if self.generation is None else self.generation[1]


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


class _Named(NamedTuple):
    """A request's key, or why it has none."""

    key: str = ""
    namespace: str = ""
    epoch: int = 0
    reason: str | None = None


class ResponseCache:
    """Answers, kept in memory and in a store.

    Args:
        settings: What to cache, and for how long.
        store: Where besides memory.

    Attributes:
        counts: How many answers were kept (``stored``, or only in memory, as the store was too busy:
            ``store_busy``) or not (``refused:`` and the reason), and how many entries had to go for others
            (``evicted:memory``, ``evicted:store``), since it was made. What came of lookups is in receipts
            and the ledger.
        similar: Finds answers to similar questions, where that is wanted.
    """

    def __init__(self, settings: Cache, store: CacheStore | None = None) -> None:
        self.settings = settings
        self.store = store
        self.counts: Counter[str] = Counter({"stored": 0, "evicted:memory": 0})
        if store is not None:
            self.counts["evicted:store"] = 0
        self.wait_s = settings.wait_s
        self.poll_s = POLL_S
        self.may_block = store is not None and store.may_block
        self.takes_all = False
        self.missed = None
        self._ttl_s, self._stale_ns = settings.ttl_s, int(settings.stale_s * 1e9)
        self._memory = Memory(settings.memory_bytes)
        key = settings.encryption_key
        self._cipher = None if key is None else Cipher(key)
        self._secret = os.urandom(32) if store is None else store.secret
        self.similar = None if settings.similar is None else _lookup(settings.similar, self, self._secret)
        self._names: dict[bytes, _Named] = {}
        self._epochs: Counter[str] = Counter()
        self._generation: tuple[int, Hashable] = (0, None)
        self._generations = 0  # of a cache without a store
        self._flights: dict[str, Flight] = {}
        self._lock = threading.RLock()
        self._owner = os.urandom(8).hex()
        self._closed = False
        self._writer = None if store is None else Writer(store, self._owner)
        if hasattr(os, "register_at_fork"):
            method = weakref.WeakMethod(self._after_fork)
            os.register_at_fork(after_in_child=lambda: (made := method()) and made())

    def plan(self, call: Call, dialect: Dialect) -> Plan | None:
        """What a call wants of the cache; ``None`` where it is to be passed by. Says so in ``call.cache``."""
        wish, wire = call.cache_wish, call.wire
        if wish.use == "bypass" or wire is None:
            call.cache = CacheUse("bypass", "asked_for" if wish.use == "bypass" else "not_json")
            return None
        try:
            named = self._named(call, wire, dialect)
        except Exception as error:
            faults.note("cache.epoch", error)
            named = _Named(reason="store")  # what was given up may not come back
        if named.reason is not None:
            call.cache = CacheUse("bypass", named.reason)
            return None
        call.cache = CacheUse("refresh" if wish.use == "refresh" else "miss", key=named.key)
        tags = (*self.settings.tags, *wish.tags) if wish.tags else self.settings.tags
        ttl_s = self._ttl_s if wish.ttl_s is None else wish.ttl_s
        # Whoever is given a tool's call by somebody else's answer would carry it out a second time.
        body = call.body or {}
        shares = self.settings.tools or not (body.get("tools") or body.get("functions"))
        shares = shares and self.settings.single_flight
        return Plan(
            named.key,
            named.namespace,
            tags,
            ttl_s,
            epoch=named.epoch,
            provider=dialect.provider,
            shares=shares,
        )

    def _named(self, call: Call, wire: Wire, dialect: Dialect) -> _Named:
        """The key of a request. Working it out costs more than all else of a hit, so it is remembered."""
        mark = fingerprint(call, wire)
        named = self._names.get(mark)
        if named is not None and (named.reason or named.epoch == self._epoch(named.namespace)):
            return named
        named = self._named_anew(call, wire, dialect)
        if len(self._names) >= _NAMES:
            self._names.clear()
        self._names[mark] = named
        return named

    def _named_anew(self, call: Call, wire: Wire, dialect: Dialect) -> _Named:
        reason = ineligible(call, always=self._always)
        if reason is not None:
            return _Named(reason=reason)
        owner = self.settings.namespace or namespace(wire, self._secret)
        epoch = self._epoch(owner)
        name = key(
            call,
            wire,
            provider=dialect.provider,
            namespace=owner,
            epoch=epoch,
            ignored=self.settings.ignore,
        )
        return _Named(name, owner, epoch)

    @property
    def _always(self) -> bool:
        return self.settings.mode == "always"

    def find(self, plan: Plan, now_ns: int, *, refresh: bool = False, leads: bool = True) -> Found:
        """Look an answer up. Never raises.

        Args:
            plan: What for.
            now_ns: The time, Unix nanoseconds.
            refresh: Whether what is kept does not count.
            leads: Whether the call will ask the provider where there is nothing.
        """
        self._hear()
        plan.generation = self._generation
        entry = None if refresh else self._kept(plan, now_ns)
        if entry is not None:
            self.let_go(plan, entry)
            return Found("hit", entry)
        if not leads or refresh or not plan.shares:
            return Found("lead")
        if plan.leads is None:
            with self._lock:
                flight = self._flights.get(plan.key)
                if flight is not None and flight.generation == plan.generation:
                    return Found("wait", flight=flight)
                plan.leads = self._flights[plan.key] = Flight(plan.generation)
        return self._lease(plan, now_ns)

    def _kept(self, plan: Plan, now_ns: int) -> Entry | None:
        """The fresh entry of memory or of the store; one that is not fresh any more is noted in the plan."""
        entry = self._memory.get(plan.key)
        if entry is None or entry.expires_ns <= now_ns:
            entry = self._stored(plan, plan.key) or entry
        if entry is None:
            return None
        if entry.expires_ns > now_ns:
            if self._writer is not None:
                self._writer.used(plan.key)
            return entry
        if now_ns < entry.expires_ns + self._stale_ns:
            plan.stale = entry
        return None

    def _stored(self, plan: Plan, key: str) -> Entry | None:
        entry = self.read(plan, key)
        return entry if entry is not None and self._remember(plan, entry) else None

    def read(self, plan: Plan, key: str) -> Entry | None:
        """What is in the store under a key, for a plan that is in the same namespace."""
        if self.store is None:
            return None
        try:
            blob = self.store.get(key)
            if blob is None:
                return None
            if self._cipher is not None:
                blob = self._cipher.decrypted(blob, key, plan.namespace)
            return opened(blob, key, self._secret)
        except Exception as error:
            faults.note("cache.get", error)
            return None

    def _remember(self, plan: Plan, entry: Entry) -> bool:
        """Keep an entry in memory, unless something was removed since the plan last heard of it."""
        with self._lock:  # from hearing to keeping: nothing may be removed in between
            self._hear()
            if plan.generation != self._generation:
                return False
            evicted = self._memory.put(entry)
            if evicted:
                self.counts["evicted:memory"] += evicted
            return True

    def _lease(self, plan: Plan, now_ns: int) -> Found:
        """Lead among the processes, too; or learn that another one does, or has just done so."""
        if self.store is None or self._writer is None:
            return Found("lead")
        try:
            if not self.store.acquire(plan.key, self._owner, LEASE_S):
                return Found("elsewhere")
        except Exception as error:
            faults.note("cache.lease", error)
            return Found("lead")
        plan.leased = True
        entry = self._kept(plan, now_ns)  # it may have come between our looking and our lease
        if entry is not None:
            self.let_go(plan, entry)
            return Found("hit", entry)
        self._writer.keep_up(plan.key)
        return Found("lead")

    def fresh(self, plan: Plan, key: str, now_ns: int) -> Entry | None:
        """The fresh answer to another question, for a plan that is in the same namespace."""
        self._hear()
        entry = self._memory.get(key)
        if entry is None or entry.expires_ns <= now_ns:
            entry = self._stored(plan, key)
        if entry is None or entry.expires_ns <= now_ns or entry.namespace != plan.namespace:
            return None
        if self._writer is not None:
            self._writer.used(key)
        return entry

    def entry(self, call: Call, plan: Plan, reply: WholeReply, now_ns: int) -> Entry | None:
        """The answer as an entry, for those who wait for it; ``None`` if it is no whole answer.

        Says in ``call.cache`` why it is not to be kept, where that is so.

        Args:
            call: What was asked for.
            plan: What it wants of the cache.
            reply: The answer.
            now_ns: The time, Unix nanoseconds.
        """
        settings = self.settings
        reason = refusal(
            call,
            reply,
            tools=settings.tools,
            max_bytes=settings.max_entry_bytes,
            validate=settings.validate,
        )
        self._hear()
        if reason is None and plan.generation != self._generation:
            reason = "invalidated"
        if reason is not None:
            self.counts["refused:" + reason] += 1
        if call.cache is not None:
            call.cache.reason = reason
        if reply.body is None or reason in ("status", "unfinished", "too_large", "error"):
            return None
        spread = 1 + _SPREAD * (int(plan.key[:8], 16) / 2**31 - 1)
        return Entry(
            key=plan.key,
            stored_ns=now_ns,
            expires_ns=now_ns + int(plan.ttl_s * spread * 1e9),
            status=reply.status,
            content_type=reply.kind,
            body=reply.body,
            answered=reply.answered._replace(text=""),
            request_id=reply.request_id,
            dialect=call.dialect,
            model=call.asked.model,
            namespace=plan.namespace,
            tags=plan.tags,
        )

    def put(self, plan: Plan, entry: Entry, *, keeps: bool) -> None:
        """Give an answer to all who wait for it, and keep it. Never waits for the store."""
        if keeps:
            kept = "stored"
            self._remember(plan, entry)
            if self.store is not None and self._writer is not None:
                keep_s = plan.ttl_s * (1 + _SPREAD) + self._stale_ns / 1e9
                write = partial(self._write, self.store, entry, keep_s, plan.store_generation)
                if not self._writer.do(write, entry.size):
                    kept = "store_busy"
            self.counts[kept] += 1
            self._note(plan, entry)
        self.let_go(plan, entry)

    def _note(self, plan: Plan, entry: Entry) -> None:
        """Note which question was answered, for similar ones."""
        if self.similar is None or plan.question is None:
            return
        if plan.audited is not None:
            self.similar.audited(plan.audited, entry)
        row = self.similar.note(plan.question, entry)
        if row is not None and self.store is not None and self._writer is not None:
            write = partial(self._write_page, self.similar, self.store, plan, row)
            if not self._writer.do(write, row.size):
                self.counts["index_busy"] += 1

    def _write_page(self, similar: Lookup, store: CacheStore, plan: Plan, row: Row) -> None:
        page = similar.page(plan, row)
        self._write(store, page, (page.expires_ns - row.stored_ns) / 1e9, plan.store_generation)

    def _write(self, store: CacheStore, entry: Entry, keep_s: float, generation: Hashable) -> None:
        blob = sealed(entry, self._secret)
        if self._cipher is not None:
            blob = self._cipher.encrypted(blob, entry.key, entry.namespace)
        evicted = store.set(label_of(entry), blob, keep_s, generation)
        if evicted:
            self.counts["evicted:store"] += evicted

    def let_go(self, plan: Plan, entry: Entry | None = None, similarity: float | None = None) -> None:
        """Wait for nothing and lead nobody any more; whoever follows gets ``entry``, or asks for itself."""
        flight, plan.leads = plan.leads, None
        if flight is not None:
            with self._lock:
                if self._flights.get(plan.key) is flight:
                    del self._flights[plan.key]
            flight.land(entry, similarity)
        if plan.leased and self._writer is not None:
            plan.leased = False
            self._writer.give_back(plan.key)

    def invalidate(
        self,
        *,
        tag: str | None = None,
        model: str | None = None,
        namespace: str | None = None,
        stored_before_ns: int | None = None,
    ) -> int:
        """Remove all answers that have all that is said; gives how many that were, as far as it is known.

        A namespace alone is given up as a whole, at once, however many answers it has: they are never found
        again, and go as those do that nobody uses. Only those in memory are counted.
        """
        which = Which(tag, model, namespace, stored_before_ns)
        whole = namespace is not None and which == Which(namespace=namespace)
        if namespace is not None and whole:
            self._epochs[namespace] += 1
            if self.store is not None:
                self.store.end_epoch(namespace)
        with self._lock:
            self._generations += 1
            removed = self._memory.remove(which)
        if self.store is not None and not whole:
            self.flush()  # what still waits to be written is to be removed, too
            removed = self.store.remove(which)
        if self.similar is not None:
            self.similar.index.forget(self._memory.__contains__ if self.store is None else None)
        return removed

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything is in the store; False if that took too long."""
        return self._writer.flush(timeout_s) if self._writer is not None else True

    def close(self) -> None:
        """Write what is left, and let go of the store."""
        self._closed = True
        if self._writer is not None:
            self._writer.close()
        if self.store is not None:
            self.store.close()

    def held(self) -> Iterator[Held]:
        """What memory, the index of similar questions and the store have at present. Never raises."""
        yield Held("memory", id(self), len(self._memory), self._memory.bytes)
        if self.similar is not None:
            yield Held("index", id(self), len(self.similar.index), self.similar.index.bytes)
        try:
            # What is closed would be opened again.
            there = None if self.store is None or self._closed else self.store.held()
        except Exception as error:
            faults.note("cache.held", error)
            return
        if there is not None:
            yield there

    def _hear(self) -> None:
        """Hear of what was invalidated, here or in another process: then memory may not be trusted."""
        try:
            news = None if self.store is None else self.store.generation()
        except Exception as error:
            faults.note("cache.generation", error)
            news = object()  # nobody knows: trust nothing
        with self._lock:
            now = (self._generations, news)
            if now != self._generation:
                self._generation = now
                if self.store is not None:
                    self._memory.clear()
                    if self.similar is not None:
                        self.similar.index.forget()

    def _epoch(self, owner: str) -> int:
        return self._epochs[owner] if self.store is None else self.store.epoch(owner)

    def _after_fork(self) -> None:
        """The calls under way are the original's."""
        self._flights, self._lock, self._owner = {}, threading.RLock(), os.urandom(8).hex()
        if self.similar is not None:
            self.similar.index.after_fork()
        if self._writer is not None:
            self._writer.after_fork(self._owner)


def _lookup(settings: Similar, cache: ResponseCache, secret: bytes) -> Lookup:
    from tokenguard.cache.similar.lookup import Lookup

    return Lookup(settings, cache, secret)
