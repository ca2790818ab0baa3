"""What turns an answer round is never left to a vector."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tokenguard.cache.similar.gates import Features, agree, difference, features, marks
from tokenguard.cache.similar.words import FLEXIBLE, MEANINGS, NAMED, NEGATED, NEGATIONS, NUMBERS

SECRET = bytes(32)
NAMES = ("Alice", "Bob", "Paris", "Berlin", "NASA", "iPhone", "France", "GmbH")
PLAIN = ("password", "account", "train", "weather", "recipe", "battery", "invoice", "garden")
FILLING = tuple(sorted(FLEXIBLE - {"i"}))

SENTENCES = st.lists(
    st.sampled_from((*FILLING, *PLAIN)) | st.sampled_from(NAMES) | st.integers(0, 10**6).map(str),
    min_size=3,
    max_size=14,
)


def read(text: str) -> Features:
    found = features(text)
    assert found is not None, text
    return found


def gate(a: str, b: str) -> str | None:
    return difference(read(a), read(b))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("How do I reset my password?", "how can I reset the password"),
        ("How do I reset my password?", "Please tell me how to reset my password!"),
        ("What is the capital of France?", "what's the capital of France"),
        ("I don't get it, what is the API?", "I do not get it: what's the API?"),
        ("How do I split a bill in two?", "How can I split a bill in 2?"),
        ("What does \u201cpro rata\u201d mean?", 'What does "pro rata" mean?'),
    ],
)
def test_wordings_of_one_question_pass(a: str, b: str) -> None:
    """Politeness, articles, case and typography are no difference; a vector may judge."""
    assert gate(a, b) is None


@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [
        ("How do I reset my password?", "How do I not reset my password?", "negation"),
        ("Is it safe to eat this?", "Is it unsafe to eat this?", "negation"),
        ("Can I pay with a card?", "Can I pay without a card?", "negation"),
        ("Why does my build work?", "Why doesn't my build work?", "negation"),
        ("What is 2 plus 30 for me?", "What is 2 plus 90 for me?", "number"),
        ("Can I return it in thirty days?", "Can I return it in ninety days?", "number"),
        ("What is the 5% rule for me?", "What is the 5 rule for me?", "number"),
        ("What is 10\u00b2 in words?", "What is 102 in words?", "number"),
        ("What is 7 - 3 in words?", "What is 7 + 3 in words?", "verbatim"),
        ("Is 6\" ok for me to use?", "Is 6 ok for me to use?", "verbatim"),
        ("How much does Alice owe Bob?", "How much does Bob owe Alice?", "order"),
        ("What is the capital of france?", "What is the capital of germany?", "name"),
        ("Who works for the US?", "Who works for us?", "name"),
        ("How do I do this in Python?", "How do I do this in Rust?", "name"),
        ("What does `git add` do here?", "What does `git rm` do here?", "verbatim"),
        ("What is on https://a.example/x to see?", "What is on https://a.example/y to see?", "verbatim"),
        ("What is the mail of a@b.example to us?", "What is the mail of c@b.example to us?", "verbatim"),
        ("What can I do before the exam?", "What can I do after the exam?", "meaning"),
        ("How do I enable the alarm?", "How do I disable the alarm?", "meaning"),
        ("Is this more than my share?", "Is this less than my share?", "meaning"),
        ("Who is the president of it?", "Who was the president of it?", "meaning"),
        ("What is my name in this?", "What is your name in this?", "meaning"),
        ("How long is the road to it?", "How wide is the road to it?", "meaning"),
        ("What is the weight in pounds?", "What is the weight in ounces?", "meaning"),
        ("Does the dog eat the cat?", "Does the cat eat the dog?", "order"),
        ("Cancel my order in the shop, please", "Track my order in the shop, please", "meaning"),
        ("What is this?\n  if a is b", "What is this?\nif a is b", "layout"),
        ("How do I reset it?", "How do I reset it with the help of a friend, and of a key?", "length"),
    ],
)  # fmt: skip
def test_what_turns_a_question_round_does_not(a: str, b: str, kind: str) -> None:
    """Each for its own reason, whichever of the two comes first."""
    assert gate(a, b) is not None
    assert gate(b, a) is not None
    assert kind in (gate(a, b), gate(b, a))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yes",
        "and you?",
        "Who are you to me",
        "Wie kann ich mein Passwort nicht zur\u00fccksetzen?",
        "\u5982\u4f55\u91cd\u7f6e\u5bc6\u7801",
        "Comment ne pas effacer mon compte",
        "SELECT * FROM orders WHERE id = 3",
    ],
)
def test_what_cannot_be_read_is_not_compared(text: str) -> None:
    """Too short to say anything, or not English: it is matched exactly only."""
    assert features(text) is None


@given(SENTENCES, st.data())
def test_a_changed_number_never_passes(words: list[str], data: st.DataObject) -> None:
    """Whatever the text, wherever the number stands."""
    old, new = data.draw(st.integers(0, 10**9)), data.draw(st.integers(0, 10**9))
    assume(old != new)
    at = data.draw(st.integers(0, len(words)))
    one, other = [features(" ".join((*words[:at], str(n), *words[at:]))) for n in (old, new)]
    assert one is None or other is None or difference(one, other) is not None


@given(SENTENCES, st.sampled_from(sorted(NEGATIONS | NEGATED | {"don't", "isn't", "unable"})), st.data())
def test_an_added_negation_never_passes(words: list[str], negation: str, data: st.DataObject) -> None:
    """Nor one taken away, wherever it stands."""
    at = data.draw(st.integers(0, len(words)))
    one, other = features(" ".join(words)), features(" ".join((*words[:at], negation, *words[at:])))
    assert one is None or other is None or difference(one, other) is not None
    assert one is None or other is None or difference(other, one) is not None


@given(SENTENCES, st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True), st.data())
def test_a_changed_name_never_passes(words: list[str], names: list[str], data: st.DataObject) -> None:
    """Nor two that change places."""
    at = data.draw(st.integers(0, len(words)))
    a, b = names
    texts = [(a,), (b,), (a, "and", b), (b, "and", a)]
    found = [features(" ".join((*words[:at], *middle, *words[at:]))) for middle in texts]
    for i, one in enumerate(found):
        for other in found[i + 1 :]:
            assert one is None or other is None or difference(one, other) is not None


@given(SENTENCES, SENTENCES)
def test_marks_say_what_features_say(a: list[str], b: list[str]) -> None:
    """The hashes that are kept keep apart exactly what the words would."""
    one, other = features(" ".join(a)), features(" ".join(b))
    assume(one is not None)
    assume(other is not None)
    assert one is not None
    assert other is not None
    by_hash = agree(marks(one, SECRET, "s"), marks(other, SECRET, "s"))
    assert by_hash == (difference(one, other) is None)
    assert agree(marks(one, SECRET, "s"), marks(one, SECRET, "s"))


@given(st.text(max_size=200))
def test_any_text_can_be_looked_at(text: str) -> None:
    """Whatever somebody types, it is read or it is not; and it agrees with itself."""
    found = features(text)
    if found is not None:
        assert difference(found, found) is None
        assert marks(found, SECRET, "s").length == found.length


def test_a_mark_says_nothing_without_the_secret() -> None:
    """The same words have other marks under another secret, and in another scope."""
    found = read("What is the capital of France?")
    one = marks(found, SECRET, "s")
    for other in (marks(found, bytes(31) + b"1", "s"), marks(found, SECRET, "t")):
        assert set(one[:3]).isdisjoint(other[:3])


def test_no_word_is_in_two_lists() -> None:
    """Or one of them would never be looked into."""
    lists = [FLEXIBLE, NEGATED, NEGATIONS, MEANINGS, frozenset(NUMBERS), NAMED]
    for i, one in enumerate(lists):
        for other in lists[i + 1 :]:
            assert not one & other
