from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tokenguard.ledger import queries
from tokenguard.testing import Provider

EXAMPLES = Path(__file__).parents[2] / "examples"
SAYS = {
    "quickstart.py": "($0.0",
    "tags_and_runs.py": "resolve-ticket: 2 calls, $0.0",
    "async_stream.py": "aborted estimated",
    "threads_with_headers.py": "4 calls, $0.0",
    "otel_setup.py": '"name": "tokenguard.cost"',
    "own_prices.py": "no price is known for model 'nobody-knows-it'",
    "caching.py": "stream  hit  cost $0.000000  saved $0.0",
    "framework_http_client.py": "{'project': 'agents', 'team': 'support'} $0.0",
}
"""What each example prints, among other things."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider whose streams are slow enough to be abandoned."""
    with Provider() as opened:
        opened.fault(chunk_delay=0.005, times=None, when=lambda request: b'"stream":true' in request.body)
        yield opened


@pytest.fixture
def environ(provider: Provider, tmp_path: Path) -> dict[str, str]:
    """A shell in which every client finds the local provider, and every guard a ledger of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return {
        **kept,
        "OPENAI_API_KEY": "test",
        "OPENAI_BASE_URL": provider.openai_url,
        "ANTHROPIC_API_KEY": "test",
        "ANTHROPIC_BASE_URL": provider.anthropic_url,
        "AZURE_OPENAI_API_KEY": "test",
        "AZURE_OPENAI_ENDPOINT": provider.azure_url,
        "TOKENGUARD_LEDGER": str(tmp_path / "ledger.db"),
    }


def test_every_example_is_run() -> None:
    """No example is forgotten here."""
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*SAYS, "pytest_example.py"}


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_as_it_is(
    name: str, environ: dict[str, str], provider: Provider, tmp_path: Path
) -> None:
    """It runs with nothing but the variables an application has, and every request of it is in the ledger."""
    ran = _run([str(EXAMPLES / name)], environ, tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert SAYS[name] in ran.stdout
    complaints = [line for line in ran.stderr.splitlines() if "nobody-knows-it" not in line]
    assert complaints == []
    total = queries.report(tmp_path / "ledger.db", now_ns=0).total
    assert total.attempts == provider.count > 0
    assert (total.unpriced, total.unmetered, total.unknown) == (0, 0, 0)


def test_no_header_of_ours_leaves_the_process(
    environ: dict[str, str], provider: Provider, tmp_path: Path
) -> None:
    """Wishes sent as headers end at the guard."""
    assert _run([str(EXAMPLES / "threads_with_headers.py")], environ, tmp_path).returncode == 0
    names = {name.lower() for request in provider.requests for name, _ in request.headers}
    assert provider.count == 4
    assert not [name for name in names if name.startswith("x-tokenguard")]


def test_the_tests_of_the_pytest_example_pass(environ: dict[str, str], tmp_path: Path) -> None:
    """The plugin's fixtures work in a test suite that is not ours."""
    ran = _run(
        [
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(tmp_path),
            str(EXAMPLES / "pytest_example.py"),
        ],
        environ,
        tmp_path,
    )
    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short_and_says_what_it_shows(path: Path) -> None:
    """Under forty lines, with a docstring."""
    source = path.read_text("utf-8")
    assert len(source.splitlines()) < 40
    assert ast.get_docstring(ast.parse(source))


def _run(arguments: list[str], environ: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env=environ, cwd=folder, capture_output=True, text=True, timeout=120
    )
