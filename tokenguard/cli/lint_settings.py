"""The settings of ``tokenguard lint``: the configuration's, and what the command line says on top."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tokenguard import config
from tokenguard.config.lint import LintTable
from tokenguard.config.models import Configuration
from tokenguard.errors import ConfigError
from tokenguard.lint.codes import complaint, unknown
from tokenguard.lint.project.settings import Override, ProjectSettings


class Chosen(NamedTuple):
    """What the command line says. ``None`` where it says nothing."""

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    model: str = ""
    all_named: bool = True


def project_settings(said: config.Settings, chosen: Chosen) -> ProjectSettings:
    """How files are linted.

    Raises:
        ConfigError: The command line names a rule that does not exist.
    """
    for option, codes in (
        ("--select", chosen.select),
        ("--extend-select", chosen.extend_select),
        ("--ignore", chosen.ignore),
    ):
        for code in unknown(codes or ()):
            raise ConfigError(f"{option}: {complaint(code)}")
    table = _table(said)
    lint = table.made()
    lint = replace(
        lint,
        select=lint.select if chosen.select is None else chosen.select,
        extend_select=(*lint.extend_select, *(chosen.extend_select or ())),
        ignore=(*lint.ignore, *(chosen.ignore or ())),
    )
    root = said.file.path.parent if said.file is not None else Path(os.path.abspath("."))  # noqa: PTH100
    return ProjectSettings(
        lint=lint,
        root=root,
        exclude=(*table.exclude, *chosen.exclude),
        per_file_ignores=table.per_file_ignores,
        overrides=_overrides(table.override_settings(), keep_select=chosen.select is None),
        model=table.model or "",
        price_model=chosen.model,
        all_named=chosen.all_named,
    )


def _table(said: config.Settings) -> LintTable:
    table = Configuration.model_validate(said.values).lint
    return table if isinstance(table, LintTable) else LintTable()


def _overrides(overrides: Sequence[Override], *, keep_select: bool) -> tuple[Override, ...]:
    """The settings of paths; what the command line selects, it selects everywhere."""
    return tuple(
        override
        if keep_select
        else replace(
            override, settings={name: value for name, value in override.settings.items() if name != "select"}
        )
        for override in overrides
    )
