"""Python: which texts reach a call is read from the source without running it, each sign in its place."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lint.sources.reading import changed, place, problem, read, unit, units, written
from tokenguard.lint.sources import File
from tokenguard.lint.sources.python_calls import PYTHON, comments, decode, intact

CALL = 'client.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": %s}])\n'
CONTENT = ("messages", 0, "content")
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=30)


def said(literal: str, before: str = "") -> Any:
    """What an expression comes to as a message's content."""
    found = unit("app.py", before + CALL % literal)
    return found.body["messages"][0]["content"]


def escaped(text: str, quote: str) -> str:
    """A text between quotes: lines stay lines where they may."""
    made = text.replace("\\", "\\\\").replace(quote[0], "\\" + quote[0]).replace("\0", "\\x00")
    return made if len(quote) > 1 else made.replace("\n", "\\n")


@given(TEXTS, st.sampled_from(['"', "'", '"""', "'''"]), st.data())
def test_every_stretch_of_a_literal_is_found_where_it_stands(
    text: str, quote: str, data: st.DataObject
) -> None:
    """Whatever is escaped."""
    file = CALL % (quote + escaped(text, quote) + quote)
    found = unit("app.py", file)
    end = data.draw(st.integers(0, len(text)))
    start = data.draw(st.integers(0, end))
    if start < end:
        stretch = written(file, found, CONTENT, start, end)
        assert ast.literal_eval(quote + stretch + quote) == text[start:end]


@given(TEXTS.filter(bool), TEXTS, st.sampled_from(['"', "'", '"""', "'''"]), st.data())
def test_a_change_of_a_literal_is_written_in_its_place(
    text: str, new: str, quote: str, data: st.DataObject
) -> None:
    """What is read back is the text with the change; the program is the same otherwise."""
    file = CALL % (quote + escaped(text, quote) + quote)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    after = changed(file, unit("app.py", file), CONTENT, start, end, new)
    assert after is not None
    assert intact(file, after)
    assert unit("app.py", after).body["messages"][0]["content"] == text[:start] + new + text[end:]


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ('"a" "b"', "ab"),
        ('("a"  # why\n  "b"\n)', "ab"),
        ('"a" \\\n "b"', "ab"),
        (
            r'r"\d" "\x41\u00e9\N{BULLET}\101\
go"',
            "\\dAé•Ago",
        ),
        ('f"Hi {name}, {{x}}"', "Hi {{name}}, {x}"),
        ("f\"{d['k']!r:>{width}} {x:'>10} {n:,}\"", "{{d['k']!r:>{width}}} {{x:'>10}} {{n:,}}"),
        ('"a" f"{b}" "{c}"', "a{{b}}{c}"),
        ('"a" + other + "b"', "a{{other}}b"),
        ('"Dear {name}".format(name=name)', "Dear {name}"),
        ('"Dear %s" % name', "Dear %s"),
        ('"\\n".join(["a", b, "c"])', "a\n{{b}}\nc"),
        ('" a ".strip()', "a"),
        ("question", "{{question}}"),
        ("ask(question)", "{{ask(question)}}"),
    ],
)
def test_what_an_expression_comes_to(literal: str, expected: str) -> None:
    """What only the running program knows is a placeholder, as in a template."""
    assert said(literal) == expected


@pytest.mark.parametrize("function", ["dedent", "textwrap.dedent"])
def test_a_dedented_text_is_dedented(function: str) -> None:
    """What the model gets has no margin, and the margin is no waste."""
    text = '"""\n    You are helpful.\n      Very.\n\n    Go.\n    """'
    assert said(f"{function}({text})") == dedent(ast.literal_eval(text))
    assert said(f"{function}({text}).strip()") == "You are helpful.\n  Very.\n\nGo."
    assert said(f"inspect.cleandoc({text})") == "You are helpful.\n  Very.\n\nGo."


def test_the_lines_of_a_dedented_text_have_places() -> None:
    """A finding in it points into the literal."""
    file = CALL % 'dedent("""\n    You are helpful.\n      Very.\n    """)'
    found = unit("app.py", file)
    start = found.body["messages"][0]["content"].index("Very")
    assert written(file, found, CONTENT, start, start + 4) == "Very"


