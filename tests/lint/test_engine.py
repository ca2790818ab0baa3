"""What is found has its place and is remembered in bounds; a rule that breaks is nobody's trouble."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.requests import ANY_BODY, CHAT_BODY, MESSAGES_BODY, RESPONSES_BODY
from tokenguard import Lint, faults
from tokenguard.anatomy import at
from tokenguard.lint import engine
from tokenguard.lint.engine import Linter
from tokenguard.lint.finding import Finding
from tokenguard.lint.fixes import apply
from tokenguard.lint.rule import text_rule
from tokenguard.lint.text import Text
from tokenguard.tokens.limits import Limits

from .prompts import prompts
from .requests import ALL, chat, function, lint, remembered, request

BODIES = {"openai.chat": CHAT_BODY, "openai.responses": RESPONSES_BODY, "anthropic.messages": MESSAGES_BODY}
STRICT = Lint(
    select=("TG1", "TG2"),
    max_input_tokens=1,
    max_system_tokens=1,
    max_tools_tokens=1,
    max_passages_tokens=1,
    droppable_tools=("f", "g"),
)
LOOSE = json.dumps([{"n": n, "name": f"name {n}"} for n in range(20)], indent=2)


@pytest.mark.parametrize("dialect", BODIES)
@settings(deadline=None, max_examples=40)
@given(st.data())
def test_what_is_found_in_a_request_is_there(dialect: str, data: st.DataObject) -> None:
    """Every path leads to something, every stretch is in its text, and no rule breaks on the way."""
    broken = sum(n for place, n in faults.counts().items() if place.startswith("lint."))
    body = data.draw(BODIES[dialect] | ANY_BODY)
    before = data.draw(st.none() | st.just(body))
    last = None if before is None else remembered(request(before, dialect), requests=40)
    made = request(body, dialect, settings=STRICT, before=last, limits=Limits(context=20))
    found = lint(made)
    for one in found:
        value = at(made.body, one.path)
        assert 0 <= one.start <= one.end <= (len(value) if isinstance(value, str) and one.end else one.end)
    mended, done = apply(made.body, [one for one in found if one.fix and one.fix.safe], made)
    assert len(json.dumps(mended)) <= len(json.dumps(made.body)) or not done
    assert sum(n for place, n in faults.counts().items() if place.startswith("lint.")) == broken


@settings(deadline=None, max_examples=60)
@given(prompts(), st.sampled_from(["system", "user", "assistant", "tool"]))
def test_what_is_found_in_a_text_is_there(text: str, role: Any) -> None:
    """So are all changes."""
    for one in Linter(ALL).text(Text(text, role)):
        assert 0 <= one.start <= one.end <= len(text)
        assert one.tokens >= 0
        for edit in one.fix.edits if one.fix else ():
            assert 0 <= (edit.start or 0) <= (edit.end or 0) <= len(text)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_no_request_is_longer_than_its_bound(data: st.DataObject) -> None:
    """Whatever is in it, its tokens are no more than its bytes say."""
    dialect = data.draw(st.sampled_from(sorted(BODIES)))
    made = request(data.draw(BODIES[dialect]), dialect)
    assert made.bound is None or made.count.total.tokens <= made.bound


def test_a_message_is_linted_once() -> None:
    """Where it stands, and when, makes no difference to what it says; who says it does."""
    linter = Linter(ALL)
    first, second = (request(body).anatomy.messages for body in (chat(LOOSE), chat("Hello", "Yes?", LOOSE)))
    facts = linter.message(first[0])
    assert linter.message(second[2]) is facts
    assert linter.message(first[0]._replace(role="system")) is not facts


def test_a_tools_description_is_a_text() -> None:
    """And a finding in it leads there."""
    described = "See https://example.com/?utm_source=abcdefgh&utm_medium=mail"
    made = request({**chat("Hello"), "tools": [function("search", described)]})
    (one,) = lint(made, "TG225")
    assert one.path == ("tools", 0, "function", "description")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the weight of the fixes that are kept with it, however few messages they are of."""
    monkeypatch.setattr(engine, "_HEAVIEST", 5_000)
    linter = Linter(ALL)
    for n in range(50):
        linter.message(request(chat(LOOSE.replace("name", f"name{n}"))).anatomy.messages[0])
    assert 1 <= len(linter._facts) <= 6


def test_a_text_beyond_all_reason_is_linted_in_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond fits into no model."""
    monkeypatch.setattr(engine, "_LONGEST", len(LOOSE) + 10)
    (one,) = [one for one in Linter(ALL).text(Text(f"{LOOSE}\n\n{LOOSE}")) if one.code == "TG201"]
    assert one.end == len(LOOSE)


def test_a_rule_that_breaks_is_nobodys_trouble() -> None:
    """It is counted, and the others go on."""

    @text_rule("TG998", "broken")
    def broken(text: Text) -> Iterator[Finding]:
        raise RuntimeError("a fault of ours")

    before = faults.counts().get("lint.TG998", 0)
    assert engine.guarded(broken, Text("x")) == []
    assert faults.counts()["lint.TG998"] == before + 1


def test_rules_say_what_a_text_must_have() -> None:
    """A text without it is passed over; where the model has written it, too."""
    assert [one.code for one in Linter(ALL).text(Text(LOOSE))]
    assert not Linter(ALL).text(Text(LOOSE, "assistant", "tool_call"))
