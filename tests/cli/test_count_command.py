"""``tokenguard count``: the tokens of texts, and how they are known."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tokenguard.tokens import text as exactly

from .conftest import COMMAND, Ended, Run, clean_environment

POEM = "Der Mond ist aufgegangen,\nDie goldnen Sternlein prangen\n"


def report(ran: Ended | subprocess.CompletedProcess[str]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(ran.stdout)
    return read


def test_texts_are_counted_as_openai_counts_them(command: Run, folder: Path) -> None:
    """Exact, and said to be; with a total."""
    (folder / "poem.md").write_text(POEM)
    (folder / "code.py").write_text("print(1)")
    ran = command("count", "poem.md", "code.py", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    poem, code = report(ran)["files"]
    assert (poem["file"], poem["tokens"], poem["how"]) == ("poem.md", exactly.count(POEM, ""), "exact")
    assert (poem["characters"], poem["lines"]) == (len(POEM), 2)
    assert (code["tokens"], code["lines"]) == (exactly.count("print(1)", ""), 1)
    total = report(ran)["total"]
    assert total["tokens"] == poem["tokens"] + code["tokens"]
    assert total["how"] == "exact"
    assert total["at_most"] == total["tokens"]


@pytest.mark.parametrize("model", ["gpt-4", "gpt-5.6-sol"])
def test_a_model_has_its_encoding(command: Run, folder: Path, model: str) -> None:
    """Older models make more tokens of the same text."""
    (folder / "poem.md").write_text(POEM)
    ran = command("count", "poem.md", "--model", model, "--json")
    assert report(ran)["files"][0]["tokens"] == exactly.count(POEM, model)


def test_what_is_not_known_exactly_says_so(command: Run, folder: Path) -> None:
    """Claude's tokenizer is not public: a number without its error would be a guess."""
    (folder / "poem.md").write_text(POEM * 20)
    ran = command("count", "poem.md", "--model", "claude-opus-5-5", "--json")
    counted = report(ran)["files"][0]
    assert counted["how"] != "exact"
    assert counted["at_most"] >= counted["tokens"] > 0
    shown = command("count", "poem.md", "--model", "claude-opus-5-5").stdout
    assert "Tokens for claude-opus-5-5" in shown
    assert counted["how"].replace("_", " ") in shown


def test_standard_input_is_a_file_too(folder: Path) -> None:
    """In a pipe."""
    ran = subprocess.run(
        [str(COMMAND), "count", "-"],
        cwd=folder,
        env=clean_environment(folder),
        input=POEM,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0
    assert "standard input" in ran.stdout
    assert str(exactly.count(POEM, "")) in ran.stdout


def test_a_table_has_every_file_and_a_total(command: Run, folder: Path) -> None:
    """Tokens, characters, lines, and how they were counted."""
    (folder / "a.md").write_text("word " * 3000)
    (folder / "[b].md").write_text("")
    shown = command("count", "a.md", "[b].md").stdout
    for words in ("a.md", "[b].md", "Total", "15,000", "exact"):
        assert words in shown


def test_what_cannot_be_read_is_named_and_the_rest_is_counted(command: Run, folder: Path) -> None:
    """A missing file, one in another encoding, a folder: each is told with its name, and the code is 1."""
    (folder / "poem.md").write_text(POEM)
    (folder / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    (folder / "folder").mkdir()
    ran = command("count", "none.txt", "latin.txt", "poem.md", "folder", "--json")
    assert ran.returncode == 1
    assert [each["file"] for each in report(ran)["files"]] == ["poem.md"]
    assert ran.stderr.splitlines() == [
        "tokenguard: none.txt: No such file or directory",
        "tokenguard: latin.txt: not a text in UTF-8 (byte 0xe9 at 3)",
        "tokenguard: folder: Is a directory",
    ]
    assert [each["file"] for each in report(ran)["errors"]] == ["none.txt", "latin.txt", "folder"]


def test_nothing_that_could_be_read_is_no_table(command: Run) -> None:
    """Only the diagnostic."""
    ran = command("count", "none.txt")
    assert (ran.returncode, ran.stdout) == (1, "")


def test_a_text_that_breaks_tokenizers_is_counted(command: Run, folder: Path) -> None:
    """A million blanks, which overflow the stack of some."""
    (folder / "blanks.txt").write_text(" " * 1_000_000)
    ran = command("count", "blanks.txt", "--json")
    assert ran.returncode == 0
    assert 0 < report(ran)["total"]["tokens"] < 1_000_000
