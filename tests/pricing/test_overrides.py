"""Your own prices win where you said so, and nowhere else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenguard.call import Charge, Meter, Usage, Where
from tokenguard.errors import ConfigError
from tokenguard.pricing import PriceBook, PriceOverride
from tokenguard.pricing.overrides import _intersect

from .places import ANTHROPIC, AZURE, GATEWAY, LOOPBACK, NOW, OPENAI, OPENAI_EU, ns

USAGE = Usage({Meter.INPUT: 1_000_000, Meter.CACHE_READ: 1_000_000, Meter.OUTPUT: 1_000_000})
DOLLAR = 1_000_000_000


def charge(
    overrides: list[PriceOverride],
    model: str = "gpt-4.1-2025-04-14",
    where: Where = OPENAI,
    tier: str | None = "default",
    at: str = NOW,
    usage: Usage = USAGE,
    **more: str,
) -> Charge:
    return PriceBook(overrides).charge(
        usage, where=where, model=model, service_tier=tier, at_ns=ns(at), **more
    )


def cost(overrides: list[PriceOverride], **call: Any) -> Decimal | None:
    """The contracted cost in dollars."""
    nano = charge(overrides, **call).cost_nano
    return None if nano is None else Decimal(nano) / DOLLAR


def test_both_prices_are_kept() -> None:
    """What you pay and what the list says, side by side; meters you did not name keep the list's."""
    made = charge([PriceOverride("gpt-4.1", prices={"input": "1.5", "output": 6})])
    assert made.cost_nano == (Decimal("1.5") + Decimal("0.5") + 6) * DOLLAR
    assert made.list_cost_nano == (Decimal(2) + Decimal("0.5") + 8) * DOLLAR
    assert {line.meter: line.price_id for line in made.lines} == {
        Meter.INPUT: "override/gpt-4.1",
        Meter.CACHE_READ: "openai/gpt-4.1",
        Meter.OUTPUT: "override/gpt-4.1",
    }


def test_a_discount_is_off_every_public_price() -> None:
    """Over every meter, step and tier, exactly."""
    made = charge([PriceOverride("gpt-4.1", discount="15%")])
    assert made.cost_nano == Decimal("10.5") * Decimal("0.85") * DOLLAR
    assert made.list_cost_nano == Decimal("10.5") * DOLLAR
    assert cost([PriceOverride("gpt-4.1", discount="12.5%")], tier="priority") == Decimal("18.375") * Decimal(
        "0.875"
    )
    long = Usage({Meter.INPUT: 272_001})
    assert cost([PriceOverride("gpt-5.4", discount="10%")], model="gpt-5.4", usage=long) == Decimal(
        "1.2240045"
    )
    assert cost([PriceOverride("gpt-5.4", discount="10%")], model="gpt-5.4", where=OPENAI_EU) is not None


def test_a_model_nobody_lists_gets_its_price() -> None:
    """Without a public price the list price is what you pay."""
    made = charge(
        [PriceOverride("acme-*", prices={"input": "0.2", "output": "0.4"})], model="acme-70b", where=GATEWAY
    )
    assert made.cost_nano == (Decimal("0.2") * 2 + Decimal("0.4")) * DOLLAR
    assert made.list_cost_nano == made.cost_nano


def test_a_meter_without_any_price_stays_unpriced() -> None:
    """An override that forgets the output does not make it free."""
    only_input = [PriceOverride("acme", prices={"input": "0.2"})]
    assert cost(only_input, model="acme", where=GATEWAY) is None


def test_a_price_of_nothing_is_a_price() -> None:
    """Zero is what you wrote, and is not the same as unknown."""
    free = [PriceOverride("acme", prices={"input": 0, "output": "0"})]
    assert cost(free, model="acme", where=GATEWAY) == 0


def test_requests_and_seconds_have_prices_of_their_own() -> None:
    """A price for each request is charged once a call, on top."""
    per_request = [PriceOverride("acme", prices={"input": 1, "output": 1}, per_request="0.002")]
    usage = Usage({Meter.INPUT: 1000, Meter.OUTPUT: 1000})
    assert cost(per_request, model="acme", where=GATEWAY, usage=usage) == Decimal("0.004")
    counted = Usage({Meter.INPUT: 1000, Meter.OUTPUT: 1000, Meter.REQUESTS: 3})
    assert cost(per_request, model="acme", where=GATEWAY, usage=counted) == Decimal("0.008")
    per_second = [PriceOverride("voice", per_second="0.0001")]
    assert cost(per_second, model="voice", where=GATEWAY, usage=Usage({Meter.SECONDS: 90})) == Decimal(
        "0.009"
    )


