"""What makes vectors of texts: a protocol, and any endpoint that speaks OpenAI's embeddings format."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Final, Protocol

from tokenguard.errors import ConfigError

TIMEOUT_S: Final = 2.0


class Embedder(Protocol):
    """Makes vectors of texts, of which those with a like meaning point in a like direction.

    Attributes:
        name: Which model makes them; vectors of two names are never compared.
        may_block: Whether it may take as long as a network does; an event loop then uses a thread.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def may_block(self) -> bool: ...  # noqa: D102

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One vector for each text, all of one length. May raise anything: that is a miss."""
        ...


class EndpointEmbedder:
    """Makes vectors by calls to an embeddings endpoint.

    Give it a client that a guard has wrapped, and every vector is metered as any other call is: it has a
    receipt, a span, and a row in the ledger.

    Args:
        client: An ``openai`` client, not an asynchronous one; an event loop uses it in a thread.
        model: The embedding model.
        dimensions: The length of the vectors, for models that leave the choice.
        timeout: Seconds after which the cache goes on without a vector. It is never tried again.
        name: What the vectors are called; by default the endpoint and the model. Give a name where one
            model is behind several addresses.

    Raises:
        ConfigError: It is no such client.
    """

    may_block = True

    def __init__(
        self,
        client: Any,
        model: str,
        *,
        dimensions: int | None = None,
        timeout: float = TIMEOUT_S,
        name: str | None = None,
    ) -> None:
        create = getattr(getattr(client, "embeddings", None), "create", None)
        if create is None or not hasattr(client, "with_options"):
            raise ConfigError(f"EndpointEmbedder({type(client).__name__}): give a client of the openai SDK")
        if inspect.iscoroutinefunction(create):
            raise ConfigError(
                f"EndpointEmbedder({type(client).__name__}): give a synchronous client; it is used in a "
                "thread, so an event loop does not wait for it"
            )
        self._client = client.with_options(max_retries=0, timeout=timeout)
        self._model = model
        self._options: dict[str, Any] = {} if dimensions is None else {"dimensions": dimensions}
        ending = "" if dimensions is None else f"@{dimensions}"
        self.name = name or f"{str(client.base_url).rstrip('/')} {model}{ending}"

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """The vectors of texts, in one request.

        Raises:
            openai.OpenAIError: There are none.
        """
        made = self._client.embeddings.create(model=self._model, input=list(texts), **self._options)
        return [one.embedding for one in sorted(made.data, key=lambda one: one.index)]
