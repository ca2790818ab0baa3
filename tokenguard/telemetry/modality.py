"""Tokens by what they stand for, as far as a provider tells them apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from tokenguard.call import Meter

SENT: Final = frozenset(meter for meter in Meter if not meter.is_output and meter.unit == "token")
PRODUCED: Final = frozenset(meter for meter in Meter if meter.is_output)
READ: Final = frozenset({Meter.CACHE_READ, Meter.AUDIO_CACHE_READ, Meter.IMAGE_CACHE_READ})
WRITTEN: Final = frozenset({Meter.CACHE_WRITE, Meter.CACHE_WRITE_1H})

_MODALITY: Final = {
    Meter.AUDIO_INPUT: "audio",
    Meter.AUDIO_CACHE_READ: "audio",
    Meter.AUDIO_OUTPUT: "audio",
    Meter.IMAGE_INPUT: "image",
    Meter.IMAGE_CACHE_READ: "image",
    Meter.IMAGE_OUTPUT: "image",
}


def by_modality(meters: Mapping[Meter, int], among: Collection[Meter]) -> dict[str, int]:
    """The tokens of some meters as ``text``, ``audio`` and ``image``; empty where there are none.

    A provider that counts no audio and no images apart does not say that all the rest is text: then
    it is ``unknown``, as the conventions ask.
    """
    rest = "unknown" if _MODALITY.keys().isdisjoint(meters) else "text"
    made: dict[str, int] = {}
    for meter, n in meters.items():
        if meter in among:
            kind = _MODALITY.get(meter, rest)
            made[kind] = made.get(kind, 0) + n
    return made
