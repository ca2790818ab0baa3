"""A check of a directory tells what is damaged from what somebody else's key would open."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cache.conftest import Cached
from tests.transport.clients import GPT, chat
from tokenguard import Cache
from tokenguard.cache import upkeep
from tokenguard.cache.cipher import Cipher
from tokenguard.cache.disk import DiskStore
from tokenguard.cache.upkeep import Check
from tokenguard.testing import Provider

pytest.importorskip("cryptography")

KEY, TYPO = bytes(range(32)), bytes(range(31)) + b"\x1e"


@pytest.fixture
def filled(cached: Cached, provider: Provider, tmp_path: Path) -> Path:
    """Three answers, encrypted."""
    ask(cached, provider, tmp_path / "answers", KEY)
    return tmp_path / "answers"


def ask(cached: Cached, provider: Provider, folder: Path, key: bytes | None) -> list[str | None]:
    """Ask three questions, of a cache that is opened for them; gives where the answers came from."""
    guard = cached(Cache(store=folder, namespace="n", encryption_key=key))
    client = guard.wrap(chat(provider))
    uses: list[str | None] = []
    for text in "abc":
        message = [{"role": "user", "content": text}]
        receipt = guard.receipt(
            client.chat.completions.create(model=GPT, messages=message, temperature=0)  # type: ignore[arg-type]
        )
        assert receipt is not None
        uses.append(receipt.cache)
    guard.close()
    return uses


def checked(folder: Path, key: bytes | None, *, removes: bool = False, other_key: bool = False) -> Check:
    """What a check with a key finds, and has removed."""
    with upkeep.existing(folder) as store:
        found = upkeep.check(store, 0, None if key is None else Cipher(key))
        if removes:
            upkeep.discard(store, found, other_key=other_key)
    return found


def change(folder: Path, assignment: str) -> None:
    """Change one of the answers."""
    with closing(sqlite3.connect(folder / "cache.db", timeout=30)) as database, database:
        one = "(SELECT min(rowid) FROM Cache)"
        database.execute(f"UPDATE Cache SET {assignment} WHERE rowid = {one}")


def as_an_older_version_wrote_them(folder: Path) -> None:
    """Without the seal around what is encrypted."""
    with closing(DiskStore(folder)) as store:
        for label in list(store.labels()):
            blob = store.read(label.key)
            assert blob is not None
            store.set(label, b"tge1" + blob[4:-32], 3600)


def test_a_typo_in_the_key_does_not_make_a_good_cache_a_bad_one(
    filled: Path, cached: Cached, provider: Provider
) -> None:
    """Nothing is found damaged, nothing is removed, and with the right key all of it is there still."""
    found = checked(filled, TYPO, removes=True)
    assert (found.sound, found.encrypted, found.bad, len(found.other_key)) == (0, 0, (), 3)
    assert ask(cached, provider, filled, KEY) == ["hit"] * 3
    assert checked(filled, KEY) == (3, 0, 0, (), ())


def test_what_has_another_key_goes_if_that_is_asked_for(
    filled: Path, cached: Cached, provider: Provider
) -> None:
    """As after a change of the key; what the new one opens stays."""
    guard = cached(Cache(store=filled, namespace="m", encryption_key=TYPO))
    guard.wrap(chat(provider)).chat.completions.create(
        model=GPT, messages=[{"role": "user", "content": "a"}], temperature=0
    )
    guard.close()
    assert len(checked(filled, TYPO, removes=True, other_key=True).other_key) == 3
    assert checked(filled, TYPO) == (1, 0, 0, (), ())


DAMAGE = [
    "value = CAST(substr(value, 1, 60) || 'x' || substr(value, 62) AS BLOB)",
    "value = CAST(substr(value, 1, length(value) - 1) AS BLOB)",
    "value = (SELECT value FROM Cache ORDER BY rowid DESC LIMIT 1)",
    "value = CAST('tge1' AS BLOB)",
    "value = CAST('tge2' AS BLOB)",
    "tag = replace(tag, '\"n\"', '\"m\"')",
]


@pytest.mark.parametrize("key", [KEY, TYPO, None], ids=["key", "another key", "no key"])
@pytest.mark.parametrize("assignment", DAMAGE)
def test_damage_is_found_whatever_the_key(filled: Path, assignment: str, key: bytes | None) -> None:
    """Also by who cannot open anything; and only what is damaged is removed."""
    change(filled, assignment)
    found = checked(filled, key, removes=True)
    assert [bad.kind for bad in found.bad] == ["damaged"]
    assert found.sound + found.encrypted + len(found.other_key) == 2
    assert checked(filled, KEY) == (2, 0, 0, (), ())


def test_answers_of_an_older_version_are_read(filled: Path, cached: Cached, provider: Provider) -> None:
    """They have no seal of their own, and need none to be opened."""
    as_an_older_version_wrote_them(filled)
    assert ask(cached, provider, filled, KEY) == ["hit"] * 3
    assert checked(filled, KEY) == (3, 0, 0, (), ())


def test_answers_of_an_older_version_are_not_removed_for_a_typo(filled: Path) -> None:
    """Of them nobody can tell whether the key is another one or they are damaged, so they stay."""
    as_an_older_version_wrote_them(filled)
    found = checked(filled, TYPO, removes=True)
    assert (found.bad, len(found.other_key)) == ((), 3)
    assert checked(filled, KEY).sound == 3


def test_where_the_secret_was_changed_all_is_damaged(filled: Path) -> None:
    """Nobody can have it any more, with whatever key."""
    (filled / "secret").write_bytes(os.urandom(32))
    assert len(checked(filled, TYPO).bad) == 3
