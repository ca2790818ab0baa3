"""With a key, the store's files say nothing to whoever has them."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cache.conftest import Cached
from tests.transport.clients import GPT, HELLO, chat
from tokenguard import Cache, ConfigError, Guard, faults
from tokenguard.cache.cipher import Cipher, is_whole
from tokenguard.testing import Answer, Provider

KEY, SECRET = bytes(range(32)), b"s" * 32


@given(st.binary(), st.text(), st.text())
def test_what_goes_in_comes_out(plain: bytes, key: str, namespace: str) -> None:
    """Any bytes, under any name."""
    cipher = Cipher(KEY)
    blob = cipher.encrypted(plain, key, namespace, SECRET)
    assert cipher.decrypted(blob, key, namespace) == plain
    assert is_whole(blob, key, namespace, SECRET)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_nothing_else_comes_out(plain: bytes, data: st.DataObject) -> None:
    """Moved to another key or namespace, changed by a bit, cut, or with another key: it does not open."""
    cipher = Cipher(KEY)
    blob = cipher.encrypted(plain, "k", "n", SECRET)
    at = data.draw(st.integers(0, len(blob) - 33))  # the seal behind it is not for who opens it
    changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
    for other, key, namespace in (
        (blob, "l", "n"),
        (blob, "k", "m"),
        (changed, "k", "n"),
        (blob[:at], "k", "n"),
        (plain, "k", "n"),
    ):
        with pytest.raises(ValueError, match="it "):
            cipher.decrypted(other, key, namespace)
    with pytest.raises(ValueError, match="another key"):
        Cipher(os.urandom(32)).decrypted(blob, "k", "n")


@given(st.binary(max_size=60), st.text(max_size=3), st.text(max_size=3), st.data())
def test_who_has_no_key_can_tell_damage(plain: bytes, key: str, namespace: str, data: st.DataObject) -> None:
    """Every bit counts, and under which name in which namespace it was written, and by which store."""
    blob = Cipher(os.urandom(32)).encrypted(plain, key, namespace, SECRET)
    at = data.draw(st.integers(0, len(blob) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    assert not is_whole(blob[:at] + bytes([blob[at] ^ bit]) + blob[at + 1 :], key, namespace, SECRET)
    assert not is_whole(blob[:at], key, namespace, SECRET)
    assert not is_whole(blob, key, namespace, b"t" * 32)
    other = data.draw(st.tuples(st.text(max_size=3), st.text(max_size=3)))
    assert is_whole(blob, *other, SECRET) == (other == (key, namespace))


@pytest.mark.parametrize("key", [b"short", "not base64!", base64.b64encode(b"short").decode(), ""])
def test_a_bad_key_is_an_error_at_once(key: bytes | str, tmp_path: Path) -> None:
    """And the message does not show it."""
    with pytest.raises(ConfigError, match="32 random bytes") as refused:
        Guard(cache=Cache(store=tmp_path / "answers", encryption_key=key), ledger=None)
    assert not key or str(key) not in str(refused.value)
    assert "short" not in repr(Cache(store=tmp_path / "answers", encryption_key="short"))


def test_files_say_nothing(provider: Provider, cached: Cached, tmp_path: Path) -> None:
    """Neither the answer nor the model's id for it can be read; with the key a later process reads all."""
    provider.answer(Answer("the secret recipe"))

    def ask(encryption_key: bytes | str) -> str | None:
        guard = cached(Cache(store=tmp_path / "answers", namespace="n", encryption_key=encryption_key))
        answer = guard.wrap(chat(provider)).chat.completions.create(model=GPT, messages=HELLO, temperature=0)
        assert answer.choices[0].message.content == "the secret recipe"
        receipt = guard.receipt(answer)
        guard.close()
        assert receipt is not None
        return receipt.cache

    assert ask(KEY) == "miss"
    on_disk = b"".join(file.read_bytes() for file in (tmp_path / "answers").iterdir())
    assert b"secret recipe" not in on_disk
    assert b"chatcmpl" not in on_disk
    assert ask(base64.b64encode(KEY).decode()) == "hit"
    before = faults.counts().get("cache.get", 0)
    assert ask(os.urandom(32)) == "miss"
    assert faults.counts()["cache.get"] > before
