"""``tokenguard config``: is the configuration right, what does it come to, and its schema for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tokenguard import config
from tokenguard.cli.options import AsJson
from tokenguard.cli.screen import print_json
from tokenguard.config.models import Configuration
from tokenguard.config.sources import shadowed
from tokenguard.config.toml import document
from tokenguard.errors import ConfigError

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Check and show the configuration: tokenguard.toml or [tool.tokenguard] in pyproject.toml, and "
    "TOKENGUARD_* variables, which override it.",
)

Where = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PATH]",
        help="A file, or the folder where the search starts; by default the working directory.",
        show_default=False,
    ),
]


@app.command()
def check(path: Where = None, as_json: AsJson = False) -> None:
    """Find every mistake, and tell what was read. Exits with 2 if something is wrong."""
    try:
        settings = _load(path)
    except ConfigError as error:
        if not as_json:
            raise
        print_json({"ok": False, "errors": str(error).splitlines()})
        raise typer.Exit(2) from None
    if as_json:
        print_json({"ok": True, **_report(settings)})
        return
    print("\n".join(_read(settings)) + "\n")
    print(document(settings), end="")


@app.command()
def show(path: Where = None, as_json: AsJson = False) -> None:
    """Print the effective settings and their origins.

    As a file that can be loaded: every key, with its origin as a comment.
    """
    settings = _load(path)
    if as_json:
        print_json(_report(settings))
    else:
        print(document(settings), end="")


@app.command()
def schema() -> None:
    """Print the JSON Schema of tokenguard.toml, for editors."""
    print_json(config.json_schema())


def _load(path: Path | None) -> config.Settings:
    return config.load(start=path) if path is not None and path.is_dir() else config.load(path)


def _report(settings: config.Settings) -> dict[str, Any]:
    effective = Configuration.model_validate(settings.values).effective()
    return {"sources": settings.sources, "settings": effective}


def _read(settings: config.Settings) -> list[str]:
    """What was read, as comments, so that the whole output is TOML."""
    sources = settings.sources
    if not sources:
        return [
            "# Nothing is configured: no tokenguard.toml, no [tool.tokenguard], no TOKENGUARD_* variable."
        ]
    width = max(map(len, sources))
    lines = [
        f"# {source:<{width}}  {', '.join(keys) or 'nothing that holds'}" for source, keys in sources.items()
    ]
    unread = shadowed(settings.file) if settings.file is not None else None
    if unread is not None:
        lines.append(f"# {unread} has [tool.tokenguard] too, which is not read beside a tokenguard.toml")
    return ["# OK. What was read:", *lines]
