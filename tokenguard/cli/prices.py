"""``tokenguard prices``: what a model costs, meter by meter, and where that price comes from."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tokenguard import config
from tokenguard.call import Meter
from tokenguard.cli.options import AsJson
from tokenguard.cli.screen import console
from tokenguard.pricing import PriceBook
from tokenguard.pricing.describe import OVERRIDE, PriceRow, price_class, similar
from tokenguard.pricing.rates import moment_ns


def prices(
    model: Annotated[str, typer.Argument(help="The model, under any name that a request may use.")],
    provider: Annotated[
        str | None, typer.Option(help="Whose price list: openai, anthropic, azure, aws, google ...")
    ] = None,
    at: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="When, in UTC.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a model costs, with your own prices from the configuration. Exits with 1 if it has none."""
    book = configured()
    rows = book.describe(model, provider=provider, at_ns=moment_ns(at) if at else time.time_ns())
    if not rows:
        _unknown(book, model, provider)
        raise typer.Exit(1)
    screen = console()
    if as_json:
        screen.print_json(json.dumps(_report(book, model, rows)))
    else:
        screen.print(_table(book, rows))


def configured() -> PriceBook:
    """The prices of the configuration."""
    said = config.guard_arguments(config.load())
    return PriceBook(said.get("prices", ()), said.get("deployments", {}))


def _unknown(book: PriceBook, model: str, provider: str | None) -> None:
    screen = Console(stderr=True)
    screen.print(
        f"No price for {model!r}{f' at {provider}' if provider else ''} in {book.price_set}.", markup=False
    )
    if names := similar(book, model, provider=provider):
        screen.print(f"Did you mean: {', '.join(names)}?", markup=False)
    screen.print("A [[prices]] entry gives it a price of your own.", markup=False)


def _report(book: PriceBook, model: str, rows: list[PriceRow]) -> dict[str, object]:
    return {
        "requested": model,
        "provider": rows[0].provider,
        "model": rows[0].model,
        "class": price_class(rows),
        "price_set": book.price_set,
        "unit": "USD per million units",
        "prices": [row._asdict() for row in rows],
    }


def _table(book: PriceBook, rows: list[PriceRow]) -> Table:
    """One line for each meter and length of the prompt, one column for each way of processing."""
    cells = {(row.meter, row.above, row.processing): row for row in rows}
    ways = list(dict.fromkeys(row.processing for row in rows))
    name = "/".join(part for part in (rows[0].provider, rows[0].model) if part)
    table = Table(title=f"{name}  {price_class(rows) or ''}".rstrip(), title_justify="left")
    table.add_column("USD per million", no_wrap=True)
    table.add_column("Prompt", no_wrap=True)
    for way in ways:
        table.add_column(way, justify="right")
    for meter, above in sorted({(row.meter, row.above) for row in rows}, key=_reading_order):
        prices = [_cell(cells.get((meter, above, way))) for way in ways]
        table.add_row(meter.value, f"> {above:,}" if above else "", *prices)
    table.caption = f"Source: {book.price_set}" + ("; empty: as standard" if len(ways) > 1 else "")
    table.caption_justify = "left"
    return table


def _reading_order(line: tuple[Meter, int]) -> tuple[int, int]:
    meter, above = line
    return above, list(Meter).index(meter)


def _cell(row: PriceRow | None) -> str:
    if row is None:
        return ""
    if row.source != OVERRIDE:
        return row.unit_price
    return f"{row.unit_price} (yours; list {row.list_price or 'unknown'})"
