"""Fixes are made as a whole or not at all, prove what they claim, and leave alone what they must."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenguard import faults
from tokenguard.lint import proofs
from tokenguard.lint.finding import REMOVED, Edit, Finding, Fix
from tokenguard.lint.fixes import apply, apply_text, kept, touched
from tokenguard.lint.text import Text

from .prompts import prompts
from .requests import chat, function, lint_text, remembered, request

BODY: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "one two  three"}, {"role": "user"}],
    "n": 1,
}


def fixing(*edits: Edit, safe: bool = True, **how: Any) -> Finding:
    return Finding("found", fix=Fix("mend", edits, safe, **how), code="TG999")


def safe_fixes(text: str) -> list[Finding]:
    return [one for one in lint_text(text) if one.fix is not None and one.fix.safe]


def said(text: str) -> list[str]:
    """The words of a text, with its JSON as short as it can be."""
    blocks = Text(text).json
    assert all(proofs.same_json(one.text, one.shortest) for one in blocks)
    return proofs.spliced(text, [(one.start, one.end, one.shortest) for one in blocks]).split()


@settings(deadline=None, max_examples=100)
@given(prompts())
def test_safe_fixes_change_nothing_for_the_model(text: str) -> None:
    """All words stay, all code to the byte, and all JSON says what it said."""
    mended, done = apply_text(text, safe_fixes(text))
    assert len(done) == len(safe_fixes(text)), "a rule called a fix safe that cannot be proven"
    assert said(mended) == said(text)
    for one in Text(text).stretches:
        stretch, blocks = text[one.start : one.end], Text(text).json
        assert stretch in mended or any(block.start < one.end and one.start < block.end for block in blocks)
    assert len(mended) <= len(text)


@settings(deadline=None, max_examples=100)
@given(prompts())
def test_twice_is_once(text: str) -> None:
    """What was mended is not mended again."""
    once, _ = apply_text(text, safe_fixes(text))
    assert apply_text(once, safe_fixes(once))[0] == once


@settings(deadline=None)
@given(prompts(), st.randoms(use_true_random=False))
def test_the_order_of_findings_makes_no_difference(text: str, rng: random.Random) -> None:
    """Unsafe fixes too, which may meet each other."""
    found = lint_text(text)
    shuffled = rng.sample(found, len(found))
    expected = apply_text(text, found)
    assert apply_text(text, shuffled)[0] == expected[0]
    assert {one.code for one in apply_text(text, shuffled)[1]} == {one.code for one in expected[1]}


def test_only_what_changes_is_copied() -> None:
    """And the request itself stays as it is."""
    body = {**BODY, "tools": [{"name": "a"}]}
    before = copy.deepcopy(body)
    mended, done = apply(body, [fixing(Edit(("messages", 0, "content"), " ", 7, 9), proof="words")])
    assert len(done) == 1
    assert mended["messages"][0]["content"] == "one two three"
    assert body == before
    assert mended["tools"] is body["tools"]
    assert mended["messages"][1] is body["messages"][1]
    assert apply(body, [])[0] is body


def test_values_are_set_and_taken_out() -> None:
    """From lists from the end, whatever order they are named in; and into objects that have them not."""
    body = {"tools": [{"name": name} for name in "abcd"], "max_tokens": 5}
    mended, _ = apply(
        body,
        [
            fixing(Edit(("tools", 0), REMOVED), Edit(("tools", 2), REMOVED), Edit(("tools", 3, "name"), "z")),
            fixing(Edit(("max_tokens",), REMOVED), Edit(("max_completion_tokens",), 5)),
        ],
    )
    assert mended == {"tools": [{"name": "b"}, {"name": "z"}], "max_completion_tokens": 5}


TEXT = ("messages", 0, "content")


@pytest.mark.parametrize(
    ("edit", "proof"),
    [
        (Edit(TEXT, "", 0, 3), "words"),
        (Edit(TEXT, "", 3, 4), "words"),
        (Edit(TEXT, "x", 0, 3), None),
        (Edit(TEXT, '{"a":2}', 0, 14), "json"),
        (Edit(TEXT, "one", 0, 99), "words"),
        (Edit(TEXT, 7, 0, 3), "words"),
        (Edit(("messages", 1, "content"), "", 0, 1), "words"),
        (Edit(("messages", 5, "content"), "", 0, 1), "words"),
        (Edit(("n",), "", 0, 1), "words"),
        (Edit(("n",), {"type": "object"}), "schema"),
    ],
)
def test_what_cannot_be_proven_is_not_done(edit: Edit, proof: Any) -> None:
    """Words that go or grow together, other JSON, places that are not there; it is counted as our fault."""
    before = faults.counts().get("lint.fix", 0)
    assert apply(BODY, [fixing(edit, proof=proof)]) == (BODY, [])
    assert faults.counts()["lint.fix"] == before + 1


@pytest.mark.parametrize(
    "edit", [Edit((), {}), Edit(("messages", 9), REMOVED), Edit(("n", "x"), 1), Edit(("messages", -1), 1)]
)
def test_a_value_that_has_no_place_is_not_set(edit: Edit) -> None:
    """Nor is the request as a whole."""
    assert apply(BODY, [fixing(edit)]) == (BODY, [])


def test_code_is_not_touched_by_what_calls_itself_safe() -> None:
    """Though only whitespace would change."""
    text = "a  b `c  d`"
    assert apply_text(text, [fixing(Edit((), " ", 7, 9), proof="words")])[0] == text
    assert apply_text(text, [fixing(Edit((), " ", 1, 3), proof="words")])[0] == "a b `c  d`"


def test_fixes_that_meet() -> None:
    """The one that stands first is made; the same change twice is one; side by side is not meeting."""
    first, second = fixing(Edit(TEXT, "1", 0, 5), safe=False), fixing(Edit(TEXT, "2", 4, 9), safe=False)
    whole, inner = fixing(Edit(("messages", 0), {})), fixing(Edit(TEXT, "new"))
    beside = fixing(Edit(TEXT, "3", 5, 9), safe=False)
    for some, expected in (
        ([first, second], [first]),
        ([first, first], [first, first]),
        ([inner, whole], [whole]),
        ([first, beside], [first, beside]),
    ):
        mended, done = apply(BODY, some)
        assert done == expected
        assert (mended, done) == apply(BODY, some[::-1])


def test_a_fix_is_made_as_a_whole() -> None:
    """Where one of its changes cannot be, none is."""
    both = fixing(Edit(TEXT, " ", 7, 9), Edit(("messages", 1, "content"), " ", 0, 2), proof="words")
    assert apply(BODY, [both]) == (BODY, [])


def test_a_copy_stays_where_it_is_referred_to() -> None:
    """It is not taken out, changed, or referred to when it is not there."""
    body = {"a": "the same text", "b": "the same text", "c": "another"}
    refers = fixing(Edit(("b",), "[see a]"), proof="copy", copy_of=("a",))
    assert apply(body, [refers])[0]["b"] == "[see a]"
    goes = fixing(Edit(("a",), "[see b]"), proof="copy", copy_of=("b",))
    assert apply(body, [refers, goes])[0] == {**body, "a": "[see b]"}
    assert apply(body, [fixing(Edit(("b",), "[see c]"), proof="copy", copy_of=("c",))])[0] is body
    assert apply(body, [fixing(Edit(("a",), "[see a]"), proof="copy", copy_of=("a",))])[0] is body


LOOSE = json.dumps([{"n": n, "name": f"name {n}"} for n in range(20)], indent=2)
COMPACT = json.dumps(json.loads(LOOSE), separators=(",", ":"))


def mended_contents(made: Any) -> list[Any]:
    from .requests import lint

    mended, _ = apply(made.body, [one for one in lint(made) if one.fix and one.fix.safe], made)
    return [message["content"] for message in mended["messages"]]


def test_what_the_model_thought_is_not_touched() -> None:
    """Providers sign it, and refuse what is another one."""
    thought = {"type": "thinking", "thinking": LOOSE, "signature": "c2ln"}
    body: dict[str, Any] = {
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": LOOSE},
            {"role": "assistant", "content": [thought, {"type": "text", "text": "Yes."}]},
            {"role": "user", "content": "Go on."},
        ],
    }
    made = request(body, "anthropic.messages")
    first, second, _ = mended_contents(made)
    assert first == COMPACT
    assert second == body["messages"][1]["content"]
    every = [
        fixing(Edit(("messages", 1), REMOVED)),
        fixing(Edit(("messages", 1, "content", 0, "thinking"), "")),
    ]
    assert apply(made.body, every, made) == (made.body, [])


def test_what_the_provider_keeps_is_not_touched_within_a_conversation() -> None:
    """The beginning that both requests have is left as it was sent; what is new is mended."""
    body = chat(LOOSE, "Yes.", system="Be brief.")
    before = remembered(request(body))
    made = request(chat(LOOSE, "Yes.", LOOSE, system="Be brief."), before=before)
    assert kept(made) == [("messages", 0), ("messages", 1), ("messages", 2)]
    assert mended_contents(made) == ["Be brief.", LOOSE, "Yes.", COMPACT]


def test_what_was_mended_is_mended_again() -> None:
    """So that the provider finds what it had: its beginning is the one that was sent."""
    first = request(chat(LOOSE, "Yes."))
    from .requests import lint

    _, done = apply(first.body, [one for one in lint(first) if one.fix and one.fix.safe], first)
    before = remembered(first, mended=touched(first, done))
    made = request(chat(LOOSE, "Yes.", "Go on."), before=before)
    assert mended_contents(made) == [COMPACT, "Yes.", "Go on."]


@pytest.mark.parametrize(
    "changed",
    [
        {"tools": [function("other", "Another tool.")]},
        chat("Something else", "Yes.", LOOSE, system="Be brief."),
        chat(LOOSE, system="Be brief."),
    ],
)
def test_where_the_beginning_is_new_everything_is_mended(changed: Any) -> None:
    """Other tools, another conversation: the provider has to read it anyway."""
    body = {**chat(LOOSE, "Yes.", LOOSE, system="Be brief."), "tools": [function("a", "b")]}
    before = remembered(request({**body, **chat("First question", "Yes.", system="Be brief.")}))
    made = request({**body, **changed}, before=before)
    assert kept(made) == []
    assert LOOSE not in mended_contents(made)


def test_anthropic_keeps_what_is_marked() -> None:
    """Up to the last mark that the last request had as well; nothing where there is none."""

    def body(*marks: int) -> dict[str, Any]:
        blocks = [
            {
                "type": "text",
                "text": f"{LOOSE} {n}",
                **({"cache_control": {"type": "ephemeral"}} if n in marks else {}),
            }
            for n in range(3)
        ]
        turns = [{"role": "user", "content": [block]} for block in blocks]
        return {"max_tokens": 9, "messages": turns}

    for marks, expected in (((), []), ((0,), [("messages", 0)]), ((1,), [("messages", 0), ("messages", 1)])):
        first = request({**body(*marks), "messages": body(*marks)["messages"][:2]}, "anthropic.messages")
        assert kept(request(body(*marks), "anthropic.messages", before=remembered(first))) == expected
