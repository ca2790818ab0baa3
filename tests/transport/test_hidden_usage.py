"""A chat stream that was not asked for usage is asked for it, and the caller sees nothing of that."""

from __future__ import annotations

from typing import Any

import httpx
import httpx2
import openai
import pytest

from tests.conftest import NO_WAIT, Rows
from tests.transport.clients import BY_NAME, GPT, HELLO, achat, asked, chat, closed, read
from tokenguard import Guard
from tokenguard.testing import Answer, Provider, Request, ToolCall

NO_SUCH_OPTION = {
    "error": {"message": "Unknown parameter: 'stream_options'", "type": "invalid_request_error"}
}


def _stable(chunks: list[Any]) -> list[Any]:
    return [chunk.model_copy(update={"id": "", "created": 0}) for chunk in chunks]


def _asks_for_usage(request: Request) -> bool:
    return bool((request.json.get("stream_options") or {}).get("include_usage"))


@pytest.mark.parametrize("name", ["OpenAI", "AsyncOpenAI", "AzureOpenAI", "AsyncBedrockOpenAI"])
@pytest.mark.anyio
async def test_it_is_asked_for_and_taken_out(name: str, provider: Provider, guard: Guard) -> None:
    """Chunk by chunk, the caller gets what the bare client gets from a provider that sends no usage."""
    kind = BY_NAME[name]
    provider.answer(Answer("one two three", tool_calls=[ToolCall("f", {"a": 1}, "call_1")]))
    bare, wrapped = kind.make(provider), guard.wrap(kind.make(provider))
    for options in ({}, {"n": 2}, {"logprobs": True}):
        plain = await read(await asked(bare, kind, stream=True, **options))
        stream = await asked(wrapped, kind, stream=True, **options)
        assert _stable(await read(stream)) == _stable(plain)
        assert [_asks_for_usage(request) for request in provider.requests[-2:]] == [False, True]
        receipt = guard.receipt(stream)
        assert receipt is not None
        assert receipt.cost_basis == "usage"
        assert receipt.anomalies == ()
    await closed(bare)
    await closed(wrapped)


def test_legacy_completions_too(provider: Provider, guard: Guard) -> None:
    """The legacy completions endpoint takes the same option."""
    client = guard.wrap(chat(provider))
    stream = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="a", stream=True)
    assert all(chunk.choices for chunk in stream)
    assert guard.receipt(stream).cost_basis == "usage"  # type: ignore[union-attr]


def test_who_asked_gets_it(provider: Provider, guard: Guard) -> None:
    """A caller that asked for usage gets it, and its request goes out as it was."""
    client = guard.wrap(chat(provider))
    options: Any = {"include_usage": True, "include_obfuscation": False}
    stream = client.chat.completions.create(model=GPT, messages=HELLO, stream=True, stream_options=options)
    chunks = list(stream)
    assert chunks[-1].usage is not None
    assert provider.requests[0].json["stream_options"] == options
    assert guard.receipt(stream).usage.total == chunks[-1].usage.total_tokens  # type: ignore[union-attr]


def test_who_declined_is_not_asked_for(provider: Provider, guard: Guard) -> None:
    """include_usage=False is the caller's word: nothing is added, and the cost is estimated."""
    client = guard.wrap(chat(provider))
    stream = client.chat.completions.create(
        model=GPT, messages=HELLO, stream=True, stream_options={"include_usage": False}
    )
    list(stream)
    assert provider.requests[0].json["stream_options"] == {"include_usage": False}
    assert guard.receipt(stream).cost_basis == "estimated"  # type: ignore[union-attr]


def test_other_stream_options_stay(provider: Provider, guard: Guard) -> None:
    """Options that the caller did set stay beside the one that is added."""
    client = guard.wrap(chat(provider))
    given: Any = {"include_obfuscation": False}
    list(client.chat.completions.create(model=GPT, messages=HELLO, stream=True, stream_options=given))
    assert provider.requests[0].json["stream_options"] == {**given, "include_usage": True}


