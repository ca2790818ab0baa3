"""What the linter finds, on spans and in metrics: codes and counts, and nothing of what was said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from tokenguard import Guard, Lint, LintError
from tokenguard.testing import Provider

from .conftest import Measured, Spans

SECRET = "Atlantis"
ROWS = [{"city": f"{SECRET} {n}", "people": 1000 * n} for n in range(40)]
INDENTED = json.dumps({"rows": ROWS}, indent=4)

Asked = Callable[..., Guard]


@pytest.fixture
def asked(tokenguard_provider: Provider) -> Iterator[Asked]:
    """Makes a guard with a linter, and one call with indented JSON."""
    made: list[Guard] = []

    def ask(lint: Lint) -> Guard:
        guard = Guard(lint=lint, ledger=None)
        made.append(guard)
        client = guard.wrap(openai.OpenAI(api_key="none", base_url=tokenguard_provider.openai_url))
        messages: Any = [{"role": "user", "content": INDENTED}]
        client.chat.completions.create(model="gpt-4o-mini", messages=messages, max_completion_tokens=10)
        return guard

    yield ask
    for guard in made:
        guard.close()


def counted(measured: Measured) -> dict[tuple[str, bool], int]:
    """How often each rule found something, and whether it was mended."""
    points = measured.points("tokenguard.lint.findings")
    return {(at["tokenguard.lint.code"], at["tokenguard.lint.mended"]): value for at, value in points}


def test_findings_are_on_the_span_and_counted(spans: Spans, measured: Measured, asked: Asked) -> None:
    """By their codes; what they were found in is nowhere."""
    asked(Lint())
    attributes = spans.named("tokenguard.call").attributes or {}
    codes: Any = attributes["tokenguard.lint.codes"]
    assert attributes["tokenguard.lint.findings"] >= len(codes) > 0  # type: ignore[operator]
    assert set(counted(measured)) == {(code, False) for code in codes}
    told = json.dumps([dict(span.attributes or {}) for span in spans()], default=str)
    assert SECRET not in told + str(measured.metrics())


def test_what_is_mended_is_told_apart(spans: Spans, measured: Measured, asked: Asked) -> None:
    """With the tokens that it saved."""
    asked(Lint(compress="safe"))
    attributes = spans.named("tokenguard.call").attributes or {}
    fixed: Any = attributes["tokenguard.lint.fixed"]
    assert {(code, True) for code in fixed} <= set(counted(measured))
    saved = attributes["tokenguard.lint.tokens_saved"]
    assert saved == measured.total("tokenguard.lint.tokens_saved") > 100


def test_a_call_that_is_refused_is_counted(measured: Measured, asked: Asked) -> None:
    """Though it has no span: nothing was done."""
    with pytest.raises(LintError):
        asked(Lint(max_input_tokens=10, on_error="raise"))
    assert any(code.startswith("TG1") for code, _ in counted(measured))


def test_nothing_is_said_where_nothing_was_found(spans: Spans, measured: Measured, asked: Asked) -> None:
    """A clean call looks like one without a linter."""
    asked(Lint(select=("TG6",)))
    attributes = spans.named("tokenguard.call").attributes or {}
    assert not [name for name in attributes if name.startswith("tokenguard.lint")]
    assert counted(measured) == {}
