"""instrument() guards every client that is made afterwards, wherever it is made."""

from __future__ import annotations

import threading
from importlib.metadata import entry_points
from typing import Any

import anthropic
import openai
import pytest

import tokenguard
from tests.conftest import Rows
from tests.transport.clients import GPT, HELLO, KINDS, Kind, asked, chat, claude, closed, read
from tokenguard import ConfigError, Guard, faults
from tokenguard.testing import Provider

pytestmark = pytest.mark.anyio


def gpt(client: Any, **options: Any) -> Any:
    return client.chat.completions.create(model=GPT, messages=HELLO, **options)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.cls.__name__)
async def test_every_class(kind: Kind, provider: Provider, guard: Guard, rows: Rows) -> None:
    """Clients of every class are guarded from the moment they are made, copies included, once."""
    assert tokenguard.instrument(guard) is guard
    client = kind.make(provider, max_retries=1)
    assert type(client) is kind.cls
    provider.fail(503)
    reply = await asked(client.with_options(timeout=20), kind)
    await read(await asked(client, kind, stream=True))
    assert guard.receipt(reply).attempts == 2  # type: ignore[union-attr]
    assert [row["state"] for row in rows()] == ["released", "settled", "settled"]
    await closed(client)


async def test_clients_from_before_stay(provider: Provider, guard: Guard, rows: Rows) -> None:
    """Clients made before are as they were; those made in between stay guarded afterwards."""
    before = chat(provider)
    tokenguard.instrument(guard)
    between = chat(provider)
    tokenguard.uninstrument()
    after = chat(provider)
    for client in (before, between, after):
        gpt(client)
    assert len(rows()) == 1
    assert (before.max_retries, between.max_retries, after.max_retries) == (2, 0, 2)


async def test_the_module_level_client(
    provider: Provider, guard: Guard, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """openai.chat.completions.create goes through the guard."""
    monkeypatch.setattr(openai, "api_key", "sk-x")
    monkeypatch.setattr(openai, "base_url", provider.openai_url + "/")
    openai._reset_client()
    tokenguard.instrument(guard)
    reply = openai.chat.completions.create(model=GPT, messages=HELLO)
    assert guard.receipt(reply) is not None
    assert len(list(openai.chat.completions.create(model=GPT, messages=HELLO, stream=True))) > 1
    assert len(rows()) == 2


async def test_wrapping_what_is_guarded_already(provider: Provider, guard: Guard, rows: Rows) -> None:
    """wrap() of an instrumented client by the same guard is no second metering; by another it is refused."""
    tokenguard.instrument(guard)
    client = chat(provider)
    gpt(guard.wrap(client))
    assert len(rows()) == 1
    with pytest.raises(ConfigError):
        Guard(ledger=None).wrap(client)


async def test_twice(guard: Guard) -> None:
    """A second instrument() is the first one; another guard is refused until uninstrument()."""
    init = vars(openai.OpenAI.__mro__[1])["__init__"]
    tokenguard.instrument(guard)
    assert tokenguard.instrument() is guard
    assert tokenguard.instrument(guard) is guard
    with pytest.raises(ConfigError, match="uninstrument"):
        tokenguard.instrument(Guard(ledger=None))
    tokenguard.uninstrument()
    tokenguard.uninstrument()
    assert vars(openai.OpenAI.__mro__[1])["__init__"] is init
    other = Guard(ledger=None)
    assert tokenguard.instrument(other) is other


async def test_the_configured_guard_is_the_default(provider: Provider) -> None:
    """instrument() and wrap() without a guard share one, made from the configuration."""
    made = tokenguard.instrument()
    gpt(chat(provider))
    tokenguard.uninstrument()
    reply = gpt(tokenguard.wrap(chat(provider)))
    assert made.receipt(reply) is not None
    own = tokenguard.wrap(chat(provider), retry=0, ledger=None)
    assert made.receipt(gpt(own)) is None
    assert made.flush()
    reader: Any = made.ledger.reader()  # type: ignore[union-attr]
    assert reader.execute("SELECT count(*) FROM call").fetchone() == (2,)
    reader.close()


async def test_one_span_for_one_call(provider: Provider, guard: Guard) -> None:
    """anthropic's own spans would double ours: they are off on guarded clients, and only on those."""
    tokenguard.instrument(guard)
    guarded = claude(provider)
    tokenguard.uninstrument()
    assert not guarded.open_telemetry["traces"]["enabled"]
    assert not guarded.with_options(timeout=3).open_telemetry["traces"]["enabled"]
    assert not guard.wrap(claude(provider)).open_telemetry["traces"]["enabled"]
    assert claude(provider).open_telemetry["traces"]["enabled"]


async def test_a_client_that_cannot_be_guarded(
    provider: Provider, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where guarding a new client fails, there is an unguarded client, and a fault is counted."""
    before = faults.counts().get("instrument", 0)
    monkeypatch.setattr(guard, "_retries", None)
    tokenguard.instrument(guard)
    assert gpt(chat(provider)).choices
    assert faults.counts()["instrument"] == before + 1


async def test_subclasses_of_the_users_own(provider: Provider, guard: Guard, rows: Rows) -> None:
    """A subclass with a constructor of its own is guarded like its parent."""
    tokenguard.instrument(guard)

    class House(openai.OpenAI):
        def __init__(self, team: str) -> None:
            super().__init__(base_url=provider.openai_url, api_key="x")
            self.team = team

    client = House("a")
    gpt(client)
    assert client.team == "a"
    assert len(rows()) == 1


async def test_many_threads(provider: Provider, guard: Guard, rows: Rows) -> None:
    """Clients made by several threads at once are each guarded once."""
    tokenguard.instrument(guard)
    threads = [threading.Thread(target=lambda: gpt(chat(provider))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows()) == 8


async def test_the_entry_point(provider: Provider) -> None:
    """What opentelemetry-instrument does: load the entry point, make it, look at its needs, instrument."""
    (entry,) = entry_points(group="opentelemetry_instrumentor", name="tokenguard")
    instrumentor = entry.load()()
    assert list(instrumentor.instrumentation_dependencies()) == []
    instrumentor.instrument(raise_exception_on_conflict=True, skip_dep_check=True)
    try:
        client = chat(provider)
        assert client.max_retries == 0
        gpt(client)
        made = tokenguard.instrument()
        assert made.flush()
    finally:
        instrumentor.uninstrument()
    assert chat(provider).max_retries == 2


async def test_anthropic_too(provider: Provider, guard: Guard) -> None:
    """Both SDKs are guarded, and let go again."""
    inits = [vars(cls)["__init__"] for cls in anthropic.Anthropic.__mro__[1:3]]
    tokenguard.instrument(guard)
    message = claude(provider).messages.create(model="claude-haiku-4-5", max_tokens=9, messages=HELLO)
    assert guard.receipt(message) is not None
    tokenguard.uninstrument()
    assert [vars(cls)["__init__"] for cls in anthropic.Anthropic.__mro__[1:3]] == inits
