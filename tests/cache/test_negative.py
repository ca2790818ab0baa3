"""A refusal that the same request would get once more is given again for a moment, and no other one is."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

import tokenguard
from tests.cache.asking import CHAT_URL, MESSAGES_URL, asking
from tests.cache.conftest import Cached, HandClock
from tests.cache.test_flights import followers, until
from tests.conftest import Rows
from tests.telemetry import conftest as telemetry
from tests.transport.clients import GPT, HELLO, KINDS, Kind, asked, chat, closed
from tokenguard import Cache, ConfigError, Guard, Receipt
from tokenguard.cache.negative import LASTING, is_lasting
from tokenguard.call import Answered, WholeReply
from tokenguard.testing import Provider

EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.cls.__name__)
BACKENDS = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
NEGATIVE = Cache(negative_ttl="30s")
spans = telemetry.spans


def openai_error(message: str, code: Any = None, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic_error(message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


MISSING = openai_error(
    f"The model `{GPT}` does not exist or you do not have access to it.", "model_not_found"
)
TOO_LONG = openai_error(
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 8227 tokens.",
    "context_length_exceeded",
)

# What providers and servers really say.
LASTS = [
    (CHAT_URL, 400, TOO_LONG),
    (CHAT_URL, 400, openai_error("Your input exceeds the context window.", "context_length_exceeded")),
    (
        CHAT_URL,
        400,
        openai_error("This model's maximum context length is 8192 tokens, however you requested 10738."),
    ),
    (
        CHAT_URL,
        400,
        openai_error(
            "This model's maximum context length is 131072 tokens. However, you requested 131134 tokens.",
            "invalid_request_error",
        ),
    ),
    (
        CHAT_URL,
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 2048 tokens.",
            "type": "BadRequestError",
            "code": 400,
        },
    ),
    (
        CHAT_URL,
        400,
        {"error": {"message": "This endpoint's maximum context length is 32768 tokens.", "code": 400}},
    ),
    (CHAT_URL, 400, openai_error("Invalid 'input': string too long.", "string_above_max_length")),
    (CHAT_URL, 404, MISSING),
    (
        CHAT_URL,
        404,
        {
            "object": "error",
            "message": "The model `Qwen` does not exist.",
            "type": "NotFoundError",
            "code": 404,
        },
    ),
    (
        CHAT_URL,
        404,
        {
            "error": {
                "code": "DeploymentNotFound",
                "message": "The API deployment for this resource does not exist.",
            }
        },
    ),
    (CHAT_URL, 403, openai_error("Project `proj_x` does not have access to model `gpt`", "model_not_found")),
    (MESSAGES_URL, 400, anthropic_error("prompt is too long: 207791 tokens > 200000 maximum")),
    (
        MESSAGES_URL,
        400,
        anthropic_error(
            "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input"
        ),
    ),
    (MESSAGES_URL, 404, anthropic_error("model: claude-3-7-sonnet", "not_found_error")),
    (MESSAGES_URL, 403, anthropic_error("Your API key does not have permission.", "permission_error")),
    (MESSAGES_URL, 413, anthropic_error("Request exceeds the maximum size", "request_too_large")),
    (MESSAGES_URL, 400, {"message": "Input is too long for requested model."}),
    (MESSAGES_URL, 400, {"message": "The provided model identifier is invalid."}),
    (MESSAGES_URL, 403, {"message": "You don't have access to the model with the specified model ID."}),
    (
        MESSAGES_URL,
        404,
        [{"error": {"code": 404, "message": "Publisher Model `projects/1/x` was not found", "status": "X"}}],
    ),
]

PASSES = [
    (CHAT_URL, 401, openai_error("Incorrect API key provided", "invalid_api_key")),
    (CHAT_URL, 429, openai_error("Rate limit reached", "rate_limit_exceeded")),
    (CHAT_URL, 429, TOO_LONG),
    (CHAT_URL, 500, TOO_LONG),
    (CHAT_URL, 503, MISSING),
    (CHAT_URL, 200, TOO_LONG),
    (CHAT_URL, 404, TOO_LONG),
    (CHAT_URL, 400, openai_error("The response was filtered", "content_filter")),
    (CHAT_URL, 400, openai_error("Billing hard limit has been reached", "billing_hard_limit_reached")),
    (CHAT_URL, 400, openai_error("Unsupported value: 'temperature'", "unsupported_value")),
    (CHAT_URL, 400, openai_error("x: this model's maximum context length is 10")),
    (CHAT_URL, 403, openai_error("Country not supported", "unsupported_country_region_territory")),
    (CHAT_URL, 400, anthropic_error("prompt is too long: 207791 tokens > 200000 maximum")),
    (CHAT_URL, 404, {"error": "model_not_found"}),
    (CHAT_URL, 404, {"error": {"code": ["model_not_found"], "message": None}}),
    (CHAT_URL, 404, []),
    (CHAT_URL, 404, None),
    (CHAT_URL, 404, "not found"),
    (MESSAGES_URL, 401, anthropic_error("invalid x-api-key", "authentication_error")),
    (MESSAGES_URL, 403, anthropic_error("Request not allowed", "forbidden")),
    (MESSAGES_URL, 404, anthropic_error("File not found: file_1", "not_found_error")),
    (MESSAGES_URL, 404, anthropic_error("Not Found", "not_found_error")),
    (MESSAGES_URL, 400, anthropic_error("Your credit balance is too low to access the Anthropic API.")),
    (MESSAGES_URL, 403, {"message": "The security token included in the request is expired"}),
    (MESSAGES_URL, 529, anthropic_error("Overloaded", "overloaded_error")),
    (MESSAGES_URL, 400, MISSING),
]


def lasts(url: str, status: int, body: bytes | None) -> bool:
    call = asking(url, {"model": "m", "messages": []})
    return is_lasting(call, WholeReply(status, "application/json", body, False, Answered()))


@pytest.mark.parametrize(("url", "status", "error"), LASTS)
def test_what_the_same_request_would_get_again(url: str, status: int, error: Any) -> None:
    """It is told by its code, its type, or how its message begins."""
    assert lasts(url, status, json.dumps(error).encode())


@pytest.mark.parametrize(("url", "status", "error"), PASSES)
def test_what_may_be_another_way_the_next_moment(url: str, status: int, error: Any) -> None:
    """Limits, overload, who asks, filters, and whatever is not known."""
    assert not lasts(url, status, json.dumps(error).encode())


@pytest.mark.parametrize(
    "body", [None, b"", b"<html>", b"\xff", b"[" * 5000, json.dumps(TOO_LONG).encode() * 999]
)
def test_what_is_no_error_of_a_provider(body: bytes | None) -> None:
    """Somebody on the way says it, and may not say it again."""
    assert not lasts(CHAT_URL, 400, body)


def test_every_one_is_known_to_be_said() -> None:
    """None of the table is there that no test has a reply for; and none of it is of a status that passes."""
    for refusal in LASTING:
        assert any(
            is_lasting(asking(url, {"model": "m", "messages": []}), reply(status, error))
            for url, status, error in LASTS
            if status == refusal.status and refusal.value.casefold() in json.dumps(error).casefold()
        ), refusal
        assert refusal.status not in (401, 408, 409, 425, 429)
        assert refusal.status < 500


def reply(status: int, error: Any) -> WholeReply:
    return WholeReply(status, "application/json", json.dumps(error).encode(), False, Answered())


@pytest.mark.parametrize("given", ["61s", "5m", 0, "0s", 60.1])
def test_a_refusal_is_not_kept_for_long(given: Any) -> None:
    """What was refused may be allowed by then; and no time at all is no setting."""
    with pytest.raises(ConfigError, match=r"negative_ttl=.*at most '60s'"):
        Cache(negative_ttl=given)
    assert Cache(negative_ttl="60s").negative_ttl_s == 60


# Calls


def gpt(client: Any, **options: Any) -> Any:
    return client.chat.completions.create(**{"model": GPT, "messages": HELLO, "temperature": 0, **options})


def refused(client: Any, kind: type[openai.APIStatusError] = openai.NotFoundError, **options: Any) -> Any:
    with pytest.raises(kind) as raised:
        gpt(client, **options)
    return raised.value


def receipt_of(guard: Guard, response: object) -> Receipt:
    receipt = guard.receipt(response)
    assert receipt is not None
    return receipt


def how(guard: Guard, client: Any, **options: Any) -> str | None:
    return receipt_of(guard, refused(client, **options)).cache


@pytest.fixture
def missing(provider: Provider) -> Provider:
    """A provider that does not have the model."""
    provider.fail(404, times=None, body=MISSING)
    return provider


@pytest.mark.anyio
@EVERY_KIND
@BACKENDS
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_every_client_is_refused_again(
    kind: Kind, stream: bool, provider: Provider, cached: Cached, rows: Rows
) -> None:
    """With the SDK's own exception: asked once, refused twice, and nothing costs anything."""
    error = MISSING if kind.sdk == "openai" else anthropic_error("model: claude-x", "not_found_error")
    provider.fail(404, times=None, body=error)
    guard = cached(Cache(mode="always", negative_ttl="30s"))
    client = guard.wrap(kind.make(provider))
    raised: list[Any] = []
    for _ in range(2):
        with pytest.raises(Exception, match="404") as caught:
            await asked(client, kind, stream=stream)
        raised.append(caught.value)
    first, second = raised
    assert type(second) is type(first)
    assert type(second).__name__ == "NotFoundError"
    assert second.body == first.body
    assert (second.status_code, second.response.content) == (404, first.response.content)
    paid, free = receipt_of(guard, first), receipt_of(guard, second)
    assert (paid.cache, paid.cache_reason, paid.attempts) == ("miss", None, 1)
    assert (free.cache, free.cache_reason, free.attempts) == ("hit", None, 0)
    assert (free.status, free.http_status, free.error_type) == (paid.status, 404, paid.error_type)
    assert (free.cost_nano, free.saved_nano) == (0, 0)
    assert free.provider_request_id == paid.provider_request_id
    assert provider.count == 1
    await closed(client)
    miss, hit = rows(guard)
    assert (miss["cache"], miss["role"], miss["http_status"]) == ("miss", "primary", 404)
    assert (hit["cache"], hit["role"], hit["http_status"], hit["status"]) == ("hit", "cache", 404, "error")
    assert hit["cost_nano"] in (0, None)


