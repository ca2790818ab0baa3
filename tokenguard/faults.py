"""Failing open, in one place: what breaks inside us is logged once, counted, and never raised.

A broken ledger, exporter or price table must not fail the user's call, and must not be silent.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter

logger = logging.getLogger("tokenguard")

_lock = threading.RLock()
_counts: Counter[str] = Counter()


def note(where: str, error: BaseException) -> None:
    """Count a fault of ours, and log the first one of its kind with its traceback.

    Args:
        where: The room and the work that failed, e.g. ``ledger.settle``; also the counter's name.
        error: What was raised.
    """
    kind = f"{where}:{type(error).__name__}"
    with _lock:
        _counts[where] += 1
        _counts[kind] += 1
        first = _counts[kind] == 1
    if first:
        logger.warning(
            "%s failed (%s: %s); the call goes on without it. Further faults of this kind are only counted.",
            where,
            type(error).__name__,
            error,
            exc_info=error,
        )


def warn_once(where: str, message: str, *args: object) -> None:
    """Count an oddity that is not an exception, and log the first one of its kind."""
    kind = f"{where}:{args}"
    with _lock:
        _counts[where] += 1
        # Values from outside must not grow the table without end.
        first = kind not in _counts and len(_counts) < 4096
        if first:
            _counts[kind] = 1
    if first:
        logger.warning(message, *args)


def counts() -> dict[str, int]:
    """How often each kind of fault happened in this process, by place (``ledger.settle``, ...)."""
    with _lock:
        return {place: n for place, n in _counts.items() if ":" not in place}
