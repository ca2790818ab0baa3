"""A question that was not asked before may be answered with what a similar one got; never by mistake."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import openai
import pytest

import tokenguard
from tests.cache.conftest import Cached, HandClock
from tests.cache.embedders import Broken, Everything, Words
from tests.conftest import Rows
from tests.telemetry import conftest as telemetry
from tests.transport.clients import CLAUDE, GPT, chat, claude
from tokenguard import Cache, EndpointEmbedder, Guard, Receipt, Similar, faults
from tokenguard.cache import upkeep
from tokenguard.cache.disk import DiskStore
from tokenguard.testing import Answer, Provider

BACKENDS = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
ASKED = "How do I reset my password?"
ALIKE = "how can I reset the password"
OTHER = "How do I water the garden?"
Ask = Callable[..., Any]
spans = telemetry.spans


def similar(embedder: Any = None, threshold: float = 0.6, **options: Any) -> Similar:
    return Similar(embedder or Words(), threshold=threshold, uncalibrated=True, **options)


def ask(client: Any, text: str, **options: Any) -> Any:
    before = options.pop("before", [{"role": "system", "content": "Be kind."}])
    messages = [*before, {"role": "user", "content": text}]
    return client.chat.completions.create(**{"model": GPT, "temperature": 0, "messages": messages, **options})


def receipt_of(guard: Guard, response: Any) -> Receipt:
    receipt = guard.receipt(response)
    assert receipt is not None
    return receipt


def test_a_similar_question_has_its_answer(provider: Provider, cached: Cached, rows: Rows) -> None:
    """It is free, says how similar it was, and saves what it would have cost; what is not alike is asked."""
    guard = cached(Cache(similar=similar()))
    client = guard.wrap(chat(provider))
    first = ask(client, ASKED)
    second = ask(client, ALIKE)
    assert second.to_dict() == first.to_dict()
    paid, free = receipt_of(guard, first), receipt_of(guard, second)
    assert (paid.cache, paid.cache_similarity) == ("miss", None)
    assert (free.cache, free.cost_nano, free.saved_nano) == ("similar", 0, paid.cost_nano)
    assert free.cache_similarity == pytest.approx(4 / 6, abs=1e-3)
    assert free.cache_key == paid.cache_key
    assert free.cache_age_s is not None
    assert receipt_of(guard, ask(client, OTHER)).cache == "miss"
    assert receipt_of(guard, ask(client, ASKED)).cache == "hit"
    assert provider.count == 2
    assert [row["cache"] for row in rows(guard)] == ["miss", "similar", "miss", "hit"]
    assert guard.cache is not None
    assert (guard.cache.counts["similar"], guard.cache.counts["dissimilar"]) == (1, 2)


def test_what_a_similar_hit_says(provider: Provider, cached: Cached, spans: telemetry.Spans) -> None:
    """In its headers, and on the span of its lookup."""
    guard = cached(Cache(similar=similar()))
    client = guard.wrap(chat(provider))
    ask(client, ASKED)
    messages: Any = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": ALIKE}]
    raw = client.chat.completions.with_raw_response.create(model=GPT, temperature=0, messages=messages)
    assert raw.headers["x-tokenguard-cache"] == "similar"
    assert float(raw.headers["x-tokenguard-cache-similarity"]) == pytest.approx(0.667, abs=1e-3)
    exact, lookup = [span for span in spans() if span.name == "tokenguard.cache.lookup"]
    assert (exact.attributes or {})["tokenguard.cache.kind"] == "exact"
    attributes = dict(lookup.attributes or {})
    assert attributes["tokenguard.cache.kind"] == "semantic"
    assert attributes["tokenguard.cache.similarity"] == pytest.approx(0.667, abs=1e-3)
    assert (attributes["tokenguard.cache.result"], attributes["tokenguard.cache.hit"]) == ("similar", True)
    call = [span for span in spans() if span.name == "tokenguard.call"][-1]
    assert (call.attributes or {})["tokenguard.outcome"] == "cache_semantic"


def test_exact_comes_first(provider: Provider, cached: Cached) -> None:
    """What was asked before word for word costs no vector."""
    embedder = Words()
    client = cached(Cache(similar=similar(embedder))).wrap(chat(provider))
    for text in (ASKED, ASKED, ALIKE, ASKED):
        ask(client, text)
    assert embedder.texts == [ASKED, ALIKE]


SYSTEM: Any = [{"role": "system", "content": "Be terse."}]
EARLIER: Any = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    "change",
    [
        {"before": SYSTEM},
        {"before": []},
        {"before": EARLIER},
        {"model": "gpt-4.1"},
        {"temperature": 0, "seed": 3},
        {"max_tokens": 17},
        {"stream": True},
        {"response_format": SCHEMA},
        {"extra_body": {"a_field_of_tomorrow": 1}},
        {"extra_headers": {"openai-beta": "x"}},
        {"extra_query": {"api-version": "2"}},
    ],
    ids=str,
)
def test_all_the_rest_must_be_equal(change: dict[str, Any], provider: Provider, cached: Cached) -> None:
    """Another system prompt, conversation, model, schema or anything: nobody gets that answer."""
    provider.answer(Answer('{"a": 1}'))
    guard = cached(Cache(similar=similar(Everything())))
    client = guard.wrap(chat(provider))
    ask(client, ASKED)
    response = ask(client, ALIKE, **change)
    if change.get("stream"):
        list(response)
    assert provider.count == 2
    alike = ask(client, "How might I reset a password", **change)
    if change.get("stream"):
        list(alike)
    assert provider.count == 2  # with each other they are alike


def test_who_asks_must_be_equal(provider: Provider, cached: Cached) -> None:
    """Another credential, another namespace, another address, another embedder, and what was given up."""
    guard = cached(Cache(similar=similar(Everything())))
    ask(guard.wrap(chat(provider)), ASKED)
    ask(guard.wrap(chat(provider, api_key="sk-other")), ALIKE)
    assert provider.count == 2
    guard = cached(Cache(similar=similar(Everything()), namespace="n"))
    client = guard.wrap(chat(provider))
    ask(client, ASKED)
    assert guard.cache is not None
    guard.cache.invalidate(namespace="n")
    assert receipt_of(guard, ask(client, ALIKE)).cache == "miss"
    with Provider() as elsewhere:
        assert receipt_of(guard, ask(guard.wrap(chat(elsewhere)), ALIKE)).cache == "miss"


def test_vectors_of_two_embedders_never_meet(provider: Provider, cached: Cached, tmp_path: Path) -> None:
    """Though they share a store."""
    for name, status in (("a", "miss"), ("b", "miss"), ("a", "similar")):
        cache = Cache(store=tmp_path / "answers", similar=similar(Everything(name)))
        guard = cached(cache)
        text = ASKED if status == "miss" else ALIKE
        with tokenguard.context(cache="refresh" if name == "b" else "use"):
            response = ask(guard.wrap(chat(provider)), text if name == "a" else OTHER)
        assert receipt_of(guard, response).cache in (status, "refresh")
        guard.close()
    guard = cached(Cache(store=tmp_path / "answers", similar=similar(Everything("c"))))
    assert receipt_of(guard, ask(guard.wrap(chat(provider)), ALIKE)).cache == "miss"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, ALIKE),
        ({}, "yes"),
        ({}, ALIKE + " please" * 200),
        ({}, [{"type": "text", "text": ALIKE}, {"type": "text", "text": "And this?"}]),
        ({}, [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]),
        ({"temperature": 1}, ALIKE),
    ],
    ids=str,
)
def test_what_is_no_plain_question_is_not_embedded(
    options: dict[str, Any], text: Any, provider: Provider, cached: Cached
) -> None:
    """Tools, images, several texts, long ones, what says too little, and what is not cached at all."""
    embedder = Words()
    client = cached(Cache(similar=similar(embedder))).wrap(chat(provider))
    ask(client, text, **options)
    assert embedder.texts == []
    ask(client, [{"type": "text", "text": ALIKE}])
    assert embedder.texts == [ALIKE]


def test_what_turns_a_question_round_is_no_hit(provider: Provider, cached: Cached) -> None:
    """Though the vectors are the same: gates have the say."""
    guard = cached(Cache(similar=similar(Everything(), threshold=1.0)))
    client = guard.wrap(chat(provider))
    texts = (
        "What is the capital of France?",
        "What is the capital of Spain?",
        "What is not the capital of France?",
        "What was the capital of France?",
        "What is the capital of 2 France?",
    )
    for text in texts:
        assert receipt_of(guard, ask(client, text)).cache == "miss"
    assert receipt_of(guard, ask(client, "what's the capital of France")).cache == "similar"


def test_below_the_threshold_is_no_hit(provider: Provider, cached: Cached) -> None:
    """However little."""
    for threshold, status in ((0.66, "similar"), (0.67, "miss")):
        guard = cached(Cache(similar=similar(threshold=threshold)))
        client = guard.wrap(chat(provider))
        ask(client, ASKED)
        assert receipt_of(guard, ask(client, ALIKE)).cache == status


def test_the_best_of_several_is_given(provider: Provider, cached: Cached) -> None:
    """And where its answer is gone, the next best."""
    guard = cached(Cache(similar=similar(threshold=0.3)))
    client = guard.wrap(chat(provider))
    provider.answer(Answer("near"))
    with tokenguard.context(cache_tags=["near"]):
        ask(client, "How do I reset my old mail password?".replace("old ", ""))
    provider.answer(Answer("far"))
    ask(client, "How do I look after the flowers, the trees and the lawn?")
    again = "How can I reset my mail password?"
    assert ask(client, again).choices[0].message.content == "near"
    assert guard.cache is not None
    guard.cache.invalidate(tag="near")
    assert receipt_of(guard, ask(client, again)).cache == "miss"


def test_streams(provider: Provider, cached: Cached) -> None:
    """A stream is answered with a stream, event for event."""
    guard = cached(Cache(similar=similar()))
    client = guard.wrap(chat(provider))
    first = list(ask(client, ASKED, stream=True))
    stream = ask(client, ALIKE, stream=True)
    assert [event.to_dict() for event in stream] == [event.to_dict() for event in first]
    assert receipt_of(guard, stream.response).cache == "similar"
    assert provider.count == 1


def test_other_formats(provider: Provider, cached: Cached) -> None:
    """Responses, with a text or a list of messages; and Anthropic's messages."""
    guard = cached(Cache(similar=similar(), mode="always"))
    gpt, anthropic = guard.wrap(chat(provider)), guard.wrap(claude(provider))

    def message(text: str) -> Any:
        return [{"role": "user", "content": [{"type": "input_text", "text": text}]}]

    calls: list[Ask] = [
        lambda text: gpt.responses.create(model=GPT, input=text, instructions="Be kind."),
        lambda text: gpt.responses.create(model=GPT, input=message(text)),
        lambda text: anthropic.messages.create(
            model=CLAUDE, max_tokens=99, messages=[{"role": "user", "content": text}]
        ),
    ]
    for n, call in enumerate(calls, 1):
        assert receipt_of(guard, call(ASKED)).cache == "miss"
        assert guard.cache is not None
        similar_one = call(ALIKE)
        assert similar_one.id
        assert guard.cache.counts["similar"] == n
        assert provider.count == n


