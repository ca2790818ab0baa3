"""Public prices: a snapshot of genai-prices read one provider at a time, or the installed package.

The snapshot is used as long as it was made from the version that is installed: it loads in a
millisecond, where importing the package costs tens. Another installed version is what the user
chose, so it is read instead: slower on the first call, and with its own prices.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from tokenguard import faults
from tokenguard.call import Json
from tokenguard.pricing.matching import matches, spellings
from tokenguard.pricing.rates import ModelRates

SNAPSHOT: Final = Path(__file__).parent / "snapshot"


class Found(NamedTuple):
    """A model that was found, and whether in the provider's own list or in one it falls back to."""

    rates: ModelRates
    own: bool


class SnapshotSource:
    """The files that ship with us, read on demand."""

    def __init__(self, folder: Path = SNAPSHOT) -> None:
        self._folder = folder
        self._index: Json = self._read("index")

    @property
    def version(self) -> str:
        """The version of genai-prices that the snapshot was made from."""
        return str(self._index["version"])

    def heads(self) -> Sequence[Json]:
        """Every provider's ``id``, ``api_pattern`` and ``models`` clause, in order of precedence."""
        heads: list[Json] = self._index["providers"]
        return heads

    def provider(self, provider: str) -> Json:
        """One provider: ``fallback`` ids, and ``models`` in order of precedence.

        Raises:
            KeyError: There is no such provider.
        """
        if all(head["id"] != provider for head in self.heads()):
            raise KeyError(provider)
        return self._read(provider)

    def _read(self, name: str) -> Json:
        data: Json = json.loads((self._folder / f"{name}.json").read_bytes())
        return data


class InstalledSource:
    """The installed genai-prices."""

    def __init__(self, version: str) -> None:
        from tokenguard.pricing import genai

        self.version = version
        self._provider_json = genai.provider_json
        self._providers: dict[str, Any] = {provider.id: provider for provider in genai.providers()}
        self._heads = [genai.provider_head(provider) for provider in self._providers.values()]

    def heads(self) -> Sequence[Json]:
        """As :meth:`SnapshotSource.heads`."""
        return self._heads

    def provider(self, provider: str) -> Json:
        """As :meth:`SnapshotSource.provider`."""
        return self._provider_json(self._providers[provider])


_NOTHING: Final[Json] = {"fallback": [], "models": []}


class Catalogue:
    """Finds a model's prices in a source. What cannot be read is noted, and then has no prices."""

    def __init__(self, source: SnapshotSource | InstalledSource) -> None:
        self._source = source
        self._read: dict[str, Json] = {}

    @property
    def version(self) -> str:
        """The version of genai-prices whose prices these are."""
        return self._source.version

    @cached_property
    def providers(self) -> tuple[str, ...]:
        """The ids of all providers."""
        return tuple(head["id"] for head in self._source.heads())

    def find(self, provider: str, name: str) -> Found | None:
        """The prices of a model under any name it goes by, in the order that genai-prices looks.

        The name as it is comes first, in the provider's own list and then in those it falls back
        to; after that the name with a compact date spelled out, in the same order.
        """
        for spelling in spellings(name):
            if row := self._row(provider, spelling):
                return Found(ModelRates.from_json(provider, row), own=True)
            for other in self._provider(provider)["fallback"]:
                if row := self._row(other, spelling):
                    return Found(ModelRates.from_json(other, row), own=False)
        return None

    def models(self, provider: str) -> list[str]:
        """The ids of a provider's own models."""
        return [row["id"] for row in self._provider(provider)["models"]]

    def provider_at(self, origin: str) -> str | None:
        """The provider whose API is at an origin (``https://host[:port]``), if any."""
        url = f"{origin}/"
        for head in self._source.heads():
            if re.match(head["api_pattern"], url):
                return str(head["id"])
        return None

    def provider_named_like(self, name: str) -> str | None:
        """The provider that models with such a name usually are of (``claude-...``: anthropic)."""
        lower = name.lower()
        for head in self._source.heads():
            if head["models"] is not None and matches(head["models"], lower):
                return str(head["id"])
        return None

    def _row(self, provider: str, spelling: str) -> Json | None:
        models: list[Json] = self._provider(provider)["models"]
        return next((row for row in models if matches(row["match"], spelling)), None)

    def _provider(self, provider: str) -> Json:
        read = self._read.get(provider)
        if read is None:
            read = self._read[provider] = self._load(provider)
        return read

    def _load(self, provider: str) -> Json:
        if provider not in self.providers:
            return _NOTHING
        try:
            return self._source.provider(provider)
        except Exception as error:  # prices that cannot be read must not fail a call: it goes unpriced
            faults.note("pricing.catalogue", error)
            return _NOTHING


@cache
def shared() -> Catalogue:
    """The catalogue of this process, opened once: the snapshot, or the installed genai-prices."""
    snapshot = SnapshotSource()
    installed = _installed_version()
    if installed is None or installed == snapshot.version:
        return Catalogue(snapshot)
    try:
        return Catalogue(InstalledSource(installed))
    except Exception as error:  # a package whose shape we do not know: the snapshot's prices stand
        faults.note("pricing.catalogue", error)
        return Catalogue(snapshot)


def _installed_version() -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("genai-prices")
    except PackageNotFoundError:
        return None
