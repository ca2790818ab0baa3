"""Where the demo's calls go: recorded answers in a second process, the real APIs, or a model on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tokenguard.demo.plan import Models, Sdk, Size
from tokenguard.demo.questions import RECORDED
from tokenguard.errors import GuardError
from tokenguard.pricing import PriceOverride

KEYS: Final[Mapping[Sdk, str]] = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
"""The variables in which both SDKs look for a key."""

RECORDED_MODELS: Final[Models] = {
    ("openai", "large"): "gpt-4.1",
    ("openai", "small"): "gpt-4.1-mini",
    ("openai", "tiny"): "gpt-4.1-nano",
    ("anthropic", "large"): "claude-sonnet-4-5",
    ("anthropic", "small"): "claude-haiku-4-5",
}
_SIZES: Final[tuple[Size, ...]] = ("large", "small", "tiny")

# What goes wrong on the way: two refusals, and one model that speaks slowly enough to be interrupted.
_STEPS: Final = [
    {"fail": {"status": 429, "retry_after_ms": 150}, "model": "gpt-4.1"},
    {"fail": {"status": 503}, "model": "claude-haiku-4-5"},
    {"fault": {"chunk_delay": 0.01}, "times": None, "model": "gpt-4.1-nano"},
]

# What a small virtual machine may cost, and about what one core of it works off.
_MACHINE_HOUR_USD: Final = "0.04"
_TOKENS_PER_SECOND: Final = "100"


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where calls go, with which models, and how many of them."""

    mode: Literal["recorded", "live", "local-model"]
    says: str
    """What it is, in one line for people."""
    models: Models
    options: Mapping[str, Mapping[str, Any]]
    """What each SDK's client is made with."""
    prices: tuple[PriceOverride, ...] = ()
    at_most: int | None = None
    """Questions in a batch, where fewer than usual are asked."""
    max_tokens: int = 100
    logprobs: bool = False
    """Whether to ask for log-probabilities: those of the recorded answers mean nothing."""


@contextmanager
def recorded() -> Iterator[Upstream]:
    """A provider in a second process, which knows the questions and fails now and then.

    Raises:
        GuardError: It did not start.
    """
    with tempfile.TemporaryDirectory(prefix="tokenguard-demo-") as folder:
        script = Path(folder) / "steps.json"
        script.write_text(json.dumps(_STEPS), "utf-8")
        # -P: a folder named like one of our modules, where the demo is run, is not imported for it.
        command = [sys.executable, "-P", "-m", "tokenguard.testing", "--port", "0"]
        files = ["--recorded", str(RECORDED), "--script", str(script)]
        with subprocess.Popen([*command, *files], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
            try:
                line = process.stdout.readline() if process.stdout else ""
                if not line:
                    raise GuardError(f"the local provider did not start: {' '.join(command)}")
                yield _on_loopback(json.loads(line), process.pid)
            finally:
                process.terminate()


def _on_loopback(urls: Mapping[str, str], pid: int) -> Upstream:
    return Upstream(
        mode="recorded",
        says=f"python -m tokenguard.testing, process {pid}, at {urls['url']}: recorded answers to "
        "questions from MMLU",
        models=RECORDED_MODELS,
        options={
            "openai": {"base_url": urls["openai"], "api_key": "none-needed"},
            "anthropic": {"base_url": urls["anthropic"], "api_key": "none-needed"},
        },
    )


@contextmanager
def local_model() -> Iterator[Upstream]:
    """A small language model in this process, on the loopback interface.

    Raises:
        ConfigError: The model or what runs it is not installed; the message says how to.
    """
    from tokenguard.testing.local_model import LocalModel

    with LocalModel() as model:
        yield Upstream(
            mode="local-model",
            says=f"{model.model}, on one core of this machine, at {model.url}, priced for the example at "
            f"${_MACHINE_HOUR_USD} an hour and {_TOKENS_PER_SECOND} tokens a second",
            models=_one_model({"openai": model.model, "anthropic": model.model}),
            options={
                "openai": {"base_url": model.openai_url, "api_key": "none-needed"},
                "anthropic": {"base_url": model.anthropic_url, "api_key": "none-needed"},
            },
            prices=(
                PriceOverride(
                    model.model, gpu_hour_usd=_MACHINE_HOUR_USD, tokens_per_second=_TOKENS_PER_SECOND
                ),
            ),
            at_most=1,
            max_tokens=24,
            logprobs=True,
        )


def live(models: Mapping[Sdk, str]) -> Upstream:
    """The real APIs, or whatever ``OPENAI_BASE_URL`` and ``ANTHROPIC_BASE_URL`` name.

    Args:
        models: A model for each SDK that is to be used.
    """
    return Upstream(
        mode="live",
        says=", ".join(f"{model} ({sdk})" for sdk, model in models.items()),
        models=_one_model(models),
        options={sdk: {} for sdk in models},
        at_most=1,
        max_tokens=64,
    )


def _one_model(models: Mapping[Sdk, str]) -> Models:
    """One model in every size."""
    return {(sdk, size): model for sdk, model in models.items() for size in _SIZES}