@pytest.mark.anyio
@BACKENDS
@pytest.mark.parametrize("may_block", [True, False])
async def test_on_an_event_loop(may_block: bool, provider: Provider, cached: Cached) -> None:
    """An embedder that may block is asked in a thread; another one is not."""
    threads: list[int] = []

    class Noting(Words):
        def embed(self, texts: Any) -> Any:
            threads.append(threading.get_ident())
            return super().embed(texts)

    guard = cached(Cache(similar=similar(Noting(may_block=may_block))))
    client = guard.wrap(_async_chat(provider))
    first = await ask(client, ASKED)
    second = await ask(client, ALIKE)
    assert (second.to_dict(), provider.count) == (first.to_dict(), 1)
    assert receipt_of(guard, second).cache == "similar"
    assert all((thread != threading.get_ident()) == may_block for thread in threads)
    stream = await ask(client, ASKED, stream=True)
    events = [event.to_dict() async for event in stream]
    stream = await ask(client, ALIKE, stream=True)
    assert [event.to_dict() async for event in stream] == events
    await client.close()


def _async_chat(provider: Provider) -> Any:
    return openai.AsyncOpenAI(base_url=provider.openai_url, api_key="sk-x", timeout=30)


@pytest.mark.anyio
async def test_all_who_ask_the_same_at_once_get_it(provider: Provider, cached: Cached) -> None:
    """The first of them looks for a similar question; the others get what it finds, and say so."""
    entered, leave = threading.Event(), threading.Event()

    class Slow(Words):
        def embed(self, texts: Any) -> Any:
            if list(texts) == [ALIKE]:
                entered.set()
                leave.wait(20)
            return super().embed(texts)

    embedder = Slow(may_block=True)
    guard = cached(Cache(similar=similar(embedder)))
    client = guard.wrap(_async_chat(provider))
    await ask(client, ASKED)
    found: list[Receipt] = []

    async def one() -> None:
        found.append(receipt_of(guard, await ask(client, ALIKE)))

    assert guard.cache is not None
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(one)
        await anyio.to_thread.run_sync(entered.wait, 20)
        await anyio.wait_all_tasks_blocked()
        leave.set()
    assert [receipt.cache for receipt in found] == ["similar"] * 5
    assert {receipt.cache_similarity for receipt in found} == {found[0].cache_similarity}
    assert embedder.texts == [ASKED, ALIKE]
    assert provider.count == 1
    await client.close()


