"""The key of an answer: whatever may change the answer changes it, and nothing else does."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.cache.asking import (
    BEDROCK_URL,
    CHAT_URL,
    MESSAGES_URL,
    RESPONSES_URL,
    SECRET,
    asking,
    key_of,
    wired,
    written,
)
from tokenguard.cache.headers import CARRYING, IDENTITY
from tokenguard.cache.key import IGNORED, MAY_IGNORE, fingerprint, namespace
from tokenguard.transport.headers import Headers

Json = dict[str, Any]

URLS = {"openai": CHAT_URL, "anthropic": MESSAGES_URL}
BODY: Json = {
    "model": "m-1",
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    "temperature": 0,
}

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=6)  # with halves of surrogate pairs
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers()
    | st.integers(2**63, 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.0, -0.0, 1.0, "1", "true", "", "null", "é", "e\u0301", "\ud83d", "😀", " a", "a "])
    | ANY_TEXT
)
NAMES = (
    st.sampled_from(
        [
            *("messages", "content", "text", "seed", "tools", "user", "metadata", "stream_options"),
            *("include_obfuscation", "cache_control", "service_tier", "speed", "diagnostics", "type"),
        ]
    )
    | ANY_TEXT
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=5).map(lambda fields: {"model": "m-1", **fields})


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A value that is another one somewhere, as a rule; now and then it is the same."""
    if isinstance(value, dict) and value and draw(st.integers(0, 3)):
        name = draw(st.sampled_from(list(value)))
        return {**value, name: draw(changed(value[name]))}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(changed(value[at])), *value[at + 1 :]]
    others: list[Any] = [None, [value], {"a": value}, *_alike(value)]
    return draw(st.sampled_from(others)) if draw(st.booleans()) else draw(VALUES)


def _alike(value: Any) -> list[Any]:
    """Values that somebody might take for this one."""
    if isinstance(value, dict):
        return [{**value, "new": None}, dict(list(value.items())[1:]), list(value.items())]
    if isinstance(value, list):
        return [value[::-1], [*value, None], value[1:], dict(enumerate(map(str, value)))]
    if isinstance(value, str):
        return [
            value + " ",
            " " + value,
            value.upper(),
            value + "\0",
            value.encode("utf-8", "replace").decode(),
        ]
    if isinstance(value, bool) or value is None:
        return [not value, int(bool(value)), str(value), json.dumps(value)]
    return [value + 1, -value, bool(value), str(value), *([float(value)] if abs(value) < 2**53 else [])]


def meaning(value: Any) -> Any:
    """What a value says, as something in which 1, 1.0, True and "1" differ and names have no order."""
    if isinstance(value, dict):
        return "object", tuple(
            sorted((name.encode("utf-8", "surrogatepass"), meaning(v)) for name, v in value.items())
        )
    if isinstance(value, list):
        return "list", tuple(map(meaning, value))
    return type(value).__name__, repr(value)


def asked_for(provider: str, text: bytes) -> Any:
    """What a body says but for what cannot change the answer."""
    body = {name: value for name, value in json.loads(text).items() if name not in IGNORED[provider]}
    options = body.get("stream_options")
    if isinstance(options, dict):
        body["stream_options"] = {n: v for n, v in options.items() if n != "include_obfuscation"}
    return meaning(body)


# The body


@pytest.mark.parametrize("provider", IGNORED)
@settings(max_examples=400)
@given(data=st.data())
def test_every_change_of_the_body_changes_the_key(provider: str, data: st.DataObject) -> None:
    """At any depth, in type or value, in order or number; only what cannot change the answer does not."""
    body = data.draw(BODIES)
    text = written(body)
    other = written(data.draw(changed(body)))
    if not isinstance(json.loads(other), dict) or not json.loads(other).get("model"):
        return
    alike = asked_for(provider, text) == asked_for(provider, other)
    model = json.loads(text)["model"], json.loads(other)["model"]
    same = key_of(asking(URLS[provider], text)) == key_of(asking(URLS[provider], other))
    assert same == (alike and model[0] == model[1])


