"""What keeps a provider from reading a prompt's beginning from its cache is found; what does not is not."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.lint.asked import before, chat, claude, in_chat, in_claude, said
from tokenguard.anatomy import at
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.openai_responses import RESPONSES
from tokenguard.lint.finding import REMOVED, Severity
from tokenguard.lint.rules import cache, marks
from tokenguard.tokens.limits import Limits

WORDS = "parcel refund agent customer reply order number ask polite never promise date before after".split()  # noqa: SIM905
EPHEMERAL = {"type": "ephemeral"}
OF_OPUS = Limits(min_cached=4096)


def prose(words: int, seed: int = 1) -> str:
    """Rules of a support desk, which go on for a while."""
    chance = random.Random(seed)
    sentences = []
    for start in range(0, words, 12):
        sentence = " ".join(chance.choices(WORDS, k=min(12, words - start)))
        sentences.append(sentence.capitalize() + ".")
    return "\n".join(sentences)


LONG = prose(1200)
TURNS = [("user" if n % 2 == 0 else "assistant", prose(200, n)) for n in range(8)]


def block(text: str, *, marked: bool = False) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"cache_control": EPHEMERAL} if marked else {})}


@pytest.mark.parametrize(
    "value",
    [
        "Current time: 2026-11-21T14:03:22Z",
        "The current date and time is Friday, November 21st 2026, 14:03.",
        "It is now 3:45 PM.",
        "Now: 14:03:22",
        "Today is Friday, 21 Nov 2026, 14:03",
        "Session ID: 1b671a64-40d5-491e-99b0-da01ff1f3341",
        "request_id = 1b671a64-40d5-491e-99b0-da01ff1f3341",
        "It is {{ now() }}.",
    ],
)
def test_what_is_new_on_every_call_stands_before_the_rules(value: str) -> None:
    """The time and ids in the first line of long instructions; moving the line is offered, not done."""
    text = f"You are a support agent.\n{value}\n{LONG}"
    (found,) = in_chat(cache.volatile_prefix, chat(("system", text), ("user", "Where is my parcel?")))
    assert said([found], text)[0].rstrip(".Z PM") in value
    assert "tokens" in found.message
    assert found.path == ("messages", 0, "content")
    assert found.fix is not None
    assert not found.fix.safe


@pytest.mark.parametrize(
    "line",
    [
        "Today is 2026-11-21.",  # once a day
        "Knowledge cutoff: 2025-06",
        "Opening hours: 09:00-17:30, on Saturdays from 10:00",
        "Example: the meeting was at 2024-03-01T09:30:00Z",
        'Call it with {"session_id": "1b671a64-40d5-491e-99b0-da01ff1f3341"}',
        "Tenant 1b671a64-40d5-491e-99b0-da01ff1f3341",
        "Write {timestamp} in front of each line.",
        "```\ncurrent time: 14:03:22\n```",
        "Last updated: 2026-01-01 10:00",
        "Report to runs/${{ github.run_id }}.",
    ],
)
def test_times_and_ids_that_stay_are_no_matter(line: str) -> None:
    """Dates, opening hours, examples, ids that are not the call's, code."""
    text = f"You are a support agent.\n{line}\n{LONG}"
    assert in_chat(cache.volatile_prefix, chat(("system", text), ("user", "Where is my parcel?"))) == []


def test_the_clock_at_the_end_is_in_the_way_of_the_history_alone() -> None:
    """With a long history it is found, with none it is not; and not where nothing is kept anyway."""
    text = f"{LONG}\nCurrent time: 14:03:22"
    assert in_chat(cache.volatile_prefix, chat(("system", text), ("user", "Hello"))) == []
    (found,) = in_chat(cache.volatile_prefix, chat(("system", text), *TURNS, ("user", "Hello")))
    assert said([found], text) == ["Current time: 14:03:22"]
    short = chat(("system", "Current time: 14:03:22"), *TURNS[:2], ("user", "Hello"))
    assert in_chat(cache.volatile_prefix, short) == []