def test_a_later_process_finds_the_questions(provider: Provider, cached: Cached, tmp_path: Path) -> None:
    """The index is in the store, sealed and encrypted as the answers are, without a word of any question."""
    for encryption_key in (None, bytes(range(32))):
        provider.forget_requests()
        directory = tmp_path / f"answers-{encryption_key is None}"
        cache = Cache(store=directory, similar=similar(), encryption_key=encryption_key)
        first = cached(cache)
        provider.answer(Answer("Look into the settings."))
        ask(first.wrap(chat(provider)), ASKED)
        first.close()
        files = b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())
        assert b"reset" not in files
        assert (b"Look into" in files) == (encryption_key is None)
        second = cached(cache)
        assert receipt_of(second, ask(second.wrap(chat(provider)), ALIKE)).cache == "similar"
        assert provider.count == 1


def test_a_page_of_the_index_is_sound(provider: Provider, cached: Cached, tmp_path: Path) -> None:
    """Whoever checks the directory finds nothing bad in it."""
    guard = cached(Cache(store=tmp_path / "answers", similar=similar()))
    ask(guard.wrap(chat(provider)), ASKED)
    guard.close()
    with closing(DiskStore(tmp_path / "answers")) as store:
        found = upkeep.check(store, 0)
    assert (found.sound, found.bad) == (2, ())