@settings(max_examples=300)
@given(data=st.data())
@example(data=None)
def test_the_order_of_names_and_the_spaces_between_do_not_matter(data: st.DataObject | None) -> None:
    """However a body is written that means the same, it has the same key."""
    if data is None:
        assert key_of(asking(CHAT_URL, b'{"a":"\\u00e9","model":"m"}')) == key_of(
            asking(CHAT_URL, '{ "model" : "m",\n"a":"é" }'.encode())
        )
        return
    body = data.draw(BODIES)
    shuffled = _shuffled(body, data.draw(st.randoms(use_true_random=False)))
    indent = data.draw(st.sampled_from([None, 0, 2, "\t"]))
    text = json.dumps(
        shuffled, indent=indent, separators=data.draw(st.sampled_from([(",", ":"), (" , ", " : ")]))
    )
    before = key_of(asking(CHAT_URL, written(body)))
    assert key_of(asking(CHAT_URL, text.encode())) == before


def _shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, dict):
        fields = list(value.items())
        random.shuffle(fields)
        return {name: _shuffled(item, random) for name, item in fields}
    return [_shuffled(item, random) for item in value] if isinstance(value, list) else value


ODD_TEXTS = [
    *(b"0", b"-0", b"0.0", b"-0.0", b"0e0", b"1", b"1.0", b"1e0", b"1E0", b"1.00", b'"1"', b"true", b"[1]"),
    *(b"100000.0", b"1e5", b"1e+5", b"1E5", b"1.5", b"1.50", b"15e-1"),
    *(b"9007199254740992", b"9007199254740993", b"9007199254740992.0", b"9007199254740993.0"),
    *(b"0.1", b"0.10000000000000000555", b"1e400", b"-1e400", b"2e400", b"1e-400", b"2e-400"),
    *(b"NaN", b"Infinity", b"-Infinity", b'"NaN"', b"null", b'"null"', b'""', b"{}", b"[]", b"[[]]"),
    *(b"9" * 4298, b"9" * 4299, b"1" + b"0" * 400, b"1" + b"0" * 400 + b".0"),
    *(
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":2,"a":1}',
        b'{"a":1}',
        b'{"\\u0061":2,"a":1}',
        b'{"a":1 ,"a":1}',
    ),
    *(b'"\\ud83d\\ude00"', b'"\\ud83d"', b'"\\ude00\\ud83d"', b'"\xed\xa0\xbd\xed\xb8\x80"'),
    *(b'"\\ufffd"', b'"?"', '"é"'.encode(), '"e\u0301"'.encode(), b'"\\u2028"', b'"\\u0000"', b'"\\\\u0000"'),
    *(b"[" * 150 + b"]" * 150, b"[" * 300 + b"]" * 300, b"[" * 301 + b"]" * 301, b"[" * 600 + b"]" * 600),
]
"""Each means something else, or may."""