def test_it_is_off_unless_asked_for(missing: Provider, cached: Cached) -> None:
    """Each request is sent."""
    client = (guard := cached()).wrap(chat(missing))
    for _ in range(2):
        receipt = receipt_of(guard, refused(client))
        assert (receipt.cache, receipt.cache_reason) == ("miss", "status")
    assert missing.count == 2


def test_it_is_over_soon(missing: Provider, cached: Cached, clock: HandClock) -> None:
    """After its time the provider is asked again, and may answer."""
    client = (guard := cached(NEGATIVE, clock=clock)).wrap(chat(missing))
    assert [how(guard, client) for _ in range(2)] == ["miss", "hit"]
    clock.forward(29)
    again = receipt_of(guard, refused(client))
    assert again.cache == "hit"
    assert again.cache_age_s == pytest.approx(29)
    clock.forward(1.1)
    missing.clear()
    answered = [receipt_of(guard, gpt(client)) for _ in range(2)]
    assert [receipt.cache for receipt in answered] == ["miss", "hit"]


def test_a_call_may_want_it_for_less_long(missing: Provider, cached: Cached, clock: HandClock) -> None:
    """Never for longer than its answer."""
    client = (guard := cached(NEGATIVE, clock=clock)).wrap(chat(missing))
    with tokenguard.context(cache_ttl="5s"):
        assert how(guard, client) == "miss"
    clock.forward(5.1)
    assert how(guard, client) == "miss"


