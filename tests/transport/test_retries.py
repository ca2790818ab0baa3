"""There is one retry loop and it is ours: what it does over real HTTP, and what the caller gets."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest

import tokenguard
from tests.conftest import NO_WAIT, Rows
from tests.transport.clients import CLAUDE, GPT, HELLO, achat, chat, claude
from tokenguard import Guard, Retry
from tokenguard.testing import Provider


def gpt(client: openai.OpenAI, **options: Any) -> Any:
    return client.chat.completions.create(**{"model": GPT, "messages": HELLO, **options})


def sonnet(client: anthropic.Anthropic, **options: Any) -> Any:
    return client.messages.create(**{"model": CLAUDE, "max_tokens": 9, "messages": HELLO, **options})


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_the_clients_own_number_is_taken_over(retries: int, provider: Provider, guard: Guard) -> None:
    """A client made with max_retries=n makes n + 1 requests, all by the guard."""
    provider.fail(503, times=None)
    client = guard.wrap(chat(provider, max_retries=retries))
    with pytest.raises(openai.InternalServerError) as raised:
        gpt(client)
    assert provider.count == retries + 1
    receipt = guard.receipt(raised.value)
    assert receipt is not None
    assert receipt.attempts == retries + 1
    assert [request.header("x-stainless-retry-count") for request in provider.requests] == ["0"] * (
        retries + 1
    )


def test_the_guards_number_wins(provider: Provider) -> None:
    """Retry(retries=n), and a number in the context, overrule the client's own."""
    provider.fail(503, times=None)
    guard = Guard(ledger=None, retry=Retry(retries=1, base_s=0))
    client = guard.wrap(chat(provider, max_retries=7))
    with pytest.raises(openai.InternalServerError):
        gpt(client)
    assert provider.count == 2
    with tokenguard.context(retries=0), pytest.raises(openai.InternalServerError):
        gpt(client)
    assert provider.count == 3
    with pytest.raises(openai.InternalServerError):
        gpt(client, extra_headers=tokenguard.headers(retries=3))
    assert provider.count == 7


def test_the_sdks_loop_can_be_left_alone(provider: Provider) -> None:
    """With retry=None the SDK retries as ever; each of its requests is an attempt of a call of its own."""
    provider.fail(503, retry_after_ms=1, times=2)
    guard = Guard(ledger=None, retry=None)
    client = guard.wrap(chat(provider, max_retries=2))
    reply = gpt(client)
    assert [request.header("x-stainless-retry-count") for request in provider.requests] == ["0", "1", "2"]
    assert guard.receipt(reply).attempts == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (409, "ConflictError"),
        (422, "UnprocessableEntityError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (529, "InternalServerError"),
    ],
)
def test_the_sdks_own_exceptions(status: int, error: str, provider: Provider, guard: Guard) -> None:
    """A final failure is raised as the SDK's own class, with status, headers and body, sent once by each."""
    provider.fail(status, times=None)
    calls: list[tuple[Any, Any, Any]] = [
        (openai, gpt, guard.wrap(chat(provider, max_retries=0))),
        (anthropic, sonnet, guard.wrap(claude(provider, max_retries=0))),
    ]
    for sdk, call, client in calls:
        before = provider.count
        with pytest.raises(sdk.APIStatusError) as raised:
            call(client)
        wanted = "OverloadedError" if (sdk, status) == (anthropic, 529) else error
        assert type(raised.value).__name__ == wanted
        assert raised.value.status_code == status
        assert raised.value.response.headers["x-tokenguard-call-id"]
        assert raised.value.response.headers["x-should-retry"] == "false"
        assert "scripted failure" in str(raised.value)
        assert provider.count == before + 1
        receipt = guard.receipt(raised.value)
        assert receipt is not None
        assert (receipt.http_status, receipt.status, receipt.cost_nano) == (status, "error", 0)


@pytest.mark.parametrize("fault", [{"reset": "before_headers"}, {"disconnect_after": 1}], ids=str)
def test_connections_that_fail(fault: Any, provider: Provider, guard: Guard, rows: Rows) -> None:
    """A connection lost before the answer was whole is tried again, then raised as the SDK's own error."""
    provider.fault(**fault, times=None)
    calls: list[tuple[Any, Any, Any]] = [
        (openai, gpt, guard.wrap(chat(provider))),
        (anthropic, sonnet, guard.wrap(claude(provider))),
    ]
    for sdk, call, client in calls:
        before = provider.count
        with pytest.raises(sdk.APIConnectionError) as raised:
            call(client)
        assert provider.count == before + 3
        receipt = guard.receipt(raised.value)
        assert receipt is not None
        assert receipt.attempts == 3
        assert receipt.cost_basis == "unknown"
    assert {row["state"] for row in rows()} == {"unknown"}
    provider.clear()
    assert guard.receipt(gpt(calls[0][2])) is not None


def test_a_provider_that_is_not_there(guard: Guard, rows: Rows) -> None:
    """Nobody listens: nothing was sent, nothing is held, and the SDK says so in its own words."""
    client = guard.wrap(openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="x"))
    with pytest.raises(openai.APIConnectionError) as raised:
        gpt(client)
    receipt = guard.receipt(raised.value)
    assert receipt is not None
    assert (receipt.attempts, receipt.cost_nano, receipt.error_type) == (3, 0, "ConnectError")
    assert [row["state"] for row in rows()] == ["released"] * 3


