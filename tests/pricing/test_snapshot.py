"""The snapshot that ships with us says the same as the installed genai-prices, to the last digit."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from genai_prices.data import providers
from genai_prices.types import ModelPrice, Provider, TieredPrices
from hypothesis import given
from hypothesis import strategies as st

from tokenguard.call import Meter
from tokenguard.pricing.catalogue import SNAPSHOT, Catalogue, InstalledSource, SnapshotSource, shared
from tokenguard.pricing.rates import ModelRates, Steps, price_at
from tokenguard.pricing.snapshot.__main__ import files

from .places import ns

# Written down here once more, so that a slip in the converter cannot hide in both places.
UNITS = {
    Meter.INPUT: [("input_mtok", Fraction(1))],
    Meter.CACHE_READ: [("cache_read_mtok", Fraction(1))],
    Meter.CACHE_WRITE: [("cache_write_5m_mtok", Fraction(1)), ("cache_write_mtok", Fraction(1))],
    Meter.CACHE_WRITE_1H: [("cache_write_1h_mtok", Fraction(1))],
    Meter.OUTPUT: [("output_mtok", Fraction(1))],
    Meter.AUDIO_INPUT: [("input_audio_mtok", Fraction(1))],
    Meter.AUDIO_CACHE_READ: [("cache_audio_read_mtok", Fraction(1))],
    Meter.AUDIO_OUTPUT: [("output_audio_mtok", Fraction(1))],
    Meter.IMAGE_INPUT: [("input_image_mtok", Fraction(1))],
    Meter.IMAGE_CACHE_READ: [("cache_image_read_mtok", Fraction(1))],
    Meter.IMAGE_OUTPUT: [("output_image_mtok", Fraction(1))],
    Meter.REQUESTS: [("requests_kcount", Fraction(1000))],
    Meter.WEB_SEARCHES: [("web_searches_kcount", Fraction(1000))],
    Meter.SECONDS: [
        ("input_audio_hours", Fraction(1_000_000, 3600)),
        ("audio_hours", Fraction(1_000_000, 3600)),
    ],
}
MOMENTS = [
    "2025-05-01T00:00:00",
    "2026-03-12T23:59:59",
    "2026-03-13T00:00:00",
    "2026-08-20T23:59:59",
    "2026-08-21T00:00:00",
    "2026-10-12T00:30:00",
    "2026-11-20T03:59:59",
    "2026-11-20T16:30:00",
    "2027-01-01T09:00:00",
]
CONTEXTS = [
    {},
    {"processing": "batch"},
    {"service_tier": "default"},
    {"service_tier": "flex"},
    {"service_tier": "priority"},
    {"service_tier": "fast"},
    {"speed": "fast"},
]
SIZES = [0, 100_000, 100_001, 128_001, 200_001, 272_000, 272_001, 600_000]


def texts(clause: object) -> list[str]:
    """The texts that a clause of genai-prices compares a name with."""
    fields = vars(clause)
    for name in ("or_", "and_"):
        if name in fields:
            return [text for part in fields[name] for text in texts(part)]
    return [next(iter(fields.values()))]


def disguised(name: str) -> list[str]:
    """A name as other systems write it."""
    return [f"{name}-20251211", f"us.{name.upper()}", f"{name}-v1:0"]


def expected(price: Decimal | TieredPrices, size: int) -> Decimal:
    if isinstance(price, Decimal):
        return price
    reached = [price.base, *(tier.price for tier in price.tiers if size > tier.start)]
    return reached[-1]


def test_the_committed_files_are_what_the_installed_package_gives() -> None:
    """Making the snapshot again changes no byte."""
    made = files()
    committed = {path.name: path.read_text(encoding="utf-8") for path in SNAPSHOT.glob("*.json")}
    assert committed == made, "run: python -m tokenguard.pricing.snapshot"


def test_the_index_vouches_for_every_file() -> None:
    """Every provider's file is there, and has the hash that the index gives."""
    index = json.loads((SNAPSHOT / "index.json").read_text(encoding="utf-8"))
    for head in index["providers"]:
        data = (SNAPSHOT / f"{head['id']}.json").read_bytes()
        assert hashlib.sha256(data).hexdigest() == head["sha256"]
    assert "Pydantic" in (SNAPSHOT / "LICENSE").read_text(encoding="utf-8")


def test_the_snapshot_stays_small() -> None:
    """All files together are below 600 KB."""
    assert sum(path.stat().st_size for path in SNAPSHOT.iterdir() if path.is_file()) < 600_000


@pytest.mark.parametrize("provider", providers, ids=lambda provider: provider.id)
def test_every_name_finds_the_same_model(provider: Provider) -> None:
    """For each id and alias of each model, at each provider, we find what genai-prices finds."""
    catalogue = shared()
    names = {name for model in provider.models for name in [model.id, *texts(model.match)]}
    for fallback in provider.fallback_model_providers or ():
        other = next(p for p in providers if p.id == fallback)
        names |= {name for model in other.models for name in texts(model.match)}
    if len(names) < 400:
        names |= {other for name in names for other in disguised(name)}
    for name in names:
        theirs = provider.find_model(name, all_providers=providers)
        ours = catalogue.find(provider.id, name)
        assert (ours and ours.rates.model) == (theirs and theirs.id), name
        assert ours is None or ours.own == any(theirs is model for model in provider.models)


