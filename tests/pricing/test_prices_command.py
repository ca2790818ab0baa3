"""``tokenguard prices`` answers "what does it cost?" on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tokenguard.call import Meter
from tokenguard.cli.prices import prices
from tokenguard.pricing import PriceBook, PriceOverride
from tokenguard.pricing.describe import PriceRow, price_class, similar

from .places import NOW, ns

app = typer.Typer()
app.command()(prices)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "120", "NO_COLOR": "1"})
    return result.exit_code, result.output


def test_the_table_shows_meters_steps_and_processing() -> None:
    """Every price of the model, its class, and where the prices come from."""
    code, text = run("gpt-5.4", "--at", "2026-11-20")
    assert code == 0
    for shown in ("openai/gpt-5.4", "$$$", "standard", "flex", "batch", "> 272,000", "22.5", "genai-prices-"):
        assert shown in text


def test_json_has_the_same_rows() -> None:
    """The same prices, for programs."""
    code, text = run("claude-opus-5-5", "--json", "--at", "2026-11-20T00:00:00")
    assert code == 0
    report = json.loads(text)
    assert report["provider"] == "anthropic"
    assert report["class"] == "$$$"
    fast = [row for row in report["prices"] if row["processing"] == "fast" and row["meter"] == "output"]
    assert [(row["unit_price"], row["price_id"]) for row in fast] == [
        ("40", "anthropic/claude-opus-5-5:fast")
    ]


def test_prices_of_another_provider_and_day() -> None:
    """The cloud's own list, and prices as they once were."""
    assert "6.875" not in run("claude-opus-4-5", "--provider", "anthropic")[1]
    assert "6.875" in run("claude-opus-4-5", "--provider", "aws")[1]
    assert "40" in run("o3", "--at", "2025-05-01")[1]


def test_an_unknown_model_is_an_error_with_suggestions() -> None:
    """Exit code 1, and the names that look like it."""
    code, text = run("gtp-6-sol")
    assert code == 1
    assert "gpt-6-sol" in text
    code, text = run("~~~~")
    assert code == 1
    assert "Did you mean" not in text


def test_a_price_that_changes_is_in_a_row_of_its_own() -> None:
    """A processing or a long prompt that changes nothing adds no row."""
    rows = PriceBook().describe("gpt-4.1", at_ns=ns(NOW))
    batch = {row.meter: row.unit_price for row in rows if row.processing == "batch"}
    assert batch == {Meter.INPUT: "1", Meter.OUTPUT: "4"}
    flat = PriceBook().describe("gpt-5.4", at_ns=ns(NOW))
    assert [
        r.unit_price for r in flat if r.processing == "priority" and r.above and r.meter is Meter.OUTPUT
    ] == ["30"]


def test_your_own_prices_show_with_the_list_price() -> None:
    """What you pay, what the list says, and that it is yours."""
    book = PriceBook([PriceOverride("gpt-4.1", prices={"input": "1.5"}), PriceOverride("acme", per_second=1)])
    rows = {row.meter: row for row in book.describe("gpt-4.1", at_ns=ns(NOW)) if row.processing == "standard"}
    assert rows[Meter.INPUT][5:] == ("1.5", "2", "override/gpt-4.1", "override")
    assert rows[Meter.OUTPUT].source == book.price_set
    (only,) = book.describe("acme", at_ns=ns(NOW))
    assert (only.provider, only.unit_price, only.list_price, only.source) == ("", "1000000", None, "override")


def test_the_configuration_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices and deployments of tokenguard.toml are shown as they would be charged."""
    monkeypatch.chdir(tmp_path)
    entry = '[deployments]\nprod = "gpt-4.1"\n\n[[prices]]\nmodel = "gpt-4.1"\nprices = { input = "1.5" }\n'
    (tmp_path / "tokenguard.toml").write_text(entry)
    assert "1.5 (yours; list 2)" in run("gpt-4.1")[1]
    assert "1.5 (yours; list 2)" in run("prod")[1]


def rows_of(input_price: str | None, output_price: str | None) -> list[PriceRow]:
    given = {Meter.INPUT: input_price, Meter.OUTPUT: output_price}
    return [
        PriceRow("p", "m", "standard", meter, 0, price, None, "", "")
        for meter, price in given.items()
        if price
    ]


@pytest.mark.parametrize(
    ("input_price", "output_price", "expected"),
    [
        ("0.15", "0.6", "$"),
        ("0.999", "1.003", "$$"),
        ("1", "5", "$$"),
        ("2", "10", "$$$"),
        ("4", "20", "$$$"),
        ("5", "25", "$$$$"),
        ("0.02", None, "$"),
        (None, "3", None),
    ],
)
def test_a_class_is_a_function_of_the_prices(
    input_price: str | None, output_price: str | None, expected: str | None
) -> None:
    """Three parts input and one part output, in four classes."""
    assert price_class(rows_of(input_price, output_price)) == expected


def test_similar_names_come_from_the_price_lists() -> None:
    """The likest first, and only of the provider that was asked for."""
    assert similar(PriceBook(), "claude-opus-55", provider="anthropic")[0] == "claude-opus-5-5"
    assert len(similar(PriceBook(), "gpt", at_most=2)) <= 2
