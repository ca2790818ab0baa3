"""Waste in whitespace, outside of code: at the ends of lines, between paragraphs, before every line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from tokenguard.lint.finding import Edit, Finding, Fix, Severity
from tokenguard.lint.rule import OURS, TextRule, text_rule
from tokenguard.lint.text import Text, touches

_LEAST_TOKENS: Final = 8
_LEAST_TOKENS_OF_RUNS: Final = 16

_GAP: Final = re.compile(r"\n(?:[ \t]*\r?\n){2,}")
_RUN: Final = re.compile(r"  +")
_MOST: Final = 50_000
"""So many changes of one kind are made in one text; what is left is found when it is linted again."""

_BLANKS: Final = " \t\r\n"
_SIGNS_OF_WASTE: Final = (" \n", "\n\n\n", "\t\n", "\r\n")
_INDENTED: Final = ("    ", "\t")

_LEAST_MARGIN: Final = 2
_LEAST_LINES: Final = 4
_LEAST_RUNS: Final = 4
_ENDS_OF_SENTENCES: Final = (".", "!", "?", ".)", '."', ":**")


@text_rule("TG211", "whitespace", needs=_SIGNS_OF_WASTE, places=OURS)
def whitespace(text: Text) -> Iterator[Finding]:
    r"""Blanks at the ends of lines, and more than one empty line in a row.

    ## What it does
    Finds whitespace that shows nothing: blanks and tabs before a line break, second and further empty lines,
    empty lines at the beginning and the end. Code, templates and JSON are left alone, a text that looks like
    a program as a whole, and gaps beside indented lines; so are two blanks at the end of a line, which
    Markdown reads as a line break, and rulers (`-----`), which are one or two tokens whatever their length.

    ## Why is this bad?
    Text that was pasted or put together from parts has a lot of it: 25 % of the tokens of a messy prompt, up
    to 3 % of most others (o200k_base, tests/lint/test_savings.py). The model loses nothing with it.

    ## Example
    ```text
    Answer in English.   \n\n\n\nBe brief.   \n
    ```

    ## Use instead
    ```text
    Answer in English.\n\nBe brief.\n
    ```

    ## Fix safety
    Safe: before it is applied, all words and all code must be the same as before, in the same order. What a
    tool returned may be a file that the model is to change line by line; there the fix needs somebody to
    look.
    """
    body = text.text
    edits = [*_ends(body), *islice(_gaps(body, text.margin), _MOST)]
    edits += islice(_trailing(body, sorted([_span(edit) for edit in edits])), _MOST)
    edits = sorted([edit for edit in edits if not text.is_settled(*_span(edit))], key=_span)
    if not edits or text.is_code:
        return
    wasted = text.saved(edits)
    if wasted >= _LEAST_TOKENS:
        fix = Fix("Take the whitespace out", tuple(edits), text.place != "tool_result", "words")
        yield Finding(
            "whitespace that shows nothing", (), _span(edits[0])[0], _span(edits[-1])[1], wasted, fix
        )


@text_rule("TG212", "indented-prompt", needs=("\n  ", "\n\t"), places=OURS)
def indented_prompt(text: Text) -> Iterator[Finding]:
    r'''A text whose lines are all indented, as in a triple-quoted string of a program.

    ## What it does
    Finds a margin of at least two blanks that all lines have in common, or all but the first, outside of
    code.

    ## Why is this bad?
    The margin comes from the program around the text. It costs a token on every line: 9 % of a prompt with
    short lines (o200k_base, tests/lint/test_savings.py).

    ## Example
    ```python
    def prompt():
        return """
            You sort tickets.
            Answer with one word.
            """
    ```

    ## Use instead
    ```python
    from textwrap import dedent


    def prompt():
        return dedent("""\
            You sort tickets.
            Answer with one word.
            """)
    ```

    ## Fix safety
    Safe where every line has the margin, or the first one is a sentence of its own: all words and all code
    stay the same. Where the first line has none and does not end a sentence, the others may be meant to be
    below it; then, and in what a tool returned, the fix needs somebody to look.
    '''
    margin = text.margin
    if len(margin) < _LEAST_MARGIN or text.is_code:
        return
    body, lines = text.text, text.lines
    first = body[lines[0] : body.find("\n", lines[0])].rstrip()
    whole = first.startswith(margin)
    starts = (lines if whole else lines[1:])[:_MOST]
    edits = [Edit((), "", start, start + len(margin)) for start in starts]
    wasted = text.saved(edits) if len(edits) >= _LEAST_LINES else 0
    if wasted >= _LEAST_TOKENS:
        safe = text.place != "tool_result" and (whole or first.endswith(_ENDS_OF_SENTENCES))
        fix = Fix("Take the margin out", tuple(edits), safe, "words")
        yield Finding(
            f"every line is indented by {len(margin)}", (), lines[0], _span(edits[-1])[1], wasted, fix
        )


@text_rule("TG213", "repeated-blanks", Severity.INFO, needs=("  ",), places=OURS)
def repeated_blanks(text: Text) -> Iterator[Finding]:
    """Several blanks in a row within lines, as text has that was taken from a PDF.

    ## What it does
    Finds runs of two and more blanks between words, outside of code, tables and columns: lines with a `|`
    or a tab, and blanks that end in the same column as those of the line before or after, are left alone.

    ## Why is this bad?
    Each run is a token of its own: 40 % of justified text from a PDF (o200k_base,
    tests/lint/test_savings.py).

    ## Example
    ```text
    The   agreement  may be   terminated  by  either   party.
    ```

    ## Use instead
    ```text
    The agreement may be terminated by either party.
    ```

    ## Fix safety
    Unsafe: blanks may be what keeps columns apart, where no rule sees them.
    """
    runs = _in_prose(text)
    if len(runs) < _LEAST_RUNS or text.is_code:
        return
    edits = [Edit((), " ", start, end) for start, end in runs]
    wasted = text.saved(edits)
    if wasted >= _LEAST_TOKENS_OF_RUNS:
        fix = Fix("Write one blank for several", tuple(edits), safe=False)
        yield Finding(f"{len(runs)} times several blanks in a row", (), runs[0][0], runs[-1][1], wasted, fix)


def _span(edit: Edit) -> tuple[int, int]:
    return edit.start or 0, edit.end or 0


def _ends(body: str) -> Iterator[Edit]:
    """Empty lines at the beginning and the end."""
    words = len(body) - len(body.lstrip(_BLANKS))
    if words == len(body):
        return
    first = body.rfind("\n", 0, words) + 1
    last = len(body.rstrip(_BLANKS))
    if first:
        yield Edit((), "", 0, first)
    if body.count("\n", last) > 1:
        yield Edit((), "\n", last, len(body))


def _gaps(body: str, margin: str) -> Iterator[Edit]:
    """Second and further empty lines, but for those beside indented ones: that may be code."""
    first, last = len(body) - len(body.lstrip(_BLANKS)), len(body.rstrip(_BLANKS))
    indented = tuple([margin + one for one in _INDENTED])
    for gap in _GAP.finditer(body, first, last):
        start, end = gap.start() + 1, gap.end()
        line = body.rfind("\n", 0, start - 1) + 1
        if not (body.startswith(indented, line) or body.startswith(indented, end)):
            yield Edit((), "\r\n" if body[end - 2] == "\r" else "\n", start, end)


def _trailing(body: str, edited: list[tuple[int, int]]) -> Iterator[Edit]:
    r"""Blanks at the ends of lines, but for those that are edited, and Markdown's two for a line break."""
    start = 0
    for line in body.split("\n")[:-1]:
        shown = line.removesuffix("\r")
        words = shown.rstrip(" \t")
        blanks = shown[len(words) :]
        span = start + len(words), start + len(shown)
        if blanks and not (words and blanks == "  ") and not touches(edited, *span):
            yield Edit((), "", *span)
        start += len(line) + 1


