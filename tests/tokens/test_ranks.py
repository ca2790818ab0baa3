"""The ranks that are carried along are OpenAI's, to the byte, and need no network."""

import hashlib
import lzma
import socket
import subprocess
import sys
import threading
from importlib.resources import files

import pytest
from tiktoken_ext import openai_public

from tokenguard.tokens import ranks


@pytest.mark.parametrize(("pin", "name"), ranks.PINS.items())
def test_the_published_file_comes_back_byte_for_byte(pin: str, name: str) -> None:
    """What is unpacked has the hash that tiktoken pins."""
    assert hashlib.sha256(ranks.unpack(name)).hexdigest() == pin


def test_the_data_files_can_be_made_again() -> None:
    """Packing a published file gives the content of the data file (xz itself may differ by version)."""
    packed = ranks.pack(ranks.unpack("cl100k_base"))
    kept = files("tokenguard.tokens").joinpath("data", "cl100k_base.xz").read_bytes()
    assert lzma.decompress(packed) == lzma.decompress(kept)


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
def test_tiktoken_still_pins_these_ranks(name: str) -> None:
    """A release of tiktoken that changed its ranks would be noticed here, before wrong counts are."""
    asked = []

    def loader(url: str, expected_hash: str) -> dict[bytes, int]:
        asked.append(expected_hash)
        return {}

    constructor = getattr(openai_public, name)
    type(constructor)(constructor.__code__, {**vars(openai_public), "load_tiktoken_bpe": loader})()
    assert [ranks.PINS.get(pin) for pin in asked] == [name]


def test_counting_opens_no_socket_and_touches_neither_environment_nor_tiktoken() -> None:
    """The first count in a fresh process works with every socket forbidden, and leaves no trace."""
    program = """
import os, socket
def forbidden(*args, **kwargs): raise AssertionError("a socket was opened")
socket.socket = forbidden
before = dict(os.environ)
from tokenguard.tokens import text
assert text.count("hello world", "gpt-4o") == 2
assert text.count("hello world", "gpt-4") == 2
import tiktoken.load, tiktoken.registry, tiktoken_ext.openai_public as public
assert dict(os.environ) == before
assert public.load_tiktoken_bpe is tiktoken.load.load_tiktoken_bpe
assert not tiktoken.registry.ENCODINGS
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_importing_loads_nothing() -> None:
    """Importing the room does not import tiktoken; that comes with the first count."""
    program = (
        "import sys, tokenguard.tokens.text, tokenguard.tokens.estimate; assert 'tiktoken' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_all_threads_share_one_encoding() -> None:
    """However many threads ask first at once, an encoding is made once."""
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(ranks.encoding("cl100k_base"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_the_harmony_encoding_is_offline_too() -> None:
    """Encodings that share ranks share the data file."""
    assert ranks.encoding("o200k_harmony").encode_ordinary("hello world") == [24912, 2375]


def test_a_damaged_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranks that are not the published ones are never counted with."""
    monkeypatch.setitem(ranks._DIGESTS, "o200k_base", "0" * 64)
    with pytest.raises(ValueError, match="damaged"):
        ranks.tokens("o200k_base")


def test_an_unknown_encoding_is_an_error() -> None:
    """A name that tiktoken does not know is said so."""
    with pytest.raises(ValueError, match="no_such"):
        ranks.encoding("no_such")


def test_a_rank_file_with_a_gap_cannot_be_packed() -> None:
    """The compact form stores no ranks, so it refuses files whose ranks are not 0, 1, 2 ..."""
    with pytest.raises(ValueError, match="rank 2 stands where rank 1 belongs"):
        ranks.pack(b"YQ== 0\nYg== 2\n")


def test_ranks_that_tiktoken_changed_come_from_tiktoken(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pin we do not know, tiktoken's own loader is asked: here, for a file without network."""

    def forbidden(*args: object, **kwargs: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", forbidden)
    with pytest.raises(FileNotFoundError):
        ranks._load("/nowhere/new.tiktoken", "1" * 64)
