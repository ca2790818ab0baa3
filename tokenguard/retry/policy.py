"""Whether a failed attempt is worth another one, and after what wait.

There is one loop and it is ours: a wrapped client's own is switched off. The wait is full jitter
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/) through tenacity, on top
of whatever the provider asks for: waiting less than asked only earns another refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from tokenguard.effects import Failure, Lookup, Reply
from tokenguard.errors import ConfigError
from tokenguard.retry.hints import retry_after_s

DEFAULT_RETRIES: Final = 2
"""As both SDKs have it (``DEFAULT_MAX_RETRIES``)."""

_RETRYABLE: Final = frozenset({408, 409, 429})
"""As both SDKs have it (``_should_retry``), besides every 5xx."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often to try again, and how long to wait.

    Attributes:
        retries: Further attempts after the first; ``None`` takes the wrapped client's own
            ``max_retries``. A call makes at most ``retries + 1`` requests.
        base_s: The first wait is drawn from 0 to this many seconds; the range doubles each time.
        cap_s: No wait is drawn from more than 0 to this many seconds.
        max_retry_after_s: Where the provider asks for a longer wait than this, the failure is handed
            on at once.
    """

    retries: int | None = None
    base_s: float = 0.5
    cap_s: float = 8.0
    max_retry_after_s: float = 120.0

    def __post_init__(self) -> None:
        if self.retries is not None and self.retries < 0:
            raise ConfigError(f"Retry(retries={self.retries!r}): give 0 (never try again) or more")
        for name in ("base_s", "cap_s", "max_retry_after_s"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ConfigError(f"Retry({name}={value!r}): give a number of seconds, 0 or more")

    def wait(self, outcome: Reply | Failure, *, made: int, allowed: int, now_ns: int) -> float | None:
        """Seconds to wait before the next attempt, or ``None`` where there is to be none.

        Args:
            outcome: What the last attempt came to.
            made: Attempts made so far.
            allowed: Further attempts that the call may have in all.
            now_ns: The wall clock, in nanoseconds since 1970 UTC.
        """
        if made > allowed:
            return None
        asked = None
        if isinstance(outcome, Failure):
            if not outcome.retryable:
                return None
        else:
            if not _worth_it(outcome.status, outcome.headers):
                return None
            asked = retry_after_s(outcome.headers, now_ns)
            if asked is not None and asked > self.max_retry_after_s:
                return None
        return (asked or 0.0) + _jitter(self.base_s, self.cap_s, made)


def _worth_it(status: int, headers: Lookup) -> bool:
    said = headers.get("x-should-retry")
    if said in ("true", "false"):
        return said == "true"
    return status in _RETRYABLE or status >= 500


@lru_cache(maxsize=32)
def _strategy(base_s: float, cap_s: float) -> Any:
    from tenacity import wait_random_exponential  # only a call that fails pays for this import

    return wait_random_exponential(multiplier=base_s, max=cap_s)


def _jitter(base_s: float, cap_s: float, made: int) -> float:
    from tenacity import RetryCallState

    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = made
    return float(_strategy(base_s, cap_s)(state))
