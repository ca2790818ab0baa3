"""``tokenguard report``, as it is typed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.ledger.attempts import NOON, answered, attempt, cost, select
from tokenguard.call import Attempt, CacheUse, Charge, CostBasis
from tokenguard.cli import main
from tokenguard.ledger import SqliteLedger


class Ran(NamedTuple):
    """How the command ended, and what it said."""

    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``tokenguard report``, in a folder of its own, without settings but ``$TOKENGUARD_LEDGER``."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKENGUARD_LEDGER", str(tmp_path / "ledger.db"))
    monkeypatch.setenv("COLUMNS", "80")

    def command(*arguments: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["tokenguard", "report", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return Ran(code, *capsys.readouterr())

    return command


@pytest.fixture
def spent(path: Path) -> Path:
    """A ledger with three calls of two teams, of 3.50, 0.0123 and 1 dollars."""
    with closing(SqliteLedger(path)) as ledger:
        for team, nano in (("search", 3_500_000_000), ("support", 12_300_000), ("search", 1_000_000_000)):
            made = answered(attempt(tags={"team": team, "ticket": "[red]T1"}), charge=cost(nano))
            ledger.begin(made)
            ledger.settle(made)
    return path


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("│┃").replace("┃", "│").split("│")]


def test_a_table_with_its_total(spent: Path, run: Run) -> None:
    """By model, unless asked otherwise."""
    result = run("--tz", "UTC")

    assert result.exit_code == 0
    title, _, head, *_ = lines = result.stdout.splitlines()
    assert title.strip() == "Usage by model, from the beginning until now (UTC)"
    assert cells(head) == ["model", "Calls", "Attempts", "Input", "Cached", "Output", "Cost"]
    total = next(line for line in lines if "Total" in line)
    assert cells(total) == ["Total", "3", "3", "3,600", "3,072", "1,020", "$4.51"]


def test_by_any_tags(spent: Path, run: Run) -> None:
    """A tag of one's own beside a first-class one; what looks like markup is shown as it is."""
    result = run("--by", "team, tag:ticket")
    rows = [cells(line) for line in result.stdout.splitlines() if "T1" in line]

    assert [(*row[:3], row[-1]) for row in rows] == [
        ("search", "[red]T1", "2", "$4.50"),
        ("support", "[red]T1", "1", "$0.0123"),
    ]


def test_json_has_exact_figures(spent: Path, run: Run) -> None:
    """Nano-dollars, the range and the ledger's path; on standard output alone."""
    result = run("--by", "team", "--json", "--since", "2026-11-20", "--tz", "Europe/Berlin")
    found = json.loads(result.stdout)

    assert [(row["keys"], row["cost_nano"]) for row in found["rows"]] == [
        ({"team": "search"}, 4_500_000_000),
        ({"team": "support"}, 12_300_000),
    ]
    assert found["total"]["cost_nano"] == 4_512_300_000
    assert (found["ledger"], found["tz"]) == (str(spent), "Europe/Berlin")
    assert found["since_ns"] == NOON - 13 * 3600 * 10**9


def test_filters_and_ranges(spent: Path, run: Run) -> None:
    """--where, --since and --until."""
    assert "$0.0123" in run("--where", "team=support", "--where", "ticket=[red]T1").stdout
    assert "No calls in this range." in run("--until", "2026-11-19").stdout
    assert "No calls in this range." in run("--where", "team=").stdout
    shown = run("--by", "day", "--since", "2026-11-20", "--until", "2026-11-20", "--tz", "UTC").stdout
    assert "Usage by day, from 2026-11-20 00:00 until 2026-11-21 00:00 (UTC)" in shown
    assert "2026-11-20 " in shown


def test_a_name_that_nothing_has_is_pointed_out(spent: Path, run: Run) -> None:
    """A slip of the keyboard is a tag that no call has."""
    assert "No call in this range has a value for 'modle'." in run("--by", "modle").stdout


def test_what_is_not_in_the_cost_is_pointed_out(path: Path, run: Run) -> None:
    """Unpriced and unmetered calls are not shown as free."""
    with closing(SqliteLedger(path)) as ledger:
        ledger.settle(answered(attempt(tags={"team": "a"}), charge=Charge(None, None, (), "p")))
        unmetered = answered(attempt(tags={"team": "b"}), charge=None, usage=None)
        unmetered.basis = CostBasis.UNMETERED
        ledger.settle(unmetered)
    result = run("--ledger", str(path), "--by", "team")
    heads, *rows = [cells(line) for line in result.stdout.splitlines() if line[:1] in "│┃"]

    assert [row[heads.index("Cost")] for row in rows] == ["unpriced", "unknown", "unpriced"]
    assert [row[heads.index("Unpriced")] for row in rows] == ["1", "0", "1"]
    assert "Unpriced attempts are not in the cost" in result.stdout
    assert "Unmetered attempts are not in the cost" in result.stdout


