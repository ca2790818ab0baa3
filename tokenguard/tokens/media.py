"""What can be known of a picture, a sound or a document without asking anyone: its size, seconds, pages."""

from __future__ import annotations

import binascii
import re
from typing import Final, NamedTuple

from tokenguard.anatomy import Kind, Media, Part
from tokenguard.tokens.images import HEAD, Size, size_of

_URL_SAFE: Final = str.maketrans("-_", "+/")

_LARGEST: Final = 16 * 2**20
"""So many characters of base64 of a document are looked at for its pages, or for its text."""

_PAGE: Final = re.compile(rb"/Type\s*/Page\b")

_LOWEST: Final = 1000
"""Bytes a second: no speech is sent in fewer (8 kbit/s)."""

_BITRATES: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_BITRATES_LOW: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
"""kbit/s of MP3, for MPEG 1 and for MPEG 2 and 2.5 (ISO 11172-3 and 13818-3, layer III)."""


class Seen(NamedTuple):
    """A picture, sound or document, as far as it is known. ``None``: it is not.

    Attributes:
        kind: What it is.
        detail: How closely the model is to look at a picture.
        size: Its width and height.
        seconds: How long it sounds.
        longest: How long it can sound at most.
        pages: How many pages it has.
        text: The text of a document that is one.
    """

    kind: Kind
    detail: str = ""
    size: Size | None = None
    seconds: float | None = None
    longest: float | None = None
    pages: int | None = None
    text: str | None = None


def seen(part: Part) -> Seen:
    """What is known of a part that is no text. Nothing is fetched, and nothing raises."""
    media = part.media
    if media is None or not media.data:
        return Seen(part.kind, media.detail if media else "")
    if part.kind == "image":
        return Seen("image", media.detail, size_of(decoded(media, HEAD)))
    if part.kind == "audio":
        n_bytes, head = (len(media.data) - media.start) * 3 // 4, decoded(media, HEAD)
        seconds = seconds_of(head, n_bytes)
        sure = seconds is not None and head[:4] == b"RIFF"
        return Seen("audio", seconds=seconds, longest=seconds if sure else n_bytes / _LOWEST)
    return _document(media)


def decoded(media: Media, at_most: int) -> bytes:
    """The bytes of the first characters of base64; nothing where they are none."""
    text = media.data[media.start : media.start + at_most].translate(_URL_SAFE)
    try:
        return binascii.a2b_base64(text[: len(text) // 4 * 4] if len(text) == at_most else text + "==")
    except (binascii.Error, ValueError):
        return b""


def seconds_of(head: bytes, n_bytes: int) -> float | None:
    """How long a WAV or MP3 sounds, given its head and the length of its file; of an MP3 about.

    An MP3 is taken to have the bitrate of its first frame throughout.
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        at = head.find(b"fmt ")
        rate = int.from_bytes(head[at + 16 : at + 20], "little") if at > 0 else 0  # bytes a second
        return max(0, n_bytes - 44) / rate if rate else None
    at = 10 + _synchsafe(head[6:10]) if head[:3] == b"ID3" else 0
    frame = head[at : at + 3]
    if len(frame) < 3 or frame[0] != 0xFF or frame[1] & 0xE6 != 0xE2:  # layer III, whatever version
        return None
    kbits = (_BITRATES if frame[1] & 0x18 == 0x18 else _BITRATES_LOW)[min(frame[2] >> 4, 14)]
    return (n_bytes - at) / (kbits * 125) if kbits else None


def _synchsafe(data: bytes) -> int:
    size = 0
    for byte in data:
        size = size << 7 | byte & 0x7F
    return size


def _document(media: Media) -> Seen:
    head = decoded(media, 16)
    if head[:5] == b"%PDF-":
        whole = len(media.data) - media.start <= _LARGEST
        pages = len(_PAGE.findall(decoded(media, _LARGEST))) if whole else 0
        return Seen("file", pages=pages or None)  # none that are visible: they are in a compressed stream
    if not media.media_type.startswith("text/"):
        return Seen("file")
    try:
        return Seen("file", text=decoded(media, _LARGEST).decode())
    except UnicodeDecodeError:
        return Seen("file")
