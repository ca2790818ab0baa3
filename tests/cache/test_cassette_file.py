"""What stands in a cassette: every byte comes back, texts are read by line, credentials are not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenguard.cache.cassette import file
from tokenguard.cache.cassette.layout import laid_out, pretty, put_together
from tokenguard.cache.cassette.nearest import MOST_LINES, WIDEST, difference, nearest
from tokenguard.cache.cassette.recording import Recording, Request, Response
from tokenguard.cache.cassette.scrub import SCRUBBED, credentials_in, leaks, scrub, scrub_query
from tokenguard.cache.cassette.tape import Tape
from tokenguard.cache.key import canonical
from tokenguard.dialects import operation_path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("$lines"), inner),
    max_leaves=20,
)
TEXT = st.text(st.characters(codec="utf-8"))
REQUESTS = st.builds(
    Request,
    TEXT,
    TEXT,
    TEXT,
    st.dictionaries(TEXT, TEXT).map(lambda headers: tuple(sorted(headers.items()))),
    st.dictionaries(st.text(), JSON).map(
        lambda body: canonical(json.dumps(body).encode(), body, frozenset()).decode("utf-8", "surrogatepass")
    )
    | TEXT,
)
RESPONSES = st.builds(
    Response,
    st.integers(0, 2**41).map(lambda micros: micros * 1000),
    st.integers(200, 499),
    TEXT,
    st.none() | TEXT,
    st.binary() | TEXT.map(str.encode) | JSON.map(lambda value: json.dumps(value, indent=2).encode()),
    st.none() | st.dictionaries(TEXT, st.integers()).map(json.dumps),
)


def request(body: Any, **fields: Any) -> Request:
    text = canonical(json.dumps(body).encode(), body, frozenset()).decode("utf-8", "surrogatepass")
    return Request("openai.chat", "gpt-x", "/chat/completions", (), text)._replace(**fields)


@given(st.lists(st.builds(Recording, REQUESTS, RESPONSES), max_size=3))
def test_a_file_is_read_as_it_was_written(recordings: list[Recording]) -> None:
    """Whatever is asked and answered; and it is JSON to everybody else, too."""
    written = file.written(map(file.text_of, recordings))
    assert file.read(written) == recordings
    assert len(json.loads(written)["recordings"]) == len(recordings)


@given(st.binary() | TEXT.map(str.encode))
def test_any_body_is_put_together_again(body: bytes) -> None:
    """Byte for byte."""
    assert put_together(*laid_out(body)) == body


@pytest.mark.parametrize(
    ("body", "layout"),
    [
        (b'{"a":[1,2],"b":"\xc3\xa4"}', "compact"),
        (b'{"a": "\\u00e4"}\n', "spaced, ascii, newline"),
        (b'{\n  "a": 1\n}', "indented"),
        (b'{"a":1,"a":2}', "text"),
        (b'{"a":1.50}', "text"),
        (b'{"a":NaN}', "text"),
        (b'{"a":{"$lines":["x"]}}', "text"),
        (b"[" * 100_000, "text"),
        (b"data: 1\r\n\r\n", "text"),
        (b"", "text"),
        (b"\xff\xfe", "base64"),
    ],
)
def test_a_body_is_laid_out_as_it_was_written(body: bytes, layout: str) -> None:
    """JSON as JSON where an encoder wrote it, and anything else by line, or in base64."""
    found, value = laid_out(body)
    assert found == layout
    assert put_together(found, value) == body


def test_texts_stand_line_by_line_and_numbers_side_by_side() -> None:
    """So that a diff shows the sentence that changed, and a vector is not a page."""
    _, value = laid_out(b'{"text":"a\\nb","vector":[1,2.5],"none":[],"empty":{}}')
    assert pretty(value).splitlines() == [
        "{",
        '  "text": {',
        '    "$lines": [',
        '      "a",',
        '      "b"',
        "    ]",
        "  },",
        '  "vector": [1, 2.5],',
        '  "none": [],',
        '  "empty": {}',
        "}",
    ]


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcDEF0123456789_-xyz",
        "sk-ant-api03-0123456789abcdef",
        "ASIAIOSFODNN7EXAMPLE",
        "AIza" + "a1_-5" * 7,
        "ya29.a0ARrdaM-0123456789_abcdef",
        "ghp_" + "a1" * 18,
        "github_pat_" + "a1" * 22,
        "glpat-0123456789abcdefghij",
        "hf_" + "aB" * 17,
        "gsk_" + "a1" * 26,
        "xai-" + "a1" * 40,
        "xoxb-0123456789-abc",
        "-----BEGIN RSA PRIVATE KEY-----\\nMII\\n-----END RSA PRIVATE KEY-----",
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "x {}.", '"{}"', "\\n{}\\n", "\\u00e4{}", "key={}&", '{{\\"k\\":\\"{}\\"}}']
)
def test_a_credential_is_found_wherever_it_stands(secret: str, around: str) -> None:
    """Also behind the escapes of JSON, whose last character is a letter."""
    clean = scrub(around.format(secret))
    assert clean == around.format(SCRUBBED)
    assert not leaks(clean)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ('{"Authorization": "pw"}', '{"Authorization": "<scrubbed>"}'),
        ('{"authorization_token":"a\\"b","x":1}', '{"authorization_token":"<scrubbed>","x":1}'),
        ("Authorization: Bearer abcdefghijklmnopqrst", "Authorization: Bearer <scrubbed>"),
        ("https://me:pw@host/path", "https://<scrubbed>@host/path"),
    ],
)
def test_a_credential_is_found_by_where_it_stands(text: str, clean: str) -> None:
    """Whatever it looks like."""
    assert scrub(text) == clean
    assert not leaks(clean)


@pytest.mark.parametrize(
    "text",
    [
        "risk-assessment-of-the-year-2026-and-later",
        "ask-me-anything-1234567890",
        "sk-learn-is-not-a-credential",
        "Bearer of bad news",
        "the password: none",
        '{"password": {"type": "string"}}',
        '{"required":["password"]}',
        "ABC+AIza" + "a" * 35,
        "https://host:8080/a@b",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    """Or cassettes would not be played as they were recorded."""
    assert scrub(text) == text


def test_the_requests_own_credential_is_known_whatever_it_looks_like() -> None:
    """But for one so short that it is likely to be a word of any text."""
    headers = {
        "authorization": "Bearer some own credential",
        "x-api-key": "test",
        "x-other": "of no importance",
    }
    assert credentials_in(headers) == ("some own credential",)
    assert scrub("a some own credential b", credentials_in(headers)) == "a <scrubbed> b"
    assert scrub_query("/x?api-version=1&Key=abc&x-amz-signature=d&n=2") == (
        "/x?api-version=1&Key=<scrubbed>&x-amz-signature=<scrubbed>&n=2"
    )


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/chat/completions", "/chat/completions"),
        ("/gateway/v1/completions", "/completions"),
        ("/v1/responses/compact", "/responses/compact"),
        ("/anthropic/v1/messages", "/v1/messages"),
        ("/openai/deployments/d/chat/completions", "/openai/deployments/d/chat/completions"),
        ("/model/eu.claude%3A0/invoke", "/model/eu.claude%3A0/invoke"),
        (
            "/v1/projects/p/locations/eu/publishers/anthropic/models/claude:rawPredict",
            "/locations/eu/publishers/anthropic/models/claude:rawPredict",
        ),
    ],
)
def test_a_path_is_told_from_what_a_base_url_adds(path: str, operation: str) -> None:
    """What is left names the operation, and what of the request stands in the path."""
    assert operation_path(path) == operation


def test_the_nearest_request_has_most_in_common() -> None:
    """The field that differs is shown, and long lines from shortly before they differ."""
    long = "word " * 400
    recorded = [
        request({"prompt": "Who wrote Faust?"}),
        request({"prompt": long + "end", "temperature": 0}),
        request({"prompt": long + "end"}, model="gpt-y"),
    ]
    asked = request({"prompt": long + "END", "temperature": 0})
    found = nearest(asked, recorded)
    assert found is recorded[1]
    shown = difference(found, asked).splitlines()
    assert [line[-10:] for line in shown if line[0] in "+-"] == ['word end",', 'word END",']
    assert max(map(len, shown)) <= WIDEST + 4
    assert nearest(asked, []) is None


def test_a_difference_is_of_bounded_length() -> None:
    """It says how much more there is."""
    one, other = (request({"prompt": "\n".join(f"{word} {n}" for n in range(500))}) for word in ("a", "b"))
    lines = difference(one, other).splitlines()
    assert len(lines) == MOST_LINES + 1
    assert lines[-1].endswith("more lines")


def test_another_programs_change_is_kept(tmp_path: Path) -> None:
    """A tape reads what was written since it last looked, before it writes."""
    first, second = Tape(tmp_path / "c.json"), Tape(tmp_path / "c.json")
    response = Response(0, 200, "application/json", None, b"{}")
    one, two = (Recording(request({"prompt": text}), response) for text in ("one", "two"))
    first.change(lambda recordings: recordings.append(one))
    second.change(lambda recordings: recordings.append(two))
    first.change(lambda recordings: recordings.reverse())
    assert Tape(tmp_path / "c.json").recordings == [two, one]
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.json"]
