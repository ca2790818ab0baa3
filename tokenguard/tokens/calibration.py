"""Learn how a provider counts from what it bills: the tokenizers of several vendors are not public.

A count is what is known, and features (tokens by class of script, messages, tools, pictures) times weights.
The weights start from a table, and each bill moves them a little, by recursive least squares with forgetting
(Haykin, *Adaptive Filter Theory*, ch. 10). Errors are relative, so that long requests do not outweigh short
ones, and what one bill may do is bounded: a wrong one cannot spoil what a hundred taught.

How far off the counts are is measured on the bills themselves, each before it is learned from. The bound that
holds and overflow checks go by is a conformal one: what at most 3 % of the last bills went beyond (Vovk et
al., *Algorithmic Learning in a Random World*, ch. 2).
"""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from tokenguard.anatomy import Anatomy
from tokenguard.tokens.estimate import CLASSES
from tokenguard.tokens.families import family_of
from tokenguard.tokens.request import features
from tokenguard.tokens.weights import EXTRAS, Weights

FORGETS: Final = 0.995
"""How much of what was learned is left after another bill: a provider may change its tokenizer."""

_NOISE: Final = 0.03
"""How far a bill is off the truth of its features, as a share: two texts of one class still differ."""

_LARGEST_STEP: Final = 0.5
"""An error counts as no larger than this share, in either direction."""

_KEPT: Final = 50
"""How many errors are kept."""

_SHARE: Final = 0.97
_ENOUGH: Final = 33
"""So many errors are needed before the largest of them is what 97 % stay below: 1 / (1 - 0.97)."""

_RIGHT: Final = 0.5
"""Nearer to a bill than that, in tokens, a count is right."""

_EVERY: Final = 10
"""After how many bills what was learned is written down; of the first ten, each is."""

_FIRST: Final = 3
"""After so many bills, what they taught is better than the table."""

_MODELS: Final = 256


