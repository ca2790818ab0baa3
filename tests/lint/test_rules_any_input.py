"""No rule breaks, whatever a request or a text has in it, and what it finds is there."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.requests import (
    ANY_BODY,
    ANY_JSON,
    CHAT_BODY,
    EMBEDDING_BODY,
    MESSAGES_BODY,
    RESPONSES_BODY,
)
from tests.lint.asked import before, request
from tokenguard.anatomy import at
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.dialect import Dialect
from tokenguard.dialects.openai_chat import CHAT
from tokenguard.dialects.openai_embeddings import EMBEDDINGS
from tokenguard.dialects.openai_media import AUDIO
from tokenguard.dialects.openai_responses import RESPONSES
from tokenguard.lint.finding import Finding
from tokenguard.lint.rule import RequestRule, TextRule
from tokenguard.lint.rules import REQUEST_RULES, RULES, TEXT_RULES
from tokenguard.lint.text import Text
from tokenguard.tokens.limits import Limits

BODIES = {
    CHAT: CHAT_BODY,
    RESPONSES: RESPONSES_BODY,
    MESSAGES: MESSAGES_BODY,
    EMBEDDINGS: EMBEDDING_BODY,
    AUDIO: ANY_BODY,
}
ROWS = ["{" * 9000, "now: 1:00 " * 900, "eyJ" * 9000, "sk-" * 9000, "DE68 " * 9000]
OURS = ("TG1", "TG2", "TG3", "TG4", "TG5", "TG6")
PARAMETERS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            "max_tokens",
            "max_completion_tokens",
            "max_output_tokens",
            "temperature",
            "top_p",
            "n",
            "thinking",
            "reasoning",
            "reasoning_effort",
            "stream",
            "language",
            "cache_control",
            "response_format",
            "tools",
            "system",
            "model",
        ),
        ANY_JSON | st.integers(-5, 100_000) | st.just({"type": "enabled", "budget_tokens": 10}),
    ),
)
KNOWN = st.sampled_from(
    [
        Limits(),
        Limits(context=1000, max_output=50, min_cached=512, reasons=True),
        Limits(
            reasons=True, refuses=frozenset(("temperature", "max_tokens", "n")), shutdown=date(2027, 1, 14)
        ),
    ]
)
PIECES = st.sampled_from(
    [
        *(
            "current time: ",
            "14:03",
            "1b671a64-40d5-491e-99b0-da01ff1f3341",
            "session id: ",
            "{{",
            "}}",
            "{user_input}",
        ),
        *(
            "sk-ant-api03-",
            "ghp_",
            "AKIA",
            "eyJhbGciOiJIUzI1NiJ9",
            ".",
            "-----BEGIN PRIVATE KEY-----",
            "\n",
            "```",
            "`",
        ),
        *(
            "4111 1111 1111 1111",
            "DE68 2105 0170 0012 3456 78",
            "GB33",
            "+49 171 8829104",
            "a@b.de",
            "İ",
            "ﬁ",
            "\ud800",
        ),
        *(
            "at most 50 words",
            "at least 200 words",
            "think step by step",
            "please ",
            "json only",
            "use markdown for",
        ),
        *("{question}", "{%", "now", "%}", "<%= now %>", "${", "Now: ", "0:00", "٣ words", "card "),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=20), max_size=12).map("".join)


def in_order(rules: Any) -> list[Any]:
    return [rule for rule in rules if rule.code.startswith(OURS) and rule.code != "TG602"]


def check(finding: Finding, text: str) -> None:
    """A finding's places are in its text."""
    assert 0 <= finding.start <= finding.end <= len(text)
    for edit in finding.fix.edits if finding.fix else ():
        if edit.start is not None and edit.end is not None:
            assert 0 <= edit.start <= edit.end <= len(text)


@pytest.mark.parametrize("rule", in_order(TEXT_RULES), ids=lambda rule: rule.code)
@given(text=TEXTS, role=st.sampled_from(["system", "user", "assistant", "tool"]))
@settings(max_examples=60)
def test_no_text_breaks_a_rule(rule: TextRule, text: str, role: Any) -> None:
    """Text of any kind, of any role."""
    for finding in rule.run(Text(text, role)):
        check(finding, text)


@pytest.mark.parametrize("dialect", BODIES, ids=lambda dialect: dialect.name)
@given(data=st.data())
@settings(max_examples=60)
def test_no_request_breaks_a_rule(dialect: Dialect, data: st.DataObject) -> None:
    """Requests as the formats allow them, and any JSON in their place; after others, or alone."""
    bodies = BODIES[dialect] | ANY_BODY
    body = {**data.draw(bodies), **data.draw(PARAMETERS)}
    last = data.draw(st.none() | st.just(body) | bodies)
    asked = request(
        body,
        dialect,
        known=data.draw(KNOWN),
        before=None if last is None else before(last, dialect),
        complete=data.draw(st.booleans()),
        cached=True,
    )
    for rule in in_order(REQUEST_RULES):
        check_request(rule, asked)


def check_request(rule: RequestRule, asked: Any) -> None:
    for finding in rule.run(asked):
        if finding.end:
            check(finding, at(asked.body, finding.path))


@pytest.mark.parametrize("text", ROWS)
@pytest.mark.parametrize("rule", in_order(TEXT_RULES), ids=lambda rule: rule.code)
def test_what_repeats_itself_takes_no_time(rule: TextRule, text: str) -> None:
    """No pattern tries a long row of the same again and again: with one that did, this test would not end."""
    rule.run(Text(text * 20, "system"))


def test_codes_are_those_of_one_rule_each() -> None:
    """And so are their names."""
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
