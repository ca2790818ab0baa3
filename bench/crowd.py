"""Many identical calls at the same moment, on threads and event loops of several processes: one is enough.

The provider takes 300 ms for its answer, so that all have come before there is one. Everybody must get
that answer.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import openai
from bars import Bar, counted, progress
from crew import crew, say, told
from upstream import MODEL

import tokenguard
import tokenguard.faults
from tokenguard.cache import Cache
from tokenguard.testing import Provider

_PROCESSES: Final = 4
_THREADS: Final = 25
_TASKS: Final = 25
_ANSWER_S: Final = 0.3


def one_call_bars(*, quick: bool) -> Iterator[Bar]:
    """How many requests of a crowd reach the provider; the most of all crowds."""
    crowds = 3 if quick else 20
    at_once = _PROCESSES * (_THREADS + _TASKS)
    requests: list[int] = []
    said: list[Any] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Provider() as provider:
        provider.fault(times=None, header_delay=_ANSWER_S)
        given = [[provider.openai_url, folder, str(number)] for number in range(_PROCESSES)]
        with crew(__file__, given) as workers:
            for number in range(crowds):
                before = provider.count
                said += (workers_said := workers.all_do(number))
                answers = {text for one in workers_said for text in one["answers"]}
                if len(answers) != 1:
                    raise RuntimeError(f"one question had {len(answers)} answers")
                requests.append(provider.count - before)
    uses = sum((Counter(one["cache"]) for one in said), Counter[str]())
    longest = max(one["seconds"] for one in said)
    progress(
        f"  requests of {at_once} calls: {requests}; {dict(uses)}; the longest crowd took {longest:.2f} s"
    )
    against = f"{crowds} times {at_once} identical calls of {_PROCESSES} processes"
    yield counted("cache.singleflight.upstream_calls", max(requests), "requests", crowds * at_once, against)


def _main(url: str, folder: str, number: str) -> None:
    guard = tokenguard.Guard(
        ledger=Path(folder, f"ledger-{number}.db"), cache=Cache(store=Path(folder, "answers"))
    )
    client = guard.wrap(openai.OpenAI(base_url=url, api_key="bench", max_retries=0))
    with ThreadPoolExecutor(_THREADS) as threads, asyncio.Runner() as runner:
        async_client = guard.wrap(openai.AsyncOpenAI(base_url=url, api_key="bench", max_retries=0))
        receipts: list[tokenguard.Receipt] = []
        faults: Counter[str] = Counter()
        tokenguard.observe(receipts.append)
        for crowd in told():
            receipts.clear()
            request: dict[str, Any] = {
                "model": MODEL,
                "messages": [{"role": "user", "content": f"What is {crowd} squared?"}],
                "temperature": 0,
            }
            began = time.perf_counter()
            waiting = [threads.submit(client.chat.completions.create, **request) for _ in range(_THREADS)]
            replies = runner.run(_all(async_client, request))
            replies += [one.result() for one in waiting]
            seconds = time.perf_counter() - began
            texts = sorted({reply.choices[0].message.content for reply in replies})
            if len(replies) != _THREADS + _TASKS:
                raise RuntimeError(f"{len(replies)} replies")
            uses = Counter(str(receipt.cache) for receipt in receipts)
            faults, known = Counter(tokenguard.faults.counts()), faults
            uses.update(faults - known)
            say({"answers": texts, "seconds": seconds, "cache": uses})
        runner.run(async_client.close())
    guard.close()


async def _all(client: openai.AsyncOpenAI, request: dict[str, Any]) -> list[Any]:
    return list(await asyncio.gather(*(client.chat.completions.create(**request) for _ in range(_TASKS))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
