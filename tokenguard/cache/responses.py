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
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic_ns as _monotonic_ns
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from tokenguard.cache.backing import Backing, News
from tokenguard.cache.cipher import Cipher
from tokenguard.cache.eligibility import ineligible
from tokenguard.cache.entry import Entry
from tokenguard.cache.flight import Flight
from tokenguard.cache.headers import CARRYING, ignorable
from tokenguard.cache.key import fingerprint, key, namespace
from tokenguard.cache.memory import Memory
from tokenguard.cache.negative import STATUSES, Negative, is_lasting
from tokenguard.cache.plan import Found, Generation, Plan
from tokenguard.cache.policy import Cache
from tokenguard.cache.store import CacheStore, Held, Which
from tokenguard.cache.storing import refusal
from tokenguard.call import CacheUse, Call, WholeReply, Wire
from tokenguard.dialects import Dialect

if TYPE_CHECKING:  # a cache without it does not load it
    from tokenguard.cache.similar import Similar
    from tokenguard.cache.similar.index import Row
    from tokenguard.cache.similar.lookup import Lookup

POLL_S: Final = 0.02
"""How often to look whether another process has brought the answer."""

_NAMES: Final = 4096
"""Of how many requests the key is remembered."""

_SPREAD: Final = 0.1
"""By how much of its length a ttl is longer or shorter, so that answers of one moment end at several."""


class _Named(NamedTuple):
    """A request's key, or why it has none."""

    key: str = ""
    namespace: str = ""
    epoch: int = 0
    reason: str | None = None
    asker: str = ""


class _Heard(NamedTuple):
    """What was invalidated so far, here and in the store."""

    generation: Generation
    epoch: int


