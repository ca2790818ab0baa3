"""Waste by saying things twice: paragraphs, messages, and what the instructions say already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from tokenguard.anatomy import Path, shown
from tokenguard.lint import repeats
from tokenguard.lint.finding import Edit, Finding, Fix, Severity
from tokenguard.lint.remembered import Remembered
from tokenguard.lint.repeats import Repeat
from tokenguard.lint.request import Paragraph, Request
from tokenguard.lint.rule import RequestRule, request_rule
from tokenguard.lint.text import Text, tokens

_LEAST_TOKENS: Final = 20
_LEAST_TOKENS_OF_CODE: Final = 100
_LEAST_CHARACTERS: Final = 100
_LEAST_OF_PAIR: Final = 24
_LEAST_TO_REPLACE: Final = 100

_ALIKE: Final = 0.8
_MOST_COMPARED: Final = 64
"""So many pairs of paragraphs of one request are compared, which bounds what a hostile one can cost."""


@request_rule("TG231", "duplicate-paragraph")
def duplicate_paragraph(request: Request) -> Iterator[Finding]:
    """The same paragraph in several places of a request.

    ## What it does
    Compares all paragraphs of at least 100 characters, whatever the whitespace in them. Less than 100 tokens
    of code are not meant, nor what the assistant repeats; what repeats the instructions is
    [`repeated-instructions`](#tg235-repeated-instructions).

    ## Why is this bad?
    Every copy is paid for on every call, and tells the model nothing more. Retrieval is where most of them
    come from: overlapping chunks, the same document found by two questions.

    ## Example
    ```python
    passages = search(question) + search(rephrased)
    ```

    ## Use instead
    ```python
    passages = list(dict.fromkeys(search(question) + search(rephrased)))
    ```

    ## Fix safety
    Unsafe: it puts a reference in the place of every copy but the first. Where the text is what the model
    is to work on, the copy may be meant.
    """
    if not request.repeats:
        return
    whole = _same_messages(request)
    for repeat in request.repeats:
        roles = _roles(request, repeat)
        if roles[1] != "assistant" and not _is_instruction(roles) and repeat.message not in whole:
            yield from _repeated(request, repeat, "Refer to the first one", '[as above: "{} ..."]')


@request_rule("TG232", "near-duplicate-paragraph", Severity.INFO)
def near_duplicate_paragraph(request: Request) -> Iterator[Finding]:
    """Paragraphs that are almost the same.

    ## What it does
    Finds paragraphs of at least 100 characters that share four fifths of their runs of five words with an
    earlier one. At most 64 pairs of a request are compared.

    ## Why is this bad?
    As of [`duplicate-paragraph`](#tg231-duplicate-paragraph): chunks that overlap, templates filled in
    again and again, examples that differ in a name. The model learns little from the second one.

    ## Example
    ```text
    Order 1182 was placed in our web shop and shipped from Hamburg by parcel service. It can be returned ...

    Order 1183 was placed in our web shop and shipped from Hamburg by parcel service. It can be returned ...
    ```

    ## Use instead
    ```text
    Placed in our web shop and shipped from Hamburg by parcel service: orders 1182 and 1183. They can be ...
    ```
    """
    signs = [sign for one in request.facts for paragraph in one.paragraphs for sign in paragraph.signs]
    if len(set(signs)) == len(signs):  # as a rule: nothing is said twice
        return
    shared = {sign for sign, times in Counter(signs).items() if times > 1}
    for (i, paragraph), (earlier, other) in _pairs(request, shared):
        first, second = _stretch(request, earlier, other), _stretch(request, i, paragraph)
        alike = _LIKENESS.get((other.digest, paragraph.digest), repeats.likeness, first, second)
        wasted = tokens(second) if alike >= _ALIKE else 0
        path = request.anatomy.messages[i].path + paragraph.path
        if _is_worth_it(request, i, path, paragraph.start, paragraph.end, wasted):
            what = f"a paragraph that is {alike:.0%} one of {shown(request.anatomy.messages[earlier].path)}"
            yield Finding(what, path, paragraph.start, paragraph.end, tokens=wasted)


@request_rule("TG233", "duplicate-message")
def duplicate_message(request: Request) -> Iterator[Finding]:
    """A message, or an example of a question with its answer, that stands in a request twice.

    ## What it does
    Compares messages by who says what in them. Short ones ("yes") are compared together with the answer that
    follows them: the examples of a few-shot prompt.

    ## Why is this bad?
    The second one is paid for on every call. An agent that reads a file twice sends it twice from then on; an
    example that is there twice weighs more than the others, which is seldom meant.

    ## Example
    ```python
    examples = [("I cannot sign in", "login"), ("Wrong amount", "billing"), ("I cannot sign in", "login")]
    ```

    ## Use instead
    ```python
    examples = [("I cannot sign in", "login"), ("Wrong amount", "billing")]
    ```

    ## Fix safety
    Safe for what a tool returned: the later result says that it is the same as the earlier one, which is
    proven to be there, to the letter, and to stay. Other messages have no fix.
    """
    messages, facts = request.anatomy.messages, request.facts
    for i, earlier in _same_messages(request).items():
        size = facts[i].characters
        pair = size < _LEAST_CHARACTERS or (
            messages[i].role == "user" and _is_answered_alike(request, i, earlier)
        )
        texts = [part.text for one in messages[i : i + 1 + pair] for part in one.parts if part.text]
        wasted = sum(map(tokens, texts))
        what = (
            f"{'an example' if pair else 'a message'} that is there already: {shown(messages[earlier].path)}"
        )
        yield Finding(what, messages[i].path, tokens=wasted, fix=_same_result(request, i, earlier, wasted))


@request_rule("TG235", "repeated-instructions")
def repeated_instructions(request: Request) -> Iterator[Finding]:
    """Instructions that stand in the user's turns again.

    ## What it does
    Finds paragraphs of at least 100 characters in messages of users and tools that the instructions have too.

    ## Why is this bad?
    The model has read them, and in a conversation every turn adds another copy. In the instructions they are
    kept by the provider's prompt cache, at a tenth of the price; in the latest turn they are not.

    ## Example
    ```python
    messages = [{"role": "system", "content": rules}, {"role": "user", "content": rules + question}]
    ```

    ## Use instead
    ```python
    messages = [{"role": "system", "content": rules}, {"role": "user", "content": question}]
    ```

    ## Fix safety
    Unsafe: it takes the copy out. A reminder at the end of a long prompt can be worth its price.
    """
    for repeat in request.repeats:
        if _is_instruction(_roles(request, repeat)):
            yield from _repeated(request, repeat, "Take the copy out", "")


_LIKENESS: Final[Remembered[tuple[bytes, bytes], float]] = Remembered()
_IN_CODE: Final[Remembered[tuple[bytes, Path, int, int], bool]] = Remembered()


def _roles(request: Request, repeat: Repeat) -> tuple[str, str]:
    messages = request.anatomy.messages
    return messages[repeat.first].role, messages[repeat.message].role


def _is_instruction(roles: tuple[str, str]) -> bool:
    return roles[0] == "system" and roles[1] in ("user", "tool")


def _repeated(request: Request, repeat: Repeat, order: str, reference: str) -> Iterator[Finding]:
    start, end = repeat.start, repeat.end
    text = _text(request, repeat.message, repeat.path)
    wasted = tokens(text[start:end])
    if not _is_worth_it(request, repeat.message, repeat.path, start, end, wasted):
        return
    new = reference.format(" ".join(text[start:end].split(None, 6)[:6])[:60])
    fix = Fix(order, (Edit(repeat.path, new, start, end),), safe=False)
    how_many = "a paragraph" if repeat.paragraphs == 1 else f"{repeat.paragraphs} paragraphs"
    where = shown(request.anatomy.messages[repeat.first].path)
    yield Finding(f"{how_many} that {where} has already", repeat.path, start, end, wasted, fix)


def _is_worth_it(request: Request, message: int, path: Path, start: int, end: int, wasted: int) -> bool:
    """Whether a repetition is worth a word. Programs repeat themselves in small things, each in its place."""
    if not _LEAST_TOKENS <= wasted < _LEAST_TOKENS_OF_CODE:
        return wasted >= _LEAST_TOKENS
    key = request.facts[message].digest, path[len(request.anatomy.messages[message].path) :], start, end
    return not _IN_CODE.get(key, _is_code, _text(request, message, path), start, end)


def _is_code(text: str, start: int, end: int) -> bool:
    return Text(text).is_verbatim(start, end) or Text(text[start:end]).is_code


def _text(request: Request, message: int, path: Path) -> str:
    parts = request.anatomy.messages[message].parts
    return next((part.text for part in parts if part.path == path), "")


def _stretch(request: Request, message: int, paragraph: Paragraph) -> str:
    path = request.anatomy.messages[message].path + paragraph.path
    return _text(request, message, path)[paragraph.start : paragraph.end]


_Place = tuple[int, Paragraph]


def _pairs(request: Request, shared: set[int]) -> Iterator[tuple[_Place, _Place]]:
    """Paragraphs that may be alike, since they share a sign, each with the first one that has it."""
    seen: dict[int, _Place] = {}
    known: set[bytes] = set()
    compared = 0
    for i, (message, facts) in enumerate(zip(request.anatomy.messages, request.facts, strict=True)):
        for paragraph in facts.paragraphs:
            if shared.isdisjoint(paragraph.signs) or paragraph.digest in known:
                continue
            known.add(paragraph.digest)
            like = next((seen[sign] for sign in paragraph.signs if sign in seen), None)
            for sign in paragraph.signs:
                seen.setdefault(sign, (i, paragraph))
            if like is not None and message.role != "assistant":
                compared += 1
                if compared > _MOST_COMPARED:
                    return
                yield (i, paragraph), like


def _same_messages(request: Request) -> dict[int, int]:
    """Messages that are there already, each with the first one that is the same."""
    facts = request.facts
    if len({one.said for one in facts}) == len(facts):
        return {}
    seen: dict[bytes, int] = {}
    same: dict[int, int] = {}
    for i, (message, one) in enumerate(zip(request.anatomy.messages, facts, strict=True)):
        first = seen.setdefault(one.said, i)
        if first == i or message.role == "assistant":
            continue
        if one.characters >= _LEAST_CHARACTERS or _is_answered_alike(request, i, first):
            same[i] = first
    return same


def _is_answered_alike(request: Request, i: int, first: int) -> bool:
    """Whether the message after each of two is the same answer, and the whole is worth a word."""
    messages, facts = request.anatomy.messages, request.facts
    return (
        i + 1 < len(facts)
        and facts[i].characters + facts[i + 1].characters >= _LEAST_OF_PAIR
        and messages[i + 1].role == "assistant"
        and facts[i + 1].said == facts[first + 1].said
    )


def _same_result(request: Request, i: int, earlier: int, wasted: int) -> Fix | None:
    message, first = request.anatomy.messages[i], request.anatomy.messages[earlier]
    if wasted < _LEAST_TO_REPLACE or not (
        message.role == "tool" and len(message.parts) == len(first.parts) == 1
    ):
        return None
    part = first.parts[0]
    words = " ".join(part.text[:200].split())[:60]
    new = f'[the same as the result above that begins with "{words}"]'
    return Fix("Refer to the first result", (Edit(message.parts[0].path, new),), True, "copy", part.path)


REQUEST_RULES: Final[tuple[RequestRule, ...]] = (
    duplicate_paragraph,
    near_duplicate_paragraph,
    duplicate_message,
    repeated_instructions,
)
