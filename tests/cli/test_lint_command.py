"""``tokenguard lint``: real files, exit codes, what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lint.project.conftest import PARAGRAPH, SPACES, write
from tests.lint.sources.reading import body

from .conftest import Run, RunCommand


@pytest.fixture
def project(folder: Path) -> Path:
    """A folder with something to find, and a configuration that looks for it alone."""
    write(folder, "prompts/a.md", SPACES)
    write(folder, "prompts/b.md", PARAGRAPH)
    write(folder, "tokenguard.toml", '[lint]\nselect = ["TG211"]\n')
    return folder


def test_it_finds_and_exits_with_1(tokenguard: RunCommand, project: Path) -> None:
    """0 if there is nothing, or if nobody minds."""
    ran = tokenguard("lint", "prompts")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.startswith("prompts/a.md:1:16 TG211 ")
    assert tokenguard("lint", "prompts", "--exit-zero").returncode == 0
    clean = tokenguard("lint", "prompts/b.md")
    assert (clean.returncode, clean.stdout) == (0, "Nothing found in 1 prompt in 1 file.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lint"], "name the files and folders to lint"),
        (["lint", "prompts", "--select", "TG29O"], "--select: no rule has the code 'TG29O'"),
        (["lint", "prompts", "--ignore", "TG2,TG20l"], "did you mean 'TG2"),
        (["lint", "--explain", "indented"], "--explain: no rule has the code 'indented'"),
        (["lint", "prompts", "--unsafe-fixes"], "add --fix, or --diff"),
        (["lint", "prompts", "--write-baseline"], "--write-baseline needs --baseline FILE"),
        (["lint", "prompts", "--baseline", "gone.json"], "--write-baseline makes it"),
        (["lint", "prompts", "--fix", "--baseline", "b", "--write-baseline"], "goes with neither"),
        (["lint", "prompts", "--output-format", "xml"], "xml"),
    ],
)  # fmt: skip
def test_wrong_usage_is_2(arguments: list[str], message: str, command: Run) -> None:
    """With what to do about it, and no traceback."""
    ended = command(*arguments)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('[lint]\nselect = ["TG9"]\n', 2, "no rule has the code 'TG9'"),
        ('[lint]\nper_file_ignores = {"a.md" = ["TG29O"]}\n', 2, "did you mean 'TG290'?"),
        ('[lint]\n[[lint.overrides]]\nfiles = ["a"]\nignore = ["whitespaces"]\n', 4, "no rule has the code"),
        ('[lint]\n[[lint.overrides]]\nignore = ["TG211"]\n', 2, "lint.overrides[0].files is missing"),
        ('[lint]\nextend-select = ["TG211"]\n', 2, "did you mean 'extend_select'?"),
        ('[lint]\non_error = "stop"\n', 2, 'lint.on_error must be one of "raise", "warn", "fix"'),
        (
            "[lint]\nmax_system_tokens = -1\n",
            2,
            "lint.max_system_tokens must be a number of tokens, 0 or more",
        ),
    ],
)
def test_a_wrong_setting_is_2(text: str, line: int, message: str, command: Run, project: Path) -> None:
    """With its line."""
    path = write(project, "tokenguard.toml", text)
    ended = command("lint", "prompts")
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"tokenguard: {path}:{line}: ")
    assert message in ended.stderr


def test_the_command_line_has_the_last_word(command: Run, project: Path) -> None:
    """Over the file, in pyproject.toml as in tokenguard.toml."""
    (project / "tokenguard.toml").unlink()
    write(
        project,
        "pyproject.toml",
        '[tool.tokenguard.lint]\nselect = ["TG290"]\nexclude = ["drafts"]\n'
        '[[tool.tokenguard.lint.overrides]]\nfiles = ["prompts"]\nselect = ["TG290"]\n',
    )
    write(project, "drafts/a.md", SPACES)
    assert command("lint", ".").returncode == 0
    assert command("lint", ".", "--extend-select", "TG211").returncode == 1
    ran = command("lint", ".", "--select", "TG003,TG211")
    assert ran.stdout.count(" TG211 ") == 1
    assert command("lint", ".", "--select", "TG211", "--ignore", "TG2").returncode == 0
    assert command("lint", ".", "--select", "TG211", "--exclude", "a.md").returncode == 0


def test_fixes_are_shown_then_made(tokenguard: RunCommand, project: Path) -> None:
    """--diff writes nothing, and exits with 1 while there is something to mend."""
    path = project / "prompts" / "a.md"
    ran = tokenguard("lint", "prompts", "--diff")
    assert ran.returncode == 1
    assert ran.stdout.startswith("--- a/prompts/a.md\n+++ b/prompts/a.md\n")
    assert path.read_text() == SPACES
    ran = tokenguard("lint", "prompts", "--fix")
    assert (ran.returncode, ran.stdout) == (0, "Fixed 1 finding. Nothing found in 2 prompts in 2 files.\n")
    assert path.read_text() != SPACES
    ran = tokenguard("lint", "prompts", "--diff")
    assert (ran.returncode, ran.stdout) == (0, "")


def test_a_baseline_hides_what_was_there(command: Run, project: Path) -> None:
    """And what is new is found."""
    ran = command("lint", "prompts", "--baseline", "known.json", "--write-baseline")
    assert (ran.returncode, ran.stdout) == (0, "known.json knows 1 finding now.\n")
    ran = command("lint", "prompts", "--baseline", "known.json")
    assert ran.returncode == 0
    assert "Not counted: 1 known to the baseline." in ran.stdout
    write(project, "prompts/c.md", SPACES)
    assert command("lint", "prompts", "--baseline", "known.json").returncode == 1


def test_prices_are_those_of_a_model(command: Run, project: Path) -> None:
    """And of your own configuration."""
    assert "per 1k calls of gpt-4.1" in command("lint", "prompts", "--model", "gpt-4.1").stdout
    write(
        project,
        "tokenguard.toml",
        '[lint]\nselect = ["TG211"]\nmodel = "ours"\n'
        '[[prices]]\nmodel = "ours"\nprices = { input = "1000" }\n',
    )
    (told,) = json.loads(command("lint", "prompts", "--output-format", "json").stdout)["findings"]
    assert (told["model"], told["usd_per_1k_calls"]) == ("ours", str(told["tokens"]))


def test_statistics_are_a_table(command: Run, project: Path) -> None:
    """By rule, the dearest first; as JSON too."""
    write(project, "r.json", json.dumps(body(SPACES)))
    ran = command("lint", ".", "--statistics")
    assert ran.returncode == 1
    assert "TG211" in ran.stdout
    (told,) = json.loads(command("lint", ".", "--statistics", "--output-format", "json").stdout)
    assert (told["code"], told["findings"], told["fixable"]) == ("TG211", 2, 2)


def test_rules_are_listed_and_explained(command: Run) -> None:
    """By code or by name."""
    assert "broken-syntax" in command("lint", "--list-rules").stdout
    listed = json.loads(command("lint", "--list-rules", "--output-format", "json").stdout)
    assert [one["code"] for one in listed] == sorted(one["code"] for one in listed)
    for name in ("TG290", "shared-text", "tg290"):
        ran = command("lint", "--explain", name)
        assert ran.returncode == 0
        assert ran.stdout.startswith(
            "# TG290 shared-text\n\n*info, on*\n\nThe same text in several prompts.\n"
        )


def test_output_is_not_broken_by_the_width_of_a_terminal(tokenguard: RunCommand, project: Path) -> None:
    """SARIF and annotations are read by programs."""
    for name in ("sarif", "json"):
        json.loads(tokenguard("lint", "prompts", "--output-format", name, COLUMNS="20").stdout)
    ran = tokenguard("lint", "prompts", "--output-format", "github", COLUMNS="20")
    assert ran.stdout.splitlines()[0].startswith("::warning file=prompts/a.md,line=1,endLine=")
