"""Calls in a loop, for a profiler: ``python bench/loop.py bare|guarded CALLS [--without PART,PART]``.

What one call costs is the difference between two runs of different length, divided by the calls between
them: what comes before the first call falls out. For instructions and cache misses, which do not depend on
what else the machine does::

    valgrind --tool=cachegrind --cache-sim=yes --LL=1048576,8,64 .venv/bin/python bench/loop.py guarded 240
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from pathlib import Path

import sides
import upstream

_FLUSH_EVERY = 24


def main() -> None:
    """Make the calls, and print the CPU time of one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("side", choices=("bare", "guarded"))
    parser.add_argument("calls", type=int)
    parser.add_argument("--without", type=lambda text: frozenset(text.split(",")), default=frozenset())
    chosen = parser.parse_args()
    with upstream.running() as provider, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        url, ledger = provider.openai_url, Path(folder, "ledger.db")
        guarded = chosen.side == "guarded"
        side = sides.guarded("guarded", url, ledger, chosen.without) if guarded else sides.bare("bare", url)
        for _ in range(50):
            side.client.chat.completions.create(**sides.REQUEST)
        gc.collect()
        gc.freeze()
        began = time.process_time()
        for i in range(chosen.calls):
            side.client.chat.completions.create(**sides.REQUEST)
            if i % _FLUSH_EVERY == 0:
                side.finish()
                side.forget()
        print(f"{(time.process_time() - began) / chosen.calls * 1e6:.0f} us of CPU a call")
        side.close()


if __name__ == "__main__":
    main()
