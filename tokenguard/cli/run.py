"""``tokenguard run``: a program with every openai and anthropic client in it guarded, its code untouched.

Python imports ``sitecustomize`` when it starts. Ours is put first on ``PYTHONPATH``, which every process
that the program starts inherits.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from tokenguard import config
from tokenguard.config.sources import CONFIG_VARIABLE

SITE: Final = Path(__file__).with_name("site")
"""The folder with our ``sitecustomize.py``."""

NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127
"""As shells have them (POSIX.1-2024, Shell Command Language, 2.8.2)."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"allow_interspersed_args": False})
def run(
    command: Annotated[list[str], typer.Argument(help="The program and its arguments.", metavar="COMMAND")],
    config_file: Annotated[
        Path | None, typer.Option("--config", help="The configuration file.", show_default=False)
    ] = None,
) -> None:
    """Run a program with every openai and anthropic client in it guarded, without touching its code.

    For Python programs of this environment, and whatever they start: python app.py, python -m module,
    pytest, console scripts. Ends with the program's own exit code.

        tokenguard run -- python app.py --verbose
    """
    settings = config.load(config_file)
    environment = guarded_environment(os.environ, settings.file.path if settings.file is not None else None)
    sys.stdout.flush()
    try:
        start(command, environment)
    except OSError as error:
        print(f"tokenguard: {command[0]}: {error.strerror or error}", file=sys.stderr)
        raise typer.Exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE) from None


def guarded_environment(environ: Mapping[str, str], config_file: Path | None) -> dict[str, str]:
    """The environment in which Python programs guard themselves.

    The configuration file is named in it, so that programs started in other folders use the same one.
    """
    others = [
        entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != str(SITE)
    ]
    made = {**environ, "PYTHONPATH": os.pathsep.join([str(SITE), *others])}
    if config_file is not None:
        made[CONFIG_VARIABLE] = str(config_file)
    return made


def replace_process(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    """Become the program: signals and the exit code are its own."""
    os.execvpe(command[0], command, environment)  # noqa: S606 - what the user asked for


def wait_for_process(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    """Run the program and end with its exit code, where a process cannot become another (Windows)."""
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603 - what the user asked for
        while True:
            try:
                sys.exit(process.wait())
            except KeyboardInterrupt:  # the console sends it to the program too, which decides
                continue


start = wait_for_process if os.name == "nt" else replace_process
