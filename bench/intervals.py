"""Medians and quantiles with the intervals within which they are known.

All intervals are 95 %. Where blocks were measured in pairs, it is the pairs that are drawn again: what
disturbed the machine in one round disturbed both sides of it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from statistics import median
from typing import Final, NamedTuple, TypeVar

_DRAWS: Final = 1000
_SEED: Final = 20_261_122  # the draws, not the measurements, can be repeated


T = TypeVar("T")


class Estimate(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def of_median(values: Sequence[float]) -> Estimate:
    """The median, with a percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13)."""
    return _bootstrap(values, median)


def of_paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """The median over rounds of ours / theirs."""
    return of_median([a / b for a, b in zip(ours, theirs, strict=True)])


def of_paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """The median over rounds of ours - theirs."""
    return of_median([a - b for a, b in zip(ours, theirs, strict=True)])


def of_quantile_ratio(
    ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], share: float
) -> Estimate:
    """A quantile of all our calls over the same quantile of all of theirs.

    Args:
        ours: The calls of each round.
        theirs: The calls of the same rounds.
        share: 0.99 for the 99th percentile.
    """
    rounds = list(zip(ours, theirs, strict=True))

    def ratio(drawn: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
        return quantile([x for a, _ in drawn for x in a], share) / quantile(
            [x for _, b in drawn for x in b], share
        )

    return _bootstrap(rounds, ratio, draws=_DRAWS // 5)


def of_quantile(rounds: Sequence[Sequence[float]], share: float) -> Estimate:
    """A quantile of the values of all rounds together; it is the rounds that are drawn again."""
    return _bootstrap(
        rounds, lambda drawn: quantile([x for one in drawn for x in one], share), draws=_DRAWS // 5
    )


def of_slope(points: Sequence[tuple[float, float]]) -> Estimate:
    """The slope of a line through points: the median of all slopes between two of them.

    Theil-Sen, with the interval of Sen 1968 (Journal of the American Statistical Association 63).
    Growth in steps, which is how memory grows, does not disturb it as it would a least-squares line.
    """
    slopes = sorted(
        (y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(points) for x2, y2 in points[i + 1 :] if x2 != x1
    )
    n, pairs = len(points), len(slopes)
    spread = 1.96 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = max(0, round((pairs - spread) / 2))
    high = min(pairs - 1, round((pairs + spread) / 2))
    return Estimate(median(slopes), slopes[low], slopes[high])


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, math.ceil(share * len(ranked)) - 1)]


def _bootstrap(
    values: Sequence[T], statistic: Callable[[Sequence[T]], float], draws: int = _DRAWS
) -> Estimate:
    source = random.Random(_SEED)
    found = [statistic(source.choices(values, k=len(values))) for _ in range(draws)]
    return Estimate(statistic(values), quantile(found, 0.025), quantile(found, 0.975))
