"""An embeddings endpoint said as data: the guard that uses it makes its client, and meters its calls."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from tokenguard.cache.similar.embedder import EndpointEmbedder
from tokenguard.durations import Duration, seconds
from tokenguard.errors import ConfigError

_OPENAI: Final = "https://api.openai.com/v1"
_KEY_ENV: Final = "OPENAI_API_KEY"
_NO_KEY: Final = "none"
"""What is sent where nobody needs a key: the SDK wants one."""

_VARIABLE: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class DescribedEmbedder:
    """Makes vectors by calls to an embeddings endpoint, once a guard has given it a client.

    Attributes:
        model: The embedding model.
        base_url: The endpoint; by default ``OPENAI_BASE_URL``, else OpenAI's.
        api_key_env: The environment variable that has the API key: ``OPENAI_API_KEY``. With a ``base_url``
            no key is sent unless its variable is named, for it may be another one's endpoint.
        dimensions: The length of the vectors, for models that leave the choice.
        timeout: How long to wait for a vector. It is never tried again.
        name: What the vectors are called; by default the endpoint and the model.

    Raises:
        ConfigError: A value is none that this can be.
    """

    model: str
    base_url: str | None = None
    api_key_env: str | None = None
    dimensions: int | None = None
    timeout: Duration = "2s"
    name: str = ""
    may_block: bool = field(default=True, init=False)
    _endpoint: EndpointEmbedder | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise ConfigError(
                f"Similar(base_url={self.base_url!r}): give a URL, such as 'http://localhost:8080/v1'"
            )
        if self.api_key_env is not None and not _VARIABLE.fullmatch(self.api_key_env):
            raise ConfigError(  # and do not show it: it may be the key
                "Similar(api_key_env=...): give the name of an environment variable, and not the key in it"
            )
        if seconds(self.timeout, "Similar(timeout)") == 0:
            raise ConfigError(
                "Similar(timeout=0): there would never be a vector; leave [cache.similar] out instead"
            )
        if not self.name:
            address = (self.base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI).rstrip("/")
            ending = "" if self.dimensions is None else f"@{self.dimensions}"
            object.__setattr__(self, "name", f"{address} {self.model}{ending}")

    def connect(self, adopt: Callable[[Any], None]) -> None:
        """Make the client, and have a guard adopt it. A second guard leaves it to the first.

        Raises:
            ConfigError: ``openai`` is not installed, or the variable with the key is not set.
        """
        if self._endpoint is not None:
            return
        if find_spec("openai") is None:
            raise ConfigError(
                f"the embedder {self.name!r} needs openai, which is not installed: "
                'pip install "tokenguard-middleware[openai]"'
            )
        client = import_module("openai").OpenAI(base_url=self.base_url, api_key=self._key())
        adopt(client)
        made = EndpointEmbedder(
            client,
            self.model,
            dimensions=self.dimensions,
            timeout=seconds(self.timeout, "Similar(timeout)"),
            name=self.name,
        )
        object.__setattr__(self, "_endpoint", made)

    def _key(self) -> str:
        variable = self.api_key_env or (None if self.base_url else _KEY_ENV)
        if variable is None:
            return _NO_KEY
        key = os.environ.get(variable)
        if not key:
            raise ConfigError(
                f"the embedder {self.name!r} needs an API key, and the variable {variable} is not set; "
                "set it, or name the one that has the key with api_key_env in [cache.similar]"
            )
        return key

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """The vectors of texts, in one request.

        Raises:
            openai.OpenAIError: There are none.
            ConfigError: No guard has given it a client.
        """
        if self._endpoint is None:
            raise ConfigError(f"the embedder {self.name!r} is used by no guard")
        return self._endpoint.embed(texts)