def test_the_last_call_knows_whether_it_changed() -> None:
    """A time that was the same on the last call is none of the call's."""
    body = chat(("system", f"Current time: 14:03:22\n{LONG}"), ("user", "Hello"))
    later = chat(("system", f"Current time: 14:03:41\n{LONG}"), ("user", "Hello"))
    assert in_chat(cache.volatile_prefix, body, before=before(body)) == []
    assert in_chat(cache.volatile_prefix, later, before=before(body)) != []


def test_moving_the_line_keeps_every_word() -> None:
    """Cut out where it was, and put at the end."""
    text = f"You are an agent.\nCurrent time: 14:03:22\n{LONG}"
    (found,) = in_chat(cache.volatile_prefix, chat(("system", text), ("user", "Hello")))
    assert found.fix is not None
    out, put = found.fix.edits
    assert out.start is not None
    moved = text[: out.start] + text[out.end : put.start] + put.new
    assert moved == f"You are an agent.\n{LONG}\nCurrent time: 14:03:22"


def test_a_prompt_in_a_file_has_placeholders() -> None:
    """In single braces too, for nobody knows what fills them in."""
    text = f"You are an agent. It is {{current_time}}.\n{LONG}"
    body = {"messages": [{"role": "system", "content": text}]}
    assert said(in_chat(cache.volatile_prefix, body, complete=False), text) == ["{current_time}"]
    assert in_chat(cache.volatile_prefix, body) == []
    dated = {"messages": [{"role": "system", "content": f"Date: {{datetime.now():%Y-%m-%d}}\n{LONG}"}]}
    assert in_chat(cache.volatile_prefix, dated, complete=False) == []


def test_the_instructions_of_responses_are_instructions() -> None:
    """Whatever a format calls them."""
    from tests.lint.asked import request

    body = {"model": "gpt-5", "instructions": f"Current time: 14:03:22\n{LONG}", "input": "Hello"}
    (found,) = cache.volatile_prefix.run(request(body, RESPONSES))
    assert found.path == ("instructions",)


def test_a_message_that_changes_before_others_that_do_not() -> None:
    """A passage before static rules; rules before the passage are as they should be."""
    rules = ("user", LONG)
    first = chat(("system", "Be brief."), ("user", prose(100, 5)), rules, ("user", "Why?"))
    second = chat(("system", "Be brief."), ("user", prose(100, 6)), rules, ("user", "How?"))
    (found,) = in_chat(cache.prefix_changed, second, before=before(first))
    assert found.path == ("messages", 1)
    first = chat(("system", "Be brief."), rules, ("user", prose(100, 5)))
    second = chat(("system", "Be brief."), rules, ("user", prose(100, 6)))
    assert in_chat(cache.prefix_changed, second, before=before(first)) == []


def test_instructions_that_are_made_anew_on_every_turn() -> None:
    """The history after them is paid in full."""
    first = chat(("system", "Mood: calm."), *TURNS)
    second = chat(("system", "Mood: angry."), *TURNS, ("assistant", "Yes."), ("user", "No?"))
    (found,) = in_chat(cache.prefix_changed, second, before=before(first))
    assert found.path == ("messages", 0)
    assert in_chat(cache.prefix_changed, second, before=None) == []


def test_a_history_that_is_cut_on_every_turn() -> None:
    """Each cut moves everything after it."""
    first = chat(("system", "Be brief."), *TURNS)
    second = chat(("system", "Be brief."), *TURNS[2:], ("assistant", "Yes."), ("user", "No?"))
    (found,) = in_chat(cache.prefix_changed, second, before=before(first))
    assert found.path == ("messages", 1)


@pytest.mark.parametrize("more", [[], [("assistant", "Yes."), ("user", "No?")]])
def test_a_conversation_that_grows_is_as_it_should_be(more: list[tuple[str, str]]) -> None:
    """Also when the last call is made again."""
    first = chat(("system", LONG), *TURNS[:7])
    second = chat(("system", LONG), *TURNS[:7], *more)
    assert in_chat(cache.prefix_changed, second, before=before(first)) == []


def test_anthropic_keeps_nothing_unasked() -> None:
    """What is not marked is not lost."""
    first, second = (claude(("user", f"{n}"), ("assistant", LONG), ("user", "Go on.")) for n in (1, 2))
    assert in_claude(cache.prefix_changed, second, before=before(first, MESSAGES)) == []
    second["cache_control"] = EPHEMERAL
    assert in_claude(cache.prefix_changed, second, before=before(first, MESSAGES)) != []


