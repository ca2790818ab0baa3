"""Which files are linted, and that whatever is wrong with one never hides what is wrong with the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.lint.project.conftest import LintProject, told, write
from tokenguard.lint.project import reading
from tokenguard.lint.project.paths import Patterns

FILES = "TG0"


def test_a_folder_is_searched_for_what_may_be_a_prompt(folder: Path, lint: LintProject) -> None:
    """By its suffix; not in hidden folders, not in what others wrote, and no README."""
    for name in ("a.md", "b/c.TXT", "b/d.j2", "e.json", "f.jsonl", "g.yaml", "h.prompt"):
        write(folder, name, "")
    write(folder, "venv2/pyvenv.cfg", "home = /usr/bin\n")
    for name in (
        ".git/x.md", ".hidden.md", "node_modules/m/x.md", "venv2/x.md", "README.md", "requirements.txt",
        "image.png", "LICENSE.txt", "__pycache__/x.txt", "mod/__init__.py",
    ):  # fmt: skip
        write(folder, name, "")
    found = told(lint())
    assert [(name, code) for name, _, code in found] == [
        (name, "TG004") for name in ("a.md", "b/c.TXT", "b/d.j2", "e.json", "f.jsonl", "g.yaml", "h.prompt")
    ]


def test_what_is_named_is_linted(folder: Path, lint: LintProject) -> None:
    """Whatever it is called; a name without a known suffix is a text. And only once."""
    write(folder, "README.md", "")
    write(folder, "prompts/system", "")
    (folder / "again.md").symlink_to("README.md")
    assert told(lint("README.md", "prompts/system", "./README.md", "again.md")) == [
        ("README.md", 1, "TG004"),
        ("prompts/system", 1, "TG004"),
    ]


def test_what_is_named_may_be_passed_over(folder: Path, lint: LintProject) -> None:
    """For hooks, which name every file that changed."""
    for name in ("README.md", ".github/x.md", "prompts/a.md"):
        write(folder, name, "")
    found = told(lint("README.md", ".github/x.md", "prompts/a.md", all_named=False))
    assert found == [("prompts/a.md", 1, "TG004")]


def test_what_is_excluded_is_not_linted_not_even_if_it_is_named(folder: Path, lint: LintProject) -> None:
    """So that a pre-commit hook, which names every file, obeys."""
    for name in ("a.md", "drafts/b.md", "x/drafts/c.md", "x/d.md"):
        write(folder, name, "")
    paths = ("a.md", "drafts/b.md", "x")
    assert [name for name, _, _ in told(lint(*paths, exclude=("drafts",)))] == ["a.md", "x/d.md"]
    assert [name for name, _, _ in told(lint(*paths, exclude=("x/", "a.*")))] == ["drafts/b.md"]


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.md", ["a.md", "x/y/a.md"], ["a.mdx", "md"]),
        ("drafts", ["drafts/a.md", "x/drafts/b"], ["drafts2/a.md"]),
        ("prompts/*.md", ["prompts/a.md"], ["prompts/x/a.md", "x/prompts/a.md"]),
        ("prompts/**/*.md", ["prompts/a.md", "prompts/x/y/a.md"], ["prompts/a.txt"]),
        ("prompts/", ["prompts/x/a.md"], ["x.md"]),
        ("/a/b", ["a/b/c.md"], ["x/a/b/c.md"]),
        ("t[ae]st?.md", ["test1.md", "tast2.md"], ["tist1.md", "test12.md"]),
        ("[!a]*.md", ["b.md"], ["a.md"]),
    ],
)
def test_patterns_are_those_of_gitignore(pattern: str, yes: list[str], no: list[str], folder: Path) -> None:
    """As far as people use them."""
    patterns = Patterns((pattern,), folder)
    assert [name for name in (*yes, *no) if patterns.match(Path(name))] == yes


def test_what_cannot_be_read_is_told_and_the_rest_is_linted(folder: Path, lint: LintProject) -> None:
    """A path that is not there, a circle of links, a link to nowhere, a pipe, a folder that leads back."""
    write(folder, "empty.md", "")
    (folder / "loop.md").symlink_to("loop.md")
    (folder / "link.md").symlink_to("gone.md")
    (folder / "sub").mkdir()
    (folder / "sub" / "up").symlink_to("..")
    os.mkfifo(folder / "pipe.md")
    found = told(lint(".", "missing.md"))
    assert [(name, code) for name, _, code in found] == [
        ("empty.md", "TG004"),
        ("link.md", "TG001"),
        ("loop.md", "TG001"),
        ("missing.md", "TG001"),
        ("pipe.md", "TG001"),
        ("sub/up", "TG001"),
    ]


@pytest.mark.other_platform
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(folder: Path, lint: LintProject) -> None:
    """A file and a folder."""
    write(folder, "secret.md", "x").chmod(0)
    (folder / "closed").mkdir(mode=0)
    try:
        assert told(lint()) == [("closed", 1, "TG001"), ("secret.md", 1, "TG001")]
    finally:
        (folder / "closed").chmod(0o700)


def test_what_is_not_text_is_told_with_its_line(folder: Path, lint: LintProject) -> None:
    """Bytes that are not UTF-8, binary files, an encoding that does not exist."""
    write(folder, "latin.md", "one\ntwo é\n".encode("latin-1"))
    write(folder, "image.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    write(folder, "app.py", "# coding: klingon\nx = 1\n")
    write(folder, "app2.py", b"x = '\xe9'\n")
    assert told(lint()) == [
        ("app.py", 1, "TG003"),
        ("app2.py", 1, "TG003"),
        ("image.txt", 1, "TG002"),
        ("latin.md", 2, "TG002"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le"])
def test_a_byte_order_mark_says_the_encoding(encoding: str, folder: Path, lint: LintProject) -> None:
    """As editors on Windows write it."""
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    write(folder, "p.md", f"{mark}You are höflich.\n".encode(encoding))
    assert told(lint()) == []


def test_a_file_that_is_too_large_is_told(folder: Path, lint: LintProject) -> None:
    """50 MB are no prompt. Its size alone is looked at."""
    path = write(folder, "huge.md", "")
    with path.open("wb") as file:
        file.truncate(50_000_000)
    (found,) = lint().located
    assert (found.finding.code, found.finding.message) == (
        "TG001",
        "cannot be read: 50 MB; up to 10 MB are read",
    )


def test_json_about_something_else_may_be_broken(folder: Path, lint: LintProject) -> None:
    """Some tools allow comments in theirs; what is named, or is about requests, is told."""
    write(folder, "tsconfig.json", '{\n  /* Bundler mode */\n  "module": "ESNext"\n}\n')
    write(folder, "r.json", '{"model": "gpt-4.1", "messages": [}')
    assert told(lint()) == [("r.json", 1, "TG003")]
    assert told(lint("tsconfig.json")) == [("tsconfig.json", 2, "TG003")]


def test_jsonl_may_be_as_large_as_it_likes(
    folder: Path, lint: LintProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its lines stands for itself; the one that is broken is told."""
    monkeypatch.setattr(reading, "LARGEST", 1000)
    line = '{"model": "gpt-4.1", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}\n'
    write(folder, "r.jsonl", line * 50 + "{\n" + line)
    write(folder, "r.json", f"[{','.join([line] * 50)}]")
    report = lint(select=(FILES,))
    assert told(report) == [("r.json", 1, "TG001"), ("r.jsonl", 51, "TG003")]
    assert report.units == 51


