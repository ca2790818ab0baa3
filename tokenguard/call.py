"""What one call is: the call as the application made it, its attempts, its usage, and what it came to.

A *call* is what the application asked for. An *attempt* is one physical request made for it.
A *receipt* is what the call came to; every observer (ledger, spans, metrics, headers, runs) is
handed the same receipt, so that none of them can disagree with another.

Times are integers in nanoseconds. A call reads the wall clock once, when it starts; everything
after that is measured on the monotonic clock, so a clock that is set back changes nothing.

Records that never change are named tuples: a module full of frozen dataclasses takes eight times as
long to import.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:  # a guard that does not lint does not load it
    from tokenguard.anatomy import Anatomy
    from tokenguard.lint import Finding
    from tokenguard.lint.calls import Checked

Json = dict[str, Any]
"""A decoded JSON object, as it came over the wire."""

FIRST_CLASS_TAGS: Final = ("project", "team", "environment", "feature", "customer", "user")
"""Tags with a column of their own in the ledger. Any other tag is kept as JSON."""


class Meter(StrEnum):
    """What a provider counts. Meters are disjoint: no token is in two of them.

    All are tokens but the last three. ``output`` includes reasoning tokens, which are also shown
    apart (``Usage.reasoning``) and never added. OpenAI's ``prompt_tokens`` includes cached
    tokens, Anthropic's ``input_tokens`` does not: the dialects take that difference out.
    """

    INPUT = "input"
    CACHE_READ = "cache_read"
    CACHE_WRITE = "cache_write"
    CACHE_WRITE_1H = "cache_write_1h"
    OUTPUT = "output"
    AUDIO_INPUT = "audio_input"
    AUDIO_CACHE_READ = "audio_cache_read"
    AUDIO_OUTPUT = "audio_output"
    IMAGE_INPUT = "image_input"
    IMAGE_CACHE_READ = "image_cache_read"
    IMAGE_OUTPUT = "image_output"
    REQUESTS = "requests"
    SECONDS = "seconds"
    WEB_SEARCHES = "web_searches"

    __hash__ = str.__hash__  # Enum's own is written in Python, and meters are dictionary keys

    @property
    def unit(self) -> str:
        """``token``, ``request``, ``second`` or ``search``."""
        return _UNITS.get(self, "token")

    @property
    def is_output(self) -> bool:
        """Whether the model produced it (the rest was sent to the model)."""
        return self in _OUTPUTS


_UNITS: Final = {Meter.REQUESTS: "request", Meter.SECONDS: "second", Meter.WEB_SEARCHES: "search"}
_OUTPUTS: Final = frozenset({Meter.OUTPUT, Meter.AUDIO_OUTPUT, Meter.IMAGE_OUTPUT})
_NOT_TOKENS: Final = frozenset(_UNITS)


class _Used(NamedTuple):
    meters: Mapping[Meter, int]
    reasoning: int
    total: int | None
    raw: Json | None
    estimated: bool
    input_tokens: int
    output_tokens: int


class Usage(_Used):
    """What one attempt used, as disjoint meters.

    Attributes:
        meters: Quantities by meter.
        reasoning: Tokens of the output that were reasoning.
        total: The provider's own total of tokens; ``None`` where it sends none.
        raw: The usage block as the provider sent it, for the ledger.
        estimated: Whether we counted.
        input_tokens: All tokens sent to the model, cached ones included (the semantic conventions'
            meaning). Added up here, as is the next one.
        output_tokens: All tokens the model produced, reasoning included.
    """

    __slots__ = ()

    def __new__(
        cls,
        meters: Mapping[Meter, int],
        reasoning: int = 0,
        total: int | None = None,
        raw: Json | None = None,
        estimated: bool = False,
    ) -> Usage:
        """Add the tokens up."""
        sent = produced = 0
        for meter, quantity in meters.items():
            if meter in _OUTPUTS:
                produced += quantity
            elif meter not in _NOT_TOKENS:
                sent += quantity
        return super().__new__(cls, meters, reasoning, total, raw, estimated, sent, produced)

    def anomaly(self) -> str | None:
        """Why these numbers cannot be right, or ``None``: negative, or not adding up to the total."""
        for meter, quantity in self.meters.items():
            if quantity < 0:
                return f"usage_negative:{meter}"
        if self.total is not None and self.input_tokens + self.output_tokens != self.total:
            return "usage_sum_mismatch"
        return None


class CostBasis(StrEnum):
    """Where a cost comes from."""

    USAGE = "usage"  # the provider's usage, at the price set's rates
    ESTIMATED = "estimated"  # our own count, at the price set's rates: the answer was cut short
    NONE = "none"  # nothing was billed: the provider refused or was never reached
    CACHED = "cached"  # nothing was billed: the answer came from the cache
    UNPRICED = "unpriced"  # there is usage, but no price is known for the model
    UNMETERED = "unmetered"  # the answer says nothing of its usage
    UNKNOWN = "unknown"  # it may have been billed: nobody saw the answer


class Line(NamedTuple):
    """One meter of one attempt, with its price. ``unit_price`` is USD per million units, exact."""

    meter: Meter
    quantity: int
    unit_price: str
    price_id: str
    cost_nano: int


CACHED_PRICE: Final = "cache"
"""The ``price_id`` of what a cache gave again: it has its quantity, and the price 0."""


class Charge(NamedTuple):
    """What a usage costs, in nano-dollars. ``None`` is *unpriced*, which is never 0.

    ``list_cost_nano`` is at the public price, ``cost_nano`` at the user's own price where one is
    configured. ``lines`` add up to ``cost_nano`` exactly.
    """

    cost_nano: int | None
    list_cost_nano: int | None
    lines: tuple[Line, ...]
    price_set: str


State = Literal["sent", "settled", "released", "unknown"]
"""``sent`` may be billed; ``settled`` is the truth; ``released`` cost nothing; ``unknown`` was lost."""

Status = Literal["ok", "error", "aborted"]


class Where(NamedTuple):
    """Which endpoint a call goes to: what prices, reports and spans need to know of the URL."""

    provider: str  # as in OpenTelemetry's gen_ai.provider.name: openai, anthropic, azure.ai.openai ...
    channel: str  # direct, azure, bedrock, vertex or compatible
    origin: str  # scheme://host[:port]
    host: str
    port: int
    region: str | None = None
    deployment: str | None = None


class Asked(NamedTuple):
    """What a request asks for, read from its JSON by the dialect."""

    model: str
    stream: bool = False
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    choices: int = 1
    service_tier: str | None = None


class Answered(NamedTuple):
    """What a reply says, read from its JSON or gathered from its events by the dialect."""

    response_id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    finish_reasons: tuple[str, ...] = ()
    usage: Usage | None = None
    usage_final: bool = True
    """Whether ``usage`` is the whole truth; a stream that was cut short may know its input only."""
    text: str = ""
    """The text delivered so far. Never stored; used to estimate what an aborted stream came to."""
    error_type: str | None = None
    """The type of an error that came inside a 200 answer."""
    inference_geo: str | None = None  # Anthropic: where the request was served, which has a price
    speed: str | None = None  # Anthropic: "fast" has a price of its own


class Wire(NamedTuple):
    """A request as the application made it: what a cache's key is made of. Never stored."""

    path: bytes  # with its query
    headers: Mapping[bytes, bytes]  # by names in lower case
    body: bytes


class WholeReply(NamedTuple):
    """An answer as it came, for whatever keeps answers."""

    status: int
    kind: str  # its content-type
    body: bytes | None  # as the caller saw it; None: it was too large to be kept together
    finished: bool  # for a stream: whether it said that it was over
    answered: Answered  # with its usage, unless that is an estimate
    request_id: str | None = None  # the provider's


class CacheWish(NamedTuple):
    """What the application wants of the cache for a call."""

    use: Literal["use", "bypass", "refresh", "only"] = "use"
    ttl_s: float | None = None  # None: as configured
    tags: tuple[str, ...] = ()  # besides the configured ones


FROM_CACHE: Final = frozenset({"hit", "stale", "coalesced", "similar"})
"""How the cache's part in a call may read where the answer came from it."""

CacheStatus = Literal["hit", "stale", "coalesced", "similar", "miss", "refresh", "bypass"]


@dataclass(slots=True, eq=False)
class CacheUse:
    """What the cache did for a call."""

    status: CacheStatus
    reason: str | None = None
    """Why the cache was passed by (``bypass``), or why the answer was not kept."""
    key: str | None = None
    age_s: float | None = None
    """How old the answer is that came from the cache."""
    similarity: float | None = None
    """How similar the question is that it is the answer to, where that is not the same one (``similar``)."""


