"""What was there before: findings that are known, so that only new ones are told.

A finding is known by its rule, its file and what was found, wherever it stands in the file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from tokenguard.errors import ConfigError
from tokenguard.lint.project.located import Located
from tokenguard.lint.project.writing import write

_VERSION: Final = 1


def load(path: Path) -> Counter[str]:
    """How often each finding is known, by its fingerprint.

    Raises:
        ConfigError: The file cannot be read, or is no baseline.
    """
    try:
        said: Any = json.loads(path.read_text(encoding="utf-8"))
        if said["version"] != _VERSION:
            raise ConfigError(
                f"{path} is a baseline of version {said['version']!r}, and this is for {_VERSION}; write it "
                "again with --write-baseline"
            )
        return Counter({entry["fingerprint"]: int(entry["count"]) for entry in said["findings"]})
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist; --write-baseline makes it") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path} is no baseline; write it with --write-baseline") from error


def save(path: Path, located: Iterable[Located]) -> int:
    """Write a baseline of these findings; gives how many there are.

    Raises:
        ConfigError: The file cannot be written.
    """
    counts: Counter[tuple[str, str, str]] = Counter(
        (one.shown, one.finding.code, one.fingerprint) for one in located
    )
    findings = [
        {"file": file, "code": code, "fingerprint": fingerprint, "count": count}
        for (file, code, fingerprint), count in sorted(counts.items())
    ]
    text = json.dumps({"version": _VERSION, "findings": findings}, indent=1, ensure_ascii=False) + "\n"
    try:
        write(path, text.encode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from error
    return sum(counts.values())


def new(located: Iterable[Located], known: Counter[str]) -> list[Located]:
    """The findings that are not known, or are there more often than they were."""
    left = known.copy()
    found = []
    for one in located:
        if left[one.fingerprint] > 0:
            left[one.fingerprint] -= 1
        else:
            found.append(one)
    return found
