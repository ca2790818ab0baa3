"""How long a text is for a family of models: counted where the tokenizer is public, estimated where not."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, Final, NamedTuple

from tokenguard.tokens.bounds import most
from tokenguard.tokens.estimate import CLASSES, by_class
from tokenguard.tokens.text import measure
from tokenguard.tokens.weights import dot

if TYPE_CHECKING:
    from tokenguard.tokens.families import Family

_YARDSTICK: Final = "o200k_base"
"""What tokenizers that are not public are compared with."""


class Length(NamedTuple):
    """How long a text is.

    Attributes:
        tokens: In tokens; of a tokenizer that is not public by the family's prior.
        at_most: It is not more than that.
        exact: Whether that is the very number.
        classes: Tokens of o200k_base by class, where the tokenizer is not public; empty where it is.
    """

    tokens: float = 0
    at_most: int = 0
    exact: bool = True
    classes: tuple[float, ...] = ()

    def plus(self, other: Length) -> Length:
        """Both, one after the other."""
        if not other.at_most:
            return self
        if not self.at_most:
            return other
        return Length(
            self.tokens + other.tokens,
            self.at_most + other.at_most,
            self.exact and other.exact,
            tuple(map(add, self.classes, other.classes)),
        )


def length(text: str, family: Family) -> Length:
    """How long ``text`` is for a family's models."""
    if not text:
        return Length()
    if family.published:
        found = measure(text, family.encoding)
        return Length(found.tokens, found.at_most, found.exact)
    tokens = measure(text, _YARDSTICK).tokens
    classes = tuple(max(0.0, share) for share in by_class(text))
    whole = sum(classes)
    classes = (
        tuple(share * tokens / whole for share in classes)
        if whole
        else (float(tokens),) + (0.0,) * (len(CLASSES) - 1)
    )
    return Length(dot(family.weights.classes, classes), most(text), exact=False, classes=classes)
