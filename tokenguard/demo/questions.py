"""The questions that the demo asks; ``data/NOTICE`` says where they come from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RECORDED: Final = Path(__file__).with_name("data") / "questions.jsonl"
"""Questions with their answers, as ``python -m tokenguard.testing --recorded`` takes them."""


@dataclass(frozen=True, slots=True)
class Question:
    """One multiple-choice question: what is asked, for which feature, and a right answer to it."""

    id: str
    subject: str
    feature: str
    prompt: str
    answer: str


def questions() -> list[Question]:
    """All questions, in the order of the file."""
    with RECORDED.open(encoding="utf-8") as lines:
        return [Question(**json.loads(line)) for line in lines]
