"""Several processes write to one directory at the same time: nothing that was written may be missing.

What was written is read by a process that wrote none of it, once all are done, and compared byte by byte.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import shake_256
from pathlib import Path
from typing import Final

import intervals
from bars import Bar, counted, estimated, progress
from crew import crew, say, told

from tokenguard.cache import Label
from tokenguard.cache.disk import DiskStore

_PROCESSES: Final = 4
_BYTES: Final = 20_000
_AT_A_TIME: Final = 100
_KEEP_S: Final = 3600.0


def lost_bars(*, quick: bool) -> Iterator[Bar]:
    """Entries of 20 kB that cannot be read back, of four processes that write as fast as they can."""
    each = 400 if quick else 1_600
    n = _PROCESSES * each
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        directory = str(Path(folder, "answers"))
        with crew(__file__, [[directory, str(number)] for number in range(_PROCESSES)]) as workers:
            batches = [workers.all_do(first) for first in range(0, each, _AT_A_TIME)]
        with closing(DiskStore(directory)) as store:
            lost = sum(
                store.get(_key(number, i)) != _value(number, i)
                for number in range(_PROCESSES)
                for i in range(each)
            )
    for error in {error for batch in batches for one in batch for error in one["errors"]}:
        progress(f"  {error}")
    against = f"{_PROCESSES} processes, {_BYTES // 1000} kB each time"
    yield counted("cache.multiprocess.lost", lost, "entries", n, against)
    rates = [_PROCESSES * _AT_A_TIME / max(one["seconds"] for one in batch) for batch in batches]
    yield estimated("cache.multiprocess.sets_per_s", intervals.of_median(rates), "sets/s", n, against)


def _key(number: int, i: int) -> str:
    return f"{number:032x}{i:032x}"


def _value(number: int, i: int) -> bytes:
    return shake_256(_key(number, i).encode()).digest(_BYTES)


def _main(directory: str, number: str) -> None:
    store = DiskStore(directory)
    for first in told():
        made = [(_key(int(number), i), _value(int(number), i)) for i in range(first, first + _AT_A_TIME)]
        errors, began = [], time.perf_counter()
        for key, value in made:
            now = time.time_ns()
            label = Label(key, "bench", "gpt-x", "openai.chat", (), now, now + int(_KEEP_S * 1e9), len(value))
            try:
                store.set(label, value, _KEEP_S)
            except Exception as error:  # what was not written is lost, and counted by who reads
                errors.append(repr(error))
        say({"seconds": time.perf_counter() - began, "errors": errors[:3]})
    store.close()


if __name__ == "__main__":
    _main(*sys.argv[1:])
