"""What is ignored: by comments on a line, before it, or for a file; by path; by what the project says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lint.project.conftest import PARAGRAPH, SPACES, LintProject, told, write
from tests.lint.sources.reading import body
from tokenguard.errors import ConfigError
from tokenguard.lint import Lint
from tokenguard.lint.project.settings import Override

WASTE = ("TG211",)
CALL = (
    'client.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": TEXT}], **more)\n'
)


@pytest.mark.parametrize(
    "comment",
    [
        "<!-- tg: ignore[TG211] -->",
        "<!-- tg: ignore[TG1, TG2] -->",
        "<!--tg:ignore-->",
        "# tg: ignore[TG211]",
        "<!-- tg: ignore-file[TG211] -->",
        "<!-- tg: ignore-file -->",
    ],
)
def test_a_comment_on_the_line_or_the_line_before_is_obeyed(
    comment: str, folder: Path, lint: LintProject
) -> None:
    """With codes, or their beginnings, or for everything."""
    write(folder, "a.md", f"{comment}\n{SPACES}")
    report = lint(select=WASTE)
    assert told(report) == []
    assert report.suppressed == 1


@pytest.mark.parametrize(
    "comment", ["<!-- tg: ignore[TG202] -->", "tg: ignore", "<!-- tg: ignorance -->", "<!-- tg ignore -->"]
)
def test_other_comments_ignore_nothing(comment: str, folder: Path, lint: LintProject) -> None:
    """Nor does a text that speaks of them."""
    write(folder, "a.md", f"{comment}\n{SPACES}")
    assert told(lint(select=WASTE)) == [("a.md", 2, "TG211")]


def test_a_comment_for_a_file_may_stand_anywhere(folder: Path, lint: LintProject) -> None:
    """At its end, for instance."""
    write(folder, "a.j2", f"{SPACES}\n{{# tg: ignore-file[TG211] #}}")
    assert told(lint(select=WASTE)) == []


@pytest.mark.parametrize(
    "source",
    [
        f'TEXT = """{SPACES}"""  # tg: ignore[TG211]\n{CALL}',
        f'# tg: ignore[TG211]\nTEXT = """{SPACES}"""\n{CALL}',
    ],
)
def test_in_python_a_comment_is_about_the_whole_literal(source: str, folder: Path, lint: LintProject) -> None:
    """Before it or behind it: within, it would be sent."""
    write(folder, "app.py", source)
    assert told(lint(select=WASTE)) == []
    write(folder, "app.py", source.replace("# tg", "# no"))
    assert [code for _, _, code in told(lint(select=WASTE))] == ["TG211"]


def test_a_text_of_a_program_is_no_comment(folder: Path, lint: LintProject) -> None:
    """What it says is for the model."""
    write(folder, "app.py", f'X = "# tg: ignore-file"\nTEXT = """{SPACES}"""\n{CALL}')
    assert [code for _, _, code in told(lint(select=WASTE))] == ["TG211"]


def test_in_yaml_a_comment_stands_before_the_value(folder: Path, lint: LintProject) -> None:
    """Which it is about."""
    lines = "".join(f"      {line}\n" for line in SPACES.splitlines())
    text = f"model: gpt-4.1\nmessages:\n  - role: user\n    # tg: ignore[TG211]\n    content: |\n{lines}"
    write(folder, "r.yaml", text)
    assert told(lint(select=WASTE)) == []


def test_a_comment_for_a_rule_that_does_not_exist_is_told(folder: Path, lint: LintProject) -> None:
    """With the one that may be meant."""
    write(folder, "a.md", f"# Title\n<!-- tg: ignore[TG29O] -->\n{SPACES}")
    report = lint(select=WASTE)
    assert told(report) == [("a.md", 2, "TG007"), ("a.md", 3, "TG211")]
    assert "did you mean 'TG290'?" in report.located[0].finding.message


def test_paths_have_rules_of_their_own(folder: Path, lint: LintProject) -> None:
    """``per_file_ignores`` switches off; ``overrides`` switch anything, and the later has the last word."""
    for name in ("a.md", "agents/b.md", "agents/old/c.md"):
        write(folder, name, SPACES)
    report = lint(select=WASTE, per_file_ignores={"agents/old": ("TG2",)})
    assert [name for name, _, _ in told(report)] == ["a.md", "agents/b.md"]
    report = lint(
        select=WASTE,
        overrides=(
            Override(("agents",), {"ignore": ("TG211",)}),
            Override(("agents/old",), {"select": ("TG003",)}),
            Override(("a.md",), {"select": ("TG202",), "extend_select": ("TG211",)}),
        ),
    )
    assert [name for name, _, _ in told(report)] == ["a.md"]


def test_paths_have_budgets_of_their_own(folder: Path, lint: LintProject) -> None:
    """A prompt in a file counts as instructions."""
    for name in ("small.md", "agents/large.md"):
        write(folder, name, PARAGRAPH)
    overrides = (Override(("agents",), {"max_system_tokens": 10}),)
    report = lint("small.md", "agents", select=("TG1",), overrides=overrides)
    assert {name for name, _, _ in told(report)} == {"agents/large.md"}


@pytest.mark.parametrize("name", ["select", "extend_select", "ignore"])
def test_a_rule_that_does_not_exist_is_refused(name: str) -> None:
    """When the settings are made, with the one that may be meant; and a text is no list."""
    with pytest.raises(ConfigError, match=rf"Lint\({name}=\['TG29O'\]\): .* did you mean 'TG290'\?"):
        Lint(**{name: ["TG29O"]})
    with pytest.raises(ConfigError, match=r"did you mean 'TG003'\?"):
        Lint(**{name: ("broken-syntax",)})
    with pytest.raises(ConfigError, match="give a list of codes"):
        Lint(**{name: "TG211"})
    assert getattr(Lint(**{name: ["TG2"]}), name) == ("TG2",)


def test_in_json_nothing_is_a_comment(folder: Path, lint: LintProject) -> None:
    """A request that speaks of one is a request."""
    write(folder, "r.json", json.dumps(body("tg: ignore-file\n" + SPACES)))
    assert [code for _, _, code in told(lint(select=WASTE))] == ["TG211"]
