"""The price book: what it decides besides the sums, and what it does when it does not know."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenguard import faults
from tokenguard.call import Charge, Meter, Usage, Where
from tokenguard.errors import ConfigError
from tokenguard.pricing import PriceBook, PriceOverride, nano
from tokenguard.pricing.catalogue import shared
from tokenguard.pricing.resolve import is_loopback, price_provider, resolve_model

from .places import (
    ANTHROPIC,
    AZURE,
    BEDROCK,
    DEEPSEEK,
    GATEWAY,
    LOOPBACK,
    NOW,
    OPENAI,
    OPENAI_EU,
    VERTEX_EU,
    ns,
)

TOKENS = Usage({Meter.INPUT: 1000, Meter.OUTPUT: 100})

MODELS = [
    "gpt-4.1",
    "gpt-5.6-sol",
    "gpt-5.4",
    "o3",
    "gpt-audio",
    "claude-haiku-5-5",
    "claude-opus-4-6",
    "claude-opus-5",
    "deepseek-chat",
    "nobody-knows",
]
CALLS = st.fixed_dictionaries(
    {
        "where": st.sampled_from(
            [OPENAI, OPENAI_EU, ANTHROPIC, DEEPSEEK, AZURE, VERTEX_EU, LOOPBACK, GATEWAY]
        ),
        "model": st.sampled_from(MODELS),
        "service_tier": st.sampled_from([None, "default", "flex", "priority", "batch", "ultra"]),
        "at_ns": st.one_of(
            st.integers(ns("2025-01-01T00:00:00"), ns("2027-06-01T00:00:00")),
            st.sampled_from(
                [ns("2026-10-12T00:00:00"), ns("2026-10-12T00:00:00") - 1, ns("2026-08-21T00:00:00")]
            ),
            st.sampled_from(
                [ns("2026-11-20T00:30:00"), ns("2026-11-20T00:30:00") - 1, ns("2026-11-20T16:30:00")]
            ),
        ),
        "inference_geo": st.sampled_from([None, "us", "global", "mars"]),
        "speed": st.sampled_from([None, "standard", "fast"]),
    }
)
USAGES = st.dictionaries(
    st.sampled_from(list(Meter)), st.integers(0, 400_000), max_size=5
).map(lambda meters: Usage(meters))  # fmt: skip


def charge(book: PriceBook, usage: Usage = TOKENS, **call: object) -> Charge:
    given_call = {"where": OPENAI, "model": "gpt-4.1", "service_tier": None, "at_ns": ns(NOW)} | call
    return book.charge(usage, **given_call)  # type: ignore[arg-type]


def test_the_price_set_names_the_prices() -> None:
    """Public prices are named by their version; your own add a hash that follows what they say."""
    plain = PriceBook()
    assert plain.price_set == f"genai-prices-{shared().version}"
    one = PriceBook([PriceOverride("gpt-4.1", discount="15%")])
    same = PriceBook([PriceOverride("GPT-4.1", discount="15%")])
    other = PriceBook([PriceOverride("gpt-4.1", discount="16%")])
    mapped = PriceBook(deployments={"a": "gpt-4.1"})
    assert one.price_set.startswith(plain.price_set + "+")
    assert one.price_set == same.price_set
    assert len({plain.price_set, one.price_set, other.price_set, mapped.price_set}) == 4
    assert charge(one).price_set == one.price_set


def test_a_line_says_what_was_multiplied() -> None:
    """Unit price and price id are there for every meter, with step, processing and surcharge."""
    line, *_ = charge(
        PriceBook(), Usage({Meter.INPUT: 272_001}), where=OPENAI_EU, model="gpt-5.4", service_tier="flex"
    ).lines
    assert (line.meter, line.quantity, line.unit_price) == (Meter.INPUT, 272_001, "2.75")
    assert line.price_id == "openai/gpt-5.4:flex+10%>272000"
    stand_in, *_ = charge(PriceBook(), Usage({Meter.IMAGE_INPUT: 5})).lines
    assert stand_in.price_id == "openai/gpt-4.1~input"


def test_an_unknown_model_is_said_once_and_costs_nothing_known(caplog: pytest.LogCaptureFixture) -> None:
    """Its costs are None, never 0; the log says so once, and the counter goes on."""
    before = faults.counts().get("pricing.unpriced", 0)
    with caplog.at_level(logging.WARNING, "tokenguard"):
        for _ in range(3):
            unpriced = charge(PriceBook(), model="a-model-only-this-test-knows")
    assert (unpriced.cost_nano, unpriced.list_cost_nano, unpriced.lines) == (None, None, ())
    assert unpriced.price_set
    assert faults.counts()["pricing.unpriced"] == before + 3
    assert sum("only-this-test" in record.getMessage() for record in caplog.records) == 1


def test_one_unpriced_meter_makes_the_whole_call_unpriced() -> None:
    """A sum with a hole in it is not a cost."""
    assert charge(PriceBook(), Usage({Meter.INPUT: 1000, Meter.AUDIO_INPUT: 1})).cost_nano is None
    assert charge(PriceBook(), Usage({Meter.INPUT: 1000, Meter.AUDIO_INPUT: 0})).cost_nano == 2_000_000


@given(usage=USAGES, call=CALLS)
def test_lines_add_up(usage: Usage, call: dict[str, object]) -> None:
    """The lines' costs are the cost, and each is its own quantity at its own price."""
    made = charge(PriceBook(catalogue=shared()), usage, **call)
    if made.cost_nano is None:
        assert made.list_cost_nano is None
        assert made.lines == ()
    else:
        assert sum(line.cost_nano for line in made.lines) == made.cost_nano == made.list_cost_nano
        for line in made.lines:
            assert line.cost_nano == nano(line.quantity, Decimal(line.unit_price))