@dataclass(slots=True, eq=False)
class Call:
    """One logical call, while it is under way."""

    id: str
    started_ns: int
    where: Where
    operation: str  # as in gen_ai.operation.name: chat, embeddings, text_completion ...
    dialect: str
    asked: Asked
    tags: Mapping[str, str] = field(default_factory=dict)
    run_id: str | None = None
    run_name: str | None = None
    model_asked: str | None = None
    """The model the application named, where a wish in the context put another in its place."""
    body: Json | None = None
    """The request as it is sent; read for estimates, never stored."""
    retries: int = 0
    """How many further attempts the request may have."""
    replayable: bool = True
    """Whether the request's body can be sent a second time."""
    trace: Any = None
    """What telemetry keeps of the call while it is under way."""
    wire: Wire | None = None
    """The request itself, where a policy has to look at more than its body."""
    cache_wish: CacheWish = CacheWish()  # noqa: RUF009 - it never changes
    cache: CacheUse | None = None
    anatomy: Anatomy | None = None
    """The request, taken apart, where a policy had to."""
    lint: Checked | None = None
    """What the linter found."""
    lint_ignores: tuple[str, ...] = ()
    """Rules that are off for this call."""
    hides_usage: bool = False
    """We asked for the usage chunk of a stream, the caller did not: it is taken out again."""
    attempts: list[Attempt] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Attempt:
    """One physical request. The ledger has one row for each that may have been billed."""

    id: str
    call: Call
    index: int  # 0 is the first
    role: str = "primary"  # why it was made: primary, retry, without_usage, or cache: not made at all
    state: State = "sent"
    status: Status = "ok"
    http_status: int | None = None
    error_type: str | None = None
    ended_ns: int | None = None
    answered: Answered = Answered()  # noqa: RUF009 - it never changes
    usage: Usage | None = None
    charge: Charge | None = None
    basis: CostBasis = CostBasis.UNKNOWN
    baseline_nano: int | None = None
    provider_request_id: str | None = None
    anomalies: tuple[str, ...] = ()
    waited_s: float = 0.0  # before this attempt was sent
    first_token_ns: int | None = None  # since the call started
    delivered: bool = False  # the caller has seen a part of the answer: there is no way back
    finished: bool = True  # a stream said that it was over
    body: bytes | None = None  # the answer, for the cache, until it has it


class Receipt(NamedTuple):
    """What one call came to. The same fields, under the same names, are in ledger, spans and CLI.

    Costs are integer nano-dollars; ``None`` means unpriced. ``cost_nano`` is the sum over all
    attempts; ``baseline_nano`` is what the answer would have cost as the application asked for it.
    """

    call_id: str
    started_ns: int
    duration_s: float
    first_token_s: float | None
    provider: str
    channel: str
    origin: str
    region: str | None
    operation: str
    stream: bool
    model_requested: str
    model_served: str | None
    service_tier: str | None
    status: Status
    http_status: int | None
    error_type: str | None
    finish_reasons: tuple[str, ...]
    response_id: str | None
    provider_request_id: str | None
    usage: Usage | None
    lines: tuple[Line, ...]
    cost_nano: int | None
    list_cost_nano: int | None
    baseline_nano: int | None
    cost_basis: CostBasis
    price_set: str
    attempts: int
    waited_s: float
    anomalies: tuple[str, ...]
    tags: Mapping[str, str]
    run_id: str | None
    run_name: str | None
    cache: CacheStatus | None = None
    cache_reason: str | None = None
    cache_key: str | None = None
    cache_age_s: float | None = None
    cache_similarity: float | None = None
    findings: tuple[Finding, ...] = ()
    fixed: tuple[Finding, ...] = ()
    tokens_saved: int = 0
    """By how many tokens the input was shortened before it was sent."""

    @property
    def saved_nano(self) -> int | None:
        """What the cache saved: what its answer would have cost today.

        0 for an answer that did not come from the cache; ``None`` where no price is known. What was spent
        before an old answer was taken is in ``cost_nano``, and in the ledger likewise.
        """
        return self.baseline_nano if self.cache in FROM_CACHE else 0

    @property
    def saved_usd(self) -> float | None:
        """``saved_nano`` in dollars, for reading."""
        saved = self.saved_nano
        return None if saved is None else saved / 1e9

    @property
    def prompt(self) -> str | None:
        """Which :class:`~tokenguard.Prompt` the call was made with, as its name and version: ``triage@3``."""
        return self.tags.get("prompt")

    @property
    def cost_usd(self) -> float | None:
        """``cost_nano`` in dollars, for reading; do sums on ``cost_nano``."""
        return None if self.cost_nano is None else self.cost_nano / 1e9

    @property
    def meters(self) -> Mapping[Meter, int]:
        """The quantities used, by meter; empty where the answer said nothing of its usage."""
        return self.usage.meters if self.usage else {}


def uuid7(now_ns: int) -> str:
    """A UUID of version 7 (RFC 9562 §5.7) for a Unix time in nanoseconds, in its usual text form.

    The 12 bits after the version carry the fraction of the millisecond (RFC 9562 §6.2, method 3),
    so identifiers made by one process in one millisecond still sort by time. The other 62 are random,
    which makes them unique, not secret.
    """
    millis, rest = divmod(now_ns, 1_000_000)
    fraction = (rest << 12) // 1_000_000
    value = (millis & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | _random_bits(62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# A generator of our own, seeded by the system: a system call for each identifier would cost more than all
# the rest of it, and the generator that everybody shares may be given a seed by the application.
_generator: Final = Random()  # noqa: S311 - no secrets are made of it
_random_bits: Final = _generator.getrandbits
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_generator.seed)
