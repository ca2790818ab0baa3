"""``python -m tokenguard.testing``: the provider as a program of its own."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest

pytestmark = pytest.mark.timeout(60)

COMMAND = [sys.executable, "-m", "tokenguard.testing"]


@contextmanager
def serving(*arguments: str) -> Iterator[dict[str, str]]:
    process = subprocess.Popen([*COMMAND, "--port", "0", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate()
        assert (rest, process.returncode) == ("", 0)


def test_it_prints_its_urls_and_serves(tmp_path: Path) -> None:
    """One line of JSON when it listens; script and recorded answers from files; 0 when terminated."""
    script = tmp_path / "script.json"
    script.write_text(
        json.dumps(
            [
                {"fail": {"status": 429, "retry_after": 2}},
                {"answer": "Scripted.", "model": "gpt-4o", "times": 1},
                {"answer": {"tool_calls": [{"name": "f", "arguments": {"a": 1}}]}, "model": "o4-mini"},
                {"fault": {"usage": "missing"}, "model": "gpt-4o-mini", "times": None},
            ]
        )
    )
    recorded = tmp_path / "recorded.jsonl"
    recorded.write_text('{"prompt": "Hi.", "answer": "Recorded."}\n')
    messages = [{"role": "user", "content": "Hi."}]
    with (
        serving("--script", str(script), "--recorded", str(recorded)) as urls,
        openai.OpenAI(base_url=urls["openai"], api_key="test", max_retries=0) as gpt,
    ):
        assert urls["azure"] == urls["url"] == urls["anthropic"]
        with pytest.raises(openai.RateLimitError):
            gpt.chat.completions.create(model="gpt-4o", messages=messages)
        said = [
            gpt.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content
            for _ in range(2)
        ]
        assert said == ["Scripted.", "Recorded."]
        tools = gpt.chat.completions.create(model="o4-mini", messages=messages).choices[0].message.tool_calls
        assert tools[0].function.name == "f"
        assert gpt.chat.completions.create(model="gpt-4o-mini", messages=messages).usage is None


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("{}", "expected a list"),
        ("[{}]", "step 1: a step needs exactly one of"),
        ('[{"answer": "a"}, {"answer": "b", "time": 1}]', "step 2: unknown key 'time'"),
        ('[{"fail": 429}]', "step 1: 'fail' takes an object"),
        ('[{"answer": 3}]', "step 1: 'answer' takes a text or an object"),
        ('[{"fault": {"stal_after": 1}}]', "stal_after"),
        ("[", "Expecting value"),
    ],
)
def test_a_script_that_cannot_be_used_is_explained(tmp_path: Path, script: str, problem: str) -> None:
    """On standard error, with exit status 2."""
    path = tmp_path / "script.json"
    path.write_text(script)
    done = subprocess.run(
        [*COMMAND, "--port", "0", "--script", str(path)], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert problem in done.stderr
    assert done.stdout == ""
