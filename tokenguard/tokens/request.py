"""Count the input of a whole request, part by part: messages, tools, schema, media and what frames them."""

from __future__ import annotations

from typing import Literal, NamedTuple

from tokenguard.anatomy import Anatomy

How = Literal["exact", "calibrated", "estimated", "upper_bound"]


class Count(NamedTuple):
    """A number of tokens, and how it was come by.

    Attributes:
        tokens: The number.
        how: ``exact``: as the provider counts. ``calibrated``: learned from what the provider billed.
            ``estimated``: neither. ``upper_bound``: it is not more.
        error: By what share it may be off, at the 95th percentile; 0 where it is exact, ``None`` unknown.
        at_most: A number that it is not above; what holds and overflow checks go by.
    """

    tokens: int
    how: How
    error: float | None
    at_most: int


class RequestCount(NamedTuple):
    """The input of a request.

    Attributes:
        total: All of it.
        system: Instructions.
        history: All messages before the last turn of the user.
        user: The last turn.
        tools: The tools on offer.
        schema: The schema of the answer.
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


def count_request(anatomy: Anatomy, model: str, provider: str) -> RequestCount:
    """Count a request."""
    raise NotImplementedError
