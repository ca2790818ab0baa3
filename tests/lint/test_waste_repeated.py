"""What is said twice is found, with what the second time costs."""

from __future__ import annotations

from typing import Any

import pytest

from tokenguard.lint.fixes import apply
from tokenguard.tokens.text import count

from .requests import chat, codes, lint, lint_text, request

REFUNDS = (
    "Refunds are made within five working days after the parcel has come back to us. The money goes to the "
    "account or card that the order was paid with, and shipping is refunded only where the fault is ours."
)
RETURNS = (
    "A parcel can be returned within thirty days of its delivery, in its own box, with the label that we "
    "send by mail. Opened software, food and everything that was made to order cannot be returned at all."
)
RULES = (
    "You answer for a web shop. Be polite, be brief, and never promise what the terms below do not say. " * 2
)


def test_a_paragraph_that_was_said_before() -> None:
    """In another message or the same one; whatever the whitespace in it."""
    body = chat(f"{REFUNDS}\n\n{RETURNS}\n\n{REFUNDS.replace(' ', '  ', 3)}\n\nHow long does it take?")
    (one,) = lint(request(body), "TG231")
    assert one.tokens == pytest.approx(count(REFUNDS, ""), abs=4)
    assert one.path == ("messages", 0, "content")
    assert "messages[0]" in one.message


def test_paragraphs_that_follow_each_other_are_one_finding() -> None:
    """A document that is there twice is not a finding for each of its paragraphs."""
    document = f"{REFUNDS}\n\n{RETURNS}"
    (one,) = lint(request(chat(document, "I see.", f"Again: see below.\n\n{document}\n\nAnd?")), "TG231")
    assert one.tokens == pytest.approx(count(document, ""), abs=2)
    assert "2 paragraphs that messages[0] has" in one.message
    assert one.fix is not None
    assert not one.fix.safe


def test_the_fix_refers_to_the_first_one() -> None:
    """And leaves that as it is."""
    made = request(chat(f"{REFUNDS}\n\n{RETURNS}\n\n{REFUNDS}\n\nHow long?"))
    mended, _ = apply(made.body, lint(made, "TG231"))
    text = mended["messages"][0]["content"]
    assert (
        text
        == f'{REFUNDS}\n\n{RETURNS}\n\n[as above: "Refunds are made within five working ..."]\n\nHow long?'
    )


@pytest.mark.parametrize(
    "body",
    [
        chat(f"{REFUNDS}\n\n{RETURNS}"),
        chat("Yes.\n\nYes.\n\nYes."),
        chat(REFUNDS, f"You wrote: \n\n{REFUNDS}"),
        chat(REFUNDS, system=RULES),
    ],
)
def test_what_is_said_once_is_no_repetition(body: Any) -> None:
    """Nor are short lines, nor what the assistant says after the user."""
    assert not lint(request(body), "TG231", "TG232", "TG233", "TG235")


CODE = """```python
def total(order):
    return sum(line.price * line.quantity for line in order.lines if not line.returned)
```"""


def test_programs_repeat_themselves_in_small_things() -> None:
    """A function of two lines is no finding; a file of them is."""
    assert not lint(request(chat(f"{CODE}\n\n{REFUNDS}\n\n{CODE}")), "TG231", "TG232")
    file = (
        "```\n"
        + "\n\n".join(f"def f{n}(order):\n    return order.lines[{n}].price" for n in range(20))
        + "\n```"
    )
    assert not lint(request(chat(file)), "TG231", "TG232")
    long = file.replace("\n\n", "\n")
    (one,) = lint(request(chat(f"{long}\n\n{REFUNDS}\n\n{long}")), "TG231", "TG232")
    assert one.tokens > 200


def test_a_request_of_many_paragraphs_is_quick_to_compare() -> None:
    """Ten thousand that are all there twice are found, as one."""
    text = "\n\n".join(f"{n}: {REFUNDS[:90]} and this is number {n}." for n in range(10_000))
    made = request(chat(f"{text}\n\n{text}"))
    (one,) = made.repeats
    assert one.paragraphs == 10_000


