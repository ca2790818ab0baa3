"""Count the tokens of a text exactly, as OpenAI's models see it, offline and without ever failing a call."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from tokenguard import faults
from tokenguard.tokens import ranks
from tokenguard.tokens.estimate import estimate

_CL100K: Final = re.compile(r"gpt-4(?!o|\.)|gpt-3\.?5|text-embedding-|davinci-002|babbage-002")

_PART: Final = 65_536
"""Longer texts are counted in parts of about this many characters, to bound the memory of one count."""

_CUT: Final = re.compile(r"\n(?=[A-Za-z0-9])")
"""Where a text may be cut without changing its tokens: in both encodings no piece of the split pattern
spans a line break that a letter or digit of ASCII follows."""

_BLOCK: Final = 4096
_RUN: Final = re.compile(r"[^\W\d_]{4097,}|\s{4097,}|(?:[^\w\s]|_){4097,}")
"""Unbroken runs of one class of characters: tiktoken splits these slowly (about 0.3 MB/s), and a run of
a million spaces overflows its stack (https://github.com/openai/tiktoken/issues/15)."""


def count(text: str, model: str) -> int:
    """How many tokens ``text`` is in the encoding of ``model``; 0 for an empty text.

    Special tokens such as ``<|endoftext|>`` are counted as the plain text they are. The count is exact,
    but for runs of more than 4,096 letters, blanks or signs in a row: there one block of 4,096
    characters is counted and multiplied, which is within 0.1 % for repetitive runs.

    The first count in a process loads the ranks (about half a second, 60 MB).
    """
    encode = ranks.encoding(encoding_for(model)).encode_ordinary
    try:
        if len(text) <= _BLOCK:
            return len(encode(text))
        total, start = 0, 0
        for run in _RUN.finditer(text):
            total += sum(len(encode(part)) for part in _parts(text[start : run.start()]))
            length = run.end() - run.start()
            total += round(len(encode(text[run.start() : run.start() + _BLOCK])) * length / _BLOCK)
            start = run.end()
        return total + sum(len(encode(part)) for part in _parts(text[start:]))
    except BaseException as error:
        # A panic of the Rust core derives from BaseException, and must not end the caller's request.
        if type(error).__name__ != "PanicException":
            raise
        faults.note("tokens.count", error)
        return estimate(text)


@lru_cache(maxsize=1024)
def encoding_for(model: str) -> str:
    """The name of the encoding that ``model`` uses: ``cl100k_base`` for the GPT-4 and GPT-3.5 families
    and the embedding models, ``o200k_base`` for everything newer and for names nobody knows.

    Vendor prefixes (``openai/gpt-4``) and fine-tunes (``ft:gpt-4:acme``) are looked through.
    """  # noqa: D205 - one sentence
    name = model.rsplit("/", 1)[-1].removeprefix("ft:")
    return "cl100k_base" if _CL100K.match(name) else "o200k_base"


def _parts(text: str) -> list[str]:
    parts, start = [], 0
    while len(text) - start > _PART:
        cut = _CUT.search(text, start + _PART)
        if cut is None:
            break
        parts.append(text[start : cut.end()])
        start = cut.end()
    parts.append(text[start:])
    return parts
