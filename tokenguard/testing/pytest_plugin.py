"""Fixtures for test suites whose code calls models: cassettes, a local provider, a limit on costs.

Loaded into every pytest run where tokenguard is installed, so it imports nothing until it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import pytest

if TYPE_CHECKING:
    from tokenguard.guard import Guard
    from tokenguard.testing.cost import Spent
    from tokenguard.testing.provider import Provider

AssertCost = Callable[..., "AbstractContextManager[Spent]"]

_OPTION: Final = "--tokenguard-record"
_MODES: Final[dict[str, Literal["replay", "new", "record"]]] = {
    "none": "replay",
    "new": "new",
    "all": "record",
    "rewrite": "record",
}
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST: Final = 100  # characters of a file's name


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says what cassettes do."""
    parser.getgroup("tokenguard").addoption(
        _OPTION,
        choices=tuple(_MODES),
        default="none",
        help="what tokenguard's cassettes do: none = replay, and send nothing (default); new = replay what "
        "is there, record what is not; all = record every call again; rewrite = that, from an empty cassette",
    )


@pytest.fixture
def tokenguard_provider() -> Iterator[Provider]:
    """A fresh local provider, closed after the test; see ``tokenguard.testing.Provider``."""
    from tokenguard.testing.provider import Provider

    with Provider() as provider:
        yield provider


@pytest.fixture
def assert_cost() -> AssertCost:
    """Fail the test if the guarded calls of a block cost more than a limit.

    ``with assert_cost(max_usd=0.01) as spent: ...``; see ``tokenguard.testing.cost.assert_cost``.
    """
    from tokenguard.testing.cost import assert_cost

    return assert_cost


@pytest.fixture
def tokenguard_cassette(request: pytest.FixtureRequest) -> Iterator[Guard]:
    """A guard that plays the test's own cassette, or records it with ``--tokenguard-record``.

    ``client = tokenguard_cassette.wrap(openai.OpenAI(api_key="none"))``. The cassette is
    ``cassettes/<module>/<test>.json`` beside the test's file.
    """
    from tokenguard.cache import Cache
    from tokenguard.guard import Guard

    chosen = request.config.getoption(_OPTION)
    path = _cassette_of(request.node)
    if chosen == "rewrite":
        path.unlink(missing_ok=True)
    guard = Guard(ledger=None, cache=Cache(mode=_MODES[chosen], store=path))
    yield guard
    written = guard.flush()
    guard.close()
    if not written:
        pytest.fail(f"the cassette {path} could not be written; the log says why", pytrace=False)


def _cassette_of(test: pytest.Item) -> Path:
    """Where a test's cassette is; each test's is another one, whatever its parameters are called."""
    inner = test.nodeid.partition("::")[2] or test.name
    plain = inner.replace("::", ".").replace("[", "-", 1).removesuffix("]")
    safe = _UNSAFE.sub("_", plain)
    if safe != plain or len(safe) > _LONGEST:
        safe = f"{safe[: _LONGEST - 9]}-{sha256(inner.encode()).hexdigest()[:8]}"
    return test.path.parent / "cassettes" / test.path.stem / f"{safe}.json"
