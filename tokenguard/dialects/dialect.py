"""What a wire format must be able to say about itself: pure functions on JSON, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from tokenguard.anatomy import Anatomy
from tokenguard.call import Answered, Asked, Json, Usage


class EventReader(Protocol):
    """Reads the events of one streamed answer, one after the other."""

    started: bool
    """Whether content (text, reasoning, a tool call) has come: the first token."""
    finished: bool
    """Whether the answer said that it is over: what comes later changes nothing."""
    text_key: str | None
    """Under which key the last event had its text; ``None`` unless an event that differs from it in that
    text alone would add its text, and do nothing else."""

    def feed(self, name: str | None, data: Json) -> bool:
        """Take one event in. True if it carries nothing but the usage (OpenAI's extra chunk)."""
        ...

    def add(self, text: str) -> None:
        """Take in an event that differs from the last one in nothing but its text, which is not empty."""
        ...

    def answered(self) -> Answered:
        """What the events have said so far."""
        ...


class Dialect(NamedTuple):
    """One wire format.

    ``ask`` reads a request, ``answer`` a whole reply, ``events`` a streamed one. ``with_usage``
    gives the request that also asks for usage at the end of its stream, or ``None`` where the
    format sends it anyway or the caller has asked already. ``anatomy`` takes a request apart; it
    never raises, whatever the body is.
    """

    name: str  # e.g. openai.chat
    provider: str  # whose format it is: openai or anthropic
    operation: str  # as in gen_ai.operation.name
    ask: Callable[[Json], Asked]
    answer: Callable[[Json], Answered]
    events: Callable[[], EventReader] | None = None
    with_usage: Callable[[Json], Json | None] | None = None
    anatomy: Callable[[Json], Anatomy] | None = None


_MOST: Final = 2**40
"""No count is higher: a trillion tokens would take any model years, and must not overflow a column."""


def tokens(block: Json, name: str) -> int:
    """A count from a usage block; 0 where it is absent or null.

    Raises:
        TypeError: It is there, but it is not a whole number.
        ValueError: No call can have used that much.
    """
    value = block.get(name)
    if value is None:
        return 0
    if type(value) is not int:  # nor a bool, which is an int to Python
        raise TypeError(f"{name} is {value!r}, not a whole number of tokens")
    if value > _MOST:
        raise ValueError(f"{name} is beyond any call")
    return value


def require(block: Json, *names: str) -> None:
    """Make sure that a usage block says something: tokens that it does not speak of are not 0.

    Raises:
        TypeError: It has none of these counts.
    """
    for name in names:
        if block.get(name) is not None:
            return
    raise TypeError(f"a usage block without {' or '.join(names)}")


def details(block: Json, name: str) -> Json:
    """A nested block of a usage block; empty where it is absent or null."""
    value = block.get(name)
    return value if isinstance(value, dict) else {}


def items(body: Json, name: str) -> list[Json]:
    """The objects in a list; empty where it is absent or no list."""
    value = body.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def optional_int(body: Json, name: str) -> int | None:
    """A whole number from a request, or ``None`` (the provider will complain of anything else)."""
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if abs(value) <= _MOST else None


def optional_float(body: Json, name: str) -> float | None:
    """A number from a request, or ``None``."""
    value = body.get(name)
    if isinstance(value, float):
        return value
    whole = optional_int(body, name)
    return None if whole is None else float(whole)


def optional_str(body: Json, name: str) -> str | None:
    """A string from a request or reply, or ``None``."""
    value = body.get(name)
    return value if isinstance(value, str) else None


def read_usage(read: Callable[[Json], Usage], block: object) -> Usage | None:
    """The usage in a block, or ``None`` where there is none that can be read.

    A block that is not understood is kept whole in ``raw`` with no meters, so that the ledger has
    what the provider sent, and the receipt says that it could not be read.
    """
    if not isinstance(block, dict) or not block:
        return None
    try:
        return read(block)
    except (TypeError, ValueError, OverflowError):
        return Usage(meters={}, raw=block)
