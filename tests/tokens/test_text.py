"""Counts are tiktoken's, for every text, and no text can end the caller's request."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenguard import faults
from tokenguard.tokens import ranks, text

MODELS = {"o200k_base": "gpt-4o", "cl100k_base": "gpt-4"}


@settings(deadline=None)
@given(st.text())
@pytest.mark.parametrize("encoding", MODELS)
def test_a_count_is_the_length_of_the_encoding(encoding: str, given_text: str) -> None:
    """For any text, surrogates and special tokens included."""
    assert text.count(given_text, MODELS[encoding]) == len(
        ranks.encoding(encoding).encode_ordinary(given_text)
    )


@pytest.mark.parametrize("encoding", MODELS)
def test_long_texts_are_counted_exactly_in_parts(encoding: str) -> None:
    """Cutting a long text at line breaks before a letter or digit does not change its tokens."""
    source = Path(json.__file__).parent.parent
    long = "".join(path.read_text("utf-8") for path in sorted(source.glob("a*.py")))
    long += "Zeile für Zeile, 一行一行\n" * 5000
    assert len(long) > 5 * text._PART
    assert len(text._parts(long)) > 3
    assert text.count(long, MODELS[encoding]) == len(ranks.encoding(encoding).encode_ordinary(long))


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="aZé中のっ한я \n\r\t019+/=_-.'\u0301s", max_size=80) | st.text())
@pytest.mark.parametrize("encoding", MODELS)
def test_cuts_change_nothing(encoding: str, given_text: str) -> None:
    """Wherever a text may be cut, the parts have the very tokens of the whole."""
    encode = ranks.encoding(encoding).encode_ordinary
    parts = text._parts(given_text, 1)
    assert "".join(parts) == given_text
    assert [token for part in parts for token in encode(part)] == encode(given_text)


def test_special_tokens_are_text_like_any_other() -> None:
    """A prompt that quotes a special token is counted, not refused."""
    assert text.count("<|endoftext|>", "gpt-4o") == 7


@pytest.mark.parametrize("run", [" ", "\t", "\n", "a", "ab", "-", "=", "的", "_"])
def test_long_runs_are_counted_closely_and_quickly(run: str) -> None:
    """60,000 of one character in a row are within 0.1 % or one token of the exact count."""
    given_text = run * (60_000 // len(run))
    exact = len(ranks.encoding("o200k_base").encode_ordinary(given_text))
    assert text.count(given_text, "gpt-4o") == pytest.approx(exact, rel=1e-3, abs=1)


@pytest.mark.parametrize("given_text", ["a" * 100_000, "ab3+" * 1_100_000, "word " * 900_000, "中文" * 5000])
def test_what_was_not_counted_is_bounded(given_text: str) -> None:
    """Runs and what is beyond four million characters: the exact count is not above the bound, and close."""
    found = text.measure(given_text, "o200k_base")
    exact = sum(len(ranks.encoding("o200k_base").encode_ordinary(part)) for part in text._parts(given_text))
    assert not found.exact
    assert exact <= found.at_most
    assert found.tokens == pytest.approx(exact, rel=1e-2)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 9000), st.integers(4097, 4200), st.sampled_from(["a", " ", "-", "的", "\u0301"]))
def test_no_run_is_overlooked(before: int, length: int, letter: str) -> None:
    """Wherever it begins, and however little it is too long."""
    given_text = ("12 " * 3000)[:before] + "1" + letter * length + "1"
    assert not text.measure(given_text, "o200k_base").exact


def test_runs_that_are_almost_too_long_are_no_trap() -> None:
    """Many runs just below the limit are counted exactly, in a time that their number does not square."""
    given_text = ("x" * 4096 + "1") * 200
    found = text.measure(given_text, "o200k_base")
    assert found.exact
    assert found.tokens == len(ranks.encoding("o200k_base").encode_ordinary(given_text))


def test_halves_of_surrogate_pairs_have_a_bound() -> None:
    """JSON can have them, and UTF-8 cannot."""
    assert text.n_bytes("\ud83d") == 3
    assert text.measure("\ud83d" * 5000, "o200k_base").at_most == 15_000


def test_a_million_spaces_do_not_end_the_process() -> None:
    """What overflows the tokenizer's stack is counted all the same."""
    assert text.count("start " + " " * 1_000_000 + "end", "gpt-4o") == pytest.approx(7815, abs=5)


def test_a_panic_of_the_tokenizer_becomes_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A panic, which is no Exception, is counted as a fault and answered with the estimate."""

    class PanicException(BaseException):
        pass

    class Panics:
        def encode_ordinary(self, _: str) -> list[int]:
            raise PanicException("StackOverflow")

    monkeypatch.setattr(ranks, "encoding", lambda _: Panics())
    before = faults.counts().get("tokens.count", 0)
    assert text.count("hello there, world", "gpt-4o") > 0
    assert faults.counts()["tokens.count"] == before + 1


def test_other_errors_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the tokenizer's panic is caught: an interrupt still interrupts."""

    class Interrupted:
        def encode_ordinary(self, _: str) -> list[int]:
            raise KeyboardInterrupt

    monkeypatch.setattr(ranks, "encoding", lambda _: Interrupted())
    with pytest.raises(KeyboardInterrupt):
        text.count("hello", "gpt-4o")


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("gpt-4.1-mini", "o200k_base"),
        ("gpt-5", "o200k_base"),
        ("gpt-oss-20b", "o200k_base"),
        ("o4-mini", "o200k_base"),
        ("claude-sonnet-4-5", "o200k_base"),
        ("a model nobody knows", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo-0125", "cl100k_base"),
        ("gpt-35-turbo", "cl100k_base"),
        ("ft:gpt-3.5-turbo:acme", "cl100k_base"),
        ("openai/gpt-4", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("davinci-002", "cl100k_base"),
    ],
)
def test_a_model_has_the_encoding_that_openai_says(model: str, encoding: str) -> None:
    """Known families have their own, everything else the newest."""
    assert text.encoding_for(model) == encoding
