"""``tokenguard cache verify``: whether every entry is as it was written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tokenguard.cache import upkeep
from tokenguard.cache.upkeep import Check
from tokenguard.cli.cache.place import Directory, cipher, directory_of, opened
from tokenguard.cli.options import AsJson
from tokenguard.cli.screen import print_json
from tokenguard.errors import ConfigError

_SHOWN: Final = 20  # bad entries, of which there may be as many as there are entries


def verify(
    directory: Directory = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove what is damaged or refused.")] = False,
    other_key: Annotated[
        bool, typer.Option("--other-key", help="With --remove: also what is encrypted with another key.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Open every entry, and tell what is damaged or was not written by us. Exits with 1 if any is left."""
    if other_key and not remove:
        raise ConfigError("--other-key says what else to remove; give it with --remove")
    where = directory_of(directory)
    with opened(where) as store:
        found = upkeep.check(store, time.time_ns(), cipher())
        others = len(found.other_key) if other_key else 0
        if remove and (found.bad or others):
            upkeep.discard(store, found, other_key=other_key)
    removed = len(found.bad) + others if remove else 0
    if as_json:
        print_json({"directory": str(where), **_json(found), "removed": removed})
    else:
        print("\n".join(_lines(found, where, removed)))
    if len(found.bad) > removed:
        raise typer.Exit(1)


def _json(found: Check) -> dict[str, Any]:
    kinds = [bad.kind for bad in found.bad]
    return {
        "entries": found.sound + found.encrypted + len(found.other_key) + len(found.bad),
        "sound": found.sound,
        "stale": found.stale,
        "encrypted": found.encrypted,
        "other_key": len(found.other_key),
        "damaged": kinds.count("damaged"),
        "refused": kinds.count("refused"),
        "bad": [bad._asdict() for bad in found.bad],
    }


def _lines(found: Check, directory: Path, removed: int) -> Iterator[str]:
    told = _json(found)
    yield (
        f"{told['entries']:,} entries in {directory}: {found.sound:,} sound ({found.stale:,} stale), "
        f"{told['damaged']:,} damaged, {told['refused']:,} refused."
    )
    if found.encrypted:
        yield f"{found.encrypted:,} are encrypted and whole; only a configured encryption_key opens them."
    if found.other_key:
        yield (
            f"{len(found.other_key):,} are encrypted with another key than the configured encryption_key: "
            "is it the right one? Only --remove --other-key removes them."
        )
    for bad in found.bad[:_SHOWN]:
        yield f"  {bad.kind}  {bad.key or '(no key)'}  {bad.reason}"
    if len(found.bad) > _SHOWN:
        yield f"  ... and {len(found.bad) - _SHOWN:,} more; --json tells all."
    if removed:
        yield f"{removed:,} were removed."
    elif found.bad:
        yield "They are never given to anybody; --remove removes them."
