"""A redirected request passes the seam once for every hop, and is one call."""

from __future__ import annotations

from typing import Any

import openai
import pytest

import tokenguard
from tests.conftest import Rows
from tests.transport.clients import GPT, HELLO, achat, chat
from tokenguard import Guard
from tokenguard.testing import Provider


def _redirect(provider: Provider, status: int = 307, path: str = "/v1/chat/completions?hop=1") -> None:
    provider.fail(status, headers={"location": path})


def test_one_call_metered_once(provider: Provider, guard: Guard, rows: Rows) -> None:
    """Two hops are one call id, one receipt and one billed row."""
    _redirect(provider)
    client = guard.wrap(chat(provider))
    with guard.run("r") as run:
        reply = client.chat.completions.create(model=GPT, messages=HELLO)
    receipt = guard.receipt(reply)
    assert receipt is not None
    assert receipt.status == "ok"
    assert run.receipts == (receipt,)
    assert [row["logical_id"] for row in rows()] == [receipt.call_id] * 2
    assert [row["state"] for row in rows()] == ["released", "settled"]
    assert [request.query for request in provider.requests] == ["", "hop=1"]


@pytest.mark.anyio
async def test_streams_are_redirected_too(provider: Provider, guard: Guard, rows: Rows) -> None:
    """The second hop of a stream asks for usage and hides it, as the first would have."""
    _redirect(provider, 308)
    async with guard.wrap(achat(provider)) as client:
        stream = await client.chat.completions.create(model=GPT, messages=HELLO, stream=True)
        chunks = [chunk async for chunk in stream]
    assert all(chunk.choices for chunk in chunks)
    assert len({row["logical_id"] for row in rows()}) == 1
    assert guard.receipt(stream).cost_basis == "usage"  # type: ignore[union-attr]


@pytest.mark.parametrize("extra", [False, True], ids=["context", "headers"])
def test_wishes_hold_at_every_hop(extra: bool, provider: Provider, guard: Guard) -> None:
    """Another model is asked for at every hop, and tags are kept, whichever way they were given."""
    _redirect(provider)
    client = guard.wrap(chat(provider))
    wishes: Any = {"model": "gpt-4.1-nano", "tags": {"team": "a"}}
    if extra:
        reply = client.chat.completions.create(
            model=GPT, messages=HELLO, extra_headers=tokenguard.headers(**wishes)
        )
    else:
        with tokenguard.context(**wishes):
            reply = client.chat.completions.create(model=GPT, messages=HELLO)
    assert [request.json["model"] for request in provider.requests] == ["gpt-4.1-nano"] * 2
    receipt = guard.receipt(reply)
    assert receipt is not None
    assert (receipt.model_requested, receipt.model_served) == (GPT, "gpt-4.1-nano")
    assert receipt.tags == {"team": "a"}
    assert receipt.attempts == 2


def test_a_hop_uses_up_no_retry(provider: Provider, guard: Guard) -> None:
    """After a redirect a call has all of its retries."""
    _redirect(provider)
    provider.fail(503, times=2)
    client = guard.wrap(chat(provider, max_retries=2))
    client.chat.completions.create(model=GPT, messages=HELLO)
    assert provider.count == 4


def test_time_goes_on_over_hops(provider: Provider, guard: Guard, rows: Rows) -> None:
    """The call lasts from its first hop to its last: no row of it ends before an earlier one."""
    _redirect(provider)
    reply = guard.wrap(chat(provider)).chat.completions.create(model=GPT, messages=HELLO)
    receipt = guard.receipt(reply)
    assert receipt is not None
    first, second = rows()
    assert first["ts_end"] < second["ts_end"]
    assert round(receipt.duration_s * 1e9) == second["ts_end"] - receipt.started_ns


def test_a_redirect_to_somewhere_else(provider: Provider, guard: Guard) -> None:
    """A redirect to an endpoint that we do not know goes through, not metered."""
    _redirect(provider, path="/v1/somewhere/else")
    client = guard.wrap(chat(provider))
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model=GPT, messages=HELLO)
    assert guard.not_metered == 1


def test_a_redirect_from_somewhere_else(provider: Provider, guard: Guard, rows: Rows) -> None:
    """A redirect from an endpoint that we do not know to one that we do is metered there."""
    provider.fail(307, headers={"location": "/v1/chat/completions"}, when=lambda r: "files" in r.path)
    client = guard.wrap(chat(provider))
    body: Any = {"model": GPT, "messages": HELLO}
    client.post("/files", cast_to=object, body=body)
    assert [row["model_requested"] for row in rows()] == [GPT]


def test_redirects_that_are_not_followed(provider: Provider, guard: Guard) -> None:
    """Where the client follows none, the answer is the redirect itself, as through the bare client."""
    _redirect(provider)
    client = guard.wrap(chat(provider))
    with pytest.raises(openai.APIStatusError) as raised:
        client.post(
            "/chat/completions",
            cast_to=object,
            body={"model": GPT, "messages": HELLO},
            options={"follow_redirects": False},
        )
    assert raised.value.status_code == 307
    assert raised.value.response.headers["location"].endswith("hop=1")


def test_endless_redirects_end(provider: Provider, guard: Guard) -> None:
    """The HTTP client's limit holds."""
    provider.fail(307, times=None, headers={"location": "/v1/chat/completions"})
    client = guard.wrap(chat(provider, max_retries=0))
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model=GPT, messages=HELLO)
    assert provider.count == 21
