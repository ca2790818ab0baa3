"""Size: what does not fit is refused, what is over its budget is said, with the tokens that are too many."""

from __future__ import annotations

from typing import Any

import pytest

from tokenguard import Lint
from tokenguard.lint.finding import Severity
from tokenguard.lint.request import Request
from tokenguard.lint.tiers import dearer_from
from tokenguard.tokens.limits import Limits
from tokenguard.tokens.request import Count, RequestCount

from .requests import chat, exactly, function, lint, remembered, request

WORDS = "The parcel was sent on Monday and has not arrived. " * 100
"""About 1,100 tokens."""

WINDOW = Limits(context=8_192)


def test_input_and_answer_have_to_fit_together() -> None:
    """An error, with how much it is over; each alone would fit."""
    body = {**chat(WORDS), "max_tokens": 4_000}
    (one,) = lint(request(body, limits=WINDOW, count=exactly(5_000)), "TG101")
    assert one.severity is Severity.ERROR
    assert one.tokens == 808
    assert "8,192" in one.message
    assert not lint(request(body, limits=WINDOW, count=exactly(4_192)), "TG101")
    assert not lint(request(chat(WORDS), limits=WINDOW, count=exactly(5_000)), "TG101")


def test_what_may_not_fit_is_a_warning() -> None:
    """Where the count is not the provider's own, by its upper bound."""
    about = RequestCount(Count(8_000, "calibrated", 0.1, 8_800))
    (one,) = lint(request(chat(WORDS * 7), limits=WINDOW, count=about), "TG101")
    assert one.severity is Severity.WARNING


class Uncounted(Request):
    """A request that must not be counted."""

    @property
    def count(self) -> Any:
        raise AssertionError("counted for nothing")


def test_short_requests_are_not_counted() -> None:
    """Their bytes say that they fit: a token has at least one."""
    settings = Lint(
        select=("TG1",),
        max_input_tokens=9_000,
        max_system_tokens=900,
        max_tools_tokens=900,
        max_passages_tokens=9_000,
    )
    made = request(chat("Where is my parcel?", system="Be brief."), limits=WINDOW, settings=settings)
    made.__class__ = Uncounted
    assert made.bound is not None
    assert lint(made) == []


def test_a_picture_has_no_bound() -> None:
    """What it comes to in tokens, its bytes do not say."""
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    assert request(chat([picture])).bound is None
    assert request({**chat("Hello"), "previous_response_id": "resp_1"}, "openai.responses").bound is None


def test_an_unknown_model_has_no_window() -> None:
    """Nothing is said of what nobody knows."""
    assert not lint(request(chat(WORDS * 100), count=exactly(10**9)), "TG101")


def test_input_over_budget_is_an_error() -> None:
    """It is what the application said."""
    settings = Lint(max_input_tokens=1_000)
    (one,) = lint(request(chat(WORDS), settings=settings, count=exactly(1_101)), "TG102")
    assert one.severity is Severity.ERROR
    assert one.tokens == 101
    assert not lint(request(chat(WORDS), settings=settings, count=exactly(1_000)), "TG102")
    assert not lint(request(chat(WORDS), settings=Lint(), count=exactly(10**6)), "TG102")


@pytest.mark.parametrize(
    ("model", "provider", "step"),
    [("gemini-2.5-pro", "google", 200_000), ("claude-sonnet-4-5", "anthropic", 200_000)],
)
def test_a_step_in_the_price_is_said_just_beyond_it(model: str, provider: str, step: int) -> None:
    """By how many tokens; not far beyond it, where nobody could get back, and not below."""
    steps = dearer_from(model, provider)
    assert steps[0][0] == step
    assert steps[0][1] > 1
    for tokens, expected in ((step, 0), (step + 5_000, 1), (step * 2, 0)):
        made = request({**chat(WORDS * 1_000), "model": model}, count=exactly(tokens))
        made.provider = provider
        found = lint(made, "TG103")
        assert len(found) == expected
        assert all(one.tokens == 5_000 for one in found)


