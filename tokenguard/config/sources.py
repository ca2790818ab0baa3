"""Where settings may come from: one file, and the ``TOKENGUARD_*`` variables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tokenguard.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""Where a value is in a configuration: ``("retry", "retries")``, ``("prices", 0, "model")``."""

FILE: Final = "tokenguard.toml"
PYPROJECT: Final = "pyproject.toml"
PREFIX: Final = "TOKENGUARD_"
CONFIG_VARIABLE: Final = "TOKENGUARD_CONFIG"

# Kubernetes gives every pod variables about the services beside it, and one may be called "tokenguard":
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_KUBERNETES: Final = re.compile(
    r"(?!.*__)TOKENGUARD_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)


@dataclass(frozen=True)
class ConfigFile:
    """A file with settings.

    Attributes:
        path: The file, absolute.
        text: What is in it.
        table: The table that is ours: ``("tool", "tokenguard")`` in a ``pyproject.toml``.
        values: That table.
    """

    path: Path
    text: str
    table: tuple[str, ...]
    values: dict[str, Any]

    def where(self, path: KeyPath) -> str:
        """The file and line of a value, or of the nearest thing around it whose line can be told."""
        whole = (*self.table, *path)
        for length in range(len(whole), 0, -1):
            if whole[:length] in self._lines:
                return f"{self.path}:{self._lines[whole[:length]]}"
        return str(self.path)

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        from tokenguard.config.lines import key_lines

        return key_lines(self.text)


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to read. ``variables`` are those that are set, ``TOKENGUARD_CONFIG`` apart."""

    file: ConfigFile | None
    variables: Mapping[str, str]


def find_sources(path: str | Path | None, *, environ: Mapping[str, str], start: Path | None) -> Found:
    """Find the file and the variables; see :func:`tokenguard.config.load`.

    Raises:
        ConfigError: The file cannot be read, or is not TOML.
    """
    chosen = path or environ.get(CONFIG_VARIABLE)
    said_by = "" if path else f"{CONFIG_VARIABLE}: "
    file = _chosen(Path(chosen), said_by, start) if chosen else _nearest(start)
    return Found(file, {name: value for name, value in environ.items() if value and _is_ours(name)})


def shadowed(file: ConfigFile) -> Path | None:
    """A ``pyproject.toml`` with settings that are not read, because ``tokenguard.toml`` is beside it."""
    beside = file.path.with_name(PYPROJECT)
    if file.path.name != FILE or not _is_file(beside) or _read(beside) is None:
        return None
    return beside


def _is_ours(name: str) -> bool:
    return name.startswith(PREFIX) and name != CONFIG_VARIABLE and not _KUBERNETES.fullmatch(name)


def _chosen(path: Path, said_by: str, start: Path | None) -> ConfigFile:
    path = Path(os.path.abspath((start or Path()) / path.expanduser()))  # noqa: PTH100 - keeps links
    try:
        file = _read(path)
    except OSError as error:
        raise ConfigError(f"{said_by}{path} cannot be read: {error.strerror or error}") from error
    if file is None:
        raise ConfigError(f"{said_by}{path} has no [tool.tokenguard] table; add one, or name another file")
    return file


def _nearest(start: Path | None) -> ConfigFile | None:
    try:
        folder = (start or Path()).absolute()
    except FileNotFoundError:  # the working directory has been deleted
        return None
    for candidate in (folder, *folder.parents):
        for name in (FILE, PYPROJECT):
            path = candidate / name
            if _is_file(path) and (file := _found(path)) is not None:
                return file
        if _exists(candidate / ".git"):
            return None
    return None


def _found(path: Path) -> ConfigFile | None:
    try:
        return _read(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder above that we may not look into
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _read(path: Path) -> ConfigFile | None:
    """The file, or ``None`` for a ``pyproject.toml`` without settings of ours."""
    raw = path.read_bytes()
    ours = ("tool", "tokenguard") if path.name == PYPROJECT else ()
    if ours and b"tokenguard" not in raw:
        return None  # most are not about us, and need not be parsed
    import tomllib

    try:
        text = raw.decode("utf-8-sig")
        values: Any = tomllib.loads(text)
    except ValueError as error:  # of the encoding or of the syntax; the latter says the line
        raise ConfigError(f"{path} is not TOML: {error}") from error
    for key in ours:
        if not isinstance(values, dict) or key not in values:
            return None
        values = values[key]
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: tool.tokenguard must be a table: [tool.tokenguard]")
    return ConfigFile(path, text, ours, values)
