"""Waste in JSON: whitespace, escapes, fields without content, names that every row repeats."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from tokenguard.lint.finding import Edit, Finding, Fix, Severity
from tokenguard.lint.json_blocks import JsonBlock
from tokenguard.lint.rule import OURS, TextRule, text_rule
from tokenguard.lint.text import Text, tokens

_GIVEN: Final = ("content", "tool_result", "file")

_LEAST: Final = 40
_LEAST_TOKENS: Final = 16

_LEAST_EMPTY: Final = 8
_SHARE_EMPTY: Final = 0.1

_LEAST_ROWS: Final = 5
_LEAST_COLUMNS: Final = 2
_LEAST_TOKENS_OF_ROWS: Final = 100
_MOST_VALUES: Final = 100_000
"""How many values of one text are looked at for rows."""


@text_rule("TG201", "loose-json", needs=("{", "["), least=_LEAST, places=OURS)
def loose_json(text: Text) -> Iterator[Finding]:
    """JSON that is indented, or has a blank after every comma and colon.

    ## What it does
    Finds JSON in a text (the whole of it, a fenced block, or within prose) that would say the same in fewer
    tokens without whitespace. In fenced code of another language, and in a tool call's arguments, it looks at
    nothing.

    ## Why is this bad?
    The model reads the same values either way. Compact, flat records are 36 % fewer tokens than indented and
    nested ones 46 %, and both a quarter fewer than what `json.dumps` writes by default; two blanks of
    indentation cost as much as four (o200k_base, tests/lint/test_savings.py).

    ## Example
    ```python
    content = json.dumps(record, indent=2)
    ```

    ## Use instead
    ```python
    content = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
    ```

    ## Fix safety
    Safe in what users and tools say: before it is applied, both texts are parsed and must be the same,
    names in the same order and numbers as they were written. In instructions, and in the assistant's own
    turns, the JSON may be a pattern for what the model is to write; there the finding is for information, and
    the fix needs somebody to look.
    """
    loose = [one for one in text.json if _may_be_loose(one) and len(one.compact) < len(one.text)]
    wasted = text.saved([Edit((), one.compact, one.start, one.end) for one in loose]) if loose else 0
    yield from _shortened(text, loose, wasted, "JSON with whitespace that says nothing")


@text_rule("TG202", "escaped-json", needs=("\\",), least=_LEAST, places=OURS)
def escaped_json(text: Text) -> Iterator[Finding]:
    r"""JSON in which letters outside ASCII are written as `\uXXXX`.

    ## What it does
    Finds JSON with escapes of characters that could stand there as they are.

    ## Why is this bad?
    An escape is several tokens where the character is one or less: Chinese records are 74 % fewer tokens
    without (o200k_base, tests/lint/test_savings.py). `json.dumps` writes escapes by default.

    ## Example
    ```python
    content = json.dumps({"city": "Zürich"})  # {"city": "Z\u00fcrich"}
    ```

    ## Use instead
    ```python
    content = json.dumps({"city": "Zürich"}, ensure_ascii=False)
    ```

    ## Fix safety
    As of [`loose-json`](#tg201-loose-json). Characters that cannot be seen stay escaped.
    """
    if "\\u" not in text.text:
        return
    escaped = [one for one in text.json if "\\u" in one.text and len(one.shortest) < len(one.compact)]
    wasted = sum(tokens(one.compact) - tokens(one.shortest) for one in escaped)
    yield from _shortened(text, escaped, wasted, "JSON with letters that are written as escapes")


@text_rule("TG203", "empty-fields", Severity.INFO, needs=("{",), least=_LEAST, places=_GIVEN)
def empty_fields(text: Text) -> Iterator[Finding]:
    """Fields of JSON that are null or empty, in what users and tools say.

    ## What it does
    Finds JSON with at least 8 fields that are `null`, `""`, `[]` or `{}`, and make up a tenth of it or more.
    Instructions are left alone: there, an empty field is often a form to be filled in.

    ## Why is this bad?
    A field that is not there says the same as one that is null, to a reader. Three empty fields in records
    with six others are 19 % of their tokens (o200k_base, tests/lint/test_savings.py).

    ## Example
    ```json
    {"name": "Ann", "fax": null, "tags": [], "notes": ""}
    ```

    ## Use instead
    ```json
    {"name": "Ann"}
    ```

    ## Fix safety
    Unsafe: whether "not there" and "null" mean the same, only you know.
    """
    if text.role in ("system", "assistant") or not _EMPTY_VALUE.search(text.text):
        return
    found = [
        (block, left)
        for block in text.json
        if len(_EMPTY_VALUE.findall(block.text)) >= _LEAST_EMPTY
        for left in [_written(_without_empty(block.value))]
        if len(left) <= (1 - _SHARE_EMPTY) * len(block.compact)
    ]
    wasted = sum(tokens(block.compact) - tokens(left) for block, left in found)
    if wasted >= _LEAST_TOKENS:
        edits = tuple([Edit((), left, block.start, block.end) for block, left in found])
        fix = Fix("Leave the empty fields out", edits, safe=False)
        what = "JSON with many fields that are null or empty"
        yield Finding(what, (), found[0][0].start, found[-1][0].end, wasted, fix)


@text_rule("TG204", "uniform-objects", Severity.INFO, needs=("[",), least=_LEAST, places=_GIVEN)
def uniform_objects(text: Text) -> Iterator[Finding]:
    """A list of objects that all have the same fields, in what users and tools say.

    ## What it does
    Finds lists of at least 5 objects with the same names in each, where a table would save 100 tokens.

    ## Why is this bad?
    Every row says all names again. Of compact JSON, names once with rows of values save 27 %, a Markdown
    table 30 % and CSV 31 % (o200k_base, tests/lint/test_savings.py).

    ## Example
    ```json
    [{"sku": "A-1", "price": 4.5}, {"sku": "A-2", "price": 3.9}, ...]
    ```

    ## Use instead
    ```json
    {"columns": ["sku", "price"], "rows": [["A-1", 4.5], ["A-2", 3.9], ...]}
    ```
    """
    if text.role in ("system", "assistant") or text.text.count("{") < _LEAST_ROWS:
        return
    wasted, rows, found = 0, 0, []
    for block in text.json:
        for table in _tables(block.value) if block.text.count("{") >= _LEAST_ROWS else ():
            names = list(table[0])
            columns = {"columns": names, "rows": [[row[name] for name in names] for row in table]}
            wasted += tokens(_written(table)) - tokens(_written(columns))
            rows += len(table)
            found.append(block)
    if wasted >= _LEAST_TOKENS_OF_ROWS:
        what = f"{rows} objects that all repeat the same names"
        yield Finding(what, (), found[0].start, found[-1].end, tokens=wasted)


_EMPTY_VALUE: Final = re.compile(r':\s*(?:null\b|""|\[\s*\]|\{\s*\})')


def _may_be_loose(block: JsonBlock) -> bool:
    return "\n" in block.text or '": ' in block.text or ", " in block.text


def _shortened(text: Text, blocks: list[JsonBlock], wasted: int, what: str) -> Iterator[Finding]:
    if wasted >= _LEAST_TOKENS:
        # The same change for both rules: where both find something, it is one.
        edits = tuple([Edit((), one.shortest, one.start, one.end) for one in blocks])
        safe = text.role not in ("system", "assistant")
        fix = Fix("Write the JSON without whitespace and escapes", edits, safe, "json")
        severity = None if safe else Severity.INFO
        yield Finding(what, (), blocks[0].start, blocks[-1].end, wasted, fix, severity)


def _without_empty(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_empty(one) for one in value]
    if not isinstance(value, dict):
        return value
    inner = {name: _without_empty(one) for name, one in value.items()}
    return {name: one for name, one in inner.items() if one is not None and one not in ("", [], {})}


def _tables(value: Any) -> Iterator[list[dict[str, Any]]]:
    """The lists of objects with the same names that are in a JSON value, wherever; the outermost ones."""
    left, seen = [value], 0
    while left and seen < _MOST_VALUES:
        one = left.pop()
        if isinstance(one, list):
            seen += len(one)
            if _is_table(one):
                yield one
            else:
                left += one
        elif isinstance(one, dict):
            seen += len(one)
            left += one.values()


def _is_table(rows: list[Any]) -> bool:
    if len(rows) < _LEAST_ROWS or not isinstance(rows[0], dict) or len(rows[0]) < _LEAST_COLUMNS:
        return False
    names = rows[0].keys()
    return all(isinstance(row, dict) and row.keys() == names for row in rows)


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


TEXT_RULES: Final[tuple[TextRule, ...]] = (loose_json, escaped_json, empty_fields, uniform_objects)