def cached(nano: int | None, **fields: Any) -> Attempt:
    """A call that was answered from the cache, and would have cost so much."""
    made = attempt(cache=CacheUse("hit", key="k"), role="cache", **fields)
    answered(made, charge=Charge(0, 0, (), "p"))
    made.baseline_nano, made.basis = nano, CostBasis.CACHED
    return made


def test_what_the_cache_saved_is_shown_once_there_is_any(spent: Path, run: Run) -> None:
    """Calls from the cache and their worth, by group and in total, to the nano in JSON."""
    assert "Saved" not in run().stdout
    with closing(SqliteLedger(spent)) as ledger:
        for team, nano in (("search", 1_000_000_001), ("search", 2), ("support", 12_300_000)):
            ledger.settle(cached(nano, tags={"team": team}))
        ledger.settle(cached(None, tags={"team": "free"}))
    result = run("--by", "team")
    heads, *rows = [cells(line) for line in result.stdout.splitlines() if line[:1] in "│┃"]
    shown = {row[0]: [row[heads.index(head)] for head in ("Calls", "From cache", "Saved")] for row in rows}

    assert shown == {
        "search": ["4", "2", "$1.00"],
        "support": ["2", "1", "$0.0123"],
        "free": ["1", "1", "unpriced"],
        "Total": ["7", "4", "$1.01"],
    }
    assert "not in what was saved: 1 answers from the cache" in result.stdout
    found = json.loads(run("--by", "team", "--json").stdout)
    saved = [(row["keys"]["team"], row["cached_calls"], row["saved_nano"]) for row in found["rows"]]
    assert saved == [("search", 2, 1_000_000_003), ("support", 1, 12_300_000), ("free", 1, 0)]
    assert (found["total"]["cached_calls"], found["total"]["saved_nano"]) == (4, 1_012_300_003)
    assert found["total"]["cached_unpriced"] == 1


def test_a_range_with_answers_from_the_cache_alone_has_calls(path: Path, run: Run) -> None:
    """They are no attempts, but they are calls."""
    with closing(SqliteLedger(path)) as ledger:
        ledger.settle(cached(5))
    result = run()
    assert "No calls in this range." not in result.stdout
    assert "$0.000000005" in result.stdout


def test_lost_calls_are_shown_as_lost(path: Path, run: Run) -> None:
    """A report looks for dead processes first: what they left is unknown, not under way."""
    pid = os.fork()
    if not pid:
        SqliteLedger(path).begin(attempt())
        os._exit(0)
    os.waitpid(pid, 0)

    result = run("--ledger", str(path))
    assert "they may have been billed in full" in result.stdout
    assert select(path, "SELECT state FROM call") == [("unknown",)]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--ledger", "/nowhere/ledger.db"], 1, "There is no ledger at /nowhere/ledger.db yet"),
        (["--ledger", __file__], 2, "it is not a database"),
        (["--by", "tag"], 2, "tag:NAME"),
        (["--by", "day,month"], 2, "one calendar period"),
        (["--since", "tomorrow"], 2, "write a date"),
        (["--tz", "Mars/Olympus"], 2, "there is no time zone"),
        (["--where", "team"], 2, "write it like team=search"),
        (["--no-such-option"], 2, "No such option"),
    ],
)
def test_what_is_wrong_is_said_on_standard_error(
    spent: Path, arguments: list[str], code: int, said: str, run: Run
) -> None:
    """Exit code 1 is for the ledger, 2 for what was typed."""
    result = run(*arguments)

    assert result.exit_code == code
    assert result.stdout == ""
    assert said in result.stderr


def test_looking_does_not_make_a_ledger(path: Path, run: Run) -> None:
    """A report on a file that is not there leaves none behind."""
    assert run("--ledger", str(path)).exit_code == 1
    assert not path.exists()


def test_the_configured_ledger_is_the_one_that_is_shown(
    spent: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tokenguard.toml says holds for the report too, unless --ledger says otherwise."""
    monkeypatch.delenv("TOKENGUARD_LEDGER")
    (spent.parent / "tokenguard.toml").write_text('ledger = "ledger.db"')
    assert "$4.51" in run().stdout

    (spent.parent / "tokenguard.toml").write_text("ledger = false")
    result = run()
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no ledger; name one with --ledger" in result.stderr
    assert "$4.51" in run("--ledger", str(spent)).stdout
