"""What a model can take, as far as it is published: its window, its longest answer, what it refuses."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """What is known of a model. ``None`` where it is not known.

    Attributes:
        context: The most tokens that input and output may have together.
        max_output: The longest answer, in tokens.
        min_cached: The shortest beginning of a prompt that the provider keeps, in tokens.
        reasons: Whether it thinks before it answers.
    """

    context: int | None = None
    max_output: int | None = None
    min_cached: int | None = None
    reasons: bool | None = None
