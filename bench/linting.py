"""What the linter adds to a call, and how long it takes large texts. All rules are on, by default or not."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import count, islice
from pydoc_data.topics import topics
from typing import Any, Final

import intervals
import sides
from bars import Bar, estimated, openai_version
from blocks import Block, Plan, block, in_turns
from blocks import Work as BlockOfWork
from pair import Pair
from sides import Side
from speed import CALLS, calls_one_by_one
from upstream import Upstream

from tokenguard import Lint
from tokenguard.lint.engine import Linter
from tokenguard.lint.text import Text
from tokenguard.tokens.text import count as tokens_of

_ALL: Final = Lint(select=("TG",))
_MESSAGES: Final = 19
_CHAT_TOKENS: Final = 2000
_LONG_TOKENS: Final = 100_000
_LETTERS: Final = 1_000_000

_PARAGRAPHS: Final = sorted(
    {
        " ".join(paragraph.split())
        for topic in topics.values()
        for paragraph in topic.split("\n\n")
        if len(paragraph) > 200 and paragraph[:1].isalpha()
    }
)
"""Prose that comes with Python: some 300 paragraphs of its reference, 100 tokens each."""


def call_bars(upstream: Upstream, *, quick: bool, rng: random.Random) -> Iterator[Bar]:
    """A chat of 2,000 tokens: one in which only the last message is new, and one that is new as a whole."""
    plan = Plan(60, 26) if quick else Plan(150, 240)
    url = upstream.openai_url
    plain = sides.linting("plain", url, None)
    compared = [sides.bare("bare", url), plain]
    compared += [sides.linting(name, url, _ALL) for name in ("warm", "cold")]
    asked = {side.name: _chats(rng, new=side.name == "cold") for side in compared}

    def work(side: Side) -> BlockOfWork:
        def measured() -> Block:
            requests = list(islice(asked[side.name], CALLS))  # made up before the clock runs
            return block(lambda: calls_one_by_one(side, requests), side.finish, side.forget)

        return BlockOfWork(side.name, measured)

    blocks = in_turns([work(side) for side in compared], plan, rng)
    for side in compared:
        side.client.close()
        side.close()
    bare = [one.cpu_s for one in blocks["bare"]]
    for name in ("warm", "cold"):
        added = [
            ours.cpu_s - without.cpu_s for ours, without in zip(blocks[name], blocks["plain"], strict=True)
        ]
        ratio = intervals.of_paired_ratio(added, bare)
        n = len(bare) * CALLS
        yield estimated(f"lint.call.{name}_cpu_ratio", ratio, "x bare SDK, added", n, openai_version())
        us = intervals.of_median([one / CALLS * 1e6 for one in added])
        yield estimated(f"lint.call.{name}_added_us", us, "us/call", n, openai_version())
    yield Pair(blocks["plain"], blocks["bare"], CALLS, openai_version()).cpu_ratio(
        "lint.call.plain.cpu_ratio"
    )


def text_bars(*, quick: bool, rng: random.Random) -> Iterator[Bar]:
    """Texts that are long, and one that is hard for tokenizers and patterns."""
    linter, rounds = Linter(_ALL), 5 if quick else 15
    long = _text(rng, _LONG_TOKENS)
    for name, text in (("lint.100k_ms", long), ("lint.adversarial_ms", "a" * _LETTERS)):
        linter.text(Text(text[:1000]))  # what is loaded once
        taken = []
        for _ in range(rounds):
            began = time.process_time()
            linter.text(Text(text))
            taken.append((time.process_time() - began) * 1000)
        yield estimated(name, intervals.of_median(taken), "ms", rounds, f"{len(text):,} characters")


def _chats(rng: random.Random, *, new: bool) -> Iterator[Mapping[str, Any]]:
    """Requests: the same chat with another last message each time, or another chat each time."""
    chat = _chat(rng)
    for n in count():
        messages = _chat(rng) if new else chat
        last = {"role": "user", "content": f"And what about order {n}?"}
        yield {**sides.REQUEST, "messages": [*messages, last]}


def _chat(rng: random.Random) -> Sequence[Mapping[str, str]]:
    roles = ["system", *["user", "assistant"] * _MESSAGES][:_MESSAGES]
    return [{"role": role, "content": _text(rng, _CHAT_TOKENS // _MESSAGES)} for role in roles]


def _text(rng: random.Random, tokens: int) -> str:
    """About so many tokens of prose, in paragraphs."""
    paragraphs: list[str] = []
    while (left := tokens - sum(map(_tokens, paragraphs))) > 0:
        paragraph = rng.choice(_PARAGRAPHS)
        paragraphs.append(" ".join(paragraph.split()[: left * 3 // 4 + 1]))
    return "\n\n".join(paragraphs)


@cache
def _tokens(text: str) -> int:
    return tokens_of(text, "")
