"""What is sealed comes back as it was, or not at all."""

from __future__ import annotations

import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.cache.entries import ENTRIES, entry
from tokenguard.cache.entry import Entry, opened, sealed
from tokenguard.call import Answered, Meter, Usage

SECRET = b"s" * 32
EVERYTHING = entry(
    body=bytes(range(256)),
    answered=Answered(
        "chatcmpl-1",
        "gpt-x-2026-01-01",
        "flex",
        ("stop", "length"),
        Usage({meter: n for n, meter in enumerate(Meter)}, 3, 7, {"prompt_tokens": 9, "cost": 0.1}, True),
        False,
        "",
        "overloaded_error",
        "us",
        "fast",
    ),
    request_id="req_1",
)


@given(ENTRIES)
@example(EVERYTHING)
@example(entry(body=b""))
@example(entry(body=b"tgc1" + b"\0" * 100, tags=()))
def test_an_entry_comes_back_as_it_was(given: Entry) -> None:
    """Every field of it and of its usage, in value and type, whatever is in them."""
    blob = sealed(given, SECRET)
    assert isinstance(blob, bytes)
    back = opened(blob, given.key, SECRET)
    assert back == given
    assert repr(back) == repr(given)  # 1 is True to ==


@given(ENTRIES)
def test_the_same_whichever_parser_is_there(given: Entry) -> None:
    """What one process wrote with an SDK loaded, another one reads without."""
    with pytest.MonkeyPatch.context() as patch:
        fast = sealed(given, SECRET)
        patch.delitem(sys.modules, "pydantic_core", raising=False)
        slow = sealed(given, SECRET)
        assert repr(opened(fast, given.key, SECRET)) == repr(given)
    assert repr(opened(slow, given.key, SECRET)) == repr(given)


def test_the_text_is_not_kept_twice() -> None:
    """It is in the body; what telemetry had of it goes."""
    spoken = entry(answered=Answered(text="Paris."))
    blob = sealed(spoken, SECRET)
    assert b"Paris" not in blob
    assert opened(blob, "k", SECRET) == entry()


def test_every_flipped_byte_is_seen() -> None:
    """Each of them, in the head, in the body and in the seal: a miss, never another entry."""
    blob = sealed(EVERYTHING, SECRET)
    for at in range(len(blob)):
        for change in (1, 0x20, 0x80):
            spoiled = blob[:at] + bytes([blob[at] ^ change]) + blob[at + 1 :]
            with pytest.raises(ValueError, match="seal"):
                opened(spoiled, "k", SECRET)


def test_every_truncation_is_seen() -> None:
    """At either end, down to nothing."""
    blob = sealed(EVERYTHING, SECRET)
    for at in range(1, len(blob) + 1):
        for spoiled in (blob[:-at], blob[at:], blob + blob[:at]):
            with pytest.raises(ValueError, match="seal"):
                opened(spoiled, "k", SECRET)


@given(st.binary(max_size=200))
@example(b"tgc1" + b"\0" * 60)
@example(b"\x80\x04N.")
def test_what_was_never_sealed_does_not_open(blob: bytes) -> None:
    """Whatever somebody put there."""
    with pytest.raises(ValueError, match="seal"):
        opened(blob, "k", SECRET)


@given(st.binary(max_size=64).filter(lambda secret: secret != SECRET))
@example(b"")
@example(SECRET[:-1])
def test_another_secret_does_not_open_it(secret: bytes) -> None:
    """Nor can who has not the store's own make an entry for it."""
    with pytest.raises(ValueError, match="seal"):
        opened(sealed(EVERYTHING, SECRET), "k", secret)
    with pytest.raises(ValueError, match="seal"):
        opened(sealed(EVERYTHING, secret), "k", SECRET)


@given(st.text(max_size=5).filter(lambda key: key != "k"))
@example("K")
@example("k ")
def test_an_entry_opens_under_its_own_key_only(key: str) -> None:
    """A blob that was put in another's place answers no other question."""
    with pytest.raises(ValueError, match="key"):
        opened(sealed(EVERYTHING, SECRET), key, SECRET)


@given(ENTRIES, ENTRIES, st.data())
def test_two_entries_cannot_be_put_together(one: Entry, other: Entry, data: st.DataObject) -> None:
    """The head of one with the body or the seal of another is none of both."""
    first, second = sealed(one, SECRET), sealed(other, SECRET)
    at = data.draw(st.integers(0, len(first)))
    till = data.draw(st.integers(0, len(second)))
    joined = first[:at] + second[till:]
    if joined in (first, second):
        return
    with pytest.raises(ValueError, match="seal"):
        opened(joined, one.key, SECRET)


@pytest.mark.parametrize(
    ("kind", "streams"),
    [
        ("application/json", False),
        ("text/event-stream", True),
        ("text/event-stream; charset=utf-8", True),
        ("application/vnd.amazon.eventstream", True),
        ("text/plain", False),
        ("", False),
    ],
)
def test_an_entry_knows_whether_it_is_a_stream(kind: str, streams: bool) -> None:
    """By its content type."""
    assert entry(content_type=kind).streams is streams
