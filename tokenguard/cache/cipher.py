"""Encrypt what a store keeps, so that its files say nothing without a key that is somewhere else.

AES-256-GCM (NIST SP 800-38D), with a key of its own for each namespace, derived by HKDF (RFC 5869), and the
entry's key as associated data: what was moved, changed, or made without the key does not open.
"""

from __future__ import annotations

import binascii
import os
from base64 import b64decode
from functools import lru_cache
from typing import Any, Final

from tokenguard.errors import ConfigError

_MAGIC: Final = b"tge1"
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32


class Cipher:
    """Encrypts and decrypts for all namespaces.

    Args:
        key: 32 bytes, or their base64.

    Raises:
        ConfigError: It is no such key, or ``cryptography`` is not installed.
    """

    def __init__(self, key: bytes | str) -> None:
        master = _decoded(key) if isinstance(key, str) else key
        if not isinstance(master, bytes) or len(master) != _KEY_BYTES:
            raise ConfigError(
                f"Cache(encryption_key=...): give {_KEY_BYTES} random bytes or their base64; "
                "'openssl rand -base64 32' makes some"
            )
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.hkdf import HKDF
        except ImportError as error:
            raise ConfigError(
                "Cache(encryption_key=...) needs cryptography, which is not installed: "
                'pip install "tokenguard-middleware[encryption]"'
            ) from error

        def cipher_of(namespace: str) -> Any:
            info = b"tokenguard cache " + namespace.encode()
            return AESGCM(HKDF(SHA256(), _KEY_BYTES, salt=None, info=info).derive(master))

        self._cipher_of = lru_cache(maxsize=1024)(cipher_of)

    def encrypted(self, plain: bytes, key: str, namespace: str) -> bytes:
        """The bytes under an entry's key, encrypted."""
        nonce = os.urandom(_NONCE_BYTES)
        made: bytes = self._cipher_of(namespace).encrypt(nonce, plain, key.encode())
        return _MAGIC + nonce + made

    def decrypted(self, blob: bytes, key: str, namespace: str) -> bytes:
        """The bytes that were encrypted for this key and namespace.

        Raises:
            ValueError: They were not, or not with this cipher's key, or have changed since.
        """
        from cryptography.exceptions import InvalidTag

        start = len(_MAGIC) + _NONCE_BYTES
        if not is_encrypted(blob):
            raise ValueError("it is not encrypted, or by another version")
        try:
            made: bytes = self._cipher_of(namespace).decrypt(
                blob[len(_MAGIC) : start], blob[start:], key.encode()
            )
        except (InvalidTag, ValueError) as error:
            raise ValueError("it was encrypted with another key, or has changed since") from error
        return made


def is_encrypted(blob: bytes) -> bool:
    """Whether bytes were made by a :class:`Cipher`."""
    return blob.startswith(_MAGIC)


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