@pytest.mark.parametrize(("status", "error"), [(401, openai_error("no")), (429, TOO_LONG), (500, TOO_LONG)])
def test_limits_and_failures_are_not_given_again(
    status: int, error: Any, provider: Provider, cached: Cached
) -> None:
    """They are of the moment."""
    client = (guard := cached(NEGATIVE, retry=0)).wrap(chat(provider))
    provider.fail(status, times=2, body=error)
    for _ in range(2):
        receipt = receipt_of(guard, refused(client, openai.APIStatusError))
        assert (receipt.cache, receipt.cache_reason, receipt.http_status) == ("miss", "status", status)
    assert provider.count == 2
    assert gpt(client).choices


def test_a_compressed_refusal(provider: Provider, cached: Cached) -> None:
    """It says the same."""
    client = (guard := cached(NEGATIVE)).wrap(chat(provider))
    packed = gzip.compress(json.dumps(TOO_LONG).encode())
    provider.fail(400, headers={"content-encoding": "gzip"}, body=packed)
    first, second = [refused(client, openai.BadRequestError) for _ in range(2)]
    assert first.body == second.body == TOO_LONG["error"]
    assert receipt_of(guard, second).cache == "hit"


def test_wishes_of_a_call(missing: Provider, cached: Cached) -> None:
    """``bypass`` and ``refresh`` pass it by; ``only`` gets it. A new answer stands before it."""
    client = (guard := cached(NEGATIVE)).wrap(chat(missing))
    assert how(guard, client) == "miss"
    with tokenguard.context(cache="bypass"):
        assert how(guard, client) == "bypass"
    with tokenguard.context(cache="refresh"):
        assert how(guard, client) == "refresh"
    with tokenguard.context(cache="only"):
        assert how(guard, client) == "hit"
    assert missing.count == 3
    missing.clear()
    with tokenguard.context(cache="refresh"):
        gpt(client)
    assert receipt_of(guard, gpt(client)).cache == "hit"


