"""Calls of which nothing was sent, and nothing came from the cache either: they are in the ledger, too."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import anyio
import openai
import pytest

import tokenguard
from tests.cache.conftest import Cached
from tests.cache.test_calls import BACKENDS, gpt
from tests.cache.test_flights import FOREVER, followers, until
from tests.conftest import Rows
from tests.transport.clients import chat
from tokenguard import CacheMissError, Guard, Receipt
from tokenguard.guard import observe
from tokenguard.ledger.cache_use import cache_use
from tokenguard.ledger.queries import report
from tokenguard.testing import Provider


def only(guard: Guard, provider: Provider, **options: object) -> Receipt:
    """Ask for what is not in the cache, and for nothing else; gives the receipt."""
    client = guard.wrap(chat(provider))
    with tokenguard.context(cache="only"), pytest.raises(CacheMissError) as missed:
        gpt(client, **options)
    receipt = guard.receipt(missed.value)
    assert receipt is not None
    return receipt


def test_a_miss_that_was_not_to_be_asked_for_is_a_row(provider: Provider, cached: Cached, rows: Rows) -> None:
    """It says what the receipt says: an error that cost nothing, and why."""
    guard = cached()
    receipts = [only(guard, provider), only(guard, provider, temperature=1)]
    missed, passed_by = rows(guard)
    assert [row["id"] for row in (missed, passed_by)] == [receipt.call_id for receipt in receipts]
    for row, receipt in zip((missed, passed_by), receipts, strict=True):
        assert (row["role"], row["state"], row["status"]) == ("cache", "released", "error")
        assert row["error_type"] == receipt.error_type == "CacheMissError"
        assert (row["cost_nano"], row["cost_basis"], row["input_tokens"]) == (0, "none", None)
        assert (row["cache"], row["cache_reason"]) == (receipt.cache, receipt.cache_reason)
        assert row["cache_key"] == receipt.cache_key
    assert (missed["cache"], passed_by["cache"], passed_by["cache_reason"]) == ("miss", "bypass", "sampled")
    assert provider.count == 0


def test_it_is_counted_by_stats_and_reports(provider: Provider, cached: Cached, tmp_path: Path) -> None:
    """As a call without an attempt: it lowers the hit rate, and saves and costs nothing."""
    guard = cached()
    client = guard.wrap(chat(provider))
    gpt(client)
    gpt(client)
    only(guard, provider, seed=1)
    guard.flush()
    use = cache_use(tmp_path / "ledger.db", now_ns=time.time_ns())
    assert use.by_status == {"miss": 2, "hit": 1}
    assert (use.lookups, use.hit_rate, use.keys, use.answered) == (3, 1 / 3, 2, 1)
    assert (use.bypassed, use.not_kept) == ({}, {})
    total = report(tmp_path / "ledger.db", now_ns=time.time_ns()).total
    assert (total.calls, total.attempts, total.failed, total.cached_calls) == (3, 1, 1, 1)
    assert total.unmetered == total.unpriced == total.in_flight == 0


def test_a_guard_without_a_cache_has_a_row_of_it(provider: Provider, guard: Guard, rows: Rows) -> None:
    """The cache did nothing there."""
    only(guard, provider)
    (row,) = rows()
    assert (row["role"], row["error_type"], row["cache"]) == ("cache", "CacheMissError", None)


@pytest.mark.anyio
@BACKENDS
async def test_a_follower_that_leaves_is_a_row(
    provider: Provider, cached: Cached, rows: Rows, anyio_backend: str
) -> None:
    """It waited for another one's answer, and was cancelled before it had sent anything."""
    guard = cached()
    seen: list[Receipt] = []
    stop = observe(seen.append)
    provider.fault(header_delay=FOREVER)
    client = guard.wrap(openai.AsyncOpenAI(base_url=provider.openai_url, api_key="k", timeout=30))
    leaves = anyio.CancelScope()

    async def follow() -> None:
        with leaves, contextlib.suppress(openai.OpenAIError):
            await gpt(client)

    async with anyio.create_task_group() as group:
        group.start_soon(lambda: gpt(client))
        await anyio.to_thread.run_sync(provider.wait_for, 1)
        group.start_soon(follow)
        await anyio.to_thread.run_sync(until, lambda: followers(guard) == 1)
        leaves.cancel()
        await anyio.to_thread.run_sync(until, lambda: len(seen) == 1)
        provider.release()
    await client.close()
    stop()
    left, led = seen
    by_id = {row["logical_id"]: row for row in rows(guard)}
    row = by_id[left.call_id]
    assert (row["role"], row["state"], row["status"], row["cost_nano"]) == ("cache", "released", "aborted", 0)
    assert (row["error_type"], row["cache"]) == (left.error_type, left.cache)
    assert by_id[led.call_id]["status"] == "ok"
    assert len(by_id) == 2