def _in_prose(text: Text) -> list[tuple[int, int]]:
    """Runs of blanks within lines of prose."""
    body, start, searched = text.text, 0, 0
    by_line: list[tuple[int, list[tuple[int, int]]]] = []
    for run in islice(_RUN.finditer(body), _MOST):
        start = body.rfind("\n", searched, run.start()) + 1 or start
        searched = run.end()
        if run.start() == start or run.end() == len(body) or body[run.end()] in _BLANKS:
            continue  # indentation, or the end of a line
        if not by_line or by_line[-1][0] != start:
            by_line.append((start, []))
        by_line[-1][1].append(run.span())
    columns = [{end - start for _, end in runs} for start, runs in by_line]
    found = []
    for i, (start, runs) in enumerate(by_line):
        end = body.find("\n", runs[-1][1])
        shown = body[start : len(body) if end < 0 else end]
        around = set().union(*columns[max(0, i - 1) : i], *columns[i + 1 : i + 2])
        in_columns = 2 * len(around & columns[i]) > len(columns[i])
        if "|" not in shown and "\t" not in shown and not in_columns:
            found += [run for run in runs if not text.is_settled(*run)]
    return found


TEXT_RULES: Final[tuple[TextRule, ...]] = (whitespace, indented_prompt, repeated_blanks)
