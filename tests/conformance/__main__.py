"""Run the SDKs' own test suites with every client wrapped, and say what that broke.

    python -m tests.conformance [--sdk openai|anthropic] [--full | --sample]

The source distributions of both SDKs ship their tests. They are run wrapped; what fails is run unwrapped
(what fails there too does not count) and once more wrapped, alone (what passes then was load). The requests
that reached the mock API are compared, byte for byte, with those of an unwrapped run. Exit status 0: nothing
fails beyond ``allow_<sdk>.txt``, and no request differs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORK = Path(os.environ.get("CONFORMANCE_WORK", Path(tempfile.gettempdir()) / "tokenguard-conformance-own"))
COMPARED = 400
"""Requests on the wire are compared for so many tests."""


class Sdk(NamedTuple):
    """What it takes to run one SDK's suite."""

    name: str
    version: str
    extras: str
    needs: tuple[str, ...]
    plugins: tuple[str, ...]
    sample: tuple[str, ...]
    """Files for CI: the client itself, streams, clouds, and helpers above plain calls."""


COMMON = ("pytest", "pytest-asyncio", "pytest-xdist", "inline-snapshot", "rich", "griffe>=1", "respx")
SDKS = (
    Sdk(
        "openai",
        "3.54.0",
        "aiohttp,realtime,datalib,bedrock,vertex",
        (*COMMON, "azure-identity", "trio", "Pillow"),
        (),
        (
            "tests/test_client.py",
            "tests/test_streaming.py",
            "tests/lib/test_azure.py",
            "tests/lib/test_bedrock.py",
            "tests/lib/chat",
            "tests/api_resources/chat",
            "tests/api_resources/test_embeddings.py",
        ),
    ),
    Sdk(
        "anthropic",
        "2.12.0",
        "aiohttp,vertex,google_cloud,aws,bedrock,mcp,webhooks",
        (
            *COMMON,
            "time-machine",
            "dirty-equals",
            "importlib-metadata",
            "hypothesis",
            "http-snapshot[httpx]==0.1.9",
            "packaging",
            "opentelemetry-sdk",
        ),
        ("tests._alias_httpx",),
        (
            "tests/test_client.py",
            "tests/test_streaming.py",
            "tests/lib/test_bedrock.py",
            "tests/lib/test_vertex.py",
            "tests/lib/streaming",
            "tests/api_resources/test_messages.py",
        ),
    ),
)


def main() -> None:
    """Run what was asked for and exit with 0 or 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance")
    parser.add_argument("--sdk", choices=[sdk.name for sdk in SDKS])
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--full", action="store_true", help="every test (about an hour on 2 cores)")
    how.add_argument("--sample", action="store_true", help="a few hundred tests (some minutes)")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    fine = [conforms(sdk, options) for sdk in SDKS if options.sdk in (None, sdk.name)]
    raise SystemExit(0 if all(fine) else 1)


def conforms(sdk: Sdk, options: argparse.Namespace) -> bool:
    """Run one SDK's suite, print what came of it, and say whether that is fine."""
    python, tree = prepare(sdk)
    paths = sdk.sample if options.sample else ("tests",)
    suite = Suite(sdk, python, tree)
    wrapped = suite.run("wrapped", paths, one_in=1 if options.full else 8)
    failed = {test for test, result in wrapped.items() if result["outcome"] == "failed"}
    passes_bare = passing(suite.run("bare", only=failed, wrapped=False)) if failed else set()
    passes_alone = passing(suite.run("again", only=passes_bare, alone=True)) if passes_bare else set()
    broken = passes_bare - passes_alone
    passed = passing(wrapped) | passes_alone

    rules = allowed(sdk)
    unexpected = sorted(test for test in broken if not any(rule.fullmatch(test) for rule in rules))
    asking = sorted(test for test in passing(wrapped) if wrapped[test]["wire"])[:COMPARED]
    bare = suite.run("wire", only=set(asking), wrapped=False) if asking else {}
    different = [test for test in asking if bare.get(test, {}).get("wire") != wrapped[test]["wire"]]

    total = len(passed) + len(broken)
    print(
        f"{sdk.name} {sdk.version}: {len(passed)} of {total} tests that pass unwrapped pass wrapped "
        f"({len(broken) - len(unexpected)} allowed failures, {len(unexpected)} unexpected); "
        f"requests identical on the wire: {len(asking) - len(different)} of {len(asking)}",
        flush=True,
    )
    for test in unexpected:
        print(f"  FAILED {test}\n{wrapped[test]['why'][-600:]}")
    for test in different:
        print(f"  DIFFERS {test}")
    enough = len(passed) > 100 and asking
    return bool(enough) and not unexpected and not different


