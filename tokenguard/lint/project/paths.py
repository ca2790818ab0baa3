"""Which files are linted: those that are named, and those in the folders that are named."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from tokenguard.lint.sources import Source, source_of
from tokenguard.lint.sources.prose import PROSE

SKIPPED: Final = (
    ".*",
    "__pycache__",
    "node_modules",
    "site-packages",
    "venv",
    "README*",
    "CHANGELOG*",
    "CONTRIBUTING*",
    "CODE_OF_CONDUCT*",
    "SECURITY*",
    "LICENSE*",
    "requirements*.txt",
    "constraints*.txt",
    "CMakeLists.txt",
    "robots.txt",
    "package-lock.json",
)
"""What is passed over in a folder: text that is no prompt, and what others wrote. Naming it lints it."""

_PIECE: Final = re.compile(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|.", re.S)


class Found(NamedTuple):
    """A file to be linted, or a path that cannot be.

    Attributes:
        path: The file, as it was named or found.
        source: Of which kind it is.
        problem: Why it cannot be linted, in words.
        named: Whether it was named, and not found in a folder.
    """

    path: Path
    source: Source = PROSE
    problem: str = ""
    named: bool = False


class Patterns:
    """Patterns for paths, as in a ``.gitignore``: ``*`` within a name, ``**`` across folders.

    One without a slash is for a file or folder of that name anywhere; one with a slash begins at ``root``. A
    folder stands for everything in it.
    """

    def __init__(self, patterns: Iterable[str], root: Path) -> None:
        self._patterns = tuple(patterns)
        self._root = root

    def match(self, path: Path) -> bool:
        """Whether one of them is for a path, or for a folder that it is in."""
        parts = Path(below(path, self._root)).parts
        return any(_matches(pattern, parts) for pattern in self._patterns)


def _matches(pattern: str, parts: tuple[str, ...]) -> bool:
    expression = _expression(pattern.strip("/"))
    if "/" not in pattern.rstrip("/"):
        return any(expression.fullmatch(part) for part in parts)
    return any(expression.fullmatch("/".join(parts[:length])) for length in range(1, len(parts) + 1))


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(map(_piece, _PIECE.findall(pattern))))


def _piece(piece: str) -> str:
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if piece in meanings:
        return meanings[piece]
    if len(piece) > 1:
        inner = piece[1:-1].replace("\\", "\\\\")
        return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
    return re.escape(piece)


def below(path: Path, root: Path) -> str:
    """A path from a folder on, with slashes; all of it where it is not in that folder."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - keeps links
    try:
        return absolute.relative_to(root).as_posix()
    except ValueError:
        return absolute.as_posix()


def find(paths: Iterable[Path], excluded: Patterns, *, all_named: bool = True) -> Iterator[Found]:
    """The files to be linted, each once, in the order in which they were named, folders by their names.

    Args:
        paths: Files and folders.
        excluded: What is left out, even if it is named.
        all_named: Whether a file that is named is meant, though it would be passed over in a folder.
    """
    seen: set[str] = set()
    passed_over = Patterns(() if all_named else SKIPPED, Path(os.path.abspath(".")))  # noqa: PTH100 - keeps links
    for path in paths:
        if passed_over.match(path):
            continue
        for found in _find(path, excluded):
            real = os.path.realpath(found.path)
            if found.problem or real not in seen:
                seen.add(real)
                yield found


def _find(path: Path, excluded: Patterns) -> Iterator[Found]:
    if excluded.match(path):
        return
    try:
        is_folder = path.is_dir()
        exists = is_folder or path.exists()
    except OSError as error:  # a circle of links, or a name that is too long
        yield Found(path, problem=reason(error))
        return
    if is_folder:
        yield from _walk(path, excluded, (os.path.realpath(path),))
    elif exists:
        # Whoever names a file means it, whatever its name is.
        yield Found(path, source_of(path) or PROSE, named=True)
    else:
        yield Found(path, problem=_why_missing(path))


def _why_missing(path: Path) -> str:
    try:
        path.stat()
    except OSError as error:
        return reason(error)
    return "no such file"


def _walk(folder: Path, excluded: Patterns, above: tuple[str, ...]) -> Iterator[Found]:
    skipped = Patterns(SKIPPED, folder)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield Found(folder, problem=reason(error))
        return
    for entry in entries:
        path = folder / entry.name
        if skipped.match(path) or excluded.match(path):
            continue
        if _is_folder(entry):
            yield from _enter(path, excluded, above)
        elif (source := source_of(path)) is not None:
            yield Found(path, source) if path.exists() else Found(path, problem=_why_missing(path))


def _enter(folder: Path, excluded: Patterns, above: tuple[str, ...]) -> Iterator[Found]:
    real = os.path.realpath(folder)
    if real in above:
        yield Found(folder, problem="a link that leads back to a folder that it is in")
    elif not (folder / "pyvenv.cfg").exists():  # an environment has other people's code
        yield from _walk(folder, excluded, (*above, real))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def reason(error: OSError) -> str:
    """What the system says went wrong, in small letters as messages here have it."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
