"""One turn of the model before it is put into a wire format: what was asked, what is said, what it counts."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, Literal

from tokenguard.testing.exchange import Request
from tokenguard.testing.schema_instance import instance_of
from tokenguard.testing.script import Answer, ToolCall
from tokenguard.tokens import text as counting
from tokenguard.tokens.ranks import encoding

Json = dict[str, Any]

Stop = Literal["stop", "length", "tool_calls"]
UsageFault = Literal["missing", "negative", "inconsistent"]

_VOCABULARY: Final = (
    "amber anchor apple atlas autumn basin beacon birch bridge candle canyon cedar cloud clover copper "
    "coral cotton crystal delta ember falcon feather field forest garden glacier granite harbor hazel "
    "island ivory jasmine juniper kettle lantern lemon linen maple marble meadow mirror morning mountain "
    "nectar oak ocean olive orchard paper pearl pebble pine planet prairie quartz rain river saffron sail "
    "silver thunder timber valley velvet willow winter"
)
_WORDS: Final = tuple(_VOCABULARY.split())


class InvalidRequestError(Exception):
    """The request is one that the provider would refuse with status 400."""

    def __init__(self, message: str, param: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param = param
        self.status = status


@dataclass(slots=True)
class Ask:
    """What one request asks of the model.

    ``prompt`` is the last text of the user: it finds recorded answers and makes default ones.
    ``input_tokens`` counts everything that the model is given to read.
    """

    request: Request
    body: Json
    model: str
    prompt: str = ""
    input_tokens: int = 0
    stream: bool = False
    max_tokens: int | None = None
    choices: int = 1
    schema: Json | None = None
    forced_tool: tuple[str, Json] | None = None
    """Name and parameters of a tool that must be called."""


@dataclass(slots=True)
class Turn:
    """What the model answers, cut to the request's cap and counted. ``pieces`` make up ``text``."""

    answer: Answer
    text: str
    pieces: Sequence[str]
    tool_calls: Sequence[ToolCall]
    stop: Stop
    input_tokens: int
    output_tokens: int
    usage_fault: UsageFault | None = None
    choices: list[Turn] = field(default_factory=list)
    """The turns of all choices, this one included, where the request asks for more than one."""

    def usage(self, made: Json, wrong: Json) -> Json | None:
        """The usage block to send: the one ``made`` from the counts, as scripted, as faulty as asked for.

        Args:
            made: The block in the wire format, from the counts of this turn.
            wrong: What to lay over it so that it does not add up.
        """
        if self.usage_fault == "missing":
            return None
        if self.answer.usage:
            made = _laid_over(made, self.answer.usage)
        if self.usage_fault == "negative":
            return {key: -value if type(value) is int else value for key, value in made.items()}
        return {**made, **wrong} if self.usage_fault == "inconsistent" else made


def take_turn(ask: Ask, answer: Answer, usage_fault: UsageFault | None = None) -> Turn:
    """Work out what is said to ``ask`` when the model means to give ``answer``."""
    answer = _with_counts(answer)
    turn = _one_choice(ask, answer, 0)
    turn.usage_fault = usage_fault
    if ask.choices > 1:
        turn.choices = [turn, *(_one_choice(ask, answer, n) for n in range(1, ask.choices))]
        if answer.output_tokens is None:
            turn.output_tokens = sum(choice.output_tokens for choice in turn.choices)
    return turn


def _one_choice(ask: Ask, answer: Answer, index: int) -> Turn:
    calls = answer.tool_calls
    text = answer.text
    if text is None and answer.chunks is not None:
        text = "".join(answer.chunks)
    if text is None and not calls and answer.refusal is None:
        if ask.forced_tool is not None:
            name, parameters = ask.forced_tool
            arguments = _instance(parameters)
            calls = (ToolCall(name, arguments if isinstance(arguments, dict) else {}),)
        elif ask.schema is not None:
            text = json.dumps(_instance(ask.schema), ensure_ascii=False)
        else:
            text = default_text(ask.prompt, index)
    spoken = spell(answer.refusal or text or "", ask.model, _room(ask, answer))
    hidden = spell(answer.thinking, ask.model).tokens if answer.thinking else 0
    output = spoken.tokens + answer.reasoning_tokens + hidden
    output += sum(spell(call.name + json.dumps(call.arguments), ask.model).tokens + 8 for call in calls)
    return Turn(
        answer=answer,
        text=spoken.text,
        pieces=spoken.pieces if answer.chunks is None or spoken.cut else answer.chunks,
        tool_calls=calls,
        stop="length" if spoken.cut else "tool_calls" if calls else "stop",
        input_tokens=ask.input_tokens if answer.input_tokens is None else answer.input_tokens,
        output_tokens=output if answer.output_tokens is None else answer.output_tokens,
    )


