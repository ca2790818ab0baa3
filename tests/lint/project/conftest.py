"""A project in a folder of its own, linted as the command lints it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pricing.places import NOW, ns
from tokenguard.lint import Lint
from tokenguard.lint.project.project import Project, Report
from tokenguard.lint.project.settings import ProjectSettings
from tokenguard.pricing import PriceBook

LintProject = Callable[..., Report]

PARAGRAPH = (
    "You are the support assistant of Acme, a shop for garden tools. You answer in the language of the "
    "customer, in at most five sentences, and you never promise a refund that the policy below rules out.\n"
)
"""Long enough to be compared with others."""

SPACES = "Answer in JSON.   \n   \n\n\n\n" * 12
"""What the rule about whitespace finds, and can safely mend."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lint(folder: Path) -> LintProject:
    """Lint paths of the folder; by default all of it."""

    def run(
        *paths: str, book: PriceBook | None = None, mend: Any = "no", dry: bool = False, **settings: Any
    ) -> Report:
        rules = {
            name: settings.pop(name) for name in ("select", "ignore", "extend_select") if name in settings
        }
        chosen = ProjectSettings(lint=Lint(**rules), **{"root": folder, **settings})
        project = Project(chosen, book or PriceBook(), ns(NOW))
        return project.lint([Path(path) for path in paths or (".",)], mend=mend, dry=dry)

    return run


def write(folder: Path, name: str, content: str | bytes) -> Path:
    """Put a file into the folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def told(report: Report) -> list[tuple[str, int, str]]:
    """What was found: the file, the line and the code."""
    return [(one.shown, one.line, one.finding.code) for one in report.located]
