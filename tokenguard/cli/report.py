"""``tokenguard report``: what was spent, by team, model, day or any tag, from the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from tokenguard import config
from tokenguard.cli.options import Since, Until
from tokenguard.cli.screen import console, not_found, print_json, print_lines
from tokenguard.errors import ConfigError
from tokenguard.ledger import default_path, queries
from tokenguard.ledger.periods import from_ns, zone
from tokenguard.ledger.queries import Report, Row
from tokenguard.pricing.money import format_usd


def report(
    by: Annotated[
        str,
        typer.Option(
            help="What to group by, with commas: model, provider, operation, project, team, environment, "
            "feature, customer, user, run, status, day, week, month, or a tag of your own (tag:NAME)."
        ),
    ] = "model",
    since: Since = None,
    until: Until = None,
    tz: Annotated[
        str | None,
        typer.Option(help="Time zone of days and months, e.g. Europe/Berlin. Default: this machine's."),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Only attempts with this value, e.g. team=search. Repeatable.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON; costs are exact nano-dollars.")
    ] = False,
    ledger: Annotated[
        Path | None, typer.Option(help="The ledger's file. Default: the configured one.")
    ] = None,
) -> None:
    """Show what was spent. Exits with 1 if there is no ledger yet, with 2 if it cannot be read."""
    path, now_ns = ledger_file(ledger), time.time_ns()
    if path is None:
        raise not_found(NO_LEDGER)
    keys = [key.strip() for key in by.split(",") if key.strip()]
    conditions = _conditions(where or [])
    if not Path(path).exists():
        raise not_found(NO_LEDGER_YET.format(path))
    found = queries.report(path, by=keys, since=since, until=until, tz=tz, where=conditions, now_ns=now_ns)
    if as_json:
        print_json({"ledger": path, **found.as_json()})
        return
    screen = console()
    screen.print(_table(found))
    print_lines(screen, _notes(found))


NO_LEDGER: Final = "The configuration says that there is no ledger; name one with --ledger."
NO_LEDGER_YET: Final = "There is no ledger at {} yet: the first guarded call makes it."


def ledger_file(given: Path | None) -> str | None:
    """The ledger that was asked for, else the configured one, else the default one; ``None`` for none."""
    if given is not None:
        return str(given)
    configured = config.load().values.get("ledger")
    return None if configured is False else str(configured or default_path())


def _conditions(where: list[str]) -> dict[str, str]:
    found = {}
    for condition in where:
        name, equals, value = condition.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"--where {condition!r} is no condition; write it like team=search")
        found[name.strip()] = value.strip()
    return found


_Cell = Callable[[Row], str]

_ALWAYS: Final[list[tuple[str, _Cell]]] = [
    ("Calls", lambda row: f"{row.calls:,}"),
    ("Attempts", lambda row: f"{row.attempts:,}"),
    ("Input", lambda row: f"{row.input_tokens:,}"),
    ("Cached", lambda row: f"{row.cached_tokens:,}"),
    ("Output", lambda row: f"{row.output_tokens:,}"),
    ("Cost", lambda row: _usd(row, row.cost_nano)),
]
_IF_DIFFERENT: Final[list[tuple[str, Callable[[Row], bool], _Cell]]] = [
    (
        "At list price",
        lambda row: row.list_cost_nano != row.cost_nano,
        lambda row: _usd(row, row.list_cost_nano),
    ),
    (
        "As asked",
        lambda row: row.baseline_nano != row.cost_nano,
        lambda row: _usd(row, row.baseline_nano),
    ),
    ("From cache", lambda row: _uses_cache(row), lambda row: f"{row.cached_calls:,}"),
    ("Saved", lambda row: _uses_cache(row), lambda row: _saved(row)),
    ("Estimated", lambda row: bool(row.estimated_nano), lambda row: f"{row.estimated_share:.1%}"),
    ("Unpriced", lambda row: bool(row.unpriced), lambda row: f"{row.unpriced:,}"),
    ("Unmetered", lambda row: bool(row.unmetered), lambda row: f"{row.unmetered:,}"),
    ("Unknown", lambda row: bool(row.unknown), lambda row: f"{row.unknown:,}"),
    ("Failed", lambda row: bool(row.failed), lambda row: f"{row.failed:,}"),
    ("Under way", lambda row: bool(row.in_flight), lambda row: f"{row.in_flight:,}"),
]


def _uses_cache(row: Row) -> bool:
    return bool(row.cached_calls or row.saved_nano)


def _saved(row: Row) -> str:
    """What answers from the cache would have cost; but where no price is known that is not $0.00."""
    unknown = bool(row.cached_unpriced) and not row.saved_nano
    return format_usd(None if unknown else row.saved_nano)


def _usd(row: Row, nano: int) -> str:
    """An amount; but where nothing in the group has a known cost it is not $0.00."""
    without = row.unpriced + row.unmetered + row.unknown + row.in_flight
    if nano or without < row.attempts or not row.attempts:
        return format_usd(nano)
    return format_usd(None) if row.unpriced else "unknown"


def _table(found: Report) -> Table:
    columns = _ALWAYS + [(head, cell) for head, shown, cell in _IF_DIFFERENT if shown(found.total)]
    title = f"Usage by {', '.join(found.by)}" if found.by else "Usage"
    table = Table(
        title=Text(f"{title}, {shown_range(found.since_ns, found.until_ns, found.tz)}"),
        title_justify="left",
        show_footer=True,
    )
    for i, key in enumerate(found.by):
        table.add_column(Text(key), footer="Total" if i == 0 else "", overflow="fold")
    for head, cell in columns:
        table.add_column(head, footer=cell(found.total), justify="right", no_wrap=True)
    for row in found.rows:
        keys = [Text("(none)", style="dim") if key is None else Text(key) for key in row.keys]
        table.add_row(*keys, *(cell(row) for _, cell in columns))
    return table


def shown_range(since_ns: int | None, until_ns: int | None, tz: str) -> str:
    """A range as it stands in the title of a table."""
    in_zone, _ = zone(tz)

    def shown(moment_ns: int) -> str:
        return from_ns(moment_ns, in_zone).strftime("%Y-%m-%d %H:%M")

    begin = "the beginning" if since_ns is None else shown(since_ns)
    end = "now" if until_ns is None else shown(until_ns)
    return f"from {begin} until {end} ({tz})"


def _notes(found: Report) -> list[str]:
    """What the reader of the table has to know to trust it."""
    total, notes = found.total, []
    if not total.calls:
        return ["No calls in this range."]
    for i, key in enumerate(found.by):
        if all(row.keys[i] is None for row in found.rows):
            notes.append(f"No call in this range has a value for {key!r}.")
    if total.unpriced:
        notes.append("Unpriced attempts are not in the cost: no price is known for their model.")
    if total.unmetered:
        notes.append("Unmetered attempts are not in the cost: their answers said nothing of their usage.")
    if total.cached_unpriced:
        notes.append(
            f"Without a known price, and so not in what was saved: {total.cached_unpriced:,} answers "
            "from the cache."
        )
    if total.unknown:
        notes.append(
            "Unknown attempts were sent, but nobody saw the answer: they may have been billed in full."
        )
    return notes
