"""A bug of our own, or a broken disk, never fails the user's call; it is logged once and counted."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai
import pytest

import tokenguard
from tests.transport.clients import BY_NAME, GPT, HELLO, Kind, asked, chat, closed, read
from tokenguard import Guard, Retry, faults
from tokenguard.policies import Policies
from tokenguard.testing import Provider
from tokenguard.transport.exchange import Services

Break = Callable[[Guard], None]
pytestmark = pytest.mark.anyio


class OutError(Exception):
    """Something of ours is out of order."""


class OutOfOrder:
    """Stands in for any part of a guard: whatever is asked of it, it raises."""

    def __getattr__(self, name: str) -> Any:
        raise OutError(name)


def _raise(*_: Any, **__: Any) -> Any:
    raise OutError("called")


def _with(**parts: Any) -> Break:
    """Put something broken into the guard."""

    def put(guard: Guard) -> None:
        services = guard._services
        if set(parts) <= set(Policies._fields):
            services = services._replace(policies=services.policies._replace(**parts))
        else:
            services = services._replace(**parts)
        assert isinstance(services, Services)
        guard._services = services

    return put


class BrokenLedger(OutOfOrder):
    """A ledger that raises where its contract says that it never does."""

    path = "nowhere"
    may_block = True

    def flush(self, timeout_s: float) -> bool:
        return True

    def close(self) -> None:
        pass


class BrokenRetry:
    """A retry policy with a bug."""

    wait = staticmethod(_raise)


BROKEN: dict[str, Break] = {
    "prices": _with(prices=OutOfOrder()),
    "retry": _with(retry=BrokenRetry()),
    "ids": _with(new_id=_raise),
    "ledger": _with(ledger=BrokenLedger()),
    "receipts": _with(finished=_raise),
    "counting": _with(not_metered=_raise),
}
CLIENTS = [BY_NAME[name] for name in ("OpenAI", "AsyncOpenAI", "Anthropic", "AsyncAnthropic")]


@pytest.fixture
def new_faults() -> Callable[[], dict[str, int]]:
    """The faults counted since the test began."""
    before = Counter(faults.counts())
    return lambda: dict(Counter(faults.counts()) - before)


@pytest.fixture(params=BROKEN)
def broken(request: pytest.FixtureRequest) -> Guard:
    """A guard with something of its own out of order."""
    guard = Guard(ledger=None, retry=Retry(base_s=0))
    BROKEN[request.param](guard)
    return guard


@pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.cls.__name__)
async def test_calls_go_through(
    kind: Kind, broken: Guard, provider: Provider, new_faults: Callable[[], dict[str, int]]
) -> None:
    """Whole, streamed and unknown calls are answered, each with one request, whatever is broken in us."""
    provider.answer("one two three")
    client = broken.wrap(kind.make(provider))
    reply = await asked(client, kind)
    assert "one two three" in reply.model_dump_json()
    events = await read(await asked(client, kind, stream=True))
    assert "three" in "".join(event.model_dump_json() for event in events)
    assert all(event.choices for event in events if kind.sdk == "openai")
    listed = client.models.list()
    assert (await listed if kind.is_async else listed).data
    assert provider.count == 3
    await closed(client)


@pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.cls.__name__)
async def test_failures_stay_what_they_are(kind: Kind, broken: Guard, provider: Provider) -> None:
    """A refusal and a lost connection reach the caller as the SDK's own errors, and are sent once."""
    sdk: Any = openai if kind.sdk == "openai" else anthropic
    client = broken.wrap(kind.make(provider, max_retries=0))
    provider.fail(400)
    with pytest.raises(sdk.BadRequestError):
        await asked(client, kind)
    provider.fault(reset="before_headers")
    with pytest.raises(sdk.APIConnectionError):
        await asked(client, kind)
    assert provider.count == 2
    await closed(client)


async def test_an_interrupt_is_not_taken_for_a_fault(broken: Guard) -> None:
    """Where we are broken and the caller gives up, it is the caller's exception that comes out, once."""
    calls: list[httpx2.Request] = []

    def interrupted(request: httpx2.Request) -> httpx2.Response:
        calls.append(request)
        raise KeyboardInterrupt

    http_client = httpx2.Client(transport=httpx2.MockTransport(interrupted))
    client = broken.wrap(openai.OpenAI(api_key="x", http_client=http_client))
    with pytest.raises(KeyboardInterrupt):
        client.chat.completions.create(model=GPT, messages=HELLO)
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["prices", "ledger", "receipts"])
async def test_faults_are_counted_and_logged_once(
    name: str,
    provider: Provider,
    new_faults: Callable[[], dict[str, int]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same fault five times is one warning with its traceback, and a count of five."""
    kind = type(f"OutOfOrderIn{name.title()}", (Exception,), {})  # one that was not met before
    monkeypatch.setattr(sys.modules[__name__], "OutError", kind)
    guard = Guard(ledger=None)
    BROKEN[name](guard)
    client = guard.wrap(chat(provider))
    for _ in range(5):
        client.chat.completions.create(model=GPT, messages=HELLO)
    counted = new_faults()
    assert counted
    assert all(count % 5 == 0 for count in counted.values()), counted
    warnings = [record for record in caplog.records if "the call goes on without it" in record.message]
    assert len(warnings) == len(counted)
    assert all(record.exc_info for record in warnings)


async def test_a_broken_signer_sends_nothing_and_settles(provider: Provider, tmp_path: Any) -> None:
    """An error of the SDK's own signer is the caller's, unchanged; the row of the attempt is released."""
    kind = BY_NAME["BedrockOpenAI"]
    plain = kind.make(provider)
    guard = Guard(ledger=tmp_path / "ledger.db")
    client = guard.wrap(plain)
    signing = plain._provider_runtime.prepare_request
    plain._provider_runtime.prepare_request = _raise
    client._provider_runtime.prepare_request = signing
    with pytest.raises(OutError):
        client.chat.completions.create(model=GPT, messages=HELLO, stream=True)
    assert provider.count == 0
    assert guard.flush()
    reader: Any = guard.ledger.reader()  # type: ignore[union-attr]
    assert [row[0] for row in reader.execute("SELECT state FROM call")] == ["released"]
    reader.close()
    guard.close()


async def test_an_observer_that_raises(provider: Provider, new_faults: Callable[[], dict[str, int]]) -> None:
    """An observer's error is its own: it is counted, and the others are still told."""
    told: list[Any] = []
    ends = [tokenguard.observe(_raise), tokenguard.observe(told.append)]
    try:
        client = Guard(ledger=None).wrap(chat(provider))
        client.chat.completions.create(model=GPT, messages=HELLO)
    finally:
        for end in ends:
            end()
            end()
    assert len(told) == 1
    assert new_faults()["guard.observer"] == 1
