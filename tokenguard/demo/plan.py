"""Who asks what of which model, and how: two teams, three features, two SDKs, every way to call them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, NamedTuple

from tokenguard.demo.questions import Question, questions

Sdk = Literal["openai", "anthropic"]
Size = Literal["large", "small", "tiny"]
Way = Literal["sync", "async", "stream", "async stream", "responses", "abandoned stream"]
Models = Mapping[tuple[Sdk, Size], str]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some questions that one team asks for one feature, all in the same way."""

    team: str
    feature: str
    sdk: Sdk
    model: str
    way: Way
    questions: tuple[Question, ...]

    @property
    def is_async(self) -> bool:
        """Whether the calls are made at the same time, by an asynchronous client."""
        return self.way.startswith("async")


class _Shape(NamedTuple):
    team: str
    feature: str
    sdk: Sdk
    size: Size
    way: Way
    asked: int


_SHAPES: Final = (
    _Shape("tutoring", "homework", "openai", "large", "sync", 7),
    _Shape("tutoring", "homework", "anthropic", "large", "async", 7),
    _Shape("tutoring", "homework", "openai", "small", "stream", 6),
    _Shape("tutoring", "fact-check", "openai", "small", "async", 7),
    _Shape("tutoring", "fact-check", "anthropic", "small", "stream", 3),
    _Shape("editorial", "fact-check", "anthropic", "small", "sync", 6),
    _Shape("editorial", "fact-check", "openai", "small", "responses", 4),
    # First in its feature: its question has the longest answer, of which most is never read.
    _Shape("editorial", "glossary", "openai", "tiny", "abandoned stream", 1),
    _Shape("editorial", "glossary", "openai", "large", "stream", 6),
    _Shape("editorial", "glossary", "openai", "small", "responses", 6),
    _Shape("editorial", "glossary", "anthropic", "small", "async stream", 7),
)


def batches(models: Models, *, at_most: int | None = None) -> Iterator[Batch]:
    """The batches to ask, in order; those of an SDK without models are left out.

    Args:
        models: A model for each SDK and size.
        at_most: Questions in a batch, where fewer than usual are wanted.
    """
    left = {
        feature: iter([q for q in questions() if q.feature == feature])
        for feature in dict.fromkeys(shape.feature for shape in _SHAPES)
    }
    for team, feature, sdk, size, way, asked in _SHAPES:
        model = models.get((sdk, size))
        if model is not None:
            chosen = islice(left[feature], asked if at_most is None else min(asked, at_most))
            yield Batch(team, feature, sdk, model, way, tuple(chosen))
