"""What requests come to with a model: their input counted, their output at its cap, both priced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from tokenguard.anatomy import Anatomy
from tokenguard.call import Meter, Usage
from tokenguard.cli.report import ledger_file
from tokenguard.dialects.shape import Request
from tokenguard.ledger.learned import LearnedFrom
from tokenguard.pricing import PriceBook
from tokenguard.pricing.describe import endpoint_of
from tokenguard.tokens.calibration import Calibration
from tokenguard.tokens.request import Count, How, RequestCount, count_request

STANDARD: Final = "standard"

TIERS: Final = ("batch", "fast", "flex", "priority")
"""Ways of processing that have prices of their own; all others are the standard one."""


class Asked(NamedTuple):
    """A request, as far as its cost goes.

    Attributes:
        where: Where it stands.
        dialect: Its wire format.
        model: The model that it names; empty for none.
        anatomy: It, taken apart.
        output: How many tokens its answers have at most; ``None`` where nobody says.
        tier: How it is processed; ``None`` for the standard way.
    """

    where: str
    dialect: str
    model: str
    anatomy: Anatomy
    output: int | None
    tier: str | None


def asked_of(where: str, request: Request, output_tokens: int | None, tier: str | None) -> Asked:
    """Read a request.

    Args:
        where: Where it stands.
        request: It; of a format that has an anatomy.
        output_tokens: How long each answer is; ``None`` for its cap.
        tier: How it is processed; ``None`` for as it asks, and in a batch file as a batch.
    """
    dialect, body, path = request
    asked = dialect.ask(body)
    cap = asked.max_tokens if output_tokens is None else output_tokens
    if dialect.operation == "embeddings":
        cap = 0
    tier = tier or ("batch" if path else asked.service_tier)
    return Asked(
        where,
        dialect.name,
        asked.model,
        dialect.anatomy(body) if dialect.anatomy else Anatomy(),
        None if cap is None else max(0, cap) * max(1, asked.choices),
        tier if tier in TIERS else None,
    )


class Estimate(NamedTuple):
    """What a request comes to with a model.

    Attributes:
        model: The model.
        counted: Its input.
        output: Its output in tokens, at most; ``None`` where nobody says.
        input_nano: What its input costs, in nano-dollars; ``None`` is unpriced.
        output_nano: What its output costs at most; ``None`` is unpriced, or not known how long.
    """

    model: str
    counted: RequestCount
    output: int | None
    input_nano: int | None
    output_nano: int | None

    @property
    def call_nano(self) -> int | None:
        """What a call costs: its input, and its output where it is known how long that is."""
        return None if self.input_nano is None else self.input_nano + (self.output_nano or 0)


def estimate(asked: Asked, model: str, book: PriceBook, learned: Calibration, at_ns: int) -> Estimate:
    """What a request comes to with a model.

    Args:
        asked: The request.
        model: The model.
        book: The prices.
        learned: What is known of how models count.
        at_ns: When the prices are to hold, Unix nanoseconds.
    """
    where = endpoint_of(book, model)
    counted = count_request(asked.anatomy, model, where.provider, learned.weights(where.provider, model))
    unpriced = Estimate(model, counted, asked.output, None, None)
    if book.lookup(where=where, model=model, at_ns=at_ns, service_tier=asked.tier) is None:
        return unpriced
    meters = {**_input(asked.anatomy, counted), Meter.OUTPUT: asked.output or 0}
    charge = book.charge(Usage(meters), where=where, model=model, service_tier=asked.tier, at_ns=at_ns)
    if charge.cost_nano is None:
        return unpriced
    made = sum(line.cost_nano for line in charge.lines if line.meter.is_output)
    return unpriced._replace(
        input_nano=charge.cost_nano - made, output_nano=None if asked.output is None else made
    )


def _input(anatomy: Anatomy, counted: RequestCount) -> dict[Meter, int]:
    """The input by meter. Sound has a price of its own, which may be twenty times that of text."""
    sounds = any(part.kind == "audio" for message in anatomy.messages for part in message.parts)
    sound = counted.media if sounds else 0
    return {Meter.INPUT: counted.total.tokens - sound, Meter.AUDIO_INPUT: sound}


def learned() -> Calibration:
    """What the bills in the configured ledger taught of how models count."""
    return Calibration(LearnedFrom(ledger_file(None)))


_WORSE: Final[tuple[How, ...]] = ("exact", "calibrated", "estimated", "upper_bound")


def together(counts: Sequence[Count]) -> Count:
    """The sum of counts, which is known as well as the worst of them is."""
    if len(counts) == 1:
        return counts[0]
    tokens = sum(each.tokens for each in counts)
    off = [each.error * each.tokens for each in counts if each.error is not None]
    return Count(
        tokens,
        max((each.how for each in counts), key=_WORSE.index, default="exact"),
        sum(off) / max(tokens, 1) if len(off) == len(counts) else None,
        sum(each.at_most for each in counts),
    )


def shown_how(count: Count) -> str:
    """How a number was come by, and by how much it may be off, as people read it."""
    words, error = count.how.replace("_", " "), count.error
    if count.how in ("exact", "upper_bound"):
        return words
    if error is None:
        return f"{words} ± ?"
    return f"{words} ± {error:.1%}" if error < 0.1 else f"{words} ± {error:.0%}"
