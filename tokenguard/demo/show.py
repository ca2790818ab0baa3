"""The demo on a screen or in a pipe: progress, cost table, span tree, and whether the totals tie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any, Final

from rich.box import SIMPLE
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from tokenguard.demo.observed import SpanNode
from tokenguard.demo.plan import Batch
from tokenguard.demo.play import BY, Played
from tokenguard.demo.ties import Ties
from tokenguard.demo.traffic import Answer
from tokenguard.ledger.queries import Report, Row
from tokenguard.pricing import format_usd
from tokenguard.telemetry import semconv as sc

_SHOWN: Final = (
    "question.id",
    sc.OWN + "team",
    sc.OWN + "feature",
    sc.ATTEMPTS,
    sc.PROVIDER,
    sc.RESPONSE_MODEL,
    sc.INPUT_TOKENS,
    sc.OUTPUT_TOKENS,
    sc.RESEND_COUNT,
    sc.COST_NANO,
)
"""The attributes that the span tree shows; there are more."""

_ANSWERS: Final = 5
"""Answers shown with their log-probabilities."""

_READ_AT_A_GLANCE: Final = 36
"""Characters of a question or an answer that are shown."""


def usd(nano: int) -> str:
    """An amount in dollars, to the last nano-dollar."""
    return f"${nano // 10**9}.{nano % 10**9:09d}"


def batch_line(batch: Batch, answers: Sequence[Answer]) -> str:
    """One line about a batch that is done."""
    receipts = [answer.receipt for answer in answers]
    cost = format_usd(sum(receipt.cost_nano or 0 for receipt in receipts))
    retries = sum(receipt.attempts - 1 for receipt in receipts)
    notes = [f"{retries} retried"] * bool(retries)
    calls = f"{len(answers)} call{'s' if len(answers) > 1 else ' '}"
    line = f"{batch.team:<9} {batch.feature:<10} {batch.model:<21} {calls:>7}  {batch.way:<16} {cost:>10}"
    return f"{line}  {', '.join(notes)}".rstrip()


def everything(played: Played) -> Group:
    """All that is to be seen once the calls are over."""
    parts: list[RenderableType] = ["", cost_table(played.report), ""]
    if any(answer.logprobs for answer in played.answers):
        parts += [certainty_table(played.answers), ""]
    if played.trace is not None:
        parts += [
            Text("One call as OpenTelemetry has it (some of its attributes):"),
            span_tree(played.trace),
            "",
        ]
    lines = tie_lines(played.ties) + remarks(played.report.total)
    return Group(*parts, *(Text(line) for line in lines))


def cost_table(report: Report) -> Table:
    """Cost by team, feature and model, with the total; it fits into 80 columns."""
    table = Table(
        title=f"What it cost, by {', '.join(BY)}",
        title_justify="left",
        show_footer=True,
        box=SIMPLE,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for name in BY:
        table.add_column(name.capitalize(), footer="Total" if name == BY[0] else "")
    for head, value in zip(_HEADS, _numbers(report.total), strict=True):
        table.add_column(head, footer=value, justify="right", no_wrap=True)
    for row in sorted(report.rows, key=lambda row: (row.keys[0] or "", row.keys[1] or "", -row.cost_nano)):
        table.add_row(*(Text(key or "(none)") for key in row.keys), *_numbers(row))
    return table


_HEADS: Final = ("Calls", "Input", "Output", "Cost")


def _numbers(row: Row) -> tuple[str, ...]:
    counts = (row.calls, row.input_tokens, row.output_tokens)
    return (*(f"{count:,}" for count in counts), usd(row.cost_nano))


def span_tree(node: SpanNode) -> Tree:
    """A span with its attributes and events, and all spans below it."""
    return _grown(Tree(_label(node, {})), node)


def _grown(tree: Tree, node: SpanNode) -> Tree:
    for event in node.events:
        said = ", ".join(f"{name}={_short(value)}" for name, value in event["attributes"].items())
        tree.add(Text(f"event {event['name']}: {said}", style="yellow"))
    for child in node.children:
        _grown(tree.add(_label(child, node.attributes)), child)
    return tree


def _label(node: SpanNode, above: Mapping[str, Any]) -> Text:
    """Name, duration and attributes, but for those that the span above has just the same."""
    label = Text.assemble((node.name, "bold"), f"  {node.duration_ms:.1f} ms")
    for name in _SHOWN:
        if name in node.attributes and node.attributes[name] != above.get(name):
            label.append(f"\n{name} = {_short(node.attributes[name])}", style="dim")
    return label


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def certainty_table(answers: Sequence[Answer]) -> Table:
    """Answers with the geometric mean of their tokens' probabilities, the surest first."""
    table = Table(title="How sure the model was of its tokens, on average", title_justify="left")
    for head in ("Question", "Answer"):
        table.add_column(head, no_wrap=True, overflow="ellipsis", max_width=_READ_AT_A_GLANCE)
    for head in ("Mean log-prob", "Probability"):
        table.add_column(head, no_wrap=True, justify="right")
    means = [(sum(a.logprobs) / len(a.logprobs), a) for a in answers if a.logprobs]
    for mean, answer in sorted(means, key=lambda pair: -pair[0])[:_ANSWERS]:
        asked, said = answer.question.prompt.partition("\n")[0], " ".join(answer.text.split())
        table.add_row(Text(asked), Text(said), f"{mean:.3f}", f"{exp(mean):.0%}")
    return table


def tie_lines(ties: Ties) -> list[str]:
    """Whether the totals tie, to the nano-dollar; one by one if they do not."""
    if ties.tied:
        cost = usd(ties.ledger.cost_nano)
        return [f"Totals tie to the nano: ledger = receipts = spans = metrics = {cost}"]
    counts = ties.accounts.items()
    each = [f"  {name:<9} {sums.calls:>4} calls  {usd(sums.cost_nano)}" for name, sums in counts]
    return ["TOTALS DO NOT TIE:", *each]


def remarks(total: Row) -> list[str]:
    """What there is to know about a total."""
    lines = []
    if retries := total.attempts - total.calls:
        lines.append(f"{retries} attempts were refused and made again; a refusal costs nothing.")
    if total.estimated_nano:
        lines.append(
            f"{usd(total.estimated_nano)} of it is our own count, for the stream that was abandoned half-way."
        )
    if total.unpriced or total.unmetered or total.unknown:
        lines.append(
            f"Not in the cost: {total.unpriced} unpriced, {total.unmetered} unmetered and "
            f"{total.unknown} unknown attempts."
        )
    return lines


def wide(console: Console, width: int = 110) -> Console:
    """The console, as wide as the tables need where it is nobody's window."""
    if not console.is_terminal:
        console.width = max(console.width, width)
    return console
