"""What is counted of one message, and remembered with it."""

from __future__ import annotations

import marshal
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from tokenguard.anatomy import Message, Part
from tokenguard.tokens.families import Family
from tokenguard.tokens.images import HEAD
from tokenguard.tokens.length import Length, length
from tokenguard.tokens.media import Seen, seen
from tokenguard.tokens.memo import Memo, digest_of

_TAIL: Final = 64
"""So many characters of a text's end say whether a line break after it is a token of its own."""


class Said(NamedTuple):
    """One message, counted.

    Attributes:
        text: Its texts, with the arguments of calls and the answers of tools. Thoughts that are sent back are
            counted, but a provider may leave some out.
        framed: Whether it is a message as such: it has something besides calls and answers.
        calls: How many tools it calls.
        named: Tokens of their names.
        results: How many answers of tools it has.
        author: Tokens of its author's name.
        media: Its pictures, sounds and documents.
        papers: Those of its documents that are texts.
        unseen: Bytes of what only the provider can read.
        newline: Tokens that a line break at its end adds.
        plain: Whether it is text and nothing else, as most are.
    """

    text: Length
    framed: bool
    calls: int = 0
    named: int = 0
    results: int = 0
    author: int = 0
    media: tuple[Seen, ...] = ()
    papers: Length = Length()
    unseen: int = 0
    newline: int = 0
    plain: bool = True


_memos: defaultdict[str, Memo[Said]] = defaultdict(Memo)


def all_said(messages: Sequence[Message], family: Family) -> list[Said]:
    """Messages, counted: now, or when they were seen before."""
    memo = _memos[family.tokenizer]
    return [memo.get(_digest(message)) or _new(memo, message, family) for message in messages]


def _new(memo: Memo[Said], message: Message, family: Family) -> Said:
    return memo.put(_digest(message), _count(message, family))


def _digest(message: Message) -> bytes | None:
    for part in message.parts:
        if part.media is not None:  # megabytes of a picture are not read again only to be recognized
            return digest_of([message.role, message.name, *map(_short, message.parts)])
    return digest_of((message.role, message.raw))


def _short(part: Part) -> tuple[object, ...]:
    media = part.media
    if media is None:
        return part.kind, part.text, part.source, part.name
    read = media.data if part.kind == "file" else media.data[: media.start + HEAD]
    return part.kind, part.text, part.source, part.name, read, len(media.data), *media[1:]


def _count(message: Message, family: Family) -> Said:
    text = papers = Length()
    media: list[Seen] = []
    for part in message.parts:
        found = length(part.text, family)
        text = text.plus(found._replace(exact=False) if part.source == "reasoning" else found)
        if part.kind not in ("text", "unseen"):
            item = seen(part)
            papers = papers.plus(length(item.text or "", family)._replace(exact=False))
            media.append(item._replace(text=item.text and ""))
    calls = [part for part in message.parts if part.source == "tool_call"]
    return Said(
        text,
        not message.parts or any(part.source not in ("tool_call", "tool_result") for part in message.parts),
        len(calls),
        round(sum(length(part.name, family).tokens for part in calls)),
        _results(message),
        round(length(message.name, family).tokens),
        tuple(media),
        papers,
        _size(message) if any(part.kind == "unseen" for part in message.parts) else 0,
        _newline(message, family),
        plain=not message.name
        and all(part.kind == "text" and part.source in ("content", "reasoning") for part in message.parts),
    )


def _results(message: Message) -> int:
    """How many answers of tools there are: OpenAI has a message for each, Anthropic a block."""
    block = len(message.path) + 2
    blocks = {part.path[:block] for part in message.parts if part.source == "tool_result"}
    anthropic = isinstance(message.raw, dict) and message.raw.get("role") == "user"
    return len(blocks) if anthropic else min(1, len(blocks))


def _size(message: Message) -> int:
    try:
        return len(marshal.dumps(message.raw, 2))
    except ValueError:
        return 0


def _newline(message: Message, family: Family) -> int:
    if message.role != "system" or not message.parts or not family.published:
        return 0
    end = message.parts[-1].text[-_TAIL:]
    return round(length(f"{end}\n", family).tokens - length(end, family).tokens)
