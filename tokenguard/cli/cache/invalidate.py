"""``tokenguard cache invalidate``: answers that are given no more, by any process."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from tokenguard.cache import upkeep
from tokenguard.cache.store import Which
from tokenguard.cli.cache import labels
from tokenguard.cli.cache.place import Directory, Model, Namespace, Tag, directory_of, opened
from tokenguard.cli.options import AsJson
from tokenguard.cli.screen import not_found, print_json
from tokenguard.durations import seconds
from tokenguard.errors import ConfigError


def invalidate(
    directory: Directory = None,
    tag: Tag = None,
    model: Model = None,
    namespace: Namespace = None,
    older_than: Annotated[
        str | None,
        typer.Option(help="Only answers that came longer ago than this: 90s, 12h, 7d.", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All answers.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before all answers are removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the answers that have all that is said, in every process: none of them is given any more.

    Nor is an answer kept that was asked for before. A namespace alone is given up as a whole.
    Ends with 0 also if there were none.
    """
    age_ns = None if older_than is None else int(seconds(older_than, "--older-than") * 1e9)
    which = Which(tag, model, namespace, None if age_ns is None else time.time_ns() - age_ns)
    if (which == Which()) is not everything:
        raise ConfigError(
            "say what to invalidate: --tag, --model, --namespace or --older-than; or --all alone"
        )
    where = directory_of(directory)
    if everything and not yes:
        with opened(where) as store:
            n = len(labels.listed(store).answers)
        if not typer.confirm(f"Remove all {n:,} answers from {where}?", err=True):
            raise not_found("Nothing was removed.")
    with opened(where) as store:
        removed = upkeep.invalidate(store, which)
    if as_json:
        print_json({"directory": str(where), "removed": removed})
    else:
        print(f"{removed:,} answers were removed from {where}.")
