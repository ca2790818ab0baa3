"""A baseline knows what was there before, wherever it stands now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lint.project.conftest import PARAGRAPH, SPACES, LintProject, write
from tests.lint.sources.reading import body
from tokenguard.errors import ConfigError
from tokenguard.lint.project import baseline
from tokenguard.lint.project.project import Report


def new(report: Report, path: Path) -> list[str]:
    """The codes of what a baseline does not know."""
    return [one.finding.code for one in baseline.new(report.located, baseline.load(path))]


def test_what_was_there_is_known_when_lines_move(folder: Path, lint: LintProject) -> None:
    """Findings in texts, in requests, of files."""
    write(folder, "a.md", f"Hello.\n{SPACES}")
    write(folder, "b.json", json.dumps([body(SPACES)]))
    write(folder, "c.json", '{"messages": [}')
    write(folder, "d.md", PARAGRAPH)
    write(folder, "e.md", PARAGRAPH)
    path = folder / "baseline.json"
    report = lint(select=("TG2",))
    assert baseline.save(path, report.located) == len(report.located) >= 4
    assert new(report, path) == []
    write(folder, "a.md", f"Hello.\nOne more line.\n\n{SPACES}")
    write(folder, "b.json", json.dumps([body("first"), body(SPACES)], indent=4))
    write(folder, "c.json", '\n\n{"messages": [}')
    write(folder, "d.md", f"# Title\n\n{PARAGRAPH}")
    assert new(lint(select=("TG2",)), path) == []


def test_what_is_new_is_told(folder: Path, lint: LintProject) -> None:
    """In another file, or once more in the same."""
    write(folder, "a.json", json.dumps([body(SPACES)]))
    path = folder / "baseline.json"
    baseline.save(path, lint(select=("TG211",)).located)
    write(folder, "a.json", json.dumps([body(SPACES), body(SPACES + "x")]))
    assert new(lint(select=("TG211",)), path) == ["TG211"]
    write(folder, "b.md", SPACES)
    assert new(lint(select=("TG211",)), path) == ["TG211", "TG211"]


def test_the_working_directory_does_not_matter(
    folder: Path, lint: LintProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known to the whole project is known in its folders."""
    write(folder, "prompts/a.md", SPACES)
    path = folder / "baseline.json"
    baseline.save(path, lint(select=("TG211",)).located)
    monkeypatch.chdir(folder / "prompts")
    assert new(lint("a.md", select=("TG211",), root=folder), path) == []


def test_a_baseline_reads_well_in_a_review(folder: Path, lint: LintProject) -> None:
    """One line for each kind of finding, in order, and nothing of what was found."""
    write(folder, "b.md", SPACES)
    write(folder, "a.md", SPACES)
    baseline.save(folder / "baseline.json", lint(select=("TG211",)).located)
    said = json.loads((folder / "baseline.json").read_text())
    assert [(entry["file"], entry["code"], entry["count"]) for entry in said["findings"]] == [
        ("a.md", "TG211", 1),
        ("b.md", "TG211", 1),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist; --write-baseline makes it"),
        ("[]", "is no baseline"),
        ("{", "is no baseline"),
        ('{"version": 9, "findings": []}', "is a baseline of version 9"),
        ('{"version": 1, "findings": [1]}', "is no baseline"),
    ],
)
def test_what_is_no_baseline_is_refused(content: str | None, message: str, folder: Path) -> None:
    """With what to do."""
    path = folder / "baseline.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        baseline.load(path)
    with pytest.raises(ConfigError, match="cannot be written"):
        baseline.save(folder / "missing" / "baseline.json", [])