@pytest.mark.parametrize("parser", ["pydantic's", "Python's"])
def test_bodies_that_no_sdk_writes_have_keys_of_their_own(
    parser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No two of them share a key, whichever parser read them; and each has the same key each time."""
    if parser == "Python's":
        monkeypatch.delitem(sys.modules, "pydantic_core", raising=False)
    keys = {odd: key_of(asking(CHAT_URL, b'{"model":"m","x":' + odd + b"}")) for odd in ODD_TEXTS}
    assert len(set(keys.values())) == len(ODD_TEXTS)
    again = {odd: key_of(asking(CHAT_URL, b'{"model":"m","x":' + odd + b"}")) for odd in ODD_TEXTS}
    assert again == keys


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"model":"m","a":[1,2.5,null,true]}', b'{"model": "m", "a": [1, 2.5, null, true]}'),
        (b'{"model":"m","a":"\xf0\x9f\x98\x80"}', b'{"model":"m","a":"\\ud83d\\ude00"}'),
        (b'{"model":"m","a":"\xf0\x9f\x98\x80"}', b'{"model":"m","a":"\\uD83D\\uDE00"}'),
        (b'{"model":"m","a":"/"}', b'{"model":"m","a":"\\/"}'),
        (b'{"model":"m","a":1}', b'\n{"\\u0061":1,"model":"m"}\n'),
        (b'{"model":"m","a":"\\ud83d"}', b'{"a":"\\uD83D", "model":"m"}'),
        (b'{"model":"m","a":1e+16}', b'{"a": 1e+16, "model":"m"}'),
    ],
)
def test_another_way_to_write_the_same_is_the_same(one: bytes, other: bytes) -> None:
    """Spaces, escapes and order are the writer's, not the model's."""
    assert key_of(asking(CHAT_URL, one)) == key_of(asking(CHAT_URL, other))


@pytest.mark.parametrize("levels", [199, 201, 900])
@pytest.mark.parametrize("ignored", [(), ("cache_control",)])
def test_a_deep_body_has_a_key(levels: int, ignored: tuple[str, ...]) -> None:
    """However deep it is, and its depths count."""
    deep = [b'{"model":"m","x":' + b"[" * levels + inner + b"]" * levels + b"}" for inner in (b"1", b"2")]
    assert len({key_of(asking(CHAT_URL, text), ignored=ignored) for text in deep}) == 2


@pytest.mark.parametrize(
    ("provider", "field"), [(p, name) for p, names in IGNORED.items() for name in sorted(names)]
)
@given(value=VALUES)
def test_what_cannot_change_the_answer_does_not_matter(provider: str, field: str, value: Any) -> None:
    """Whatever the field's value is, at the top of the body; the same name matters further down."""
    url = URLS[provider]
    assert key_of(asking(url, {**BODY, field: value})) == key_of(asking(url, BODY))
    message = {**BODY["messages"][0], field: value}
    assert key_of(asking(url, {**BODY, "messages": [message]})) != key_of(asking(url, BODY))


@pytest.mark.parametrize(
    ("provider", "field"),
    [
        ("openai", "diagnostics"),
        *(("anthropic", name) for name in sorted(IGNORED["openai"] - IGNORED["anthropic"])),
        *((provider, name) for provider in IGNORED for name in MAY_IGNORE),
        *((provider, "a field of next year") for provider in IGNORED),
    ],
)
def test_every_other_field_matters(provider: str, field: str) -> None:
    """Also where it is null, and where the other provider's field of this name does not."""
    url = URLS[provider]
    keys = {key_of(asking(url, {**BODY, field: value})) for value in (None, "a", "b")}
    assert len({*keys, key_of(asking(url, BODY))}) == 4


def test_padding_of_a_stream_does_not_matter() -> None:
    """``include_obfuscation`` is ignored, the other options of a stream are not."""
    for url in (CHAT_URL, RESPONSES_URL):
        streams = {**BODY, "stream": True}
        plain = key_of(asking(url, {**streams, "stream_options": {}}))
        for value in (True, False, None):
            options = {"include_obfuscation": value}
            assert key_of(asking(url, {**streams, "stream_options": options})) == plain
        usage = {"include_usage": True, "include_obfuscation": False}
        assert key_of(asking(url, {**streams, "stream_options": usage})) != plain
        assert key_of(asking(url, {**streams, "include_obfuscation": False})) != key_of(asking(url, streams))


@pytest.mark.parametrize("field", MAY_IGNORE)
@pytest.mark.parametrize("provider", IGNORED)
def test_a_field_is_ignored_for_who_asks_for_that(provider: str, field: str) -> None:
    """It matters unless it is named, and naming it lets no other field go."""
    url, value = URLS[provider], {"type": "ephemeral"} if field == "cache_control" else "flex"
    plain = key_of(asking(url, BODY))
    has = asking(url, {**BODY, field: value})
    assert key_of(has) != plain
    assert key_of(has, ignored=(field,)) == plain
    assert key_of(has, ignored=[name for name in MAY_IGNORE if name != field]) != plain
    assert key_of(asking(url, {**BODY, "seed": 1}), ignored=MAY_IGNORE) != plain


@pytest.mark.parametrize("mark", [{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}, None])
def test_marks_for_the_providers_cache_are_ignored_wherever_they_stand(mark: Any) -> None:
    """In a message, a tool or the system prompt."""

    def body(**marked: Any) -> Json:
        text = {"type": "text", "text": "Hello", **marked}
        tool = {"name": "f", "input_schema": {"type": "object"}, **marked}
        return {**BODY, "system": [text], "messages": [{"role": "user", "content": [text]}], "tools": [tool]}

    plain, marked = asking(MESSAGES_URL, body()), asking(MESSAGES_URL, body(cache_control=mark))
    assert key_of(marked, ignored=["cache_control"]) == key_of(plain)
    assert key_of(marked) != key_of(plain)


@pytest.mark.parametrize(
    "place",
    [
        lambda it: {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": it}}]},
        lambda it: {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "input": it}]}]},
    ],
)
@pytest.mark.parametrize("value", [{"type": "string"}, "no-cache", False])
def test_what_only_has_the_name_of_a_mark_matters(place: Callable[[Json], Json], value: Any) -> None:
    """A schema's property or a tool's argument called ``cache_control`` is what the model reads."""
    has = asking(MESSAGES_URL, {**BODY, **place({"cache_control": value})})
    lacks = asking(MESSAGES_URL, {**BODY, **place({})})
    assert key_of(has, ignored=["cache_control"]) != key_of(lacks, ignored=["cache_control"])


