"""What is pasted as it is: markup, identifiers, digits, links and files that the model cannot use."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest

from tokenguard.lint.fixes import apply_text
from tokenguard.tokens.text import count

from .requests import lint_text

RANDOM = random.Random(7)
FILE = base64.b64encode(RANDOM.randbytes(3_000)).decode()
UUIDS = [
    f"{RANDOM.getrandbits(32):08x}-{RANDOM.getrandbits(16):04x}-4a53-9d4e-{RANDOM.getrandbits(48):012x}"
    for _ in range(12)
]
CARD = """<div class="card card--offer"><h2 class="card__title"><a href="/offers/{n}">Offer {n}</a></h2>
<p class="card__text">Ten percent off.</p><span class="card__price">12.50</span></div>
"""
PAGE = (
    '<html><head><script type="module">let tracker = start({page: 1});</script></head><body>\n'
    + "".join(CARD.format(n=n) for n in range(12))
    + "</body></html>"
)


def test_a_web_page_is_found() -> None:
    """With its scripts; most of its tokens are markup."""
    (one,) = lint_text("What does it say?\n" + PAGE, "TG221")
    assert one.fix is None
    assert 0.6 * count(PAGE, "") < one.tokens < count(PAGE, "")


@pytest.mark.parametrize(
    "text",
    [
        "<instructions>\n<rule>Be brief.</rule>\n</instructions>\n" * 20,
        "```html\n" + PAGE + "\n```",
        "A <b>bold</b> word and a <br> here.\n" * 3,
        "<p>"
        + "Words and words that are what is said here, one after the other, on and on. " * 20
        + "</p>\n" * 30,
        "if a < b and c > d: e</f>" * 10,
    ],
)
def test_other_marks_are_no_web_page(text: str) -> None:
    """What structures a prompt, code, a tag or two, tags that are little of a text."""
    assert not lint_text(text, "TG221")


def test_uuids_are_found() -> None:
    """What they cost beyond numbers in their place."""
    text = "\n".join(f"{one}: broken screen" for one in UUIDS)
    (one,) = lint_text(text, "TG222")
    assert "12 UUIDs" in one.message
    assert one.tokens > 15 * len(UUIDS)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(UUIDS[:5]),
        "\n".join(UUIDS[:1] * 30),
        "well-known state-of-the-art up-to-date -- words - with-hyphens-and more-of-them " * 10,
        "-1234-5678-9abc-" * 20,
    ],
)
def test_a_few_uuids_are_nothing(text: str) -> None:
    """Nor is one that is said often, nor hyphens."""
    assert not lint_text(text, "TG222")


def test_times_to_the_microsecond_are_found() -> None:
    """The fix, for somebody to look at, cuts them at the second."""
    text = "\n".join(f"2026-03-01T09:30:{n}.482913+00:00 paid" for n in range(10, 30))
    (one,) = lint_text(text, "TG223")
    assert one.fix is not None
    assert not one.fix.safe
    mended, _ = apply_text(text, [one])
    assert mended.startswith("2026-03-01T09:30:10+00:00 paid\n")
    assert one.tokens == count(text, "") - count(mended, "")


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T09:30:12+00:00 paid\n" * 20,
        "09:30:12.482913\n" * 3,
        "took 09:30.482913\n" * 20,
        "a:12.5 " * 40,
    ],
)
def test_other_times_are_nothing(text: str) -> None:
    """To the second, a few, other numbers."""
    assert not lint_text(text, "TG223")


def test_long_floats_are_found() -> None:
    """The fix, for somebody to look at, rounds them; a small one stays more than nothing."""
    text = " ".join(
        [
            "0.30000000000000004",
            "-12.837465019283745",
            "0.000012345678901",
            *(f"{n / 7}" for n in range(1, 7)),
        ]
    )
    (one,) = lint_text(text * 2, "TG224")
    assert one.fix is not None
    assert not one.fix.safe
    mended, _ = apply_text(text * 2, [one])
    assert mended.startswith("0.3 -12.8375 1.235e-05 0.1429 ")


@pytest.mark.parametrize(
    "text",
    [
        "12.5 0.333 7.1234 " * 20,
        "1.234567890123e-05 " * 20,
        "version 1.2.345678901234 " * 20,
        "x.123456789 " * 20,
        "`0.30000000000000004` " * 20,
    ],
)
def test_other_numbers_are_nothing(text: str) -> None:
    """Short ones, those with exponents, versions, names, code."""
    assert not lint_text(text, "TG224")


def test_marks_of_marketing_are_found() -> None:
    """The fix takes them out of the link, and leaves the rest of it and of the sentence."""
    text = (
        "See https://example.com/offer?utm_source=newsletter&utm_medium=email&utm_campaign=spring. "
        "Or https://example.com/item?id=7&gclid=Cj0KCQiA5vXY and https://example.com/a?fbclid=IwAR0x&page=2!"
    )
    (one,) = lint_text(text, "TG225")
    mended, _ = apply_text(text, [one])
    assert mended == (
        "See https://example.com/offer. Or https://example.com/item?id=7 and https://example.com/a?page=2!"
    )


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/item?id=7&page=2 " * 5,
        "What is utm_source for? " * 10,
        "`/a?utm_source=x&utm_medium=y`" * 3,
    ],
)
def test_other_links_are_nothing(text: str) -> None:
    """With what they need, in words, in code."""
    assert not lint_text(text, "TG225")


@pytest.mark.parametrize(
    "text",
    [
        f"Describe data:image/png;base64,{FILE} please",
        FILE,
        f'{{"file": "{FILE}"}}',
        "-----BEGIN-----\n"
        + "\n".join(FILE[i : i + 76] for i in range(0, len(FILE), 76))
        + "\n-----END-----",
    ],
)
def test_files_in_base64_are_found(text: str) -> None:
    """In a link, as a whole, in JSON, in lines."""
    (one,) = lint_text(text, "TG226")
    assert one.end - one.start >= 0.9 * len(FILE)
    assert one.tokens > 2_000


@pytest.mark.parametrize(
    "text",
    [
        FILE[:390],
        "a" * 100_000,
        "ACGT" * 1_000,
        "0123456789abcdef" * 100,
        "SomeVeryLongNameOfAClass" * 40,
        "汉字和更多的汉字" * 200,
        "https://example.com/" + "path/" * 100,
        "The words of a text of some length, with blanks between them. " * 40,
    ],
)
def test_other_long_words_are_no_base64(text: str) -> None:
    """Short ones, one letter, a genome, hexadecimal digits, names, scripts without blanks, links."""
    assert not lint_text(text, "TG226")


@pytest.mark.parametrize("place", ["tool_call", "reasoning"])
def test_what_the_model_made_is_left_alone(place: Any) -> None:
    """It cannot be written otherwise."""
    assert not lint_text(PAGE + FILE + "\n".join(UUIDS), place=place)