def test_it_can_be_switched_off(provider: Provider) -> None:
    """With stream_usage=False the request is the caller's, and the cost an estimate."""
    guard = Guard(ledger=None, stream_usage=False)
    client = guard.wrap(chat(provider))
    stream = client.chat.completions.create(model=GPT, messages=HELLO, stream=True)
    list(stream)
    assert "stream_options" not in provider.requests[0].json
    receipt = guard.receipt(stream)
    assert receipt is not None
    assert (receipt.cost_basis, receipt.status) == ("estimated", "ok")


@pytest.mark.parametrize("module", [httpx2, httpx], ids=["httpx2", "httpx"])
def test_compressed_streams(module: Any, provider: Provider, guard: Guard) -> None:
    """A gzip stream is read once and handed on decoded, without the chunk, and without its encoding."""
    provider.answer("one two three")
    plain = list(chat(provider).chat.completions.create(model=GPT, messages=HELLO, stream=True))
    provider.fault(gzip=True, times=None)
    client = guard.wrap(chat(provider, http_client=module.Client()))
    stream = client.chat.completions.create(model=GPT, messages=HELLO, stream=True)
    assert _stable(list(stream)) == _stable(plain)
    assert "content-encoding" not in stream.response.headers
    assert guard.receipt(stream).cost_basis == "usage"  # type: ignore[union-attr]
    whole = client.chat.completions.create(model=GPT, messages=HELLO)
    assert guard.receipt(whole).cost_basis == "usage"  # type: ignore[union-attr]


@pytest.mark.anyio
async def test_compressed_streams_asynchronously(provider: Provider, guard: Guard) -> None:
    """The same of an asynchronous client."""
    provider.fault(gzip=True, times=None)
    async with guard.wrap(achat(provider)) as client:
        stream = await client.chat.completions.create(model=GPT, messages=HELLO, stream=True)
        assert all(chunk.choices for chunk in [chunk async for chunk in stream])
        assert guard.receipt(stream).cost_basis == "usage"  # type: ignore[union-attr]


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_does_not_know_it(status: int, provider: Provider, guard: Guard, rows: Rows) -> None:
    """A server that refuses the option is asked again as the caller asked: no error, no retry used up."""
    provider.fail(status, times=None, when=_asks_for_usage, body=NO_SUCH_OPTION)
    client = guard.wrap(chat(provider, max_retries=0))
    stream = client.chat.completions.create(model=GPT, messages=HELLO, stream=True)
    assert len(list(stream)) > 2
    assert [_asks_for_usage(request) for request in provider.requests] == [True, False]
    receipt = guard.receipt(stream)
    assert receipt is not None
    assert (receipt.attempts, receipt.status, receipt.cost_basis) == (2, "ok", "estimated")
    assert [(row["state"], row["role"]) for row in rows()] == [
        ("released", "primary"),
        ("settled", "without_usage"),
    ]


def test_another_400_is_the_callers(provider: Provider, guard: Guard) -> None:
    """A 400 for another reason reaches the caller whole, at once."""
    provider.fail(400, body={"error": {"message": "Invalid 'messages'", "type": "invalid_request_error"}})
    client = guard.wrap(chat(provider))
    with pytest.raises(openai.BadRequestError, match="Invalid 'messages'"):
        client.chat.completions.create(model=GPT, messages=HELLO, stream=True)
    assert provider.count == 1


def test_a_server_that_keeps_refusing(provider: Provider, guard: Guard) -> None:
    """Where the second request is refused as well, its error is the caller's."""
    provider.fail(400, times=None, body=NO_SUCH_OPTION)
    client = guard.wrap(chat(provider))
    with pytest.raises(openai.BadRequestError, match="stream_options"):
        client.chat.completions.create(model=GPT, messages=HELLO, stream=True)
    assert provider.count == 2


def test_the_second_asking_is_retried_too(provider: Provider, tmp_path: Any) -> None:
    """Asking again without the option uses up none of the caller's retries."""
    provider.fail(400, when=_asks_for_usage, body=NO_SUCH_OPTION)
    provider.fail(503, times=2)
    guard = Guard(ledger=None, retry=NO_WAIT)
    client = guard.wrap(chat(provider, max_retries=2))
    stream = client.chat.completions.create(model=GPT, messages=HELLO, stream=True)
    assert list(stream)
    assert [_asks_for_usage(request) for request in provider.requests] == [True, False, False, False]
