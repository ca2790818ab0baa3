"""A process whose clients are not guarded before and after each test, and programs of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

import tokenguard
from tokenguard import instrumentation
from tokenguard.testing import Provider

RunProgram = Callable[[str], Any]

_MODULE_LEVEL = ("api_key", "base_url", "max_retries", "http_client", "_client")


@pytest.fixture(autouse=True)
def as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No configured guard yet, a ledger of its own, and no trace of any of it afterwards."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKENGUARD_LEDGER", str(tmp_path / "default.db"))
    monkeypatch.setattr(instrumentation, "_configured", None)
    for name in _MODULE_LEVEL:
        monkeypatch.setattr(openai, name, getattr(openai, name))
    yield
    tokenguard.uninstrument()
    if instrumentation._configured is not None:
        instrumentation._configured.close()


@pytest.fixture
def run_program(provider: Provider, tmp_path: Path) -> RunProgram:
    """Run a program in a process of its own; gives what it printed last, as JSON."""

    def run(source: str) -> Any:
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TOKENGUARD_")},
            "TOKENGUARD_LEDGER": str(tmp_path / "program.db"),
            "OPENAI_BASE_URL": provider.openai_url,
            "OPENAI_API_KEY": "sk-x",
            "ANTHROPIC_BASE_URL": provider.anthropic_url,
            "ANTHROPIC_API_KEY": "sk-ant-x",
        }
        done = subprocess.run(
            [sys.executable, "-c", _PRELUDE + textwrap.dedent(source)],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


_PRELUDE = """
import json

GPT = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": "Hello"}]}
CLAUDE = {**GPT, "model": "claude-haiku-4-5", "max_tokens": 9}

def say(thing):
    print(json.dumps(thing))

"""
