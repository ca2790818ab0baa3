"""``tokenguard cache stats``: what is stored, and from the ledger what it was worth."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from tokenguard.cache import upkeep
from tokenguard.cli.cache import stored, used
from tokenguard.cli.cache.place import Directory, directory_of, missing
from tokenguard.cli.cache.stored import Stored
from tokenguard.cli.options import AsJson, Since, Until
from tokenguard.cli.report import NO_LEDGER, NO_LEDGER_YET, ledger_file
from tokenguard.cli.screen import console, not_found, print_json, print_lines
from tokenguard.ledger.cache_use import CacheUse, cache_use


def stats(
    directory: Directory = None,
    ledger: Annotated[
        Path | None, typer.Option(help="The ledger's file. Default: the configured one.", show_default=False)
    ] = None,
    since: Since = None,
    until: Until = None,
    tz: Annotated[
        str | None, typer.Option(help="Time zone of dates, e.g. Europe/Berlin. Default: this machine's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is stored, and from the ledger what was looked up, what it saved, and what gave the hits.

    A cache in memory only has no directory, and a cache may be used without a ledger: what there is is shown.
    Exits with 1 if there is neither, or if what was named is not there.
    """
    now_ns, where = time.time_ns(), directory_of(directory)
    there = stored.found_in(where, now_ns) if directory is not None or upkeep.is_cache(where) else None
    path = ledger_file(ledger)
    use = None
    if path is not None and Path(path).exists():
        use = cache_use(path, since=since, until=until, tz=tz, now_ns=now_ns)
    lacking = [] if there else [missing(where)]
    if use is None:
        lacking.append(NO_LEDGER if path is None else NO_LEDGER_YET.format(path))
        if ledger is not None or there is None:
            raise not_found(*lacking)
    if as_json:
        print_json(_json(there, path, use))
        return
    screen = console()
    for part in (*(stored.parts(there) if there else ()), *(used.parts(use, there) if use else ())):
        screen.print(part)
    print_lines(screen, (*(used.notes(use) if use else ()), *(there.notes if there else ()), *lacking))


def _json(there: Stored | None, ledger: str | None, use: CacheUse | None) -> dict[str, Any]:
    return {
        "directory": there and str(there.directory),
        "store": there and there.as_json(),
        "ledger": use and ledger,
        "use": use and {**use.as_json(), "curve": list(used.curve(use, there))},
    }
