"""A number of tokens that a text is not above, whatever tokenizer counts it."""

from __future__ import annotations

import unicodedata
from typing import Final

from tokenguard.tokens.text import n_bytes

_CAPITALS: Final = bytes(range(0x41, 0x5B))
_PLAIN: Final = b"abcdefghijklmnopqrstuvwxyz0123456789 \n"
_NOT_ASCII: Final = bytes(range(0x80, 0x100))
_AROUND: Final = 3
"""What begins and ends a text: a beginning that SentencePiece puts before it, marks of a first word."""


def most(text: str) -> int:
    """The most tokens that ``text`` can be in a tokenizer that is not published.

    A token of a byte-level BPE is a byte at least, and so is one of SentencePiece, once the text is in the
    normal form that the model was trained in. Claude's tokenizers also write words in lower case, with tokens
    for where a word begins and ends and for its capitals, which in long words are parts of other tokens
    (https://github.com/sanderland/ctok). So a text may have more tokens than bytes, as ``5ZJ^Q?Y=ZZ`` has.
    On top of its bytes this has a token for each capital, two for each sign, and for characters outside ASCII
    one and a half each, and three where one of ASCII stands between them.

    For English it is about three times the number of tokens of a Claude; it is meant to hold for texts that
    were written to break it.
    """
    size = n_bytes(text)
    ascii_only = text.encode("utf-8", "surrogatepass")
    foreign = marks = 0
    if not text.isascii():
        size = max(size, *(n_bytes(unicodedata.normalize(form, text)) for form in ("NFC", "NFKC")))
        ascii_only = ascii_only.translate(None, _NOT_ASCII)
        foreign = len(text) - len(ascii_only)
        marks = foreign * 3 // 2 + 3 * min(foreign, len(ascii_only) + 1)
    signs = ascii_only.translate(None, _PLAIN)
    capitals = len(signs) - len(signs.translate(None, _CAPITALS))
    return size + capitals + 2 * (len(signs) - capitals) + marks + _AROUND if text else 0