def our_prices(rates: ModelRates, context: dict[str, str], moment: str) -> dict[Meter, Steps]:
    prices = dict(rates.period_at(ns(moment))[1])
    for kind, value in context.items():
        prices |= rates.variant_at(kind, value, ns(moment)) or {}
    return prices


def assert_same(ours: dict[Meter, Steps], theirs: ModelPrice, label: object) -> None:
    for meter, keys in UNITS.items():
        known = [
            (theirs.__dict__[key], factor) for key, factor in keys if theirs.__dict__.get(key) is not None
        ]
        assert (meter in ours) == bool(known), (label, meter)
        if not known:
            continue
        price, factor = known[0]
        for size in SIZES if len(ours[meter]) > 1 or isinstance(price, TieredPrices) else SIZES[-1:]:
            exact = Fraction(expected(price, size)) * factor
            ours_exact = Fraction(price_at(ours[meter], size))
            # Prices by the hour do not divide into seconds: they are kept to 12 decimals.
            assert abs(ours_exact - exact) <= (Fraction(1, 2 * 10**12) if meter is Meter.SECONDS else 0)


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda c: "+".join(c.values()) or "standard")
def test_every_price_is_the_same(context: dict[str, str]) -> None:
    """For each model, at moments around each kind of change and for prompts around each threshold."""
    rows = {p.id: json.loads((SNAPSHOT / f"{p.id}.json").read_text())["models"] for p in providers}
    for provider in providers:
        for model, row in zip(provider.models, rows[provider.id], strict=True):
            if context and not model.price_variants:
                assert "variants" not in row
                continue
            rates = ModelRates.from_json(provider.id, row)
            timed = isinstance(model.prices, list) or model.price_variants
            for moment in MOMENTS if timed else MOMENTS[:1]:
                theirs = model.get_prices(datetime.fromisoformat(moment).replace(tzinfo=UTC), context)
                assert_same(our_prices(rates, context, moment), theirs, (provider.id, model.id, moment))


def test_origins_name_the_same_provider() -> None:
    """Every provider's own kind of URL is told apart as genai-prices tells it."""
    catalogue = shared()
    for origin, provider in {
        "https://api.openai.com": "openai",
        "https://api.anthropic.com": "anthropic",
        "https://api.groq.com": "groq",
        "https://openrouter.ai": "openrouter",
        "https://me.openai.azure.com": "azure",
        "https://bedrock-runtime.eu-central-1.amazonaws.com": "aws",
        "https://llm.example.com": None,
        "": None,
    }.items():
        assert catalogue.provider_at(origin) == provider


@given(name=st.text(max_size=60), provider=st.sampled_from([p.id for p in providers] + ["", "no such"]))
def test_no_name_breaks_the_lookup(name: str, provider: str) -> None:
    """Whatever a model is called, looking for it never raises."""
    catalogue = shared()
    found = catalogue.find(provider, name)
    assert found is None or found.rates.model
    catalogue.provider_named_like(name)
    catalogue.provider_at(name)


def test_another_installed_version_is_read_instead() -> None:
    """The installed package, read through its own classes, gives the very same lists."""
    installed, snapshot = InstalledSource("9.9.9"), SnapshotSource()
    assert installed.version == "9.9.9"
    assert [head["id"] for head in installed.heads()] == [head["id"] for head in snapshot.heads()]
    for provider in ("openai", "anthropic", "deepseek"):
        assert installed.provider(provider) == snapshot.provider(provider)


def test_a_broken_file_leaves_its_models_unpriced(tmp_path: Path) -> None:
    """A price list that cannot be read is noted and has no models; it never fails a call."""
    (tmp_path / "index.json").write_text(
        '{"version": "1", "providers": [{"id": "openai", "api_pattern": "x", "models": null}]}'
    )
    (tmp_path / "openai.json").write_text("{not json")
    catalogue = Catalogue(SnapshotSource(tmp_path))
    assert catalogue.find("openai", "gpt-4.1") is None
    assert catalogue.models("openai") == []


def test_pricing_a_call_imports_no_price_package() -> None:
    """With the snapshot's version installed, neither genai-prices nor pydantic is imported for a price."""
    code = """
import sys
from tokenguard.call import Meter, Usage, Where
from tokenguard.pricing.book import PriceBook
where = Where("openai", "direct", "https://api.openai.com", "api.openai.com", 443)
usage = Usage({Meter.INPUT: 1})
charge = PriceBook().charge(usage, where=where, model="gpt-4.1", service_tier=None, at_ns=10**18)
assert charge.cost_nano == 2000, charge
assert "genai_prices" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
