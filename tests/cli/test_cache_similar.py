"""The index of similar questions stands beside the answers: it is told, but never as one of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest

import tokenguard as library
from tests.cache.embedders import Words
from tokenguard import Cache, Guard, Similar
from tokenguard.cache.disk import DiskStore
from tokenguard.testing import Provider

from .conftest import Run

DIRECTORY = ("--directory", "c")
QUESTIONS = ("How do I reset my password?", "How do I water the garden?")


@pytest.fixture
def page(folder: Path, provider: Provider) -> str:
    """Two answers, tagged ``one`` and ``two``, to questions that one page of the index has; its key."""
    similar = Similar(Words(), threshold=0.9, uncalibrated=True, max_entries=64)
    cache = Cache(store=folder / "c", tags=("all",), namespace="n", similar=similar, lookup_timeout="1m")
    with closing(Guard(cache=cache, ledger=folder / "l.db")) as guard:
        client = guard.wrap(openai.OpenAI(base_url=provider.openai_url, api_key="k"))
        for tag, text in zip(("one", "two"), QUESTIONS, strict=True):
            messages: Any = [{"role": "user", "content": text}]
            with library.context(cache_tags=[tag]):
                client.chat.completions.create(model="gpt-4.1", messages=messages, temperature=0)
    with closing(DiskStore(folder / "c")) as store:
        (key,) = [label.key for label in store.labels() if not label.is_answer]
    return key


Told = Callable[..., Any]


@pytest.fixture
def told(run: Run) -> Told:
    """What a command says of the directory, as JSON."""
    return lambda *arguments: json.loads(run(*arguments, *DIRECTORY, "--json").stdout)


def test_a_page_is_not_listed_or_shown(page: str, run: Run, told: Told) -> None:
    """Whoever looks for answers finds answers."""
    listed = told("ls")
    assert listed["total"] == len(listed["entries"]) == 2
    assert page not in {entry["key"] for entry in listed["entries"]}
    ran = run("show", page, *DIRECTORY)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"has a key that begins with '{page}'" in ran.stderr


def test_stats_tell_of_the_index_on_a_line_of_its_own(page: str, run: Run, told: Told) -> None:
    """Its bytes are not those of answers."""
    store = told("stats")["store"]
    assert store["entries"] == sum(model["entries"] for model in store["models"]) == 2
    assert store["bytes"] == sum(entry["size"] for entry in told("ls")["entries"])
    assert store["index"]["pages"] == 1
    assert store["index"]["bytes"] > 0
    assert "\nIndex of similar questions: 1 pages, " in run("stats", *DIRECTORY).stdout


def test_without_an_index_there_is_no_line(run: Run, folder: Path) -> None:
    """Most caches have none."""
    DiskStore(folder / "c").close()
    assert "similar" not in run("stats", *DIRECTORY).stdout


@pytest.mark.parametrize(
    ("which", "removed"),
    [
        (["--all", "--yes"], 2),
        (["--namespace", "n"], 2),
        (["--tag", "all"], 2),
        (["--tag", "one"], 1),
        (["--model", "gpt-4.1"], 2),
        (["--older-than", "0s"], 2),
    ],
    ids=str,
)
def test_the_index_goes_with_its_answers_and_is_not_counted(
    page: str, told: Told, which: list[str], removed: int
) -> None:
    """A page goes with any answer on it: no vector outlives its answer."""
    assert told("invalidate", *which)["removed"] == removed
    assert told("stats")["store"]["index"] == {"pages": 0, "bytes": 0}
    assert told("ls")["total"] == 2 - removed


def test_a_page_is_not_among_what_all_asks_for(page: str, folder: Path) -> None:
    """The number in the question is that of answers."""
    from typer.testing import CliRunner

    from tokenguard.cli.cache import app

    ran = CliRunner().invoke(app, ["invalidate", "--directory", str(folder / "c"), "--all"], input="n\n")
    assert "Remove all 2 answers from " in ran.output


def test_a_guard_counts_answers_only(page: str, folder: Path) -> None:
    """As the command does."""
    with closing(Guard(cache=Cache(store=folder / "c"), ledger=None)) as guard:
        assert guard.cache is not None
        assert guard.cache.invalidate() == 2