@pytest.mark.parametrize("field", ["service_tier", "speed"])
def test_a_tier_is_ignored_at_the_top_only(field: str) -> None:
    """Further down it is somebody's argument."""
    inner = {**BODY, "messages": [{**BODY["messages"][0], field: "a"}]}
    assert key_of(asking(CHAT_URL, inner), ignored=[field]) != key_of(asking(CHAT_URL, BODY))


def test_a_body_is_left_as_it_is() -> None:
    """Making a key changes nothing in the request that is sent."""
    body = {**BODY, "user": "u", "stream_options": {"include_obfuscation": True}, "cache_control": None}
    call = asking(CHAT_URL, copy.deepcopy(body))
    key_of(call, ignored=MAY_IGNORE)
    assert call.body == body


# The rest of the request


@pytest.mark.parametrize(
    ("url", "other"),
    [
        (CHAT_URL, CHAT_URL.replace("https", "http")),
        (CHAT_URL, CHAT_URL.replace("api.", "eu.api.")),
        ("http://localhost:8000/v1/chat/completions", "http://localhost:8001/v1/chat/completions"),
        ("http://localhost:80/v1/chat/completions", "http://localhost:443/v1/chat/completions"),
        (CHAT_URL, CHAT_URL.replace("/v1", "/v2")),
        (CHAT_URL, CHAT_URL + "?api-version=1"),
        (CHAT_URL + "?api-version=1", CHAT_URL + "?api-version=2"),
        (CHAT_URL, RESPONSES_URL),
        (
            "https://r.openai.azure.com/openai/deployments/a/chat/completions?api-version=1",
            "https://r.openai.azure.com/openai/deployments/b/chat/completions?api-version=1",
        ),
        (BEDROCK_URL.format("anthropic.claude-a"), BEDROCK_URL.format("anthropic.claude-b")),
        (BEDROCK_URL.format("m"), BEDROCK_URL.format("m").replace("eu-west-1", "us-east-1")),
        (BEDROCK_URL.format("m"), BEDROCK_URL.format("m").removesuffix("-with-response-stream")),
    ],
)
def test_where_a_request_goes_matters(url: str, other: str) -> None:
    """Scheme, host, port, path and query: the same words to another server are another question."""
    owner = "team"
    assert key_of(asking(url, BODY), owner=owner) != key_of(asking(other, BODY), owner=owner)
    assert key_of(asking(url, BODY), owner=owner) == key_of(asking(url, BODY), owner=owner)


def test_the_model_that_is_put_in_place_matters() -> None:
    """A wish for another model is part of the question, whatever the body says."""
    plain, wished = asking(CHAT_URL, BODY), asking(CHAT_URL, BODY)
    wished.asked = wished.asked._replace(model="another")
    assert key_of(plain) != key_of(wished)


def test_what_we_add_to_a_request_does_not_matter() -> None:
    """A body that we ask for usage in has the key of the one that the application wrote."""
    plain, rewritten = asking(CHAT_URL, BODY), asking(CHAT_URL, BODY)
    rewritten.body = {**BODY, "stream_options": {"include_usage": True}}
    assert key_of(plain) == key_of(rewritten)


def test_whose_format_it_is_matters() -> None:
    """The lists of ignored fields are two, so no key of one may be found by the other."""
    call = asking("http://gateway/v1/messages", BODY)
    other = asking("http://gateway/v1/messages", BODY)
    other.dialect = "openai.chat"
    assert key_of(call, owner="o") != key_of(other, owner="o")


