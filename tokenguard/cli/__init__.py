"""The ``tokenguard`` command: one file per command, imported only when that command is run."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from tokenguard import __version__
from tokenguard.errors import GuardError

WRONG: Final = 2
"""Exit code for wrong usage, a wrong setting, or a ledger or cache that cannot be used; click's for wrong
usage."""

EXIT_CODES: Final = f"""Exit codes: 0 done; 1 nothing was found, 'lint' found something, a file could not be
read, 'cache verify' found bad entries, or the reader of the output went away; {WRONG} wrong usage, a wrong
setting, or an unusable ledger or cache. 'tokenguard run' ends with the code of the program that it runs;
126 and 127 say that the program cannot be started or found."""


class Command(NamedTuple):
    """A command: what ``--help`` says of it, and where it is. ``attribute`` is a function or a typer app."""

    summary: str
    module: str
    attribute: str


COMMANDS: Final = {
    "report": Command("Show what was spent, from the ledger.", "tokenguard.cli.report", "report"),
    "prices": Command("Show what a model costs.", "tokenguard.cli.prices", "prices"),
    "count": Command("Count the tokens of texts.", "tokenguard.cli.count", "count"),
    "estimate": Command(
        "Show what a request would cost, model by model.", "tokenguard.cli.estimate", "estimate"
    ),
    "cache": Command("Look into the response cache, and invalidate answers.", "tokenguard.cli.cache", "app"),
    "lint": Command("Find what prompts waste, before it is paid for.", "tokenguard.cli.lint", "lint"),
    "run": Command("Run a program with every client in it guarded.", "tokenguard.cli.run", "app"),
    "config": Command("Check and show the configuration.", "tokenguard.cli.config", "app"),
    "demo": Command("Show the main job at work; no key, no network.", "tokenguard.cli.demo", "demo"),
}


class _Commands(TyperGroup):
    """Lists every command without importing one; imports the one that is run."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=command.summary) for name, command in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, _loaded(COMMANDS[name]) if name in COMMANDS else command, rest


def _loaded(command: Command) -> Any:
    found = getattr(importlib.import_module(command.module), command.attribute)
    if not isinstance(found, typer.Typer):
        found, function = typer.Typer(add_completion=False, rich_markup_mode=None), found
        found.command()(function)
    return typer.main.get_command(found)


app = typer.Typer(
    name="tokenguard",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: rich would take [tool.tokenguard] for markup, and 200 ms to start
    help="Keep LLM bills predictable: see what was spent, on what, and at which price.",
    epilog=EXIT_CODES,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"tokenguard {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line, and end the process with the exit code that its ``--help`` tells."""
    try:
        try:
            app(prog_name="tokenguard")
        finally:
            sys.stdout.flush()
    except GuardError as error:
        print(f"tokenguard: {error}", file=sys.stderr)
        sys.exit(WRONG)
    except BrokenPipeError:
        # Nobody reads on ("| head"). What Python still has to flush when it ends must go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
