"""The provider's prompt cache: what is new on every call stands last, and the rest is there to be kept.

The beginning of a prompt that the provider saw minutes ago costs a tenth of the price with OpenAI and
Anthropic (a twentieth with some models), as long as not a byte of it differs. Breaking these rules costs no
tokens but their price: the findings say of how many it is paid in full. Breakpoints are in ``marks.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from tokenguard.anatomy import Message, Path, Tool
from tokenguard.lint import beginnings
from tokenguard.lint.beginnings import KEPT_UNASKED, LEAST, PER_TOKEN
from tokenguard.lint.finding import Edit, Finding, Fix, Severity
from tokenguard.lint.request import Request
from tokenguard.lint.rule import RequestRule, request_rule
from tokenguard.lint.volatile import Volatile, input_placeholder
from tokenguard.lint.worked_out import WorkedOut

_WORTH_MOVING: Final = 2000
"""Characters, about 500 tokens, that stand after a value in a template, for it to be worth moving."""

_LONGEST_LINE: Final = 200
"""A longer line is not moved as a whole."""


@request_rule("TG301", "volatile-prefix", dialects=KEPT_UNASKED)
def volatile_prefix(request: Request) -> Iterator[Finding]:
    """The time or an id in the instructions, before what could be kept.

    ## What it does
    Looks in instructions, and in prompts in files, for times of day and ids of requests or sessions that
    are said to be those of the call ("Current time: 14:03:22"), and for placeholders of them
    (`{{ now() }}`, `{{ request_id }}`), where 1,024 tokens of instructions and history follow, or 500 in a
    file. Where the last request of this kind is known, the message must have changed since. A date alone
    is passed by: it changes once a day, which costs one miss.

    ## Why is this bad?
    OpenAI keeps the beginning of a prompt by itself, up to the first byte that differs, for a tenth of the
    price (its price list; a twentieth with some models). With the clock in the first lines, neither the
    instructions nor the history are ever read from there: an agent whose 20 turns add 1,000 tokens each
    pays for 210,000 tokens, instead of what 39,000 cost.

    ## Example
    ```json
    {"messages": [{"role": "system", "content": "Current time: 2026-11-21T14:03:22Z. You are ..."}]}
    ```

    ## Use instead
    ```json
    {"messages": [{"role": "system", "content": "You are ..."},
                  {"role": "user", "content": "It is 14:03. Where is my parcel?"}]}
    ```

    ## Fix safety
    Moving the line to the end of its message is unsafe, and helps the instructions alone: before the
    history it is in the way all the same.
    """
    if request.dialect not in KEPT_UNASKED:
        return
    messages = request.anatomy.messages
    for i in range(beginnings.instructions(request)):
        found = beginnings.changing(request, i)
        if found is None:
            continue
        part, value = messages[i].parts[found[0]], found[1]
        lost = len(part.text) - value.end + beginnings.characters(messages[i + 1 : _last_turn(messages)])
        enough = _is_worth_moving(part.text, value) if request.template else _is_lost(request, lost)
        if enough:
            yield Finding(
                f"{value.what} is new on every call, and stands before about {lost // PER_TOKEN:,} tokens "
                "that the provider's cache then never has",
                part.path,
                value.start,
                value.end,
                fix=_moved(part.text, part.path, value),
            )
        return


@request_rule("TG302", "prefix-changed")
def prefix_changed(request: Request) -> Iterator[Finding]:
    """A message that is not what it was, before others that are.

    ## What it does
    Compares a request with the last one of its kind, and finds the first message that differs, where at
    least 1,024 tokens of messages that were sent before stand after it: instructions that are made anew on
    every turn, a history that is cut at its beginning or rewritten, a passage before static instructions.

    ## Why is this bad?
    Providers keep a prompt up to the first byte that differs: what is the same after it is paid in full,
    ten times what it would cost (OpenAI's and Anthropic's price lists).

    ## Example
    ```json
    {"messages": [{"role": "user", "content": "The passage of this call"},
                  {"role": "user", "content": "Four pages of rules that never change"}]}
    ```

    ## Use instead
    ```json
    {"messages": [{"role": "user", "content": "Four pages of rules that never change"},
                  {"role": "user", "content": "The passage of this call"}]}
    ```
    Cut a history rarely and by much, instead of by one message on every turn.

    ## Fix safety
    There is no fix: the order of messages has a meaning.
    """
    before, facts = request.before, request.facts
    if before is None or not beginnings.kept(request):
        return
    same = beginnings.common(request)
    if same >= len(before.messages) or same >= len(facts) or beginnings.changing(request, same) is not None:
        return
    rest = frozenset(before.messages[same + 1 :])
    messages = request.anatomy.messages
    again = [messages[i] for i in range(same + 1, len(facts)) if facts[i].digest in rest]
    lost = beginnings.characters(tuple(again))
    if _is_lost(request, lost):
        yield Finding(
            f"this is not what it was on the last call, and stands before about {lost // PER_TOKEN:,} tokens "
            "that are: the provider's cache does not have them",
            messages[same].path,
        )


@request_rule("TG303", "tools-changed")
def tools_changed(request: Request) -> Iterator[Finding]:
    """Tools that are not what they were on the last call of the same conversation.

    ## What it does
    Compares the tools with those of the last request of this kind: the same in another order, the same with
    their keys in another order (a set, or a map without an order, in the code that makes them), others.

    ## Why is this bad?
    Tools stand before everything else in a prompt. When one of them changes its place, the provider's cache
    has nothing of the whole request, which then costs ten times as much (OpenAI's and Anthropic's price
    lists, and what both say of tools in their guides to prompt caching).

    ## Example
    ```python
    tools = [schemas[name] for name in {"search", "fetch", "answer"}]  # a set: another order in every process
    ```

    ## Use instead
    ```python
    tools = [schemas[name] for name in sorted(("search", "fetch", "answer"))]
    ```
    Where some are not to be called now, say so with `tool_choice` and leave the list as it is.

    ## Fix safety
    Sorting them by name is unsafe: models have a slight liking for tools that stand first.
    """
    before, now = request.before, tuple([facts.digest for facts in request.tools])
    known = [_canonical(digest, tool) for digest, tool in zip(now, request.anatomy.tools, strict=True)]
    if before is None or before.tools == now or not (before.tools and now) or not beginnings.kept(request):
        return
    if not any(facts.digest in before.messages for facts in request.facts):
        return
    if sorted(before.tools) == sorted(now):
        yield Finding(
            "the tools are those of the last call in another order: the provider's cache has nothing of this",
            request.anatomy.tools[0].path[:-1],
            fix=_sorted(request),
        )
    elif known == [_canonical.known(digest) for digest in before.tools]:
        yield Finding(
            "the tools are those of the last call with their keys in another order: the provider's cache has "
            "nothing of this",
            request.anatomy.tools[0].path[:-1],
        )
    else:
        changed = [
            tool.name
            for tool, digest in zip(request.anatomy.tools, now, strict=True)
            if digest not in before.tools
        ]
        which = ", ".join(changed[:5]) or "some are gone"
        yield Finding(
            f"the tools are not those of the last call ({which}): the provider's cache has nothing of this",
            request.anatomy.tools[0].path[:-1],
            severity=Severity.INFO,
        )


@request_rule("TG304", "static-after-input", Severity.INFO)
def static_after_input(request: Request) -> Iterator[Finding]:
    """A template with its instructions after what each call is about.

    ## What it does
    Looks in prompts in files for the first placeholder of a question, document or history (`{question}`,
    `{{ context }}`) on a line of its own or at the end of one, with 500 tokens of text after it, in prompts
    of 1,024 tokens or more.

    ## Why is this bad?
    Providers keep the beginning of a prompt, up to the first byte that differs. The instructions after it
    are paid in full on every call, ten times what they would cost before it.

    ## Example
    ```text
    Here is a contract: {{ document }}
    (four pages of rules on how to read it)
    ```

    ## Use instead
    ```text
    (four pages of rules on how to read a contract)
    Here is the contract: {{ document }}
    ```
    Anthropic advises to put a very long document first, for the sake of the answer: measure which you need.

    ## Fix safety
    There is no fix: the text says "above" and "below".
    """
    if not request.template:
        return
    for message in request.anatomy.messages:
        for part in message.parts:
            found = input_placeholder(part.text) if part.text else None
            if found is None:
                continue
            if _is_worth_moving(part.text, found):
                after = len(part.text) - found.end
                yield Finding(
                    f"about {after // PER_TOKEN:,} tokens of text stand after this, which is new on every "
                    "call: the provider's cache never has them",
                    part.path,
                    found.start,
                    found.end,
                )
            return


_canonical: Final = WorkedOut[Tool, int](lambda tool: hash(json.dumps(tool.raw, sort_keys=True, default=str)))


def _is_worth_moving(text: str, value: Volatile) -> bool:
    """Whether enough of a template stands after a value, and it is long enough to be kept at all."""
    return len(text) - value.end >= _WORTH_MOVING and len(text) >= LEAST * PER_TOKEN


def _is_lost(request: Request, characters: int) -> bool:
    """Whether so much could be kept, if nothing before it were new."""
    return characters >= beginnings.least(request) * PER_TOKEN


def _last_turn(messages: tuple[Message, ...]) -> int:
    """Where what is new on this call begins, if nothing else is: the last message of the user."""
    return max((i for i, message in enumerate(messages) if message.role == "user"), default=len(messages))


def _moved(text: str, path: Path, found: Volatile) -> Fix | None:
    """Move the line that a value is in to the end of its text."""
    start = text.rfind("\n", 0, found.start) + 1
    end = text.find("\n", found.end) + 1
    if end <= 0 or end - start > _LONGEST_LINE:
        return None
    joint = "" if text.endswith("\n") else "\n"
    last = Edit(path, joint + text[start:end].rstrip("\n"), len(text), len(text))
    return Fix("Move this line to the end", (Edit(path, "", start, end), last), safe=False)


def _sorted(request: Request) -> Fix | None:
    tools = request.anatomy.tools
    ordered = sorted(tools, key=lambda tool: tool.name)
    if ordered == list(tools) or any(len(tool.path) != 2 for tool in tools):  # some are in groups
        return None
    edit = Edit(tools[0].path[:-1], [tool.raw for tool in ordered])
    return Fix("Sort the tools by name", (edit,), safe=False)


REQUEST_RULES: Final[tuple[RequestRule, ...]] = (
    volatile_prefix,
    prefix_changed,
    tools_changed,
    static_after_input,
)
