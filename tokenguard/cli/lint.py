"""``tokenguard lint``: what is wrong with prompts and requests, before they cost anything."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.console import Console

from tokenguard import config
from tokenguard.cli import lint_tables
from tokenguard.cli.lint_settings import Chosen, project_settings
from tokenguard.errors import ConfigError
from tokenguard.lint.outputs import OUTPUTS
from tokenguard.lint.project import baseline as known
from tokenguard.lint.project.project import Mend, Project, Report
from tokenguard.pricing import PriceBook

Format = Literal["text", "json", "sarif", "github"]

FOUND: Final = 1
"""Exit code where something was found."""


def lint(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATHS]...", help="Files and folders.", show_default=False),
    ] = None,
    select: Annotated[
        list[str] | None, typer.Option(metavar="CODES", help="Only these rules: codes, or their beginnings.")
    ] = None,
    extend_select: Annotated[
        list[str] | None, typer.Option(metavar="CODES", help="These rules as well.")
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(metavar="CODES", help="Not these rules.")] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Not what is at these paths: 'drafts', '*.bak.md'."),
    ] = None,
    force_exclude: Annotated[
        bool,
        typer.Option(
            "--force-exclude", help="Pass over README files and their like even where they are named."
        ),
    ] = False,
    model: Annotated[
        str, typer.Option(help="The model whose price findings are told in; by default the request's own.")
    ] = "",
    output_format: Annotated[Format, typer.Option(help="How findings are told.")] = "text",
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended safely.")] = False,
    unsafe_fixes: Annotated[
        bool,
        typer.Option("--unsafe-fixes", help="With --fix or --diff: what changes the prompt's meaning too."),
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what --fix would change; 1 if that is something.")
    ] = False,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Do not tell what this file knows.")
    ] = None,
    write_baseline: Annotated[
        bool, typer.Option("--write-baseline", help="Write all findings to the --baseline file.")
    ] = False,
    statistics: Annotated[
        bool,
        typer.Option("--statistics", help="Tell how often each rule finds something, and what it costs."),
    ] = False,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit with 0 even if something is found.")
    ] = False,
    explain: Annotated[str, typer.Option(metavar="CODE", help="Tell what a rule is for.")] = "",
    list_rules: Annotated[bool, typer.Option("--list-rules", help="List all rules.")] = False,
) -> None:
    """Find what is wrong with prompts and requests. Exits with 1 if there is something, 2 for wrong usage.

    Reads Markdown, text, Jinja, JSON, JSONL and YAML, and in Python the calls of the openai and anthropic
    SDKs. Settings are those of [lint] in the configuration.
    """
    if explain:
        lint_tables.explain(explain)
        return
    if list_rules:
        lint_tables.rules(as_json=output_format == "json")
        return
    _check(paths, baseline, fix=fix, diff=diff, unsafe=unsafe_fixes, write=write_baseline)
    chosen = Chosen(
        _split(select),
        _split(extend_select),
        _split(ignore),
        tuple(exclude or ()),
        model,
        all_named=not force_exclude,
    )
    report = _report(chosen, paths or [], _mend(fix=fix or diff, unsafe=unsafe_fixes), dry=diff)
    if write_baseline and baseline is not None:
        written = known.save(baseline, report.located)
        print(f"{baseline} knows {written:,} finding{'' if written == 1 else 's'} now.")
        return
    if baseline is not None:
        everything = len(report.located)
        report.located = known.new(report.located, known.load(baseline))
        report.known = everything - len(report.located)
    if diff:
        print("".join(changed.diff() for changed in report.changed), end="")
        raise typer.Exit(FOUND if report.changed and not exit_zero else 0)
    _tell(report, output_format, statistics=statistics)
    raise typer.Exit(FOUND if report.located and not exit_zero else 0)


def _report(chosen: Chosen, paths: list[Path], mend: Mend, *, dry: bool) -> Report:
    said = config.load()
    arguments = config.guard_arguments(said)
    book = PriceBook(arguments.get("prices", ()), arguments.get("deployments", {}))
    project = Project(project_settings(said, chosen), book, time.time_ns())
    return project.lint(paths, mend=mend, dry=dry)


def _tell(report: Report, output_format: Format, *, statistics: bool) -> None:
    if statistics:
        lint_tables.statistics(report, as_json=output_format == "json")
        return
    console = Console(soft_wrap=True)  # programs read most of these formats
    for piece in OUTPUTS[output_format](report):
        console.print(piece, markup=False, highlight=False, emoji=False)


def _check(
    paths: list[Path] | None, baseline: Path | None, *, fix: bool, diff: bool, unsafe: bool, write: bool
) -> None:
    """Refuse what makes no sense together.

    Raises:
        ConfigError: Something of that kind.
    """
    if not paths:
        raise ConfigError("name the files and folders to lint: tokenguard lint prompts/")
    if unsafe and not (fix or diff):
        raise ConfigError("--unsafe-fixes says which fixes to apply; add --fix, or --diff to see them first")
    if write and baseline is None:
        raise ConfigError("--write-baseline needs --baseline FILE, the file to write")
    if write and (fix or diff):
        raise ConfigError("--write-baseline goes with neither --fix nor --diff: mend first, then write it")


def _mend(*, fix: bool, unsafe: bool) -> Mend:
    if not fix:
        return "no"
    return "unsafe" if unsafe else "safe"


def _split(codes: list[str] | None) -> tuple[str, ...] | None:
    """Codes, which may be given one by one or with commas."""
    if codes is None:
        return None
    return tuple(code.strip() for said in codes for code in said.split(",") if code.strip())
