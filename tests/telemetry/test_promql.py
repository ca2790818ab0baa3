"""The queries and alerts of the documentation: they parse, they name our metrics, they say what is said."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.flow.driving import body, call, drive, end, policies, reply, stream
from tokenguard.telemetry import Telemetry, TelemetrySettings
from tokenguard.testing import Provider

from .conftest import Measured
from .test_reference import ask_a_cache

ROOT = Path(__file__).parents[2]
QUERIES = re.findall(
    r"^```promql\n(.*?)^```", (ROOT / "docs/guides/promql.md").read_text(), re.MULTILINE | re.DOTALL
)
RULES = ROOT / "examples" / "prometheus"
SUFFIXES = {"USD": "_USD", "s": "_seconds", "By": "_bytes"}  # units in curly braces leave no trace
ENDS = {"Sum": ("_total",), "Gauge": ("",), "Histogram": ("_bucket", "_sum", "_count")}

promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt install prometheus)"
)


def in_prometheus(measured: Measured, provider: Provider) -> tuple[set[str], set[str]]:
    """Our metrics and labels, named as Prometheus has them."""
    ask_a_cache(provider, TelemetrySettings(spans="metrics"))
    using = policies(telemetry=Telemetry(TelemetrySettings(spans="metrics")))
    for made, answers in (
        (call(tags={"team": "support"}), [reply(503), reply(), body()]),
        (call(stream=True), [stream(), end("closed", text="x")]),
        (call("nobody-knows-this-model"), [reply(), body(model="nor-this")]),
    ):
        drive(made, answers, using)
    names: set[str] = set()
    labels = {"le"}
    for name, metric in measured.metrics().items():
        base = name.replace(".", "_") + SUFFIXES.get(metric.unit, "")
        names.update(base + end for end in ENDS[type(metric.data).__name__])
        labels.update(
            label.replace(".", "_") for point in metric.data.data_points for label in point.attributes
        )
    return names, labels


def words(query: str) -> set[str]:
    """The names in a query that can be metrics or labels of ours."""
    return set(re.findall(r"\b(?:tokenguard|gen_ai)_\w+", query))


def test_queries_name_what_there_is(measured: Measured, tokenguard_provider: Provider) -> None:
    """Every metric and every label, on the page and in the rules."""
    names, labels = in_prometheus(measured, tokenguard_provider)
    assert len(QUERIES) >= 10
    rules = re.sub(r"team:tokenguard_cost_USD:\w+", "", (RULES / "rules.yml").read_text())
    for text in (*QUERIES, rules, (RULES / "rules_test.yml").read_text()):
        assert words(text) <= names | labels, text


@promtool
def test_queries_parse(tmp_path: Path) -> None:
    """As rules, one for each."""
    rules = "".join(
        f"  - record: a:b:{number}\n    expr: |-\n"
        + "".join(f"      {line}\n" for line in query.splitlines())
        for number, query in enumerate(QUERIES)
    )
    file = tmp_path / "queries.yml"
    file.write_text(f"groups:\n- name: queries\n  rules:\n{rules}")
    checked = run("check", "rules", file)
    assert f"{len(QUERIES)} rules found" in checked


@promtool
def test_rules_are_right_and_their_tests_pass() -> None:
    """Syntax, and what fires when."""
    assert "SUCCESS" in run("check", "rules", RULES / "rules.yml")
    assert "SUCCESS" in run("test", "rules", RULES / "rules_test.yml")


def run(*arguments: object) -> str:
    done = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
