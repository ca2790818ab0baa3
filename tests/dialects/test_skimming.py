"""Events that are not parsed: what is read of a stream is what parsing every event would have read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any

import pydantic_core
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenguard.dialects import Dialect
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.openai_chat import CHAT, COMPLETIONS
from tokenguard.dialects.openai_responses import RESPONSES
from tokenguard.dialects.skimming import Skimmer
from tokenguard.dialects.sse import AwsEventStream, Event, ServerSentEvents
from tokenguard.testing import aws_event_stream

from .reading import Said, followed, opened, parsed
from .streams import DIALECTS, streams


def split(stream: bytes) -> list[Event]:
    """The events of a stream that are read: those with an object for data."""
    return [event for event in ServerSentEvents().feed(stream) if event.data.startswith(b"{")]


def skimmed(dialect: Dialect, events: list[Event], chunks: Iterable[bool]) -> list[Said]:
    """What is said after each event, if only those are parsed that have to be; some begin a chunk."""
    reader, begins = opened(dialect), iter(chunks)
    skimmer = Skimmer(reader)

    def feed(event: Event) -> bool:
        if next(begins) and skimmer.skim(event.raw) == len(event.raw):
            return False
        return skimmer.feed(event)

    return followed(reader, feed, events)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@settings(max_examples=300)
@given(data=st.data())
def test_skimming_reads_what_parsing_reads(dialect: Dialect, data: st.DataObject) -> None:
    """After each event of any stream both know the same, and the same events were nothing but usage."""
    events = split(b"".join(data.draw(streams(dialect))))
    chunks = data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
    assert skimmed(dialect, events, chunks) == parsed(dialect, events)


CHUNK = b'{"id":"c","model":"m","choices":[{"delta":{"content":"%b"%b},"finish_reason":null}]%b}'
HI = CHUNK % (b"Hi", b"", b"")


def texts(*texts: bytes, beside: bytes = b"") -> list[bytes]:
    return [CHUNK % (text, beside, b"") for text in texts]


def noises(*noises: bytes, field: bytes = b"sequence_number") -> list[bytes]:
    return [CHUNK % (b"Hi", b"", b',"%b":%b' % (field, noise)) for noise in noises]


NEAR_MISSES = {
    "a character cut in two": texts(b"Hi", b"\xc3", b"\xa9"),
    "a pair of escapes cut in two": texts(b"Hi", b"\\ud83d", b"\\ude00"),
    "halves of a pair as bytes": texts(b"Hi", b"\xed\xa0\xbd", b"\\n\xed\xb8\x80"),
    "no escape": texts(b"Hi", b"\\x"),
    "half an escape": texts(b"Hi", b"\\u12"),
    "control characters": texts(b"Hi", b"\t", b"Hi", b"\x1f"),
    "a string without an end": texts(b"Hi", b"\\"),
    "a string and something else": texts(b"Hi", b'a","refusal":"b'),
    "a brace too many": [HI, HI + b"}", HI],
    "a brace too few": [HI, HI[:-1], HI],
    "nothing, and other text beside": texts(b"Hi", b"", beside=b',"refusal":"no"'),
    "other text beside": texts(b"Hi", beside=b',"refusal":"a"') + texts(b"Hi", beside=b',"refusal":"b"'),
    "no UTF-8 in the noise": noises(b'"a"', b'"\xff"', field=b"obfuscation"),
    "no escape in the noise": noises(b'"a"', b'"\\x"', field=b"obfuscation"),
    "a leading zero": noises(b"1", b"01"),
    "a leading zero of a long number": noises(b"12345678901234567812", b"012"),
    "a number beyond all numbers": noises(b"1", b"9" * 5000),
    "a fraction": noises(b"1", b"1.5"),
    "another model": [HI, HI.replace(b'"m"', b'"n"'), HI],
    "another model, and no text": [HI, HI.replace(b'"m"', b'"n"').replace(b"Hi", b""), HI],
    "another choice": [HI, HI.replace(b'"delta"', b'"index":1,"delta"'), HI],
    "noise in usage": [
        CHUNK % (b"Hi", b"", b',"usage":{"obfuscation":%b}' % noise) for noise in (b"1", b"2")
    ],
    "a key in other letters": [HI.replace(b"content", b"c\\u006fntent")] * 2,
    "a key in other letters elsewhere": [
        b'{"choices":[{"delta":{"c\\u006fntent":"a"},"x":{"content":"%b"}}]}' % text for text in (b"a", b"b")
    ],
    "a key once more in other letters": texts(b"a", b"b", beside=b',"c\\u006fntent":"c"'),
    "a key of something else": [
        b'{"choices":[{"delta":{"reasoning":"a"}}],"x":{"content":"%b"}}' % text for text in (b"a", b"b")
    ],
    "a key that is a value": [b'{"x":["content"],"choices":[{"delta":{"content":"a"}}]}'] * 2,
    "a key twice": texts(b"a", b"b", beside=b',"content":"c"'),
    "several choices": [
        b'{"choices":[{"delta":{"content":"%b"}},{"delta":{"refusal":"%b"}}]}' % pair
        for pair in ((b"a", b"b"), (b"c", b"b"), (b"c", b"d"))
    ],
    "several tools": [
        b'{"choices":[{"delta":{"tool_calls":[{"function":{"name":"%b","arguments":"b"}}]}}]}' % name
        for name in (b"f", b"g")
    ],
    "noise in an error": [
        CHUNK % (b"Hi", b"", b',"error":{"type":{"obfuscation":"%b"}}' % noise) for noise in (b"a", b"b")
    ],
    "noise in a reason": [HI.replace(b"null", b'{"obfuscation":"%b"}' % noise) for noise in (b"a", b"b")],
}


@pytest.mark.parametrize("frame", [b"data: %b\n\n", b"data: %b\r\r"], ids=["LF", "CR"])
@pytest.mark.parametrize("stream", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_near_misses_are_parsed(stream: list[bytes], frame: bytes) -> None:
    """What is no JSON, half a character, or alike only at first sight, adds what parsing it adds."""
    events = split(b"".join(frame % data for data in stream))
    assert len(events) == len(stream)
    assert skimmed(CHAT, events, repeat(True)) == parsed(CHAT, events)
    assert skimmed(CHAT, events, repeat(False)) == parsed(CHAT, events)


def openai(text: str, padding: str) -> bytes:
    data = (
        '{"id":"chatcmpl-C4Hq5a6K3RaPMymUv70btQNYv6SvY","object":"chat.completion.chunk","created":1755137921,'
        '"model":"gpt-5-nano-2025-08-07","service_tier":"default","system_fingerprint":null,"choices":[{"index"'
        f':0,"delta":{{"content":{json.dumps(text)}}},"logprobs":null,"finish_reason":null}}],"usage":null,'
        f'"obfuscation":"{padding}"}}'
    )
    return f"data: {data}\n\n".encode()


def azure(text: str, padding: str) -> bytes:
    data = {
        "choices": [
            {
                "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}},
                "delta": {"content": text},
                "finish_reason": None,
                "index": 0,
                "logprobs": None,
            }
        ],
        "created": 1755137921,
        "id": "chatcmpl-1",
        "model": "gpt-4.1",
        "obfuscation": padding,
    }
    return f"data: {json.dumps(data)}\r\n\r\n".encode()


def legacy(text: str, padding: str) -> bytes:
    data = {"id": "c", "choices": [{"index": 0, "text": text, "finish_reason": None}], "usage": None}
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def tool(text: str, padding: str) -> bytes:
    call = {"index": 0, "function": {"arguments": text}}
    data = {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}], "obfuscation": padding}
    return f"data: {json.dumps(data)}\n\n".encode()


def response(text: str, padding: str) -> bytes:
    data = (
        f'{{"type":"response.output_text.delta","sequence_number":{len(padding)},"item_id":"msg_1",'
        f'"output_index":0,"content_index":0,"delta":{json.dumps(text)},"logprobs":[],'
        f'"obfuscation":"{padding}"}}'
    )
    return f"event: response.output_text.delta\ndata: {data}\n\n".encode()


def anthropic(text: str, padding: str) -> bytes:
    return f"event: content_block_delta\ndata: {_content_block_delta(text, padding)}\n\n".encode()


def bedrock(text: str, padding: str) -> bytes:
    return aws_event_stream.chunk(_content_block_delta(text, padding))


def _content_block_delta(text: str, padding: str) -> str:
    delta = f'{{"type":"text_delta","text":{json.dumps(text, ensure_ascii=False)}}}'
    return f'{{"type":"content_block_delta","index":0,"delta":{delta}{" " * len(padding)}}}'


@pytest.mark.parametrize(
    ("dialect", "event"),
    [
        *((CHAT, openai), (CHAT, azure), (CHAT, tool), (COMPLETIONS, legacy)),
        *((RESPONSES, response), (MESSAGES, anthropic), (MESSAGES, bedrock)),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_usual_events_are_not_parsed(
    dialect: Dialect, event: Callable[[str, str], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the events that providers send most of, padded and numbered, only the first has to be parsed."""
    texts = ["Hello", ' "quoted"\n', "東京 😀", '{"finish_reason":null}', " end"]
    raw = [event(text, "kW2aAAA"[: 2 + n]) for n, text in enumerate(texts)]
    splitter = AwsEventStream() if event is bedrock else ServerSentEvents()
    events = list(splitter.feed(b"".join(raw)))
    seen: list[bytes] = []
    parse = pydantic_core.from_json

    def watched(data: bytes, **options: Any) -> Any:
        seen.append(data)
        return parse(data, **options)

    monkeypatch.setattr(pydantic_core, "from_json", watched)
    reader = opened(dialect)
    skimmer = Skimmer(reader)
    for event_ in events:
        skimmer.feed(event_)
    assert reader.answered().text == "".join(texts)
    assert [data for data in seen if data.startswith(b"{")] == [events[0].data]


