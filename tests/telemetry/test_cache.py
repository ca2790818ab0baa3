"""Calls that the cache answers, over real HTTP: no inference, no usage, no cost, and what was saved."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

import tokenguard
from tests.cache.conftest import HandClock
from tokenguard import Cache, Guard, Retry, TelemetrySettings
from tokenguard.call import Receipt
from tokenguard.guard import observe
from tokenguard.telemetry.telemetry import COMPAT
from tokenguard.testing import Provider

from .conftest import Measured, Spans

CHAT: Any = {
    "model": "gpt-4.1",
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
    "temperature": 0,
}
LOOKUP, ROOT, LEAF = "tokenguard.cache.lookup", "tokenguard.call", "chat gpt-4.1"
EVERY_TOOL = TelemetrySettings(compat=frozenset(COMPAT))


class Asking:
    """A client with a cache; called, it asks, reads the answer to its end, and gives the receipt."""

    def __init__(self, guard: Guard, url: str) -> None:
        self.guard = guard
        self._client = guard.wrap(openai.OpenAI(base_url=url, api_key="test", timeout=20))

    def __call__(self, *, stream: bool = False, **more: Any) -> Receipt:
        reply = self._client.chat.completions.create(**{**CHAT, **more}, stream=stream)
        if stream:
            assert list(reply)
        receipt = self.guard.receipt(reply)
        assert receipt is not None
        return receipt


Client = Callable[..., Asking]


@pytest.fixture
def client(tokenguard_provider: Provider) -> Iterator[Client]:
    """Makes clients with a cache."""
    made: list[Guard] = []

    def make(cache: Cache | None = None, **settings: Any) -> Asking:
        given = {"ledger": None, "telemetry": EVERY_TOOL, "retry": Retry(retries=1, base_s=0), **settings}
        made.append(Guard(cache=cache or Cache(), **given))
        return Asking(made[-1], tokenguard_provider.openai_url)

    yield make
    for guard in made:
        guard.close()


@pytest.fixture
def receipts() -> Iterator[list[Receipt]]:
    """The receipt of every call, in order."""
    seen: list[Receipt] = []
    stop = observe(seen.append)
    yield seen
    stop()


def on(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def about_money(span: ReadableSpan) -> list[str]:
    """The attributes from which a tool would count tokens or dollars."""
    words = ("usage", "token_count", ".cost", "gen_ai.response", "llm.model_name", "operation.cost")
    return [name for name in on(span) if any(word in name for word in words)]


def tree(spans: Spans) -> dict[str, ReadableSpan]:
    """The spans of one call by name: every one below the root, which is the last to end."""
    ended = list(spans())
    spans.exporter.clear()
    root = ended[-1]
    assert root.name == ROOT
    assert all(span.parent and span.parent.span_id == root.context.span_id for span in ended[:-1])
    return {span.name: span for span in ended}


@pytest.mark.parametrize("stream", [False, True])
def test_a_miss_has_a_lookup_and_a_leaf(stream: bool, client: Client, spans: Spans) -> None:
    """The lookup says that there was nothing, the leaf what it cost to ask."""
    client()(stream=stream)
    found = tree(spans)
    assert set(found) == {LOOKUP, LEAF, ROOT}
    assert on(found[LOOKUP]) == {
        "gen_ai.workflow.name": "tokenguard",
        "tokenguard.cache.kind": "exact",
        "tokenguard.cache.hit": False,
        "tokenguard.cache.result": "miss",
    }
    assert found[LOOKUP].kind is SpanKind.INTERNAL
    assert found[LOOKUP].end_time <= found[LEAF].end_time
    assert on(found[LEAF])["gen_ai.usage.output_tokens"] > 0
    assert on(found[LEAF])["tokenguard.cost.nano"] > 0
    assert on(found[ROOT])["tokenguard.cache.result"] == "miss"
    assert on(found[ROOT])["tokenguard.outcome"] == "provider"


@pytest.mark.parametrize("stream", [False, True])
def test_a_hit_has_a_lookup_and_no_leaf(stream: bool, client: Client, spans: Spans) -> None:
    """Nothing was inferred and nothing billed: no tool may find a token or a dollar to add up."""
    ask = client()
    cost_usd = ask(stream=stream).cost_usd
    spans.exporter.clear()
    hit = ask(stream=stream)
    found = tree(spans)
    assert set(found) == {LOOKUP, ROOT}
    age = on(found[LOOKUP]).pop("tokenguard.cache.age")
    assert 0 < age < 60
    assert on(found[LOOKUP]) == {
        "gen_ai.workflow.name": "tokenguard",
        "tokenguard.cache.kind": "exact",
        "tokenguard.cache.hit": True,
        "tokenguard.cache.result": "hit",
        "tokenguard.cache.age": age,
    }
    assert about_money(found[LOOKUP]) == []
    assert about_money(found[ROOT]) == ["tokenguard.cost.call_total", "tokenguard.cost.baseline"]
    assert on(found[ROOT]) == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "tokenguard",
        "openinference.span.kind": "CHAIN",
        "langfuse.observation.type": "chain",
        "tokenguard.call.id": hit.call_id,
        "tokenguard.request.model": "gpt-4.1",
        "tokenguard.outcome": "cache_exact",
        "tokenguard.attempts": 0,
        "tokenguard.cache.result": "hit",
        "tokenguard.cache.saved": cost_usd,
        "tokenguard.cost.call_total": 0.0,
        "tokenguard.cost.baseline": cost_usd,
    }


def test_a_call_that_passes_the_cache_by_looks_nothing_up(client: Client, spans: Spans) -> None:
    """The root says why."""
    client()(temperature=1)
    found = tree(spans)
    assert set(found) == {LEAF, ROOT}
    assert on(found[ROOT])["tokenguard.cache.result"] == "bypass"
    assert on(found[ROOT])["tokenguard.cache.reason"] == "sampled"


def test_why_an_answer_was_not_kept_is_on_the_root(client: Client, spans: Spans) -> None:
    """So that a search finds the calls that could have been hits."""
    client()(max_tokens=1)
    assert on(tree(spans)[ROOT])["tokenguard.cache.reason"] == "finish_reason"


@pytest.mark.parametrize("temperature", [0, 1])
def test_what_is_only_wanted_from_the_cache_is_no_inference(
    temperature: int, client: Client, spans: Spans, measured: Measured, receipts: list[Receipt]
) -> None:
    """Nothing was sent: no leaf, and no failed operation; the root has the error."""
    ask = client()
    with tokenguard.context(cache="only"), pytest.raises(tokenguard.CacheMissError):
        ask(temperature=temperature)
    found = tree(spans)
    assert set(found) == {LOOKUP, ROOT} if temperature == 0 else {ROOT}
    assert found[ROOT].status.status_code is StatusCode.ERROR
    assert on(found[ROOT])["error.type"] == "CacheMissError"
    assert measured.points("gen_ai.client.operation.duration") == []
    assert measured.points("tokenguard.attempts") == []
    assert measured.points("tokenguard.calls") == [({"tokenguard.outcome": "error"}, 1)]


def test_an_old_answer_is_not_the_inference_that_failed(
    client: Client, spans: Spans, measured: Measured, tokenguard_provider: Provider
) -> None:
    """The leaf tells of the provider's failure, and not of the usage of the answer taken instead."""
    clock = HandClock()
    ask = client(Cache(ttl="1h", stale_if_error="1d"), clock=clock)
    cost_usd = ask().cost_usd
    spans.exporter.clear()
    clock.forward(7200)
    tokenguard_provider.fail(503, times=None)
    stale = ask()
    assert (stale.status, stale.cache, stale.attempts) == ("ok", "stale", 2)
    found = tree(spans)
    assert set(found) == {LOOKUP, LEAF, ROOT}
    leaf, root = on(found[LEAF]), on(found[ROOT])
    assert found[LEAF].status.status_code is StatusCode.ERROR
    assert (leaf["error.type"], leaf["http.request.resend_count"]) == ("503", 1)
    assert leaf["tokenguard.attempt.role"] == "retry"
    assert about_money(found[LEAF]) == ["llm.model_name"]
    assert found[ROOT].status.status_code is StatusCode.UNSET
    assert (root["tokenguard.outcome"], root["tokenguard.cache.result"]) == ("cache_exact", "stale")
    assert root["tokenguard.cache.saved"] == cost_usd
    durations = [
        labels.get("error.type") for labels, _ in measured.points("gen_ai.client.operation.duration")
    ]
    assert durations == [None, "503"]


