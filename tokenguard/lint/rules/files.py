"""What is wrong with files: only the command line finds it, and says it like everything else.

A file that cannot be linted is a finding too: it must not look as if it were clean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from tokenguard.lint.finding import Finding, Severity
from tokenguard.lint.rule import Rule

FileRule = Rule[str]


def file_rule(
    code: str, name: str, severity: Severity = Severity.ERROR
) -> Callable[[Callable[[str], Iterable[Finding]]], FileRule]:
    """Make a rule of a function that is told what happened, in words."""
    return lambda check: Rule(code, name, severity, check)


@file_rule("TG001", "unreadable-file")
def unreadable_file(why: str) -> Iterator[Finding]:
    """A file or folder that cannot be read, and so is not linted.

    ## What it does
    Reports paths that do not exist, that may not be read, that lead in a circle, and files of more than
    10 MB (JSONL: lines of more than 10 MB).

    ## Why is this bad?
    A misspelt path in a workflow would pass for a clean one.

    ## Example
    ```sh
    tokenguard lint promts/
    ```

    ## Use instead
    ```sh
    tokenguard lint prompts/
    ```
    """
    yield Finding(f"cannot be read: {why}")


@file_rule("TG002", "not-text")
def not_text(why: str) -> Iterator[Finding]:
    """A file that should be text and is not.

    ## What it does
    Reports bytes that are not UTF-8 (a byte order mark may say UTF-16 or UTF-32; a Python file its own
    encoding), and binary files.

    ## Why is this bad?
    Whatever reads it at run time fails, or puts other characters in their place.

    ## Example
    A prompt that was saved in Latin-1.

    ## Use instead
    The same in UTF-8: `iconv -f latin1 -t utf-8 prompt.md`.
    """
    yield Finding(f"is not text: {why}")


@file_rule("TG003", "broken-syntax")
def broken_syntax(why: str) -> Iterator[Finding]:
    """A file, or a line of it, that cannot be parsed.

    ## What it does
    Reports JSON, YAML and Python that do not parse, and template tags that do not end. Of a JSONL file only
    the line is left out; the others are linted.

    ## Why is this bad?
    It is not what it was meant to be, and is not linted.

    ## Example
    ```json
    {"model": "gpt-4.1", "messages": [}
    ```

    ## Use instead
    ```json
    {"model": "gpt-4.1", "messages": []}
    ```
    """
    yield Finding(why)


@file_rule("TG004", "empty-file", Severity.WARNING)
def empty_file(why: str) -> Iterator[Finding]:
    """A prompt, or a file of requests, with nothing in it.

    ## What it does
    Reports files that are empty or have whitespace alone. Python files may be empty.

    ## Why is this bad?
    The model is asked without its instructions, and nobody is told.

    ## Example
    An empty `prompts/system.md`.

    ## Use instead
    No file, or one with a prompt in it.
    """
    yield Finding(why)


@file_rule("TG005", "template-cycle")
def template_cycle(why: str) -> Iterator[Finding]:
    """Templates that include, extend or import each other in a circle.

    ## What it does
    Follows `include`, `extends`, `import` and `from` from template to template, where they name a file.

    ## Why is this bad?
    Rendering them ends with a recursion error, unless a condition ends it before.

    ## Example
    ```jinja
    {# a.j2 #} {% include "b.j2" %}
    {# b.j2 #} {% include "a.j2" %}
    ```

    ## Use instead
    ```jinja
    {# a.j2 #} {% include "common.j2" %}
    {# b.j2 #} {% include "common.j2" %}
    ```
    """
    yield Finding(why)


@file_rule("TG006", "unknown-model", Severity.INFO)
def unknown_model(why: str) -> Iterator[Finding]:
    """A request for a model of which nothing is known.

    ## What it does
    Reports, once for each file, models that have no published window and no price, and none of your own.

    ## Why is this bad?
    Rules that go by the model's limits say nothing, and nobody can tell what a finding costs. The name may
    be misspelt.

    ## Example
    ```json
    {"model": "gpt-4.1-mimi", "messages": [{"role": "user", "content": "Hello"}]}
    ```

    ## Use instead
    ```json
    {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": "Hello"}]}
    ```

    ## Options
    `deployments` names the model behind a deployment; `[[prices]]` gives a model a price of your own.
    """
    yield Finding(why)


@file_rule("TG007", "unknown-code", Severity.WARNING)
def unknown_code(why: str) -> Iterator[Finding]:
    """A comment that ignores a rule which does not exist.

    ## What it does
    Reports codes in `tg: ignore[...]` and `tg: ignore-file[...]` that no rule has.

    ## Why is this bad?
    The comment does nothing.

    ## Example
    ```md
    <!-- tg: ignore[TG999] -->
    ```

    ## Use instead
    ```md
    <!-- tg: ignore[TG201] -->
    ```
    """
    yield Finding(why)


@file_rule("TG008", "unwritable-file")
def unwritable_file(why: str) -> Iterator[Finding]:
    """A file that could be mended and cannot be written.

    ## What it does
    Reports files whose fixes were not applied with `--fix`: they may not be written, or were changed by
    somebody else in the meantime.

    ## Why is this bad?
    What was to be mended is not.

    ## Example
    A prompt that belongs to another user.

    ## Use instead
    `tokenguard lint --diff` shows what would change.
    """
    yield Finding(f"cannot be written: {why}")


class Shared(NamedTuple):
    """A text that several files have.

    Attributes:
        tokens: How long it is, in tokens of o200k_base.
        first: Where it is first: a file and a line.
        files: How many files have it.
        usd: What each copy costs in a thousand calls, in words; empty where there is no price.
    """

    tokens: int
    first: str
    files: int
    usd: str = ""


def _shared_text(shared: Shared) -> Iterator[Finding]:
    """The same text in several prompts.

    ## What it does
    Compares the paragraphs of at least 20 words of all files that are linted together, and reports each
    copy in another file. Recorded requests (JSONL) are left out: they repeat by nature.

    ## Why is this bad?
    Every prompt pays for its copy on each of its calls, and copies drift apart. Where the same beginning is
    shared byte for byte, the provider's prompt cache serves all of them.

    ## Example
    ```md
    # refunds.md and returns.md
    You are the support assistant of Acme. You answer in the customer's language, ...
    ```

    ## Use instead
    ```jinja
    {% include "who-you-are.j2" %}
    ```
    """
    cost = f", {shared.usd} per 1k calls" if shared.usd else ""
    others = f" and {shared.files - 2} more" if shared.files > 2 else ""
    yield Finding(f"{shared.tokens:,} tokens{cost} that {shared.first}{others} has as well")


shared_text: Final[Rule[Shared]] = Rule("TG290", "shared-text", Severity.INFO, _shared_text)

FILE_RULES: Final[tuple[Rule[Any], ...]] = (
    unreadable_file,
    not_text,
    broken_syntax,
    empty_file,
    template_cycle,
    unknown_model,
    unknown_code,
    unwritable_file,
    shared_text,
)
