"""Whitespace that shows nothing is found and taken out; code, tables and everything with a shape stays."""

from __future__ import annotations

from typing import Any

import pytest

from tokenguard.lint.finding import Finding
from tokenguard.lint.fixes import apply_text
from tokenguard.tokens.text import count

from .requests import lint_text

MESSY = (
    "You are a support agent.   \n\n\n\nAnswer in English.  \t \nBe brief.   \n   \n   \n\n"
    "- first rule    \n- second rule    \n- third rule     \n\n\n\n\nNever promise a refund.   \n\n\n\n"
)
CLEAN = (
    "You are a support agent.\n\nAnswer in English.\nBe brief.\n\n"
    "- first rule\n- second rule\n- third rule\n\nNever promise a refund.\n"
)
CODE = "```python\ndef f():\n    return 1   \n\n\n\n\ndef g():\n    pass   \n```"


def mended(text: str, *rules: str, **where: Any) -> str:
    """A text with the safe fixes of these rules made."""
    return apply_text(text, [one for one in lint_text(text, *rules, **where) if one.fix and one.fix.safe])[0]


def only(found: list[Finding]) -> Finding:
    (one,) = found
    return one


def test_blanks_and_empty_lines_go() -> None:
    """All words stay, and the lines that they are in."""
    one = only(lint_text(MESSY, "TG211"))
    assert mended(MESSY, "TG211") == CLEAN
    assert one.tokens == pytest.approx(count(MESSY, "") - count(CLEAN, ""), abs=3)
    assert not lint_text(CLEAN, "TG211")


def test_code_stays_to_the_byte() -> None:
    """And what is around it does not."""
    text = MESSY + CODE + "\n\n\n\n" + MESSY
    result = mended(text, "TG211")
    assert CODE in result
    assert result == CLEAN + "\n" + CODE + "\n\n" + CLEAN


def test_lines_of_windows_stay_lines_of_windows() -> None:
    """Their ends are not whitespace that shows nothing."""
    result = mended(MESSY.replace("\n", "\r\n"), "TG211")
    assert result.splitlines() == CLEAN.splitlines()
    assert "\r\n" in result


@pytest.mark.parametrize(
    "text",
    [
        "Line one  \nline two  \nline three  \n" * 10,
        "\n".join(["-" * 80, "Title", "=" * 80, "", "Text", "-" * 120, "* * * * * *"] * 10),
        "def f():\n    return 1\n\n\n\n\ndef g():\n    return 2\n\n\n\n\n"
        "class A:\n    x = 1   \n    y = 2   \n",
        CODE * 5,
        "{{ greeting   }}" + "{%   if x   %}  {%   endif   %}" * 20,
        "| a   | b   |\n| --- | --- |\n" + "| 1   | 2   |\n" * 20,
        "One.   \nTwo.",
        "<pre>" + "\n\n\n\n   x   \n" * 20 + "</pre>",
        "    indented\n\n\n\n    block\n\n\n\n    of something\n\n\n\n    without a fence\n" + "text\n" * 20,
    ],
)
def test_whitespace_that_may_mean_something_stays(text: str) -> None:
    """Markdown's line breaks, rulers, code with and without a fence, templates, tables, a blank or two."""
    assert not lint_text(text, "TG211")


def test_a_tools_result_may_be_a_file() -> None:
    """Which the model is to change line by line: somebody has to look."""
    one = only(lint_text(MESSY, "TG211", role="tool", place="tool_result"))
    assert one.fix is not None
    assert not one.fix.safe


INDENTED = """
        You sort tickets for a web shop.

        Answer with one word.
        Never explain what you do.
        In doubt, say "other".
        Write it in small letters:
          - no full stop after it,
          - no quotes around it.
        When there are two subjects, take the first.
        When there is none, say "other" as well.

        ```
        code   stays
            as it is
        ```
        The words are: billing, login, shipping, other.
        Nothing else is ever to be said by you.
        """
DEDENTED = """You sort tickets for a web shop.

Answer with one word.
Never explain what you do.
In doubt, say "other".
Write it in small letters:
  - no full stop after it,
  - no quotes around it.
When there are two subjects, take the first.
When there is none, say "other" as well.

        ```
        code   stays
            as it is
        ```
The words are: billing, login, shipping, other.
Nothing else is ever to be said by you.
"""


def test_a_margin_goes() -> None:
    """From every line outside of code; what is indented further stays so."""
    one = only(lint_text(INDENTED, "TG212"))
    assert one.tokens >= 8
    assert mended(INDENTED, "TG211", "TG212").strip() == DEDENTED.strip()


def test_a_first_line_without_margin_is_a_sentence() -> None:
    """As after three quotes. Where it is none, the others may be meant to be below it."""
    text = "You sort tickets for a web shop.\n" + INDENTED.lstrip("\n") * 2
    one = only(lint_text(text, "TG212"))
    assert one.fix is not None
    assert one.fix.safe
    assert "\nAnswer" in mended(text, "TG212")
    below = only(lint_text("tickets:\n" + "        sort: them with care, please\n" * 12, "TG212"))
    assert below.fix is not None
    assert not below.fix.safe


@pytest.mark.parametrize(
    "text",
    [
        "One line.\n    Another one.",
        CLEAN * 3,
        "Here is code:\n" + "    x = f(1);\n    y = g(2);\n" * 10,
        "    if (a) {\n        b();\n    }\n" * 6,
        "Title\n  - a point that is indented\n  - another point\nText again that is not\n" * 6,
        CODE + "\nWords.\n",
    ],
)
def test_other_texts_have_no_margin(text: str) -> None:
    """Short ones, lists below a line, code."""
    assert not lint_text(text, "TG212")


PDF = (
    "The   agreement  may be   terminated  by  either   party\n"
    "at any  time   with a   notice of    thirty days   to the  other,\n"
    "unless   it  was   agreed  otherwise  in   writing.\n"
)


def test_runs_of_blanks_in_prose_are_found() -> None:
    """The fix needs somebody to look."""
    one = only(lint_text(PDF * 2, "TG213"))
    assert one.fix is not None
    assert not one.fix.safe
    assert apply_text(PDF * 2, [one])[0] == "\n".join(
        " ".join(line.split()) for line in (PDF * 2).split("\n")
    )


@pytest.mark.parametrize(
    "text",
    [
        "name      city      age\nAnn       Oslo      31\nBob       Rome      45\n" * 5,
        "| a    | b    | c    |\n" * 20,
        "a  b\n",
        "```\n" + PDF * 3 + "```",
        "  - a\n    - b\n      - c\n" * 20,
    ],
)
def test_columns_are_no_runs_of_blanks(text: str) -> None:
    """Nor are tables, code, and indentation."""
    assert not lint_text(text, "TG213")