def test_within_somebody_else_s_span_a_hit_adds_no_cost(client: Client, spans: Spans) -> None:
    """Theirs is the inference's span; our own tells that there was none."""
    ask = client()
    ask()
    spans.exporter.clear()
    with trace.get_tracer("other").start_as_current_span("theirs") as theirs:
        theirs.set_attribute("openinference.span.kind", "LLM")
        ask()
    assert {span.name for span in spans()} == {LOOKUP, ROOT, "theirs"}
    assert on(spans.named("theirs")) == {"openinference.span.kind": "LLM"}
    assert on(spans.named(ROOT))["tokenguard.cache.result"] == "hit"


@pytest.mark.parametrize("semconv", ["default", "latest"])
def test_hits_are_in_no_metric_of_inferences(semconv: Any, client: Client, measured: Measured) -> None:
    """Latencies and tokens stay those of the provider, and so do attempts."""
    ask = client(telemetry=TelemetrySettings(semconv=semconv))
    ask()
    before = values(measured, "gen_ai.", "tokenguard.attempts", "tokenguard.cost", "tokenguard.call.cost")
    baseline = measured.total("tokenguard.cost.baseline")
    ask()
    ask()
    after = values(measured, "gen_ai.", "tokenguard.attempts", "tokenguard.cost", "tokenguard.call.cost")
    assert before.pop("tokenguard.cost.baseline") != after.pop("tokenguard.cost.baseline")
    assert before == after
    assert measured.total("tokenguard.cost.baseline") == pytest.approx(3 * baseline)


