"""Every client class of both SDKs keeps its class and is metered, streamed or not, on asyncio and trio."""

from __future__ import annotations

import warnings

import pytest

from tests.conftest import Rows
from tests.transport.clients import KINDS, Kind, asked, closed, read
from tokenguard import Guard
from tokenguard.testing import Provider

BACKENDS = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.cls.__name__)
pytestmark = pytest.mark.anyio


@EVERY_KIND
@BACKENDS
async def test_an_answer_is_metered(kind: Kind, provider: Provider, guard: Guard, rows: Rows) -> None:
    """A call through the wrapped client has a receipt and a settled row that say the same."""
    client = guard.wrap(kind.make(provider))
    assert type(client) is kind.cls
    reply = await asked(client, kind)
    receipt = guard.receipt(reply)
    assert receipt is not None
    assert receipt.model_requested == kind.model
    assert receipt.channel == kind.channel
    assert receipt.cost_nano
    assert receipt.status == "ok"
    (row,) = rows()
    assert (row["state"], row["cost_nano"]) == ("settled", receipt.cost_nano)
    assert row["model_requested"] == kind.model
    assert provider.count == 1
    await closed(client)


@EVERY_KIND
@BACKENDS
async def test_a_stream_is_metered(kind: Kind, provider: Provider, guard: Guard, rows: Rows) -> None:
    """A stream that is read to its end is settled to the provider's usage, first token included."""
    provider.answer("one two three")
    client = guard.wrap(kind.make(provider))
    stream = await asked(client, kind, stream=True)
    events = await read(stream)
    assert events
    receipt = guard.receipt(stream)
    assert receipt is not None
    assert receipt.stream
    assert receipt.status == "ok"
    assert receipt.cost_basis == "usage"
    assert receipt.first_token_s is not None
    (row,) = rows()
    assert (row["state"], row["cost_nano"], row["stream"]) == ("settled", receipt.cost_nano, 1)
    await closed(client)


@EVERY_KIND
async def test_the_wrapped_answer_is_the_bare_one(kind: Kind, provider: Provider, guard: Guard) -> None:
    """What the caller gets from the wrapped client equals what the bare one gives, but for ids and time."""
    provider.answer("one two three")
    bare, wrapped = kind.make(provider), guard.wrap(kind.make(provider))
    for options in ({}, {"stream": True}):
        seen = []
        for client in (bare, wrapped):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                reply = await asked(client, kind, **options)
            seen.append([_stable(event) for event in (await read(reply) if options else [reply])])
        assert seen[0] == seen[1]
    await closed(bare)
    await closed(wrapped)


def _stable(model: object) -> object:
    """A reply without what differs between any two of them."""
    dumped = model.model_dump(warnings=False)  # type: ignore[attr-defined]
    for part in (dumped, dumped.get("message", {})):
        for name in ("id", "created", "_request_id"):
            part.pop(name, None)
    return dumped
