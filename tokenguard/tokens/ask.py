"""Ask the provider how many tokens a request is: exact, free, and a request over the network of its own.

OpenAI counts requests of the Responses API, Anthropic those of the Messages API (developers.openai.com,
"Counting tokens"; docs.anthropic.com, "Token counting"). What no endpoint counts is refused, not guessed.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from tokenguard.call import Json
from tokenguard.errors import ConfigError
from tokenguard.tokens.request import Count


class _Endpoint(NamedTuple):
    """What of an SDK's client counts requests of a dialect."""

    dialect: str
    method: Callable[[Any], Callable[..., Any]]


_ENDPOINTS: Final = {
    "openai": _Endpoint("openai.responses", lambda client: client.responses.input_tokens.count),
    "anthropic": _Endpoint("anthropic.messages", lambda client: client.messages.count_tokens),
}


def ask(client: Any, dialect: str, body: Json) -> Count:
    """How many input tokens a request is, as the provider says.

    Args:
        client: A synchronous client of the openai or anthropic SDK, guarded or not.
        dialect: The request's wire format: ``openai.responses`` or ``anthropic.messages``.
        body: The request.

    Raises:
        ConfigError: No endpoint counts requests of that format, or the client is of another SDK.
        openai.OpenAIError: The SDK's, where the provider cannot be reached, or refuses to count.
        anthropic.AnthropicError: Likewise.
    """
    method, arguments = _prepared(client, dialect, body)
    return _counted(method(**arguments))


async def ask_async(client: Any, dialect: str, body: Json) -> Count:
    """As :func:`ask`, with an asynchronous client."""
    method, arguments = _prepared(client, dialect, body)
    answer: Awaitable[Any] = method(**arguments)
    return _counted(await answer)


def counts(dialect: str) -> str | None:
    """The SDK whose provider counts requests of a format; ``None`` where none does."""
    return next((sdk for sdk, endpoint in _ENDPOINTS.items() if endpoint.dialect == dialect), None)


def _prepared(client: Any, dialect: str, body: Json) -> tuple[Callable[..., Any], Json]:
    sdk = counts(dialect)
    if sdk is None:
        known = " and ".join(endpoint.dialect for endpoint in _ENDPOINTS.values())
        raise ConfigError(
            f"no provider counts requests of the format {dialect}; only {known} can be asked for"
        )
    if not any(cls.__module__.partition(".")[0] == sdk for cls in type(client).__mro__):
        raise ConfigError(
            f"a request of the format {dialect} is counted with a client of the {sdk} SDK; "
            f"{type(client).__module__}.{type(client).__qualname__} is none"
        )
    method = _ENDPOINTS[sdk].method(client)
    takes = inspect.signature(method).parameters
    return method, {name: value for name, value in body.items() if name in takes}


def _counted(answer: Any) -> Count:
    tokens = int(answer.input_tokens)
    return Count(tokens, "exact", 0.0, tokens)
