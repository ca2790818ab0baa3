"""A pytest plugin, loaded into an SDK's own suite: every client is wrapped, every request is noted.

The outermost ``__init__`` of a client is let to finish; then a twin of the client is wrapped, and the
client takes over the state of what came back. Clients made around an HTTP client that is guarded already
(copies of wrapped ones) are left alone, as they would be in a program.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import mock_api
import pytest

SDK = os.environ["CONFORMANCE_SDK"]
WRAPPED = os.environ["CONFORMANCE_WRAPPED"] == "1"
OUT = Path(os.environ["CONFORMANCE_OUT"])
ONLY = os.environ.get("CONFORMANCE_ONLY")
ONE_IN = int(os.environ.get("CONFORMANCE_ONE_IN", "1"))

_building = threading.local()


def _wrap_new(client: Any) -> None:
    from tokenguard.testing.conformance import wrap

    http_client = client.__dict__.get("_client")
    if http_client is None or not hasattr(client, "with_options"):
        return
    twin = object.__new__(type(client))
    twin.__dict__.update(client.__dict__)
    wrapped = wrap(twin)
    assert type(wrapped) is type(client)
    client.__dict__ = wrapped.__dict__


def _watch(cls: type) -> None:
    made = cls.__dict__.get("__init__")
    if made is None or hasattr(made, "watched"):
        return

    @functools.wraps(made)
    def watched(self: Any, *args: Any, **kwargs: Any) -> None:
        outermost = not getattr(_building, "busy", False)
        if not outermost:
            made(self, *args, **kwargs)
            return
        _building.busy = True
        try:
            made(self, *args, **kwargs)
            _wrap_new(self)
        finally:
            _building.busy = False

    watched.watched = True  # type: ignore[attr-defined]
    cls.__init__ = watched  # type: ignore[misc]


def _watch_all(base: Any) -> None:
    def below(cls: type) -> list[type]:
        return [cls, *(sub for child in cls.__subclasses__() for sub in below(child))]

    for root in (base.SyncAPIClient, base.AsyncAPIClient):
        for cls in below(root):
            _watch(cls)

        def also_later(cls: type, _root: type = root, **kwargs: Any) -> None:
            super(_root, cls).__init_subclass__(**kwargs)
            _watch(cls)

        root.__init_subclass__ = classmethod(also_later)


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        return  # the controller of workers runs no tests
    importlib.import_module(SDK)
    base = importlib.import_module(f"{SDK}._base_client")
    mock_api.expect_what_is_called_for(base)
    if WRAPPED:
        _watch_all(base)


# Before the suite's conftest reads it, hence at import.
os.environ["TEST_API_BASE_URL"] = mock_api.start()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if ONLY:
        wanted = set(Path(ONLY).read_text().splitlines())
        items[:] = [item for item in items if item.nodeid in wanted]
    elif ONE_IN > 1:
        items[:] = [
            item
            for item in items
            if not item.nodeid.startswith("tests/api_resources")
            or mock_api.digest(item.nodeid, 8) % ONE_IN == 0
        ]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    mock_api.requests.clear()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    report.user_properties = [*report.user_properties, ("wire", list(mock_api.requests))]
    return report


_results: dict[str, dict[str, Any]] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if os.environ.get("PYTEST_XDIST_WORKER"):
        return
    result = _results.setdefault(
        report.nodeid, {"id": report.nodeid, "outcome": "passed", "why": "", "wire": []}
    )
    if report.outcome == "failed":
        result["outcome"] = "failed"
        result["why"] += str(report.longrepr)[-2000:]
    elif report.outcome == "skipped" and result["outcome"] == "passed":
        result["outcome"] = "skipped"
    result["wire"] = dict(report.user_properties).get("wire", result["wire"])
    if report.when == "teardown":
        with OUT.open("a") as out:
            out.write(json.dumps(_results.pop(report.nodeid)) + "\n")
