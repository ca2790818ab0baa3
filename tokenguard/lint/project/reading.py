"""Read a file, whatever it turns out to be: what cannot be read is a finding, and no exception."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tokenguard import faults
from tokenguard.lint.project.paths import Found, reason
from tokenguard.lint.rules.files import broken_syntax, empty_file, not_text, unreadable_file
from tokenguard.lint.sources.file import BYTE_ORDER_MARKS, File, Problem, Source, Unit

LARGEST: Final = 10_000_000
LARGEST_OF_LINES: Final = 1_000_000_000
"""Bytes of the largest file that is read; of one whose lines stand each for itself, the second."""

_BEGINNING: Final = 8192


class Content(NamedTuple):
    """What a file has.

    Attributes:
        file: Its text; empty where it cannot be read.
        source: Of which kind it is.
        problems: What is wrong with all of it.
    """

    file: File
    source: Source
    problems: tuple[Problem, ...] = ()


def read(found: Found) -> Content:
    """Read a file that was found."""
    path, source = found.path, found.source
    if found.problem:
        return _unreadable(path, source, found.problem)
    try:
        data = _bytes(path, source)
    except OSError as error:
        return _unreadable(path, source, reason(error))
    marked = data.startswith(BYTE_ORDER_MARKS)
    if b"\0" in data[:_BEGINNING] and not marked:
        return Content(File(path, ""), source, (Problem(not_text.run("it is binary")),))
    try:
        file = source.decode(path, data)
    except UnicodeDecodeError as error:
        return _undecodable(path, source, error)
    except SyntaxError as error:  # a source file that names an encoding which does not exist
        return Content(File(path, ""), source, (Problem(broken_syntax.run(str(error))),))
    file.named = found.named
    if not file.text.strip() and not source.may_be_empty:
        return Content(file, source, (Problem(empty_file.run("there is nothing in it")),))
    return Content(file, source)


def _bytes(path: Path, source: Source) -> bytes:
    size = path.stat()
    largest = LARGEST_OF_LINES if source.each_line else LARGEST
    if not stat.S_ISREG(size.st_mode):
        raise OSError(0, "not a file")
    if size.st_size > largest:
        raise OSError(0, f"{size.st_size / 1e6:,.0f} MB; up to {largest / 1e6:,.0f} MB are read")
    return path.read_bytes()


def _unreadable(path: Path, source: Source, why: str) -> Content:
    return Content(File(path, ""), source, (Problem(unreadable_file.run(why)),))


def _undecodable(path: Path, source: Source, error: UnicodeDecodeError) -> Content:
    """What is text of it, to show where it ends being text."""
    data = error.object
    file = File(path, data.decode(error.encoding, "replace"))
    where = len(data[: error.start].decode(error.encoding, "replace"))
    why = f"byte 0x{data[error.start]:02x} is not {error.encoding.upper()}"
    return Content(file, source, (Problem(not_text.run(why), where, where),))


def contents(content: Content) -> Iterator[Unit | Problem]:
    """What is wrong with a file, and the prompts and requests in it."""
    yield from content.problems
    if content.problems:
        return
    try:
        yield from content.source.read(content.file)
    except Exception as error:  # ours: the other files are linted, and this one does not look clean
        faults.note(f"lint.sources.{content.source.name}", error)
        yield Problem(unreadable_file.run(f"an error in tokenguard ({type(error).__name__}: {error})"))
