"""Prompts of all shapes, for what must hold of any of them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

WORDS = st.sampled_from(
    [
        "the",
        "parcel",
        "was",
        "sent",
        "on",
        "Monday.",
        "Answer",
        "in",
        "English",
        "Zürich",
        "汉字",
        "e.g.",
        "x=1;",
        "`a  b`",
    ]
)
LINES = st.lists(WORDS, min_size=1, max_size=7).flatmap(
    lambda words: st.sampled_from([" ", "  ", "   "]).map(lambda blank: blank.join(words))
)
INDENTS = st.sampled_from(["", "", "  ", "    ", "        ", "\t", "- ", "> "])
ENDS = st.sampled_from(["", "", " ", "  ", "   \t", "\r"])
GAPS = st.sampled_from(["\n", "\n", "\n\n", "\n\n\n\n", "\n   \n\n", "\r\n\r\n\r\n", "\n \t\n \n"])

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**12) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=5),
    max_leaves=20,
)
RECORDS = st.dictionaries(st.text(min_size=1, max_size=8), VALUES, min_size=1, max_size=6)


@st.composite
def jsons(draw: st.DrawFn) -> str:
    """A JSON object or a list of them, in any writer's style."""
    value = draw(RECORDS | st.lists(RECORDS, min_size=1, max_size=6))
    indent = draw(st.sampled_from([None, 1, 2, 4, "\t"]))
    return json.dumps(value, indent=indent, ensure_ascii=draw(st.booleans()))


@st.composite
def fences(draw: st.DrawFn) -> str:
    """Code between fences, in one language or another."""
    sign = draw(st.sampled_from(["```", "~~~", "`````"]))
    language = draw(st.sampled_from(["", "python", "json", "text"]))
    inner = draw(jsons() | st.lists(LINES, max_size=4).map("   \n\n\n\n    ".join))
    margin = draw(st.sampled_from(["", "    "]))
    end = draw(st.sampled_from([f"\n{margin}{sign}", ""]))
    return f"{margin}{sign}{language}\n{inner}{end}"


ELEMENTS = st.sampled_from(
    [
        "<pre>a\n\n\n\n  b</pre>",
        "<document>\nwords   \n\n\n\nwords\n</document>",
        "{{ name   }}",
        "{%  if x %}",
        "----------------------------------------",
        "| a   | b   |",
        "https://example.com/?utm_source=a&utm_medium=b",
        "<p class='a'>x</p>",
        "0.30000000000000004",
        "Q: why?\nA: no",
        "Example 1: the parcel is late",
        "\ud83d",
        "```",
    ]
)


@st.composite
def prompts(draw: st.DrawFn) -> str:
    """A prompt put together from all of these, with whitespace between them as people leave it."""
    pieces = draw(st.lists(LINES | LINES | jsons() | fences() | ELEMENTS, min_size=1, max_size=12))
    margin = draw(st.sampled_from(["", "", "    ", "\t"]))
    text = draw(st.sampled_from(["", "\n", "\n\n   \n"]))
    for piece in pieces:
        text += margin + draw(INDENTS) + piece + draw(ENDS) + draw(GAPS)
    return text * draw(st.sampled_from([1, 1, 4]))
