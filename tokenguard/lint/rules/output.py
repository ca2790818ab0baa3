"""Output: answers have a limit, under the right name, that they fit into. Part of family 4."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tokenguard.call import Json
from tokenguard.lint.finding import REMOVED, Edit, Finding, Fix, Severity
from tokenguard.lint.request import Request
from tokenguard.lint.rule import RequestRule, request_rule
from tokenguard.lint.smallest import smallest
from tokenguard.lint.worked_out import WorkedOut
from tokenguard.tokens.estimate import estimate
from tokenguard.tokens.memo import digest_of
from tokenguard.tokens.text import count

CHAT: Final = "openai.chat"
RESPONSES: Final = "openai.responses"
MESSAGES: Final = "anthropic.messages"

CAP_NAMES: Final = {CHAT: "max_completion_tokens", RESPONSES: "max_output_tokens", MESSAGES: "max_tokens"}
"""What a format calls the limit of an answer. Chat completions had ``max_tokens`` before."""

_OTHER_NAMES: Final = {
    RESPONSES: ("max_tokens", "max_completion_tokens"),
    MESSAGES: ("max_completion_tokens", "max_output_tokens"),
}
_OPENAI: Final = ("openai", "azure.ai.openai")

_LONGEST_WAIT: Final = 21_333
"""Tokens that Claude takes ten minutes for at 128,000 an hour: with more, the SDK insists on a stream
(anthropic-sdk-python, ``_calculate_nonstreaming_timeout``)."""

_LEAST_THINKING: Final = 1024
"""The smallest thinking budget that Anthropic takes (its guide to extended thinking)."""

_HEADROOM: Final = 512
"""Tokens that a reasoning model thinks before a short answer. OpenAI advises to set 25,000 aside at first
(its guide to reasoning); with fewer than this, answers that are empty are usual."""

_EASY: Final = 4096
"""Almost every schema has an answer of fewer tokens."""


@request_rule("TG401", "no-output-cap", Severity.INFO, dialects=CAP_NAMES)
def no_output_cap(request: Request) -> Iterator[Finding]:
    """A request whose answer may be as long as the model can make it.

    ## What it does
    Looks for requests without `max_completion_tokens` (chat completions), `max_output_tokens` (responses)
    or `max_tokens` (messages).

    ## Why is this bad?
    The worst case of a call is what its answer may come to: up to 128,000 tokens with the models of 2026,
    at five to eight times the price of input. It happens in loops: models that repeat themselves until the
    limit come up in the bug trackers of every framework. Budgets have to set the worst case aside while a
    call is under way.

    ## Example
    ```json
    {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Summarise this in three sentences."}]}
    ```

    ## Use instead
    ```json
    {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Summarise this in three sentences."}],
     "max_completion_tokens": 300}
    ```

    ## Fix safety
    There is no fix: only you know how long a good answer is. `tokenguard report` knows how long they were.
    """
    if request.dialect not in CAP_NAMES or request.asked.max_tokens is not None or not request.complete:
        return
    name = CAP_NAMES[request.dialect]
    if name in request.body or any(other in request.body for other in _OTHER_NAMES.get(request.dialect, ())):
        return  # null, or TG402's matter
    if request.dialect == MESSAGES:
        yield Finding("max_tokens is missing, which the API refuses", severity=Severity.ERROR)
        return
    most = request.limits.max_output
    yield Finding(f"no {name}: the answer may have " + (f"up to {most:,} tokens" if most else "any length"))


@request_rule("TG402", "wrong-cap-name", Severity.ERROR, dialects=CAP_NAMES)
def wrong_cap_name(request: Request) -> Iterator[Finding]:
    """The limit of the answer under a name that the model or the API does not take.

    ## What it does
    Looks for `max_tokens` in chat completions of OpenAI's reasoning models (o-series, gpt-5 and later), and
    for the names of other APIs in responses and messages.

    ## Why is this bad?
    The API answers 400 ("Unsupported parameter: 'max_tokens' is not supported with this model. Use
    'max_completion_tokens' instead."), after the round trip.

    ## Example
    ```json
    {"model": "o4-mini", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2000}
    ```

    ## Use instead
    ```json
    {"model": "o4-mini", "messages": [{"role": "user", "content": "Hello"}], "max_completion_tokens": 2000}
    ```

    ## Fix safety
    Renaming it is safe: the model is told the same, and the limit is the one that was meant. Reasoning
    counts towards it.
    """
    body, right = request.body, CAP_NAMES.get(request.dialect)
    if right is None:
        return
    wrong = [name for name in _OTHER_NAMES.get(request.dialect, ()) if body.get(name) is not None]
    if request.dialect == CHAT and body.get("max_tokens") is not None and _refuses_max_tokens(request):
        wrong = ["max_tokens"]
    for name in wrong[:1]:
        edits = [Edit((one,), REMOVED) for one in wrong]
        if body.get(right) is None:
            edits.append(Edit((right,), body[name]))
        yield Finding(
            f"{name} is refused here; the name is {right}", (name,), fix=Fix(f"Call it {right}", tuple(edits))
        )


@request_rule("TG403", "cap-above-maximum", Severity.ERROR)
def cap_above_maximum(request: Request) -> Iterator[Finding]:
    """A limit of the answer that is higher than the model's own.

    ## What it does
    Compares the limit with the longest answer that the model's publisher says it can make.

    ## Why is this bad?
    The APIs answer 400 ("max_tokens is too large"). Where one does not, budgets set money aside that no
    answer can cost.

    ## Example
    ```json
    {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "max_completion_tokens": 32000}
    ```

    ## Use instead
    ```json
    {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "max_completion_tokens": 16384}
    ```

    ## Fix safety
    Lowering it to the model's limit is safe: no answer is shorter for it.
    """
    cap, most = request.asked.max_tokens, request.limits.max_output
    if cap is None or most is None or cap <= most:
        return
    name = _cap_name(request)
    if name is not None:
        fix = Fix(f"Lower it to {most:,}", (Edit((name,), most),))
        yield Finding(
            f"{name} is {cap:,}, and {request.asked.model} makes {most:,} at most", (name,), fix=fix
        )


@request_rule("TG404", "cap-too-small")
def cap_too_small(request: Request) -> Iterator[Finding]:
    """A limit that the answer cannot keep to: it is paid for, and cut off.

    ## What it does
    Works out the smallest answer that the JSON schema allows, and compares its tokens with the limit, and
    with what thinking leaves of it: the thinking budget of Claude, 512 tokens of OpenAI's reasoning models
    unless their effort is `none` or `minimal`.

    ## Why is this bad?
    An answer that is cut off within its JSON is paid in full and of no use; with reasoning models it may be
    empty (`finish_reason: "length"` with no content), for reasoning counts towards the limit. Asking again
    with the same limit pays for it twice.

    ## Example
    ```json
    {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Is this spam? ..."}],
     "max_completion_tokens": 10}
    ```

    ## Use instead
    ```json
    {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Is this spam? ..."}],
     "max_completion_tokens": 1000, "reasoning_effort": "minimal"}
    ```

    ## Fix safety
    There is no fix: how much more money an answer may cost is for you to say.
    """
    cap = request.asked.max_tokens
    if not cap or (request.dialect == MESSAGES and not _thinking(request) and not request.anatomy.schema):
        return  # 0 warms Anthropic's cache up
    budget = _budget(request)
    left = cap - (budget if budget is not None and budget < cap else 0)
    if left > _EASY:
        return
    schema, name = request.anatomy.schema, _cap_name(request) or "max_tokens"
    least = _least(schema, left) if schema else 0
    if least > left:
        yield Finding(
            f"the shortest answer that the schema allows has {least:,} tokens, and {left:,} are left for it",
            (name,),
            severity=Severity.ERROR,
        )
    elif budget is None and thinks(request) and left < least + _HEADROOM:
        yield Finding(
            f"{name} is {cap:,}, and reasoning counts towards it: the answer may well be cut off, or empty",
            (name,),
        )


@request_rule("TG405", "needs-streaming", dialects=(MESSAGES,))
def needs_streaming(request: Request) -> Iterator[Finding]:
    """A long answer from Anthropic in one piece.

    ## What it does
    Looks for `max_tokens` above 21,333 without `stream`.

    ## Why is this bad?
    An answer of that length takes more than ten minutes. Anthropic's SDKs raise an error before they send
    it, unless a timeout is given; without one, networks drop a connection on which nothing happens, and
    what the model made until then is paid for.

    ## Example
    ```json
    {"model": "claude-sonnet-4-6", "max_tokens": 64000, "messages": [{"role": "user", "content": "Hello"}]}
    ```

    ## Use instead
    ```json
    {"model": "claude-sonnet-4-6", "max_tokens": 64000, "stream": true,
     "messages": [{"role": "user", "content": "Hello"}]}
    ```

    ## Fix safety
    There is no fix: a stream is read by other code.
    """
    cap = request.asked.max_tokens
    if request.dialect == MESSAGES and cap is not None and cap > _LONGEST_WAIT and not request.asked.stream:
        yield Finding(
            f"max_tokens is {cap:,}: above {_LONGEST_WAIT:,} the answer has to be streamed", ("max_tokens",)
        )


@request_rule("TG406", "thinking-budget", Severity.ERROR, dialects=(MESSAGES,))
def thinking_budget(request: Request) -> Iterator[Finding]:
    """A thinking budget that leaves nothing for the answer, or is too small to be taken.

    ## What it does
    Compares `thinking.budget_tokens` with `max_tokens`, and with the 1,024 tokens that it has at least.
    Where tools are on offer it may be above `max_tokens` (interleaved thinking), and is not compared.

    ## Why is this bad?
    The API answers 400 ("`max_tokens` must be greater than `thinking.budget_tokens`").

    ## Example
    ```json
    {"model": "claude-sonnet-4-5", "max_tokens": 4096,
     "thinking": {"type": "enabled", "budget_tokens": 8000}, "messages": [{"role": "user", "content": "Hi"}]}
    ```

    ## Use instead
    ```json
    {"model": "claude-sonnet-4-5", "max_tokens": 12096,
     "thinking": {"type": "enabled", "budget_tokens": 8000}, "messages": [{"role": "user", "content": "Hi"}]}
    ```

    ## Fix safety
    There is no fix: more for the answer costs more, and less for thinking makes it worse.
    """
    budget, cap = _budget(request), request.asked.max_tokens
    if budget is None or request.dialect != MESSAGES:
        return
    if budget < _LEAST_THINKING:
        yield Finding(
            f"budget_tokens is {budget:,}, and must be 1,024 at least", ("thinking", "budget_tokens")
        )
    elif cap is not None and budget >= cap and not request.anatomy.tools:
        yield Finding(
            f"budget_tokens is {budget:,} of {cap:,} max_tokens: nothing is left for the answer",
            ("thinking", "budget_tokens"),
        )


def _cap_name(request: Request) -> str | None:
    """Under which name the request has the limit that counts."""
    for name in (CAP_NAMES.get(request.dialect, ""), "max_tokens"):
        if request.body.get(name) is not None:
            return name
    return None


def _refuses_max_tokens(request: Request) -> bool:
    return request.provider in _OPENAI and "max_tokens" in (request.limits.refuses or ())


def _thinking(request: Request) -> Json:
    thinking = request.body.get("thinking")
    return thinking if isinstance(thinking, dict) else {}


def _budget(request: Request) -> int | None:
    """Tokens of the answer's limit that are set aside for thinking."""
    budget: Any = _thinking(request).get("budget_tokens")
    return budget if type(budget) is int else None


def thinks(request: Request) -> bool:
    """Whether the model thinks before this answer."""
    if request.dialect == MESSAGES:
        return _thinking(request).get("type") in ("enabled", "adaptive")
    said = effort(request)
    if said is not None:
        return request.limits.reasons is True and said not in ("none", "minimal")
    # The others that can think do not unless they are told to (since gpt-5.1), and take a temperature then.
    return "temperature" in (request.limits.refuses or ())


def effort(request: Request) -> str | None:
    """How much the model is asked to think; ``None`` where the request does not say."""
    said: Any = request.body.get("reasoning")
    value = said.get("effort") if isinstance(said, dict) else request.body.get("reasoning_effort")
    return value if isinstance(value, str) else None


def _least(schema: Json, left: int) -> int:
    """The tokens of the shortest answer that a schema allows; exact, where it could be more than are left."""
    digest = digest_of(schema)
    about = _about(digest, schema)
    return about if about < left / 2 else _exactly(digest, schema)


_about: Final = WorkedOut[Json, int](lambda schema: estimate(smallest(schema)))
_exactly: Final = WorkedOut[Json, int](lambda schema: count(smallest(schema), ""))

REQUEST_RULES: Final[tuple[RequestRule, ...]] = (
    no_output_cap,
    wrong_cap_name,
    cap_above_maximum,
    cap_too_small,
    needs_streaming,
    thinking_budget,
)
