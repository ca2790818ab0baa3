"""Processes that begin at the same moment: one script run several times, each waiting for the word."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imports import environment


class Crew:
    """Workers of one script.

    Args:
        script: The script. It calls :func:`told` for each thing to do, and prints what came of it.
        arguments: What each worker is given, one after the other.
    """

    def __init__(self, script: str, arguments: Sequence[Sequence[str]]) -> None:
        root = str(Path(script).resolve().parent.parent)
        env = environment() | {"PYTHONPATH": root}
        self._workers = [
            subprocess.Popen(
                [sys.executable, script, *given],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
                env=env,
            )
            for given in arguments
        ]
        self._answers()  # each says when it is ready

    def all_do(self, what: object) -> list[Any]:
        """Have all workers do the same; gives what each says of it.

        Raises:
            RuntimeError: One of them ended.
        """
        for worker in self._workers:
            assert worker.stdin is not None
            worker.stdin.write(json.dumps(what) + "\n")
        return self._answers()

    def _answers(self) -> list[Any]:
        lines = [worker.stdout.readline() for worker in self._workers if worker.stdout is not None]
        if not all(lines):
            raise RuntimeError("a worker ended before its time")
        return [json.loads(line) for line in lines]

    def end(self) -> None:
        """End all workers, which end by themselves once nobody talks to them any more."""
        for worker in self._workers:
            assert worker.stdin is not None
            worker.stdin.close()
        for worker in self._workers:
            worker.wait(30)
            assert worker.stdout is not None
            worker.stdout.close()


@contextmanager
def crew(script: str, arguments: Sequence[Sequence[str]]) -> Iterator[Crew]:
    """Workers that are ready, and are ended afterwards."""
    made = Crew(script, arguments)
    try:
        yield made
    finally:
        made.end()


def told() -> Iterator[Any]:
    """In a worker: say that it is ready, and give one thing after another that it is to do."""
    say("ready")
    for line in sys.stdin:
        yield json.loads(line)


def say(what: object) -> None:
    """In a worker: say what came of the last thing."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()
