"""Settings from a file and from variables: whatever a :class:`tokenguard.Guard` takes can be said there.

``tokenguard.toml``, or ``[tool.tokenguard]`` in ``pyproject.toml``, is looked for in the working
directory and its parents; ``TOKENGUARD_*`` variables override it. Where there is neither, nothing is
validated and pydantic is not imported: a plain ``tokenguard.wrap(client)`` does not pay for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenguard.config.sources import ConfigFile, KeyPath, find_sources

__all__ = ["Settings", "guard_arguments", "json_schema", "load"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What somebody configured, and where. What nobody said is not in it.

    Attributes:
        values: What was said, shaped as in TOML; paths are absolute.
        file: The file that was read, if any.
        variables: Which variable said which key, by the key's path.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    file: ConfigFile | None = None
    variables: Mapping[KeyPath, str] = field(default_factory=dict)

    @property
    def sources(self) -> dict[str, list[str]]:
        """The keys that each file and variable decides, e.g. ``{"/app/tokenguard.toml": ["retry.base_s"]}``.

        A key that a variable overrides is listed under the variable only.
        """
        from tokenguard.config.merge import sources

        return sources(self)

    def variable(self, path: KeyPath) -> str | None:
        """The variable that said the value at this path, if one did."""
        around = (path[:length] for length in range(len(path), 0, -1))
        return next((self.variables[part] for part in around if part in self.variables), None)

    def origin(self, path: KeyPath) -> str:
        """Where the value at this path was said: ``/app/tokenguard.toml:3``, or a variable's name."""
        return self.variable(path) or (self.file.where(path) if self.file is not None else "")


def load(
    path: str | Path | None = None, *, environ: Mapping[str, str] | None = None, start: Path | None = None
) -> Settings:
    """Read and check the configuration.

    Args:
        path: The file to read (a ``pyproject.toml`` must have ``[tool.tokenguard]``). By default
            ``$TOKENGUARD_CONFIG``, else the nearest file; the search ends at a folder with ``.git``.
        environ: The environment; by default the process's own.
        start: Where the search starts; by default the working directory.

    Raises:
        ConfigError: The file cannot be read, or something in it or in a variable is wrong. The message
            has a line for each mistake: where it is, what is allowed there, and for an unknown key the
            nearest known one.
    """
    found = find_sources(path, environ=os.environ if environ is None else environ, start=start)
    if found.file is None and not found.variables:
        return Settings()
    from tokenguard.config.merge import merge

    return merge(found)


def guard_arguments(settings: Settings) -> dict[str, Any]:
    """What was configured, as keyword arguments for :class:`tokenguard.Guard`.

    What nobody configured is left out, so that the guard's own defaults hold.
    """
    if not settings.values:
        return {}
    from tokenguard.config.models import Configuration

    return Configuration.model_validate(settings.values).arguments()


def json_schema() -> dict[str, Any]:
    """The JSON Schema of ``tokenguard.toml`` (draft 7), for editors."""
    from tokenguard.config.schema import json_schema as made

    return made()