def test_a_gpu_by_the_hour_gives_a_price_for_a_token() -> None:
    """Two dollars an hour at 500 tokens a second is 2 / 1.8 million a token; idle time makes it dearer."""
    gpu = PriceOverride("llama", gpu_hour_usd="2.00", tokens_per_second=500)
    assert gpu.amounts()[Meter.OUTPUT] == Decimal("1.111111111111")
    made = charge([gpu], model="llama", where=GATEWAY)
    assert made.cost_nano == 3 * 1_111_111_111
    half_idle = PriceOverride("llama", gpu_hour_usd="2.00", tokens_per_second=250)
    assert half_idle.amounts()[Meter.INPUT] == Decimal("2.222222222222")
    free_reads = PriceOverride("llama", gpu_hour_usd=2, tokens_per_second=500, prices={"cache_read": 0})
    assert cost([free_reads], model="llama", where=GATEWAY) == Decimal("2.222222222")


def test_dates_are_days_in_utc_and_the_end_is_exclusive() -> None:
    """To the second, on both sides of both midnights, in a book that remembers the other side."""
    book = PriceBook([PriceOverride("gpt-4.1", discount="50%", from_="2026-10-01", until=date(2026, 11, 1))])
    million = Usage({Meter.INPUT: 1_000_000})
    for moment, dollars in (
        ("2026-09-30T23:59:59", 2),
        ("2026-10-01T00:00:00", 1),
        ("2026-10-31T23:59:59", 1),
        ("2026-11-01T00:00:00", 2),
    ):
        made = book.charge(million, where=OPENAI, model="gpt-4.1", service_tier=None, at_ns=ns(moment))
        assert made.cost_nano == dollars * DOLLAR, moment


def test_a_moment_with_a_zone_is_that_moment() -> None:
    """Midnight in Berlin is not midnight in London."""
    berlin = timezone(timedelta(hours=2))
    deal = [PriceOverride("gpt-4.1", discount="50%", from_=datetime(2026, 10, 1, tzinfo=berlin))]
    assert cost(deal, at="2026-09-30T21:59:59") == Decimal("10.5")
    assert cost(deal, at="2026-09-30T22:00:00") == Decimal("5.25")
    text = [PriceOverride("gpt-4.1", discount="50%", from_="2026-09-30T22:00:00+00:00")]
    assert cost(text, at="2026-09-30T22:00:00") == Decimal("5.25")
    assert PriceOverride("x", discount="1%", from_=datetime(2026, 1, 1, tzinfo=UTC)).span_ns()[0] == ns(
        "2026-01-01"
    )


def test_one_book_follows_the_calendar() -> None:
    """The same book, asked on both sides of a change and back again."""
    first = PriceOverride("gpt-4.1", prices={"input": 1}, until="2026-10-01")
    second = PriceOverride("gpt-4.1", prices={"input": 3}, from_="2026-10-01")
    book = PriceBook([first, second])
    usage = Usage({Meter.INPUT: 1_000_000})

    def on(day: str) -> int | None:
        return book.charge(usage, where=OPENAI, model="gpt-4.1", service_tier=None, at_ns=ns(day)).cost_nano

    assert [on(d) for d in ("2026-10-01", "2026-09-30", "2026-10-01", "2020-01-01")] == [
        3 * DOLLAR, DOLLAR, 3 * DOLLAR, DOLLAR,
    ]  # fmt: skip


def test_amounts_are_for_standard_processing_unless_they_say_otherwise() -> None:
    """A negotiated price per token says nothing of batch or flex; a discount is on all of them."""
    standard = PriceOverride("gpt-5", prices={"input": 1, "cache_read": 0, "output": 9})
    flex = PriceOverride("gpt-5", service_tier="flex", prices={"input": 0, "cache_read": 0, "output": 4})
    assert cost([standard], model="gpt-5") == 10
    assert cost([standard], model="gpt-5", tier="flex") == Decimal("5.6875")
    assert cost([standard, flex], model="gpt-5", tier="flex") == 4
    fast = [PriceOverride("claude-opus-5", service_tier="fast", discount="10%")]
    assert cost(fast, model="claude-opus-5", where=ANTHROPIC, speed="fast") == Decimal("54.9")
    assert cost(fast, model="claude-opus-5", where=ANTHROPIC) == Decimal("30.5")


