"""``tokenguard demo --live``, with the local provider in the place of the real APIs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

import pytest

from tests.demo.conftest import RunDemo
from tokenguard.testing import Provider


@pytest.fixture
def keys(provider: Provider) -> Mapping[str, str]:
    return {
        "OPENAI_API_KEY": "test-openai",
        "OPENAI_BASE_URL": provider.openai_url,
        "ANTHROPIC_API_KEY": "test-anthropic",
        "ANTHROPIC_BASE_URL": provider.anthropic_url,
    }


def test_live_asks_with_few_calls(run_demo: RunDemo, provider: Provider, keys: Mapping[str, str]) -> None:
    """Confirmed beforehand, it makes one call a batch to each API with its own key, and the totals tie."""
    ran = run_demo("--live", "--yes", "--json", **keys)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["tied"] is True
    assert found["totals"]["ledger"]["calls"] == provider.count == 11
    assert {row["keys"]["model"] for row in found["table"]} == {"gpt-4.1-nano", "claude-haiku-4-5"}
    for request in provider.requests:
        whose = "anthropic" if request.path.endswith("/messages") else "openai"
        key = request.header("x-api-key") or request.header("authorization")
        assert key in (f"test-{whose}", f"Bearer test-{whose}")


def test_live_says_what_it_costs_and_waits_for_a_yes(
    run_demo: RunDemo, provider: Provider, keys: Mapping[str, str]
) -> None:
    """Without a yes nothing is sent; the question names calls, models and the most they can cost."""
    ran = run_demo("--live", stdin="n\n", **keys)
    assert ran.returncode == 1
    assert "11 calls to gpt-4.1-nano (openai), claude-haiku-4-5 (anthropic)" in ran.stdout
    assert "They cost $0.0" in ran.stdout
    assert provider.count == 0


def test_live_with_one_key_asks_one_provider(
    run_demo: RunDemo, provider: Provider, keys: Mapping[str, str]
) -> None:
    """An answer from the terminal is enough, and the provider without a key is left out."""
    only = {name: value for name, value in keys.items() if name.startswith("OPENAI")}
    ran = run_demo("--live", "--openai-model", "gpt-4.1-mini", stdin="y\n", **only)
    assert ran.returncode == 0, ran.stderr
    assert "Totals tie" in ran.stdout
    assert provider.count == 7
    assert {request.json["model"] for request in provider.requests} == {"gpt-4.1-mini"}


def test_a_call_that_fails_is_said_so(run_demo: RunDemo, provider: Provider, keys: Mapping[str, str]) -> None:
    """A wrong key ends the demo with the provider's own words, without a traceback."""
    provider.fail(401, body={"error": {"message": "Incorrect API key provided"}}, times=None)
    ran = run_demo("--live", "--yes", **keys)
    assert ran.returncode == 1
    assert "Incorrect API key provided" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "environ", "says"),
    [
        (["--live", "--yes"], {}, "OPENAI_API_KEY"),
        (["--live", "--local-model"], {}, "exclude each other"),
        (["--live", "--openai-model", "mine"], {"OPENAI_API_KEY": "x"}, "no price is known for model 'mine'"),
    ],
    ids=["no key", "two modes", "no price"],
)
def test_wrong_usage_is_told_before_anything_is_sent(
    run_demo: RunDemo, arguments: list[str], environ: dict[str, str], says: str
) -> None:
    """Exit code 2 and what to do about it."""
    ran = run_demo(*arguments, **environ, COLUMNS=os.environ.get("COLUMNS", "200"))
    assert ran.returncode == 2
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr
