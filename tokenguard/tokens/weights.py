"""What is known of a tokenizer that is not public: a weight for each class of characters.

The weights of a family are a prior (:mod:`tokenguard.tokens.families`). Whoever compares estimates with the
usage that providers bill can learn better ones: :class:`Features` are what to regress on, and
:func:`~tokenguard.tokens.request.count_request` takes :class:`Weights` in place of the prior.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tokenguard.tokens.estimate import CLASSES

EXTRAS: Final = ("request", "messages", "tools", "images", "schema")
"""What there may be more tokens for than the framing says: once, each message, tool and picture, a schema."""

_ONES: Final = (1.0,) * len(CLASSES)
_NOTHING: Final = (0.0,) * len(EXTRAS)


class Weights(NamedTuple):
    """What a model makes of a request.

    Attributes:
        classes: Tokens for one of o200k_base, for each of :data:`~tokenguard.tokens.estimate.CLASSES`.
            Without effect where the tokenizer is public: there texts are counted.
        extras: Tokens on top of the framing, for each of :data:`EXTRAS`.
        error: By what share an estimate may be off, at the 95th percentile; ``None`` unknown.
        most: By what factor the truth may be above an estimate; ``None``: go by the bound that needs no
            learning (:func:`~tokenguard.tokens.bounds.most`).
    """

    classes: tuple[float, ...] = _ONES
    extras: tuple[float, ...] = _NOTHING
    error: float | None = 0.25
    most: float | None = None

    @classmethod
    def prior(cls, error: float, **classes: float) -> Weights:
        """A prior, by the names of the classes."""
        return cls(tuple(classes[name] for name in CLASSES), error=error)


class Features(NamedTuple):
    """A request, as an estimator sees it: ``known + classes · weights.classes + extras · weights.extras``.

    Attributes:
        known: What is counted, or follows from a formula.
        classes: Tokens of o200k_base in texts, tools and schema, by class; all 0 where they are counted.
        extras: How many there are of each of :data:`EXTRAS`.
        certain: Whether the request shows all of its input. Otherwise what it is billed teaches nothing: a
            picture may be of any size, a conversation may be kept by the provider.
    """

    known: float
    classes: tuple[float, ...]
    extras: tuple[float, ...]
    certain: bool


def dot(weights: tuple[float, ...], values: tuple[float, ...]) -> float:
    """The sum of products."""
    return sum(map(float.__mul__, weights, values))