def test_two_processes_add_to_one_index(provider: Provider, cached: Cached, tmp_path: Path) -> None:
    """Neither takes out what the other put in."""
    cache = Cache(store=tmp_path / "answers", similar=similar(max_entries=64))
    one, other = cached(cache), cached(cache)
    ask(one.wrap(chat(provider)), ASKED)
    assert one.flush()
    ask(other.wrap(chat(provider)), OTHER)
    assert other.flush()
    third = cached(cache)
    client = third.wrap(chat(provider))
    for text in (ALIKE, "how can I water a garden"):
        assert receipt_of(third, ask(client, text)).cache == "similar"


@pytest.mark.parametrize("damage", [b"", b"junk", b"[[1]]"])
def test_a_damaged_index_is_a_miss(damage: bytes, provider: Provider, cached: Cached, tmp_path: Path) -> None:
    """Whatever was done to its rows: the question is asked, and noted anew."""
    cache = Cache(store=tmp_path / "answers", similar=similar(max_entries=64))
    first = cached(cache)
    ask(first.wrap(chat(provider)), ASKED)
    first.close()
    with closing(sqlite3.connect(tmp_path / "answers/cache.db")) as file, file:
        changed = file.execute(
            "UPDATE Cache SET value = ? WHERE filename IS NULL AND length(value) > 0 AND key NOT IN "
            "(SELECT key FROM Cache ORDER BY rowid LIMIT 1)",
            (damage,),
        ).rowcount
    assert changed == 1
    second = cached(cache)
    client = second.wrap(chat(provider))
    assert receipt_of(second, ask(client, ALIKE)).cache == "miss"
    assert receipt_of(second, ask(client, "how might I reset a password")).cache == "similar"


