"""A finding with its place in a file and its price: what outputs show and baselines remember."""

from __future__ import annotations

import re
from decimal import Decimal
from hashlib import blake2b
from typing import Final, Literal, NamedTuple

from tokenguard.anatomy import at
from tokenguard.lint.finding import Finding, Severity
from tokenguard.lint.sources import File, Unit

Fixable = Literal["", "safe", "unsafe"]
Identity = tuple[str, int, int, str]

_INDEX: Final = re.compile(r"\[\d+\]")
_SECRET: Final = "TG6"  # noqa: S105 - the family whose findings are about secrets


class Located(NamedTuple):
    """A finding in a file.

    Attributes:
        finding: It.
        name: Its rule's name.
        file: The file.
        shown: The file's name, as people see it.
        start: Where it begins in the file, in characters.
        end: Where it ends.
        where: The value in the request: ``messages[0].content``; empty where the file is a prompt.
        model: The model whose price it is told in; empty where there is none.
        usd_per_1k_calls: What it costs in a thousand calls; ``None`` where nothing is wasted or priced.
        fixable: Whether it can be mended in the file, and how safely.
        fingerprint: The same for the same finding wherever it stands in the file.
    """

    finding: Finding
    name: str
    file: File
    shown: str
    start: int
    end: int
    where: str = ""
    model: str = ""
    usd_per_1k_calls: Decimal | None = None
    fixable: Fixable = ""
    fingerprint: str = ""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.finding.severity or Severity.WARNING

    @property
    def line(self) -> int:
        """Its line, from 1."""
        return self.file.line(self.start)

    @property
    def column(self) -> int:
        """Its column, from 1, in characters."""
        return self.file.column(self.start)

    @property
    def end_line(self) -> int:
        """The line that it ends on."""
        return self.file.line(self.end)

    @property
    def end_column(self) -> int:
        """The column behind its last character."""
        return self.file.column(self.end)

    @property
    def is_secret(self) -> bool:
        """Whether what was found must not be shown."""
        return self.finding.code.startswith(_SECRET)

    @property
    def identity(self) -> Identity:
        """What makes it another one than those beside it in the same file."""
        return self.finding.code, self.start, self.end, self.finding.message

    @property
    def order(self) -> tuple[str, int, int, str]:
        """As people read: by file, place and code."""
        return self.shown, self.start, self.end, self.finding.code


def fingerprint(path: str, code: str, what: str) -> str:
    """A finding's identity: its file, its rule and what was found, not the line."""
    return blake2b("\0".join((path, code, what)).encode("utf-8", "replace"), digest_size=10).hexdigest()


def what(finding: Finding, where: str, unit: Unit | None) -> str:
    """What was found, so that it is known again when what is around it changes.

    Secrets are no part of it: a digest of something short can be guessed.
    """
    if unit is None:
        return finding.message
    place = _INDEX.sub("[]", where)
    if finding.end <= finding.start or finding.code.startswith(_SECRET):
        return place
    try:
        value = at(unit.body, finding.path)
    except (LookupError, TypeError):
        return place
    stretch = value[finding.start : finding.end] if isinstance(value, str) else ""
    return f"{place}\0{' '.join(stretch.split())}"
