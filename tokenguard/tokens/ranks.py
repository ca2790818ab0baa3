"""OpenAI's BPE ranks, carried along so that the first count needs no network; see data/NOTICE.

The encodings themselves (split pattern, special tokens) stay tiktoken's: its own constructors are
run with a loader that looks ranks up by the SHA-256 that tiktoken pins. If tiktoken ever pins other
ranks than the ones carried here, its own loader is used, network and all, instead of wrong ranks.
"""

from __future__ import annotations

import threading
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import tiktoken

PINS: Final = {
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d": "o200k_base",
    "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7": "cl100k_base",
}
"""SHA-256 of OpenAI's rank files, as tiktoken pins them (tiktoken_ext/openai_public.py), to our files."""

_DIGESTS: Final = {
    "o200k_base": "13e3633c4474b66530380ca1ea67c04a062c4066d2fcf497236095397071e534",
    "cl100k_base": "ce272ac4a17e00a20c34c50b7573dbc7297be4ab56b243bb78ced58409e24b8f",
}
"""SHA-256 of each data file here. A test proves that they hold exactly the bytes of :data:`PINS`."""

_encodings: dict[str, tiktoken.Encoding] = {}
_lock = threading.Lock()


def encoding(name: str) -> tiktoken.Encoding:
    """The encoding of that name: loaded on first use (about half a second), then shared by all threads.

    Args:
        name: ``o200k_base``, ``cl100k_base`` or ``o200k_harmony`` offline; any other name that tiktoken
            knows is left to tiktoken, which downloads its ranks.

    Raises:
        ValueError: tiktoken knows no encoding of that name, or a data file here is damaged.
    """
    found = _encodings.get(name)
    if found is None:
        with _lock:
            found = _encodings.get(name)
            if found is None:
                found = _encodings[name] = _construct(name)
    return found


def _construct(name: str) -> tiktoken.Encoding:
    from importlib import import_module

    import tiktoken

    openai_public = import_module("tiktoken_ext.openai_public")
    # Copies of tiktoken's constructors that differ in one global: nothing of tiktoken's is touched.
    scope: dict[str, Any] = {**vars(openai_public), "load_tiktoken_bpe": _load}
    for key, value in vars(openai_public).items():
        if isinstance(value, FunctionType) and value.__module__ == openai_public.__name__:
            scope[key] = FunctionType(value.__code__, scope, key, value.__defaults__, value.__closure__)
    if name not in openai_public.ENCODING_CONSTRUCTORS:
        raise ValueError(f"tiktoken knows no encoding {name!r}")
    return tiktoken.Encoding(**scope[name]())


def _load(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
    """Stand in for ``tiktoken.load.load_tiktoken_bpe``: ranks by the hash of the file that tiktoken wants."""
    if expected_hash in PINS:
        return {token: rank for rank, token in enumerate(tokens(PINS[expected_hash]))}
    from tiktoken.load import load_tiktoken_bpe

    return load_tiktoken_bpe(url, expected_hash)


def tokens(name: str) -> list[bytes]:
    """The tokens of a data file, in the order of their ranks.

    Args:
        name: ``o200k_base`` or ``cl100k_base``.

    Raises:
        ValueError: the file is not the one this version was published with.
    """
    import hashlib
    import lzma
    from importlib.resources import files

    packed = files(__package__).joinpath("data", f"{name}.xz").read_bytes()
    if hashlib.sha256(packed).hexdigest() != _DIGESTS[name]:
        raise ValueError(f"tokenguard/tokens/data/{name}.xz is damaged; install tokenguard again")
    return _unpack(lzma.decompress(packed))


def _unpack(data: bytes) -> list[bytes]:
    count = int.from_bytes(data[:4], "big")
    found, start = [], 4 + count
    for length in data[4:start]:
        end = start + length
        found.append(data[start:end])
        start = end
    return found


def pack(ranks: bytes) -> bytes:
    """Make the content of a data file from one of OpenAI's rank files.

    The format, before xz: the number of tokens (4 bytes, big-endian), the length of each token (1 byte
    each), then the tokens themselves without separators, all in the order of their ranks.

    Args:
        ranks: A ``.tiktoken`` file: lines of a base64 token, a space and its rank, ranks 0, 1, 2 ...

    Raises:
        ValueError: the ranks have gaps or are out of order.
    """
    import base64
    import lzma

    found = []
    for expected, line in enumerate(ranks.splitlines()):
        token, rank = line.split()
        if int(rank) != expected:
            raise ValueError(f"rank {int(rank)} stands where rank {expected} belongs")
        found.append(base64.b64decode(token))
    raw = len(found).to_bytes(4, "big") + bytes(map(len, found)) + b"".join(found)
    return lzma.compress(raw, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, preset=9 | lzma.PRESET_EXTREME)


def unpack(name: str) -> bytes:
    """OpenAI's rank file, byte for byte, from the data file: what :func:`pack` was given.

    Raises:
        ValueError: the file is not the one this version was published with.
    """
    import base64

    return b"".join(b"%b %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(tokens(name)))
