"""How often a threshold takes two different questions for one, from pairs that somebody labelled.

The certificate is about hits: of the pairs that a threshold takes for the same question, which share is not.
Its bound is exact (Clopper and Pearson, Biometrika 26:404, 1934), and holds for the threshold chosen though
many are looked at: they are tested in a fixed order, from the strictest that has enough hits to pass at all,
and the first that fails ends it. The order depends on the vectors only, never on a label.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tokenguard.cache.similar.gates import VERSION as GATE
from tokenguard.errors import ConfigError

CONFIDENCE: Final = 0.95
GRID: Final = tuple(n / 100 for n in range(99, 49, -1))
"""The thresholds that are looked at, the strictest first."""

_FORMAT: Final = 1
_PRECISION: Final = 1e-10


class Calibration(NamedTuple):
    """What ``tokenguard cache calibrate`` found.

    Attributes:
        embedder: Whose vectors it is about.
        gate: With which gates.
        pairs: How many pairs were labelled.
        same: How many of them were labelled as the same question.
        threshold: Vectors at least as alike as this are taken for the same question.
        hits: How many pairs it takes for the same question.
        false_hits: How many of those are not.
        upper_bound: The share of false hits is no larger than this, with the given confidence, for pairs
            that come from where these came from.
        confidence: How sure that is.
        max_false_hits: The share that was asked for.
    """

    embedder: str
    gate: str
    pairs: int
    same: int
    threshold: float
    hits: int
    false_hits: int
    upper_bound: float
    confidence: float
    max_false_hits: float

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read the file that ``tokenguard cache calibrate --out`` wrote.

        Raises:
            ConfigError: It cannot be read, or is no such file.
        """
        try:
            said: dict[str, Any] = json.loads(Path(path).read_bytes())
            if said.pop("format") != _FORMAT:
                raise ValueError("it is of another version")
            made = cls(**said)
            if not made._sound():
                raise ValueError("its numbers cannot be right")
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise ConfigError(
                f"the calibration {str(path)!r} cannot be used ({error}); make one with "
                "'tokenguard cache calibrate pairs.jsonl --embedder-model MODEL --out calibration.json'"
            ) from error
        return made

    def save(self, path: str | Path) -> None:
        """Write it to a file."""
        Path(path).write_text(json.dumps({"format": _FORMAT, **self._asdict()}, indent=2) + "\n")

    def _sound(self) -> bool:
        bound = upper_bound(self.false_hits, self.hits, self.confidence)
        return (
            isinstance(self.embedder, str)
            and 0 < self.threshold <= 1
            and 0 <= self.false_hits <= self.hits <= self.pairs
            and math.isclose(bound, self.upper_bound, abs_tol=1e-6)
            and self.upper_bound <= self.max_false_hits < 1
        )


class Judged(NamedTuple):
    """A labelled pair: how alike its vectors are (``None`` where gates keep it apart), and its label."""

    similarity: float | None
    same: bool


class Row(NamedTuple):
    """What one threshold does with the pairs.

    Attributes:
        threshold: It.
        hits: How many pairs it takes for the same question.
        false_hits: How many of those are not.
        upper_bound: Of the share of false hits, at 95 %.
        passed: Whether it is certified; ``None`` where it was not tested.
    """

    threshold: float
    hits: int
    false_hits: int
    upper_bound: float
    passed: bool | None


def thresholds(judged: Sequence[Judged], max_false_hits: float) -> list[Row]:
    """Every threshold of :data:`GRID`, the strictest first, with what it does with the pairs.

    Args:
        judged: The pairs. Each must have been drawn by itself: a pair that stands twice proves nothing.
        max_false_hits: The largest share of false hits that passes, between 0 and 1.
    """
    enough = fewest_hits(max_false_hits)
    found, failed = [], False
    for threshold in GRID:
        labels = [
            pair.same for pair in judged if pair.similarity is not None and pair.similarity >= threshold
        ]
        hits, false_hits = len(labels), labels.count(False)
        bound = upper_bound(false_hits, hits)
        passed = None
        if hits >= enough and not failed:
            passed = bound <= max_false_hits
            failed = not passed
        found.append(Row(threshold, hits, false_hits, bound, passed))
    return found


def chosen(rows: Sequence[Row]) -> Row | None:
    """The lowest threshold that is certified."""
    passed = [row for row in rows if row.passed]
    return passed[-1] if passed else None


def calibration(
    rows: Sequence[Row], judged: Sequence[Judged], *, embedder: str, max_false_hits: float
) -> Calibration | None:
    """What is to be written down; ``None`` where nothing could be certified."""
    row = chosen(rows)
    if row is None:
        return None
    return Calibration(
        embedder=embedder,
        gate=GATE,
        pairs=len(judged),
        same=sum(pair.same for pair in judged),
        threshold=row.threshold,
        hits=row.hits,
        false_hits=row.false_hits,
        upper_bound=row.upper_bound,
        confidence=CONFIDENCE,
        max_false_hits=max_false_hits,
    )


def fewest_hits(max_false_hits: float, confidence: float = CONFIDENCE) -> int:
    """How many hits it takes to certify a share of false hits where not one is false: 299 for 1 %."""
    return math.ceil(math.log1p(-confidence) / math.log1p(-max_false_hits))


def upper_bound(k: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The exact one-sided upper bound of a share of which ``k`` of ``n`` were seen.

    It is the share at which as few as ``k`` would be seen with a probability of ``1 - confidence``; 1 where
    nothing was seen.
    """
    if k >= n:
        return 1.0
    low, high = k / n, 1.0
    while high - low > _PRECISION:
        middle = (low + high) / 2
        if _at_most(k, n, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(k: int, n: int, share: float) -> float:
    """The probability of ``k`` or fewer of ``n``, each with the probability ``share``."""
    if share <= 0 or share >= 1:
        return float(share <= 0)
    log, log_not, all_ways = math.log(share), math.log1p(-share), math.lgamma(n + 1)
    terms = (
        all_ways - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * log + (n - i) * log_not
        for i in range(k + 1)
    )
    return math.fsum(math.exp(term) for term in terms)
