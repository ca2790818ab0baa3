"""OpenAI embeddings: requests and replies. All of their tokens are input."""

from __future__ import annotations

from tokenguard.anatomy import Anatomy
from tokenguard.call import Answered, Asked, Json, Meter, Usage
from tokenguard.dialects.dialect import Dialect, optional_str, read_usage, require, tokens
from tokenguard.dialects.openai_content import inputs


def ask(body: Json) -> Asked:
    """Read a request."""
    return Asked(model=str(body.get("model") or ""))


def usage(block: Json) -> Usage:
    """The one meter of an embedding. Voyage AI and its like send the total only, which is the same."""
    require(block, "prompt_tokens", "total_tokens")
    total = block.get("total_tokens")
    name = "total_tokens" if block.get("prompt_tokens") is None else "prompt_tokens"
    return Usage(
        meters={Meter.INPUT: tokens(block, name)},
        total=total if isinstance(total, int) else None,
        raw=block,
    )


def answer(body: Json) -> Answered:
    """Read a reply."""
    return Answered(model=optional_str(body, "model"), usage=read_usage(usage, body.get("usage")))


def anatomy(body: Json) -> Anatomy:
    """Take a request apart: one message, with a part for each text."""
    return inputs(body, "input")


EMBEDDINGS = Dialect("openai.embeddings", "openai", "embeddings", ask, answer, anatomy=anatomy)
