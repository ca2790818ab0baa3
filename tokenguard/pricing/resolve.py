"""Which price list a call is billed by, and under which name: decided here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tokenguard.call import Where
from tokenguard.pricing.catalogue import Catalogue

# gen_ai.provider.name of the OpenTelemetry conventions, and the provider id of genai-prices. A name
# that is not here is the same in both.
_PROVIDERS: Final = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "aws.bedrock": "aws",
    "gcp.vertex_ai": "google",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "x_ai": "x-ai",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
}


def price_provider(where: Where, catalogue: Catalogue) -> str | None:
    """The provider, as in genai-prices, whose price list an endpoint is billed by.

    * An endpoint that the URL identifies (channels direct, azure, bedrock, vertex) is billed by its
      own provider's list.
    * A compatible endpoint speaks OpenAI's or Anthropic's language, which says nothing of its prices.
      It is billed by the provider whose published API address it has; without one, only an override
      gives it a price.
    * A compatible endpoint on the loopback interface is a gateway or a test server in front of the
      real thing: it is billed as the provider whose language it speaks.
    """
    own = _PROVIDERS.get(where.provider, where.provider)
    if where.channel == "compatible" and not is_loopback(where.host):
        return catalogue.provider_at(where.origin)
    return own if own in catalogue.providers else catalogue.provider_at(where.origin)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: ``localhost``, ``127.0.0.0/8`` or ``::1``."""
    name = host.strip("[]").lower()
    return name in ("localhost", "::1") or (name.startswith("127.") and name.replace(".", "").isdigit())


def resolve_model(
    where: Where,
    *,
    requested: str,
    served: str | None,
    deployments: Mapping[str, str],
    known: Callable[[str], bool],
) -> str:
    """The name of the model that a call is billed for.

    1. The model that ``deployments`` gives for the Azure deployment or the requested name: the
       application's word counts.
    2. On Bedrock the requested id: its prefix (``global.``, ``us.``) has a price, and the reply
       leaves it out.
    3. The model that served the call, where it has a price. A snapshot too new for the price list
       (``gpt-5-2026-11-30``, requested as ``gpt-5``) is billed as the name it was requested by, for
       that is what an alias stands for.
    4. What was requested, where the reply names no model.

    A served model that is neither known nor a snapshot of the requested one keeps its own name, and
    goes unpriced: another model's price would be a guess.

    Args:
        where: The endpoint.
        requested: The model named in the request or in its path.
        served: The model named in the reply, if there was one.
        deployments: Models by deployment or requested name.
        known: Whether there is a price for a name at this endpoint.
    """
    for alias in (where.deployment, requested):
        if alias is not None and alias in deployments:
            return deployments[alias]
    if where.channel == "bedrock" and requested:
        return requested
    if not served or (_is_snapshot(served, requested) and not known(served)):
        return requested
    return served


def _is_snapshot(served: str, requested: str) -> bool:
    alias = requested.removesuffix("-latest")
    rest = served.removeprefix(f"{alias}-")
    return bool(alias) and rest != served and rest[:1].isdigit()


def names_of(where: Where, model: str) -> tuple[str, ...]:
    """The names to look a model up by: as it is, then without the publisher that Vertex AI puts before it."""
    if where.channel == "vertex" and "/" in model:
        return model, model.rsplit("/", 1)[1]
    return (model,)
