"""Bytes out are bytes in, minus the one event that we asked for and the caller did not."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.reading import known, opened, parsed
from tests.dialects.streams import DIALECTS, streams
from tokenguard.dialects import Dialect
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.openai_chat import CHAT
from tokenguard.dialects.sse import AwsEventStream, ServerSentEvents
from tokenguard.testing import aws_event_stream
from tokenguard.transport.tap import Tap

ENDS = {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def _chunk(**fields: object) -> bytes:
    return json.dumps({"id": "c-1", "model": "gpt-4.1", **fields}, ensure_ascii=False).encode()


def _text(text: str) -> bytes:
    return _chunk(choices=[{"index": 0, "delta": {"content": text}}])


def _tap(*, hides: bool = True) -> Tap:
    assert CHAT.events is not None
    return Tap(ServerSentEvents(), CHAT.events(), hides_usage=hides, clock=lambda: 7)


def _through(tap: Tap, pieces: Iterable[bytes]) -> bytes:
    return b"".join(tap.feed(piece) for piece in pieces) + tap.rest()


def _cut(stream: bytes, at: Sequence[int]) -> list[bytes]:
    marks = [0, *sorted(at), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(marks)]


def _framed(end: bytes, *, usage: bool) -> bytes:
    """A stream as some server might send it: comments, names, data without a space, several data lines."""
    events = [
        b": keep-alive" + end,
        b"data: " + _text("Zürich 東京") + end,
        b"event: message" + end + b"data:" + _text("{\\n}") + end + b"id: 4" + end,
        b"data: " + b'{"choices": [],' + end + b'data: "model": "x"}' + end,
    ]
    if usage:
        events.append(b"data: " + _chunk(choices=[], usage=USAGE) + end)
    return b"".join(event + end for event in [*events, b"data: [DONE]" + end])


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_split_at_every_byte(end: bytes) -> None:
    """Wherever the network cuts the stream in two, the same bytes come out and the same is read."""
    whole, wanted = _framed(end, usage=True), _framed(end, usage=False)
    for at in range(len(whole) + 1):
        tap = _tap()
        assert _through(tap, _cut(whole, [at])) == wanted, at
        answered = tap.answered()
        assert answered.usage is not None
        assert answered.usage.total == 5
        assert answered.text == "Zürich 東京{\\n}"
        assert tap.finished


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_byte_by_byte(end: bytes) -> None:
    """One byte at a time is still the same stream."""
    whole = _framed(end, usage=True)
    assert _through(_tap(), (whole[n : n + 1] for n in range(len(whole)))) == _framed(end, usage=False)


@given(
    end=st.sampled_from(sorted(ENDS.values())),
    texts=st.lists(st.text(max_size=20), max_size=6),
    cuts=st.lists(st.integers(0, 2000), max_size=12),
    place=st.integers(0, 6),
)
def test_any_cut_of_any_stream(end: bytes, texts: list[str], cuts: list[int], place: int) -> None:
    """For any texts, any place of the usage chunk and any cuts: out is in, minus that chunk."""
    events = [b"data: " + _text(text) + end + end for text in texts]
    usage = b"data: " + _chunk(choices=[], usage=USAGE) + end + end
    place = min(place, len(events))
    whole = b"".join([*events[:place], usage, *events[place:]])
    tap = _tap()
    assert _through(tap, _cut(whole, [min(cut, len(whole)) for cut in cuts])) == b"".join(events)
    assert tap.answered().text == "".join(texts)
    assert tap.answered().usage is not None


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@settings(max_examples=200)
@given(data=st.data(), hides=st.booleans())
def test_any_cut_of_any_stream_is_read_alike(dialect: Dialect, data: st.DataObject, hides: bool) -> None:
    """Cut anywhere, a stream says what its events say one by one, and loses only those that are nothing
    but usage.
    """
    raw = data.draw(streams(dialect))
    whole = b"".join(raw)
    ends = st.sampled_from([0, *itertools.accumulate(len(event) for event in raw)])
    cuts = data.draw(st.lists(ends | st.integers(0, len(whole)), max_size=12))
    splitter = ServerSentEvents()
    events = list(splitter.feed(whole))
    said = parsed(dialect, events)
    kept = [
        event.raw for event, (only_usage, _) in zip(events, said, strict=True) if not (only_usage and hides)
    ]
    reader = opened(dialect)
    tap = Tap(ServerSentEvents(), reader, hides_usage=hides, clock=lambda: 7)
    assert _through(tap, _cut(whole, cuts)) == b"".join([*kept, splitter.rest])
    assert [known(reader)] == [knows for _, knows in said][-1:] or not said


@given(st.lists(st.binary(max_size=40), max_size=8), st.booleans())
def test_any_bytes_go_through(pieces: list[bytes], hides: bool) -> None:
    """What is no stream of events at all goes through as it is, and breaks nothing."""
    assert _through(_tap(hides=hides), pieces) == b"".join(pieces)


@given(
    st.lists(st.sampled_from([b"data: ", b"data:", b"{", b"}", b"\r", b"\n", b"\r\n", b"[DONE]", b"null"]))
)
def test_nearly_events_go_through(pieces: list[bytes]) -> None:
    """The same of what looks like events, with line ends mixed in any way."""
    assert _through(_tap(), pieces) == b"".join(pieces)


def test_chunks_stay_chunks() -> None:
    """Where nothing is hidden, even the chunks are those that came, and none waits for the next."""
    pieces = [b"data: {", b'"choices":[]', b"}\n", b"\nda"]
    tap = _tap(hides=False)
    assert [tap.feed(piece) for piece in pieces] == pieces
    assert tap.rest() == b""


def test_an_event_goes_on_as_soon_as_it_is_whole() -> None:
    """Hiding a chunk delays no other one: an event leaves with the byte that completes it."""
    for end in ENDS.values():
        tap = _tap()
        event = b"data: " + _text("a") + end + end
        assert tap.feed(event) == event, end


def test_lenient_events() -> None:
    """Blanks around the data, and a longer end mark, are read as the SDK reads them."""
    tap = _tap()
    stream = b"data:   " + _text("a") + b"\n\n" + b"data: [DONE] \n\n"
    assert tap.feed(stream) == stream
    assert tap.answered().text == "a"
    assert tap.finished


def test_bedrocks_framing_at_every_byte() -> None:
    """Messages of Amazon's binary framing are read however they are cut, and go on as they came."""
    assert MESSAGES.events is not None
    events = (
        {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 9, "output_tokens": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Zürich"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    )
    whole = b"".join(aws_event_stream.chunk(json.dumps(event)) for event in events)
    for at in range(len(whole) + 1):
        tap = Tap(AwsEventStream(), MESSAGES.events(), hides_usage=False, clock=lambda: 7)
        assert _through(tap, _cut(whole, [at])) == whole
        answered = tap.answered()
        assert answered.usage is not None
        assert (answered.usage.input_tokens, answered.usage.output_tokens) == (9, 5)
        assert tap.finished


def test_usage_beside_choices_stays() -> None:
    """A chunk that carries usage and something else is not ours to take."""
    event = b"data: " + _chunk(choices=[{"index": 0, "delta": {}}], usage=USAGE) + b"\n\n"
    tap = _tap()
    assert tap.feed(event) == event
    assert tap.answered().usage is not None


def test_odd_events_stay() -> None:
    """Events that cannot be understood go on, and what was understood counts."""
    odd = [
        b'data: {"choices": 7}\n\n',
        b'data: {"choices": [null]}\n\n',
        b'data: {"choices": [{"delta": [1]}]}\n\n',
        b"data: {broken\n\n",
        b"data: \xff\xfe\n\n",
        b'data: {"choices": [], "usage": {"prompt_tokens": "many"}}\n\n',
    ]
    tap = _tap(hides=False)
    stream = [*odd, b"data: " + _text("ok") + b"\n\n"]
    assert _through(tap, stream) == b"".join(stream)
    assert tap.answered().text == "ok"


def test_the_first_token_is_timed() -> None:
    """The clock is read with the first content, not with the role before it."""
    tap = _tap()
    tap.feed(b"data: " + _chunk(choices=[{"index": 0, "delta": {"role": "assistant"}}]) + b"\n\n")
    assert tap.first_token_ns is None
    tap.feed(b"data: " + _text("a") + b"\n\n")
    assert tap.first_token_ns == 7
