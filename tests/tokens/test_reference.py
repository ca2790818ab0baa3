"""The page about counting says what the code does."""

from __future__ import annotations

from typing import get_args

from tokenguard.tokens.request import How, RequestCount

from .reference import PAGE, written

TEXT = PAGE.read_text("utf-8")


def test_the_tables_are_current() -> None:
    """``python -m tests.tokens.reference`` writes them."""
    assert written(TEXT) == TEXT


def test_every_word_for_how_is_explained() -> None:
    """And every part of a request."""
    for word in (*get_args(How), *RequestCount._fields[1:]):
        assert f"`{word}`" in TEXT
