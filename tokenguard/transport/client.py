"""Put the seam into a client: a genuine object of the same class, sending through a guarded transport.

The guarded HTTP client is configured like the original and forwards to the original's own transport
for the URL, so that proxies, mounts, TLS, limits, hooks and timeouts go on working and the original's
lifetime stays with whoever made it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

from tokenguard.errors import ConfigError, NotWrappableError
from tokenguard.transport.exchange import Services
from tokenguard.transport.flavour import Flavour, of_client
from tokenguard.transport.seam import Seam
from tokenguard.transport.sync import SyncTransport

_LIKE_THE_ORIGINAL: Final = ("_auth", "_params", "_headers", "_cookies", "_event_hooks")
"""What an HTTP client's constructor copies but ours shares, so that later changes are seen."""


def wrapped(client: Any, services: Services, retries: int | None, *, quiet: bool) -> Any:
    """A copy of an SDK client whose requests go through the guard.

    Args:
        client: Any client of the openai or anthropic SDK.
        services: What the guard gives its seams.
        retries: Further attempts; ``None`` takes the client's own ``max_retries``.
        quiet: Whether to switch off the anthropic SDK's own spans, which would double ours.

    Raises:
        NotWrappableError: It is not a client of either SDK.
        ConfigError: Another guard has it already.
    """
    http_client, sdk = _parts(client)
    owns_loop = services.policies.retry is not None
    owner = guarded_by(http_client)
    if owner is not None:
        _same_guard(owner, services)
        return client.with_options(max_retries=0) if owns_loop and client.max_retries else client
    allowed = client.max_retries if retries is None else retries
    made = guarded(http_client, services, sdk=sdk, retries=allowed, sign=_signer(client))
    options: dict[str, Any] = {"http_client": made}
    if owns_loop:
        options["max_retries"] = 0
    if "_enforce_credentials" in inspect.signature(client.copy).parameters:
        options["_enforce_credentials"] = False  # or a client without credentials could not be copied
    if quiet and hasattr(client, "open_telemetry"):
        options["open_telemetry"] = {**client.open_telemetry, "traces": False}
    try:
        copied = client.with_options(**options)
    except TypeError as error:
        raise NotWrappableError(
            f"{type(client).__qualname__} cannot be copied ({error}): its constructor does not take what the "
            "SDK's does. Guard it in place with guard.adopt(client), or have tokenguard.instrument() guard it"
        ) from error
    copied._strict_response_validation = client._strict_response_validation  # with_options loses it
    return copied


def guard_in_place(client: Any, services: Services, retries: int | None, *, quiet: bool) -> None:
    """Put the seam into a client that was just made; used by ``instrument()``."""
    http_client, sdk = _parts(client)
    if guarded_by(http_client) is not None:
        return  # a copy of a guarded client
    allowed = client.max_retries if retries is None else retries
    client._client = guarded(http_client, services, sdk=sdk, retries=allowed, sign=_signer(client))
    if services.policies.retry is not None:
        client.max_retries = 0
    if quiet and hasattr(client, "_set_open_telemetry"):
        client._set_open_telemetry({**client.open_telemetry, "traces": False})


def guarded(
    original: Any,
    services: Services,
    *,
    sdk: str | None = None,
    retries: int,
    sign: Callable[[Any], Any] | None = None,
) -> Any:
    """An HTTP client of the same library, configured like the original, that sends through the guard."""
    flavour, is_async = of_client(original)
    seam = Seam(services, flavour, sdk, retries, sign)
    cls = flavour.module.AsyncClient if is_async else flavour.module.Client
    made = cls(
        transport=_async_transport(seam, original) if is_async else _sync_transport(seam, original),
        timeout=original.timeout,
        follow_redirects=original.follow_redirects,
        max_redirects=original.max_redirects,
        base_url=original.base_url,
        trust_env=original.trust_env,
        default_encoding=original._default_encoding,
    )
    for name in _LIKE_THE_ORIGINAL:
        setattr(made, name, getattr(original, name))
    return made


def guarded_by(http_client: Any) -> Services | None:
    """The services of the guard that an HTTP client sends through already, if any."""
    seam = getattr(getattr(http_client, "_transport", None), "_seam", None)
    return seam.services if isinstance(seam, Seam) else None


def plain_http_client(flavour: Flavour, is_async: bool, options: dict[str, Any]) -> Any:
    """An HTTP client for frameworks, with the SDKs' default of following redirects."""
    cls = flavour.module.AsyncClient if is_async else flavour.module.Client
    return cls(**{"follow_redirects": True, **options})


def _same_guard(owner: Services, services: Services) -> None:
    if owner is not services:
        raise ConfigError(
            "this client sends through another guard already; wrap the original client, or use that guard"
        )


def _sync_transport(seam: Seam, original: Any) -> SyncTransport:
    def forward(request: Any) -> Any:
        return original._transport_for_url(request.url).handle_request(request)

    return SyncTransport(seam, forward, original.close)


def _async_transport(seam: Seam, original: Any) -> Any:
    from tokenguard.transport.aio import AsyncTransport  # brings anyio: only for asynchronous clients

    async def forward(request: Any) -> Any:
        return await original._transport_for_url(request.url).handle_async_request(request)

    return AsyncTransport(seam, forward, original.aclose)


def _parts(client: Any) -> tuple[Any, str]:
    """The HTTP client within an SDK client, and which SDK it is of."""
    http_client = getattr(client, "_client", None)
    for cls in type(client).__mro__:
        package = cls.__module__.partition(".")[0]
        if package in ("openai", "anthropic") and hasattr(client, "with_options") and http_client is not None:
            return http_client, package
    raise NotWrappableError(
        f"{type(client).__module__}.{type(client).__qualname__} is not a client of the openai or anthropic "
        "SDK; pass the client object itself, or give your framework guard.http_client()"
    )


def _signer(client: Any) -> Callable[[Any], Any] | None:
    """The SDK's own way to sign a request, which does nothing for clients that do not sign.

    It holds the client: ``wrap(Client(...))`` is often the last that is heard of the one wrapped.
    """
    method: Callable[[Any], Any] | None = getattr(client, "_prepare_request", None)
    return method
