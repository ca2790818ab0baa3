"""What is found is told to people, to programs, and to code hosts, each in its own format."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from tests.lint.project.conftest import PARAGRAPH, SPACES, write
from tests.lint.sources.reading import body
from tests.pricing.places import NOW, ns
from tokenguard.lint import Finding, Lint, Severity
from tokenguard.lint.outputs import OUTPUTS
from tokenguard.lint.project.located import Located
from tokenguard.lint.project.project import Project, Report
from tokenguard.lint.project.settings import ProjectSettings
from tokenguard.lint.rules import RULES
from tokenguard.lint.sources import File
from tokenguard.pricing import PriceBook


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """Errors, warnings and hints, with and without a price, in names that need to be escaped."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a b,c.md", f"{PARAGRAPH}\n{SPACES}")
    write(tmp_path, "d.md", PARAGRAPH)
    write(tmp_path, "e.json", '{"messages": [}')
    write(tmp_path, "f.json", json.dumps(body(SPACES)))
    write(tmp_path, "g.json", json.dumps({**body(SPACES), "model": "nobody-knows"}))
    settings = ProjectSettings(lint=Lint(select=("TG211", "TG290")), root=tmp_path)
    return Project(settings, PriceBook(), ns(NOW)).lint([Path()])


def output(report: Report, name: str) -> str:
    """All that is printed, without styles."""
    pieces = [piece.plain if isinstance(piece, Text) else piece for piece in OUTPUTS[name](report)]
    return "\n".join(pieces) + "\n"


def found(text: str, start: int, end: int, code: str = "TG211", **more: Any) -> Report:
    """A report of one finding."""
    finding = Finding("something", start=start, end=end, severity=Severity.WARNING, code=code)
    return Report([Located(finding, "name", File(Path("a.md"), text), "a.md", start, end, **more)], 1, 1)


def test_people_see_the_lines(report: Report) -> None:
    """Where, what, what it costs, and how to mend it; and what it comes to."""
    said = output(report, "text")
    assert re.search(
        r"^f\.json:1:\d+ TG211 \S+ in messages\[0\]\.content: .* "
        r"\(\d+ tokens, \$0\.\d\d per 1k calls of gpt-4\.1\)$",
        said,
        re.M,
    )
    assert re.search(r"^g\.json.*tokens, nobody-knows is unpriced\)", said, re.M)
    assert re.search(r"^a b,c\.md:\d+:\d+ TG211 \S+: .* \(\d+ tokens\)$", said, re.M)
    assert f'\n1 | {{"messages": [}}\n  | {" " * 14}^\n' in said
    assert re.search(r"^ +\| +\^+", said, re.M)
    assert re.search(r"^ += .* \(--fix\)$", said, re.M)
    assert re.search(
        r"^6 findings in 4 prompts in 5 files: 1 error, \d warnings?, \d hints?; [\d,]+ tokens, "
        r"\$0\.\d\d per 1k calls of each without 2 that are unpriced\. --fix mends 3 of them\.$",
        said,
        re.M,
    )


def test_nothing_found_is_said() -> None:
    """With what was looked at."""
    assert output(Report(files=1, units=2), "text") == "Nothing found in 2 prompts in 1 file.\n"
    assert "Not counted: 3 known to the baseline, 1 ignored by comments." in output(
        Report(files=1, known=3, suppressed=1), "text"
    )


def test_marks_stand_below_what_they_mark() -> None:
    """Under tabs and wide characters too; of several lines the first is shown."""
    lines = output(found("a\t日本 waste\nmore\n", 5, 10), "text").splitlines()
    assert lines[1:3] == ["1 | a 日本 waste", "  |        ^^^^^"]
    lines = output(found("one\ntwo\nthree\n", 4, 12), "text").splitlines()
    assert lines[1:3] == ["2 | two", "  | ^^^ and 1 more line"]