def test_what_is_alike_is_taken_at_one_go() -> None:
    """Several events in one chunk are taken together, up to the first that differs or is not whole."""
    reader = opened(CHAT)
    skimmer = Skimmer(reader)
    raw = [openai(text, "") for text in ("Hel", "lo", " wor", "ld")]
    assert skimmer.skim(raw[0]) == 0, "nothing was parsed yet"
    (first,) = split(raw[0])
    assert not skimmer.feed(first)
    assert skimmer.skim(raw[1] + raw[2] + raw[3][:-1]) == len(raw[1] + raw[2])
    assert skimmer.skim(b"data: [DONE]\n\n" + raw[3]) == 0
    assert skimmer.skim(b"") == 0
    assert reader.answered().text == "Hello wor"


def test_an_event_of_another_name_is_not_alike() -> None:
    """Where the name alone says what an event is, the same data under another name is something else."""
    names = b"content_block_delta", b"content_block_delta", b"message_stop", b"content_block_delta"
    event = b'event: %b\ndata: {"delta":{"text":"Hi"}}\nid: 7\n\n'
    events = split(b"".join(event % name for name in names))
    assert skimmed(MESSAGES, events, repeat(False)) == parsed(MESSAGES, events)


def test_the_data_of_an_event_is_no_event() -> None:
    """Where only the data of events is compared, a chunk that begins with such data is left alone."""
    skimmer = Skimmer(opened(CHAT))
    (first,) = split(b"data: %b\r\r" % HI)
    assert not skimmer.feed(first)
    assert skimmer.skim(HI) == 0
