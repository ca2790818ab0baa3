"""Tags, runs and wishes: in contexts, in headers where contexts cannot go, and added up at the end."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

import tokenguard
from tests.conftest import Rows
from tests.transport.clients import CLAUDE, GPT, HELLO, achat, chat, claude
from tokenguard import ConfigError, Guard
from tokenguard.testing import Provider
from tokenguard.wishes import from_headers


def gpt(client: Any, **options: Any) -> Any:
    return client.chat.completions.create(**{"model": GPT, "messages": HELLO, **options})


def test_tags_add_up(provider: Provider, tmp_path: Any) -> None:
    """The guard's tags, the run's and the context's are added, the innermost winning."""
    guard = Guard(ledger=tmp_path / "l.db", tags={"project": "p", "team": "guard"})
    client = guard.wrap(chat(provider))
    with guard.run("job", tags={"team": "run", "customer": "c"}), tokenguard.context(tags={"customer": "d"}):
        reply = gpt(client, extra_headers=tokenguard.headers(tags={"odd key": "ä=&", "user": "u"}))
    receipt = guard.receipt(reply)
    assert receipt is not None
    assert receipt.tags == {
        "project": "p",
        "team": "run",
        "customer": "d",
        "user": "u",
        "odd key": "ä=&",
    }
    assert receipt.run_name == "job"
    assert guard.flush()
    reader: Any = guard.ledger.reader()  # type: ignore[union-attr]
    columns = "project, team, customer, user, tags, run_name"
    ((*first, others, name),) = reader.execute(f"SELECT {columns} FROM call").fetchall()
    assert (first, json.loads(others), name) == (["p", "run", "d", "u"], {"odd key": "ä=&"}, "job")
    reader.close()
    guard.close()


def test_contexts_nest_and_end(provider: Provider, guard: Guard) -> None:
    """An inner context adds to the outer one, and leaves it as it was, also when it is left by an error."""
    client = guard.wrap(chat(provider))
    with tokenguard.context(tags={"a": "1"}, retries=1):
        with suppress(ValueError), tokenguard.context(tags={"a": "2", "b": "3"}):
            assert guard.receipt(gpt(client)).tags == {"a": "2", "b": "3"}  # type: ignore[union-attr]
            raise ValueError
        assert guard.receipt(gpt(client)).tags == {"a": "1"}  # type: ignore[union-attr]
    assert guard.receipt(gpt(client)).tags == {}  # type: ignore[union-attr]


def test_a_run_adds_up(provider: Provider, guard: Guard, rows: Rows) -> None:
    """A run counts its calls and their cost, whichever client they are made by; rows and receipts agree."""
    client, haiku = guard.wrap(chat(provider)), guard.wrap(claude(provider))
    gpt(client)
    with guard.run("job") as run:
        gpt(client)
        list(gpt(client, stream=True))
        haiku.messages.create(model=CLAUDE, max_tokens=9, messages=HELLO)
        gpt(client, model="unheard-of")
        run.outcome("solved", value=2.5)
    gpt(client)
    assert (run.calls, run.unpriced) == (4, 1)
    assert run.cost_nano == sum(receipt.cost_nano or 0 for receipt in run.receipts) > 0
    assert run.cost_usd == run.cost_nano / 1e9
    mine = [row for row in rows() if row["run_id"] == run.id]
    assert len(mine) == 4
    assert sum(row["cost_nano"] or 0 for row in mine) == run.cost_nano
    reader: Any = guard.ledger.reader()  # type: ignore[union-attr]
    outcome = reader.execute("SELECT kind, run_id, value FROM outcome").fetchall()
    assert [tuple(row) for row in outcome] == [("solved", run.id, 2.5)]
    reader.close()


def test_a_stream_belongs_to_the_run_it_was_begun_in(provider: Provider, guard: Guard) -> None:
    """Read after the run is over, a stream still counts in it."""
    client = guard.wrap(chat(provider))
    with guard.run("job") as run:
        stream = gpt(client, stream=True)
    assert run.calls == 0
    list(stream)
    assert run.calls == 1
    assert guard.receipt(stream).run_id == run.id  # type: ignore[union-attr]


def test_runs_nest(provider: Provider, guard: Guard) -> None:
    """An inner run has its own calls; the outer one goes on afterwards."""
    client = guard.wrap(chat(provider))
    with guard.run("outer") as outer:
        gpt(client)
        with guard.run("inner") as inner:
            gpt(client)
        gpt(client)
    assert (outer.calls, inner.calls) == (2, 1)


def test_runs_are_not_kept(guard: Guard) -> None:
    """A run that nobody holds is gone: a service may make millions."""
    with guard.run("job") as run:
        pass
    held = weakref.ref(run)
    del run
    gc.collect()
    assert held() is None


def test_a_run_keeps_its_last_receipts(provider: Provider, guard: Guard) -> None:
    """Totals count every call; receipts are those of the last 1,000."""
    with guard.run("job") as run:
        receipt = guard.receipt(gpt(guard.wrap(chat(provider))))
    assert receipt is not None
    for _ in range(1500):
        run.add(receipt)
    assert run.calls == 1501
    assert run.cost_nano == 1501 * (receipt.cost_nano or 0)
    assert len(run.receipts) == 1000


