"""Drive a flow by hand: answer each of its effects, and look at what it asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tokenguard.call import Answered, Attempt, Call, Receipt, Where, uuid7
from tokenguard.dialects import Dialect
from tokenguard.dialects.openai_chat import CHAT
from tokenguard.effects import (
    Body,
    Deliver,
    Effect,
    End,
    Failure,
    Finish,
    Flow,
    How,
    Read,
    Reply,
    Send,
    Sleep,
)
from tokenguard.flow import flow
from tokenguard.policies import Policies
from tokenguard.pricing import PriceBook
from tokenguard.retry import Retry
from tokenguard.telemetry import Telemetry, TelemetrySettings

NOON = 1_795_176_000_000_000_000  # 2026-11-20T12:00:00Z
MS = 1_000_000
OPENAI = Where("openai", "direct", "https://api.openai.com", "api.openai.com", 443)
ANTHROPIC = Where("anthropic", "direct", "https://api.anthropic.com", "api.anthropic.com", 443)
PRICES = PriceBook(deployments={"house-model": "gpt-4.1"})
RETRY = Retry()

MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
COST = 1000 * 2_000 + 100 * 8_000  # gpt-4.1 at $2 and $8 a million, in nano-dollars


def policies(
    *, retry: Retry | None = RETRY, refuse_unpriced: bool = False, telemetry: Telemetry | None = None
) -> Policies:
    """Real policies: the public prices, and telemetry that is off unless another is given."""
    off = Telemetry(TelemetrySettings(spans="off"))
    return Policies(PRICES, retry, telemetry or off, refuse_unpriced, uuid7)


def call(model: str = "gpt-4.1", *, dialect: Dialect = CHAT, where: Where = OPENAI, **fields: Any) -> Call:
    """A call as the transport makes it, with two retries."""
    body = fields.pop("body", {"model": model, "messages": MESSAGES, "stream": fields.pop("stream", False)})
    asked = dialect.ask(body)._replace(model=model)
    given = {"retries": 2, "body": body, **fields}
    return Call(uuid7(NOON), NOON, where, dialect.operation, dialect.name, asked, **given)


def reply(status: int = 200, kind: str = "application/json", at_ms: int = 500, **headers: Any) -> Reply:
    """The head of an answer; headers with underscores for dashes."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"content-type": kind, "x-request-id": "req_1", **given}, at_ms * MS)


def stream(**fields: Any) -> Reply:
    """The head of a streamed answer."""
    return reply(kind="text/event-stream; charset=utf-8", **fields)


def body(content: Any = None, *, at_ms: int = 900, **fields: Any) -> Body:
    """A whole chat reply, or whatever is given instead."""
    if content is None:
        message = {"role": "assistant", "content": "Paris."}
        content = {
            "id": "chatcmpl-1",
            "model": "gpt-4.1-2025-04-14",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": USAGE,
            **fields,
        }
    return Body(content if isinstance(content, bytes) else json.dumps(content).encode(), at_ms * MS)


def end(how: How = "complete", answered: Answered | None = None, **fields: Any) -> End:
    """How a delivered stream ended."""
    error = ConnectionResetError("reset") if how == "broken" else None
    return End(how, answered or Answered(**fields), 900 * MS, 600 * MS, error)


def failure(
    *, sent: bool = True, cancelled: bool = False, retryable: bool = True, error: BaseException | None = None
) -> Failure:
    """No answer."""
    made = error or (KeyboardInterrupt() if cancelled else ConnectionResetError("reset"))
    return Failure(made, 700 * MS, sent, cancelled, retryable and not cancelled)


@dataclass
class Driven:
    """What a flow asked for, and what it came to."""

    call: Call
    outcome: Reply | Failure
    effects: list[Effect] = field(default_factory=list)

    def asked_for(self, kind: type[Any]) -> list[Any]:
        """The effects of one kind."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    @property
    def names(self) -> str:
        """The effects by name."""
        return " ".join(type(effect).__name__ for effect in self.effects)

    @property
    def receipt(self) -> Receipt:
        """The one receipt."""
        (finish,) = self.asked_for(Finish)
        receipt: Receipt = finish.receipt
        return receipt

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt of the call."""
        return self.call.attempts

    @property
    def sleeps(self) -> list[float]:
        """Every wait, in seconds."""
        return [effect.seconds for effect in self.asked_for(Sleep)]


def drive(
    made: Call, answers: Iterable[Any], using: Policies | None = None, *, dialect: Dialect = CHAT
) -> Driven:
    """Run a flow; ``answers`` are for its Send, Read and Deliver, in the order in which it asks."""
    waiting: Iterator[Any] = iter(answers)
    return run(
        flow(made, dialect, using or policies()),
        made,
        lambda effect: next(waiting) if isinstance(effect, Send | Read | Deliver) else None,
    )


def run(running: Flow, made: Call, answer: Callable[[Effect], Any]) -> Driven:
    """Run any flow with a function that answers each effect."""
    driven = Driven(made, failure())
    given: Any = None
    try:
        while True:
            effect = running.send(given)
            driven.effects.append(effect)
            given = answer(effect)
    except StopIteration as over:
        driven.outcome = over.value
    return driven