@given(usage=USAGES, call=CALLS, meter=st.sampled_from(list(Meter)), more=st.integers(1, 300_000))
def test_using_more_never_costs_less(usage: Usage, call: dict[str, object], meter: Meter, more: int) -> None:
    """A greater quantity of any meter costs at least as much, over thresholds too."""
    book = PriceBook(catalogue=shared())
    less = charge(book, usage, **call).cost_nano
    greater = Usage({**usage.meters, meter: usage.meters.get(meter, 0) + more})
    cost = charge(book, greater, **call).cost_nano
    if less is not None and cost is not None:
        assert cost >= less


REMEMBERING = PriceBook(
    [PriceOverride("gpt-4.1", prices={"input": "1"}, from_="2026-08-21", until="2026-10-12")]
)


@given(usage=USAGES, calls=st.lists(CALLS, min_size=1, max_size=4))
def test_remembering_a_price_never_changes_it(usage: Usage, calls: list[dict[str, object]]) -> None:
    """A book that has priced thousands of calls says what a new one says, across dates and hours."""
    for call in calls:
        fresh = PriceBook([c.override for c in REMEMBERING._contracts], catalogue=shared())
        assert charge(REMEMBERING, usage, **call) == charge(fresh, usage, **call)


def test_the_card_can_be_looked_up_before_the_call() -> None:
    """A worst case needs the price before there is a usage."""
    card = PriceBook().lookup(where=OPENAI, model="gpt-5.4", at_ns=ns(NOW))
    assert card is not None
    short, long = card.rate(Meter.OUTPUT, 272_000), card.rate(Meter.OUTPUT, 272_001)
    assert short is not None
    assert long is not None
    assert (short.unit_price, long.unit_price) == ("15", "22.5")
    assert card.rate(Meter.SECONDS) is None
    assert PriceBook().lookup(where=GATEWAY, model="gpt-5.4", at_ns=ns(NOW)) is None


# --- which price list, and which name ---------------------------------------------------------


def test_the_endpoint_names_the_price_list() -> None:
    """Known channels by their provider, compatible ones by their address, loopback by its language."""
    catalogue = shared()
    assert price_provider(AZURE, catalogue) == "azure"
    assert price_provider(BEDROCK, catalogue) == "aws"
    assert price_provider(VERTEX_EU, catalogue) == "google"
    assert price_provider(DEEPSEEK, catalogue) == "deepseek"
    assert price_provider(GATEWAY, catalogue) is None
    assert price_provider(LOOPBACK, catalogue) == "openai"
    elsewhere = Where("openai", "compatible", "http://10.0.0.1:8000", "10.0.0.1", 8000)
    assert price_provider(elsewhere, catalogue) is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("[::1]", True),
     ("LOCALHOST", True), ("127.evil.example", False), ("localhost.example", False), ("10.0.0.1", False)],
)  # fmt: skip
def test_loopback_is_this_machine_only(host: str, expected: bool) -> None:
    """Nothing that merely looks like it."""
    assert is_loopback(host) is expected


