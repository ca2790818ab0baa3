"""``tokenguard cache``: what is in the response cache and what it is worth; invalidate and check answers.

One file per command; ``place`` is where the cache is, ``labels`` what is shown of entries, ``stored`` and
``used`` the two halves of ``stats``. No command makes a directory, and none evicts: whoever only looks leaves
everything as it is.
"""

from __future__ import annotations

import typer

from tokenguard.cli.cache import calibrate, invalidate, ls, show, stats, verify

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Look into the response cache on this machine's disk, and invalidate answers.",
)
for _command in (
    stats.stats,
    ls.ls,
    show.show,
    invalidate.invalidate,
    verify.verify,
    calibrate.calibrate,
):
    app.command()(_command)
