"""Lint a project: all the files, what they have in common, and what is mended in them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from tokenguard.lint.project import mending
from tokenguard.lint.project.linting import FileLinter, Linted
from tokenguard.lint.project.located import Located
from tokenguard.lint.project.paths import Patterns, find, reason
from tokenguard.lint.project.prices import InputPrices
from tokenguard.lint.project.reading import Content, read
from tokenguard.lint.project.settings import ProjectSettings
from tokenguard.lint.project.sharing import SharedTexts, Sharer
from tokenguard.lint.project.writing import write
from tokenguard.lint.rules.files import shared_text, unwritable_file
from tokenguard.lint.sources import File
from tokenguard.pricing import PriceBook

Mend = Literal["no", "safe", "unsafe"]


class Fixed(NamedTuple):
    """A file in which something is mended: before and after."""

    before: File
    after: File
    name: str

    def diff(self) -> str:
        """What changes, as ``diff -u`` shows it."""
        lines = difflib.unified_diff(
            self.before.text.splitlines(keepends=True),
            self.after.text.splitlines(keepends=True),
            f"a/{self.name}",
            f"b/{self.name}",
        )
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
        )


@dataclass
class Report:
    """What linting came to.

    Attributes:
        located: What is wrong, by file and place.
        files: How many files were linted.
        units: How many prompts and requests are in them.
        suppressed: How many findings comments ignore.
        known: How many findings a baseline knows.
        fixed: What was wrong and is mended.
        changed: The files in which that is so.
    """

    located: list[Located] = field(default_factory=list)
    files: int = 0
    units: int = 0
    suppressed: int = 0
    known: int = 0
    fixed: list[Located] = field(default_factory=list)
    changed: list[Fixed] = field(default_factory=list)


class Project:
    """Lints files by the settings of a project.

    Args:
        settings: How.
        book: What models cost.
        at_ns: When prices are looked up, Unix nanoseconds.
    """

    def __init__(self, settings: ProjectSettings, book: PriceBook, at_ns: int) -> None:
        self._settings = settings
        self._prices = InputPrices(book, at_ns)
        self._linter = FileLinter(settings, self._prices, book.deployments)

    def lint(self, paths: Iterable[Path], *, mend: Mend = "no", dry: bool = False) -> Report:
        """Lint files and folders.

        Args:
            paths: They.
            mend: Which fixes to apply.
            dry: Whether files are left as they are: what would change is in the report.
        """
        report, shared = Report(), SharedTexts()
        for content in self._contents(paths):
            linted = self._linter.lint(content)
            if mend != "no":
                content, linted = self._mend(content, linted, report, unsafe=mend == "unsafe", dry=dry)
            report.files += 1
            report.units += len(linted.units)
            report.suppressed += linted.suppressed
            report.located += linted.located
            if linted.passages:
                sharer = Sharer(content.file, self._linter.name(content.file), linted.suppressions)
                shared.take(sharer, linted.passages)
        self._tell_copies(shared, report)
        report.located.sort(key=lambda one: one.order)
        return report

    def _tell_copies(self, shared: SharedTexts, report: Report) -> None:
        for copy in shared.copies(self._prices):
            file, code = copy.sharer.file, copy.finding.code
            line = file.line(copy.start)
            if copy.sharer.suppressions.cover(code, (line, line - 1)):
                report.suppressed += 1
                continue
            report.located.append(
                Located(
                    copy.finding,
                    shared_text.name,
                    file,
                    copy.sharer.name,
                    copy.start,
                    copy.end,
                    fingerprint=self._linter.fingerprint(file, code, copy.what),
                )
            )

    def _contents(self, paths: Iterable[Path]) -> Iterator[Content]:
        excluded = Patterns(self._settings.exclude, self._settings.root)
        for found in find(paths, excluded, all_named=self._settings.all_named):
            yield read(found)

    def _mend(
        self, content: Content, linted: Linted, report: Report, *, unsafe: bool, dry: bool
    ) -> tuple[Content, Linted]:
        mended = mending.mend(self._linter, content, linted, unsafe=unsafe)
        if not mended.fixed:
            return content, linted
        before, after = content.file, mended.content.file
        try:
            if not dry:
                _write(before, after)
        except OSError as error:
            why = f"{reason(error)}; its fixes are not applied"
            linted.located.extend(self._unwritten(before, why))
            return content, linted
        report.fixed += mended.fixed
        report.changed.append(Fixed(before, after, self._linter.name(before)))
        return mended.content, self._linter.lint(mended.content)

    def _unwritten(self, file: File, why: str) -> Iterator[Located]:
        for finding in unwritable_file.run(why):
            identity = self._linter.fingerprint(file, finding.code, finding.message)
            yield Located(
                finding, unwritable_file.name, file, self._linter.name(file), 0, 0, fingerprint=identity
            )


def _write(before: File, after: File) -> None:
    """Put a mended file in the place of the one that was read, unless somebody else has changed that.

    Raises:
        OSError: It is another one by now, or cannot be written.
    """
    if before.path.read_bytes() != before.encoded(before.text):
        raise OSError(0, "it was changed while it was linted")
    write(before.path, after.encoded(after.text))
