"""A cache's store as its calls see it: no lookup waits for it long, and no write at all.

Whatever goes wrong there is a miss. What is read is opened, and what is written is sealed, on the way.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Hashable
from functools import partial
from typing import Final, Literal, NamedTuple

from tokenguard import faults
from tokenguard.cache.aside import Aside
from tokenguard.cache.cipher import Cipher
from tokenguard.cache.entry import Entry, opened, sealed
from tokenguard.cache.memory import label_of
from tokenguard.cache.patience import Patience, SlowError
from tokenguard.cache.plan import Plan
from tokenguard.cache.store import CacheStore, Held
from tokenguard.cache.writer import LEASE_S, Writer

_NAMESPACES: Final = 4096
"""Of how many the epoch is remembered."""


class News(NamedTuple):
    """What was invalidated so far.

    Attributes:
        generation: The store's: another one once anything was.
        epoch: How often a namespace was given up.
    """

    generation: Hashable
    epoch: int


class Backing:
    """The store of one cache.

    Args:
        store: It.
        cipher: Encrypts what is in it.
        timeout_ns: How long one lookup may take in it, in nanoseconds.
        monotonic_ns: A clock that never goes back, in nanoseconds.
        counts: Where it is counted how often it took longer (``slow``), and was left alone for that
            (``left_alone``); and how many entries had to go for others (``evicted:store``).
    """

    def __init__(
        self,
        store: CacheStore,
        cipher: Cipher | None,
        timeout_ns: int,
        monotonic_ns: Callable[[], int],
        counts: Counter[str],
    ) -> None:
        self._store = store
        self._cipher = cipher
        self._counts = counts
        self._closed = False
        self._owner = os.urandom(8).hex()
        self._writer = Writer(store, self._owner)
        self._aside = Aside() if store.may_block else None
        # Each on its own: while entries come late, what was invalidated may be known, and memory be trusted.
        self._news, self._entries, self._leases = [
            Patience(timeout_ns, monotonic_ns, self._writer.do, self._aside, counts) for _ in range(3)
        ]
        self._epochs: dict[str, News] = {}

    @property
    def quick(self) -> bool:
        """Whether it tells at once what was invalidated."""
        return self._news.quick

    def news(self, plan: Plan) -> News | Literal["slow", "store"]:
        """What was invalidated, by any process; or why that is not known."""
        try:
            return self._news.ask(plan, lambda _: self._ask_for_news(plan.namespace))
        except SlowError:
            return "slow"
        except Exception as error:
            faults.note("cache.generation", error)
            return "store"

    def _ask_for_news(self, namespace: str) -> News:
        """The epoch is asked for once in each generation."""
        generation, known = self._store.generation(), self._epochs.get(namespace)
        if known is None or known.generation != generation:
            if len(self._epochs) >= _NAMESPACES:
                self._epochs.clear()
            known = self._epochs[namespace] = News(generation, self._store.epoch(namespace))
        return known

    def epoch(self, namespace: str) -> int:
        """How often a namespace was given up, as far as was heard last. The store is not asked."""
        known = self._epochs.get(namespace)
        return 0 if known is None else known.epoch

    def read(self, plan: Plan, key: str) -> Entry | None:
        """What is under a key, for a plan that is in the same namespace and still has time."""
        try:
            blob = self._entries.ask(plan, partial(self._store.get, key))
            return None if blob is None else self._opened(plan, key, blob)
        except SlowError:
            plan.pass_by("slow")
        except Exception as error:
            faults.note("cache.get", error)
        return None

    def load(self, plan: Plan, key: str) -> Entry | None:
        """The same in the background, where nobody waits."""
        try:
            blob = self._store.get(key)
            return None if blob is None else self._opened(plan, key, blob)
        except Exception as error:
            faults.note("cache.get", error)
            return None

    def _opened(self, plan: Plan, key: str, blob: bytes) -> Entry:
        if self._cipher is not None:
            blob = self._cipher.decrypted(blob, key, plan.namespace)
        return opened(blob, key, self._store.secret)

    def used(self, key: str) -> None:
        """Note that an entry was used: it is evicted last."""
        self._writer.used(key)

    def lease(self, plan: Plan) -> bool | None:
        """Take the lease of a plan's key; False while another process has it, ``None`` if nobody knows."""
        try:
            taken: bool = self._leases.ask(
                plan,
                partial(self._store.acquire, plan.key, self._owner, LEASE_S),
                undo=partial(self._not_wanted, plan.key),
                repeatable=False,
                even_late=True,  # for without it, other processes would ask the provider, too
            )
            return taken
        except SlowError:
            plan.pass_by("slow")
        except Exception as error:
            faults.note("cache.lease", error)
        return None

    def _not_wanted(self, key: str, taken: bool) -> None:
        """A lease came when nobody waited for it any more."""
        if taken and not self._writer.keeps_up(key):  # which a later call does that got the same one
            self._writer.give_back(key)

    def keep_up(self, key: str) -> None:
        """Prolong a lease until it is given back."""
        self._writer.keep_up(key)

    def give_back(self, key: str) -> None:
        """Give a lease back, once all that was to be written is."""
        self._writer.give_back(key)

    def write(self, entry: Entry, keep_s: float, generation: Hashable) -> bool:
        """Have an entry written soon, for so many seconds, if the generation is still that one then.

        False, and it is not, where too much waits to be written already.
        """
        return self.do(partial(self.write_now, entry, keep_s, generation), entry.size)

    def do(self, work: Callable[[], object], size: int) -> bool:
        """Have something done soon that writes about so many bytes; False where too many wait already."""
        return self._writer.do(work, size)

    def write_now(self, entry: Entry, keep_s: float, generation: Hashable) -> None:
        """Write an entry, in the background.

        Raises:
            Exception: The store does.
        """
        blob = sealed(entry, self._store.secret)
        if self._cipher is not None:
            blob = self._cipher.encrypted(blob, entry.key, entry.namespace, self._store.secret)
        evicted = self._store.set(label_of(entry), blob, keep_s, generation)
        if evicted:
            self._counts["evicted:store"] += evicted

    def held(self) -> Held | None:
        """What is in it at present; ``None`` where that is not known. Never raises."""
        try:
            return None if self._closed else self._store.held()  # what is closed would be opened again
        except Exception as error:
            faults.note("cache.held", error)
            return None

    def sweep(self, *, at_once: bool = True) -> None:
        """Have what was given up removed in the background; ``at_once``, or when there is something to do."""
        self._writer.sweep(at_once=at_once)

    def flush(self, timeout_s: float = 10.0, *, sweeps: bool = True) -> bool:
        """Wait until all that was asked for is done, sweeps included; False if that took too long."""
        return self._writer.flush(timeout_s, sweeps=sweeps)

    def close(self) -> None:
        """Write what is left, and let go of the store."""
        self._closed = True
        self._writer.close()
        if self._aside is not None:
            self._aside.close()
        self._store.close()

    def after_fork(self) -> None:
        """In a copy of the process: leases, threads and what waits to be written are the original's."""
        self._owner = os.urandom(8).hex()
        self._writer.after_fork(self._owner)
        for patience in (self._news, self._entries, self._leases):
            patience.after_fork()
        if self._aside is not None:
            self._aside.after_fork()