def passing(results: dict[str, Any]) -> set[str]:
    """The tests that passed."""
    return {test for test, result in results.items() if result["outcome"] == "passed"}


def prepare(sdk: Sdk) -> tuple[Path, Path]:
    """An environment with the SDK and this project, and the SDK's source tree with its tests."""
    home = WORK / f"{sdk.name}-{sdk.version}-env"
    python, ready = home / "bin" / "python", home / ".ready"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    if not ready.exists():
        venv.create(home, clear=True, with_pip=True)
        subprocess.run([*pip, "install", f"{sdk.name}[{sdk.extras}]=={sdk.version}", *sdk.needs], check=True)
        ready.touch()
    subprocess.run([*pip, "install", "--editable", str(ROOT)], check=True)
    tree = WORK / f"{sdk.name}-{sdk.version}"
    if not (tree / "tests").is_dir():
        fetch = [
            "download",
            "--no-deps",
            "--no-binary",
            sdk.name,
            "--dest",
            str(WORK),
            f"{sdk.name}=={sdk.version}",
        ]
        subprocess.run([*pip, *fetch], check=True)
        with tarfile.open(WORK / f"{tree.name}.tar.gz") as archive:
            archive.extractall(WORK, filter="data")
    return python, tree


class Suite:
    """Runs an SDK's tests in a process of their own."""

    def __init__(self, sdk: Sdk, python: Path, tree: Path) -> None:
        self._sdk, self._python, self._tree = sdk, python, tree

    def run(
        self,
        label: str,
        paths: tuple[str, ...] = (),
        *,
        only: set[str] | None = None,
        wrapped: bool = True,
        alone: bool = False,
        one_in: int = 1,
    ) -> dict[str, Any]:
        """Run the tests under ``paths``, or those of ``only``; gives each test's result."""
        out, log = WORK / f"{self._sdk.name}-{label}.jsonl", WORK / f"{self._sdk.name}-{label}.log"
        out.unlink(missing_ok=True)
        ours = ("OPENAI_", "ANTHROPIC_", "AZURE_", "TOKENGUARD_", "CONFORMANCE_", "PYTEST_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment |= {
            "CONFORMANCE_SDK": self._sdk.name,
            "CONFORMANCE_WRAPPED": str(int(wrapped)),
            "CONFORMANCE_OUT": str(out),
            "CONFORMANCE_ONE_IN": str(one_in),
            "PYTHONPATH": str(HERE),
        }
        if only is not None:
            listed = WORK / f"{self._sdk.name}-{label}.only"
            listed.write_text("\n".join(sorted(only)))
            environment["CONFORMANCE_ONLY"] = str(listed)
            paths = tuple(sorted({test.split("::")[0] for test in only}))
        workers = ["-n", "0"] if alone else ["-n", "auto", "--dist", "worksteal"]
        plugins = [part for plugin in ("wrapping", *self._sdk.plugins) for part in ("-p", plugin)]
        command = [
            str(self._python),
            "-m",
            "pytest",
            "-o",
            "addopts=",
            "-q",
            "--tb=short",
            *workers,
            *plugins,
        ]
        command += [
            "-p",
            "no:cacheprovider",
            "-p",
            "no:tokenguard",
            *(p for p in paths if (self._tree / p).exists()),
        ]
        with log.open("w") as output:
            subprocess.run(
                command, cwd=self._tree, env=environment, stdout=output, stderr=output, check=False
            )
        if not out.exists():
            sys.exit(f"{self._sdk.name}: the {label} run gave no results:\n{log.read_text()[-3000:]}")
        return {result["id"]: result for result in map(json.loads, out.read_text().splitlines())}


def allowed(sdk: Sdk) -> list[re.Pattern[str]]:
    """The failures that are excused: a pattern a line, then two spaces, ``#`` and the reason."""
    lines = (HERE / f"allow_{sdk.name}.txt").read_text().splitlines()
    patterns = [line.partition("  # ")[0].strip() for line in lines if line and not line.startswith("#")]
    return [re.compile(".*".join(map(re.escape, pattern.split("*")))) for pattern in patterns]


if __name__ == "__main__":
    main()