class Prior(NamedTuple):
    """Where learning starts, and how far it may go.

    Attributes:
        names: What the features are; what was learned of others is of no use.
        weights: Tokens for one of each.
        spread: How far each may be off (one standard deviation).
        least: Below this none is taken to be, whatever is billed.
        most: Nor above this.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    spread: tuple[float, ...]
    least: tuple[float, ...]
    most: tuple[float, ...]


class Learned(NamedTuple):
    """What is known of a model by now.

    Attributes:
        weights: Tokens for one of each feature.
        bills: From how many bills it was learned.
        error: By what share 19 of 20 counts were off at most; ``None`` before the first bills.
        at_most: By what a count is to be multiplied to be no less than 97 % of bills; ``None`` until that
            many have come that one can know.
    """

    weights: tuple[float, ...]
    bills: int
    error: float | None
    at_most: float | None


class Estimator:
    """What is learned of one model."""

    def __init__(self, prior: Prior) -> None:
        self.prior = prior
        self._weights = list(prior.weights)
        self.bills = 0
        self._learned: Learned | None = None
        self._errors: deque[float] = deque(maxlen=_KEPT)
        variances = [one**2 for one in prior.spread]
        self._spread = [
            [v if i == j else 0.0 for j in range(len(variances))] for i, v in enumerate(variances)
        ]

    def learned(self) -> Learned:
        """What is known by now."""
        learned = self._learned
        if learned is None:
            learned = Learned(tuple(self._weights), self.bills, self._error(), self._bound())
            self._learned = learned
        return learned

    def observe(self, features: Sequence[float], tokens: int, known: float = 0.0) -> None:
        """Learn from one bill.

        Args:
            features: Of the request, in the order of the prior's names.
            tokens: What the provider counted.
            known: What of that needs no learning.
        """
        expected = known + _dot(self._weights, features)
        if tokens <= 0 or expected <= 0 or not math.isfinite(expected):
            return
        self._errors.append(tokens / expected)
        self.bills += 1
        self._learned = None
        off = min(max(tokens / expected - 1, -_LARGEST_STEP), _LARGEST_STEP)
        share = [value / expected for value in features]
        used = [i for i, value in enumerate(share) if value]
        towards = [sum([row[i] * share[i] for i in used]) for row in self._spread]
        doubt = sum([towards[i] * share[i] for i in used])
        if doubt <= 0 or abs(tokens - expected) < _RIGHT:
            return  # there is nothing to learn
        by = FORGETS * _NOISE**2 + doubt
        for i, (least, most) in enumerate(zip(self.prior.least, self.prior.most, strict=True)):
            self._weights[i] = min(max(self._weights[i] + towards[i] / by * off, least), most)
        self._narrow(towards, by)

    def _narrow(self, towards: list[float], by: float) -> None:
        """Less is in doubt now; with time a little more again, but never more than in the beginning."""
        spread = self._spread
        for i, one in enumerate(towards):
            row, gain = spread[i], one / by
            spread[i] = [(value - gain * towards[j]) / FORGETS for j, value in enumerate(row)]
        for i, first in enumerate([one**2 for one in self.prior.spread]):
            if spread[i][i] > first or spread[i][i] < 0:
                factor = math.sqrt(first / spread[i][i]) if spread[i][i] > 0 else 0.0
                for j in range(len(spread)):
                    spread[i][j] *= factor
                    spread[j][i] *= factor

    def _error(self) -> float | None:
        if not self._errors:
            return None
        off = sorted(abs(ratio - 1) for ratio in self._errors)
        return off[min(len(off) - 1, math.ceil(0.95 * len(off)) - 1)]

    def _bound(self) -> float | None:
        n = len(self._errors)
        if n < _ENOUGH:
            return None
        return max(1.0, sorted(self._errors)[min(n, math.ceil((n + 1) * _SHARE)) - 1])

    def state(self) -> str:
        """All of it, as JSON of some 3 KB."""
        return json.dumps(
            {
                "names": self.prior.names,
                "weights": [_short(value) for value in self._weights],
                "spread": [[_short(value) for value in row[: i + 1]] for i, row in enumerate(self._spread)],
                "bills": self.bills,
                "errors": [_short(value) for value in self._errors],
            },
            separators=(",", ":"),
        )

    @classmethod
    def of(cls, state: str, prior: Prior) -> Estimator:
        """The estimator that a state is of.

        Raises:
            ValueError: It is none, or one of other features.
        """
        made = cls(prior)
        try:
            read: dict[str, Any] = json.loads(state)
            if tuple(read["names"]) != prior.names:
                raise ValueError("it was learned of other features")
            weights, rows = _numbers(read["weights"]), [_numbers(row) for row in read["spread"]]
            errors, bills = _numbers(read["errors"]), int(read["bills"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is no state of an estimator: {error}") from error
        n = len(prior.names)
        if len(weights) != n or [len(row) for row in rows] != list(range(1, n + 1)):
            raise ValueError("it is no state of an estimator: numbers are missing")
        limits = zip(weights, prior.least, prior.most, strict=True)
        made._weights = [min(max(weight, least), most) for weight, least, most in limits]
        made._spread = [[rows[max(i, j)][min(i, j)] for j in range(n)] for i in range(n)]
        made.bills, made._errors = bills, deque(errors, maxlen=_KEPT)
        return made


class Memory(Protocol):
    """Where what was learned outlives the process; a ledger is one."""

    def learned(self, features: str) -> Mapping[tuple[str, str], str]:
        """The states by provider and model, of what was learned by these features."""
        ...

    def learn(self, provider: str, model: str, features: str, bills: int, state: str) -> None:
        """Keep a state, unless one is kept that was learned from more bills. Never waits, never raises."""
        ...


class Calibration:
    """What was learned of every model, by all threads of a process.

    Args:
        memory: Where it is kept between processes, if anywhere.
    """

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory
        self._states: dict[str, Mapping[tuple[str, str], str]] = {}
        self._models: OrderedDict[tuple[str, str], Estimator] = OrderedDict()
        self._passed: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def weights(self, provider: str, model: str) -> Weights | None:
        """What was learned of a model, for :func:`~tokenguard.tokens.request.count_request`.

        ``None`` where that is nothing yet, or where the count was right without.
        """
        with self._lock:  # who learns meanwhile would change what is being read
            estimator = self._of(provider, model)
            learned = estimator.learned()
        if learned.bills < _FIRST or learned.weights == estimator.prior.weights:
            return None
        n = len(CLASSES)
        return Weights(learned.weights[:n], learned.weights[n:], learned.error, learned.at_most)

    def observe(self, provider: str, model: str, anatomy: Anatomy, tokens: int) -> None:
        """Learn from one bill; of many of one model, only from every tenth.

        Args:
            provider: Whose model it is.
            model: Its name, as it was asked for.
            anatomy: The request.
            tokens: All that the provider counted as its input, cached or not.

        Raises:
            Exception: The request cannot be counted.
        """
        named = provider, model
        with self._lock:
            estimator = self._of(provider, model)
            self._passed[named] = passed = self._passed.get(named, 0) + 1
            if estimator.bills >= _KEPT and passed % _EVERY:
                return
        found = features(anatomy, model, provider)
        if not found.certain:
            return
        with self._lock:
            estimator.observe((*found.classes, *found.extras), tokens, found.known)
            bills = estimator.bills
            state = estimator.state() if bills <= _EVERY or bills % _EVERY == 0 else None
        if state is not None and self._memory is not None:
            self._memory.learn(provider, model, _named(estimator.prior), bills, state)

    def _of(self, provider: str, model: str) -> Estimator:
        named = provider, model
        estimator = self._models.get(named)
        if estimator is None:
            prior = prior_of(provider, model)
            state = self._kept(_named(prior)).get(named)
            try:
                estimator = Estimator(prior) if state is None else Estimator.of(state, prior)
            except ValueError:  # damaged: to be learned anew
                estimator = Estimator(prior)
            self._models[named] = estimator
            if len(self._models) > _MODELS:
                gone, _ = self._models.popitem(last=False)
                self._passed.pop(gone, None)
        return estimator

    def _kept(self, features: str) -> Mapping[tuple[str, str], str]:
        if features not in self._states:
            self._states[features] = {} if self._memory is None else self._memory.learned(features)
        return self._states[features]


def prior_of(provider: str, model: str) -> Prior:
    """Where learning starts with a model: with what is known of its family."""
    classes = family_of(model, provider).weights.classes
    extras = [_EXTRAS[name] for name in EXTRAS]
    return Prior(
        (*CLASSES, *EXTRAS),
        (*classes, *(0.0 for _ in extras)),
        (*(weight * _CLASS_SPREAD for weight in classes), *(one.spread for one in extras)),
        (*(weight * _CLASS_LEAST for weight in classes), *(one.least for one in extras)),
        (*(weight * _CLASS_MOST for weight in classes), *(one.most for one in extras)),
    )


class _Extra(NamedTuple):
    """How far what a provider adds may be off, and how far that may go, in tokens."""

    spread: float
    least: float
    most: float


_EXTRAS: Final = {
    "request": _Extra(20, -20, 2000),  # instructions of the provider's own may be long
    "messages": _Extra(2, -4, 20),
    "tools": _Extra(20, -60, 600),
    "images": _Extra(50, -600, 3000),
    "schema": _Extra(50, -200, 2000),
}
_CLASS_SPREAD, _CLASS_LEAST, _CLASS_MOST = 0.25, 0.5, 4.0  # of the prior's weight


def _named(prior: Prior) -> str:
    """A name for a set of features."""
    return ",".join(prior.names)


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum([x * y for x, y in zip(a, b, strict=True)])


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _numbers(values: list[Any]) -> list[float]:
    made = [float(value) for value in values]
    if not all(map(math.isfinite, made)):
        raise ValueError("it is no state of an estimator: a number is not finite")
    return made