def test_invalidation(missing: Provider, cached: Cached, tmp_path: Path) -> None:
    """Whatever invalidates answers does so with refusals, in this process and in others."""
    for store in (None, tmp_path / "answers"):
        cache = Cache(negative_ttl="30s", store=store, tags=("faq",))
        guard, other = cached(cache), cached(cache)
        client = guard.wrap(chat(missing))
        invalidators = [guard] if store is None else [guard, other]
        for by in invalidators:
            assert by.cache is not None
            for which in ({"tag": "faq"}, {"model": GPT}, {"stored_before_ns": 2**62}, {}):
                how(guard, client)
                by.cache.invalidate(tag="another")
                if store is None:
                    assert how(guard, client) == "hit"
                by.cache.invalidate(**which)
                assert how(guard, client) == "miss"


def test_a_namespace_that_is_given_up(missing: Provider, cached: Cached) -> None:
    """Its refusals are, too."""
    client = (guard := cached(Cache(negative_ttl="30s", namespace="n"))).wrap(chat(missing))
    assert guard.cache is not None
    assert [how(guard, client) for _ in range(2)] == ["miss", "hit"]
    guard.cache.invalidate(namespace="n")
    assert how(guard, client) == "miss"


def test_who_asks_matters(missing: Provider, cached: Cached) -> None:
    """What one credential may not do says nothing of another one, also where they share answers."""
    for cache in (NEGATIVE, Cache(negative_ttl="30s", namespace="team")):
        missing.forget_requests()
        guard = cached(cache)
        clients = [guard.wrap(chat(missing, api_key=key)) for key in ("sk-a", "sk-b")]
        assert [how(guard, client) for client in clients] == ["miss", "miss"]
        assert [how(guard, client) for client in clients] == ["hit", "hit"]
        assert missing.count == 2


def test_it_is_in_memory_only(missing: Provider, cached: Cached, tmp_path: Path) -> None:
    """No other process is refused for it, nor a later one."""
    cache = Cache(negative_ttl="30s", store=tmp_path / "answers")
    first = cached(cache)
    assert [how(first, first.wrap(chat(missing))) for _ in range(2)] == ["miss", "hit"]
    assert first.flush()
    first.close()
    second = cached(cache)
    assert how(second, second.wrap(chat(missing))) == "miss"
    assert second.cache is not None
    assert +second.cache.counts == {"negative": 1}


@pytest.mark.parametrize(
    ("cache", "sent"), [(NEGATIVE, 1), (Cache(negative_ttl="30s", namespace="team"), 2), (Cache(), 2)]
)
def test_those_who_wait_are_refused_with_the_first(
    cache: Cache, sent: int, provider: Provider, cached: Cached
) -> None:
    """As they would be; but not where it is another credential's, or is not asked for."""
    guard = cached(cache)
    clients = [guard.wrap(chat(provider, api_key=key)) for key in ("sk-a", "sk-b")]
    if cache.namespace is None:
        clients = clients[:1] * 2
    held = threading.Event()
    provider.fail(404, times=None, body=MISSING, when=lambda _: held.wait(60))
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(refused, clients[0])]
        until(lambda: bool(guard.cache._flights))  # type: ignore[union-attr]
        calls.append(pool.submit(refused, clients[1]))
        until(lambda: followers(guard) == 1)
        held.set()
        receipts = [receipt_of(guard, call.result()) for call in calls]
    assert provider.count == sent
    assert [receipt.cache for receipt in receipts] == ["miss", "coalesced" if sent == 1 else "miss"]


def test_what_spans_say(missing: Provider, cached: Cached, spans: Callable[[], Any]) -> None:
    """A lookup that found something, an error with its status, and no inference."""
    client = (guard := cached(NEGATIVE)).wrap(chat(missing))
    how(guard, client)
    before = len(spans())
    assert how(guard, client) == "hit"
    names = {span.name: dict(span.attributes or {}) for span in spans()[before:]}
    assert set(names) == {"tokenguard.cache.lookup", "tokenguard.call"}
    assert names["tokenguard.cache.lookup"]["tokenguard.cache.result"] == "hit"
    assert names["tokenguard.call"]["error.type"] == "404"