def tool(name: str, *, turned: bool = False) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"q": {"type": "string"}}}
    function = {"name": name, "description": f"The tool {name}", "parameters": schema}
    if turned:
        function = dict(reversed(function.items()))
    return {"type": "function", "function": function}


def test_tools_in_another_order() -> None:
    """Sorting them is offered."""
    first = chat(("user", "Hello"), tools=[tool("search"), tool("fetch"), tool("answer")])
    second = chat(
        ("user", "Hello"), ("assistant", "Yes?"), tools=[tool("fetch"), tool("search"), tool("answer")]
    )
    (found,) = in_chat(cache.tools_changed, second, before=before(first))
    assert "another order" in found.message
    assert found.path == ("tools",)
    assert found.fix is not None
    assert [one["function"]["name"] for one in found.fix.edits[0].new] == ["answer", "fetch", "search"]


def test_tools_whose_keys_are_in_another_order() -> None:
    """The same tools, and other bytes."""
    first = chat(("user", "Hello"), tools=[tool("search"), tool("fetch")])
    second = chat(("user", "Hello"), tools=[tool("search"), tool("fetch", turned=True)])
    in_chat(cache.tools_changed, first)
    (found,) = in_chat(cache.tools_changed, second, before=before(first))
    assert "keys in another order" in found.message


def test_other_tools_in_the_same_conversation() -> None:
    """It says which, for your information; another conversation may have others."""
    first = chat(("user", "Hello"), tools=[tool("search"), tool("fetch")])
    second = chat(("user", "Hello"), ("assistant", "Yes?"), tools=[tool("search"), tool("pay")])
    (found,) = in_chat(cache.tools_changed, second, before=before(first))
    assert "pay" in found.message
    assert found.severity is Severity.INFO
    other = chat(("user", "Good morning"), tools=[tool("search"), tool("pay")])
    assert in_chat(cache.tools_changed, other, before=before(first)) == []
    assert in_chat(cache.tools_changed, first, before=before(first)) == []


def test_rules_after_the_document() -> None:
    """A template with its long part after what is new; short ones, and real calls, are passed by."""
    text = f"Here is a contract: {{{{ document }}}}\n{LONG}"
    (found,) = in_chat(
        cache.static_after_input, {"messages": [{"role": "system", "content": text}]}, complete=False
    )
    assert said([found], text) == ["{{ document }}"]
    for other in (
        f"{LONG}\nHere is a contract: {{document}}",
        "Of {document}, say what it is.",
        f"As {{name}}: {LONG}",
    ):
        body = {"messages": [{"role": "system", "content": other}]}
        assert in_chat(cache.static_after_input, body, complete=False) == []
    assert in_chat(cache.static_after_input, chat(("user", text))) == []


def many_marks(system: int, messages: int) -> dict[str, Any]:
    return claude(
        *[("user", [block(f"{n}", marked=True)]) for n in range(messages)],
        system=[block(f"{n}", marked=True) for n in range(system)],
    )


def test_five_breakpoints_are_one_too_many() -> None:
    """The fix takes those of old messages away, and leaves four that are of use."""
    body = many_marks(1, 5)
    (found,) = in_claude(marks.too_many_breakpoints, body)
    assert found.severity is Severity.ERROR
    assert found.fix is not None
    assert found.fix.safe
    assert [edit.path[1] for edit in found.fix.edits] == [0, 1]
    assert all(edit.new is REMOVED and at(body, edit.path) == EPHEMERAL for edit in found.fix.edits)
    assert in_claude(marks.too_many_breakpoints, many_marks(1, 3)) == []
    assert in_claude(marks.too_many_breakpoints, {**many_marks(1, 3), "cache_control": EPHEMERAL}) != []
    assert in_chat(marks.too_many_breakpoints, many_marks(1, 5)) == []