def test_a_model_without_steps_has_none() -> None:
    """Nor has one that nobody knows."""
    assert dearer_from("gpt-4o-mini", "openai") == ()
    assert dearer_from("a model of our own", "") == ()
    assert dearer_from("a model of our own", "a provider of our own") == ()


def test_instructions_over_budget() -> None:
    """All system messages together."""
    body = {"messages": [{"role": role, "content": WORDS} for role in ("system", "developer", "user")]}
    settings = Lint(max_system_tokens=2_000)
    (one,) = lint(request(body, settings=settings, count=exactly(3_300, system=2_200)), "TG111")
    assert one.tokens == 200
    assert one.path == ("messages", 0)
    assert not lint(request(body, settings=settings, count=exactly(3_300, system=2_000)), "TG111")
    assert not lint(request(body, settings=Lint(), count=exactly(3_300, system=2_200)), "TG111")


def test_tools_over_budget() -> None:
    """All tools together, where they are."""
    tools = [function(f"tool_{n}", "Does something that is useful now and then. " * 5) for n in range(20)]
    body = {**chat("Hello"), "tools": tools}
    settings = Lint(max_tools_tokens=1_000)
    (one,) = lint(request(body, settings=settings, count=exactly(1_300, tools=1_250)), "TG112")
    assert (one.path, one.tokens) == (("tools",), 250)
    assert not lint(request(body, settings=settings, count=exactly(1_300, tools=900)), "TG112")
    assert not lint(request(chat("Hello"), settings=settings, count=exactly(9)), "TG112")


def test_passages_over_budget() -> None:
    """All passages together; the question is not one."""
    passages = "".join(f"<document>\n{WORDS}\n</document>\n" for _ in range(3))
    settings = Lint(max_passages_tokens=2_000)
    (one,) = lint(request(chat(passages + "Where is it?"), settings=settings), "TG113")
    assert 1_000 < one.tokens < 1_500
    assert one.path == ("messages", 0, "content")
    assert not lint(request(chat(WORDS * 3), settings=settings), "TG113")
    assert not lint(request(chat(passages), settings=Lint()), "TG113")


def conversation(turns: int) -> list[str]:
    return [f"Turn {n}: {WORDS[:1200]}" for n in range(turns)]


def test_a_history_that_grows() -> None:
    """Said of a request that adds little to the last one; with what the older messages come to."""
    before = remembered(request(chat(*conversation(20), system="Be brief.")))
    body = chat(*conversation(20), "And now?", system="Be brief.")
    (one,) = lint(request(body, before=before, count=exactly(6_000, history=5_900)), "TG121")
    assert 3_000 < one.tokens < 4_500
    assert "22 messages" in one.message


@pytest.mark.parametrize("known", [4, 20])
def test_a_history_that_is_short_or_another_one_is_nothing(known: int) -> None:
    """A few turns, a conversation that begins otherwise, one of which nothing is remembered."""
    before = remembered(request(chat(*conversation(known))))
    count = exactly(6_000, history=5_900)
    other = chat("Something else", *conversation(known))
    assert not lint(request(other, before=before, count=count), "TG121")
    assert not lint(request(chat(*conversation(22)), count=count), "TG121")
    if known == 4:
        assert not lint(request(chat(*conversation(5)), before=before, count=count), "TG121")


def test_an_old_message_that_dominates() -> None:
    """A report that was answered long ago; not the instructions, and not what was just asked."""
    report = WORDS * 4
    turns = ["What of it?", "This.", "And that?", "That."]
    (one,) = lint(request(chat(report, "I see.", *turns, "Why?")), "TG122")
    assert one.path == ("messages", 0)
    assert one.tokens > 4_000
    assert not lint(request(chat("Hello", "Hello.", *turns, report)), "TG122")
    assert not lint(request(chat("Hello", "Hello.", *turns, system=report)), "TG122")
    assert not lint(request(chat(*(WORDS * 4 for _ in range(6)))), "TG122")
