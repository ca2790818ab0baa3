"""Peers in the same table: each beside the bare SDK of its own environment, block by block in turns.

A peer needs its own environment, since peers pin different versions of the SDK::

    python -m venv /tmp/litellm && /tmp/litellm/bin/pip install litellm
    python bench/core.py --only core.peer --peer litellm=/tmp/litellm/bin/python

The name is that of an adapter in ``peer_worker.py``, where the protocol is described and where another
peer is a function of a few lines. Two workers run under that interpreter, the peer and the bare SDK; the
one that is not asked sleeps. tokenguard itself is measured in the same way, from this environment.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bars import Bar, progress
from blocks import Block, Plan, Timings, Work, in_turns
from imports import environment
from pair import Pair

_BLOCKS: Final = {"call": 24, "stream": 6, "async64": 128}
"""The blocks of ``speed.py``."""


def peer_bars(
    url: str, peers: Sequence[tuple[str, str]], *, quick: bool, rng: random.Random
) -> Iterator[Bar]:
    """CPU, wall time, first token and rate of each peer over the bare SDK beside it.

    Args:
        url: The upstream's ``base_url``.
        peers: Names of adapters, each with an interpreter that has the peer.
        quick: Fewer rounds.
        rng: Draws the order of blocks.
    """
    for name, python in [("tokenguard", sys.executable), *peers] if peers else []:
        progress(f"  {name}, {python}")
        with ExitStack() as stack:
            workers = [stack.enter_context(PeerProcess(adapter, python, url)) for adapter in (name, "bare")]
            for kind, n in _BLOCKS.items():
                works = [Work(worker.adapter, partial(worker.block, kind, n)) for worker in workers]
                blocks = in_turns(works, Plan(12 if quick else 60, 120), rng)
                pair = Pair(blocks[name], blocks["bare"], n, workers[1].names["sdk"])
                progress(f"  {workers[0].names['peer']}, {kind}")
                if kind == "async64":
                    yield pair.rate_ratio(f"core.peer.{name}.async64.rate_ratio")
                yield from pair.bars(f"core.peer.{name}.{kind}.{{}}")


class PeerProcess:
    """One worker."""

    def __init__(self, adapter: str, python: str, url: str) -> None:
        command = [python, str(Path(__file__).with_name("peer_worker.py")), adapter, url]
        self.adapter = adapter
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )
        self.names = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def block(self, kind: str, n: int) -> Block:
        """Have one block done."""
        assert self._process.stdin is not None
        print(json.dumps({"do": kind, "n": n}), file=self._process.stdin, flush=True)
        told = self._answer()
        return Block(told["cpu_s"], told["wall_s"], Timings(told["calls_ns"], told["first_ns"]))

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker of {self.adapter} ended with {self._process.wait()}")
        told: dict[str, Any] = json.loads(line)
        return told
