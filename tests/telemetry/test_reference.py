"""The reference page says what is emitted: every name, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import openai

from tests.flow.driving import body, call, drive, end, policies, reply, stream
from tokenguard import Cache, Guard, Lint
from tokenguard.telemetry import Telemetry, TelemetrySettings
from tokenguard.telemetry import semconv as sc
from tokenguard.testing import Provider

from .conftest import Measured

PAGE = (Path(__file__).parents[2] / "docs" / "concepts" / "telemetry.md").read_text()
NAMES = {
    name: value
    for name, value in vars(sc).items()
    if name.isupper() and isinstance(value, str) and not name.startswith("_")
}
METRICS = {value for name, value in NAMES.items() if name.startswith("METRIC_")}
ON_METRICS_ONLY = {sc.TOKEN_TYPE, sc.TOKEN_MODALITY}
ATTRIBUTES = (
    {value for name, value in NAMES.items() if not name.startswith("METRIC_")} - {sc.OWN} - ON_METRICS_ONLY
)


def rows(heading: str) -> list[list[str]]:
    """The rows of the tables below a heading, up to the next one of its level."""
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (section,) = [part for part in text if part.startswith(heading + "\n")]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_attribute_is_in_the_reference() -> None:
    """And every one in the reference exists; each once."""
    named = [row[0].strip("` ") for row in rows("Attributes")]
    assert len(named) == len(set(named))
    assert set(named) == ATTRIBUTES


def test_every_metric_is_in_the_reference() -> None:
    """And every one in the reference exists; each once."""
    named = [row[0].strip("` ") for row in rows("Metrics")]
    assert len(named) == len(set(named))
    assert set(named) == METRICS


def ask_a_cache(provider: Provider, telemetry: TelemetrySettings) -> Guard:
    """A miss, a hit, a call that passes the cache by, and an answer that is not kept; gives the guard."""
    guard = Guard(ledger=None, cache=Cache(), telemetry=telemetry)
    client = guard.wrap(openai.OpenAI(base_url=provider.openai_url, api_key="test"))
    messages: Any = [{"role": "user", "content": "Hello"}]
    for temperature in (0, 0, 1):
        client.chat.completions.create(model="gpt-4.1", messages=messages, temperature=temperature)
    client.chat.completions.create(model="gpt-4.1", messages=messages, temperature=0, max_tokens=1)
    guard.close()
    return guard


def ask_a_linter(provider: Provider, settings: TelemetrySettings) -> None:
    """A call in which something is found, and mended."""
    guard = Guard(ledger=None, telemetry=settings, lint=Lint(compress="safe"))
    client = guard.wrap(openai.OpenAI(base_url=provider.openai_url, api_key="test"))
    rows = json.dumps([{"city": f"City {n}", "people": n} for n in range(40)], indent=4)
    client.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": rows}])
    guard.close()


def emitted(measured: Measured, provider: Provider) -> dict[str, tuple[str, set[str]]]:
    """Every metric of calls of all kinds: its kind and unit as on the page, and its attributes."""
    with_a_cache = []  # what a cache holds is told for as long as there is one
    for version in ("default", "latest"):
        settings = TelemetrySettings(spans="metrics", semconv=version)
        using = policies(telemetry=Telemetry(settings))
        with_a_cache.append(ask_a_cache(provider, settings))
        ask_a_linter(provider, settings)
        for made, answers in (
            (call(), [reply(503), reply(), body()]),
            (call(stream=True), [stream(), end("closed", text="x")]),
            (call("nobody-knows-this-model"), [reply(), body(model="nor-this")]),
            (call(), [reply(400)]),
        ):
            drive(made, answers, using)
        using.telemetry.not_metered("api.openai.com")
    kinds = {"Sum": "counter", "Histogram": "histogram", "Gauge": "gauge"}
    metrics = measured.metrics()
    assert with_a_cache
    return {
        name: (
            f"{kinds[type(metric.data).__name__]}, `{metric.unit}`",
            {attribute for point in metric.data.data_points for attribute in point.attributes},
        )
        for name, metric in metrics.items()
    }


WORDS = {
    "operation": "gen_ai.operation.name",
    "provider": "gen_ai.provider.name",
    "model": "gen_ai.request.model",
}


def test_metrics_are_what_the_reference_says(measured: Measured, tokenguard_provider: Provider) -> None:
    """Kind, unit and attributes, as a reader gets them."""
    found = emitted(measured, tokenguard_provider)
    previous: set[str] = set()
    for name, kind, attributes in rows("Metrics"):
        told = {WORDS.get(word, word.strip("`")) for word in attributes.rstrip("|").strip().split(", ")} - {
            "tags"
        }
        told = previous if told == {"likewise"} else told
        assert (name, *found[name.strip("`")]) == (name, kind, told)
        previous = told


def test_compat_names_are_those_of_the_settings() -> None:
    """The column of the tools names what ``compat`` takes."""
    from tokenguard.telemetry.telemetry import COMPAT

    column = {row[1].strip("`") for row in rows("Attributes") if row[1].strip("`") in COMPAT}
    assert column == set(COMPAT)
