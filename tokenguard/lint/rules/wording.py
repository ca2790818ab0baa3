"""Wording: instructions about the answer that do nothing, or contradict one another. Part of family 4."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tokenguard.anatomy import Message
from tokenguard.lint.finding import Edit, Finding, Fix, Severity
from tokenguard.lint.request import Request
from tokenguard.lint.rule import RequestRule, TextRule, request_rule, text_rule
from tokenguard.lint.rules.output import thinks
from tokenguard.lint.text import Text, tokens
from tokenguard.lint.worked_out import WorkedOut

_STEPS: Final = re.compile(
    r"(?:let'?s |please |you (?:should|must) )?\b(?:think|reason)(?:ing)?\b[^.\n!?]{0,40}?"
    r"\bstep[ -]by[ -]step\b|\b(?:use|using|show) (?:your )?chain[ -]of[ -]thought\b"
    r"|\btake a deep breath and (?:think|work|consider|solve)\b",
    re.IGNORECASE,
)
_OF_STEPS: Final = ("step by step", "step-by-step", "deep breath", "chain of thought", "chain-of-thought")
"""One of these is in what the pattern finds, and is looked for many times faster."""

_LONGEST_SENTENCE: Final = 80
"""A longer sentence says more than that, and stays."""

_FILLERS: Final = (
    "please",
    "kindly ",
    "thank",
    "if you do",
    "i would ",
    "ould you ",
    "can you ",
    "it would be",
)
"""With one of these every filler begins, but for a letter; a search for them is faster than the pattern."""

_FILLER: Final = re.compile(
    r"\b(?:please,? |kindly |thank you(?: (?:very|so) much| in advance)*[.!]? ?|thanks(?: in advance)?[.!] ?"
    r"|if you (?:don't|do not) mind,? |i would (?:really )?(?:like|appreciate it if) you (?:to|could) "
    r"|(?:could|would|can) you (?:please|kindly) |it would be great if you could )",
    re.IGNORECASE,
)

_NUMBER: Final = r"(\d{1,5}|one|two|three|four|five|six|ten)"
_UNIT: Final = r"(word|sentence|paragraph|character|bullet point|line|item)s?\b"
_AT_MOST: Final = re.compile(
    r"\b(?:at most|not? more than|up to|maximum(?: of)?|max\.?|within|under|fewer than|less than|in exactly)"
    rf" {_NUMBER}[ -]{_UNIT}"
)
_LOWER_LIMITS: Final = ("at least ", "no fewer than ", "no less than ", "minimum ")
_AT_LEAST: Final = re.compile(rf"\b(?:at least|no (?:fewer|less) than|minimum(?: of)?) {_NUMBER}[ -]{_UNIT}")
_WORDS: Final = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10}

_OPPOSITES: Final = tuple(
    (words, re.compile(one), re.compile(other), what)
    for words, one, other, what in (
        (
            ("json", "markdown"),
            r"\b(?:only|nothing but|just) (?:a |with |in |valid )*json\b|\bjson (?:object |array )?only\b",
            r"\b(?:use|in|with) (?:github )?markdown (?:for|to|headings|tables?|lists?|format)"
            r"|\bformat (?:your )?(?:answer|response|output) (?:as|in|using) markdown",
            "JSON alone, and Markdown",
        ),
        (
            ("use markdown",),
            r"\b(?:plain text only|no markdown|(?:don't|do not|never) use markdown)\b",
            r"(?<!not )(?<!n't )(?<!never )\buse markdown\b",
            "no Markdown, and Markdown",
        ),
        (
            ("word",),
            r"\b(?:only|with|in) (?:a |one )?single word\b|\b(?:one|single)[- ]word answer",
            r"\bexplain (?:your|the) (?:reasoning|answer|decision)\b|\bgive (?:your |detailed )*reasons?\b",
            "one word, and reasons",
        ),
    )
)


@request_rule("TG411", "step-by-step", Severity.INFO)
def step_by_step(request: Request) -> Iterator[Finding]:
    """The advice to think step by step, for a model that does anyway.

    ## What it does
    Looks for it, and for "take a deep breath" and "use chain of thought", in requests to OpenAI's reasoning
    models, unless their effort is `none` or `minimal`, and to Claude while thinking is on.

    ## Why is this bad?
    These models think before they answer anyway. OpenAI's guide to them advises against it: it may make
    them write their steps into the answer too, which is paid twice. The words themselves are about 6 tokens
    (o200k_base); the steps are hundreds.

    ## Example
    ```json
    {"model": "o4-mini", "messages": [{"role": "user", "content": "17 * 23? Let's think step by step."}]}
    ```

    ## Use instead
    ```json
    {"model": "o4-mini", "messages": [{"role": "user", "content": "17 * 23?"}], "reasoning_effort": "high"}
    ```

    ## Fix safety
    Taking the sentence out is unsafe: the answer's form may depend on it.
    """
    if not thinks(request):
        return
    for facts, message in zip(request.facts, request.anatomy.messages, strict=True):
        for found in _steps(facts.digest, message):
            yield found.under(message.path)


@text_rule("TG412", "contradiction", Severity.INFO, default=False)
def contradiction(text: Text) -> Iterator[Finding]:
    """Two instructions about the answer that cannot both be followed.

    ## What it does
    Looks in instructions for limits of length of which the lower is above the upper ("at most 50 words",
    "at least 200 words"), and for forms that exclude one another: JSON alone and Markdown, no Markdown and
    Markdown, one word and reasons.

    ## Why is this bad?
    The model follows one of them, now this and now that: answers have to be asked for again, and each is
    paid. It is off by default, for a prompt may speak of two texts.

    ## Example
    ```text
    Answer in at most 50 words. Write at least three paragraphs, with at least 200 words.
    ```

    ## Use instead
    ```text
    Answer in at most 50 words.
    ```

    ## Fix safety
    There is no fix: which of them is meant is for you to know.

    ## Options
    `extend-select = ["TG412"]` turns it on.
    """
    lower = text.text.lower()
    if text.role != "system" or len(lower) != len(text.text):  # a few letters become two
        return
    if any(map(lower.__contains__, _LOWER_LIMITS)):
        most = {match[2]: (_number(match[1]), match[0]) for match in _AT_MOST.finditer(lower)}
        for match in _AT_LEAST.finditer(lower) if most else ():
            limit, said = most.get(match[2], (_number(match[1]), ""))
            if _number(match[1]) > limit:
                yield Finding(f"{match[0]} here, and {said} in another place", (), *match.span())
    for words, one, other, what in _OPPOSITES:
        if all(map(lower.__contains__, words)):
            first, second = one.search(lower), other.search(lower)
            if first and second:
                yield Finding(f"{what}: both are asked for", (), *second.span())


@text_rule("TG413", "politeness", Severity.INFO, default=False)
def politeness(text: Text) -> Iterator[Finding]:
    """Words that are for people.

    ## What it does
    Looks in instructions for "please", "thank you", "kindly", "I would like you to" and the like.

    ## Why is this bad?
    They are 1 to 2 % of the tokens of prompts that have them (measured with o200k_base on public prompts),
    and models follow instructions without. It is off by default: it is not much, and some find that they
    help.

    ## Example
    ```text
    Could you please summarise the following text? Thank you in advance!
    ```

    ## Use instead
    ```text
    Summarise the following text.
    ```

    ## Fix safety
    Taking the words out is unsafe: the sentence may need another form.

    ## Options
    `extend-select = ["TG413"]` turns it on.
    """
    if text.role not in ("system", "user") or text.place not in ("content", "file"):
        return
    found = [span for span in _fillers(text.text) if not text.is_verbatim(*span)]
    if found:
        edits = tuple([Edit((), "", *span) for span in found])
        wasted = sum(tokens(text.text[start:end]) for start, end in found)
        fix = Fix("Take it out", edits, safe=False)
        what = "this is for people" if len(found) == 1 else f"{len(found)} times, this is for people"
        yield Finding(what, (), found[0][0], found[-1][1], wasted, fix)


def _fillers(text: str) -> list[tuple[int, int]]:
    """Where words for people are, in order."""
    lower = text.lower()
    if len(lower) != len(text):  # a few letters become two
        return []
    starts = []
    for begins in _FILLERS:
        at = lower.find(begins)
        while at >= 0:
            starts.append(at - lower.startswith(("w", "c"), at - 1) * (begins == "ould you "))
            at = lower.find(begins, at + 1)
    found: list[tuple[int, int]] = []
    for start in sorted(starts):
        match = _FILLER.match(lower, start)
        if match and (not found or found[-1][1] <= start):
            found.append(match.span())
    return found


def _steps_in(message: Message) -> tuple[Finding, ...]:
    if message.role not in ("system", "user"):
        return ()
    depth = len(message.path)
    return tuple(
        [
            _step(part.text, match).under(part.path[depth:])
            for part in message.parts
            if part.source == "content" and any(map(part.text.lower().__contains__, _OF_STEPS))
            for match in _STEPS.finditer(part.text)
        ]
    )


_steps: Final = WorkedOut(_steps_in)


def _step(text: str, match: re.Match[str]) -> Finding:
    start = max(text.rfind(sign, 0, match.start()) for sign in ".!?\n") + 1
    ends = [end for sign in ".!?\n" if (end := text.find(sign, match.end())) >= 0]
    end = min(ends, default=len(text) - 1) + 1
    fix = None
    if end - start <= _LONGEST_SENTENCE:
        end -= text[end - 1] == "\n"
        fix = Fix("Take the sentence out", (Edit((), "", start, end),), safe=False)
    tokens = Text(text).tokens(*match.span())
    return Finding("this model thinks step by step anyway", (), *match.span(), tokens, fix)


def _number(said: str) -> int:
    return _WORDS.get(said.lower()) or int(said)


TEXT_RULES: Final[tuple[TextRule, ...]] = (contradiction, politeness)
REQUEST_RULES: Final[tuple[RequestRule, ...]] = (step_by_step,)
