"""Server-sent events: cut anywhere, they are the same events, and no byte is lost, added or moved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tokenguard.dialects import sse
from tokenguard.dialects.sse import Event, ServerSentEvents

PIECES = [
    *(b"\n", b"\n\n", b"data: ", b"data:", b"event: ", b"event: x", b"id: 1", b":", b" ", b"[DONE]", b"text"),
    *('{"a":"ä€😀"}'.encode(), b"\xff\xfe", b"\xef\xbb\xbf", b"\x00"),
]
CRS = [b"\r", b"\r\n", b"\r\n\r\n"]
BYTES = (
    st.lists(st.sampled_from([*PIECES, *CRS]) | st.binary(max_size=3), max_size=30)
    | st.lists(st.sampled_from(PIECES), max_size=30)  # most streams have no CR at all
).map(b"".join)


@st.composite
def cut(draw: st.DrawFn, stream: st.SearchStrategy[bytes] = BYTES) -> list[bytes]:
    """A stream in chunks, cut anywhere, empty chunks among them."""
    whole = draw(stream)
    places = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    return [whole[a:b] for a, b in zip([0, *places], [*places, len(whole)], strict=True)]


def split(chunks: list[bytes]) -> tuple[list[Event], bytes]:
    splitter = ServerSentEvents()
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    return events, splitter.rest


@settings(deadline=None)
@given(cut())
@example([b"data: a\r", b"\n\r\n"])
@example([b"data: a\r", b"\r\n"])
@example([b"data: a\n\r", b"\ndata: b\n\n"])
@example([b"data: a\r\n\r", b"data: b\n\n"])
def test_any_chunking_gives_the_same_events(chunks: list[bytes]) -> None:
    """Where the network cut the stream changes nothing."""
    whole = b"".join(chunks)
    assert split(chunks) == split([whole])
    assert split([whole[i : i + 1] for i in range(len(whole))]) == split([whole])


@settings(deadline=None)
@given(cut())
def test_no_byte_is_lost_added_or_moved(chunks: list[bytes]) -> None:
    """The events and the rest, put together again, are the stream."""
    events, rest = split(chunks)
    assert b"".join(event.raw for event in events) + rest == b"".join(chunks)


def by_the_standard(stream: bytes) -> list[tuple[str | None, bytes]]:
    """Events as the WHATWG's algorithm has them, line by line; those without data are left out."""
    found: list[tuple[str | None, bytes]] = []
    name: str | None = None
    data: list[bytes] = []
    lines = re.split(rb"\r\n|\n|\r", stream)[:-1]  # what stands after the last line end is no line yet
    for line in lines:
        if not line:
            if data:
                found.append((name, b"\n".join(data)))
            name, data = None, []
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value.decode("utf-8", "replace")
        elif field == b"data":
            data.append(value)
    return found


def lines(ends: list[bytes]) -> st.SearchStrategy[bytes]:
    fields = [b"data: a", b"data:b", b"data:  c", b"event: e", b": comment", b"id: 1", b"data", b""]
    line = st.tuples(st.sampled_from(fields), st.sampled_from(ends)).map(b"".join)
    return st.lists(line, max_size=12).map(lambda made: b"".join([*made, b"x"]))


@settings(deadline=None)
@given(cut(lines([b"\n", b"\r\n", b"\r"]) | lines([b"\n"])))
def test_events_are_those_of_the_standard(chunks: list[bytes]) -> None:
    """Names, comments, data of several lines, and each of the three line ends, mixed as you please."""
    events, _ = split(chunks)
    ours = [(event.name, event.data) for event in events if b"data" in event.raw]
    assert ours == by_the_standard(b"".join(chunks))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_an_event_is_read(end: str) -> None:
    """Name and data, several lines of data joined by a newline, comments and ids passed over."""
    text = end.join(["event: delta", ": keep-alive", "id: 7", 'data: {"a":', "data:  1}", "", ""])
    events, rest = split([text.encode()])
    assert [(event.name, event.data) for event in events] == [("delta", b'{"a":\n 1}')]
    assert events[0].raw == text.encode()
    assert rest == b""


def test_characters_may_be_cut_anywhere() -> None:
    """A character of several bytes that straddles two chunks comes out whole."""
    stream = 'data: {"text":"äöü€😀"}\n\n'.encode()
    for place in range(len(stream)):
        events, _ = split([stream[:place], stream[place:]])
        assert events[0].data.decode() == '{"text":"äöü€😀"}'


def test_a_comment_is_an_event_without_data() -> None:
    """Keep-alives go on to the caller and say nothing."""
    events, _ = split([b": ping\n\ndata: x\n\n"])
    assert [(event.name, event.data) for event in events] == [(None, b""), (None, b"x")]


def test_what_is_not_whole_waits() -> None:
    """An event that was cut off is in the rest, and only there."""
    splitter = ServerSentEvents()
    assert list(splitter.feed(b"data: a\n\ndata: b")) == [Event(b"data: a\n\n", None, b"a")]
    assert splitter.rest == b"data: b"
    assert [event.data for event in splitter.feed(b"\n\n")] == [b"b"]
    assert splitter.rest == b""


class CountingPattern:
    """A pattern that counts the bytes it is asked to look at."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self.pattern = pattern
        self.looked_at = 0

    def search(self, buffer: bytes, position: int) -> re.Match[bytes] | None:
        self.looked_at += len(buffer) - position
        return self.pattern.search(buffer, position)


class CountingBuffer(bytearray):
    """A buffer that counts the bytes of it that are looked at."""

    looked_at = 0

    def find(self, what: Any, start: Any = 0, end: Any = None) -> int:
        self.looked_at += len(self) - start
        return super().find(what, start, end)


@pytest.mark.parametrize("begin", [b"data: ", b": \r\ndata: "], ids=["LF", "CR"])
def test_a_huge_event_in_small_chunks_takes_linear_work(
    begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five megabytes in chunks of 1,000 bytes: each byte is looked at about once, not 5,000 times."""
    pattern, buffer = CountingPattern(sse._BLANK_LINE), CountingBuffer()
    monkeypatch.setattr(sse, "_BLANK_LINE", pattern)
    size, step = 5_000_000, 1_000

    def chunks() -> Iterator[bytes]:
        yield begin
        for _ in range(size // step):
            yield b"x" * step
        yield b"\n\n"

    splitter = ServerSentEvents()
    splitter._buffer = buffer
    events: list[Any] = [event for chunk in chunks() for event in splitter.feed(chunk)]
    assert len(events) == 1
    assert len(events[0].data) == size
    assert size < pattern.looked_at + buffer.looked_at < 2.02 * size  # and once more when it is whole
