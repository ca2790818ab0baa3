"""What importing tokenguard costs, and what a first guarded call loads that a bare one does not.

Every figure comes from fresh interpreters. Bytecode is written before the first one that counts, and
``PYTHONDONTWRITEBYTECODE`` is taken out of their environment: compiling takes longer than all the rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import intervals
from bars import Bar, counted, estimated, openai_version, progress
from sides import REQUEST

_HEAVY: Final = ("openai", "anthropic", "httpx", "httpx2", "pydantic", "opentelemetry", "asyncio")
"""What ``import tokenguard`` is not to bring along."""

_IMPORT: Final = """
import json, sys, time
wall, cpu = time.perf_counter(), time.process_time()
import tokenguard
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({"wall": wall, "cpu": cpu, "modules": sorted(sys.modules)}))
"""

# The bare SDK's own first call is made first: what it loads is not the guard's. An import statement
# within another one is a part of the outer one's time.
_FIRST_CALL: Final = """
import builtins, importlib, json, sys, time
import openai
url, ledger, request = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = openai.OpenAI(base_url=url, api_key="bench")
client.chat.completions.create(**request)
before = time.process_time()
client.chat.completions.create(**request)
bare = time.process_time() - before

spent = depth = 0
def timed(load):
    def loading(*args, **kwargs):
        global spent, depth
        depth += 1
        began = time.process_time()
        try:
            return load(*args, **kwargs)
        finally:
            depth -= 1
            if depth == 0:
                spent += time.process_time() - began
    return loading

builtins.__import__ = timed(builtins.__import__)
importlib.import_module = timed(importlib.import_module)
loaded = set(sys.modules)
before = time.process_time()
import tokenguard
guarded = tokenguard.wrap(client, ledger=ledger)
guarded.chat.completions.create(**request)
whole = time.process_time() - before - bare
print(json.dumps({"imports": spent, "whole": whole, "modules": sorted(set(sys.modules) - loaded)}))
"""


def import_bars(*, quick: bool) -> Iterator[Bar]:
    """``import tokenguard`` over the interpreter alone."""
    runs = _runs(_IMPORT, [], 9 if quick else 41)
    for name, key in (("core.import_ms", "wall"), ("core.import_cpu_ms", "cpu")):
        yield estimated(name, _median_ms(runs, key), "ms", len(runs), _python())
    modules = runs[0]["modules"]
    heavy = [name for name in _HEAVY if name in modules]
    if heavy:
        progress(f"  import tokenguard brings {', '.join(heavy)}")
    yield counted("core.import_heavy_modules", len(heavy), "modules", len(runs), " ".join(_HEAVY))


def first_call_bars(url: str, *, quick: bool) -> Iterator[Bar]:
    """Import, wrap and a first call, in a process whose SDK has made its own first call.

    ``core.first_call_import_ms`` is the time within import statements; ``core.first_call_ms`` is all that
    the first guarded call costs over a bare one: imports, making the ledger, reading prices.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        arguments = [url, str(Path(folder, "ledger.db")), json.dumps(REQUEST)]
        runs = _runs(_FIRST_CALL, arguments, 2 if quick else 21, at_once=2 if quick else 1)
    against = f"first call of {openai_version()}"
    for name, key in (("core.first_call_import_ms", "imports"), ("core.first_call_ms", "whole")):
        yield estimated(name, _median_ms(runs, key), "ms CPU", len(runs), against)
    yield counted("core.first_call_modules", len(runs[0]["modules"]), "modules", len(runs), against)


def environment() -> dict[str, str]:
    """The environment of an interpreter as a user's: with bytecode, without a ledger of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TOKENGUARD_", "OTEL_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept


def _runs(script: str, arguments: list[str], count: int, at_once: int = 1) -> list[dict[str, Any]]:
    """What so many fresh interpreters print, after one that does not count."""
    command = [sys.executable, "-c", script, *arguments]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:  # with no settings of anybody's in it

        def run(_: int) -> dict[str, Any]:
            done = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, text=True, env=environment(), cwd=folder
            )
            printed: dict[str, Any] = json.loads(done.stdout)
            return printed

        run(0)
        with ThreadPoolExecutor(at_once) as pool:
            found = list(pool.map(run, range(count)))
    progress(f"  {count} fresh interpreters")
    return found


def _median_ms(runs: list[dict[str, Any]], key: str) -> intervals.Estimate:
    return intervals.of_median([run[key] * 1e3 for run in runs])


def _python() -> str:
    return "python " + ".".join(map(str, sys.version_info[:3]))
