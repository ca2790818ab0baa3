"""The questions, the plan, the worst case and the ties, without any call."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from tokenguard.demo.observed import Sums
from tokenguard.demo.plan import batches
from tokenguard.demo.questions import RECORDED, questions
from tokenguard.demo.show import tie_lines
from tokenguard.demo.ties import Ties
from tokenguard.demo.upstream import RECORDED_MODELS
from tokenguard.demo.worst_case import worst_case_nano
from tokenguard.pricing import PriceBook
from tokenguard.testing.recorded import Recorded


def test_every_question_has_an_answer_that_is_one_of_its_choices() -> None:
    """Sixty questions, twenty a feature, all different; the provider finds each by its prompt."""
    known, recorded = questions(), Recorded(RECORDED)
    assert len({question.prompt for question in known}) == len(known) == 60
    for question in known:
        assert f"\n{question.answer[:2]} " in question.prompt
        found = recorded.find("openai_chat", "gpt-4.1", question.prompt)
        assert found is not None
        assert found.text == question.answer


def test_origin_and_licence_stand_beside_the_questions() -> None:
    """Where they come from, under which licences, and what was changed."""
    notice = RECORDED.with_name("NOTICE").read_text("utf-8")
    for words in ("RouteLLM", "Apache License", "MMLU", "Permission is hereby granted", "Changed:"):
        assert words in notice


def test_every_question_is_asked_once() -> None:
    """The batches use all questions up, and no batch is empty."""
    asked = [question for batch in batches(RECORDED_MODELS) for question in batch.questions]
    assert sorted(question.id for question in asked) == sorted(question.id for question in questions())


def test_a_small_plan_leaves_no_way_of_calling_out() -> None:
    """One question a batch, and still every way to call either SDK."""
    small, whole = list(batches(RECORDED_MODELS, at_most=1)), list(batches(RECORDED_MODELS))
    assert {(batch.sdk, batch.way) for batch in small} == {(batch.sdk, batch.way) for batch in whole}
    assert all(len(batch.questions) == 1 for batch in small)


def test_the_worst_case_is_every_attempt_billed_in_full() -> None:
    """Counted by hand: a prompt's bytes and 100 tokens of format in, the cap out, three times."""
    (batch,) = [batch for batch in batches(RECORDED_MODELS) if batch.way == "abandoned stream"]
    (question,) = batch.questions
    sent = len(question.prompt.encode()) + 100
    by_hand = 3 * (sent * 100 + 64 * 400)  # gpt-4.1-nano: 100 and 400 nano-dollars a token
    assert worst_case_nano(PriceBook(), [batch], max_tokens=64, attempts=3) == by_hand


@given(
    st.sampled_from([field.name for field in dataclasses.fields(Ties)]),
    st.tuples(st.integers(0, 100), st.integers(0, 10**12)),
    st.tuples(st.integers(-1, 1), st.integers(-1, 1)),
)
def test_one_nano_dollar_off_does_not_tie(name: str, count: tuple[int, int], off: tuple[int, int]) -> None:
    """Four equal accounts tie; any one that is off by one call or one nano-dollar does not."""
    sums = Sums(*count)
    ties = Ties(sums, sums, sums, sums)
    assert ties.tied
    other = dataclasses.replace(ties, **{name: Sums(sums.calls + off[0], sums.cost_nano + off[1])})
    assert other.tied == (off == (0, 0))


def test_totals_that_do_not_tie_are_shown_one_by_one() -> None:
    """Whoever reads the line sees which account is off, and by what."""
    ties = Ties(Sums(2, 1_000), Sums(2, 1_000), Sums(1, 400), Sums(2, 1_000))
    lines = tie_lines(ties)
    assert lines[0] == "TOTALS DO NOT TIE:"
    assert [line.split() for line in lines[1:]][2] == ["spans", "1", "calls", "$0.000000400"]
