"""A bound holds for tokenizers that nobody has published, and for texts that were written to break it."""

from __future__ import annotations

# ruff: noqa: RUF001 - Cyrillic letters are what is meant
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenguard.tokens import ranks
from tokenguard.tokens.bounds import most

FOUND = {
    # Texts that a search made long for their bytes, and their tokens by https://github.com/sanderland/ctok,
    # which reconstructs Claude's tokenizers: of Claude 3 to 4.6, and since Opus 4.7.
    "5ZJ^Q?Y=ZZ/ZQ[ZQ": (17, 27),
    "9@ 7 ~^ ~ ~ 9 ^ ": (15, 24),
    "Ⱦ": (6, 6),
    "Ⱦ[`Ⱦ6Ҧ:Ⱥ2Ⱥ9Ⱥ": (41, 41),
    "Ѕ1Ѕ1Ѐ1 Ѐ 1Ѓ1Ѓ.Ѓ ": (44, 44),
    "ÿ.ÿ.ÿ÷ÿ.ÿ ÷ÿ.ÿ.ÿ": (42, 42),
    "ؿ1ؼ.ؿ1ؤ.ؿ.1ؼ.ؾ1ؾ": (40, 40),
    "The quick brown fox jumps over the lazy dog.": (11, 18),
}


@pytest.mark.parametrize("given_text", FOUND)
def test_what_was_made_to_be_long_is_within_the_bound(given_text: str) -> None:
    """More tokens than bytes, in some of them."""
    assert max(FOUND[given_text]) <= most(given_text)


@settings(deadline=None)
@given(st.text())
def test_it_is_above_bytes_in_any_normal_form(given_text: str) -> None:
    """So that it holds for any byte-level tokenizer, and for those of OpenAI."""
    bound = most(given_text)
    for form in ("NFC", "NFKC"):
        assert bound >= len(unicodedata.normalize(form, given_text).encode("utf-8", "surrogatepass"))
    for name in ("o200k_base", "cl100k_base"):
        assert bound >= len(ranks.encoding(name).encode_ordinary(given_text))


def test_it_is_not_out_of_all_proportion() -> None:
    """A page of English may be held at some three times of what it comes to, not at more."""
    english = "The quick brown fox jumps over the lazy dog. Then it sleeps, for it is late.\n" * 40
    assert len(english) <= most(english) <= 1.2 * len(english)
    assert most("") == 0
