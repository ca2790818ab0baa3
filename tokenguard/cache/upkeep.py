"""Look after a directory of answers from outside, as the command line does: nothing here makes one.

Nor does anything here evict: how much a directory may take is for those to say who put the answers there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple

from tokenguard.cache.cipher import Cipher, is_encrypted, is_whole
from tokenguard.cache.disk import DiskStore
from tokenguard.cache.disk.files import in_words
from tokenguard.cache.entry import Entry, opened
from tokenguard.cache.memory import label_of
from tokenguard.cache.store import Label, Which

_BOUNDLESS: Final = 2**62


@contextmanager
def existing(directory: Path) -> Iterator[DiskStore]:
    """The store in a directory, while it is looked after.

    Raises:
        FileNotFoundError: There is no cache.
        ConfigError: It cannot be used, or diskcache is not installed. The message says what to do.
    """
    directory = directory.expanduser()
    if not is_cache(directory):
        raise FileNotFoundError(f"no cache at {directory}")
    with closing(DiskStore(directory, max_bytes=_BOUNDLESS, make=False)) as store:
        try:
            yield store
        except (sqlite3.Error, OSError) as error:
            raise in_words(directory, error) from error


def is_cache(directory: Path) -> bool:
    """Whether there is a cache in a directory.

    Raises:
        ConfigError: It may not be looked into.
    """
    try:
        return all((directory.expanduser() / name).is_file() for name in ("cache.db", "secret"))
    except OSError as error:
        raise in_words(directory, error) from error


def find(store: DiskStore, beginning: str) -> list[Label]:
    """The labels of the answers whose keys begin so."""
    found = (label for label in store.listed() if isinstance(label, Label) and label.is_answer)
    return [label for label in found if label.key.startswith(beginning)]


class EncryptedError(ValueError):
    """An answer is encrypted, and there is no key to open it with."""


class OtherKeyError(EncryptedError):
    """An answer is encrypted, and as it was written, but the key to open it with is another one.

    Attributes:
        key: The answer's own.
    """

    def __init__(self, key: str) -> None:
        super().__init__("it is encrypted with another key than the configured one")
        self.key = key


def entry(store: DiskStore, label: Label, cipher: Cipher | None = None) -> Entry | None:
    """The answer that a label is on; ``None`` where it is gone.

    Args:
        store: Where it is.
        label: Its label.
        cipher: What it may be encrypted with.

    Raises:
        EncryptedError: It is encrypted, and there is no cipher.
        OtherKeyError: It is encrypted, and with another key than the cipher's.
        ValueError: It is damaged, refused, or not what its label says. The message says how.
    """
    blob = store.read(label.key)
    return None if blob is None else _entry(label, blob, store.secret, cipher)


def _entry(label: Label, blob: bytes, secret: bytes, cipher: Cipher | None) -> Entry:
    if is_encrypted(blob):
        if not is_whole(blob, label.key, label.namespace, secret):
            raise ValueError("it has changed since it was encrypted")
        if cipher is None:
            raise EncryptedError("it is encrypted, and no key is configured")
        try:
            blob = cipher.decrypted(blob, label.key, label.namespace)
        except ValueError as error:
            raise OtherKeyError(label.key) from error
    try:
        found = opened(blob, label.key, secret)
    except (TypeError, LookupError, AttributeError) as error:  # the seal is ours, the shape is not
        raise ValueError("it is of another version") from error
    if label_of(found) != label:
        raise ValueError("its label says something else")  # labels have no seal
    return found


def invalidate(store: DiskStore, which: Which) -> int:
    """Remove answers, in every process, with all that a guard does for it; gives how many there were."""
    whole = which.namespace is not None and which == Which(namespace=which.namespace)
    if which.namespace is not None and whole:
        store.end_epoch(which.namespace)
    removed = store.remove(which)
    for _ in store.sweep():  # a guard has this done in the background
        pass
    return removed


class Bad(NamedTuple):
    """Something in a directory that is no answer.

    Attributes:
        kind: ``damaged``: it has a label of ours, but its seal is broken, or the two do not go together.
            ``refused``: it is nothing that we ever write.
        reason: What is wrong.
        key: Its key, where it has one that can be believed.
    """

    kind: Literal["damaged", "refused"]
    reason: str
    key: str | None = None


class Check(NamedTuple):
    """What a directory was found to have.

    Attributes:
        sound: How many entries are as they were written, stale answers and pages of an index included.
        stale: How many of them are stale.
        encrypted: How many there are that are as they were written, and need a key to be opened.
        bad: All else.
        other_key: The keys of those that are as they were written, but with another key than the one that
            there is. Of those that an older version encrypted nobody can tell that from damage; they count
            as having another key.
    """

    sound: int
    stale: int
    encrypted: int
    bad: tuple[Bad, ...]
    other_key: tuple[str, ...] = ()


def check(store: DiskStore, now_ns: int, cipher: Cipher | None = None) -> Check:
    """Open every entry: its seal, its key and its label.

    Args:
        store: What to check.
        now_ns: The time, Unix nanoseconds.
        cipher: What entries may be encrypted with.
    """
    sound = stale = encrypted = 0
    bad: list[Bad] = []
    other_key: list[str] = []
    for label in store.listed():
        try:
            found = _looked_into(store, label, cipher)
        except OtherKeyError as error:
            other_key.append(error.key)
            continue
        except EncryptedError:
            encrypted += 1
            continue
        if isinstance(found, Bad):
            bad.append(found)
        elif found is not None:
            sound += 1
            stale += found.expires_ns <= now_ns
    return Check(sound, stale, encrypted, tuple(bad), tuple(other_key))


def _looked_into(store: DiskStore, label: Label | ValueError, cipher: Cipher | None) -> Entry | Bad | None:
    if isinstance(label, ValueError):
        return Bad("refused", str(label))
    try:
        blob = store.read(label.key)
    except ValueError as error:
        return Bad("refused", str(error), label.key)
    if blob is None:
        return None  # removed meanwhile
    try:
        return _entry(label, blob, store.secret, cipher)
    except EncryptedError:
        raise
    except ValueError as error:
        return Bad("damaged", str(error), label.key)


def discard(store: DiskStore, found: Check, *, other_key: bool = False) -> None:
    """Remove what is bad, and nothing else; but what has another key as well, if that is said."""
    # A store gives up whatever has no label of ours whenever it removes something.
    doomed = {bad.key for bad in found.bad if bad.key is not None}
    store.remove(Which(keys=frozenset(doomed.union(found.other_key if other_key else ()))))
