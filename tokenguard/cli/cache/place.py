"""Where the cache is that a command looks into, and which of its entries are meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tokenguard import config
from tokenguard.cache import Cache, upkeep
from tokenguard.cache.cipher import Cipher
from tokenguard.cache.disk import DiskStore, default_directory
from tokenguard.cli.screen import not_found

Directory = Annotated[
    Path | None,
    typer.Option(
        help="Where the cache is. Default: the configured directory, else the one in your folder for caches.",
        show_default=False,
    ),
]
Tag = Annotated[str | None, typer.Option(help="Only answers with this tag.", show_default=False)]
Model = Annotated[str | None, typer.Option(help="Only answers of this model.", show_default=False)]
Namespace = Annotated[str | None, typer.Option(help="Only answers of this namespace.", show_default=False)]


def directory_of(given: Path | None) -> Path:
    """The directory that was asked for, else the configured one, else the default one."""
    if given is not None:
        return given
    settings = _configured()
    store = None if settings is None else settings.store
    return Path(store) if isinstance(store, str | Path) and store != "disk" else default_directory()


def cipher() -> Cipher | None:
    """What the configured cache encrypts with, if it does."""
    settings = _configured()
    return None if settings is None or settings.encryption_key is None else Cipher(settings.encryption_key)


def _configured() -> Cache | None:
    settings = config.guard_arguments(config.load()).get("cache")
    return settings if isinstance(settings, Cache) else None


@contextmanager
def opened(directory: Path) -> Iterator[DiskStore]:
    """The store in a directory; where there is none the command says so, and ends with 1."""
    try:
        with upkeep.existing(directory) as store:
            yield store
    except FileNotFoundError:
        raise not_found(missing(directory)) from None


def missing(directory: Path) -> str:
    """What is said of a directory without a cache."""
    return f"There is no cache at {directory}: Cache(store=...) makes one. Name another one with --directory."
