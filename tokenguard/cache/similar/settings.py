"""What counts as a similar question, and how sure that must be: the settings of semantic matching."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tokenguard.cache.similar.calibration import Calibration
from tokenguard.cache.similar.embedder import Embedder
from tokenguard.cache.similar.gates import VERSION as GATE
from tokenguard.errors import ConfigError

_CALIBRATE = (
    "'tokenguard cache calibrate pairs.jsonl --embedder-model MODEL --out calibration.json' finds a "
    "threshold from labelled pairs, for Similar(embedder, calibration='calibration.json')"
)


def same_text(a: str, b: str) -> bool:
    """Whether two answers say the same, but for white space."""
    return a.split() == b.split()


@dataclass(frozen=True, slots=True)
class Similar:
    """Answer a question with the answer that a similar one got, where the same one got none.

    Attributes:
        embedder: Makes vectors of questions.
        calibration: What ``tokenguard cache calibrate`` found, or the path of its file.
        threshold: Without a calibration: vectors whose cosine is at least this are taken for the same.
        uncalibrated: Says that nobody knows how often that threshold is wrong.
        audit: The share of similar hits, from 0 to 1, that the provider is asked for all the same: the
            caller gets the provider's answer, and ``guard.cache.counts`` has how often the two agreed
            (``audit:same``) and how often not (``audit:different``).
        agrees: Says whether two answers say the same, for the audit; by default word for word.
        max_chars: The longest question; what is longer is matched exactly only.
        max_entries: The questions that are kept of one scope, about; the oldest are forgotten first.
        max_bytes: How much memory all of them may take.

    Raises:
        ConfigError: There is no calibration, or one for another embedder; a value is out of range; or
            ``numpy`` is not installed.
    """

    embedder: Embedder
    calibration: Calibration | str | Path | None = None
    threshold: float | None = None
    uncalibrated: bool = False
    audit: float = 0.0
    agrees: Callable[[str, str], bool] = same_text
    max_chars: int = 1000
    max_entries: int = 1000
    max_bytes: int = 64 * 2**20

    def __post_init__(self) -> None:
        if find_spec("numpy") is None:
            raise ConfigError(
                "Similar(...) needs numpy, which is not installed: "
                'pip install "tokenguard-middleware[semantic]"'
            )
        for name in ("name", "may_block", "embed"):
            if not hasattr(self.embedder, name):
                raise ConfigError(f"Similar({type(self.embedder).__name__}): an embedder has a {name!r}")
        self._check_threshold()
        if isinstance(self.audit, bool) or not 0 <= self.audit <= 1:
            raise ConfigError(f"Similar(audit={self.audit!r}): give a share from 0 to 1")
        for name in ("max_chars", "max_entries", "max_bytes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"Similar({name}={value!r}): give a whole number, 1 or more")

    def _check_threshold(self) -> None:
        if self.calibration is None:
            if self.threshold is None:
                raise ConfigError(f"Similar(...) needs a threshold that was calibrated: {_CALIBRATE}")
            if not self.uncalibrated:
                raise ConfigError(
                    f"Similar(threshold={self.threshold!r}): nobody knows how often that is wrong. "
                    f"{_CALIBRATE}; or say uncalibrated=True"
                )
            if isinstance(self.threshold, bool) or not 0 < self.threshold <= 1:
                raise ConfigError(f"Similar(threshold={self.threshold!r}): give a cosine above 0, up to 1")
            return
        if self.threshold is not None or self.uncalibrated:
            raise ConfigError("Similar(calibration=...) has its own threshold; leave the other one out")
        found = self.calibration
        if not isinstance(found, Calibration):
            try:
                found = Calibration.load(found)
            except ConfigError as error:
                raise ConfigError(f"Similar(calibration=...): {error}") from error
            object.__setattr__(self, "calibration", found)
        if (found.embedder, found.gate) != (self.embedder.name, GATE):
            raise ConfigError(
                f"Similar(calibration=...): it is of {found.embedder!r} with gates {found.gate!r}, not of "
                f"{self.embedder.name!r} with gates {GATE!r}: it says nothing of those. {_CALIBRATE}"
            )

    @property
    def least(self) -> float:
        """The threshold that holds."""
        if isinstance(self.calibration, Calibration):
            return self.calibration.threshold
        return 1.0 if self.threshold is None else self.threshold