def test_invalidation_takes_the_vectors_too(provider: Provider, cached: Cached, tmp_path: Path) -> None:
    """By tag or model: nothing of the question is left, in memory or in the store."""
    for which in ({"tag": "faq"}, {"model": GPT}):
        cache = Cache(store=tmp_path / str(which), tags=("faq",), similar=similar())
        guard = cached(cache)
        ask(guard.wrap(chat(provider)), ASKED)
        assert guard.flush()
        assert guard.cache is not None
        assert guard.cache.similar is not None
        assert guard.cache.similar.index.bytes > 0
        guard.cache.invalidate(**which)
        assert guard.cache.similar.index.bytes == 0
        assert guard.cache.store is not None
        assert list(guard.cache.store.labels()) == []


def test_without_a_store_only_what_was_invalidated_goes(provider: Provider, cached: Cached) -> None:
    """The other questions stay."""
    guard = cached(Cache(similar=similar()))
    client = guard.wrap(chat(provider))
    ask(client, ASKED)
    with tokenguard.context(cache_tags=["garden"]):
        ask(client, OTHER)
    assert guard.cache is not None
    guard.cache.invalidate(tag="garden")
    assert receipt_of(guard, ask(client, ALIKE)).cache == "similar"
    assert receipt_of(guard, ask(client, "how can I water a garden")).cache == "miss"


def test_an_answer_grows_old(provider: Provider, cached: Cached, clock: HandClock) -> None:
    """For a similar question, too."""
    guard = cached(Cache(ttl="1h", similar=similar()), clock=clock)
    client = guard.wrap(chat(provider))
    ask(client, ASKED)
    clock.forward(4000)
    assert receipt_of(guard, ask(client, ALIKE)).cache == "miss"


def test_a_broken_embedder_is_a_miss(provider: Provider, cached: Cached, clock: HandClock) -> None:
    """It is counted, and left alone for a while, so that not every call waits for it in vain."""
    embedder = Broken()
    guard = cached(Cache(similar=similar(embedder)), clock=clock)
    client = guard.wrap(chat(provider))
    before = faults.counts().get("cache.embed", 0)
    for n in range(3):
        assert receipt_of(guard, ask(client, ASKED, seed=n)).cache == "miss"
    assert faults.counts()["cache.embed"] == before + 1
    assert guard.cache is not None
    assert guard.cache.counts["not_embedded"] == 3
    clock.forward(11)
    ask(client, ASKED, seed=4)
    assert faults.counts()["cache.embed"] == before + 2
    assert provider.count == 4


@pytest.mark.parametrize(
    "vectors", [[], [[]], [[0.0, 0.0]], [[float("nan"), 1.0]], [[1.0], [1.0]], ["x"], None]
)
def test_vectors_that_are_none_are_a_miss(vectors: Any, provider: Provider, cached: Cached) -> None:
    """Too many, too few, zero, no numbers: the call goes on."""

    class Odd(Words):
        def embed(self, texts: Any) -> Any:
            return vectors

    guard = cached(Cache(similar=similar(Odd())))
    assert receipt_of(guard, ask(guard.wrap(chat(provider)), ASKED)).cache == "miss"


def test_wishes_of_a_call(provider: Provider, cached: Cached) -> None:
    """Whoever wants a fresh answer, or none but what is there, gets no similar one."""
    embedder = Words()
    guard = cached(Cache(similar=similar(embedder)))
    client = guard.wrap(chat(provider))
    ask(client, ASKED)
    for wish, status in (("refresh", "refresh"), ("bypass", "bypass")):
        with tokenguard.context(cache=wish):  # type: ignore[arg-type]
            assert receipt_of(guard, ask(client, ALIKE)).cache == status
    with tokenguard.context(cache="only"), pytest.raises(tokenguard.CacheMissError):
        ask(client, "how might I reset a password")
    assert embedder.texts == [ASKED]


def test_an_endpoint_is_metered(provider: Provider, cached: Cached, rows: Rows) -> None:
    """Its calls are of the same run and tags; the other wishes are not for them."""
    other = cached(Cache())
    embedder = EndpointEmbedder(other.wrap(chat(provider)), "text-embedding-3-small")
    guard = cached(Cache(similar=similar(embedder)))
    client = guard.wrap(chat(provider))
    with guard.run("work", tags={"team": "support"}) as run, tokenguard.context(model="gpt-4.1-nano"):
        ask(client, ASKED)
    assert run.calls == 2
    guard.flush()
    embedding, answer = sorted(rows(other), key=lambda row: row["operation"], reverse=True)
    assert (embedding["operation"], embedding["model_sent"]) == ("embeddings", "text-embedding-3-small")
    assert (embedding["team"], embedding["run_name"]) == ("support", "work")
    assert embedding["cost_nano"] > 0
    assert answer["model_sent"] == "gpt-4.1-nano"