def test_timeouts(provider: Provider, guard: Guard) -> None:
    """A request that times out may have been billed; it is tried again, and then the SDK's own error."""
    provider.fault(header_delay=float("inf"), times=None)
    client = guard.wrap(chat(provider, max_retries=1, timeout=0.05))
    with pytest.raises(openai.APITimeoutError) as raised:
        gpt(client)
    assert guard.receipt(raised.value).attempts == 2  # type: ignore[union-attr]
    assert guard.receipt(raised.value).cost_basis == "unknown"  # type: ignore[union-attr]


@pytest.mark.anyio
async def test_asynchronously(provider: Provider, guard: Guard, rows: Rows) -> None:
    """The same loop drives asynchronous clients."""
    provider.fail(503)
    provider.fault(reset="before_headers")
    async with guard.wrap(achat(provider)) as client:
        reply = await client.chat.completions.create(model=GPT, messages=HELLO)
    assert guard.receipt(reply).attempts == 3  # type: ignore[union-attr]
    assert [row["state"] for row in rows()] == ["released", "unknown", "settled"]


def test_a_stream_is_retried_before_its_first_byte_only(provider: Provider, guard: Guard, rows: Rows) -> None:
    """A stream that cannot begin is tried again; one that breaks off is not."""
    provider.fail(503)
    provider.fault(reset="mid_body", reset_after=3)
    client = guard.wrap(chat(provider))
    stream = gpt(client, stream=True)
    with pytest.raises(openai.APIConnectionError) as raised:
        list(stream)
    assert provider.count == 2
    receipt = guard.receipt(raised.value)
    assert receipt is not None
    assert receipt is guard.receipt(stream)
    assert (receipt.status, receipt.cost_basis, receipt.attempts) == ("error", "estimated", 2)
    assert [row["state"] for row in rows()] == ["released", "settled"]


def test_errors_inside_a_stream(provider: Provider, guard: Guard) -> None:
    """An error inside a 200 stream is raised by the SDK as ever, and is the call's own error."""
    provider.fault(error_after=2, times=None)
    client, haiku = guard.wrap(chat(provider)), guard.wrap(claude(provider))
    stream = gpt(client, stream=True)
    with pytest.raises(openai.APIError, match="scripted error"):
        list(stream)
    assert guard.receipt(stream).error_type == "server_error"  # type: ignore[union-attr]
    message = sonnet(haiku, stream=True)
    with pytest.raises(anthropic.APIStatusError):
        list(message)
    assert guard.receipt(message).error_type == "overloaded_error"  # type: ignore[union-attr]
    assert provider.count == 2


def test_the_wait_is_the_providers(provider: Provider) -> None:
    """Retry-After over HTTP is waited for, and told in the receipt."""
    guard = Guard(ledger=None, retry=NO_WAIT)
    provider.fail(429, retry_after_ms=20)
    reply = gpt(guard.wrap(chat(provider)))
    assert guard.receipt(reply).waited_s == pytest.approx(0.02)  # type: ignore[union-attr]


@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_either_http_library(module: Any, provider: Provider, guard: Guard) -> None:
    """The older library's failures are told from its own classes."""
    provider.fault(reset="before_headers", times=2)
    client = guard.wrap(chat(provider, http_client=module.Client()))
    assert guard.receipt(gpt(client)).attempts == 3  # type: ignore[union-attr]
    provider.fault(reset="before_headers", times=None)
    with pytest.raises(openai.APIConnectionError) as raised:
        gpt(client)
    assert guard.receipt(raised.value).attempts == 3  # type: ignore[union-attr]


def test_loops_do_not_multiply(provider: Provider, guard: Guard) -> None:
    """Where a copy switches the SDK's loop on again, each of its further tries is a single request."""
    provider.fault(reset="before_headers", times=None)
    client = guard.wrap(chat(provider)).with_options(max_retries=1)
    with pytest.raises(openai.APIConnectionError):
        gpt(client)
    assert provider.count == 3 + 1


def test_a_copys_status_failures_stay_one_loop(provider: Provider, guard: Guard) -> None:
    """A final status failure tells the SDK not to try again, also where its loop was switched on."""
    provider.fail(503, times=None)
    with pytest.raises(openai.InternalServerError):
        gpt(guard.wrap(chat(provider)).with_options(max_retries=4))
    with pytest.raises(anthropic.InternalServerError):
        sonnet(guard.wrap(claude(provider)).with_options(max_retries=4))
    assert provider.count == 6


def test_unknown_endpoints_are_retried_too(provider: Provider, guard: Guard, rows: Rows) -> None:
    """The loop is ours for every request of the client, metered or not."""
    provider.fail(503, times=2)
    client = guard.wrap(chat(provider))
    assert client.models.retrieve(GPT).id == GPT
    assert provider.count == 3
    provider.fail(503, times=None)
    with pytest.raises(openai.InternalServerError) as raised:
        client.models.retrieve(GPT)
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert provider.count == 6
    assert rows() == []