def test_names_stand_for_what_they_are_given_once() -> None:
    """Constants of the module, and names of the function around the call."""
    file = dedent("""
        SYSTEM = "You are helpful."
        EXAMPLES = [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "2"}]

        async def ask(question, *history):
            messages = [{"role": "system", "content": SYSTEM}, *EXAMPLES, *history]
            return await client.chat.completions.create(
                model="gpt-4.1", messages=messages + [{"role": "user", "content": question}]
            )
    """)
    found = unit("app.py", file)
    assert [message["content"] for message in found.body["messages"]] == [
        "You are helpful.",
        "1+1",
        "2",
        "{{question}}",
    ]
    where = place(found, "messages", 0, "content")
    assert file[where.start : where.end] == '"You are helpful."'


@pytest.mark.parametrize(
    "before",
    [
        'S = "a"\nS = "b"\n',
        'S = "a"\nS += "b"\n',
        'for S in ("a", "b"):\n    pass\n',
        "from elsewhere import S\n",
        "with open(p) as S:\n    pass\n",
        "S = S\n",
        "S = T\nT = S\n",
    ],
)
def test_a_name_that_may_be_anything_is_not_known(before: str) -> None:
    """It is a placeholder, and the search for it ends."""
    assert said("S", before) == "{{S}}"


def test_a_parameter_hides_a_constant() -> None:
    """As in Python."""
    file = 'S = "constant"\ndef ask(S):\n    ' + CALL % "S"
    assert unit("app.py", file).body["messages"][0]["content"] == "{{S}}"


@pytest.mark.parametrize(
    ("call", "dialect", "complete"),
    [
        ('c.chat.completions.create(model="m", messages=[])', "openai.chat", True),
        ("c.chat.completions.create(model=m, messages=ms)", "openai.chat", True),
        ("c.beta.chat.completions.parse(model=m, messages=ms)", "openai.chat", True),
        ("c.chat.completions.with_raw_response.create(model=m, messages=ms)", "openai.chat", True),
        ("c.chat.completions.create(model=m, messages=ms, **more)", "openai.chat", False),
        ('c.chat.completions.create(messages=ms, **{"max_tokens": 5})', "openai.chat", True),
        ("c.chat.completions.create(model=m, messages=ms, max_tokens=cap)", "openai.chat", False),
        ("c.completions.create(model=m, prompt='p')", "openai.completions", True),
        ("c.responses.create(model=m, input='i')", "openai.responses", True),
        ("c.responses.stream(model=m, input=i, instructions='s')", "openai.responses", True),
        ("c.messages.create(model=m, system='s', messages=ms, max_tokens=9)", "anthropic.messages", True),
        ("c.messages.stream(model=m, messages=ms, max_tokens=9)", "anthropic.messages", True),
        ("c.embeddings.create(model=m, input=['a'])", "openai.embeddings", True),
        ("c.audio.transcriptions.create(model=m, file=f)", "openai.audio", True),
        ("c.images.generate(model=m, prompt='p')", "openai.images", True),
        ("llm.create(instructions='i')", "openai.responses", False),
        ("llm.create(system='i', messages=[{'role': 'user', 'content': 'x'}])", "anthropic.messages", False),
    ],
)
def test_calls_are_known_by_their_names_and_arguments(call: str, dialect: str, complete: bool) -> None:
    """A request is complete where nothing that matters is left to the running program."""
    found = unit("app.py", call + "\n")
    assert (found.dialect.name, found.complete) == (dialect, complete)


def test_prompts_with_a_version_are_prompts() -> None:
    """tokenguard's own; the request that they become part of is made elsewhere."""
    file = 'T = tokenguard.Prompt("triage", "3", system="You sort {{things}}.", user="Ticket: {{ticket}}")\n'
    found = unit("app.py", file)
    assert [message["content"] for message in found.body["messages"]] == [
        "You sort {{things}}.",
        "Ticket: {{ticket}}",
    ]
    assert not found.complete
    assert written(file, found, ("messages", 1, "content"), 0, 6) == "Ticket"
    assert read("app.py", "Prompt(text='x', width=3)\nPrompt(user=user)\n") == []