@pytest.mark.parametrize(
    "change", [("five", "ten"), ("card", "gift card"), ("Refunds are", "Every refund is")]
)
def test_paragraphs_that_are_almost_the_same(change: tuple[str, str]) -> None:
    """One word, one more word, another beginning."""
    long = f"{REFUNDS} {RETURNS}"
    (one,) = lint(request(chat(f"{long}\n\n{long.replace(*change)}")), "TG231", "TG232")
    assert one.code == "TG232"
    assert one.fix is None
    assert one.tokens == pytest.approx(count(long, ""), abs=6)
    assert "% one of messages[0]" in one.message


def test_other_paragraphs_are_not_alike() -> None:
    """On the same subject, in other words; half of it the same."""
    half = REFUNDS[:100] + RETURNS[100:]
    assert not lint(request(chat(f"{REFUNDS}\n\n{RETURNS}\n\n{half}")), "TG232")


def test_texts_without_spaces_are_compared_by_characters() -> None:
    """Chinese has no words to a computer."""
    text = (
        "退款将在包裹退回后五个工作日内完成。款项将退回到订单付款时使用的账户或银行卡。只有在我们有过错的情况下才退还运费。"
        * 3
    )
    other = text.replace("五", "十", 1)
    (one,) = lint(request(chat(f"{text}\n\n{other}")), "TG232")
    assert one.tokens > 50


def test_a_hostile_request_is_compared_in_part() -> None:
    """However many paragraphs look alike, so many are compared."""
    like = [f"{REFUNDS} This one has the number {n} and {n * 7}." for n in range(500)]
    assert 1 <= len(lint(request(chat("\n\n".join(like))), "TG232")) <= 64


def test_an_example_that_is_there_twice() -> None:
    """A question with its answer, short as they are."""
    pairs = [("I cannot sign in to my account", "login"), ("The invoice is wrong", "billing")]
    turns = [text for pair in (*pairs, pairs[0]) for text in pair]
    (one,) = lint(request(chat(*turns, "Where is my parcel?", system=RULES)), "TG233")
    assert one.path == ("messages", 5)
    assert "messages[1]" in one.message
    assert one.tokens == count(pairs[0][0], "") + count(pairs[0][1], "")


@pytest.mark.parametrize(
    "turns",
    [
        ["Yes", "Fine.", "No", "Hm.", "Yes", "Fine.", "And?"],
        ["I cannot sign in to my account", "Since when?", "I cannot sign in to my account", "Try this."],
        [
            [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
            "A cat that sits on a mat, as it seems.",
            [{"type": "image_url", "image_url": {"url": "https://example.com/b.png"}}],
            "A cat that sits on a mat, as it seems.",
            "Why?",
        ],
    ],
)
def test_what_people_say_again_is_no_example(turns: Any) -> None:
    """A word, a question with another answer, other pictures."""
    assert not lint(request(chat(*turns)), "TG233")


def called(*results: str) -> dict[str, Any]:
    """A conversation in which a tool gave these results."""
    messages: list[Any] = [{"role": "user", "content": "Fix the test."}]
    for n, result in enumerate(results):
        call = {
            "id": f"call_{n}",
            "type": "function",
            "function": {"name": "read", "arguments": f'{{"n": {n}}}'},
        }
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"call_{n}", "content": result},
        ]
    return {"messages": messages}


FILE = "\n".join(f"line {n} of the file, which does something or other" for n in range(60))


