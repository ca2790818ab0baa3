"""What a plan can cost at most, to be said before a cent is spent."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from tokenguard.call import Meter, Usage, Where
from tokenguard.demo.plan import Batch
from tokenguard.errors import ConfigError
from tokenguard.pricing import PriceBook

_FORMAT_TOKENS: Final = 100
"""More than the chat format of either provider puts around one short message."""

_WHERE: Final = {
    "openai": Where("openai", "direct", "https://api.openai.com", "api.openai.com", 443),
    "anthropic": Where("anthropic", "direct", "https://api.anthropic.com", "api.anthropic.com", 443),
}


def worst_case_nano(prices: PriceBook, batches: Iterable[Batch], *, max_tokens: int, attempts: int) -> int:
    """Nano-dollars that the batches cost at most, if every attempt of every call is billed in full.

    A token is at least one byte, so a prompt's bytes are no fewer than its tokens; the answer is capped.

    Args:
        prices: What tokens cost.
        batches: What is going to be asked.
        max_tokens: The cap on each answer, in tokens.
        attempts: How often each call is tried, at most.

    Raises:
        ConfigError: No price is known for a model.
    """
    now_ns, total = time.time_ns(), 0
    for batch in batches:
        for question in batch.questions:
            sent = len(question.prompt.encode()) + _FORMAT_TOKENS
            usage = Usage({Meter.INPUT: sent, Meter.OUTPUT: max_tokens})
            charge = prices.charge(
                usage, where=_WHERE[batch.sdk], model=batch.model, service_tier=None, at_ns=now_ns
            )
            if charge.cost_nano is None:
                raise ConfigError(
                    f"no price is known for model {batch.model!r}; choose another one for the demo"
                )
            total += attempts * charge.cost_nano
    return total
