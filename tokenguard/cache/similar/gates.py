"""What two questions must have in common before their vectors are even looked at.

Embeddings rank "is it safe" and "is it not safe", or 30 and 90 days, closer than most paraphrases: what turns
an answer round is a small part of a text. So every word that could is *rigid*: numbers, negations, names,
whatever is quoted or is no plain word, and the words of some lists. Two questions are only ever the same
if their rigid words are the same, in the same order. What is left are the plain words; a vector is to judge
those, but not where they merely changed places.

The lists (``words``) are English. A text that does not read as English has no features: it is matched
exactly only.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from tokenguard.cache.similar.words import FLEXIBLE, MEANINGS, NAMED, NEGATED, NEGATIONS, NUMBERS

VERSION: Final = "en-1"
"""Part of every scope and calibration: vectors that another gate let through say nothing of this one."""

MARK_BYTES: Final = 16
_FEWEST_WORDS: Final = 3
_ENGLISH: Final = 0.25  # of the plain words must be in the lists


class Word(NamedTuple):
    """A rigid word: ``number``, ``negation``, ``name``, ``verbatim``, ``layout`` or ``meaning``."""

    kind: str
    text: str


class Features(NamedTuple):
    """What a text is compared by.

    Attributes:
        rigid: The words that must be the same, in order.
        plain: The others that mean something, in order.
        length: How many words there are.
    """

    rigid: tuple[Word, ...]
    plain: tuple[str, ...]
    length: int


class Marks(NamedTuple):
    """Features without the words: keyed hashes, from which no text can be found out without the key."""

    rigid: bytes
    bag: bytes
    order: bytes
    length: int


def features(text: str) -> Features | None:
    """What a text is compared by; ``None`` where it is too short, or does not read as English."""
    rigid: list[Word] = []
    plain: list[str] = []
    length = known = 0
    for word, is_known in _words(text):
        length += 1
        known += is_known
        if isinstance(word, Word):
            rigid.append(word)
        elif not is_known:
            plain.append(word)
    spoken = length - sum(word.kind in ("verbatim", "layout") for word in rigid)
    if length < _FEWEST_WORDS or known < _ENGLISH * spoken or known == 0:
        return None
    if not plain and not any(word.kind in ("name", "verbatim", "number") for word in rigid):
        return None
    return Features(tuple(rigid), tuple(plain), length)


def difference(a: Features, b: Features) -> str | None:
    """Why two texts are not the same question; ``None`` where a vector may judge.

    It is the kind of the first rigid word that only one of them has, or ``order``, or ``length``.
    """
    if a.rigid != b.rigid:
        left = Counter(a.rigid)
        left.subtract(b.rigid)
        return next((word.kind for word in (*a.rigid, *b.rigid) if left[word]), "order")
    if a.plain != b.plain and sorted(a.plain) == sorted(b.plain):
        return "order"
    return None if _alike_long(a.length, b.length) else "length"


def marks(found: Features, secret: bytes, scope: str) -> Marks:
    """The keyed hashes of features, other ones in each scope."""

    def mark(name: str, words: list[str]) -> bytes:
        text = "\x00".join((scope, name, *words))
        return hmac.digest(secret, text.encode("utf-8", "surrogatepass"), "sha256")[:MARK_BYTES]

    rigid = [f"{word.kind}\x01{word.text}" for word in found.rigid]
    return Marks(
        mark("rigid", rigid), mark("bag", sorted(found.plain)), mark("order", list(found.plain)), found.length
    )


def agree(a: Marks, b: Marks) -> bool:
    """Whether a vector may judge; exactly where :func:`difference` has nothing to say."""
    swapped = a.bag == b.bag and a.order != b.order
    return a.rigid == b.rigid and not swapped and _alike_long(a.length, b.length)


def _alike_long(a: int, b: int) -> bool:
    return 2 * min(a, b) >= max(a, b)


def _words(text: str) -> Iterator[tuple[Word | str, bool]]:
    """The words of a text, in order, each with whether it is a known word of English."""
    text = unicodedata.normalize("NFC", text).translate(_STRAIGHT)
    for line in filter(str.strip, text.splitlines()[1:]):
        yield Word("layout", str(len(line) - len(line.lstrip()))), False
    starts = True  # a sentence
    for piece in _PIECES.finditer(text):
        token = piece.group()
        if piece.lastgroup == "verbatim" or token in _QUOTES:
            yield Word("verbatim", token), False
            starts = False
            continue
        bare = _bare(token)
        if bare:
            yield from _classified(bare, starts=starts)
            starts = False
        if token.endswith((".", "!", "?", ":")):
            starts = True


def _bare(token: str) -> str:
    """A token without the punctuation around it; unless it has a digit, where more of that has a meaning."""
    if any(map(str.isdigit, token)):
        return token.lstrip("([{").rstrip(".,;:?)]}")
    return token.lstrip("([{\"'").rstrip(".,;:!?)]}\"'")


def _classified(token: str, *, starts: bool) -> Iterator[tuple[Word | str, bool]]:
    lower = token.lower()
    if not _PLAIN.fullmatch(token):
        yield Word("number" if any(map(str.isdigit, token)) else "verbatim", token), False
    elif lower in NEGATED or lower.endswith("n't"):
        yield Word("negation", "not"), True
    elif "-" in token:
        for part in token.split("-"):
            yield from _classified(part, starts=starts)
    else:
        yield _plain(token.removesuffix("'s"), lower.removesuffix("'s"), starts=starts)


def _plain(token: str, lower: str, *, starts: bool) -> tuple[Word | str, bool]:
    small = token == lower or (_capital(token) and (starts or lower == "i" or lower.startswith("i'")))
    if small and lower in FLEXIBLE:
        return lower, True
    if not small:
        return Word("name", lower), False
    if lower in NUMBERS:
        return Word("number", NUMBERS[lower]), True
    if lower in NEGATIONS:
        return Word("negation", lower), True
    if lower in MEANINGS:
        return Word("meaning", lower), True
    if lower in NAMED:
        return Word("name", lower), False
    if _TURNED.match(lower):
        return Word("negation", lower), False
    if starts:  # perhaps a name: who knows
        return Word("name", lower), False
    return lower, False


def _capital(token: str) -> bool:
    """Whether only its first letter is one."""
    return token[0].isupper() and token[1:] == token[1:].lower()


_STRAIGHT: Final = str.maketrans("\u2018\u2019\u201c\u201d\u201e\xab\xbb", "''" + '"' * 5)
_QUOTES: Final = ("`", '"')  # without another one: an inch mark, perhaps
_PLAIN: Final = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*")
_TURNED: Final = re.compile(r"(?:un|non|dis|im|il|ir|anti|mis)[a-z]{3,}|[a-z]{3,}less")
"""Words that may be others turned round, such as ``unsafe``. Some are not; that makes a miss."""
_PIECES: Final = re.compile(
    r"""(?P<verbatim>
        ```.*?(?:```|\Z) | `[^`\n]*` | "[^"\n]*" | (?<!\S)'[^'\n]+'(?!\w)   # code and quotations
        | \b[A-Za-z][A-Za-z0-9+.-]*://\S+ | \S+@\S+\.\S+                    # addresses
    ) | \S+?(?=[`"]|\s|\Z) | [`"]""",
    re.VERBOSE | re.DOTALL,
)