def test_a_result_that_is_there_twice_is_referred_to() -> None:
    """Safe: it is proven that the first one stays. Of the paragraphs in it, nothing else is said."""
    made = request(called(FILE, "ok", FILE))
    (one,) = lint(made, "TG231", "TG233")
    assert one.code == "TG233"
    mended, done = apply(made.body, [one], made)
    assert done == [one]
    assert mended["messages"][2]["content"] == FILE
    assert mended["messages"][6]["content"].startswith("[the same as the result above that begins with")
    assert mended["messages"][6]["tool_call_id"] == "call_2"
    assert one.tokens == count(FILE, "")


def test_a_result_is_not_referred_to_when_it_goes_itself() -> None:
    """Three times the same: both later ones refer to the first."""
    made = request(called(FILE, FILE, FILE))
    found = lint(made, "TG233")
    mended, done = apply(made.body, found, made)
    assert len(done) == 2
    assert [message["content"] == FILE for message in mended["messages"][2::2]] == [True, False, False]


def test_anthropics_results_are_compared_without_their_ids() -> None:
    """What a tool returned is within a message of the user there."""
    messages: list[Any] = [{"role": "user", "content": "Fix the test."}]
    for n in range(2):
        use = {"type": "tool_use", "id": f"toolu_{n}", "name": "read", "input": {"n": n}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": FILE}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    made = request({"messages": messages, "max_tokens": 9}, "anthropic.messages")
    (one,) = lint(made, "TG233")
    mended, _ = apply(made.body, [one], made)
    assert mended["messages"][4]["content"][0]["content"].startswith("[the same as the result above")


def test_instructions_that_stand_in_the_users_turn_again() -> None:
    """A code of its own: what to do about it is another thing."""
    made = request(chat(f"{RULES}\n\nWhere is my parcel?", system=f"{RULES}\n\n{REFUNDS}"))
    (one,) = lint(made, "TG231", "TG235")
    assert one.code == "TG235"
    mended, _ = apply(made.body, [one])
    assert mended["messages"][1]["content"].strip() == "Where is my parcel?"


EXAMPLES = "Q: Where is my parcel today?\nA: shipping\n\nQ: I cannot sign in at all\nA: login\n\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{EXAMPLES}Q: Where is my parcel today?\nA: shipping\n\nSort the ticket.",
        EXAMPLES.replace("\n\n", "\n") + "Q: Where is my parcel today?\nA: shipping\n",
        "Example 1: the parcel is late\nshipping\n\nExample 2: cannot sign in\nlogin\n\n"
        "Example 3: The parcel is late\nshipping\n",
        "<example>the parcel is late: shipping</example>\n<example>the parcel is late: shipping</example>",
        "## Example 1:\n\nInput: the parcel is late\n\nOutput: shipping\n\n"
        "## Example 2:\n\nInput: the parcel is late\n\nOutput: shipping\n",
    ],
)
def test_examples_within_a_text(text: str) -> None:
    """By how they begin, alone or several in a paragraph; what follows the last one is not a part of it."""
    (one,) = lint_text(text, "TG234", role="system")
    assert "the same as example 1" in one.message
    assert "Sort the ticket" not in text[one.start : one.end]
    assert one.fix is not None
    assert not one.fix.safe


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLES,
        "Q: Why?\nA: No.\n\nQ: Why?\nA: No.\n",
        "Question: what is it?\n\nIt says `Q: Where is my parcel today?`, and `Q: Where is my parcel today?`",
        f"{REFUNDS}\n\nInput: {RETURNS}\n\n" * 2,
    ],
)
def test_other_texts_have_no_example_twice(text: str) -> None:
    """Different ones, of a word, in code; and long ones, which other rules compare."""
    assert not lint_text(text, "TG234", role="system")


def test_rules_do_not_speak_of_the_same_thing_twice() -> None:
    """One finding for one repetition."""
    made = request(chat(f"{REFUNDS}\n\n{REFUNDS}", f"{RETURNS}", f"{RULES}\n\nWhy?", system=RULES))
    assert codes(lint(made, "TG231", "TG232", "TG233", "TG234", "TG235")) == ["TG231", "TG235"]
