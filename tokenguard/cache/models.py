"""Whether the model that answered is the one that was asked for, as far as their names say.

A provider or a gateway may fall back to another model, whose answer is not to be given again once the right
one is back. But an alias is answered by a snapshot of what it stands for, whose name may be quite another.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from tokenguard import faults
from tokenguard.pricing.catalogue import Catalogue, shared

_SNAPSHOT: Final = re.compile(r"[-@:](?:\d{4}(?!\d?[a-z]).*|v\d.*|latest)")
"""What a snapshot's name has behind the model's: a date or a version. ``-mini`` names another model."""

_DATE: Final = re.compile(r"[-@:](\d{4}-\d\d-\d\d|\d{4}|\d{6}|\d{8})(?![^-@:])")
_VERSION: Final = re.compile(r"(?<=\d)-(?=\d)")
_WORD: Final = re.compile(r"[^-@:]+")
_EMPTY: Final = frozenset({"preview", "latest", "turbo"})
"""Words that tell no two models apart which have one price: ``gpt-4-0125-preview`` is a GPT-4 Turbo."""

_MAKERS: Final = ("openai", "anthropic")


def is_same_model(asked: str, served: str, *, at_its_maker: bool) -> bool:
    """Whether a model is the one that was asked for, under this name or another.

    * It is, if one name is the other with a date or a version behind it.
    * It is, if the names have the same words but for dates, in whatever order; and for words like ``preview``
      or ``turbo``, if the price book has one model for both. Likewise if the one asked for is short for the
      one in the book (``gpt-5.6`` for ``gpt-5.6-sol``). Whoever asks for a date gets that one.
    * Otherwise, it is not at its maker. Elsewhere a deployment or a gateway has names of its own, which say
      nothing: there it is another one if both names are of some maker's models.

    Args:
        asked: The model asked for.
        served: The model that is said to have answered.
        at_its_maker: Whether OpenAI or Anthropic itself was asked.
    """
    if _differ_in_snapshot(asked, served):
        return True
    # A gateway puts the publisher before a model: openai/gpt-4o.
    asked, served = (name.rpartition("/")[2].lower() for name in (asked, served))
    if _differ_in_snapshot(asked, served) or _is_alias(asked, served):
        return True
    return not at_its_maker and None in (_known(asked).maker, _known(served).maker)


def _differ_in_snapshot(asked: str, served: str) -> bool:
    asked = asked.removesuffix("-latest").removesuffix("-0")
    shorter, longer = sorted((asked, served), key=len)
    if longer == shorter:
        return True
    return longer.startswith(shorter) and bool(_SNAPSHOT.fullmatch(longer, len(shorter)))


def _is_alias(asked: str, served: str) -> bool:
    dates = _DATE.findall(asked)
    if dates and dates != _DATE.findall(served):
        return False
    one, other = _known(asked).model, _known(served).model
    if one is None or other is None:
        return _words(asked) == _words(served)
    if one != other:
        return False
    is_short = one.startswith(f"{asked}-") and _differ_in_snapshot(one, served)
    return is_short or _words(asked) - _EMPTY == _words(served) - _EMPTY


def _words(name: str) -> frozenset[str]:
    """What is in a name but for dates; ``4-5`` is ``4.5``."""
    return frozenset(_WORD.findall(_VERSION.sub(".", _DATE.sub("", name))))


class _Known(NamedTuple):
    """What the price book knows of a name: whose model it is, and which one."""

    maker: str | None = None
    model: str | None = None


@lru_cache(maxsize=1024)
def _known(name: str) -> _Known:
    try:
        return _looked_up(shared(), name)
    except Exception as error:  # prices that cannot be read: then nothing is known
        faults.note("cache.models", error)
        return _Known()


def _looked_up(catalogue: Catalogue, name: str) -> _Known:
    for maker in _MAKERS:
        found = catalogue.find(maker, name)
        if found is not None:
            return _Known(maker, found.rates.model)
    return _Known(catalogue.provider_named_like(name))
