"""Answers recorded earlier, found again by the last text of the user."""

from __future__ import annotations

import json
from pathlib import Path

from tokenguard.testing.script import Answer

_Key = tuple[str | None, str | None, str]


class Recorded:
    """The rows of a file of recorded answers.

    Each line is a JSON object: ``prompt`` (the exact last text of the user), ``answer``, and optionally
    ``dialect`` (``openai_chat``, ``openai_responses``, ``openai_completions``, ``anthropic_messages``),
    ``model`` and ``usage`` (a usage block as the provider sent it). Rows that name a dialect or a model
    are only for those; the row that names most wins, and of equals the last.

    Raises:
        OSError: the file cannot be read.
        ValueError: a line is not such an object; the message names the line.
    """

    def __init__(self, path: str | Path) -> None:
        self._answers: dict[_Key, Answer] = {}
        with Path(path).open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    key, answer = _row(line, f"{path}:{number}")
                    self._answers[key] = answer

    def find(self, dialect: str, model: str, prompt: str) -> Answer | None:
        """The answer recorded for a prompt, ``None`` if there is none."""
        for key in ((dialect, model), (None, model), (dialect, None), (None, None)):
            if (answer := self._answers.get((*key, prompt))) is not None:
                return answer
        return None


def _row(line: str, place: str) -> tuple[_Key, Answer]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{place}: not JSON: {error}") from None
    if not isinstance(row, dict) or not isinstance(row.get("prompt"), str):
        raise ValueError(f"{place}: a row needs a 'prompt' that is a string")
    if not isinstance(row.get("answer"), str):
        raise ValueError(f"{place}: a row needs an 'answer' that is a string")
    key = (row.get("dialect"), row.get("model"), row["prompt"])
    return key, Answer(text=row["answer"], usage=row.get("usage"))