def test_a_model_that_nobody_knows_is_told_once(folder: Path, lint: LintProject) -> None:
    """At its place. A deployment that the configuration knows is none of these."""
    from tokenguard.pricing import PriceBook

    line = '{"model": "gpt-4.1-mimi", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}\n'
    write(folder, "r.jsonl", line * 3)
    assert told(lint(select=(FILES,))) == [("r.jsonl", 1, "TG006")]
    book = PriceBook(deployments={"gpt-4.1-mimi": "gpt-4.1-mini"})
    assert told(lint(select=(FILES,), book=book)) == []


def test_a_fault_of_ours_is_told_and_the_rest_is_linted(
    folder: Path, lint: LintProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that we choke on does not look clean."""
    write(folder, "a.json", "{}")
    write(folder, "b.md", "")

    def broken(text: str) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("tokenguard.lint.sources.json_requests.parsed", broken)
    assert told(lint()) == [("a.json", 1, "TG001"), ("b.md", 1, "TG004")]


def test_what_is_wrong_with_files_is_told_whatever_is_selected(folder: Path, lint: LintProject) -> None:
    """Unless it is ignored."""
    write(folder, "a.json", '{"messages": [')
    assert told(lint(select=("TG2",))) == [("a.json", 1, "TG003")]
    assert told(lint(select=("TG2",), ignore=("TG003",))) == []
