"""JSON from the wire: the fast parser says what Python's own says, of anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenguard.wire_json import decoded, encoded

CHARACTERS = st.characters(codec=None, categories=None)  # lone surrogates too
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(CHARACTERS)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(CHARACTERS), inner))
PIECES = rb'{ } [ ] " : , \ \u d83d 0 1 - . e + true null NaN Infinity a "a" "b":'.split()
ODD_BYTES = [b" ", b"\n", b"\x0b", b"\x00", "é".encode(), b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf"]
NEARLY = st.lists(st.sampled_from([*PIECES, *ODD_BYTES]), max_size=12).map(b"".join)


def outcome(read: Any, data: bytes) -> str:
    """What was read, with its types; or that nothing was."""
    try:
        return repr(read(data))
    except ValueError:
        return "ValueError"


@given(VALUES, st.booleans())
def test_any_json_is_read_alike(value: Any, ascii_only: bool) -> None:
    """Numbers of any size, NaN, and text of any kind come out as ``json.loads`` has them."""
    data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert outcome(decoded, data) == outcome(json.loads, data)


@given(VALUES)
def test_what_is_encoded_is_read_back(value: Any) -> None:
    """Of any text and number; it takes one line."""
    data = encoded(value)
    assert b"\n" not in data
    assert repr(json.loads(data)) == repr(json.loads(json.dumps(value)))


def test_what_json_does_not_know_is_written_as_text() -> None:
    """Nothing is lost for an odd value."""
    assert encoded({"\ud800": Path("a")}) == b'{"\\ud800":"a"}'


@given(NEARLY | st.binary())
def test_what_is_no_json_is_refused_alike(data: bytes) -> None:
    """Nothing is read that ``json.loads`` refuses, and the other way round."""
    assert outcome(decoded, data) == outcome(json.loads, data)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1, "b": 2, "a": 3}',
        b"\xef\xbb\xbf{}",
        '{"a": "é"}'.encode("utf-16"),
        b"[" * 500 + b"]" * 500,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b"9" * 4300,
        b"9" * 4301,
        b"-0",
        b"-0.0",
        b"1e400",
        b"[NaN, Infinity, -Infinity]",
        b"[-NaN]",
        b'"\\ud83d"',
        b'"\\ud83d\\ude00"',
        b'"\xed\xa0\xbd"',
        b"",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_odd_json_is_read_alike(data: bytes) -> None:
    """What parsers disagree on most: duplicates, marks, depth, size, signs, and halves of characters."""
    assert outcome(decoded, data) == outcome(json.loads, data)


def test_json_without_a_bottom_is_refused() -> None:
    """Nesting that no parser follows is an error like any other, not one of the interpreter's."""
    with pytest.raises(ValueError, match="nested too deeply"):
        decoded(b"[" * 100_000)


def test_the_fast_parser_is_used_where_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an SDK in the process, its parser reads; what it refuses is still read."""
    seen: list[bytes] = []
    parse = pydantic_core.from_json

    def watched(data: bytes, **options: Any) -> Any:
        seen.append(data)
        return parse(data, **options)

    monkeypatch.setattr(pydantic_core, "from_json", watched)
    assert decoded(b'{"a": 1}') == {"a": 1}
    assert decoded(b'"\\ud83d"') == "\ud83d"
    assert seen == [b'{"a": 1}', b'"\\ud83d"']


def test_it_is_not_loaded_for_this() -> None:
    """Without an SDK in the process JSON is read too, and nothing heavy is imported for it."""
    program = """if True:
        import sys
        from tokenguard.wire_json import decoded
        assert decoded(b'{"a": [1, null]}') == {"a": [1, None]}
        assert "pydantic_core" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", program], check=True)
