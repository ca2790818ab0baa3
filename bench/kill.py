"""Kill a process in the middle of its calls, again and again: no call that was sent may be forgotten.

A process that has loaded everything forks; the child opens the ledger and goes to work with threads, an
event loop and streams, and is killed at a random moment. The upstream knows every call that reached it,
by an identifier that is also a tag in the ledger.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import openai
from bars import Bar, counted, progress
from imports import environment
from sides import REQUEST
from upstream import Upstream

import tokenguard
from tokenguard.ledger import SqliteLedger

_THREADS: Final = 3
_TASKS: Final = 8
_LONGEST_S: Final = 0.25
"""A child is killed within this time of the answer to its first call."""
_ANSWER_MS: Final = 3
"""The upstream takes its time, so that there are always calls under way."""


def kill_bars(upstream: Upstream, *, quick: bool, seed: int) -> Iterator[Bar]:
    """Calls that reached the upstream and have no row; and rows that nobody will ever settle."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        arguments = [upstream.url, str(Path(folder, "ledger.db")), str(20 if quick else 200), str(seed)]
        done = subprocess.run(
            [sys.executable, __file__, *arguments],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
    told = json.loads(done.stdout)
    kills, calls = told["kills"], told["calls"]
    progress(f"  {kills} kills, {calls} calls reached the upstream, {told['under_way']} were under way")
    against = f"{calls} calls that reached the upstream"
    yield counted("core.kill.lost_rows", told["lost"], "calls", kills, against)
    yield counted("core.kill.stuck_rows", told["stuck"], "rows", kills, against)


def _main(url: str, ledger: str, kills: str, seed: str) -> None:
    rng = random.Random(int(seed))
    upstream = Upstream(int(url.rpartition(":")[2]))
    _warm_up(upstream)
    before = len(upstream.seen()["ids"])
    for _ in range(int(kills)):
        _kill_one(upstream, ledger, rng)
    sent = Counter(upstream.seen()["ids"][before:])
    with closing(_reopened(ledger)) as rows:
        written = Counter(dict(rows.execute("SELECT user, count(*) FROM call GROUP BY user")))
        states = Counter(dict(rows.execute("SELECT state, count(*) FROM call GROUP BY state")))
    lost = (sent - written).total()
    told = {
        "kills": int(kills),
        "calls": sent.total(),
        "under_way": states["unknown"],
        "lost": lost,
        "stuck": states["sent"],
    }
    print(json.dumps(told))


def _warm_up(upstream: Upstream) -> None:
    """Load all that a first call loads, so that children call and do not import. No thread is left."""
    guard = tokenguard.Guard(ledger=None)
    with openai.OpenAI(base_url=upstream.openai_url, api_key="bench") as client:
        guard.wrap(client).chat.completions.create(**REQUEST)

    async def call() -> None:
        async with openai.AsyncOpenAI(base_url=upstream.openai_url, api_key="bench") as client:
            await guard.wrap(client).chat.completions.create(**REQUEST)

    asyncio.run(call())


def _kill_one(upstream: Upstream, ledger: str, rng: random.Random) -> None:
    """One child from its fork to its end, and the ledger opened after it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _work(upstream.below(f"slow/{_ANSWER_MS}"), ledger, writing)
        finally:
            os._exit(1)  # a child that comes to an end by itself did not work
    os.close(writing)
    started = os.read(reading, 1)
    os.close(reading)
    time.sleep(rng.uniform(0, _LONGEST_S))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not started or not os.WIFSIGNALED(status):
        raise RuntimeError("a child ended before it was killed")
    while upstream.seen()["connections"]:  # what the child had sent is read to its end
        time.sleep(0.005)
    _reopened(ledger).close()


def _reopened(path: str) -> Any:
    """The rows of the ledger, as the next process to open it finds them."""
    ledger = SqliteLedger(path)
    rows = ledger.reader()
    ledger.close()
    return rows


def _work(url: str, ledger: str, started: int) -> None:
    guard = tokenguard.Guard(ledger=ledger)
    client = guard.wrap(openai.OpenAI(base_url=url, api_key="bench"))
    client.chat.completions.create(**REQUEST)
    os.write(started, b".")
    for _ in range(_THREADS):
        threading.Thread(target=_call_for_ever, args=(client,), daemon=True).start()
    asyncio.run(_all_call_for_ever(guard.wrap(openai.AsyncOpenAI(base_url=url, api_key="bench"))))


def _call_for_ever(client: openai.OpenAI) -> None:
    while True:
        with tokenguard.context(tags={"user": (name := _name())}):
            client.chat.completions.create(**REQUEST, extra_headers={"x-bench-id": name})


async def _all_call_for_ever(client: openai.AsyncOpenAI) -> None:
    await asyncio.gather(*(_await_for_ever(client, streams=bool(i % 2)) for i in range(_TASKS)))


async def _await_for_ever(client: openai.AsyncOpenAI, *, streams: bool) -> None:
    while True:
        with tokenguard.context(tags={"user": (name := _name())}):
            answer: Any = await client.chat.completions.create(
                **REQUEST, stream=streams, extra_headers={"x-bench-id": name}
            )
            if streams:
                async for _ in answer:
                    pass


def _name() -> str:
    return os.urandom(8).hex()


if __name__ == "__main__":
    _main(*sys.argv[1:])
