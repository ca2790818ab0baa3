"""``tokenguard demo`` as ``make demo`` runs it, in processes of its own."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.demo.conftest import COMMAND, Ran, RunDemo
from tokenguard.ledger import SqliteLedger, queries

# What would spoil the demo, were it to listen: a proxy, a sampler, a disabled SDK.
HOSTILE = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
    "OTEL_TRACES_SAMPLER": "always_off",
    "OTEL_SDK_DISABLED": "true",
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ledger") / "kept.db"


@pytest.fixture(scope="module")
def as_json(run_demo: RunDemo, ledger: Path) -> dict[str, Any]:
    """What the demo says as JSON, with a ledger that is kept, in a hostile shell."""
    ran = run_demo("--json", "--ledger", str(ledger), **HOSTILE)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.fixture(scope="module")
def printed(run_demo: RunDemo, ledger: Path, as_json: dict[str, Any]) -> Ran:
    """What it prints into a pipe of nothing but ASCII, the second time on the same ledger."""
    return run_demo("--ledger", str(ledger), PYTHONIOENCODING="ascii")


def test_the_totals_tie(as_json: dict[str, Any]) -> None:
    """Ledger, receipts, spans and metrics say the same number of calls and of nano-dollars."""
    totals = as_json["totals"]
    assert as_json["tied"] is True
    assert list(totals) == ["ledger", "receipts", "spans", "metrics"]
    assert totals["ledger"]["cost_nano"] > 0
    assert all(account == totals["ledger"] for account in totals.values())
    assert sum(row["cost_nano"] for row in as_json["table"]) == totals["ledger"]["cost_nano"]


def test_it_shows_teams_features_and_both_sdks(as_json: dict[str, Any]) -> None:
    """Two teams, three features, models of both providers, sixty calls, none of them without a price."""
    keys = [row["keys"] for row in as_json["table"]]
    assert {key["team"] for key in keys} == {"tutoring", "editorial"}
    assert {key["feature"] for key in keys} == {"homework", "fact-check", "glossary"}
    assert {key["model"].partition("-")[0] for key in keys} == {"gpt", "claude"}
    total = as_json["total"]
    assert total["calls"] == 60
    assert (total["unpriced"], total["unmetered"], total["unknown"], total["in_flight"]) == (0, 0, 0, 0)
    assert as_json["faults"] == {}


def test_refusals_are_tried_again(as_json: dict[str, Any]) -> None:
    """Two calls needed a second attempt, and the trace that is shown is one of theirs."""
    assert as_json["retries"] == 2
    application = as_json["trace"]
    call = application["children"][0]
    leaf = call["children"][0]
    assert (application["name"], call["name"]) == ("answer question", "tokenguard.call")
    assert leaf["attributes"]["http.request.resend_count"] == 1
    assert leaf["events"][0]["name"] == "tokenguard.retry"
    assert leaf["events"][0]["attributes"]["http.response.status_code"] == 429


def test_an_abandoned_stream_is_estimated(as_json: dict[str, Any]) -> None:
    """Nobody read it to the end, so its cost is a count of ours, and said to be one."""
    assert as_json["abandoned"] == 1
    estimated = [row for row in as_json["table"] if row["estimated_nano"]]
    assert [row["keys"]["model"] for row in estimated] == ["gpt-4.1-nano"]
    assert 0 < as_json["total"]["estimated_nano"] < as_json["total"]["cost_nano"]


def test_the_answers_are_the_recorded_ones(as_json: dict[str, Any]) -> None:
    """The provider in the second process knew every question that was asked."""
    from tokenguard.demo.questions import questions

    known = {question.id: question.answer for question in questions()}
    said = {answer["question"]: answer["text"] for answer in as_json["answers"]}
    assert len(said) == 60
    cut = [question for question, text in said.items() if text != known[question]]
    assert len(cut) == 1  # the abandoned one
    assert known[cut[0]].startswith(said[cut[0]])


def test_a_kept_ledger_takes_a_second_run(printed: Ran, ledger: Path, as_json: dict[str, Any]) -> None:
    """Each run counts its own calls; the ledger has them all, and ``report`` reads it."""
    assert printed.returncode == 0, printed.stderr
    assert queries.report(ledger, now_ns=0).total.calls == 120
    command = [str(COMMAND), "report", "--ledger", str(ledger), "--by", "team", "--json"]
    reported = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert reported["total"]["calls"] == 120


def test_it_is_readable_in_a_pipe(printed: Ran) -> None:
    """No colours, no cursor movements, no line that was cut; progress, table, tree and the tie are there."""
    assert "\x1b" not in printed.stdout + printed.stderr
    assert printed.stderr == ""
    assert "Totals tie to the nano: ledger = receipts = spans = metrics = $0.0" in printed.stdout
    assert "tutoring  homework   gpt-4.1 " in printed.stdout
    assert "2 attempts were refused and made again" in printed.stdout
    assert "event tokenguard.retry" in printed.stdout
    assert "claude-sonnet-4-5" in printed.stdout.partition("What it cost")[2]
    assert "tokenguard report --ledger" in printed.stdout


def test_the_second_process_ends_with_the_demo(printed: Ran) -> None:
    """Nothing is left running."""
    pid = printed.stdout.partition("process ")[2].partition(",")[0]
    assert pid.isdigit()
    assert not Path(f"/proc/{pid}").exists()


def test_totals_that_do_not_tie_fail_the_demo(run_demo: RunDemo, tmp_path: Path) -> None:
    """A nano-dollar is added to every cost on its way into the ledger: exit code 1, and all four counts."""
    spoiled = tmp_path / "spoiled.db"
    SqliteLedger(spoiled).close()
    with closing(sqlite3.connect(spoiled)) as connection:
        connection.execute(
            "CREATE TRIGGER spoil AFTER INSERT ON call WHEN new.cost_nano > 0 "
            "BEGIN UPDATE call SET cost_nano = cost_nano + 1 WHERE id = new.id; END"
        )
        connection.commit()
    ran = run_demo("--ledger", str(spoiled), "--json")
    assert ran.returncode == 1
    found = json.loads(ran.stdout)
    assert found["tied"] is False
    costs = {name: account["cost_nano"] for name, account in found["totals"].items()}
    assert costs["receipts"] == costs["spans"] == costs["metrics"] == costs["ledger"] - 60


def test_a_ledger_that_cannot_be_used_is_said_so(run_demo: RunDemo, tmp_path: Path) -> None:
    """One line on what is wrong, exit code 2, and no call made."""
    ran = run_demo("--ledger", str(tmp_path))
    assert ran.returncode == 2
    assert str(tmp_path) in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "calls" not in ran.stdout
