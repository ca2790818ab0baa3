"""The tables of docs/concepts/tokens.md, as the code has them.

``python -m tests.tokens.reference`` writes them into the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tokenguard.tokens.estimate import CLASSES
from tokenguard.tokens.families import CLAUDE_3, CLAUDE_4_7, FAMILIES, Family
from tokenguard.tokens.images import Cells, Fit, Flat, Patches, Tiles

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "tokens.md"


def sections() -> dict[str, str]:
    """What stands between ``<!-- name -->`` and ``<!-- /name -->``, by the name."""
    return {
        "families": "\n".join([_HEAD_OF_FAMILIES, *_families()]),
        "pictures": "\n".join([_HEAD_OF_PICTURES, *map(_picture, FAMILIES)]),
        "weights": "\n".join([_HEAD_OF_WEIGHTS, *_weights()]),
    }


def written(page: str) -> str:
    """The page with its tables as they are to be."""
    for name, text in sections().items():
        between = re.compile(rf"<!-- {name} -->\n.*?<!-- /{name} -->", re.S)
        whole = f"<!-- {name} -->\n\n{text}\n\n<!-- /{name} -->"
        page, found = between.subn(lambda _, whole=whole: whole, page)  # type: ignore[misc]
        assert found == 1, f"the page has no place for {name}, or several"
    return page


_HEAD_OF_FAMILIES = (
    "| Models | Texts | Around a request | a message | a call and its answer | tools |\n"
    "| --- | --- | --- | --- | --- | --- |"
)
_HEAD_OF_PICTURES = "| Models | A picture |\n| --- | --- |"
_HEAD_OF_WEIGHTS = "| Characters | Claude 3 to 4.6 | since Opus 4.7 |\n| --- | --- | --- |"


def _families() -> Iterable[str]:
    alike: dict[str, list[str]] = {}
    for family in FAMILIES:
        alike.setdefault(_family(family), []).append(family.name)
    for row, names in alike.items():
        yield f"| {'; '.join(names)} | {row} |"


def _family(family: Family) -> str:
    framing = family.framing
    texts = f"`{family.encoding}`" if family.published else f"estimated, ± {family.weights.error:.0%}"
    tools = f"{framing.tools}"
    if framing.tools != framing.tools_responses:
        tools += f" in chat, {framing.tools_responses} in responses"
    call = f"{framing.call + framing.result}{' and the name again' if framing.names > 1 else ''}"
    return f"{texts} | {framing.request} | {framing.message} | {call} | {tools}"


def _picture(family: Family) -> str:
    return f"| {family.name} | {_formula(family.images)} |"


def _formula(rule: object) -> str:
    match rule:
        case Tiles(base, tile):
            return f"{base:,}, and {tile:,} for each tile of 512 pixels"
        case Patches(factor, fits, _):
            shown = "; ".join(f"`{detail}`: {_fit(fit)}" for detail, fit in fits.items())
            return f"{factor:g} for each patch of 32 pixels. {shown}"
        case Cells(edge, budget, extra, resized):
            return (
                f"one for each cell of 28 pixels, and {extra}. Edge {edge:,} pixels, {budget:,} cells; "
                f"{resized} more above 2,000 pixels"
            )
        case Flat(about, most):
            return f"about {about:,}, at most {most:,}"
    raise TypeError(rule)


def _fit(fit: Fit) -> str:
    parts = []
    if fit.edge:
        parts.append(f"edge {fit.edge:,} pixels")
    if fit.patches:
        parts.append(f"{fit.patches:,} patches")
    return ", ".join(parts) or "as it is"


def _weights() -> Iterable[str]:
    for name, old, new in zip(CLASSES, CLAUDE_3.classes, CLAUDE_4_7.classes, strict=True):
        yield f"| {name.replace('_', ', ')} | {old:.2f} | {new:.2f} |"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
