"""Passages are told from the question by the ways in which people mark them."""

from __future__ import annotations

import pytest

from tokenguard.lint.passages import passages

ELEMENTS = """Answer from these:
<documents>
<document index="1"><source>a.md</source>
Refunds take five days.
</document>
<document index="2">
Parcels take two days.
</document>
</documents>
How long does a refund take?"""

NUMBERED = """Use the sources.

[1] Refunds take five days, as said in [2].
Weekends do not count.
[2] Parcels take two days.

Question: how long does a refund take?"""

TITLED = """Document 1: refunds
Refunds take five days.

Document 2: parcels
Parcels take two days.
"""


def found(text: str) -> list[str]:
    return [text[start:end] for start, end in passages(text)]


def test_elements_are_passages() -> None:
    """Each as a whole; what is around them is not."""
    first, second = found(ELEMENTS)
    assert first.startswith('<document index="1">')
    assert first.endswith("</document>")
    assert "Parcels" in second
    assert "How long" not in second


@pytest.mark.parametrize("text", [NUMBERED, TITLED])
def test_numbered_blocks_are_passages(text: str) -> None:
    """Up to the next one, and the last one up to the question."""
    first, second = found(text)
    assert "Refunds" in first
    assert "Parcels" in second
    assert "Question" not in second


@pytest.mark.parametrize(
    "text",
    [
        "How long does a refund take?",
        "As [1] says, it takes two days.",
        "[7] is where the table ends.\n[9] is another one.",
        "<document>never closed",
        "<documents of any kind>",
    ],
)
def test_other_texts_have_none(text: str) -> None:
    """A reference, a number that begins nowhere, a sign that does not end."""
    assert found(text) == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["<document>", "[1] ", "\n[1]", "<doc ", "Document 1\n"])
def test_no_text_takes_forever(unit: str) -> None:
    """Signs that never end."""
    passages(unit * (400_000 // len(unit)))
