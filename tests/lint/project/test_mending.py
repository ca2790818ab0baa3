"""Files are mended in place: exactly what was meant, and nothing else."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.lint.project.conftest import SPACES, LintProject, told, write
from tests.lint.sources.reading import body
from tokenguard.lint.project import project as projects

WASTE = ("TG211",)
CALL = 'client.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": %s}], **more)\n'
CODE = "```python\nx = 1   \n\n\n\ny = 2   \n```\n"


def lines_without_waste(text: str) -> bool:
    """Whether no line outside code ends with a space."""
    return not any(line.endswith(" ") for line in text.replace(CODE, "").splitlines())


def test_a_prompt_is_mended(folder: Path, lint: LintProject) -> None:
    """Safe fixes alone; code stays as it is, byte for byte."""
    path = write(folder, "a.md", SPACES + CODE)
    report = lint(select=WASTE, mend="safe")
    assert [one.finding.code for one in report.fixed] == ["TG211"]
    assert told(report) == []
    assert CODE in path.read_text()
    assert lines_without_waste(path.read_text())


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encoding_and_line_ends_are_kept(
    line_end: str, encoding: str, folder: Path, lint: LintProject
) -> None:
    """Whoever wrote the file finds it as it was."""
    text = ("Füße\n" + SPACES).replace("\n", line_end)
    path = write(folder, "a.md", text.encode(encoding))
    assert lint(select=WASTE, mend="safe").fixed
    after = path.read_bytes()
    said = after.decode(encoding)
    assert said.encode(encoding) == after
    assert said.startswith(f"Füße{line_end}Answer in JSON.{line_end}")
    assert said.count("\n") == said.count(line_end)
    assert lines_without_waste(said)


@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_mended_in_its_strings(indent: int | None, folder: Path, lint: LintProject) -> None:
    """The layout of the file, and the way in which it writes other characters, stay."""
    before = [body("Grüße"), {**body(SPACES), "max_tokens": 1e2}, body("ü" + SPACES)]
    text = json.dumps(before, indent=indent).replace("100.0", "1e2")
    path = write(folder, "r.json", text)
    assert len(lint(select=WASTE, mend="safe").fixed) == 2
    after = path.read_text()
    assert '"max_tokens": 1e2' in after
    assert after.count("\\u00fc") == text.count("\\u00fc")
    assert json.dumps(json.loads(after), indent=indent).replace("100.0", "1e2") == after
    assert json.loads(after)[0] == before[0]


def test_a_broken_line_stays_and_the_others_are_mended(folder: Path, lint: LintProject) -> None:
    """Of JSONL."""
    line = json.dumps(body(SPACES)) + "\n"
    path = write(folder, "r.jsonl", line + "{broken\n" + line)
    report = lint(select=WASTE, mend="safe")
    assert told(report) == [("r.jsonl", 2, "TG003")]
    assert "{broken\n" in path.read_text()


def test_yaml_is_mended_in_its_blocks(folder: Path, lint: LintProject) -> None:
    """Indentation, comments and everything else stay."""
    lines = "".join(f"      {line}\n" for line in SPACES.splitlines())
    head = "# why\nmodel: gpt-4.1\nmessages:\n  - role: user\n    content: |\n"
    path = write(folder, "r.yaml", f"{head}{lines}      end\nstream: false # no\n")
    assert len(lint(select=WASTE, mend="safe").fixed) == 1
    after = path.read_text()
    assert after.startswith(f"{head}      Answer in JSON.\n")
    assert after.endswith("      end\nstream: false # no\n")


@pytest.mark.parametrize("literal", ["'''%s'''", '"""%s"""', 'f"""%s{name}"""', 'r"""%s"""'])
def test_a_literal_is_mended_in_place(literal: str, folder: Path, lint: LintProject) -> None:
    """The program is the same but for its text."""
    path = write(folder, "app.py", "# é\n" + CALL % (literal % SPACES) + "x = '   '  \n")
    assert len(lint(select=WASTE, mend="safe").fixed) == 1
    after = path.read_text()
    assert after.startswith("# é\n" + CALL[: CALL.index("%s")])
    assert after.endswith("x = '   '  \n")
    assert told(lint(select=WASTE)) == []


def test_a_text_that_two_calls_use_is_mended_once(folder: Path, lint: LintProject) -> None:
    """It is one finding."""
    path = write(folder, "app.py", f'S = """{SPACES}"""\n' + (CALL % "S") * 2)
    assert len(lint(select=WASTE, mend="safe").fixed) == 1
    assert path.read_text().endswith((CALL % "S") * 2)
    assert told(lint(select=WASTE)) == []


def test_what_has_no_exact_place_is_told_and_left(folder: Path, lint: LintProject) -> None:
    """A text that is put together or folded; the finding says that nobody mends it."""
    spaces = " " * 300
    path = write(folder, "app.py", CALL % f'"\\n".join(["one{spaces}", "two{spaces}", x])')
    before = path.read_bytes()
    write(folder, "r.yaml", f'model: gpt-4.1\nmessages:\n- role: user\n  content: "a{spaces}\\n\n    b"\n')
    report = lint(select=WASTE, mend="safe")
    if not report.fixed:
        assert path.read_bytes() == before
    assert all(one.fixable == "" for one in report.located if one.shown == "r.yaml")


def test_a_dry_run_writes_nothing(folder: Path, lint: LintProject) -> None:
    """And tells what would change."""
    path = write(folder, "a.md", SPACES)
    report = lint(select=WASTE, mend="safe", dry=True)
    assert path.read_text() == SPACES
    (changed,) = report.changed
    assert changed.diff().startswith("--- a/a.md\n+++ b/a.md\n@@ ")
    assert "\n-Answer in JSON.   \n" in changed.diff()


def test_permissions_and_links_stay(folder: Path, lint: LintProject) -> None:
    """A file is replaced, and what it was stays."""
    path = write(folder, "real/a.md", SPACES)
    path.chmod(0o640)
    (folder / "link.md").symlink_to("real/a.md")
    assert lint("link.md", select=WASTE, mend="safe").fixed
    assert (folder / "link.md").is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert lines_without_waste(path.read_text())
    assert [one.name for one in (folder / "real").iterdir()] == ["a.md"]


def test_a_file_that_cannot_be_written_is_told(
    folder: Path, lint: LintProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is as it was."""
    path = write(folder, "a.md", SPACES)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(projects, "write", full)
    report = lint(select=WASTE, mend="safe")
    assert sorted(code for _, _, code in told(report)) == ["TG008", "TG211"]
    assert report.fixed == []
    assert path.read_text() == SPACES


def test_what_somebody_else_wrote_meanwhile_is_kept(
    folder: Path, lint: LintProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fix is for the file that was read."""
    path = write(folder, "a.md", SPACES)
    mend = projects.mending.mend

    def slowly(*arguments: object, **options: object) -> object:
        path.write_text("another text")
        return mend(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(projects.mending, "mend", slowly)
    report = lint(select=WASTE, mend="safe")
    assert "TG008" in [code for _, _, code in told(report)]
    assert path.read_text() == "another text"


def test_ignored_findings_are_not_mended(folder: Path, lint: LintProject) -> None:
    """Somebody wanted it so."""
    text = f"<!-- tg: ignore-file[TG211] -->\n{SPACES}"
    path = write(folder, "a.md", text)
    assert lint(select=WASTE, mend="safe").fixed == []
    assert path.read_text() == text
