"""Size: what does not fit, what is over its budget, what costs more from a certain length on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tokenguard.anatomy import Message, Path
from tokenguard.lint.finding import Finding, Severity
from tokenguard.lint.passages import passages
from tokenguard.lint.request import Request
from tokenguard.lint.rule import RequestRule, request_rule
from tokenguard.lint.text import tokens
from tokenguard.lint.tiers import dearer_from

_LOWEST_TIER: Final = 100_000
"""No model costs more for input that is shorter (Claude Haiku 5.5 has the lowest step)."""

_GROWN_BYTES: Final = 16_000
_GROWN_TOKENS: Final = 4_000
_GROWN_MESSAGES: Final = 16
_SHARE_OF_NEW: Final = 0.1
_LAST: Final = 8
"""The last messages of a conversation, which it cannot well do without."""

_DOMINATES: Final = 0.6
_DOMINATING_CHARACTERS: Final = 8_000
_STILL_NEEDED: Final = 4


@request_rule("TG101", "context-overflow", Severity.ERROR)
def context_overflow(request: Request) -> Iterator[Finding]:
    """More than the model can take, counting the answer that is asked for.

    ## What it does
    Compares the input and the longest answer that the request allows (`max_tokens` and its like) with the
    model's context window. An error where they are too long together; a warning where they may be, since
    the exact count is the provider's.

    ## Why is this bad?
    The provider refuses the call, after the application has waited for it; or it cuts the answer short, and
    that is billed.

    ## Example
    ```python
    client.chat.completions.create(model="gpt-4", messages=six_thousand_tokens, max_tokens=4_000)
    ```

    ## Use instead
    ```python
    client.chat.completions.create(model="gpt-4", messages=six_thousand_tokens, max_tokens=2_000)
    ```

    ## Options
    `max_input_tokens` sets a limit of your own, below the model's.
    """
    window = request.limits.context
    if window is None:
        return
    answer = request.asked.max_tokens or 0
    if request.bound is not None and request.bound + answer <= window:
        return
    total = request.count.total
    over = total.tokens + answer - window
    room = f"the model takes {window:,} tokens"
    asked = f"{total.tokens:,} of input and {answer:,} of output" if answer else f"{total.tokens:,} of input"
    if over > 0:
        yield Finding(f"{room}, and these are {asked}", tokens=over)
    elif total.at_most + answer > window:
        what = f"{room}, and these are about {asked}: it may not fit"
        yield Finding(what, severity=Severity.WARNING)


@request_rule("TG102", "input-over-budget", Severity.ERROR, option="max_input_tokens")
def input_over_budget(request: Request) -> Iterator[Finding]:
    """More input than you allow.

    ## What it does
    Compares the input of a request with `max_input_tokens`.

    ## Why is this bad?
    You said so. With `on_error="raise"`, such a call is refused before it costs anything.

    ## Example
    ```python
    guard = Guard(lint=Lint(max_input_tokens=16_000))  # and a whole book in a message
    ```

    ## Use instead
    Send the passages that the question needs, or summarise first.

    ## Options
    `max_input_tokens`: the most tokens of input. Without it, nothing is found.
    """
    most = request.settings.max_input_tokens
    if most is None or (request.bound is not None and request.bound <= most):
        return
    total = request.count.total.tokens
    if total > most:
        yield Finding(f"{total:,} tokens of input, where {most:,} are allowed", tokens=total - most)


@request_rule("TG103", "long-context-price")
def long_context_price(request: Request) -> Iterator[Finding]:
    """Just more input than the model's first price is for.

    ## What it does
    Finds requests whose input is beyond a step in the model's price, by a quarter at most.

    ## Why is this bad?
    Beyond the step every token of the request costs more, not only those that are too many: twice as much
    with the models of OpenAI (272,000), Google (200,000) and Anthropic (200,000, Haiku 5.5: 100,000) that
    have one (genai-prices).

    ## Example
    ```python
    messages = [{"role": "user", "content": passages_of_205_000_tokens}]
    ```

    ## Use instead
    ```python
    messages = [{"role": "user", "content": passages_of_195_000_tokens}]
    ```

    ## Options
    `max_input_tokens`, set to the step, makes an error of it.
    """
    if request.bound is not None and request.bound <= _LOWEST_TIER:
        return
    steps = dearer_from(request.asked.model, request.provider)
    if not steps:
        return
    total = request.count.total.tokens
    for threshold, factor in reversed(steps):
        if threshold < total:
            if total <= 1.25 * threshold:
                what = f"beyond {threshold:,} tokens every one costs {factor:g} times as much"
                yield Finding(f"{total:,} tokens of input: {what}", tokens=total - threshold)
            return


@request_rule("TG111", "system-over-budget", option="max_system_tokens")
def system_over_budget(request: Request) -> Iterator[Finding]:
    """Instructions that are longer than you allow.

    ## What it does
    Compares the instructions of a request, all system messages together, with `max_system_tokens`.

    ## Why is this bad?
    They are sent with every call. Instructions only ever grow; a budget makes somebody look when they do.

    ## Example
    ```python
    guard = Guard(lint=Lint(max_system_tokens=1_500))  # and a handbook as system prompt
    ```

    ## Use instead
    Keep what every call needs; put the rest where the call is made that needs it.

    ## Options
    `max_system_tokens`: the most that they may have together, in tokens. Without it, nothing is found.
    """
    most = request.settings.max_system_tokens
    if most is None:
        return
    system = [i for i, one in enumerate(request.anatomy.messages) if one.role == "system"]
    if sum(request.facts[i].size for i in system) > most and request.count.system > most:
        over = request.count.system - most
        what = f"instructions of {request.count.system:,} tokens, where {most:,} are allowed"
        yield Finding(what, request.anatomy.messages[system[0]].path, tokens=over)


@request_rule("TG112", "tools-over-budget", about="tools", option="max_tools_tokens")
def tools_over_budget(request: Request) -> Iterator[Finding]:
    """Tools that take more than you allow.

    ## What it does
    Compares the tools of a request with `max_tools_tokens`.

    ## Why is this bad?
    Names, descriptions and schemas of all tools are sent with every call, up to some hundred tokens each
    (o200k_base, tests/lint/test_savings.py). A server of tools that is plugged in brings dozens.

    ## Example
    ```python
    guard = Guard(lint=Lint(max_tools_tokens=2_000))  # and tools=every_tool_there_is
    ```

    ## Use instead
    ```python
    client.chat.completions.create(model="gpt-4o", messages=messages, tools=tools_for(task))
    ```

    ## Options
    `max_tools_tokens`: the most that tools may have together, in tokens. Without it, nothing is found.
    """
    most = request.settings.max_tools_tokens
    tools = request.anatomy.tools
    if most is None or not tools or sum(one.size for one in request.tools) <= most:
        return
    if request.count.tools > most:
        what = f"{len(tools)} tools of {request.count.tools:,} tokens, where {most:,} are allowed"
        yield Finding(what, tools[0].path[:-1], tokens=request.count.tools - most)


@request_rule("TG113", "passages-over-budget", option="max_passages_tokens")
def passages_over_budget(request: Request) -> Iterator[Finding]:
    """Retrieved passages that take more than you allow.

    ## What it does
    Compares the passages in a request with `max_passages_tokens`. A passage is told by its mark: an element
    such as `<document>`, `<passage>`, `<chunk>`, `<search_result>` or `<context>`, or a block that begins a
    line with its number, such as `[1]` or `Document 2:`, where there are two of them or more.

    ## Why is this bad?
    Passages are most of the input of a typical retrieval call, and those far down the list seldom have what
    the question needs.

    ## Example
    ```python
    passages = search(question, limit=50)
    ```

    ## Use instead
    ```python
    passages = tokenguard.fit_passages(question, search(question, limit=50), max_tokens=3_000).passages
    ```

    ## Options
    `max_passages_tokens`: the most that passages may have together, in tokens. Without it, nothing is found.
    """
    most = request.settings.max_passages_tokens
    if most is None or request.characters <= most:
        return
    total = 0
    first: Path = ()
    for message in request.anatomy.messages:
        for part in message.parts:
            for start, end in passages(part.text) if part.source == "content" else ():
                total += tokens(part.text[start:end])
                first = first or part.path
    if total > most:
        yield Finding(f"passages of {total:,} tokens, where {most:,} are allowed", first, tokens=total - most)


@request_rule("TG121", "growing-history")
def growing_history(request: Request) -> Iterator[Finding]:
    """A conversation that is sent again and again, and is much longer than what is new in it.

    ## What it does
    At run time, finds requests that go on from the last one of their run, with at least 16 messages and 4,000
    tokens of history, of which less than a tenth is new.

    ## Why is this bad?
    Every turn pays for all turns before it: the cost of a conversation grows with the square of its length.
    The provider's prompt cache makes that cheaper, not flat.

    ## Example
    ```python
    messages.append({"role": "user", "content": question})  # for hours
    ```

    ## Use instead
    ```python
    messages = [instructions, summary_of(messages[:-8]), *messages[-8:]]
    ```
    or the provider's own compaction.

    ## Options
    `max_input_tokens` makes an error of a conversation that is too long.
    """
    before, facts = request.before, request.facts
    if before is None or len(facts) < _GROWN_MESSAGES:
        return
    size = sum(one.size for one in facts)
    if size < _GROWN_BYTES or not before.messages:
        return
    known = len(before.messages)
    if len(facts) <= known or tuple(one.digest for one in facts[:known]) != before.messages:
        return
    if sum(one.size for one in facts[known:]) > _SHARE_OF_NEW * size:
        return
    history = request.count.history
    if history >= _GROWN_TOKENS:
        old = [
            one
            for one, message in zip(facts, request.anatomy.messages, strict=True)
            if message.role != "system"
        ]
        share = sum(one.size for one in old[:-_LAST]) / max(1, sum(one.size for one in old))
        what = f"{len(facts)} messages are sent again, {history:,} tokens, for {len(facts) - known} new ones"
        yield Finding(what, tokens=round(history * share))


@request_rule("TG122", "dominating-message", Severity.INFO)
def dominating_message(request: Request) -> Iterator[Finding]:
    """An old message that is most of the conversation.

    ## What it does
    Finds a message before the last four, other than the instructions, that has at least 8,000 characters and
    three fifths of all.

    ## Why is this bad?
    A document or a tool's result that was answered long ago is paid for again with every turn.

    ## Example
    ```python
    messages = [instructions, {"role": "user", "content": report}, answer, question, answer, question]
    ```

    ## Use instead
    ```python
    messages = [instructions, {"role": "user", "content": what_matters_of(report)}, answer, question, ...]
    ```
    """
    sizes = [one.characters for one in request.facts]
    size, total = max(sizes, default=0), sum(sizes)
    if size < max(_DOMINATING_CHARACTERS, _DOMINATES * total):
        return
    i = sizes.index(size)
    message = request.anatomy.messages[i]
    if i < len(sizes) - _STILL_NEEDED and message.role != "system":
        what = f"this message is {size / total:.0%} of the conversation"
        yield Finding(what, message.path, tokens=_tokens_of(message))


def _tokens_of(message: Message) -> int:
    return sum(tokens(part.text) for part in message.parts)


REQUEST_RULES: Final[tuple[RequestRule, ...]] = (
    context_overflow,
    input_over_budget,
    long_context_price,
    system_over_budget,
    tools_over_budget,
    passages_over_budget,
    growing_history,
    dominating_message,
)
