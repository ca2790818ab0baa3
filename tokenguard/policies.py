"""Everything that has a say in a call's life, as a guard hands it to the flow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from tokenguard.pricing import PriceBook
from tokenguard.retry import Retry
from tokenguard.telemetry import Telemetry

if TYPE_CHECKING:  # a guard loads what it is made with
    from tokenguard.cache import Answers
    from tokenguard.lint.calls import CallLinter
    from tokenguard.tokens.calibration import Calibration


class Policies(NamedTuple):
    """Everything that has a say in a call's life."""

    prices: PriceBook
    retry: Retry | None
    telemetry: Telemetry
    refuse_unpriced: bool
    new_id: Callable[[int], str]
    cache: Answers | None = None
    lint: CallLinter | None = None
    calibration: Calibration | None = None