def test_namespaces_and_epochs_are_apart() -> None:
    """What was given up, and what is another's, is not found."""
    call = asking(CHAT_URL, BODY)
    keys = {key_of(call, owner=owner, epoch=epoch) for owner in ("a", "b", "1") for epoch in (0, 1, 11)}
    assert len(keys) == 9


@pytest.mark.parametrize("name", sorted(name.decode() for name in {*CARRYING, *IDENTITY}))
def test_headers_that_only_carry_a_request_do_not_matter(name: str) -> None:
    """Within one namespace: who asks is told apart there."""
    plain = key_of(asking(CHAT_URL, BODY), owner="team")
    for value in ("a", "b"):
        assert key_of(asking(CHAT_URL, BODY, {name: value}), owner="team") == plain


@pytest.mark.parametrize(
    "name", ["x-stainless-retry-count", "x-b3-traceid", "x-datadog-trace-id", "x-tokenguard-tags"]
)
def test_families_of_headers_do_not_matter(name: str) -> None:
    """Every SDK and tracer adds its own."""
    assert key_of(asking(CHAT_URL, BODY, {name: "a"})) == key_of(asking(CHAT_URL, BODY))


@pytest.mark.parametrize(
    "name",
    [
        "anthropic-version",
        "anthropic-beta",
        "openai-beta",
        "x-model-override",
        "x-goog-api-key",
        "x-stainles",
    ],
)
def test_every_other_header_matters(name: str) -> None:
    """Whether it is there, and what it says."""
    keys = {
        key_of(asking(MESSAGES_URL, BODY, headers)) for headers in ({}, {name: ""}, {name: "a"}, {name: "b"})
    }
    assert len(keys) == 4


def test_the_order_of_headers_does_not_matter() -> None:
    """Which client library sends them decides it."""
    one, other = (
        {"anthropic-beta": "a", "anthropic-version": "b"},
        {"anthropic-version": "b", "anthropic-beta": "a"},
    )
    assert key_of(asking(MESSAGES_URL, BODY, one)) == key_of(asking(MESSAGES_URL, BODY, other))


def test_every_header_of_one_name_matters() -> None:
    """A name may stand in several lines, each of which the provider reads."""

    def sent(*betas: str) -> str:
        headers = Headers(httpx.Headers([("Anthropic-Beta", beta) for beta in betas]))
        joined = {name.decode(): value.decode() for name, value in headers.joined().items()}
        return key_of(asking(MESSAGES_URL, BODY, joined))

    assert len({sent("a"), sent("b"), sent("a", "b"), sent("b", "a"), sent("b", "b")}) == 5


PARTS = st.text("a1:", max_size=4)


@settings(max_examples=300)
@given(st.lists(PARTS, min_size=5, max_size=5), st.lists(PARTS, min_size=5, max_size=5))
@example(["a", "b", "", "", ""], ["ab", "", "", "", ""])
@example(["", "1:a", "", "", ""], ["1:a", "", "", "", ""])
def test_no_part_runs_into_the_next(one: list[str], other: list[str]) -> None:
    """Path, model, namespace and headers are told apart however they are cut."""

    def made(path: str, model: str, owner: str, name: str, value: str) -> str:
        call = asking(CHAT_URL, BODY)
        call.asked = call.asked._replace(model=model)
        call.wire = wired(path, {"x-" + name.replace(":", "-"): value}, written(BODY))
        return key_of(call, owner=owner)

    alike = [part.replace(":", "-") if n == 3 else part for n, part in enumerate(one)] == [
        part.replace(":", "-") if n == 3 else part for n, part in enumerate(other)
    ]
    assert (made(*one) == made(*other)) == alike


@given(ANY_TEXT)
def test_a_key_is_64_hexadecimal_digits(text: str) -> None:
    """Whatever is in the request, a model's name of half a character included."""
    assert re.fullmatch(r"[0-9a-f]{64}", key_of(asking(CHAT_URL, {**BODY, "model": text + "\ud800"})))


