"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Since = Annotated[
    str | None,
    typer.Option(help="From when: 2026-11-01, 2026-11-01T15:00, 24h, 7d, 2w, today, yesterday."),
]
Until = Annotated[
    str | None, typer.Option(help="Until when, in the same ways; a date is in the range to its end.")
]
