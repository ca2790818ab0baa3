"""Parameters: what a model refuses, what an answer from a cache needs, what costs several times. Family 4."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tokenguard.lint.finding import REMOVED, Edit, Finding, Fix, Severity
from tokenguard.lint.request import Request
from tokenguard.lint.rule import RequestRule, request_rule
from tokenguard.lint.rules.output import CHAT, MESSAGES, RESPONSES, effort, thinks

_HARMLESS: Final[dict[str, tuple[Any, ...]]] = {
    "temperature": (1,),
    "top_p": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "n": (1,),
}
"""Values with which a parameter says what holds without it: no model refuses these."""

_SEEDED: Final = (CHAT, "openai.completions")
_SAMPLED: Final = (*_SEEDED, RESPONSES, MESSAGES)
"""Formats whose answers are drawn, and of these the ones in which a seed may say how."""

_NOT_WHILE_THINKING: Final = ("temperature", "top_k")
"""What Claude does not take while it thinks (Anthropic's guide to extended thinking)."""


@request_rule("TG407", "refused-parameter", Severity.ERROR)
def refused_parameter(request: Request) -> Iterator[Finding]:
    """A parameter that the model refuses.

    ## What it does
    Looks for parameters that the model's publisher says it does not take: sampling parameters with
    reasoning models (`temperature`, `top_p`, penalties, `logprobs` with OpenAI's unless their effort is
    `none`; `temperature`, `top_p`, `top_k` with Claude from Opus 4.7 on, and while older ones think).
    A value that says what holds anyway (`temperature=1`) is passed by.

    ## Why is this bad?
    The API answers 400 ("Unsupported value: 'temperature' does not support 0.2 with this model"), after the
    round trip. It comes up when a working program is given a newer model.

    ## Example
    ```json
    {"model": "o3", "messages": [{"role": "user", "content": "Hello"}], "temperature": 0.2}
    ```

    ## Use instead
    ```json
    {"model": "o3", "messages": [{"role": "user", "content": "Hello"}]}
    ```

    ## Fix safety
    Leaving it out is safe: with it, the call fails.
    """
    refused = request.limits.refuses or frozenset()
    if request.dialect == MESSAGES and thinks(request):
        refused = refused.union(_NOT_WHILE_THINKING)
    elif effort(request) == "none":
        return
    if refused.isdisjoint(request.body):
        return
    for name in sorted(refused.intersection(request.body)):
        value = request.body[name]
        if value is None or name == "max_tokens" or value in _HARMLESS.get(name, ()):
            continue
        fix = Fix(f"Leave {name} out", (Edit((name,), REMOVED),))
        yield Finding(f"{request.asked.model} refuses {name}", (name,), fix=fix)


@request_rule("TG408", "sampled-though-cached", Severity.INFO, dialects=_SAMPLED)
def sampled_though_cached(request: Request) -> Iterator[Finding]:
    """A call whose answers could be kept, with an answer that is drawn anew every time.

    ## What it does
    Where the guard has a response cache, looks for requests with a temperature above 0, or without one,
    that have no `seed` (which chat completions may have). Models that take no temperature are passed by.

    ## Why is this bad?
    A cache in its usual mode answers only calls that ask for one and the same answer: these go to the
    provider every time, at the full price. Extraction, sorting and routing are no worse at 0.

    ## Example
    ```python
    client.chat.completions.create(model="gpt-4.1-mini", messages=messages, temperature=0.7)
    ```

    ## Use instead
    ```python
    client.chat.completions.create(model="gpt-4.1-mini", messages=messages, temperature=0)
    ```

    ## Fix safety
    Setting it to 0 is unsafe: the model answers otherwise.

    ## Options
    `Cache(mode="always")` keeps such answers too.
    """
    body = request.body
    if (
        not request.cached
        or request.dialect not in _SAMPLED
        or "temperature" in (request.limits.refuses or ())
    ):
        return
    if request.dialect in _SEEDED and body.get("seed") is not None:
        return
    temperature = request.asked.temperature
    if temperature == 0 or request.anatomy.unseen:
        return
    said = "no temperature is set" if temperature is None else f"the temperature is {temperature:g}"
    fix = Fix("Set the temperature to 0", (Edit(("temperature",), 0),), safe=False)
    path = ("temperature",) if "temperature" in body else ()
    yield Finding(f"{said}: the cache keeps no answer of such calls", path, fix=fix)


@request_rule("TG409", "several-choices", Severity.INFO)
def several_choices(request: Request) -> Iterator[Finding]:
    """Several answers to one question.

    ## What it does
    Looks for `n` above 1 in chat completions.

    ## Why is this bad?
    Every answer is paid: `n=4` costs four times the output, for three that most programs never look at. The
    input is paid once.

    ## Example
    ```json
    {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Name our product."}], "n": 4}
    ```

    ## Use instead
    ```json
    {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Give four names for our product."}]}
    ```

    ## Fix safety
    There is no fix: a program that votes on answers needs them.
    """
    n = request.asked.choices
    if n > 1:
        yield Finding(f"n is {n}: the output is paid {n} times", ("n",))


@request_rule("TG410", "retiring-model")
def retiring_model(request: Request) -> Iterator[Finding]:
    """A model that its publisher shuts down.

    ## What it does
    Looks the model up in the shutdowns that OpenAI and Anthropic have announced.

    ## Why is this bad?
    From that day on every call fails with 404. Models that are shut down are as a rule dearer than what
    takes their place.

    ## Example
    ```json
    {"model": "claude-3-7-sonnet-20250219", "max_tokens": 500,
     "messages": [{"role": "user", "content": "Hello"}]}
    ```

    ## Use instead
    ```json
    {"model": "claude-sonnet-4-6", "max_tokens": 500,
     "messages": [{"role": "user", "content": "Hello"}]}
    ```

    ## Fix safety
    There is no fix: another model answers otherwise. Compare the two first.
    """
    day = request.limits.shutdown
    if day is not None:
        yield Finding(f"the last day of {request.asked.model} is {day.isoformat()}", ("model",))


REQUEST_RULES: Final[tuple[RequestRule, ...]] = (
    refused_parameter,
    sampled_though_cached,
    several_choices,
    retiring_model,
)
