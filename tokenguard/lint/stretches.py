"""Take a text apart in one walk: JSON, what is to stay as it is, and the rest.

They are found together since each hides the other: a sign of a template within a string of JSON is none, and
what looks like JSON within code is that language's own.
"""

from __future__ import annotations

import re
from typing import Final

from tokenguard.lint import json_blocks, verbatim
from tokenguard.lint.json_blocks import Decoder, JsonBlock
from tokenguard.lint.verbatim import Ends, Verbatim

_OPENING: Final = re.compile(rf"(?P<json>{json_blocks.OPENING})|{verbatim.OPENING}", re.I)
_SIGN: Final = re.compile(r"[`~<{\[]")
"""With one of these all of them begin. Most characters are none, which a set alone finds out fastest."""

_JSON: Final = frozenset(("", "json", "jsonl", "ndjson", "jsonc"))
"""Languages of fences in which JSON may be: of one that says none, it is seen."""


def find(text: str) -> tuple[tuple[Verbatim, ...], tuple[JsonBlock, ...]]:
    """What is to stay as it is, and the JSON, each in order. JSON may be within a fence, and nowhere else."""
    ends, decoder = Ends(text), Decoder(text)
    stretches: list[Verbatim] = []
    blocks: list[JsonBlock] = []
    position = least = 0
    while sign := _SIGN.search(text, position):
        opening = _OPENING.match(text, sign.start())
        is_json = opening is not None and opening["json"]
        found: JsonBlock | Verbatim | None = None
        if opening:
            found = decoder.at(sign.start()) if is_json else ends.of(opening, least)
        if found is None:
            position = opening.end() if opening and not is_json else sign.end()
            continue
        position = least = found.end
        if isinstance(found, JsonBlock):
            blocks.append(found)
        else:
            stretches.append(found)
            if found.language in _JSON:
                blocks += decoder.within(found.inner, found.end)
    return tuple(stretches), tuple(blocks)
