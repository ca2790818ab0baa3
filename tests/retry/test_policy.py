"""Whether there is another attempt, and after what wait."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenguard.effects import Failure, Reply
from tokenguard.errors import ConfigError
from tokenguard.retry import Retry

NOW_NS = 1_795_176_000_000_000_000


def refused(status: int, **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, 0)


def trouble(*, retryable: bool = True) -> Failure:
    return Failure(OSError("reset"), 0, sent=True, retryable=retryable)


def wait(
    outcome: Reply | Failure, policy: Retry | None = None, *, made: int = 1, allowed: int = 2
) -> float | None:
    return (policy or Retry()).wait(outcome, made=made, allowed=allowed, now_ns=NOW_NS)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529, 599])
def test_trouble_that_may_pass_is_tried_again(status: int) -> None:
    """As both SDKs have it: 408, 409, 429 and every 5xx."""
    assert wait(refused(status)) is not None


@pytest.mark.parametrize("status", [200, 301, 307, 400, 401, 403, 404, 413, 422, 451])
def test_a_verdict_is_not(status: int) -> None:
    """Asking again would get the same answer."""
    assert wait(refused(status)) is None


@pytest.mark.parametrize(
    ("status", "said", "again"), [(400, "true", True), (503, "false", False), (503, "no", True)]
)
def test_the_provider_has_the_last_word(status: int, said: str, again: bool) -> None:
    """``x-should-retry`` says so; anything but true and false says nothing."""
    assert (wait(refused(status, x_should_retry=said)) is not None) == again


def test_a_connection_that_broke_is_tried_again() -> None:
    """But not what can never go better: a cancelled task, a bad URL."""
    assert wait(trouble()) is not None
    assert wait(trouble(retryable=False)) is None


@settings(deadline=None)
@given(st.integers(0, 20), st.integers(1, 40))
def test_there_are_as_many_tries_as_allowed_and_one_more(allowed: int, made: int) -> None:
    """``retries=n`` is n + 1 requests."""
    assert (wait(refused(503), made=made, allowed=allowed) is not None) == (made <= allowed)


@settings(deadline=None)
@given(
    base=st.floats(0, 60),
    cap=st.floats(0, 600),
    made=st.integers(1, 1000),
    asked=st.none() | st.floats(0, 100),
)
def test_the_wait_is_full_jitter_on_top_of_what_was_asked_for(
    base: float, cap: float, made: int, asked: float | None
) -> None:
    """Never less than the provider asks for, never more than the range above it."""
    headers = {} if asked is None else {"retry_after": repr(asked)}
    got = wait(refused(429, **headers), Retry(base_s=base, cap_s=cap), made=made, allowed=made)
    assert got is not None
    floor = asked or 0.0
    reach = min(cap, base * 2.0 ** (made - 1))
    assert floor <= got <= floor + reach + 1e-9


def test_the_wait_is_drawn_and_not_fixed() -> None:
    """Clients that failed together do not come back together."""
    assert len({wait(refused(503)) for _ in range(20)}) > 10


@pytest.mark.parametrize("value", ["121", "1e300", "Fri, 20 Nov 2099 12:00:00 GMT"])
def test_a_wait_that_is_too_long_is_handed_on(value: str) -> None:
    """The caller would rather know now."""
    assert wait(refused(429, retry_after=value)) is None
    assert wait(refused(429, retry_after="119")) is not None


def test_no_wait_at_all_can_be_had() -> None:
    """Tests and batch jobs may want none."""
    assert wait(refused(503), Retry(base_s=0)) == 0.0
    assert wait(refused(503), Retry(cap_s=0)) == 0.0


@pytest.mark.parametrize(
    "settings",
    [
        {"retries": -1},
        {"base_s": -0.1},
        {"base_s": float("nan")},
        {"cap_s": float("inf")},
        {"max_retry_after_s": -1},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(settings: dict[str, float]) -> None:
    """With the value, and what to give instead."""
    with pytest.raises(ConfigError, match="give"):
        Retry(**settings)  # type: ignore[arg-type]
