"""By which settings a file is linted: those of all, and those for its path."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tokenguard.lint.policy import Lint
from tokenguard.lint.project.paths import Patterns

_ADDED = ("extend_select", "ignore", "droppable_tools")
"""Settings of a path that come on top of those of all files; the others take their place."""


@dataclass(frozen=True, slots=True)
class Override:
    """Settings for some files.

    Attributes:
        files: Patterns for their paths.
        settings: Fields of :class:`Lint`, by their names.
        model: The model that they are for, where they do not say.
    """

    files: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """What the command line lints, and how.

    Attributes:
        lint: The settings of all files.
        root: The folder that patterns begin at: the configuration's.
        exclude: Patterns for what is not linted, not even where it is named.
        per_file_ignores: Codes that are ignored in some files, by pattern.
        overrides: Settings for some files; the later has the last word.
        model: The model that a prompt is for, where nothing says so.
        price_model: The model whose price findings are told in, whatever the requests say.
        all_named: Whether a file that is named is meant, though it would be passed over in a folder.
    """

    lint: Lint = Lint()  # noqa: RUF009 - frozen
    root: Path = field(default_factory=lambda: Path(os.path.abspath(".")))  # noqa: PTH100 - keeps links
    exclude: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    model: str = ""
    price_model: str = ""
    all_named: bool = True

    def lint_of(self, path: Path) -> Lint:
        """The settings for a file."""
        settings = self.lint
        for override in self._overrides_of(path):
            changes = dict(override.settings)
            for name in _ADDED:
                if name in changes:
                    changes[name] = (*getattr(settings, name), *changes[name])
            settings = replace(settings, **changes)
        ignored = [
            code
            for pattern, codes in self.per_file_ignores.items()
            if Patterns((pattern,), self.root).match(path)
            for code in codes
        ]
        return replace(settings, ignore=(*settings.ignore, *ignored)) if ignored else settings

    def model_of(self, path: Path) -> str:
        """The model that a file's prompts are for, where they do not say."""
        said = [override.model for override in self._overrides_of(path) if override.model]
        return said[-1] if said else self.model

    def _overrides_of(self, path: Path) -> list[Override]:
        return [one for one in self.overrides if Patterns(one.files, self.root).match(path)]
