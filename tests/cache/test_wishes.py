"""What an application wants of the cache, in contexts and in headers."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tokenguard
from tokenguard import ConfigError
from tokenguard.call import CacheWish
from tokenguard.wishes import current, from_headers

USES = ("use", "bypass", "refresh", "only")
TAGS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), max_size=4)


def test_nothing_is_wished_for_by_default() -> None:
    """The cache does as it is configured."""
    assert current().cache == CacheWish("use", None, ())
    assert tokenguard.headers() == {}
    assert from_headers({}).cache == CacheWish()


@pytest.mark.parametrize("use", USES)
def test_a_context_says_how_the_cache_is_used(use: Any) -> None:
    """Inside the block, and not after it."""
    with tokenguard.context(cache=use):
        assert current().cache.use == use
    assert current().cache.use == "use"


def test_contexts_nest_and_end() -> None:
    """The innermost says how and for how long; the tags of all are added, each once, in their order."""
    with tokenguard.context(cache="bypass", cache_ttl="7d", cache_tags=("a", "b")):
        outer = current().cache
        with tokenguard.context(cache_tags=["b", "c"]):
            assert current().cache == CacheWish("bypass", 604_800.0, ("a", "b", "c"))
        with tokenguard.context(cache="use", cache_ttl=0):
            assert current().cache == CacheWish("use", 0.0, ("a", "b"))
        with tokenguard.context(tags={"team": "t"}, retries=1):
            assert current().cache == outer
        assert current().cache == outer
    assert current().cache == CacheWish()


@pytest.mark.parametrize(
    ("ttl", "expected"),
    [("90s", 90), (90, 90), (0.5, 0.5), (0, 0), (timedelta(hours=1), 3600), ("250ms", 0.25)],
)
def test_a_ttl_is_written_as_everywhere(ttl: Any, expected: float) -> None:
    """As text, as a number of seconds, or as a timedelta."""
    with tokenguard.context(cache_ttl=ttl):
        assert current().cache.ttl_s == expected


@given(st.sampled_from(USES), st.floats(0, 8e13) | st.none(), TAGS)
@example("only", 1.1 * 3600, ["a,b", "c d", "e%2Cf", "ä/=&?", "\n"])
@example("use", 1e-05, [])
@example("refresh", 8e13, [])
@example("bypass", 5e-324, [","])
def test_headers_carry_every_wish_there_and_back(use: Any, ttl: float | None, tags: list[str]) -> None:
    """To the last digit, whatever is in a tag."""
    made = tokenguard.headers(cache=use, cache_ttl=ttl, cache_tags=tags)
    assert all(value.isascii() and value.isprintable() for value in made.values())
    assert from_headers(made).cache == CacheWish(use, ttl, tuple(dict.fromkeys(tags)))


@given(st.sampled_from(USES), st.floats(0, 8e13) | st.none(), TAGS)
def test_headers_say_what_the_context_says(use: Any, ttl: float | None, tags: list[str]) -> None:
    """For a thread that has no context."""
    with tokenguard.context(cache=use, cache_ttl=ttl, cache_tags=tags):
        made, wished = tokenguard.headers(), current().cache
    assert from_headers(made).cache == wished


@pytest.mark.parametrize("outer", USES)
@pytest.mark.parametrize("inner", USES)
def test_headers_outdo_the_context_they_arrive_in(outer: Any, inner: Any) -> None:
    """Also where they say that the cache is to be used as usual."""
    with tokenguard.context(cache=outer, cache_ttl="1h", cache_tags=("a",)):
        made = tokenguard.headers(cache=inner, cache_tags=("b",))
        assert from_headers(made).cache == CacheWish(inner, 3600.0, ("a", "b"))
        assert from_headers({"x-tokenguard-cache": inner}).cache == CacheWish(inner, 3600.0, ("a",))


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("cache", "bypass", CacheWish("bypass")),
        ("cache-ttl", "7d", CacheWish(ttl_s=604_800.0)),
        ("cache-ttl", "1.5 h", CacheWish(ttl_s=5_400.0)),
        ("cache-ttl", "90", CacheWish(ttl_s=90.0)),
        ("cache-ttl", "0", CacheWish(ttl_s=0.0)),
        ("cache-tags", "a,b", CacheWish(tags=("a", "b"))),
        ("cache-tags", "a%2Cb", CacheWish(tags=("a,b",))),
        ("cache-tags", ",a,,", CacheWish(tags=("a",))),
        ("cache-tags", "", CacheWish()),
    ],
)
def test_headers_may_be_written_by_hand(header: str, value: str, expected: CacheWish) -> None:
    """By a client in another language, say."""
    assert from_headers({f"x-tokenguard-{header}": value}).cache == expected


@pytest.mark.parametrize(
    "wrong",
    [
        *({"cache": use} for use in ("", "yes", "Bypass", True, False, 0, ["use"], {})),
        *(
            {"cache_ttl": ttl}
            for ttl in ("", "7", "soon", -1, math.nan, math.inf, -math.inf, 1e300, True, timedelta(-1))
        ),
        *({"cache_tags": tags} for tags in ("red", "", ("",), ("a", ""), (7,), (None,), None, 7, {"": 2})),
    ],
    ids=str,
)
def test_wrong_wishes_are_refused_where_they_are_made(wrong: Any) -> None:
    """A wish that cannot hold is an error where it is written, not in the middle of a call."""
    with pytest.raises(ConfigError), tokenguard.context(**wrong):
        pass
    with pytest.raises(ConfigError):
        tokenguard.headers(**wrong)
    assert current().cache == CacheWish()


@pytest.mark.parametrize(
    ("header", "value"),
    [
        *(("cache", value) for value in ("", "yes", "BYPASS", "use,bypass")),
        *(("cache-ttl", value) for value in ("", "soon", "-1", "-1s", "nan", "inf", "1e300", "7 parsecs")),
    ],
)
def test_wrong_headers_are_refused(header: str, value: str) -> None:
    """A wish that was written by hand and cannot be read is not guessed at."""
    with pytest.raises(ConfigError):
        from_headers({f"x-tokenguard-{header}": value})


def test_a_generator_of_tags_is_read_once() -> None:
    """None of them is lost by looking at them."""
    with tokenguard.context(cache_tags=(tag for tag in "abb")):  # type: ignore[arg-type]
        assert current().cache.tags == ("a", "b")