def _instance(schema: Any) -> Any:
    try:
        return instance_of(schema)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(f"Invalid schema: {error}") from None


def _room(ask: Ask, answer: Answer) -> int | None:
    """Tokens of text that the cap leaves once the model has done its reasoning."""
    return None if ask.max_tokens is None else max(0, ask.max_tokens - answer.reasoning_tokens)


@dataclass(frozen=True, slots=True)
class Spelling:
    """A text in pieces of about one token each, whether it had to be cut, and how many tokens it is."""

    text: str
    pieces: tuple[str, ...]
    tokens: int
    cut: bool


_NOTHING: Final = Spelling("", (), 0, cut=False)


def spell(text: str, model: str, limit: int | None = None) -> Spelling:
    """Split ``text`` into its tokens, at most ``limit`` of them; characters are never torn apart."""
    if not text:
        return _NOTHING  # and no tokenizer is loaded for it
    return (_spell_again if len(text) < 8192 else _spell)(text, counting.encoding_for(model), limit)


def _spell(text: str, encoding_name: str, limit: int | None) -> Spelling:
    bpe = encoding(encoding_name)
    tokens = bpe.encode_ordinary(text)
    cut = limit is not None and len(tokens) > limit
    pieces, held = [], b""
    for token in bpe.decode_tokens_bytes(tokens[:limit] if cut else tokens):
        held += token
        try:
            pieces.append(held.decode())
        except UnicodeDecodeError:
            continue
        held = b""
    said = "".join(pieces) if cut else text
    return Spelling(said, tuple(pieces), min(len(tokens), limit) if limit is not None else len(tokens), cut)


_spell_again = lru_cache(maxsize=256)(_spell)


def count(text: str, model: str) -> int:
    """The tokens of a text that is given to the model; cached, since histories repeat."""
    return _count_again(text, model) if len(text) < 8192 else counting.count(text, model)


_count_again = lru_cache(maxsize=2048)(counting.count)


def default_text(prompt: str, index: int = 0) -> str:
    """A sentence of 8 to 23 words that depends on nothing but the prompt and the choice's index."""
    digest = hashlib.sha256(f"{index}:{prompt}".encode("utf-8", "replace")).digest()
    words = [_WORDS[byte % len(_WORDS)] for byte in digest[1 : 9 + digest[0] % 16]]
    return f"{' '.join(words).capitalize()}."


_INPUT_KEYS: Final = ("prompt_tokens", "input_tokens")
_OUTPUT_KEYS: Final = ("completion_tokens", "output_tokens")


def _with_counts(answer: Answer) -> Answer:
    """The answer with the counts that its usage block names, whatever wire format that is from."""
    usage = answer.usage
    if not usage:
        return answer
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    out_details = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    # Anthropic's input_tokens leave cached tokens out; OpenAI's numbers have them in.
    read = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    total = next((usage[key] for key in _INPUT_KEYS if key in usage), None)
    return replace(
        answer,
        input_tokens=answer.input_tokens if total is None else total + read + written,
        output_tokens=next((usage[key] for key in _OUTPUT_KEYS if key in usage), answer.output_tokens),
        cached_tokens=details.get("cached_tokens") or read or answer.cached_tokens,
        cache_write_tokens=details.get("cache_write_tokens") or written or answer.cache_write_tokens,
        reasoning_tokens=out_details.get("reasoning_tokens") or answer.reasoning_tokens,
    )


def _laid_over(made: Json, scripted: Mapping[str, Any]) -> Json:
    """``scripted`` over ``made`` if both are of one wire format; if not, ``made`` has its counts."""
    alien = next(keys for own, keys in _ALIEN if own in made or own == "")
    return made if alien & scripted.keys() else {**made, **scripted}


_ALIEN: Final = (
    # A key of the wire format's own usage block, and keys that only others have.
    ("prompt_tokens", {"input_tokens", "output_tokens", "cache_read_input_tokens"}),
    (
        "cache_read_input_tokens",
        {"prompt_tokens", "completion_tokens", "input_tokens_details", "total_tokens"},
    ),
    ("", {"prompt_tokens", "completion_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"}),
)


class Ids:
    """Identifiers that are unique in this process and unlikely to be met again in another."""

    def __init__(self) -> None:
        self._prefix = os.urandom(6).hex()
        self._numbers: Iterator[int] = itertools.count(1)

    def __call__(self, kind: str) -> str:
        """A new identifier that begins with ``kind``, e.g. ``chatcmpl-``."""
        return f"{kind}{self._prefix}{next(self._numbers):012x}"


new_id: Final = Ids()
