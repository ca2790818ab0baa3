"""``tokenguard estimate``: what a request would cost with this model and with that, before it is sent."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.table import Table
from rich.text import Text

from tokenguard.cli.costs import STANDARD, TIERS, Asked, Estimate, asked_of, learned, shown_how, together
from tokenguard.cli.costs import estimate as estimated
from tokenguard.cli.prices import configured
from tokenguard.cli.requests import requests_in
from tokenguard.cli.screen import console, print_json, print_lines
from tokenguard.errors import ConfigError
from tokenguard.pricing import PriceBook, format_usd
from tokenguard.pricing.describe import similar
from tokenguard.tokens.calibration import Calibration
from tokenguard.tokens.request import Count

PARTS: Final = ("system", "history", "user", "tools", "schema", "media", "framing")


def estimate(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Requests: JSON, or JSON on each line; - is standard input."),
    ],
    models: Annotated[
        str | None,
        typer.Option(help="Models to compare, with commas. Default: those that the requests name."),
    ] = None,
    output_tokens: Annotated[
        int | None,
        typer.Option(min=0, help="How long an answer is, in tokens. Default: the request's cap."),
    ] = None,
    calls_per_month: Annotated[int | None, typer.Option(min=1, help="Show what so many calls cost.")] = None,
    service_tier: Annotated[
        str | None,
        typer.Option(
            help="standard, batch, flex, priority or fast. Default: as the request asks; lines of batch "
            "files: batch."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON; costs are exact nano-dollars.")
    ] = False,
) -> None:
    """Show what requests would cost, part by part and model by model. Nothing is sent.

    A request may be a chat completion, a response, a completion, an embedding, or Anthropic's messages;
    also a line of a batch file. Of several requests the mean is shown. Exits with 1 if something could not
    be read; the rest is estimated.
    """
    names = _names(models)
    _check_tier(service_tier)
    found = [each for name in files for each in requests_in(name)]
    failed = {each.where: each.why_not for each in found if each.request is None}
    asked = [
        asked_of(each.where, each.request, output_tokens, service_tier)
        for each in found
        if each.request is not None
    ]
    if not names:
        failed |= {each.where: NO_MODEL for each in asked if not each.model}
        asked = [each for each in asked if each.model]
    for where, why in failed.items():
        print(f"tokenguard: {where}: {why}", file=sys.stderr)
    if asked:
        book = configured()
        known = learned()
        columns = [_column(name, asked, book, known) for name in names or [AS_NAMED]]
        _tell_unpriced(columns, book)
        if as_json:
            print_json(_report(asked, columns, failed, book, calls_per_month))
        else:
            screen = console()
            screen.print(_table(asked, columns, calls_per_month))
            print_lines(screen, _notes(asked, columns, book, capped=output_tokens is None))
    if failed:
        raise typer.Exit(1)


NO_MODEL: Final = "it names no model; name some with --models"
AS_NAMED: Final = ""
"""In place of a model: the one that each request names."""


def _names(models: str | None) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in (models or "").split(",") if name.strip()))
    if models is not None and not names:
        raise ConfigError(f"--models {models!r} names no model; write it like gpt-4.1,claude-opus-5-5")
    return names


def _check_tier(tier: str | None) -> None:
    if tier not in (None, STANDARD, *TIERS):
        raise ConfigError(f"--service-tier {tier!r} is none of {STANDARD}, {', '.join(TIERS)}")


class _Column(NamedTuple):
    """All requests with one model, or each with its own."""

    title: str
    each: list[Estimate]

    @property
    def input(self) -> Count:
        """The input of all of them."""
        return together([one.counted.total for one in self.each])

    def tokens(self, part: str) -> int:
        """The mean of a part of the input."""
        total: int = sum(getattr(one.counted, part) for one in self.each)
        return round(total / len(self.each))

    def mean(self, name: str, calls: int = 1) -> int | None:
        """The mean of a number that is known of all; for so many calls."""
        numbers = [getattr(one, name) for one in self.each]
        return None if None in numbers else round(sum(numbers) * calls / len(numbers))


def _column(name: str, asked: list[Asked], book: PriceBook, known: Calibration) -> _Column:
    at_ns = time.time_ns()
    each = [estimated(request, name or request.model, book, known, at_ns) for request in asked]
    models = {one.model for one in each}
    return _Column(models.pop() if len(models) == 1 else "as named", each)


def _tell_unpriced(columns: list[_Column], book: PriceBook) -> None:
    """Say which models have no price, and which of that name have one."""
    models = dict.fromkeys(one.model for column in columns for one in column.each if one.input_nano is None)
    for model in models:
        names = similar(book, model)
        likely = f" Did you mean: {', '.join(names)}?" if names and model not in names else ""
        print(f"tokenguard: no price for {model!r} in {book.price_set}.{likely}", file=sys.stderr)


def _table(asked: list[Asked], columns: list[_Column], calls: int | None) -> Table:
    several = f"{len(asked):,} requests: the mean"
    table = Table(
        title=Text(several if len(asked) > 1 else f"{asked[0].where}: {asked[0].dialect}"),
        title_justify="left",
    )
    table.add_column("")
    for column in columns:
        table.add_column(Text(column.title), justify="right")
    for part in PARTS:
        if any(column.tokens(part) for column in columns):
            table.add_row(part, *(f"{column.tokens(part):,}" for column in columns))
    table.add_section()
    table.add_row("input tokens", *(f"{_mean_of(column):,}" for column in columns))
    table.add_row("counted", *(shown_how(column.input) for column in columns))
    if any(column.input.how != "exact" for column in columns):
        table.add_row("at most", *(f"{-(-column.input.at_most // len(asked)):,}" for column in columns))
    table.add_row("output tokens", *(_tokens_or_none(column.mean("output")) for column in columns))
    table.add_section()
    for label, cells in _costs(columns, calls):
        table.add_row(label, *cells)
    return table


def _mean_of(column: _Column) -> int:
    return sum(column.tokens(part) for part in PARTS)  # what the rows above come to, rounded as they are


def _tokens_or_none(tokens: int | None) -> str:
    return "no cap" if tokens is None else f"{tokens:,}"


def _costs(columns: list[_Column], calls: int | None) -> list[tuple[str, list[str]]]:
    rows = [
        ("input", [format_usd(column.mean("input_nano")) for column in columns]),
        ("output", [_output_cost(column) for column in columns]),
        ("a call", [format_usd(column.mean("call_nano")) for column in columns]),
        ("1,000 calls", [format_usd(column.mean("call_nano", 1000)) for column in columns]),
    ]
    if calls is not None:
        rows.append(
            (f"{calls:,} a month", [format_usd(column.mean("call_nano", calls)) for column in columns])
        )
    return rows


def _output_cost(column: _Column) -> str:
    priced = column.mean("input_nano") is not None
    return "no cap" if priced and column.mean("output") is None else format_usd(column.mean("output_nano"))


def _notes(asked: list[Asked], columns: list[_Column], book: PriceBook, *, capped: bool) -> list[str]:
    """What the reader of the table has to know to trust it."""
    notes = []
    if any(request.output is None for request in asked):
        notes.append(
            "A request without a cap on its output: only its input is in the cost of a call. "
            "Give --output-tokens."
        )
    elif capped and any(request.output for request in asked):
        notes.append("Output is at its cap: most answers are shorter.")
    unseen = dict.fromkeys(name for request in asked for name in request.anatomy.unseen)
    if unseen:
        notes.append(f"Not in the request, and so not counted: {', '.join(unseen)}.")
    tools = dict.fromkeys(tool.name for each in asked for tool in each.anatomy.tools if not tool.ours)
    if tools:
        notes.append(f"What these tools add is the provider's, and not counted: {', '.join(tools)}.")
    tiers = dict.fromkeys(request.tier or STANDARD for request in asked)
    processing = "" if list(tiers) == [STANDARD] else f", processing: {', '.join(tiers)}"
    if any(one.input_nano is not None for column in columns for one in column.each):
        notes.append(f"Prices: {book.price_set}{processing}.")
    return notes


def _report(
    asked: list[Asked],
    columns: list[_Column],
    failed: dict[str, str],
    book: PriceBook,
    calls: int | None,
) -> dict[str, Any]:
    return {
        "requests": [
            {
                "where": request.where,
                "dialect": request.dialect,
                "service_tier": request.tier or STANDARD,
                "unseen": list(request.anatomy.unseen),
                "estimates": [_one(column.each[i]) for column in columns],
            }
            for i, request in enumerate(asked)
        ],
        "mean": [_mean(column, calls) for column in columns],
        "errors": [{"where": where, "error": why} for where, why in failed.items()],
        "price_set": book.price_set,
    }


def _one(one: Estimate) -> dict[str, Any]:
    return {
        "model": one.model,
        "input_tokens": one.counted.total._asdict(),
        "parts": {part: getattr(one.counted, part) for part in PARTS},
        "output_tokens": one.output,
        "input_nano": one.input_nano,
        "output_nano": one.output_nano,
        "cost_nano": one.call_nano,
    }


def _mean(column: _Column, calls: int | None) -> dict[str, Any]:
    return {
        "model": column.title,
        "input_tokens": _mean_of(column),
        "parts": {part: column.tokens(part) for part in PARTS},
        "how": column.input.how,
        "error": column.input.error,
        "output_tokens": column.mean("output"),
        "cost_nano": column.mean("call_nano"),
        "cost_nano_per_1000": column.mean("call_nano", 1000),
        "calls_per_month": calls,
        "cost_nano_per_month": None if calls is None else column.mean("call_nano", calls),
    }
