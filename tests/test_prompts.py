"""A prompt has a version on every receipt, a beginning that is always the same, and nothing is lost in it."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenguard import Guard, Prompt, fit_passages
from tokenguard.errors import ConfigError
from tokenguard.testing import Provider
from tokenguard.tokens.text import count

TRIAGE = Prompt(
    "triage",
    "3",
    system="You sort tickets for {{company}}. {{tone}}",
    examples=[("I cannot sign in", "login")],
    user="Ticket for {{company}}: {{ticket}}",
    fragments={"company": "Acme", "tone": "Be brief, as {{company}} is."},
)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


def test_every_receipt_says_which_version_it_was(provider: Provider) -> None:
    """Through each API, and without a context."""
    guard = Guard(ledger=None)
    gpt = guard.wrap(openai.OpenAI(api_key="k", base_url=f"{provider.url}/v1"))
    claude = guard.wrap(anthropic.Anthropic(api_key="k", base_url=provider.url))
    made = [
        gpt.chat.completions.create(model="gpt-4o-mini", **TRIAGE.chat(ticket="My card")),
        gpt.responses.create(model="gpt-4o-mini", **TRIAGE.responses(ticket="My card")),
        claude.messages.create(
            model="claude-haiku-4-5", max_tokens=20, **TRIAGE.anthropic(ticket="My card", keep=True)
        ),
    ]
    for response in made:
        receipt = guard.receipt(response)
        assert receipt is not None
        assert receipt.prompt == "triage@3"
    guard.close()


def test_what_is_the_same_in_every_call_stands_first() -> None:
    """Two calls differ in their last message alone."""
    one, other = TRIAGE.chat(ticket="a")["messages"], TRIAGE.chat(ticket="b")["messages"]
    assert one[:-1] == other[:-1]
    assert one[0] == {"role": "system", "content": "You sort tickets for Acme. Be brief, as Acme is."}
    assert [message["role"] for message in one] == ["system", "user", "assistant", "user"]
    assert one[-1]["content"] == "Ticket for Acme: a"


def test_a_value_is_never_taken_for_a_template() -> None:
    """Whatever a user writes is put in as it stands."""
    for value in ("{{company}}", r"\1 \g<0>", "{ticket}", ""):
        assert TRIAGE.user(ticket=value) == f"Ticket for Acme: {value}"


@pytest.mark.parametrize(
    ("mistake", "says"),
    [
        ({"system": "Today is {{today}}.", "user": "x"}, "Move it to user="),
        ({"user": "{{a}}", "fragments": {"a": "{{b}}", "b": "{{a}}"}}, "a -> b -> a"),
        ({"name": "two words", "user": "x"}, "two words"),
        ({"version": "", "user": "x"}, "version="),
    ],
)
def test_a_mistake_is_told_where_the_prompt_is_made(mistake: dict[str, object], says: str) -> None:
    """Not at the call."""
    with pytest.raises(ConfigError, match=says):
        Prompt(**{"name": "n", "version": "1", **mistake})  # type: ignore[arg-type]


def test_a_variable_that_is_missing_or_misspelt_is_named() -> None:
    """With the nearest one there is."""
    with pytest.raises(ConfigError, match="needs a value for 'ticket'"):
        TRIAGE.user()
    with pytest.raises(ConfigError, match="did you mean 'ticket'"):
        TRIAGE.user(tickt="x")


@given(
    st.text(max_size=40),
    st.lists(st.tuples(st.text(max_size=60), st.floats(-1, 1)), max_size=12),
    st.integers(1, 80),
)
def test_passages_never_exceed_their_budget(
    question: str, passages: list[tuple[str, float]], budget: int
) -> None:
    """And those that are kept are in the order of their scores; nothing that would still fit is dropped."""
    fitted = fit_passages(question, passages, budget)
    asked = count(question, "")
    assert fitted.tokens == asked + sum(count(text, "") for text in fitted.passages)
    assert fitted.tokens <= max(budget, asked)
    best = {text: max(score for one, score in passages if one == text) for text, _ in passages}
    assert [best[text] for text in fitted.passages] == sorted(
        (best[text] for text in fitted.passages), reverse=True
    )
    left = [text for text in best if text not in fitted.passages]
    assert len(left) == fitted.dropped
    assert not fitted.dropped or all(count(text, "") + fitted.tokens > budget for text in left)


def test_the_best_passages_are_kept_and_the_question_whole() -> None:
    """A budget that holds one: the best; none at all: only the question."""
    passages = [("a passage on cats " * 5, 0.2), ("a passage on dogs " * 5, 0.9)]
    assert fit_passages("dogs?", passages, 30).passages == [passages[1][0]]
    assert fit_passages("a long question " * 40, passages, 10).passages == []
    with pytest.raises(ConfigError, match="max_tokens=0"):
        fit_passages("?", passages, 0)