def test_a_long_line_is_shown_around_what_was_found() -> None:
    """A request may be one line of a megabyte."""
    text = "x" * 1_000_000 + "waste" + "y" * 1_000_000
    lines = output(found(text, 1_000_000, 1_000_005), "text").splitlines()
    assert all(len(line) < 120 for line in lines)
    mark = lines[2].index("^")
    assert lines[1][mark : mark + 5] == "waste"


def test_a_secret_is_not_repeated() -> None:
    """A log of a build is read by many."""
    said = output(found("key = sk-verysecret\n", 6, 19, code="TG601"), "text")
    assert "verysecret" not in said
    assert "a.md:1:7" in said


def test_a_file_does_not_steer_the_terminal() -> None:
    """Its control characters are shown as what they are not."""
    said = output(found("\x1b[2J\x07waste\u202e\n", 5, 10), "text")
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "\u202e" not in said


def test_programs_get_everything(report: Report) -> None:
    """One JSON object; amounts are exact decimal texts."""
    told = json.loads(output(report, "json"))
    assert told["summary"] == {
        "files": 5, "prompts": 4, "findings": 6, "fixed": 0, "known": 0, "ignored": 0,
    }  # fmt: skip
    (priced,) = [one for one in told["findings"] if one["file"] == "f.json"]
    assert priced["where"] == "messages[0].content"
    assert priced["fix"]["safe"] is True
    assert float(priced["usd_per_1k_calls"]) == pytest.approx(priced["tokens"] * 2 / 1000)
    (unpriced,) = [one for one in told["findings"] if one["file"] == "g.json" and one["code"] == "TG211"]
    assert (unpriced["model"], unpriced["usd_per_1k_calls"]) == ("nobody-knows", None)
    assert all(re.fullmatch(r"[0-9a-f]{20}", one["fingerprint"]) for one in told["findings"])


def test_code_hosts_get_sarif(report: Report) -> None:
    """What the schema of SARIF 2.1.0 requires of these properties, and GitHub of results."""
    log = json.loads(output(report, "sarif"))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "tokenguard"
    assert run["columnKind"] == "unicodeCodePoints"
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
    assert len(run["results"]) == 6
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert re.fullmatch(r"[\w./%-]+", place["artifactLocation"]["uri"])
        region = place["region"]
        assert min(region.values()) >= 1
        assert (region["endLine"], region["endColumn"]) >= (region["startLine"], region["startColumn"])
        assert result["properties"]["tokens"] >= 0
    prints = [json.dumps(result["partialFingerprints"]) for result in run["results"]]
    assert len(set(prints)) == len(prints)
    wasted = [one for one in run["results"] if one["ruleId"] == "TG211"]
    assert all("usd_per_1k_calls" in one["properties"] for one in wasted)


def test_github_shows_findings_beside_the_lines(report: Report) -> None:
    """As workflow commands, with what would end them escaped."""
    lines = output(report, "github").splitlines()
    assert lines[0].startswith("::")
    assert all(
        re.fullmatch(r"::(error|warning|notice) file=[^,:]+,line=\d+,endLine=\d+,(col=\d+,endColumn=\d+,)?"
                     r"title=TG\d{3} [a-z-]+::.+", line)
        for line in lines[:-1]
    )  # fmt: skip
    assert any("file=a b%2Cc.md," in line for line in lines)
    said = output(found("50%\nof it\n", 0, 8), "github")
    assert "col=" not in said
    report = found("x", 0, 1)
    odd = report.located[0]._replace(finding=report.located[0].finding._replace(message="100%\nof it"))
    assert "::100%25%0Aof it" in output(Report([odd], 1, 1), "github")


def test_every_rule_has_a_documentation() -> None:
    """From which its page, its explanation and its entry in SARIF are made."""
    for rule in RULES:
        first, _, rest = rule.doc.partition("\n")
        assert first.endswith(".")
        assert "## What it does" in rest