@pytest.mark.parametrize(
    "call",
    [
        'twilio.messages.create(to="+1", body="Your code")',
        'Ticket.objects.create(title="x")',
        'client.beta.threads.messages.create(thread_id=t, role="user", content="x")',
        "report.generate(title='x')",
        "parser.parse(text)",
        'create(prompt="x")',
        "session.stream('GET', url)",
    ],
)
def test_other_calls_are_left_alone(call: str) -> None:
    """Many things have a method of such a name."""
    assert read("app.py", call + "\n") == []


def test_a_literal_keeps_its_line_and_column_beside_other_characters() -> None:
    """``ast`` counts bytes; people count characters."""
    file = "é = 'ü'; " + CALL % '"näh"'
    found = unit("app.py", file)
    where = place(found, *CONTENT)
    assert file[where.start : where.end] == '"näh"'
    assert written(file, found, CONTENT, 1, 2) == "ä"


def test_a_placeholder_cannot_be_changed() -> None:
    """Nor what reaches from one string into the next."""
    file = CALL % 'f"Hello {name}" " and more"'
    found = unit("app.py", file)
    text = found.body["messages"][0]["content"]
    assert changed(file, found, CONTENT, text.index("{{"), text.index("}}") + 2, "x") is None
    assert changed(file, found, CONTENT, text.index("}}") + 2, len(text), "") is not None
    file = CALL % '"one" "two"'
    assert changed(file, unit("app.py", file), CONTENT, 2, 4, "") is None


def test_a_raw_string_is_changed_only_to_what_it_can_say() -> None:
    """There are no escapes in it."""
    file = CALL % 'r"a\\d b"'
    found = unit("app.py", file)
    assert changed(file, found, CONTENT, 0, 1, "c") == CALL % 'r"c\\d b"'
    assert changed(file, found, CONTENT, 0, 1, 'c"') is None
    assert changed(file, found, CONTENT, 0, 1, "\n") is None


def test_line_ends_of_the_file_are_kept() -> None:
    """A file from Windows has two characters for each."""
    file = (CALL % '"""a  \nb"""').replace("\n", "\r\n")
    found = unit("app.py", file)
    assert found.body["messages"][0]["content"] == "a  \nb"
    assert changed(file, found, CONTENT, 1, 3, "") == (CALL % '"""a\nb"""').replace("\n", "\r\n")
    assert changed(file, found, CONTENT, 4, 5, "c\nd") == (CALL % '"""a  \nc\nd"""').replace("\n", "\r\n")


def test_broken_python_is_told_with_its_line() -> None:
    """As Python says it."""
    assert problem("app.py", "x = 1\ny = (\n") == ("TG003", 2)


def test_names_that_multiply_end_no_run() -> None:
    """A short file can stand for a text of any length."""
    file = 'a0 = "' + "x" * 1000 + '"\n'
    file += "".join(f"a{n + 1} = a{n} + a{n}\n" for n in range(60))
    assert "{{" in said("a60", file)


def test_an_empty_source_file_is_fine() -> None:
    """Packages have them."""
    assert PYTHON.may_be_empty
    assert read("app.py", "") == []


def test_a_source_file_names_its_encoding() -> None:
    """As Python reads it; and it is written in it again."""
    data = ("# coding: latin-1\n" + CALL % '"é"').encode("latin-1")
    file = decode(Path("app.py"), data)
    assert '"é"' in file.text
    assert file.encoded(file.text) == data


def test_only_comments_are_comments() -> None:
    """A text may speak of them."""
    file = 'x = "# tg: ignore"  # tg: ignore[TG211]\n'
    assert list(comments(File(Path("app.py"), file))) == [(1, "# tg: ignore[TG211]")]


def test_calls_are_found_wherever_they_stand() -> None:
    """In methods, in nested functions, in arguments, in the order of the source."""
    call = CALL.strip()
    source = (
        "class A:\n"
        "    def f(self):\n"
        "        def g():\n"
        f"            return wrap({call % repr('one')})\n"
        f"run(lambda: {call % repr('two')})\n"
    )
    assert [one.body["messages"][0]["content"] for one in units("app.py", source)] == ["one", "two"]