def test_a_tier_that_nobody_prices_can_have_your_price() -> None:
    """Anthropic's priority tier is a contract, so its price is yours to give."""
    contract = PriceOverride(
        "claude-opus-5", service_tier="priority", prices={"input": 4, "cache_read": "0.4", "output": 20}
    )
    assert cost([contract], model="claude-opus-5", where=ANTHROPIC, tier="priority") == Decimal("24.4")
    assert cost([contract], model="claude-opus-5", where=ANTHROPIC, tier="standard") == Decimal("30.5")


def test_a_discount_needs_a_public_price() -> None:
    """Half of nothing known is nothing known."""
    assert cost([PriceOverride("*", discount="50%")], model="acme", where=GATEWAY) is None


def test_the_narrower_entry_wins() -> None:
    """Scope before model, an exact name before a pattern, a longer pattern before a shorter one."""
    entries = [
        PriceOverride("*", discount="10%"),
        PriceOverride("gpt-*", discount="20%"),
        PriceOverride("gpt-4.1", discount="30%"),
        PriceOverride("gpt-4.1-2025-04-14", discount="40%"),
        PriceOverride("*", provider="openai", discount="50%"),
        PriceOverride("*", origin="https://EU.api.openai.com/", discount="60%"),
        PriceOverride("*", region="eu", discount="65%"),
        PriceOverride("gpt-4.1", origin="https://eu.api.openai.com", discount="70%"),
    ]

    def left(upto: int, where: Where = OPENAI, model: str = "gpt-4.1-2025-04-14") -> Decimal:
        price = cost(entries[:upto], where=where, model=model)
        assert price is not None
        return 1 - price / Decimal("10.5")

    longer_pattern = PriceOverride("gpt-4.1-2025*", discount="99%")
    assert cost([entries[2], longer_pattern]) == Decimal("7.35")
    assert [left(n) for n in (1, 2, 3, 4, 5)] == [Decimal(n) / 10 for n in (1, 2, 3, 4, 5)]
    assert left(4, model="gpt-4.1") == Decimal("0.3")
    assert left(6) == Decimal("0.5")
    assert left(6, where=OPENAI_EU) == Decimal("0.6")
    assert left(7, where=OPENAI_EU) == Decimal("0.6")
    assert left(8, where=OPENAI_EU) == Decimal("0.7")


def test_an_entry_covers_the_snapshots_of_its_model() -> None:
    """By the id in the price list, and by the deployment; a fine-tuned model is another model."""
    entry = [PriceOverride("gpt-4o", prices={"input": 0, "cache_read": 0, "output": 0})]
    assert cost(entry, model="gpt-4o-2024-11-20") == 0
    assert cost(entry, model="gpt-4o-2024-05-13") == 25
    assert cost(entry, model="ft:gpt-4o-2024-08-06:acme::x") == Decimal("22.5")
    deployed = [PriceOverride("chat-prod", prices={"input": 1, "cache_read": 1, "output": 1})]
    assert cost(deployed, model="gpt-4.1-2025-04-14", where=AZURE) == 3


def test_a_fine_tuned_model_can_have_your_price() -> None:
    """Where the list has none for it."""
    entry = [PriceOverride("ft:gpt-4.1*", prices={"input": 3, "cache_read": "0.75", "output": 12})]
    assert cost(entry, model="ft:gpt-4.1-2025-04-14:acme::x") == Decimal("15.75")


