"""Fixtures for test suites whose code calls models: a local provider, and a limit on what a block costs.

Loaded into every pytest run where tokenguard is installed, so it imports nothing until it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tokenguard.testing.cost import Spent
    from tokenguard.testing.provider import Provider

AssertCost = Callable[..., "AbstractContextManager[Spent]"]


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