def test_a_guard_may_embed_for_itself(provider: Provider, cached: Cached) -> None:
    """With a client of the same guard; a provider that fails is asked once, not again and again."""

    class Late(Words):
        inner: Any = None

        def embed(self, texts: Any) -> Any:
            return self.inner.embed(texts)

    embedder = Late(may_block=True)
    guard = cached(Cache(similar=similar(embedder)))
    client = guard.wrap(chat(provider))
    embedder.inner = EndpointEmbedder(client, "text-embedding-3-small")
    ask(client, ASKED)
    assert [request.path for request in provider.requests] == ["/v1/embeddings", "/v1/chat/completions"]
    provider.fail(503, times=1)
    ask(client, OTHER)
    assert provider.count == 4


def test_some_hits_are_audited(provider: Provider, cached: Cached) -> None:
    """The provider answers all the same, and what it says is compared with what would have been given."""
    guard = cached(Cache(similar=similar(audit=1.0)))
    client = guard.wrap(chat(provider))
    for answer in ("Look  there.", "Look there.", "Look elsewhere."):
        provider.answer(Answer(answer))
        text = {"Look  there.": ASKED, "Look there.": ALIKE}.get(answer, "how might I reset a password")
        response = ask(client, text)
        assert receipt_of(guard, response).cache == "miss"
        assert response.choices[0].message.content == answer
    assert guard.cache is not None
    assert (guard.cache.counts["audit:same"], guard.cache.counts["audit:different"]) == (1, 1)
    assert guard.cache.counts["similar"] == 0


def test_whose_word_an_audit_takes(provider: Provider, cached: Cached) -> None:
    """The user's, where they gave one; if that raises, nothing is counted, and nothing happens."""
    for agrees, counted in ((lambda _a, _b: True, 1), (lambda _a, _b: 1 / 0, 0)):
        guard = cached(Cache(similar=similar(audit=1.0, agrees=agrees)))
        client = guard.wrap(chat(provider))
        for text, answer in ((ASKED, "a"), (ALIKE, "b")):
            provider.answer(Answer(answer))
            list(ask(client, text, stream=True))
        assert guard.cache is not None
        assert guard.cache.counts["audit:same"] == counted
        assert guard.cache.counts["audit:different"] == 0


def test_an_audit_is_a_share_of_the_hits(cached: Cached) -> None:
    """By the call's id, so the same calls are audited wherever they are looked at."""
    guard = cached(Cache(similar=similar(audit=0.1)))
    assert guard.cache is not None
    assert guard.cache.similar is not None
    ids = [tokenguard.call.uuid7(n * 10**6) for n in range(4000)]
    audited = [guard.cache.similar.audits(call_id) for call_id in ids]
    assert audited == [guard.cache.similar.audits(call_id) for call_id in ids]
    assert 0.07 < sum(audited) / len(ids) < 0.13


def test_the_index_is_bounded(provider: Provider, cached: Cached) -> None:
    """In questions of one scope, and in bytes of all."""
    guard = cached(Cache(similar=similar(threshold=1.0, max_entries=3, max_bytes=10_000)))
    client = guard.wrap(chat(provider))
    words = ("apples", "pears", "plums", "cherries", "grapes", "melons", "lemons", "figs")
    for n, word in enumerate(words * 2):
        ask(client, f"How do I grow the best {word} in the garden?", seed=n % 8)
        ask(client, f"How do I cook the best {word} in the kitchen?")
    assert guard.cache is not None
    assert guard.cache.similar is not None
    assert 0 < guard.cache.similar.index.bytes <= 10_000
    newest = receipt_of(guard, ask(client, "how do I cook the best figs in the kitchen"))
    assert newest.cache == "similar"
    assert receipt_of(guard, ask(client, "how do I cook the best apples in the kitchen")).cache == "miss"
