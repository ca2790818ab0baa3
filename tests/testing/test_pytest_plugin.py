"""The pytest plugin: a provider per test, and limits on what a test may cost."""

import subprocess
import sys

import openai
import pytest

import tokenguard
from tokenguard.testing import Answer, Provider

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def call(provider: Provider):
    """One guarded call of 300 tokens in and 100 out, at 10 and 20 USD per million: 5,000,000 nano-dollars."""
    provider.answer(Answer("a", input_tokens=300, output_tokens=100))
    prices = {"input": "10", "output": "20"}
    guard = tokenguard.Guard(
        ledger=None, prices=[tokenguard.PriceOverride(model=name, prices=prices) for name in ("one", "two")]
    )
    with openai.OpenAI(base_url=provider.openai_url, api_key="test") as plain:
        client = guard.wrap(plain)

        def call(model: str = "one") -> None:
            client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hi."}])

        yield call


def test_what_a_block_costs_is_added_up(assert_cost, call) -> None:
    """And can be read during and after it; calls outside do not count."""
    call()
    with assert_cost(max_usd=0.01) as spent:
        call()
        assert spent.cost_nano == 5_000_000
        call()
    call()
    assert spent.cost_nano == 10_000_000
    assert spent.cost_usd == 0.01
    assert spent.calls == 2
    assert [receipt.model_requested for receipt in spent.receipts] == ["one", "one"]


def test_a_block_that_costs_too_much_fails(assert_cost, call) -> None:
    """The message lists calls, models and costs."""

    def calls() -> None:
        with assert_cost(max_usd=0.012):
            call()
            call("two")
            call()

    with pytest.raises(AssertionError) as caught:
        calls()
    assert str(caught.value).splitlines() == [
        "calls cost $0.015, more than $0.012: 3 calls, $0.015",
        "  one: 2 calls, $0.01",
        "  two: 1 call, $0.005",
    ]


@pytest.mark.parametrize("limit", [0.005, "0.005"])
def test_the_limit_is_exact(assert_cost, call, limit) -> None:
    """What is allowed is allowed, with no rounding of floats; a nano-dollar less is not."""
    with assert_cost(max_usd=limit):
        call()
    with pytest.raises(AssertionError), assert_cost(max_usd="0.004999999"):
        call()


def test_unpriced_calls_fail_unless_allowed(assert_cost, call) -> None:
    """An unknown cost is not a cost of nothing."""
    with pytest.raises(AssertionError, match="1 call without a known price"), assert_cost(max_usd=1):
        call("a model without a price")
    with assert_cost(max_usd=1, allow_unpriced=True) as spent:
        call("a model without a price")
    assert len(spent.unpriced) == 1
    assert str(spent).endswith("a model without a price: 1 call, $0, 1 unpriced")


def test_an_error_in_the_block_passes_through(assert_cost, call) -> None:
    """It is what the test is about, whatever the calls before it cost."""

    def fails() -> None:
        with assert_cost(max_usd=0):
            call()
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fails()


@pytest.mark.parametrize("limit", [-1, "much", "nan", "inf"])
def test_a_limit_that_is_none_is_an_error(assert_cost, limit) -> None:
    """Before the block is entered."""
    with pytest.raises(ValueError, match="max_usd"), assert_cost(max_usd=limit):
        raise NotImplementedError


def test_the_plugin_costs_nothing_until_used() -> None:
    """pytest loads it into every run: no SDK, no server, no tokenizer comes with it."""
    program = (
        "import sys, tokenguard.testing.pytest_plugin;"
        "heavy = {'asyncio', 'openai', 'anthropic', 'tiktoken', 'tokenguard.testing.provider'};"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_every_test_gets_a_provider_of_its_own(pytester: pytest.Pytester) -> None:
    """Installed with the package: a suite that knows nothing of tokenguard's own finds the fixtures."""
    pytester.makepyfile(
        """
        import urllib.request, pytest, tokenguard.testing
        seen = []

        @pytest.mark.parametrize("n", [1, 2])
        def test_fresh(tokenguard_provider, n):
            assert isinstance(tokenguard_provider, tokenguard.testing.Provider)
            urllib.request.urlopen(tokenguard_provider.openai_url + "/models").read()
            assert tokenguard_provider.count == 1
            assert tokenguard_provider.url not in seen
            seen.append(tokenguard_provider.url)

        def test_cost(assert_cost):
            with assert_cost(max_usd=0) as spent:
                pass
            assert spent.calls == 0
        """
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=3)