NAMED = st.dictionaries(
    st.sampled_from(["authorization", "anthropic-beta", "x-request-id", "x-stainless-os", "a", "b"]),
    st.sampled_from(["", "a", "b", "a, b", "ab"]),
    max_size=3,
)
SENT = st.builds(
    lambda url, body, headers, model: (asking(url, {**BODY, **body}, headers), model),
    st.sampled_from(
        [CHAT_URL, CHAT_URL + "?a", RESPONSES_URL, MESSAGES_URL, CHAT_URL.replace("https", "http")]
    ),
    st.sampled_from([{}, {"model": "m-2"}, {"seed": 1}, {"seed": 1.0}, {"user": "u"}]),
    NAMED,
    st.sampled_from([None, "", "m-1", "m-2", "m-1\n/v1/chat/completions"]),
)


@settings(max_examples=400)
@given(SENT, SENT)
def test_what_is_remembered_of_a_request_is_its_own_key(one: Any, other: Any) -> None:
    """Two requests that pass for one have one key and one namespace."""
    marks, keys = [], []
    for call, wish in (one, other):
        call.asked = call.asked._replace(model=wish or call.asked.model)
        marks.append(fingerprint(call, call.wire))
        keys.append((key_of(call), namespace(call.wire, SECRET)))
    assert marks[0] != marks[1] or keys[0] == keys[1]


def test_a_request_that_is_made_again_is_known_again() -> None:
    """But for what is new in each: its id and its trace."""
    again = [
        asking(
            CHAT_URL, BODY, {"authorization": "b", "x-request-id": n, "traceparent": n, "idempotency-key": n}
        )
        for n in "12"
    ]
    assert len({fingerprint(call, call.wire) for call in again if call.wire}) == 1


# Who may have it

AWS = (
    "AWS4-HMAC-SHA256 Credential={}/20260101/eu-west-1/bedrock/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature={}"
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"authorization": "Bearer sk-1"}, {"authorization": "Bearer sk-2"}),
        ({"authorization": "Bearer sk-1"}, {}),
        ({"authorization": "Bearer sk-1"}, {"x-api-key": "Bearer sk-1"}),
        ({"x-api-key": "sk-1"}, {"x-api-key": "sk-2"}),
        ({"api-key": "sk-1"}, {"api-key": "sk-2"}),
        (
            {"authorization": "b", "openai-organization": "o-1"},
            {"authorization": "b", "openai-organization": "o-2"},
        ),
        ({"authorization": "b", "openai-project": "p-1"}, {"authorization": "b", "openai-project": "p-2"}),
        ({"authorization": "b", "openai-project": "x"}, {"authorization": "b", "openai-organization": "x"}),
        ({"authorization": AWS.format("AKIA1", "f0")}, {"authorization": AWS.format("AKIA2", "f0")}),
        ({"x-api-key": "AWS4-a"}, {"x-api-key": "AWS4-b"}),
    ],
)
def test_each_credential_has_a_namespace_of_its_own(one: dict[str, str], other: dict[str, str]) -> None:
    """Nobody finds what another key, organization or project paid for."""
    assert namespace(wired("/", one), SECRET) != namespace(wired("/", other), SECRET)
    assert key_of(asking(CHAT_URL, BODY, one)) != key_of(asking(CHAT_URL, BODY, other))


def test_signatures_of_one_access_key_share() -> None:
    """A signature is never twice the same: who signs counts, not what."""
    one = {"authorization": AWS.format("AKIA1", "f00d"), "x-amz-date": "20260101T000000Z"}
    other = {
        "authorization": AWS.format("AKIA1", "beef").replace("0101", "0102"),
        "x-amz-date": "20260102T000000Z",
    }
    assert namespace(wired("/", one), SECRET) == namespace(wired("/", other), SECRET)
    assert key_of(asking(BEDROCK_URL.format("m"), BODY, one)) == key_of(
        asking(BEDROCK_URL.format("m"), BODY, other)
    )


@given(st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=8))
def test_the_credential_can_be_read_nowhere(credential: str) -> None:
    """Nor guessed and checked by who has not the store's secret."""
    wire = wired("/", {"authorization": credential})
    made, elsewhere = namespace(wire, SECRET), namespace(wire, b"t" * 32)
    assert re.fullmatch(r"[0-9a-f]{32}", made)
    assert made != elsewhere
    guesses = {text.encode() for text in (credential, "authorization:" + credential)}
    assert not any(hashlib.sha256(guess).hexdigest().startswith(made) for guess in guesses)
    secret = key_of(asking(CHAT_URL, BODY, {"authorization": credential}))
    assert credential not in made + secret
