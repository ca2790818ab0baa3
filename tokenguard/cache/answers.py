"""What a flow asks of whatever may answer a call in the provider's place: a cache, or a cassette."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from tokenguard.cache.entry import Entry
from tokenguard.cache.policy import Cache
from tokenguard.call import Call, WholeReply
from tokenguard.dialects import Dialect
from tokenguard.errors import CacheMissError

if TYPE_CHECKING:
    from tokenguard.cache.plan import Found, Plan


class Resembling(Protocol):
    """Answers to similar questions.

    Attributes:
        may_block: Whether a lookup may take as long as a network does; an event loop then uses a thread.
    """

    may_block: bool

    def asks(self, call: Call, plan: Plan) -> bool:
        """Whether a call has a question that others may have asked alike; it is then in the plan."""
        ...

    def resemble(self, plan: Plan, call_id: str, now_ns: int) -> Found:
        """Look for the answer to a similar question."""
        ...


class Answers(Protocol):
    """Answers that are kept.

    Attributes:
        settings: What it was made with.
        counts: What it was asked for and what came of it, since it was made.
        wait_s: For how long a call waits for another that asks the same.
        poll_s: How often it looks, meanwhile, where that is in another process.
        may_block: Whether a lookup may take as long as a network does; an event loop then uses a thread.
        missed: What is raised for a call that cannot be answered, given the call, its plan, and what it is
            called where that is an endpoint we do not know. ``None``: the provider is asked, as a rule.
        similar: Answers to similar questions, where those are wanted.
    """

    settings: Cache
    counts: Counter[str]
    wait_s: float
    poll_s: float
    may_block: bool

    @property
    def similar(self) -> Resembling | None:
        """See above."""
        ...

    @property
    def missed(self) -> Callable[[Call, Plan | None, str], CacheMissError] | None:
        """See above."""
        ...

    def plan(self, call: Call, dialect: Dialect) -> Plan | None:
        """What a call wants; ``None`` where it is to be passed by. Says so in ``call.cache``."""
        ...

    def find(self, plan: Plan, now_ns: int, *, refresh: bool = False, leads: bool = True) -> Found:
        """Look an answer up."""
        ...

    def takes(self, status: int) -> bool:
        """Whether it wants replies of a status that nobody else has to read.

        Those are refusals (4xx), and what is neither JSON nor a stream.
        """
        ...

    def entry(self, call: Call, plan: Plan, reply: WholeReply, now_ns: int) -> Entry | None:
        """An answer of the provider's as an entry; ``None`` where nobody else can have it."""
        ...

    def put(self, plan: Plan, entry: Entry, *, keeps: bool) -> None:
        """Hand an entry to whoever waits for it, and keep it."""
        ...

    def let_go(self, plan: Plan, entry: Entry | None = None) -> None:
        """The call is over: whoever follows it gets the entry, or asks for itself."""
        ...

    def invalidate(
        self,
        *,
        tag: str | None = None,
        model: str | None = None,
        namespace: str | None = None,
        stored_before_ns: int | None = None,
    ) -> int:
        """Remove all answers that have all that is said; gives how many that were, as far as it is known."""
        ...

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything is kept; False if that took too long, or cannot be done."""
        ...

    def close(self) -> None:
        """Write what is left, and let go of files."""
        ...
