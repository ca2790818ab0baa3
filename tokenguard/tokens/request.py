"""Count the input of a whole request, part by part: messages, tools, schema, media and what frames them."""

from __future__ import annotations

import math
import threading
from typing import Final, Literal, NamedTuple

from tokenguard import faults
from tokenguard.anatomy import Anatomy
from tokenguard.tokens.bounds import most
from tokenguard.tokens.estimate import CLASSES, estimate
from tokenguard.tokens.families import family_of
from tokenguard.tokens.length import length
from tokenguard.tokens.limits import limits
from tokenguard.tokens.tally import RUN_ERROR, Tally
from tokenguard.tokens.weights import Features, Weights, dot

How = Literal["exact", "calibrated", "estimated", "upper_bound"]

_LARGEST_WINDOW: Final = 1_050_000
"""The largest window of any model: no request that is answered has more input than that."""


class Count(NamedTuple):
    """A number of tokens, and how it was come by.

    Attributes:
        tokens: The number.
        how: ``exact``: as the provider counts. ``calibrated``: learned from what the provider billed.
            ``estimated``: neither. ``upper_bound``: it is not more.
        error: By what share it may be off, at the 95th percentile; 0 where it is exact, ``None`` unknown.
        at_most: A number that it is not above; what holds and overflow checks go by. Two things go beyond it,
            which no request shows: what tools that the provider runs bring in, and what it adds of its own
            for some settings of its models.
    """

    tokens: int
    how: How
    error: float | None
    at_most: int


class RequestCount(NamedTuple):
    """The input of a request. The parts add up to ``total.tokens``.

    Attributes:
        total: All of it.
        system: Instructions.
        history: All messages before the last turn of the user.
        user: The last turn: the user's last message, and what follows it.
        tools: The tools on offer, with what the provider puts around them.
        schema: The schema of the answer, likewise.
        media: Pictures, sounds and documents, wherever they stand.
        framing: What the provider puts around all that.
    """

    total: Count
    system: int = 0
    history: int = 0
    user: int = 0
    tools: int = 0
    schema: int = 0
    media: int = 0
    framing: int = 0


def count_request(
    anatomy: Anatomy, model: str, provider: str, weights: Weights | None = None
) -> RequestCount:
    """Count the input tokens of a request. Never raises.

    Messages, tools and schemas that were counted before, in whatever request, are found again: a growing
    conversation costs what is new in it.

    Args:
        anatomy: The request, taken apart by its dialect.
        model: The model that it is for, by whatever name.
        provider: Whose it is, as in ``gen_ai.provider.name``; empty where nobody knows.
        weights: What was learned of the model, in place of what is known of its family.
    """
    try:
        tally = Tally(anatomy, family_of(model, provider), weights)
        parts = [
            round(part)
            for part in (
                tally.system,
                tally.history,
                tally.user,
                tally.tools,
                tally.schema,
                tally.media,
                tally.framing,
            )
        ]
        return RequestCount(_total(tally, sum(parts), weights, model, provider), *parts)
    except Exception as error:
        faults.note("tokens.request", error)
        return _rough(anatomy)


def count_text(text: str, model: str, provider: str = "", weights: Weights | None = None) -> Count:
    """Count a text by itself, with nothing around it. Never raises."""
    family = family_of(model, provider)
    found = length(text, family)
    if found.exact:
        return Count(round(found.tokens), "exact", 0.0, found.at_most)
    if not found.classes:
        return Count(round(found.tokens), "estimated", RUN_ERROR, found.at_most)
    known = weights or family.weights
    tokens = round(dot(known.classes, found.classes))
    return Count(tokens, "calibrated" if weights else "estimated", known.error, found.at_most)


def features(anatomy: Anatomy, model: str, provider: str) -> Features:
    """A request, as an estimator of :class:`~tokenguard.tokens.weights.Weights` sees it.

    Raises:
        Exception: The request cannot be counted. :func:`count_request` would note that and give an estimate.
    """
    family = family_of(model, provider)
    tally = Tally(anatomy, family)
    classes = tally.classes or (0.0,) * len(CLASSES)
    known = tally.whole - dot(family.weights.classes, classes)
    return Features(known, classes, tally.extras, certain=not (tally.dark or tally.bounded))


def warm(model: str = "") -> threading.Thread:
    """Load what counting for a model needs, in a thread of its own: half a second that no call waits for.

    Returns:
        The thread, for whoever wants to wait for it. The process does not, when it ends.
    """
    thread = threading.Thread(target=count_text, args=("warm", model), name="tokenguard-warm", daemon=True)
    thread.start()
    return thread


def _total(tally: Tally, tokens: int, weights: Weights | None, model: str, provider: str) -> Count:
    at_most = max(tally.at_most, tokens)
    if tally.dark:
        return Count(
            tokens, "estimated", None, at_most + (limits(model, provider).context or _LARGEST_WINDOW)
        )
    if weights:
        learned = math.ceil(tokens * weights.most) if weights.most else at_most
        return Count(tokens, "calibrated", weights.error, min(at_most, learned))
    if tally.bounded:
        return Count(tokens, "upper_bound" if tally.exact else "estimated", None, at_most)
    if tally.exact and not tally.doubt:
        return Count(tokens, "exact", 0.0, at_most)
    return Count(tokens, "estimated", tally.error(tokens), at_most)


def _rough(anatomy: Anatomy) -> RequestCount:
    """What can be said of a request that could not be counted."""
    texts = [part.text for message in anatomy.messages for part in message.parts]
    tokens = sum(map(estimate, texts))
    at_most = sum(map(most, texts)) + _LARGEST_WINDOW
    return RequestCount(Count(tokens, "estimated", None, at_most), user=tokens)