class ResponseCache:
    """Answers, kept in memory and in a store.

    Args:
        settings: What to cache, and for how long.
        store: Where besides memory.
        monotonic_ns: A clock that never goes back, in nanoseconds.

    Attributes:
        counts: How many answers were kept (``stored``, or only in memory, as the store had too much to
            write already: ``store_busy``), refusals for a moment (``negative``), or neither (``refused:`` and
            the reason); how many entries had to go for others (``evicted:memory``, ``evicted:store``); how
            often the store took longer than a lookup may (``slow``), or was left alone for that
            (``left_alone``), since it was made. What came of lookups is in receipts and the ledger.
        backing: The store, as lookups see it.
        similar: Finds answers to similar questions, where that is wanted.
    """

    def __init__(
        self,
        settings: Cache,
        store: CacheStore | None = None,
        monotonic_ns: Callable[[], int] = _monotonic_ns,
    ) -> None:
        self.settings = settings
        self.store = store
        self.counts: Counter[str] = Counter({"stored": 0, "evicted:memory": 0})
        if store is not None:
            self.counts["evicted:store"] = 0
        self.wait_s = settings.wait_s
        self.poll_s = POLL_S
        self.may_block = store is not None and store.may_block
        self.missed = None
        self._ttl_s, self._stale_ns = settings.ttl_s, int(settings.stale_s * 1e9)
        self._memory = Memory(settings.memory_bytes)
        self._negative = Negative(settings.negative_ttl_s) if settings.negative_ttl_s else None
        key = settings.encryption_key
        cipher = None if key is None else Cipher(key)
        self._secret = os.urandom(32) if store is None else store.secret
        self.similar = None if settings.similar is None else _lookup(settings.similar, self, self._secret)
        self._ignored_headers = ignorable(settings.ignore_headers)
        self._passing = CARRYING | self._ignored_headers
        self._names: dict[bytes, _Named] = {}
        self._epochs: Counter[str] = Counter()  # of a cache without a store
        self._generation: Generation = (0, None)
        self._generations = 0  # of what was invalidated here
        self._trouble: object = object()  # stands for the store's generation while nobody can tell it
        self._flights: dict[str, Flight] = {}
        self._lock = threading.RLock()
        self._timeout_ns = int(settings.lookup_timeout_s * 1e9)
        self.backing = None
        if store is not None:
            self.backing = Backing(store, cipher, self._timeout_ns, monotonic_ns, self.counts)
            self.backing.sweep(at_once=False)  # somebody may have ended before it was done
        if hasattr(os, "register_at_fork"):
            method = weakref.WeakMethod(self._after_fork)
            os.register_at_fork(after_in_child=lambda: (made := method()) and made())

    def plan(self, call: Call, dialect: Dialect) -> Plan | None:
        """What a call wants of the cache; ``None`` where it is to be passed by. Says so in ``call.cache``.

        It asks nothing of the store: an event loop may run it.
        """
        wish, wire = call.cache_wish, call.wire
        if wish.use == "bypass" or wire is None:
            call.cache = CacheUse("bypass", "asked_for" if wish.use == "bypass" else "not_json")
            return None
        named = self._named(call, wire, dialect)
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
            asker=named.asker,
            epoch=named.epoch,
            keyed=partial(self._key, call, wire, dialect.provider, named.namespace),
            provider=dialect.provider,
            shares=shares,
            use=call.cache,
        )

    def _named(self, call: Call, wire: Wire, dialect: Dialect) -> _Named:
        """The key of a request. Working it out costs more than all else of a hit, so it is remembered."""
        mark = fingerprint(call, wire, self._passing)
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
        asker = namespace(wire, self._secret)
        owner = self.settings.namespace or asker
        epoch = self._epoch(owner)
        return _Named(self._key(call, wire, dialect.provider, owner, epoch), owner, epoch, asker=asker)

    def _key(self, call: Call, wire: Wire, provider: str, owner: str, epoch: int) -> str:
        return key(
            call,
            wire,
            provider=provider,
            namespace=owner,
            epoch=epoch,
            ignored=self.settings.ignore,
            ignored_headers=self._ignored_headers,
        )

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
        plan.begin(self._timeout_ns, refresh=refresh)
        heard = self._hear(plan)
        if isinstance(heard, str):  # nobody knows what was given up, which may not come back
            plan.generation = None
            plan.pass_by(heard)
            return Found("lead") if refresh or not leads else self._leads_or_follows(plan) or Found("lead")
        plan.generation = heard.generation
        if plan.epoch != heard.epoch:
            self.let_go(plan)
            plan.move(heard.epoch)
        entry = None if refresh else self._kept(plan, now_ns) or self._refused(plan, now_ns)
        if entry is not None:
            self._land(plan, entry)
            return Found("hit", entry)
        if not leads or refresh or not plan.shares:
            return Found("lead")
        return self._leads_or_follows(plan) or self._lease(plan, now_ns)

    def _leads_or_follows(self, plan: Plan) -> Found | None:
        """Whom to wait for in this process; ``None`` for whoever asks, for all who come meanwhile."""
        if plan.leads is None and plan.shares:
            with self._lock:
                now = plan.generation or (self._generations, self._trouble)
                flight = self._flights.get(plan.key)
                if flight is not None and flight.generation == now:
                    return Found("wait", flight=flight)
                plan.leads = self._flights[plan.key] = Flight(now)
        return None

    def _kept(self, plan: Plan, now_ns: int) -> Entry | None:
        """The fresh entry of memory or of the store; one that is not fresh any more is noted in the plan."""
        entry = self._remembered(plan.generation, plan.key)
        if entry is None or entry.expires_ns <= now_ns:
            entry = self._stored(plan, plan.key) or entry
        if entry is None:
            return None
        if entry.expires_ns > now_ns:
            if self.backing is not None:
                self.backing.used(plan.key)
            return entry
        if now_ns < entry.expires_ns + self._stale_ns:
            plan.stale = entry
        return None

    def _stored(self, plan: Plan, key: str) -> Entry | None:
        entry = None if self.backing is None else self.backing.read(plan, key)
        return entry if entry is not None and self._remember(plan, entry) else None

    def _remembered(self, heard: Generation | None, key: str) -> Entry | None:
        """What is in memory under a key, for who has just heard that nothing of it was invalidated."""
        with self._lock:
            return self._memory.get(key) if heard == self._generation else None

    def _refused(self, plan: Plan, now_ns: int) -> Entry | None:
        """The refusal that the same request got a moment ago."""
        if self._negative is None:
            return None
        with self._lock:
            return self._negative.get(plan, now_ns) if plan.generation == self._generation else None

    def _remember(self, plan: Plan, entry: Entry) -> bool:
        """Keep an entry or a refusal in memory, unless something was invalidated since the plan heard of it.

        What another process invalidated may not have been heard of yet. It is before memory is read again.
        """
        with self._lock:
            if plan.generation != self._generation or self._generation[0] != self._generations:
                return False
            if entry.refuses and self._negative is not None:
                self._negative.put(plan, entry)
                return True
            evicted = self._memory.put(entry)
            if evicted:
                self.counts["evicted:memory"] += evicted
            return True

    def _lease(self, plan: Plan, now_ns: int) -> Found:
        """Lead among the processes, too; or learn that another one does, or has just done so."""
        taken = None if self.backing is None else self.backing.lease(plan)
        if self.backing is None or taken is None:
            return Found("lead")
        if not taken:
            return Found("elsewhere")
        plan.leased = True
        entry = self._kept(plan, now_ns)  # it may have come between our looking and our lease
        if entry is not None:
            self.let_go(plan, entry)
            return Found("hit", entry)
        self.backing.keep_up(plan.key)
        return Found("lead")

    def fresh(self, plan: Plan, key: str, now_ns: int) -> Entry | None:
        """The fresh answer to another question, for a plan that is in the same namespace."""
        heard = self._hear(plan)
        if isinstance(heard, str) or plan.epoch != heard.epoch:
            return None
        entry = self._remembered(heard.generation, key)
        if entry is None or entry.expires_ns <= now_ns:
            entry = self._stored(plan, key)
        if entry is None or entry.expires_ns <= now_ns or entry.namespace != plan.namespace:
            return None
        if self.backing is not None:
            self.backing.used(key)
        return entry

    def takes(self, status: int) -> bool:
        """Whether it keeps some refusals of this status."""
        return self._negative is not None and status in STATUSES

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
        if reason == "status" and self._negative is not None and is_lasting(call, reply):
            reason = None
        if plan.generation is None:  # nobody knows what was invalidated since
            reason = reason or (call.cache.reason if call.cache is not None else None) or "store"
        elif self.backing is None or self.backing.quick:
            plan.left_ns = self._timeout_ns
            self._hear(plan)
        if reason is None and plan.generation != self._generation:
            reason = "invalidated"
        if reason is not None:
            self.counts["refused:" + reason] += 1
        plan.keeps = reason is None
        if call.cache is not None and call.cache.status != "bypass":
            call.cache.reason = reason
        if reply.body is None or reason in ("status", "unfinished", "too_large", "error"):
            return None
        return Entry(
            key=plan.key,
            stored_ns=now_ns,
            expires_ns=self._expires_ns(plan, reply.status, now_ns),
            status=reply.status,
            content_type=reply.kind,
            body=reply.body,
            answered=reply.answered._replace(text=""),
            request_id=reply.request_id,
            dialect=call.dialect,
            model=call.asked.model,
            namespace=plan.namespace,
            tags=plan.tags,
            epoch=plan.epoch,
        )

    def _expires_ns(self, plan: Plan, status: int, now_ns: int) -> int:
        if status != 200 and self._negative is not None:
            return self._negative.expires_ns(plan, now_ns)
        spread = 1 + _SPREAD * (int(plan.key[:8], 16) / 2**31 - 1)
        return now_ns + int(plan.ttl_s * spread * 1e9)

    def put(self, plan: Plan, entry: Entry, *, keeps: bool) -> None:
        """Give an answer to all who wait for it, and keep it. Never waits for the store."""
        if keeps and plan.generation is not None:
            self._remember(plan, entry)
            if entry.refuses:
                self.counts["negative"] += 1
            else:
                self.counts[self._written(plan, entry)] += 1
                self._note(plan, entry)
        self._land(plan, entry)

    def _written(self, plan: Plan, entry: Entry) -> str:
        """Have the store keep an entry, too; gives what is to be counted."""
        if self.backing is None:
            return "stored"
        keep_s = plan.ttl_s * (1 + _SPREAD) + self._stale_ns / 1e9
        return "stored" if self.backing.write(entry, keep_s, plan.store_generation) else "store_busy"

    def _land(self, plan: Plan, entry: Entry) -> None:
        """Give an entry to all who wait for it; but not what one credential may not do to another one."""
        self.let_go(plan, None if entry.refuses and plan.asker != plan.namespace else entry)

    def _note(self, plan: Plan, entry: Entry) -> None:
        """Note which question was answered, for similar ones."""
        if self.similar is None or plan.question is None:
            return
        if plan.audited is not None:
            self.similar.audited(plan.audited, entry)
        row = self.similar.note(plan.question, entry)
        if row is not None and self.backing is not None:
            write = partial(self._write_page, self.similar, self.backing, plan, row)
            if not self.backing.do(write, row.size):
                self.counts["index_busy"] += 1

    def _write_page(self, similar: Lookup, backing: Backing, plan: Plan, row: Row) -> None:
        page = similar.page(plan, row)
        backing.write_now(page, (page.expires_ns - row.stored_ns) / 1e9, plan.store_generation)

    def let_go(self, plan: Plan, entry: Entry | None = None, similarity: float | None = None) -> None:
        """Wait for nothing and lead nobody any more; whoever follows gets ``entry``, or asks for itself."""
        flight, plan.leads = plan.leads, None
        if flight is not None:
            with self._lock:
                if self._flights.get(plan.key) is flight:
                    del self._flights[plan.key]
            flight.land(entry, similarity)
        if plan.leased and self.backing is not None:
            plan.leased = False
            self.backing.give_back(plan.key)

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
        again. They are removed from the store in the background; :meth:`flush` waits until they are gone.
        Only those in memory are counted.
        """
        which = Which(tag, model, namespace, stored_before_ns)
        whole = namespace is not None and which == Which(namespace=namespace)
        if namespace is not None and whole:
            if self.store is None:
                self._epochs[namespace] += 1
            else:
                self.store.end_epoch(namespace)
        with self._lock:
            self._generations += 1
            removed = self._memory.remove(which)
            if self._negative is not None:
                removed += self._negative.remove(which)
        if self.store is not None and self.backing is not None:
            if whole:
                self.backing.sweep()
            else:
                self.backing.flush(sweeps=False)  # what still waits to be written is to be removed, too
                removed = self.store.remove(which)
        if self.similar is not None:
            self.similar.index.forget(self._memory.__contains__ if self.store is None else None)
        return removed

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all is in the store that is to be, and nothing else; False if that took too long."""
        return True if self.backing is None else self.backing.flush(timeout_s)

    def close(self) -> None:
        """Write what is left, and let go of the store."""
        if self.backing is not None:
            self.backing.close()

    def held(self) -> Iterator[Held]:
        """What memory, the index of similar questions and the store have at present. Never raises."""
        yield Held("memory", id(self), len(self._memory), self._memory.bytes)
        if self.similar is not None:
            yield Held("index", id(self), len(self.similar.index), self.similar.index.bytes)
        there = None if self.backing is None else self.backing.held()
        if there is not None:
            yield there

    def _hear(self, plan: Plan) -> _Heard | Literal["slow", "store"]:
        """Hear of what was invalidated, here or in another process; or why nobody can tell."""
        news = News(None, self._epochs[plan.namespace]) if self.backing is None else self.backing.news(plan)
        if isinstance(news, str):
            return news
        with self._lock:
            now = (self._generations, news.generation)
            if now != self._generation:
                self._generation, self._trouble = now, object()
                if self.backing is not None:
                    self._memory.clear()
                    if self._negative is not None:
                        self._negative.clear()
                    if self.similar is not None:
                        self.similar.index.forget()
        return _Heard(now, news.epoch)

    def _epoch(self, owner: str) -> int:
        """How often a namespace was given up, as far as was heard last."""
        return self._epochs[owner] if self.backing is None else self.backing.epoch(owner)

    def _after_fork(self) -> None:
        """The calls under way are the original's."""
        self._flights, self._lock = {}, threading.RLock()
        self._memory.after_fork()
        if self._negative is not None:
            self._negative.after_fork()
        if self.similar is not None:
            self.similar.index.after_fork()
        if self.backing is not None:
            self.backing.after_fork()


def _lookup(settings: Similar, cache: ResponseCache, secret: bytes) -> Lookup:
    from tokenguard.cache.similar.lookup import Lookup

    return Lookup(settings, cache, secret)
