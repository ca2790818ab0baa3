"""What a cache was worth: each call once, in one range, and the same money as in a report."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tokenguard
from tests.ledger.attempts import NOON, SECOND, answered, attempt, cost
from tokenguard import Cache, Guard
from tokenguard.call import Attempt, CacheStatus, CacheUse, Charge, CostBasis
from tokenguard.errors import ConfigError, LedgerError
from tokenguard.ledger import SqliteLedger, schema
from tokenguard.ledger.cache_use import SHARES, cache_use
from tokenguard.ledger.cache_use import CacheUse as Use
from tokenguard.ledger.queries import report
from tokenguard.testing import Provider

HOUR = 3600 * SECOND


def asked(
    status: CacheStatus, key: str | None = "k", reason: str | None = None, at_ns: int = NOON
) -> Attempt:
    """A call for which the provider was asked."""
    return answered(attempt(at_ns, cache=CacheUse(status, reason, key)), charge=cost(100))


def again(status: CacheStatus = "hit", key: str = "k", worth: int | None = 100, at_ns: int = NOON) -> Attempt:
    """A call that was answered from the cache."""
    made = answered(
        attempt(at_ns, cache=CacheUse(status, key=key), role="cache"), charge=Charge(0, 0, (), "p")
    )
    made.baseline_nano, made.basis = worth, CostBasis.CACHED
    return made


def put(path: Path, made: Iterable[Attempt]) -> Path:
    with closing(SqliteLedger(path)) as ledger:
        for one in made:
            ledger.settle(one)
    return path


def used(path: Path, *made: Attempt) -> Use:
    """What is found where just these attempts are."""
    return cache_use(put(path, made), tz="UTC", now_ns=NOON)


def test_calls_are_counted_by_what_the_cache_did(path: Path) -> None:
    """And by the reason, where it was passed by or the answer was not kept; the most frequent first."""
    found = used(
        path,
        *(again(), again("coalesced"), again("stale"), again()),
        *(asked("miss"), asked("miss", reason="empty"), asked("refresh", reason="too_large")),
        *(asked("bypass", None, "sampled"), asked("bypass", None, "sampled"), asked("bypass", None, "tools")),
        attempt(),
    )
    assert dict(found.by_status) == {
        "bypass": 3,
        "hit": 2,
        "miss": 2,
        "coalesced": 1,
        "refresh": 1,
        "stale": 1,
    }
    assert list(found.bypassed.items()) == [("sampled", 2), ("tools", 1)]
    assert found.not_kept == {"empty": 1, "too_large": 1}
    assert (found.hits, found.lookups, found.hit_rate) == (4, 6, 4 / 6)


def test_a_ledger_without_a_cache_has_nothing(path: Path) -> None:
    """No hit rate of nothing, and no curve."""
    found = used(path, answered(attempt()))
    assert (found.by_status, found.hit_rate, found.curve, found.saved_nano) == ({}, None, (), 0)


def test_a_call_is_what_its_last_row_says(path: Path) -> None:
    """One that failed twice, and then got a stale answer, is one stale lookup and no miss."""
    first = asked("miss", reason="status")
    first.state, first.status = "released", "error"
    second = answered(attempt(call=first.call, role="retry"), charge=cost(1))
    last = answered(attempt(call=first.call, role="cache"), charge=Charge(0, 0, (), "p"))
    with closing(SqliteLedger(path)) as ledger:
        ledger.settle(first)
        ledger.settle(second)
        assert ledger.flush(5)
        first.call.cache = CacheUse("stale", key="k")
        ledger.settle(last)
    found = cache_use(path, now_ns=NOON)
    assert (found.by_status, found.not_kept, found.keys) == ({"stale": 1}, {}, 1)


def test_a_row_that_is_under_way_says_nothing_yet(path: Path) -> None:
    """The row before it does."""
    first = asked("miss", reason="status")
    with closing(SqliteLedger(path)) as ledger:
        ledger.settle(first)
        ledger.begin(attempt(call=first.call, role="retry"))
    assert cache_use(path, now_ns=NOON).by_status == {"miss": 1}


statuses = st.sampled_from(["hit", "coalesced", "stale", "miss", "refresh"])
lookups = st.lists(st.tuples(statuses, st.sampled_from("abcdefgh"), st.none() | st.integers(0, 10**12)))


@given(lookups, st.integers(-3, 3))
def test_money_and_counts_are_those_of_the_report(
    made: list[tuple[CacheStatus, str, int | None]], at: int
) -> None:
    """To the nano, over the whole and every part of the time; ranges that meet have each call once."""
    with closing(SqliteLedger(":memory:")) as ledger:
        for n, (status, key, worth) in enumerate(made):
            at_ns = NOON + (n % 7 - 3) * HOUR
            asks = status in ("miss", "refresh")
            ledger.settle(asked(status, key, at_ns=at_ns) if asks else again(status, key, worth, at_ns))
        with closing(ledger.reader()) as connection:
            moment = f"2026-11-20T{12 + at:02}:00"
            ranges: list[dict[str, Any]] = [
                {},
                {"since": moment, "tz": "UTC"},
                {"until": moment, "tz": "UTC"},
            ]
            whole, *parts = [cache_use(connection, now_ns=NOON, **bounds) for bounds in ranges]
            reports = [report(connection, now_ns=NOON, **bounds).total for bounds in ranges]
    for found, total in zip([whole, *parts], reports, strict=True):
        assert (found.answered, found.saved_nano) == (total.cached_calls, total.saved_nano)
        assert found.unpriced == total.cached_unpriced
    assert whole.saved_nano == sum(
        worth or 0 for status, _, worth in made if status not in ("miss", "refresh")
    )
    for status in ("hit", "coalesced", "stale", "miss", "refresh"):
        assert whole.by_status.get(status, 0) == sum(part.by_status.get(status, 0) for part in parts)
    assert sum(hits for _, hits in whole.hits_by_key) == whole.hits
    assert whole.keys == len({key for _, key, _ in made})


@given(st.lists(st.integers(1, 40), max_size=12))
def test_no_fewer_keys_give_so_many_hits(hits: Sequence[int]) -> None:
    """The curve has the smallest number of keys for each share, and says how many hits they give."""
    ranked = sorted(hits, reverse=True)
    found = Use("UTC", None, None, keys=20, hits_by_key=tuple((str(n), hit) for n, hit in enumerate(ranked)))
    assert [point.percent for point in found.curve] == (list(SHARES) if hits else [])
    for point in found.curve:
        assert 100 * sum(ranked[: point.keys]) >= point.percent * sum(ranked)
        assert 100 * sum(ranked[: point.keys - 1]) < point.percent * sum(ranked)
        assert point.hits == sum(ranked[: point.keys])


def test_keys_are_ranked_by_their_hits(path: Path) -> None:
    """Equal ones by name, so that the same ledger gives the same curve; keys without a hit count, too."""
    hits = [again(key=key) for key in "aabbcddddd"]
    found = used(path, *hits, asked("miss", "z"), asked("bypass", None, "sampled"))
    assert found.hits_by_key == (("d", 5), ("a", 2), ("b", 2), ("c", 1))
    assert found.keys == 5
    assert [(point.keys, point.hits) for point in found.curve] == [(1, 5), (3, 9), (4, 10)]


def test_what_a_living_process_did_just_now_is_in_it(tmp_path: Path, provider: Provider) -> None:
    """Journals are brought in first: for what was billed, nothing has to be flushed."""
    guard = Guard(cache=Cache(), ledger=tmp_path / "l.db")
    client = guard.wrap(openai.OpenAI(base_url=provider.openai_url, api_key="k"))

    def ask(text: str, temperature: float = 0) -> None:
        client.chat.completions.create(
            model="gpt-4.1-mini", messages=[{"role": "user", "content": text}], temperature=temperature
        )

    for text in ("a", "b", "a", "a", "b"):
        ask(text)
    ask("a", temperature=1)
    with tokenguard.context(cache="bypass"):
        ask("a")
    with tokenguard.context(cache="refresh"):
        ask("a")
    at_once = cache_use(tmp_path / "l.db", now_ns=NOON).by_status
    guard.flush()
    found = cache_use(tmp_path / "l.db", now_ns=NOON)
    guard.close()
    assert {**at_once, "hit": 3} == found.by_status == {"hit": 3, "bypass": 2, "miss": 2, "refresh": 1}
    assert found.bypassed == {"asked_for": 1, "sampled": 1}
    assert [hits for _, hits in found.hits_by_key] == [2, 1]
    total = report(tmp_path / "l.db", now_ns=NOON).total
    assert found.saved_nano == total.saved_nano > 0
    assert (found.answered, total.calls, total.attempts) == (3, 8, 5)


def test_a_ledger_of_the_version_before_has_no_cache_in_it(path: Path) -> None:
    """It is only read, and was made when there was none."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        schema.migrate(connection, schema.MIGRATIONS[:1])
    found = cache_use(path, now_ns=NOON)
    assert (found.by_status, found.keys) == ({}, 0)


def test_it_is_only_read(path: Path) -> None:
    """The file is the same afterwards."""
    put(path, [again()])
    before = path.read_bytes()
    assert cache_use(path, now_ns=NOON).answered == 1
    assert path.read_bytes() == before


def test_what_is_wrong_is_said(path: Path) -> None:
    """A ledger that is not there, and moments and zones that make no sense."""
    with pytest.raises(LedgerError, match="there is no ledger"):
        cache_use(path, now_ns=NOON)
    put(path, [again()])
    with pytest.raises(ConfigError, match="write a date"):
        cache_use(path, since="tomorrow", now_ns=NOON)
    with pytest.raises(ConfigError, match="time zone"):
        cache_use(path, tz="Mars/Olympus", now_ns=NOON)


def test_json_is_exact(path: Path) -> None:
    """Integers, and no single keys: there may be very many of them."""
    found = used(path, again(worth=2**53 + 1), again(worth=None), asked("miss")).as_json()
    assert (found["saved_nano"], found["answered"], found["unpriced"]) == (2**53 + 1, 2, 1)
    assert found["curve"] == [{"percent": percent, "keys": 1, "hits": 2} for percent in SHARES]
    assert "hits_by_key" not in found
