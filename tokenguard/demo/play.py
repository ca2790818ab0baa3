"""Play the demo: make the calls, then ask everybody who watched what they cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tokenguard import faults
from tokenguard.call import uuid7
from tokenguard.demo.observed import SpanNode, Sums, most_retried, observed, sums
from tokenguard.demo.plan import Batch, batches
from tokenguard.demo.ties import Ties, receipt_sums
from tokenguard.demo.traffic import Answer, ask
from tokenguard.demo.upstream import Upstream
from tokenguard.guard import Guard
from tokenguard.ledger import queries
from tokenguard.ledger.queries import Report
from tokenguard.retry import Retry

BY: Final = ("team", "feature", "model")
"""What the cost table is grouped by."""

RETRY: Final = Retry(retries=2, base_s=0.1)
"""How often and how soon calls of the demo are tried again."""


@dataclass(frozen=True, slots=True)
class Played:
    """Everything there is to tell about one run of the demo."""

    mode: str
    report: Report
    ties: Ties
    answers: list[Answer]
    trace: SpanNode | None
    faults: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """The whole as JSON's types; costs are integers of nano-dollars."""
        found = self.report.as_json()
        return {
            "mode": self.mode,
            "table": found["rows"],
            "total": found["total"],
            "totals": self.ties.as_json(),
            "tied": self.ties.tied,
            "retries": self.report.total.attempts - self.report.total.calls,
            "abandoned": sum(answer.receipt.status == "aborted" for answer in self.answers),
            "answers": [
                {"question": answer.question.id, "text": answer.text, "logprobs": answer.logprobs}
                for answer in self.answers
            ],
            "trace": self.trace.as_json() if self.trace else None,
            "faults": self.faults,
        }


def _guard(ledger: Path, upstream: Upstream, demo: str) -> Guard:
    """The guard of one run of the demo, whose calls are told from others by the tag ``demo``.

    Raises:
        LedgerError: The ledger cannot be used.
    """
    tags = {"project": "tokenguard-demo", "demo": demo}
    return Guard(ledger=ledger, retry=RETRY, prices=upstream.prices, tags=tags)


def play(
    upstream: Upstream,
    ledger: Path,
    *,
    answered: Callable[[], None],
    done: Callable[[Batch, list[Answer]], None],
) -> Played:
    """Make every call, and gather what became of them.

    Args:
        upstream: Where the calls go.
        ledger: The file of the ledger. What is in it already stays, and is not counted.
        answered: Called after each call.
        done: Called after each batch.

    Raises:
        LedgerError: The ledger cannot be used.
        ConfigError: OpenTelemetry is set up in this process already.
        openai.OpenAIError, anthropic.AnthropicError: A call failed in the end.
    """
    seen, demo = observed(), uuid7(time.time_ns())
    before = seen.metrics()
    answers: list[Answer] = []
    with closing(_guard(ledger, upstream, demo)) as guard:
        for batch in batches(upstream.models, at_most=upstream.at_most):
            got = ask(batch, guard, upstream, answered)
            done(batch, got)
            answers += got
        guard.flush()
        report = queries.report(ledger, by=BY, where={"tag:demo": demo}, now_ns=time.time_ns())
    spans, after = seen.spans(demo), seen.metrics()
    ties = Ties(
        ledger=Sums(report.total.calls, report.total.cost_nano),
        receipts=receipt_sums(answer.receipt for answer in answers),
        spans=sums(spans),
        metrics=Sums(after.calls - before.calls, after.cost_nano - before.cost_nano),
    )
    return Played(upstream.mode, report, ties, answers, most_retried(spans), faults.counts())
