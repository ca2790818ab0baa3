"""Encrypt what a store keeps, so that its files say nothing without a key that is somewhere else.

AES-256-GCM (NIST SP 800-38D), with a key of its own for each namespace, derived by HKDF (RFC 5869), and the
entry's key as associated data: what was moved, changed, or made without the key does not open.

GCM cannot tell a wrong key from damage. So there is a seal around what is encrypted, made with the store's
secret, which says without any key whether it is what was written. It costs a lookup nothing: only who wants
to know why something does not open looks at it.
"""

from __future__ import annotations

import binascii
import hmac
import os
from base64 import b64decode
from functools import lru_cache
from typing import Any, Final

from tokenguard.errors import ConfigError

_MAGIC: Final = b"tge2"
_WITHOUT_SEAL: Final = b"tge1"  # as an earlier version made it
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_KEY_BYTES: Final = 32
_SEAL_BYTES: Final = 32  # of an HMAC-SHA256
_HEAD: Final = len(_MAGIC) + _NONCE_BYTES


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

    def encrypted(self, plain: bytes, key: str, namespace: str, secret: bytes) -> bytes:
        """The bytes under an entry's key, encrypted, with a seal by the store's secret."""
        nonce = os.urandom(_NONCE_BYTES)
        made: bytes = _MAGIC + nonce + self._cipher_of(namespace).encrypt(nonce, plain, key.encode())
        return made + _seal(made, key, namespace, secret)

    def decrypted(self, blob: bytes, key: str, namespace: str) -> bytes:
        """The bytes that were encrypted for this key and namespace.

        Raises:
            ValueError: They were not, or not with this cipher's key, or have changed since.
        """
        from cryptography.exceptions import InvalidTag

        if not is_encrypted(blob):
            raise ValueError("it is not encrypted, or by another version")
        end = -_SEAL_BYTES if blob.startswith(_MAGIC) else None
        try:
            made: bytes = self._cipher_of(namespace).decrypt(
                blob[len(_MAGIC) : _HEAD], blob[_HEAD:end], key.encode()
            )
        except (InvalidTag, ValueError) as error:
            raise ValueError("it was encrypted with another key, or has changed since") from error
        return made


def is_encrypted(blob: bytes) -> bool:
    """Whether bytes were made by a :class:`Cipher`."""
    return blob.startswith((_MAGIC, _WITHOUT_SEAL))


def is_whole(blob: bytes, key: str, namespace: str, secret: bytes) -> bool:
    """Whether encrypted bytes are as they were written for this key and namespace, with whatever cipher.

    Those without a seal, of an older version, are taken for whole if they are long enough.
    """
    if blob.startswith(_WITHOUT_SEAL):
        return len(blob) >= _HEAD + _TAG_BYTES
    made, seal = blob[:-_SEAL_BYTES], blob[-_SEAL_BYTES:]
    return hmac.compare_digest(seal, _seal(made, key, namespace, secret))


def _seal(made: bytes, key: str, namespace: str, secret: bytes) -> bytes:
    # Each name stands behind its length, so that none runs into the next.
    names = b"".join(b"%d:%b" % (len(name), name) for name in (key.encode(), namespace.encode()))
    return hmac.digest(secret, names + made, "sha256")


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
