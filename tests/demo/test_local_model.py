"""A real small language model behind guarded clients, where the extra is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.demo.conftest import RunDemo
from tokenguard import ConfigError, Guard, PriceOverride
from tokenguard.testing.local_model import LocalModel, missing

here = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@here
def test_a_real_model_answers_with_log_probabilities(tmp_path: Path) -> None:
    """Usage, price by the machine's hour, and log-probabilities that are none above zero; twice over SDKs."""
    import anthropic
    import openai

    with LocalModel() as model:
        price = PriceOverride(model.model, gpu_hour_usd="0.36", tokens_per_second="100")
        guard = Guard(ledger=tmp_path / "ledger.db", prices=[price])
        gpt = guard.wrap(openai.OpenAI(base_url=model.openai_url, api_key="none"))
        ask = [{"role": "user", "content": "Answer with one word. What is the capital of France?"}]
        reply = gpt.chat.completions.create(
            model=model.model, messages=ask, max_completion_tokens=8, logprobs=True, temperature=0
        )
        receipt = guard.receipt(reply)
        tokens = reply.choices[0].logprobs.content
        assert len(tokens) <= reply.usage.completion_tokens <= 8
        assert all(token.logprob <= 0 for token in tokens)
        assert min(token.logprob for token in tokens) < 0
        assert receipt.cost_nano == reply.usage.total_tokens * 1_000  # 0.36 USD for 360,000 tokens
        claude = guard.wrap(anthropic.Anthropic(base_url=model.anthropic_url, api_key="none"))
        message = claude.messages.create(model=model.model, messages=ask, max_tokens=8)
        assert message.content[0].text
        assert guard.receipt(message).cost_nano > 0
        guard.close()


@here
def test_the_demo_runs_against_a_real_model(run_demo: RunDemo) -> None:
    """Everything is priced, the totals tie, and log-probabilities are shown."""
    ran = run_demo("--local-model")
    assert ran.returncode == 0, ran.stderr
    assert "Totals tie" in ran.stdout
    assert "Mean log-prob" in ran.stdout
    assert "unpriced" not in ran.stdout


@pytest.mark.other_platform
@pytest.mark.skipif(missing() is None, reason="the extra is installed")
def test_without_the_extra_the_demo_says_what_to_install(run_demo: RunDemo) -> None:
    """One line, exit code 2."""
    ran = run_demo("--local-model")
    assert ran.returncode == 2
    assert "pip install xllamacpp" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_model_file_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    """The path is named, or what has to be installed first."""
    with pytest.raises(ConfigError, match=r"no\.gguf|xllamacpp"):
        LocalModel(tmp_path / "no.gguf")
