"""Rules of requests find in files what they find in calls: as far as a file tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lint.project.conftest import PARAGRAPH, LintProject, told, write
from tests.lint.sources.reading import body

ASK = "client.chat.completions.create(model='gpt-4.1', messages=[{'role': 'user', 'content': question}]%s)\n"


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("", True),
        (", temperature=temperature, user=user", True),
        (", max_tokens=50", False),
        (", max_completion_tokens=settings.longest", False),
        (", **options", False),
        (", extra_body=extra", False),
        (", **{'max_completion_tokens': 50}", False),
    ],
)
def test_a_call_without_a_limit_is_found_where_nothing_can_add_one(
    more: str, found: bool, folder: Path, lint: LintProject
) -> None:
    """At the call, on its line."""
    write(folder, "app.py", f"def ask(question, **options):\n    return {ASK % more}")
    expected = [("app.py", 2, "TG401")] if found else []
    assert told(lint(select=("TG401",))) == expected


def test_a_conversation_without_a_model_misses_nothing(folder: Path, lint: LintProject) -> None:
    """It is no request; a recorded one is."""
    write(folder, "a.json", json.dumps([{"role": "user", "content": "hi"}]))
    write(folder, "b.json", json.dumps(body("hi")))
    assert told(lint(select=("TG401",))) == [("b.json", 1, "TG401")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.j2", "Current time: {{ now() }}\n%s"),
        (
            "app.py",
            'import datetime\nS = f"""Current time: {datetime.datetime.now()}\n%s"""\n'
            "client.responses.create(model='gpt-4.1', instructions=S, input=question)\n",
        ),
    ],
)
def test_what_is_new_on_every_call_is_found_in_templates(
    name: str, text: str, folder: Path, lint: LintProject
) -> None:
    """In a placeholder, whether it is Jinja's or Python's."""
    write(folder, name, text % (PARAGRAPH * 40))
    assert [code for _, _, code in told(lint(select=("TG301",)))] == ["TG301"]


def test_a_secret_in_a_file_is_found_and_not_repeated(folder: Path, lint: LintProject) -> None:
    """Neither in what is told nor in what is remembered."""
    secret = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dF3hJ5"
    write(folder, "a.md", f"Use this token: {secret}\n")
    report = lint(select=("TG601",))
    for one in report.located:
        assert secret not in one.finding.message
    assert {code for _, _, code in told(report)} <= {"TG601"}
