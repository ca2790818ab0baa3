"""Count the tokens of a text exactly, as OpenAI's models see it, offline and without ever failing a call."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from tokenguard import faults
from tokenguard.tokens import ranks
from tokenguard.tokens.estimate import estimate
from tokenguard.tokens.names import bare

if TYPE_CHECKING:
    from collections.abc import Callable

_CL100K: Final = re.compile(r"gpt-4(?!o|\.)|gpt-3\.?5|text-embedding-|davinci-002|babbage-002")

_PART: Final = 65_536
"""Longer texts are counted in parts of about this many characters, to bound the memory of one count."""

_LINE: Final = r"[A-Za-z0-9\u0410-\u044f\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3]"
_CUT: Final = re.compile(
    rf"(?<=\n)(?={_LINE})|(?<=\S)(?= [A-Za-z])|(?<=[0-9])(?=[A-Za-z])|(?<=[A-Za-z0-9])(?=[+/=_-][A-Za-z])"
)
"""Where a text may be cut without changing its tokens. Both encodings split a text into pieces before they
look for tokens, and in both no piece spans a line break that a letter or digit follows, nor a place before a
single blank or sign that a letter follows, nor one between a digit and a letter. Letters are here those of
which no version of Unicode says otherwise."""

_LONGEST: Final = 4 * 2**20
"""So many characters of a text are counted (about half a second), and the rest is taken to be like them. It
is a million tokens of English, the largest window that any model has."""

_BLOCK: Final = 4096
_WORDS: Final = r"[^\x00-@\[-`{-\xbf\u2000-\u2bff\u3000-\u303f\ufe30-\ufe6f\uff00-\uff20\s]"
_SIGNS: Final = r"[!-/:-@\[-`{-~\xa1-\xbf\u2000-\u2bff\u3001-\u303f\ufe30-\ufe6f\uff00-\uff20]"
_CLASSES: Final = (_WORDS, r"\s", _SIGNS)
_RUN: Final = re.compile("|".join(rf"(?<!{one}){one}{{{_BLOCK + 1},}}" for one in _CLASSES))
"""Unbroken runs of one class of characters: tiktoken splits these slowly, and a run of a million spaces
overflows its stack (https://github.com/openai/tiktoken/issues/15). Letters are here all characters at which
no piece of the split pattern ends, combining marks among them, of which Python has no class. A run is looked
for where it begins only: else a text of many runs that are almost as long would take quadratic time."""

_HALF: Final = _BLOCK // 2
_STRETCH: Final = re.compile("|".join(f"{one}{{{_HALF}}}" for one in _CLASSES))
"""Half a run: every run has one that begins at a multiple of its length, and most texts have none there,
which is quickly seen. To look for runs themselves takes as long as to count."""


class Measured(NamedTuple):
    """How long a text is.

    Attributes:
        tokens: In tokens.
        at_most: It is not more than that. The number of its bytes in UTF-8 where it was not counted, for
            every token has one at least.
        exact: Whether ``tokens`` is the very number.
    """

    tokens: int
    at_most: int
    exact: bool


def count(text: str, model: str) -> int:
    """How many tokens ``text`` is in the encoding of ``model``; 0 for an empty text.

    Special tokens such as ``<|endoftext|>`` are counted as the plain text they are. :func:`measure` says when
    a count is not exact.

    The first count in a process loads the ranks (about half a second, 60 MB).
    """
    return measure(text, encoding_for(model)).tokens


def measure(text: str, encoding: str) -> Measured:
    """How long ``text`` is in an encoding (``o200k_base``, ``cl100k_base``). Never raises.

    The count is exact, but for runs of more than 4,096 letters, blanks or signs in a row: there one block of
    4,096 characters is counted and multiplied, which is within 0.1 % for repetitive runs. And in a text of
    more than four million characters, only so many are counted.
    """
    try:
        encode = ranks.encoding(encoding).encode_ordinary
        if len(text) <= _BLOCK:
            tokens = len(encode(text))
            return Measured(tokens, tokens, exact=True)
        return _long(text, encode)
    except BaseException as error:
        # A panic of the Rust core derives from BaseException, and must not end the caller's request.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        faults.note("tokens.count", error)
        return Measured(estimate(text), n_bytes(text), exact=False)


@lru_cache(maxsize=1024)
def encoding_for(model: str) -> str:
    """The name of the encoding that ``model`` uses: ``cl100k_base`` for the GPT-4 and GPT-3.5 families
    and the embedding models, ``o200k_base`` for everything newer and for names nobody knows.

    Vendor prefixes (``openai/gpt-4``) and fine-tunes (``ft:gpt-4:acme``) are looked through.
    """  # noqa: D205 - one sentence
    return "cl100k_base" if _CL100K.match(bare(model)) else "o200k_base"


def n_bytes(text: str) -> int:
    """How long a text is in UTF-8. Halves of surrogate pairs, which JSON can have, are three bytes each."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _long(text: str, encode: Callable[[str], list[int]]) -> Measured:
    tokens = at_most = start = 0
    head = text[:_LONGEST]
    for run in _RUN.finditer(head) if _has_stretches(head) else ():
        known = sum(len(encode(part)) for part in _parts(head[start : run.start()]))
        block = len(encode(head[run.start() : run.start() + _BLOCK]))
        tokens += known + round(block * (run.end() - run.start()) / _BLOCK)
        at_most += known + n_bytes(run[0])
        start = run.end()
    known = sum(len(encode(part)) for part in _parts(head[start:]))
    tokens, at_most = tokens + known, at_most + known
    if len(text) > len(head):
        tokens = round(tokens * len(text) / len(head))
        at_most += n_bytes(text[len(head) :])
    return Measured(tokens, at_most, exact=start == 0 and len(text) == len(head))


def _has_stretches(text: str) -> bool:
    return any(_STRETCH.match(text, start) for start in range(0, len(text), _HALF))


def _parts(text: str, size: int = _PART) -> list[str]:
    parts, start = [], 0
    while len(text) - start > size:
        cut = _CUT.search(text, start + size)
        if cut is None:
            break
        parts.append(text[start : cut.end()])
        start = cut.end()
    parts.append(text[start:])
    return parts
