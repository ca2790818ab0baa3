"""Answers in memory, in front of every store: the ones used last, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict

from tokenguard.cache.entry import Entry
from tokenguard.cache.store import Label, Which


class Memory:
    """The entries used last. Safe to share between threads.

    Args:
        max_bytes: About how much memory they may take.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._lock = threading.RLock()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def get(self, key: str) -> Entry | None:
        """The entry under a key, stale or not."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def put(self, entry: Entry) -> int:
        """Keep an entry, and let go of those used longest ago where there is no room for all.

        Gives how many had to go.
        """
        with self._lock:
            old = self._entries.pop(entry.key, None)
            self.bytes -= old.size if old else 0
            if entry.size > self._max_bytes:
                return 0
            self.bytes += entry.size
            self._entries[entry.key] = entry
            evicted = 0
            while self.bytes > self._max_bytes:
                _, last = self._entries.popitem(last=False)
                self.bytes -= last.size
                evicted += 1
            return evicted

    def remove(self, which: Which) -> int:
        """Remove entries; gives how many there were."""
        with self._lock:
            found = [key for key, entry in self._entries.items() if which.holds(label_of(entry))]
            for key in found:
                self.bytes -= self._entries.pop(key).size
            return len(found)

    def clear(self) -> None:
        """Remove all."""
        with self._lock:
            self._entries.clear()
            self.bytes = 0

    def after_fork(self) -> None:
        """Whoever held the lock is not here."""
        self._lock = threading.RLock()


def label_of(entry: Entry) -> Label:
    """What can be seen of an entry from outside."""
    return Label(
        entry.key,
        entry.namespace,
        entry.model,
        entry.dialect,
        entry.tags,
        entry.stored_ns,
        entry.expires_ns,
        len(entry.body),
        entry.epoch,
    )
