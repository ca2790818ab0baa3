"""Families of models: what encodes their texts, what stands around a request's pieces, what media cost.

The numbers are the providers' own where they publish any. What they do not publish was found by comparing
this count with the ``usage`` in 1,300 recorded answers of theirs (public test suites of pydantic-ai,
openllmetry and llm-anthropic; docs/concepts/tokens.md has the errors that were left).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from tokenguard.tokens.images import Cells, Fit, Flat, Patches, Rule, Tiles
from tokenguard.tokens.names import spellings
from tokenguard.tokens.weights import Weights

Rendering = Literal["typescript", "json"]


class Framing(NamedTuple):
    """What a provider puts around the pieces of a request, in tokens.

    Attributes:
        request: Around all of it: where the answer begins.
        message: Around a message, with its role.
        system: Around instructions.
        name: Before an author's name.
        call: Around a tool's call, besides its name and arguments.
        names: How often a tool's name stands in a call and its answer.
        result: Around a tool's answer.
        together: Around several calls in one message.
        tools: Around all tools, in chat completions.
        tools_responses: The same in responses.
        after_system: What of that there is less where there are instructions: the tools stand in them.
        arguments: On top, where any tool has arguments.
        tool: On top for each tool.
        forced: What it is that ``tools`` is instead, where a tool must be called; 0: no different.
        named: For a tool that must be called, besides its name.
        none: For tools that may not be called.
        schema: Around the schema of an answer.
    """

    request: int = 3
    message: int = 4
    system: int = 4
    name: int = 1
    call: int = 7
    names: int = 2
    result: int = 6
    together: int = 17
    tools: int = 9
    tools_responses: int = 3
    after_system: int = 4
    arguments: int = 0
    tool: int = 0
    forced: int = 0
    named: int = 4
    none: int = 1
    schema: int = 0


class Spare(NamedTuple):
    """What a provider may add that no request shows: the most that was seen, with something on top.

    Attributes:
        request: In any request: for thinking, for effort.
        extras: Where there are tools, media or a schema besides.
    """

    request: int = 32
    extras: int = 320


class Family(NamedTuple):
    """Models that count alike.

    Attributes:
        name: What they are called.
        models: A pattern for the beginning of their names (:func:`~tokenguard.tokens.names.spellings`).
        encoding: What encodes their texts, where that is public.
        published: Whether it is. If not, texts are estimated with ``weights``.
        framing: What stands around things.
        rendering: How tools are written down for the model.
        images: What a picture is.
        page: What a page of a PDF is about, in tokens.
        sound: Tokens for a second of sound.
        weights: What is known of a tokenizer that is not public.
        framed: Whether ``framing`` was seen to be exact for texts.
        spare: What may be added unseen.
    """

    name: str
    models: str = ""
    encoding: str = "o200k_base"
    published: bool = True
    framing: Framing = Framing()
    rendering: Rendering = "typescript"
    images: Rule = Tiles(85, 170)
    page: int = 600
    sound: float = 10.0
    weights: Weights = Weights()
    framed: bool = True
    spare: Spare = Spare()

    @property
    def tokenizer(self) -> str:
        """What its counts of texts have in common with other families'."""
        return self.encoding if self.published else self.name


_BARE: Final = Framing(0, 0, 0)
"""Texts by themselves."""

CLAUDE_3: Final = Weights.prior(
    0.16,
    letters=1.21,
    capitals=1.17,
    digits=0.91,
    space=1.06,
    signs=1.40,
    unbroken=1.30,
    latin=1.16,
    greek_cyrillic=1.54,
    semitic=2.23,
    indic=2.41,
    rest=0.79,
    symbols=1.08,
    kana=0.84,
    han=1.38,
    hangul=1.83,
)
"""Claude 3 to 4.6. Like the next ones a robust least-squares fit to what Anthropic's count_tokens said of
some 2,500 texts: programs of Rosetta Code and MultiPL-E, the declaration of human rights in languages that
more than ten million people speak, documentation, JSON (recorded in https://github.com/sanderland/ctok, and
counted by it where nothing was recorded). On texts that were not in the fit half of the estimates are within
4 %, and 95 % of them within 14 %; in languages with few speakers within 35 %."""

CLAUDE_4_7: Final = Weights.prior(
    0.18,
    letters=1.94,
    capitals=3.12,
    digits=0.96,
    space=0.89,
    signs=1.40,
    unbroken=1.40,
    latin=1.01,
    greek_cyrillic=1.55,
    semitic=2.25,
    indic=2.41,
    rest=0.79,
    symbols=1.22,
    kana=0.84,
    han=1.38,
    hangul=1.84,
)
"""Claude since Opus 4.7: half within 5 %, 95 % within 16 %."""


def _claude(
    name: str,
    models: str,
    weights: Weights,
    images: Rule,
    request: int,
    tools: int,
    forced: int,
    tool: int = 3,
) -> Family:
    """A Claude: frames of its own, and a prompt for tools whose length is published.

    https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview
    """
    framing = Framing(
        request=request,
        message=3,
        system=0,
        name=0,
        call=32,
        names=1,
        result=26,
        together=0,
        tools=tools,
        tools_responses=tools,
        after_system=0,
        tool=tool,
        forced=forced,
        named=6,
        none=0,
        schema=130,
    )
    return Family(
        name,
        models,
        published=False,
        framing=framing,
        rendering="json",
        images=images,
        page=1600,
        weights=weights,
        spare=Spare(64, 400),
    )


_OLD: Final = Cells(1568, 1568)
_NEW: Final = Cells(2576, 4784, resized=40)
_NEWEST: Final = Cells(2000, 4784, resized=40)

