"""Breakpoints: where a request tells Anthropic to keep the prompt (``cache_control``). Part of family 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tokenguard.anatomy import Path, at
from tokenguard.lint import beginnings
from tokenguard.lint.beginnings import LEAST, MARK
from tokenguard.lint.finding import REMOVED, Edit, Finding, Fix, Severity
from tokenguard.lint.request import Request
from tokenguard.lint.rule import RequestRule, request_rule

_EPHEMERAL: Final = {"type": "ephemeral"}
_MOST: Final = 4
"""Breakpoints that a request may have (Anthropic's prompt caching guide)."""

_CLAUDE_AT_MOST: Final = 2.6
"""Claude makes at most so many tokens where o200k_base makes one: Hindi; of English 1.2 to 1.8 (measured)."""

_SURELY: Final = 1.25
"""By how much an estimate has to be above a limit to be sure of it."""


@request_rule("TG305", "too-many-breakpoints", Severity.ERROR, dialects=(beginnings.MESSAGES,))
def too_many_breakpoints(request: Request) -> Iterator[Finding]:
    """More than four breakpoints in a request to Anthropic.

    ## What it does
    Counts `cache_control` on tools, instructions and messages, and the one of the whole request.

    ## Why is this bad?
    The API answers 400 ("A maximum of 4 blocks with cache_control may be provided"). It happens where a
    loop marks every new message and takes no mark away.

    ## Example
    ```json
    {"messages": [
      {"role": "user", "content": [{"type": "text", "text": "1", "cache_control": {"type": "ephemeral"}}]},
      {"role": "user", "content": [{"type": "text", "text": "5", "cache_control": {"type": "ephemeral"}}]}]}
    ```

    ## Use instead
    Mark the last tool, the last block of the instructions and the last message: earlier marks are found
    by looking back from there, over up to 20 blocks.

    ## Fix safety
    Taking marks away, the oldest of the messages first, is safe: the model is told the same.
    """
    if request.dialect != beginnings.MESSAGES or len(request.marks) < _MOST:
        return
    most = _MOST - (1 if beginnings.automatic(request) else 0)
    if len(request.marks) <= most:
        return
    spare = _spare(request, most)
    edits = tuple(
        [Edit((*path, MARK), REMOVED) for mark in spare if (path := _marked_block(request, mark)) is not None]
    )
    fix = Fix("Take the oldest marks away", edits) if len(edits) == len(spare) else None
    yield Finding(
        f"{len(request.marks) + _MOST - most} breakpoints, of which {_MOST} are allowed",
        _path(request, request.marks[-1]),
        fix=fix,
    )


@request_rule("TG306", "breakpoint-after-input", dialects=(beginnings.MESSAGES,))
def breakpoint_after_input(request: Request) -> Iterator[Finding]:
    """A breakpoint after what is new on every call.

    ## What it does
    Looks for breakpoints that come after the time or an id in the instructions, and for requests that have
    as many messages as the last one of their kind, of which only the last is marked and is another one.

    ## Why is this bad?
    Every call writes what is before the mark into the provider's cache, at 1.25 times the price (2 times
    for an hour), and no call ever reads it: caching costs a quarter more than none, instead of 90 % less
    (Anthropic's prompt caching guide).

    ## Example
    ```json
    {"system": "You sort tickets. (four pages)",
     "messages": [{"role": "user", "content": [{"type": "text", "text": "Ticket 8841: ...",
                                               "cache_control": {"type": "ephemeral"}}]}]}
    ```

    ## Use instead
    ```json
    {"system": [{"type": "text", "text": "You sort tickets. (four pages)",
                 "cache_control": {"type": "ephemeral"}}],
     "messages": [{"role": "user", "content": "Ticket 8841: ..."}]}
    ```

    ## Fix safety
    There is no fix: what is the same on every call is for you to know.
    """
    if request.dialect != beginnings.MESSAGES or not beginnings.asked(request):
        return
    messages, marked = request.anatomy.messages, request.marks
    last = (len(messages), 0) if beginnings.automatic(request) else marked[-1]
    for i, message in enumerate(messages):
        if message.role != "system":
            break
        found = beginnings.changing(request, i)
        if found is not None and (i, found[0]) <= last:
            k, value = found
            yield Finding(
                f"{value.what} is new on every call, and stands before a breakpoint: every call pays for "
                "writing to the cache what none reads",
                message.parts[k].path,
                value.start,
                value.end,
            )
            return
    if _another_last(request) and all(i == len(messages) - 1 for i, _ in marked):
        yield Finding(
            "only the last message is marked, which is another one on every call: every call pays for "
            "writing to the cache what none reads",
            _path(request, marked[-1]) if marked else (MARK,),
        )


@request_rule("TG307", "prefix-too-short", Severity.INFO, dialects=(beginnings.MESSAGES,))
def prefix_too_short(request: Request) -> Iterator[Finding]:
    """A breakpoint after fewer tokens than the model's cache keeps.

    ## What it does
    Counts tools and instructions up to the last breakpoint, where no message has one. It is quiet unless
    they are too short by any measure: how Claude counts is not published.

    ## Why is this bad?
    Anthropic keeps prompts from 512, 1,024, 2,048 or 4,096 tokens on, depending on the model. Below that
    the mark does nothing, no error is given, and every call is paid in full.

    ## Example
    ```json
    {"model": "claude-opus-4-6",
     "system": [{"type": "text", "text": "Translate into German.", "cache_control": {"type": "ephemeral"}}]}
    ```

    ## Use instead
    ```json
    {"model": "claude-opus-4-6", "system": "Translate into German."}
    ```
    Or put what else is always the same before the mark: examples, a glossary.

    ## Fix safety
    There is no fix: taking the mark away saves nothing.
    """
    least, marked = request.limits.min_cached, request.marks
    if request.dialect != beginnings.MESSAGES or least is None or not marked or beginnings.automatic(request):
        return
    system = beginnings.instructions(request)
    if marked[-1][0] >= system:
        return
    size = beginnings.size(request, marked[-1][0] + 1)
    if size * _CLAUDE_AT_MOST < least:
        yield Finding(
            f"about {size:,} tokens are marked to be kept, and {request.asked.model} keeps {least:,} or more",
            _path(request, marked[-1]),
        )


@request_rule("TG308", "no-breakpoint", dialects=(beginnings.MESSAGES,))
def no_breakpoint(request: Request) -> Iterator[Finding]:
    """A long beginning that is sent to Anthropic again and again, and not marked to be kept.

    ## What it does
    Looks for requests without any `cache_control`, whose tools and instructions, or whose messages that
    were there on the last call, are longer than what the model's cache keeps. Where the last call is not
    known (in files), tools and instructions are looked at alone, and the finding is for your information.

    ## Why is this bad?
    Anthropic keeps nothing without being told. Kept tokens cost a tenth; writing them costs a quarter more
    once. Two calls within five minutes are enough to earn that (Anthropic's price list).

    ## Example
    ```json
    {"system": "You review contracts. (four pages of rules)",
     "messages": [{"role": "user", "content": "..."}]}
    ```

    ## Use instead
    ```json
    {"system": [{"type": "text", "text": "You review contracts. (four pages of rules)",
                 "cache_control": {"type": "ephemeral"}}],
     "messages": [{"role": "user", "content": "..."}]}
    ```

    ## Fix safety
    Adding the mark is unsafe, though the model is told the same: with more than five minutes between
    calls, it costs a quarter more.
    """
    if request.dialect != beginnings.MESSAGES or beginnings.asked(request) or not request.complete:
        return
    system, same = beginnings.instructions(request), beginnings.common(request)
    repeated = max(system, same) if request.before is not None else system
    least = (request.limits.min_cached or LEAST) * _SURELY
    if request.before is not None and same < system:
        return  # TG302 has something to say of it
    size = beginnings.size(request, repeated)
    if size >= least:
        again = request.before is not None
        yield Finding(
            f"about {size:,} tokens "
            + (
                "are sent as they were on the last call"
                if again
                else "of tools and instructions are sent with every call"
            )
            + ", and nothing tells the provider to keep them",
            ("system",) if system else ("messages",),
            fix=_marking(request, system, same),
            severity=None if again else Severity.INFO,
        )


def _another_last(request: Request) -> bool:
    """Whether the last request of this kind was as long, and ended with another message."""
    before = request.before
    if before is None or not before.requests > 1 or len(before.messages) != len(request.facts):
        return False
    return bool(request.facts) and before.messages[-1] != request.facts[-1].digest


def _spare(request: Request, most: int) -> list[tuple[int, int]]:
    """The marks to do without: the last of the tools, of the instructions and of the messages stay."""
    system = beginnings.instructions(request)
    groups: dict[int, list[tuple[int, int]]] = {-1: [], 0: [], 1: []}
    for mark in request.marks:
        groups[-1 if mark[0] < 0 else int(mark[0] >= system)].append(mark)
    spare = [mark for group in (groups[-1], groups[0]) for mark in group[:-1]] + groups[1]
    return spare[: len(request.marks) - most]


def _path(request: Request, mark: tuple[int, int]) -> Path:
    i, k = mark
    return request.anatomy.tools[k].path if i < 0 else request.anatomy.messages[i].parts[k].path


def _marked_block(request: Request, mark: tuple[int, int]) -> Path | None:
    """The block that has a mark: what it is on stands within it."""
    path = _path(request, mark)
    for end in range(len(path), 0, -1):
        value = at(request.body, path[:end])
        if isinstance(value, dict) and MARK in value:
            return path[:end]
    return None


def _marking(request: Request, system: int, same: int) -> Fix | None:
    """Mark the end of what is the same: of the instructions or tools, or of a conversation that grows."""
    instructions: Any = request.body.get("system")
    edit = None
    if same > system:
        edit = Edit((MARK,), _EPHEMERAL) if request.provider == "anthropic" else None
    elif isinstance(instructions, str) and instructions:
        edit = Edit(("system",), [{"type": "text", "text": instructions, MARK: _EPHEMERAL}])
    elif isinstance(instructions, list) and instructions and isinstance(instructions[-1], dict):
        edit = Edit(("system", len(instructions) - 1, MARK), _EPHEMERAL)
    elif not instructions and request.anatomy.tools:
        edit = Edit((*request.anatomy.tools[-1].path, MARK), _EPHEMERAL)
    return None if edit is None else Fix("Mark where what is the same ends", (edit,), safe=False)


REQUEST_RULES: Final[tuple[RequestRule, ...]] = (
    too_many_breakpoints,
    breakpoint_after_input,
    prefix_too_short,
    no_breakpoint,
)