def test_threads_and_headers(provider: Provider, guard: Guard, rows: Rows) -> None:
    """A pool of threads has no context: headers carry tags and run, and 200 calls at once add up."""
    client = guard.wrap(chat(provider))
    with guard.run("batch", tags={"team": "ä"}) as run, ThreadPoolExecutor(8) as pool:
        extra = tokenguard.headers(tags={"feature": "f"})
        replies = list(pool.map(lambda _: gpt(client, extra_headers=extra), range(200)))
        plain = pool.submit(gpt, client).result()
    assert run.calls == 200
    assert len({guard.receipt(reply).call_id for reply in replies}) == 200  # type: ignore[union-attr]
    assert guard.receipt(plain).run_id is None  # type: ignore[union-attr]
    mine = [row for row in rows() if row["run_id"] == run.id]
    assert {(row["team"], row["feature"], row["run_name"], row["state"]) for row in mine} == {
        ("ä", "f", "batch", "settled")
    }
    assert sum(row["cost_nano"] for row in mine) == run.cost_nano


def test_tasks_have_their_own_context(provider: Provider, guard: Guard) -> None:
    """Tasks that run at once see their own tags, and to_thread takes them along."""

    async def one(client: Any, name: str) -> Any:
        with tokenguard.context(tags={"team": name}):
            await asyncio.sleep(0)
            return name, guard.receipt(await gpt(client))

    async def main() -> list[Any]:
        async with guard.wrap(achat(provider)) as client:
            return list(await asyncio.gather(*(one(client, f"t{n}") for n in range(20))))

    for name, receipt in asyncio.run(main()):
        assert receipt.tags == {"team": name}

    async def in_thread() -> Any:
        with tokenguard.context(tags={"team": "thread"}):
            return await asyncio.to_thread(gpt, guard.wrap(chat(provider)))

    assert guard.receipt(asyncio.run(in_thread())).tags == {"team": "thread"}  # type: ignore[union-attr]


def test_headers_say_what_the_context_says() -> None:
    """headers() carries every wish there and back, whatever is in it."""
    tags = {"team": "a b", "ключ": "значение", "x": "", "q": "1&2=3%", "n": "line\nbreak"}
    with tokenguard.context(tags=tags, model="m/ö:1", retries=3):
        made = tokenguard.headers()
    assert all(value.isascii() and "\n" not in value for value in made.values())
    wishes = from_headers(made)
    assert (wishes.tags, wishes.model, wishes.retries) == (tags, "m/ö:1", 3)
    assert tokenguard.headers() == {}


def test_a_run_of_another_process(provider: Provider, guard: Guard) -> None:
    """A run that is not known here, say of the process that queued the job, is written down all the same."""
    extra = {"x-tokenguard-run": "01-elsewhere", "x-tokenguard-run-name": "night%20job"}
    receipt = guard.receipt(gpt(guard.wrap(chat(provider)), extra_headers=extra))
    assert receipt is not None
    assert (receipt.run_id, receipt.run_name) == ("01-elsewhere", "night job")


@pytest.mark.parametrize(
    "wrong",
    [
        {"tags": {"team": 7}},
        {"tags": {7: "team"}},
        {"tags": {"": "x"}},
        {"tags": {"team": None}},
        {"retries": -1},
        {"retries": True},
    ],
    ids=str,
)
def test_wrong_wishes_are_refused_where_they_are_made(wrong: Any) -> None:
    """A wish that cannot hold is an error where it is written, not in the middle of a call."""
    with pytest.raises(ConfigError), tokenguard.context(**wrong):
        pass
    with pytest.raises(ConfigError):
        tokenguard.headers(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"on_unpriced": "stop"},
        {"retry": -1},
        {"tags": {"team": 7}},
        {"deployments": {"a": ""}},
    ],
    ids=str,
)
def test_wrong_settings_are_refused(wrong: Any) -> None:
    """A guard with a wrong setting cannot be made."""
    with pytest.raises(ConfigError):
        Guard(ledger=None, **wrong)
    with pytest.raises(ConfigError), Guard(ledger=None).run("r", tags={"team": 7}):  # type: ignore[dict-item]
        pass


def test_a_guard_without_a_ledger(provider: Provider) -> None:
    """Everything but the ledger works without one; flush and close have nothing to do."""
    guard = Guard(ledger=None)
    with guard.run("r") as run:
        gpt(guard.wrap(chat(provider)))
        run.outcome("solved")
    assert run.calls == 1
    assert guard.flush()
    guard.close()
    guard.close()


def test_clients_outlive_the_ledger(provider: Provider, guard: Guard) -> None:
    """After close() clients go on working, unrecorded."""
    client = guard.wrap(chat(provider))
    guard.close()
    assert guard.receipt(gpt(client)) is not None
    assert len(list(gpt(client, stream=True))) > 1
