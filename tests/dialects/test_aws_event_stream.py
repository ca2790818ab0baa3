"""Bedrock's binary event stream: messages cut anywhere, and what is no message at all."""

from __future__ import annotations

import base64
import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.sse import AwsEventStream, Event
from tokenguard.testing.aws_event_stream import chunk, exception, frame


def split(chunks: list[bytes]) -> tuple[list[Event], bytes]:
    splitter = AwsEventStream()
    events = [event for piece in chunks for event in splitter.feed(piece)]
    return events, splitter.rest


PAYLOADS = st.lists(st.text(max_size=30), max_size=5)


@settings(deadline=None)
@given(PAYLOADS, st.lists(st.integers(0, 600), max_size=8))
def test_any_chunking_gives_the_same_messages(payloads: list[str], cuts: list[int]) -> None:
    """Where the network cut the stream changes nothing, and no byte is lost."""
    whole = b"".join(chunk(payload) for payload in payloads)
    places = sorted(min(place, len(whole)) for place in cuts)
    pieces = [whole[a:b] for a, b in zip([0, *places], [*places, len(whole)], strict=True)]
    events, rest = split(pieces)
    assert [event.data for event in events] == [payload.encode() for payload in payloads]
    assert b"".join(event.raw for event in events) + rest == whole
    assert (events, rest) == split([whole])


def test_a_streamed_message_is_read() -> None:
    """The events inside are Anthropic's own, with Bedrock's metrics in the last of them."""
    events = [
        {
            "type": "message_start",
            "message": {"id": "msg_bdrk_1", "usage": {"input_tokens": 9, "output_tokens": 1}},
        },
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 9}},
    ]
    assert MESSAGES.events is not None
    reader = MESSAGES.events()
    found, rest = split([b"".join(chunk(json.dumps(event)) for event in events)])
    for event in found:
        reader.feed(event.name, json.loads(event.data))
    answered = reader.answered()
    assert rest == b""
    assert reader.finished
    assert answered.text == "Hi"
    assert answered.usage is not None
    assert answered.usage.output_tokens == 4


def test_an_exception_in_the_stream_is_an_error() -> None:
    """Its bytes go on to the SDK, which raises it; its type is read as that of Anthropic's own errors."""
    message = exception("throttlingException", "Too many tokens")
    (event,), rest = split([message])
    assert event.raw == message
    assert rest == b""
    assert MESSAGES.events is not None
    reader = MESSAGES.events()
    reader.feed(event.name, json.loads(event.data))
    assert reader.answered().error_type == "throttlingException"


DEEP = b'{"bytes":' * 100_000


@pytest.mark.parametrize(
    "payload",
    [b"", b"not json", b"[]", b'{"bytes": 7}', b'{"bytes": "%%%"}', b'{"text": "x"}', b"\xff\xfe", DEEP],
    ids=["empty", "text", "list", "number", "no-base64", "other", "no-utf8", "deep"],
)
def test_a_payload_that_is_no_event_is_left_as_it_is(payload: bytes) -> None:
    """Whatever stands in a message, the next one is read."""
    good = chunk("{}")
    events, _ = split([frame({":event-type": "x"}, payload) + good])
    assert [event.raw for event in events][1] == good
    assert events[1].data == b"{}"


@pytest.mark.parametrize(
    "junk",
    [
        b"<html>502 Bad Gateway</html>" * 3,
        struct.pack(">II", 3, 0) + b"\x00" * 40,
        struct.pack(">II", 2**32 - 1, 0) + b"\x00" * 40,
    ],
    ids=["html", "too-short", "too-long"],
)
def test_what_is_no_event_stream_gives_no_events(junk: bytes) -> None:
    """Nothing is made up, and nothing is raised."""
    events, rest = split([junk[:7], junk[7:]])
    assert events == []
    assert rest == junk


def test_headers_longer_than_their_message_do_no_harm() -> None:
    """A length that lies gives an empty payload."""
    body = base64.b64encode(b"{}")
    message = struct.pack(">II", 16 + len(body), 2**31) + b"\x00" * 4 + body + b"\x00" * 4
    events, rest = split([message])
    assert [event.data for event in events] == [b""]
    assert rest == b""