def test_a_local_server_can_be_told_from_the_provider() -> None:
    """By its origin, even where its model has a public name."""
    local = [PriceOverride("*", origin="http://127.0.0.1:8000", gpu_hour_usd="3.6", tokens_per_second=1000)]
    assert cost(local, model="gpt-4.1-mini", where=LOOPBACK) == 3
    assert cost(local, model="gpt-4.1-mini") == Decimal("2.1")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "negative": ({"prices": {"input": "-1"}}, "'-1'"),
    "not a number": ({"prices": {"input": "NaN"}}, "'NaN'"),
    "infinite": ({"prices": {"input": Decimal("Infinity")}}, "Infinity"),
    "a word": ({"prices": {"input": "cheap"}}, "'cheap'"),
    "a truth": ({"prices": {"input": True}}, "True"),
    "no such meter": ({"prices": {"prompt": 1}}, "no meter 'prompt'"),
    "nothing": ({}, "give either"),
    "amounts and a discount": ({"prices": {"input": 1}, "discount": "5%"}, "give either"),
    "a discount of more than all": ({"discount": "101%"}, "'101%'"),
    "a discount without a sign": ({"discount": "0.15"}, "'0.15'"),
    "a negative discount": ({"discount": "-5%"}, "'-5%'"),
    "a gpu without a speed": ({"gpu_hour_usd": 2}, "belong together"),
    "a speed without a gpu": ({"tokens_per_second": 2}, "belong together"),
    "no speed at all": ({"gpu_hour_usd": 2, "tokens_per_second": 0}, "more than 0"),
    "a bad day": ({"discount": "5%", "from_": "1.7.2026"}, "'1.7.2026'"),
    "an end before its start": (
        {"discount": "5%", "from_": "2026-07-01", "until": "2026-06-01"},
        "2026-06-01",
    ),
    "an empty span": ({"discount": "5%", "from_": "2026-07-01", "until": "2026-07-01"}, "after from_"),
}


@pytest.mark.parametrize(("fields", "named"), BAD.values(), ids=list(BAD))
def test_a_bad_value_is_named_with_its_entry(fields: dict[str, Any], named: str) -> None:
    """Said when the entry is made, not when the first call is priced."""
    with pytest.raises(ConfigError) as raised:
        PriceOverride("gpt-4.1", **fields)
    assert named in str(raised.value)
    assert "gpt-4.1" in str(raised.value)


def test_a_model_must_be_named() -> None:
    """An empty name would match nothing."""
    with pytest.raises(ConfigError, match="model must be a name"):
        PriceOverride("  ", discount="5%")


def test_two_entries_for_the_same_calls_are_refused() -> None:
    """Neither is the narrower one, so the price would depend on their order."""
    one = PriceOverride("gpt-4.1", discount="5%", from_="2026-01-01", until="2026-07-01")
    with pytest.raises(ConfigError, match="the same calls at the same time") as raised:
        PriceBook([one, PriceOverride("GPT-4.1", discount="6%", from_="2026-06-30")])
    assert raised.value.args[0].count("gpt-4.1") + raised.value.args[0].count("GPT-4.1") == 2
    with pytest.raises(ConfigError):
        PriceBook([PriceOverride("gpt-*-mini", discount="5%"), PriceOverride("gpt-4*mini", discount="6%")])


def test_entries_that_cannot_meet_are_accepted() -> None:
    """One after the other, at different places, for different names, or amounts beside a discount."""
    PriceBook([
        PriceOverride("gpt-4.1", discount="5%", until="2026-07-01"),
        PriceOverride("gpt-4.1", discount="6%", from_="2026-07-01"),
        PriceOverride("gpt-5", discount="6%", from_="2026-07-01"),
        PriceOverride("gpt-5", discount="5%", until="2026-07-01"),
        PriceOverride("gpt-4.1", discount="6%", origin="https://a.example"),
        PriceOverride("gpt-4.1", discount="6%", origin="https://b.example"),
        PriceOverride("gpt-4.1", prices={"input": 1}),
        PriceOverride("gpt-4.?-x", discount="7%"),
        PriceOverride("gpt-5.?-x", discount="7%"),
    ])  # fmt: skip


PATTERNS = st.text(alphabet="ab*?", max_size=6)


@given(one=PATTERNS, other=PATTERNS, name=st.text(alphabet="ab", max_size=6))
def test_patterns_that_share_a_name_are_found_to_meet(one: str, other: str, name: str) -> None:
    """If some name matches both, we know that they meet."""
    if one.strip() and other.strip():
        first, second = PriceOverride(one, discount="1%"), PriceOverride(other, discount="1%")
        if first.covers(name) and second.covers(name):
            assert _intersect(one, other)
