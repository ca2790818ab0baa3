"""What most tests of calls need: a local provider, a guard with a ledger, and what the ledger says."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tokenguard import Guard, Retry
from tokenguard.testing import Provider

# How long an example takes says more of the machine than of the code.
settings.register_profile("tokenguard", deadline=None, print_blob=True)
settings.load_profile("tokenguard")

NO_WAIT = Retry(base_s=0)
"""Tries again as usual, but at once."""

Rows = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session", autouse=True)
def _no_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Spare every client the system's certificates, 50 ms each: all that tests send is plain HTTP, to us."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("certificates")))
        yield


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider of this test's own."""
    with Provider() as opened:
        yield opened


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    """A guard with a ledger on disk, which never waits before it tries again."""
    opened = Guard(ledger=tmp_path / "ledger.db", retry=NO_WAIT)
    yield opened
    opened.close()


@pytest.fixture
def rows(guard: Guard) -> Rows:
    """The rows of a guard's ledger (``guard`` by default), oldest first, once all that is over is written."""

    def read(of: Guard = guard) -> list[dict[str, Any]]:
        assert of.flush()
        reader = of.ledger.reader()  # type: ignore[union-attr]
        reader.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in reader.execute("SELECT * FROM call ORDER BY ts_start, id")]
        finally:
            reader.close()

    return read


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Where the machine is said to have everything, a test that skips has failed."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("TESTS_MUST_RUN"):
        may_skip = item.get_closest_marker("other_platform") is not None
        if not may_skip:
            report.outcome = "failed"
            report.longrepr = f"skipped where it must run: {report.longrepr}"
    return report


@pytest.fixture
def anyio_backend() -> str:
    """Tests marked ``anyio`` run on asyncio, unless they name others."""
    return "asyncio"