def test_lookups_and_what_they_saved(client: Client, measured: Measured) -> None:
    """By result, with the reason of a bypass or of an answer that was not kept; dollars by model and tag."""
    ask = client(tags={"team": "support"})
    paid = ask()
    for _ in range(3):
        ask()
    ask(temperature=1)
    ask(max_tokens=1)
    with tokenguard.context(cache="refresh"):
        ask()
    with tokenguard.context(cache="bypass"):
        ask()
    kind = {"tokenguard.cache.kind": "exact"}
    found = {
        (labels["tokenguard.cache.result"], labels.get("tokenguard.cache.reason")): value
        for labels, value in measured.points("tokenguard.cache.lookups")
        if kind.items() <= labels.items()
    }
    assert found == {
        ("miss", None): 1,
        ("hit", None): 3,
        ("bypass", "sampled"): 1,
        ("miss", "finish_reason"): 1,
        ("refresh", None): 1,
        ("bypass", "asked_for"): 1,
    }
    tags = {"tokenguard.team": "support"}
    outcomes = {labels["tokenguard.outcome"]: n for labels, n in measured.points("tokenguard.calls")}
    assert outcomes == {"provider": 5, "cache_exact": 3}
    ((labels, saved),) = measured.points("tokenguard.cache.saved")
    assert labels == {"gen_ai.request.model": "gpt-4.1", **tags}
    assert paid.cost_nano is not None
    assert saved == 3 * paid.cost_nano / 1e9
    assert measured.metrics()["tokenguard.cache.saved"].unit == "USD"


def test_a_follower_is_counted_as_one(
    client: Client, measured: Measured, spans: Spans, tokenguard_provider: Provider, receipts: list[Receipt]
) -> None:
    """Who waited for another's call has its answer, and neither a leaf nor a cost."""
    tokenguard_provider.fault(header_delay=0.3, times=None)
    ask = client()
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokenguard_provider.count == 1
    assert sorted(str(receipt.cache) for receipt in receipts) == ["coalesced"] * 3 + ["miss"]
    names = [span.name for span in spans()]
    assert (names.count(LEAF), names.count(LOOKUP), names.count(ROOT)) == (1, 4, 4)
    assert measured.total("tokenguard.attempts") == 1
    assert measured.total("tokenguard.cache.lookups") == 4


def test_receipts_spans_metrics_and_the_ledger_agree(
    client: Client,
    measured: Measured,
    spans: Spans,
    tokenguard_provider: Provider,
    receipts: list[Receipt],
    tmp_path: Path,
) -> None:
    """To the nano-dollar: what was spent, and what was saved; whatever the cache did for a call."""
    clock, cache = HandClock(), Cache(ttl="1h", stale_if_error="1d")
    ask = client(cache, clock=clock, ledger=tmp_path / "ledger.db", retry=Retry(retries=0))
    for stream in (False, True, False, True):
        ask(stream=stream)
    ask(temperature=1)
    ask(max_tokens=1)
    clock.forward(7200)
    tokenguard_provider.fail(503, times=1)
    ask()
    tokenguard_provider.fault(reset="before_headers")  # sent, and perhaps billed: its input counts
    ask()
    with tokenguard.context(cache="only"), pytest.raises(tokenguard.CacheMissError):
        ask(seed=1)
    kinds = {str(receipt.cache) for receipt in receipts}
    assert kinds == {"miss", "hit", "bypass", "stale"}
    spent = sum(receipt.cost_nano or 0 for receipt in receipts)
    saved = sum(receipt.saved_nano or 0 for receipt in receipts)
    assert spent > 0 < saved

    roots = [on(span) for span in spans() if span.name == ROOT]
    assert nano(sum(root["tokenguard.cost.call_total"] for root in roots)) == spent
    assert nano(sum(root.get("tokenguard.cache.saved", 0) for root in roots)) == saved
    assert nano(measured.total("tokenguard.cost")) == spent
    assert nano(measured.total("tokenguard.cache.saved")) == saved

    ask.guard.flush()
    reader: Any = ask.guard.ledger.reader()  # type: ignore[union-attr]
    for view in ("v_calls", "v_daily"):
        assert reader.execute(f"SELECT sum(cost_nano), sum(saved_nano) FROM {view}").fetchone() == (
            spent,
            saved,
        )
    reader.close()


def nano(usd: float) -> int:
    return round(usd * 1e9)


def values(measured: Measured, *prefixes: str) -> dict[str, list[Any]]:
    """Every series of the metrics whose names begin so, and what it has come to."""
    names = [name for name in measured.metrics() if name.startswith(prefixes)]
    return {
        name: [
            (labels, getattr(point, "count", point), getattr(point, "sum", None))
            for labels, point in measured.points(name)
        ]
        for name in names
    }