def test_a_breakpoint_after_the_clock() -> None:
    """What is written is never read. Without a breakpoint, nothing is written."""
    text = f"Current time: 14:03:22\n{LONG}"
    marked = claude(("user", "Hello"), system=[block(text, marked=True)])
    (found,) = in_claude(marks.breakpoint_after_input, marked)
    assert said([found], text) == ["Current time: 14:03:22"]
    assert in_claude(marks.breakpoint_after_input, claude(("user", "Hello"), system=text)) == []
    apart = claude(("user", "Hello"), system=[block(LONG, marked=True), block("Current time: 14:03:22")])
    assert in_claude(marks.breakpoint_after_input, apart) == []


def test_a_breakpoint_on_what_is_asked() -> None:
    """Tickets that are sorted one by one; a conversation that grows is another matter."""
    first = claude(("user", [block("Ticket 1", marked=True)]), system=LONG)
    second = claude(("user", [block("Ticket 2", marked=True)]), system=LONG)
    (found,) = in_claude(marks.breakpoint_after_input, second, before=before(first, MESSAGES))
    assert found.path[:2] == ("messages", 0)
    well = {**second, "system": [block(LONG, marked=True)]}
    assert in_claude(marks.breakpoint_after_input, well, before=before(first, MESSAGES)) == []
    grown = claude(
        ("user", "Ticket 1"), ("assistant", "Done."), ("user", [block("And?", marked=True)]), system=LONG
    )
    assert in_claude(marks.breakpoint_after_input, grown, before=before(first, MESSAGES)) == []


def test_a_beginning_that_is_too_short_to_be_kept() -> None:
    """By any measure; where it is close, or where a message is marked, nothing is said."""
    short = claude(("user", "Hello"), system=[block("Translate into German.", marked=True)])
    (found,) = in_claude(marks.prefix_too_short, short, known=OF_OPUS)
    assert "4,096" in found.message
    assert in_claude(marks.prefix_too_short, short, known=Limits()) == []
    for words in (1000, 3000):
        body = claude(("user", "Hello"), system=[block(prose(words), marked=True)])
        assert in_claude(marks.prefix_too_short, body) == []
    growing = claude(("user", [block("Hello", marked=True)]), system=[block("Translate.", marked=True)])
    assert in_claude(marks.prefix_too_short, growing, known=OF_OPUS) == []


def test_long_instructions_that_nobody_marked() -> None:
    """In a file it is for your information; on the second call it costs money."""
    body = claude(("user", "Ticket 1"), system=prose(2500))
    (found,) = in_claude(marks.no_breakpoint, body)
    assert found.severity is Severity.INFO
    again = claude(("user", "Ticket 2"), system=prose(2500))
    (found,) = in_claude(marks.no_breakpoint, again, before=before(body, MESSAGES))
    assert found.severity is Severity.WARNING
    assert found.fix is not None
    assert not found.fix.safe
    assert found.fix.edits[0].new == [block(prose(2500), marked=True)]


def test_a_long_history_that_nobody_marked() -> None:
    """The whole conversation is marked, at its end."""
    first = claude(*TURNS[:7])
    second = claude(*TURNS[:7], ("assistant", "Yes."), ("user", "No?"))
    (found,) = in_claude(marks.no_breakpoint, second, before=before(first, MESSAGES))
    assert found.fix is not None
    assert found.fix.edits[0][:2] == (("cache_control",), EPHEMERAL)
    (found,) = in_claude(marks.no_breakpoint, second, before=before(first, MESSAGES), provider="aws.bedrock")
    assert found.fix is None


def test_what_is_marked_or_short_needs_no_breakpoint() -> None:
    """Also where the format keeps by itself, and where the call is not known as a whole."""
    marked = claude(("user", "Hello"), system=[block(prose(2500), marked=True)])
    assert in_claude(marks.no_breakpoint, marked) == []
    whole = claude(("user", "Hello"), system=prose(2500), cache_control=EPHEMERAL)
    assert in_claude(marks.no_breakpoint, whole) == []
    assert in_claude(marks.no_breakpoint, claude(("user", "Hello"), system="Be brief.")) == []
    assert in_chat(marks.no_breakpoint, chat(("system", prose(2500)), ("user", "Hello"))) == []
    part = claude(("user", "Hello"), system=prose(2500))
    assert in_claude(marks.no_breakpoint, part, complete=False) == []
