"""How long a provider asks us to wait, in every form in which it says so."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite

from tokenguard.effects import Lookup


def retry_after_s(headers: Lookup, now_ns: int) -> float | None:
    """The wait that the answer's headers ask for, in seconds, or ``None`` where they ask for none.

    ``retry-after-ms`` and Azure's ``x-ms-retry-after-ms`` are milliseconds; ``retry-after`` is
    seconds, whole or not, or an HTTP date (RFC 9110 §10.2.3). A date is measured against the answer's
    own ``date``, so that a clock which is wrong on either side does not stretch or skip the wait.

    Args:
        headers: The answer's headers, names in lower case.
        now_ns: The wall clock, in nanoseconds since 1970 UTC; used where the answer has no ``date``.
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        millis = _number(headers.get(name))
        if millis is not None:
            return millis / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    until = _date(value)
    if until is None:
        return None
    now = _date(headers.get("date"))
    return max(0.0, until - (now if now is not None else now_ns / 1e9))


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and isfinite(number) and number >= 0 else None


def _date(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        date = parsedate_to_datetime(text)
        # A date without a zone is GMT (RFC 9110 §5.6.7), not the zone of this machine.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
