"""Tell whether a PDF is text that could be sent as text, from as much of it as that takes."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

_MOST: Final = 1_400_000
"""Characters of base64 that are looked at, about 1 MB of a file; what is not seen is taken for pictures."""

_STREAMS: Final = 64
_STREAM: Final = 65_536
"""So many streams of a file are looked at, and so many bytes of each once it is unpacked."""

_IMAGE: Final = re.compile(rb"/Subtype\s*/Image\b")
_BEGIN: Final = re.compile(rb"\bstream\r?\n")
_SHOWS_TEXT: Final = re.compile(rb"[\])>]\s*T[Jj]\b")
"""The operators of a page that show a text, or an array of them (ISO 32000-1, 9.4.3)."""

_LEAST_SHOWN: Final = 10


def is_text(data: str, start: int = 0) -> bool:
    """Whether a PDF in base64 has text and no pictures; scans, and what cannot be read, have not.

    Args:
        data: The string that it is in.
        start: Where in that it begins.
    """
    if not data.startswith("JVBERi0", start) or len(data) - start > _MOST:
        return False
    try:
        pdf = base64.b64decode(data[start:], validate=False)
    except ValueError:
        return False
    if _IMAGE.search(pdf):
        return False
    shown = 0
    for stream in _streams(pdf):
        shown += len(_SHOWS_TEXT.findall(stream))
        if shown >= _LEAST_SHOWN:
            return True
    return False


def _streams(pdf: bytes) -> Iterator[bytes]:
    """The first streams of a file, unpacked where they are packed."""
    for n, begin in enumerate(_BEGIN.finditer(pdf)):
        if n >= _STREAMS:
            return
        yield _unpacked(pdf[begin.end() : begin.end() + _STREAM])


def _unpacked(data: bytes) -> bytes:
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(data, _STREAM)
    with suppress(zlib.error, ValueError):
        ascii85, end, _ = data.partition(b"~>")
        if end:
            return zlib.decompressobj().decompress(base64.a85decode(ascii85), _STREAM)
    return data[: max(data.find(b"endstream"), 0)]
