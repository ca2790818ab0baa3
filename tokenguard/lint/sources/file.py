"""A file that is linted: its text, the prompts and requests in it, and what is wrong with it."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

from tokenguard.call import Json
from tokenguard.dialects.dialect import Dialect
from tokenguard.lint.finding import Finding
from tokenguard.lint.sources.places import Places

_LINE_END: Final = re.compile(r"\r\n|\r|\n")

_MARKS: Final = (
    # Byte order mark, and the encoding that it speaks of; UTF-32's begins with UTF-16's.
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
BYTE_ORDER_MARKS: Final = tuple(mark for mark, _ in _MARKS)


class Unit(NamedTuple):
    """One prompt or request in a file.

    Attributes:
        body: The request, or as much of it as the file has.
        dialect: Its wire format.
        places: Where its values are in the file.
        start: Where it begins there.
        end: Where it ends.
        complete: Whether the request is all there: nothing is added to it at run time.
        prompt: Whether the file has a text alone, which is the content of the body's one message.
        template: Whether its texts have placeholders that are filled in before it is sent.
    """

    body: Json
    dialect: Dialect
    places: Places
    start: int
    end: int
    complete: bool = True
    prompt: bool = False
    template: bool = False


class Problem(NamedTuple):
    """What is wrong with a file, and where in it."""

    findings: list[Finding]
    start: int = 0
    end: int = 0


class File:
    """The text of a file, with its line ends as they are.

    Attributes:
        path: Where it is.
        text: What is in it.
        encoding: How its text is encoded.
        mark: The byte order mark that it begins with.
        named: Whether somebody named it. What is found in a folder may be about something else.
    """

    def __init__(
        self, path: Path, text: str, encoding: str = "utf-8", mark: bytes = b"", *, named: bool = True
    ) -> None:
        self.path = path
        self.text = text
        self.encoding = encoding
        self.mark = mark
        self.named = named

    @cached_property
    def lines(self) -> list[int]:
        """Where each line begins."""
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    @cached_property
    def line_end(self) -> str:
        """How its lines end."""
        return "\r\n" if "\r\n" in self.text else "\n"

    def line(self, offset: int) -> int:
        """The line of a character, from 1."""
        return bisect_right(self.lines, offset)

    def column(self, offset: int) -> int:
        """The column of a character, from 1."""
        return offset - self.lines[self.line(offset) - 1] + 1

    def line_text(self, number: int) -> str:
        """A line, without its end."""
        end = self.lines[number] if number < len(self.lines) else len(self.text)
        return self.text[self.lines[number - 1] : end].rstrip("\r\n")

    def offset(self, line: int, column: int) -> int:
        """The character at a line and column, both from 1."""
        return min(self.lines[min(line, len(self.lines)) - 1] + column - 1, len(self.text))

    def encoded(self, text: str) -> bytes:
        """Another text as this file would have it.

        Raises:
            UnicodeEncodeError: The file's encoding cannot say it.
        """
        return self.mark + text.encode(self.encoding)


def decoded(path: Path, data: bytes) -> File:
    """A file's text, in UTF-8 or as its byte order mark says.

    Raises:
        UnicodeDecodeError: It is not text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return File(path, data[len(mark) :].decode(encoding), encoding, mark)
    return File(path, data.decode("utf-8"))


def every_line(file: File) -> Iterator[tuple[int, str]]:
    """The lines of a text that has no comments of its own: their numbers, from 1, and what they say."""
    for number in range(1, len(file.lines) + 1):
        yield number, file.line_text(number)


class Source(NamedTuple):
    """A kind of file. Add one by adding a file with one of these, and a line to the table beside it.

    Attributes:
        name: What it is called.
        suffixes: How names of such files end.
        read: Gives the prompts and requests in a file, and what is wrong with it.
        decode: Gives a file's text.
        comments: Gives the lines in which somebody may have said what to ignore.
        each_line: Whether every line stands for itself, so that the file may be as long as it likes.
        may_be_empty: Whether there is nothing wrong with an empty file.
        intact: Whether a change of the file left everything as it was but the texts that were meant.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[File], Iterator[Unit | Problem]]
    decode: Callable[[Path, bytes], File] = decoded
    comments: Callable[[File], Iterator[tuple[int, str]]] = every_line
    each_line: bool = False
    may_be_empty: bool = False
    intact: Callable[[str, str], bool] = lambda before, after: True  # noqa: ARG005