def resolved(
    where: Where, requested: str, served: str | None, deployments: dict[str, str] | None = None
) -> str:
    book = PriceBook(deployments=deployments or {})
    return book.model_for(where, requested=requested, served=served, at_ns=ns(NOW))


def test_the_served_model_is_billed() -> None:
    """An alias is billed as what served it."""
    assert resolved(OPENAI, "gpt-4o", "gpt-4o-2024-08-06") == "gpt-4o-2024-08-06"
    assert resolved(AZURE, "chat-prod", "gpt-4.1-2025-04-14") == "gpt-4.1-2025-04-14"


def test_a_reply_without_a_model_is_billed_as_requested() -> None:
    """A stream that broke before its first event, for one."""
    assert resolved(OPENAI, "gpt-4o", None) == "gpt-4o"


def test_a_snapshot_too_new_is_billed_as_its_alias() -> None:
    """Only a snapshot of what was requested; another model keeps its name and goes unpriced."""
    assert resolved(OPENAI, "gpt-5", "gpt-5-2026-11-30") == "gpt-5"
    assert (
        resolved(ANTHROPIC, "claude-3-5-haiku-latest", "claude-9-haiku-20261130") == "claude-9-haiku-20261130"
    )
    assert resolved(OPENAI, "gpt-5", "gpt-5-nova") == "gpt-5-nova"
    assert resolved(OPENAI, "gpt-4.1", "ft:gpt-4.1-2025-04-14:acme::x") == "ft:gpt-4.1-2025-04-14:acme::x"


def test_on_bedrock_the_requested_profile_is_billed() -> None:
    """The reply leaves out the prefix that makes ten per cent of the price."""
    requested = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert resolved(BEDROCK, requested, "claude-sonnet-4-5-20250929") == requested


def test_a_deployment_is_billed_as_what_it_was_mapped_to() -> None:
    """By the deployment in the URL, or by the name that was requested."""
    assert resolved(AZURE, "", None, {"chat-prod": "gpt-4.1"}) == "gpt-4.1"
    assert (
        resolved(BEDROCK, "arn:x", "claude", {"arn:x": "eu.anthropic.claude-opus-5"})
        == "eu.anthropic.claude-opus-5"
    )
    book = PriceBook(deployments={"chat-prod": "gpt-4.1"})
    assert charge(book, where=AZURE, model="chat-prod").cost_nano == 1000 * 2000 + 100 * 8000


def test_a_deployment_must_name_a_model() -> None:
    """An empty mapping is a mistake, said at once."""
    with pytest.raises(ConfigError, match="'chat-prod'"):
        PriceBook(deployments={"chat-prod": ""})


@given(requested=st.text(max_size=30), served=st.none() | st.text(max_size=30))
def test_no_pair_of_names_breaks_the_decision(requested: str, served: str | None) -> None:
    """Whatever a server answers, the name is one of the two."""
    name = resolve_model(OPENAI, requested=requested, served=served, deployments={}, known=lambda _: False)
    assert name in (requested, served)


# --- another version of genai-prices ----------------------------------------------------------


def test_a_newer_installed_version_is_the_one_that_counts(tmp_path: Path) -> None:
    """Where another version of genai-prices is installed, its own data is read, and the price set says so."""
    metadata = tmp_path / "genai_prices-9.9.9.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: genai-prices\nVersion: 9.9.9\n")
    code = """
import sys
from tokenguard.call import Meter, Usage, Where
from tokenguard.pricing.book import PriceBook
where = Where("openai", "direct", "https://api.openai.com", "api.openai.com", 443)
usage = Usage({Meter.INPUT: 1})
charge = PriceBook().charge(usage, where=where, model="gpt-4.1", service_tier=None, at_ns=10**18)
assert charge.cost_nano == 2000, charge
assert charge.price_set == "genai-prices-9.9.9", charge
assert "genai_prices.data" in sys.modules
"""
    path = os.pathsep.join([str(tmp_path), *sys.path])
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": path})
