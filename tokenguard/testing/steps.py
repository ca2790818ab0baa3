"""Scripts of a provider as data, for ``python -m tokenguard.testing --script``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenguard.testing.provider import Provider
from tokenguard.testing.script import Answer, ToolCall

_VERBS = ("answer", "fail", "fault")


def run_steps(provider: Provider, path: Path) -> None:
    """Give a provider the steps of a file, in their order.

    The file is a JSON list. Each step is an object with one of the keys ``answer`` (a text, or the fields
    of an :class:`Answer`), ``fail`` (arguments of :meth:`Provider.fail`) or ``fault`` (arguments of
    :meth:`Provider.fault`), and optionally ``times`` (a number or null) and ``model``::

        [{"fail": {"status": 429, "retry_after": 2}},
         {"answer": "Paris.", "model": "gpt-4o"},
         {"fault": {"stall_after": 3}, "times": null}]

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a list; the message names the step.
    """
    steps = json.loads(path.read_text("utf-8"))
    if not isinstance(steps, list):
        raise ValueError(f"{path}: expected a list of steps")
    for number, step in enumerate(steps, 1):
        try:
            _run(provider, step)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: step {number}: {error}") from None


def _run(provider: Provider, step: Any) -> None:
    verbs = [verb for verb in _VERBS if isinstance(step, dict) and verb in step]
    if len(verbs) != 1:
        raise ValueError("a step needs exactly one of 'answer', 'fail' and 'fault'")
    if unknown := step.keys() - {*verbs, "times", "model"}:
        raise ValueError(f"unknown key {sorted(unknown)[0]!r}")
    options = {key: step[key] for key in ("times",) if key in step}
    told = step[verbs[0]]
    if verbs[0] == "answer":
        provider.answer(_answer(told), when=step.get("model"), **options)
    elif not isinstance(told, dict):
        raise ValueError(f"{verbs[0]!r} takes an object")
    elif verbs[0] == "fail":
        provider.fail(when=step.get("model"), **options, **told)
    else:
        provider.fault(when=step.get("model"), **options, **told)


def _answer(told: Any) -> str | Answer:
    if isinstance(told, str):
        return told
    if not isinstance(told, dict):
        raise ValueError("'answer' takes a text or an object")
    calls = tuple(ToolCall(**call) for call in told.get("tool_calls") or ())
    return Answer(**{**told, "tool_calls": calls})