_CLAUDES: Final = (
    _claude("Claude 3", r"claude-(3|2|instant)|claude-(opus|sonnet|haiku)-3", CLAUDE_3, _OLD, 4, 300, 340),
    _claude("Claude 4", r"claude-(opus|sonnet)-4(-[01])?$", CLAUDE_3, _OLD, 4, 313, 315),
    _claude("Claude 4.5, 4.6", r"claude-(opus|sonnet|haiku)-4-[56]", CLAUDE_3, _OLD, 4, 496, 588),
    _claude("Claude Opus 4.7", r"claude-opus-4-7", CLAUDE_4_7, _NEW, 8, 675, 804),
    _claude("Claude Sonnet 5", r"claude-sonnet-5$", CLAUDE_4_7, _NEW, 3, 354, 474, 12),
    _claude(
        "Claude Opus 4.8, 5", r"claude-(opus-4-8|(opus|fable|mythos)-5$)", CLAUDE_4_7, _NEW, 3, 290, 410, 12
    ),
    _claude("Claude 5.5", r"claude", CLAUDE_4_7, _NEWEST, 3, 354, 474, 12),
)

_REASONING: Final = Framing(
    request=2,
    call=10,
    result=9,
    together=0,
    tools=90,
    tools_responses=8,
    after_system=0,
    arguments=1,
    named=0,
    none=0,
)

_SMALL: Final = {"auto": Fit(None, 1536)}
_BOX: Final = {"auto": Fit(2048, 6144)}
_HIGH: Final = {"auto": Fit(2048, 2500), "low": Fit(2048, 6144), "original": Fit(6000, 10_000)}
_LARGE: Final = {"auto": Fit(6000, 10_000), "high": Fit(2048, 2500), "low": Fit(512)}
_WHOLE: Final = {"auto": Fit(), "high": Fit(2048, 2500), "low": Fit(512)}
_WHOLE_6: Final = {"auto": Fit(), "high": Fit(None, 2500), "low": Fit(512)}


def _reasoning(name: str, models: str, images: Rule) -> Family:
    return Family(name, models, framing=_REASONING, images=images, spare=Spare(request=64))


_OPENAI: Final = (
    Family("GPT-3.5, GPT-4", r"gpt-3\.?5|gpt-4(-|$)", "cl100k_base"),
    Family("GPT-4o mini", r"gpt-4o-mini", images=Tiles(2833, 5667)),
    Family("GPT-4.1 mini", r"gpt-4\.1-mini", images=Patches(1.62, _SMALL)),
    Family("GPT-4.1 nano", r"gpt-4\.1-nano", images=Patches(2.46, _SMALL)),
    Family("GPT-4o, 4.1, 4.5", r"gpt-4o|gpt-4\.1|gpt-4\.5|chatgpt-4o|gpt-audio"),
    _reasoning("o4-mini", r"o4-mini|codex-mini", Patches(1.72, _SMALL)),
    _reasoning("o1, o3", r"o[13](-|$)", Tiles(75, 150)),
    _reasoning("GPT-5 mini, nano", r"gpt-5(\.1)?-(codex-)?(mini|nano)", Patches(1.2, _SMALL)),
    _reasoning("GPT-5, 5.1", r"gpt-5(\.1)?(-|$)", Tiles(70, 140)),
    _reasoning("GPT-5.2, 5.3", r"gpt-5\.[23](-|$)", Patches(1.2, _BOX)),
    _reasoning("GPT-5.4", r"gpt-5\.4(-|$)", Patches(1.2, _HIGH)),
    _reasoning("GPT-5.5", r"gpt-5\.5(-|$)", Patches(1.2, _LARGE)),
    _reasoning("GPT-5.6", r"gpt-5\.6(-|$)", Patches(1.2, _WHOLE)),
    Family(
        "GPT-6",
        r"gpt-6",
        published=False,  # nor is it known to be another
        framing=_REASONING,
        images=Patches(1.2, _WHOLE_6),
        weights=Weights(error=0.1),
    ),
    Family("gpt-oss", r"gpt-oss", framing=_REASONING, framed=False, spare=Spare(256, 512)),
    Family("OpenAI embeddings", r"text-embedding-|davinci-002|babbage-002", "cl100k_base", framing=_BARE),
)

_OTHERS: Final = (
    Family(
        "Gemini 3", r"gemini-3", published=False, images=Flat(1100, 1120), page=560, sound=32.0, framed=False
    ),
    Family("Gemini", r"gemini", published=False, images=Flat(258, 4096), page=258, sound=32.0, framed=False),
)

FAMILIES: Final = (*_CLAUDES, *_OPENAI, *_OTHERS)
"""In order: the first whose pattern fits a model's name."""

UNKNOWN: Final = Family(
    "others", published=False, images=Flat(1100, 36_000), framed=False, spare=Spare(256, 512)
)
"""Models that nobody here knows: texts are estimated as if they were OpenAI's."""

_OWN: Final = {"openai": "gpt-4.1", "azure.ai.openai": "gpt-4.1", "anthropic": "claude"}
"""A provider's models whose names say nothing, such as deployments, count like these; less surely so."""


@lru_cache(maxsize=4096)
def family_of(model: str, provider: str = "") -> Family:
    """The family that a model is of, by whatever name it is called.

    Args:
        model: Its name, in any of the forms of :func:`~tokenguard.tokens.names.spellings`.
        provider: Whose it is, as in ``gen_ai.provider.name``: a help where the name says nothing.
    """
    names = spellings(model)
    for family in FAMILIES:
        if any(re.match(family.models, name) for name in names):
            return family
    if provider in _OWN:
        like = family_of(_OWN[provider])
        return like._replace(name=f"{provider}, others", published=False, framed=False, spare=Spare(256, 512))
    return UNKNOWN
