"""Entries of every kind, for property tests."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from tokenguard.cache.entry import Entry
from tokenguard.call import Answered, Meter, Usage

ANY_TEXT: Final = st.text(st.characters(exclude_categories=()), max_size=8)  # with halves of surrogate pairs
TIMES: Final = st.integers(0, 2**63)
COUNTS: Final = st.integers(-5, 2**40)

_SCALARS: Final = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT
)
_JSON: Final = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
USAGES: Final = st.tuples(
    st.dictionaries(st.sampled_from(list(Meter)), COUNTS),
    COUNTS,
    st.none() | COUNTS,
    st.none() | st.dictionaries(ANY_TEXT, _JSON, max_size=3),
    st.booleans(),
).map(lambda fields: Usage(*fields))
ANSWERED: Final = st.builds(
    Answered,
    response_id=st.none() | ANY_TEXT,
    model=st.none() | ANY_TEXT,
    service_tier=st.none() | ANY_TEXT,
    finish_reasons=st.lists(ANY_TEXT, max_size=3).map(tuple),
    usage=st.none() | USAGES,
    usage_final=st.booleans(),
    text=st.just(""),
    error_type=st.none() | ANY_TEXT,
    inference_geo=st.none() | ANY_TEXT,
    speed=st.none() | ANY_TEXT,
)
ENTRIES: Final = st.builds(
    Entry,
    key=ANY_TEXT,
    stored_ns=TIMES,
    expires_ns=TIMES,
    status=st.integers(100, 599),
    content_type=st.sampled_from(["application/json", "text/event-stream; charset=utf-8"]) | ANY_TEXT,
    body=st.binary(max_size=64),
    answered=ANSWERED,
    request_id=st.none() | ANY_TEXT,
    dialect=ANY_TEXT,
    model=ANY_TEXT,
    namespace=ANY_TEXT,
    tags=st.lists(ANY_TEXT, max_size=3).map(tuple),
    epoch=st.integers(0, 2**31),
)


def entry(key: str = "k", *, size: int = 3, **fields: Any) -> Entry:
    """An entry with what is said, and anything else."""
    known = Entry(
        key=key,
        stored_ns=1_000,
        expires_ns=2_000,
        status=200,
        content_type="application/json",
        body=b"x" * size,
        answered=Answered(),
        request_id=None,
        dialect="openai.chat",
        model="gpt-x",
        namespace="team",
        tags=("red", "blue"),
    )
    return known._replace(**fields)
