"""How much memory a guarded process has over a bare one, and whether it goes on growing.

Two processes make the same calls and say now and then how large they are. Both have OpenTelemetry's SDK
set up as the application would, so that the difference is the guard's. Answers are not parsed: that
would be the SDK's memory, and most of the time.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import intervals
from bars import Bar, estimated, openai_version, progress
from imports import environment

_SAMPLES: Final = 250
_CLOSEST: Final = 20
"""Calls between two samples, at least."""
_WARM_CALLS: Final = 1_100
_WARM_SHARE: Final = 0.2
"""So many calls, and this share of all, are not in the slope: a guard keeps its last 1,024 receipts."""

Sample = tuple[int, float]
"""Calls made so far, and the resident set in KiB."""


def memory_bars(url: str, *, quick: bool) -> Iterator[Bar]:
    """RSS over the bare SDK after 10,000 calls, and its slope over 50,000."""
    compared, sloped = (1_500, 1_500) if quick else (10_000, 50_000)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        both = {
            "guarded": _started("guarded", url, sloped, folder),
            "bare": _started("bare", url, sloped, folder),
        }
        samples = {name: _samples(process) for name, process in both.items()}
    progress(f"  {sloped} guarded calls, as many bare ones")
    ours, theirs = (_around(samples[name], compared) for name in ("guarded", "bare"))
    added = intervals.of_paired_difference(ours, theirs)
    mb = intervals.Estimate(*(kib * 1024 / 1e6 for kib in added))
    yield estimated("core.rss_added_mb", mb, "MB", compared, openai_version())
    if quick:
        return  # caches are still filling: a slope would say how fast, not whether it ends
    warm = max(_WARM_CALLS, round(_WARM_SHARE * sloped))
    for name, suffix in (("guarded", ""), ("bare", ".bare")):
        slope = intervals.of_slope([(made, rss) for made, rss in samples[name] if made >= warm])
        per_1k = intervals.Estimate(*(kib * 1000 * 1024 / 1e3 for kib in slope))
        against = f"the same process, from call {warm:,} on"
        yield estimated(f"core.rss_slope_kb_per_1k{suffix}", per_1k, "kB", sloped - warm, against)


def _around(samples: list[Sample], calls: int) -> list[float]:
    """The samples of the last tenth before so many calls."""
    return [rss for made, rss in samples if 0.9 * calls < made <= calls]


def _started(side: str, url: str, calls: int, folder: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, side, url, str(calls), str(Path(folder, "ledger.db"))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), cwd=folder)


def _samples(process: subprocess.Popen[str]) -> list[Sample]:
    printed, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"a process that was measured ended with {process.returncode}")
    return [(made, rss) for made, rss in json.loads(printed)]


def _rss_kib() -> float:
    """The resident set of this process, from /proc/self/statm (proc(5)); Linux only."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def _main(side: str, url: str, calls: str, ledger: str) -> None:
    import sides

    sides.in_memory_spans()
    made = sides.bare(side, url) if side == "bare" else sides.guarded(side, url, Path(ledger))
    every = max(_CLOSEST, int(calls) // _SAMPLES)
    samples: list[Sample] = []
    for i in range(1, int(calls) + 1):
        made.client.chat.completions.with_raw_response.create(**sides.REQUEST)
        if i % 10 == 0:
            made.forget()
        if i % every == 0:
            made.finish()
            gc.collect()
            samples.append((i, _rss_kib()))
    made.close()
    print(json.dumps(samples))


if __name__ == "__main__":
    _main(*sys.argv[1:])
