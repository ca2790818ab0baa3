from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tokenguard import faults
from tokenguard.ledger import SqliteLedger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    opened = SqliteLedger(path)
    yield opened
    opened.close()


class NewFaults:
    """The faults that were counted since a test began."""

    def __init__(self) -> None:
        self._before = Counter(faults.counts())

    def __getitem__(self, where: str) -> int:
        return faults.counts().get(where, 0) - self._before[where]

    def __call__(self) -> dict[str, int]:
        return dict(Counter(faults.counts()) - self._before)


@pytest.fixture
def new_faults() -> NewFaults:
    return NewFaults()
