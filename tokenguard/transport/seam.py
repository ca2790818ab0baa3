"""Where a request of the SDK becomes a call of ours.

A :class:`Seam` belongs to one guarded HTTP client. It makes an :class:`Exchange` of every request, which
the driver then carries out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from tokenguard import faults
from tokenguard.call import Asked, Call, Json, Where, Wire
from tokenguard.dialects import Endpoint, find
from tokenguard.errors import GuardError, for_sdk
from tokenguard.flow import flow, unmetered
from tokenguard.transport import rewrite
from tokenguard.transport.exchange import CALL, Exchange, Services
from tokenguard.transport.flavour import Flavour
from tokenguard.transport.headers import Headers
from tokenguard.wire_json import decoded
from tokenguard.wishes import PREFIX, Wishes, current, from_headers

_SDK_RETRIES: Final = "x-stainless-retry-count"
_PREFIX_BYTES: Final = PREFIX.encode()


class Seam:
    """One guarded HTTP client: its library, its SDK, and how its requests are signed."""

    def __init__(
        self,
        services: Services,
        flavour: Flavour,
        sdk: str | None,
        retries: int,
        sign: Callable[[Any], Any] | None = None,
    ) -> None:
        self.services = services
        self.flavour = flavour
        self.sdk = sdk
        self.retries = retries
        self.sign = sign

    def begin(self, request: Any) -> Exchange:
        """Make the exchange for a request. Whatever fails in here, the request can still be sent.

        Raises:
            GuardError: A wish in the request's headers cannot be read.
        """
        began_ns = self.services.clock.monotonic_ns()
        sent = Headers(request.headers)
        wishes, plain = self._wishes(request, sent)
        try:
            return self._exchange(request, plain, sent, wishes, began_ns)
        except Exception as fault:
            faults.note("transport.begin", fault)
            return self._unmetered(self._made(request, plain, began_ns, _nothing_known()))

    def _exchange(self, request: Any, plain: Any, sent: Headers, wishes: Wishes, began_ns: int) -> Exchange:
        """Find out what the request is, and choose the flow for it."""
        endpoint = _endpoint(request)
        call = request.extensions.get(CALL)
        if call is not None:  # a redirect led here
            call, began_ns = call
        else:
            call = self._call(plain, sent, endpoint, wishes)
        exchange = self._made(request, plain, began_ns, call)
        if endpoint is None:
            self.services.not_metered(request.url.host)
            return self._unmetered(exchange)
        exchange.endpoint = endpoint
        if call.body and (call.asked.stream or wishes.model or call.model_asked):
            self._rewrite(exchange, endpoint, wishes)
        exchange.flow = flow(call, endpoint.dialect, self.services.policies)
        return exchange

    def _made(self, request: Any, plain: Any, began_ns: int, call: Call) -> Exchange:
        return Exchange(self.services, self.flavour, self.sign, request, plain, began_ns, call)

    def _unmetered(self, exchange: Exchange) -> Exchange:
        request = exchange.original
        exchange.flow = unmetered(
            exchange.call, self.services.policies, f"{request.method} {request.url.path}"
        )
        return exchange

    def _wishes(self, request: Any, sent: Headers) -> tuple[Wishes, Any]:
        """The wishes for a request, and the request as it may leave the process."""
        found = sent.starting(_PREFIX_BYTES)
        if not found:
            return current(), request
        return from_headers(found), rewrite.without_wishes(self.flavour, request)

    def _call(self, request: Any, sent: Headers, endpoint: Endpoint | None, wishes: Wishes) -> Call:
        services = self.services
        now = services.clock.time_ns()
        retries = self._allowed(sent) if wishes.retries is None else wishes.retries
        whole = isinstance(request.stream, self.flavour.bytes_stream)
        replayable = whole or _can_seek(request.stream)
        if endpoint is None:
            return _nothing_known(services.policies.new_id(now), now, retries, replayable=replayable)
        dialect, body = endpoint.dialect, self._body(request, sent) if whole else {}
        asked = dialect.ask(body)
        if endpoint.model or not asked.model:
            model = endpoint.model or endpoint.where.deployment or self._form_model(request)
            stream = asked.stream if endpoint.stream is None else endpoint.stream
            asked = asked._replace(model=model, stream=stream)
        return Call(
            id=services.policies.new_id(now),
            started_ns=now,
            where=endpoint.where,
            operation=dialect.operation,
            dialect=dialect.name,
            asked=asked,
            tags={**services.tags, **wishes.tags} if services.tags else wishes.tags,
            run_id=wishes.run_id,
            run_name=wishes.run_name,
            body=body,
            retries=retries,
            replayable=replayable,
            wire=self._wire(request, sent) if body and services.policies.cache is not None else None,
            cache_wish=wishes.cache,
            lint_ignores=wishes.lint_ignore,
        )

    def _wire(self, request: Any, sent: Headers) -> Wire:
        return Wire(request.url.raw_path, sent.joined(), request.content)

    def _allowed(self, sent: Headers) -> int:
        """Further attempts: none where the SDK's own loop, switched on again, is trying again itself."""
        return self.retries if (sent.get(_SDK_RETRIES) or "0") == "0" else 0

    def _body(self, request: Any, sent: Headers) -> Json:
        """The request's JSON object; empty for anything else."""
        if not (sent.get("content-type") or "").startswith("application/json"):
            return {}
        try:
            body = decoded(request.read())
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def _form_model(self, request: Any) -> str:
        """The ``model`` field of a form, which stands beside the upload that is not read."""
        for field in getattr(request.stream, "fields", ()):
            if getattr(field, "name", None) == "model":
                return str(getattr(field, "value", ""))
        return ""

    def _rewrite(self, exchange: Exchange, endpoint: Endpoint, wishes: Wishes) -> None:
        """Another model, or usage asked for on the quiet; the body was understood."""
        call = exchange.call
        body = call.body or {}
        if self.sign is None and rewrite.is_signed(exchange.plain):
            if wishes.model:
                faults.warn_once("transport.sign", "model=%r: nobody here can sign it again", wishes.model)
            return
        if wishes.model and wishes.model != call.asked.model and call.model_asked is None:
            call.model_asked = call.asked.model
            call.asked = call.asked._replace(model=wishes.model)
            if "model" in body:
                body = call.body = {**body, "model": wishes.model}
            if call.where.deployment:
                call.where = call.where._replace(deployment=wishes.model)
        if call.model_asked is not None:  # at every hop: a redirect repeats what the SDK wrote
            exchange.plain = rewrite.with_model(self.flavour, exchange.plain, body, call.asked.model)
        if self.services.stream_usage and endpoint.dialect.with_usage:
            asking = endpoint.dialect.with_usage(body)
            if asking is not None:
                text = rewrite.extended(exchange.plain.read(), body, asking)
                exchange.asking = rewrite.with_body(self.flavour, exchange.plain, text)
                call.hides_usage = True

    def own_error(self, error: GuardError, dialect: str) -> GuardError:
        """An error of ours as one of the SDK's too, so that the SDK neither wraps nor retries it."""
        module = sys.modules.get(self.sdk or dialect.partition(".")[0])
        base = getattr(module, "OpenAIError", None) or getattr(module, "AnthropicError", None)
        return for_sdk(error, base) if base else error


_NOWHERE: Final = Where("", "compatible", "", "", 0)


def _endpoint(request: Any) -> Endpoint | None:
    url = request.url
    # As it is sent: a model's name may hold a slash, which only its escape tells from the path's own.
    path = url.raw_path.partition(b"?")[0].decode("ascii")
    return find(request.method, url.scheme, url.host, url.port, path)


def _can_seek(stream: Any) -> bool:
    """Whether an upload, which is never read, can be sent twice: one of files that seek can."""
    files = [getattr(field, "file", b"") for field in getattr(stream, "fields", ())]
    try:
        return bool(files) and all(isinstance(file, str | bytes) or file.seekable() for file in files)
    except (AttributeError, OSError, ValueError):
        return False


def _nothing_known(
    call_id: str = "", started_ns: int = 0, retries: int = 0, *, replayable: bool = True
) -> Call:
    """A call to an endpoint that we do not know."""
    return Call(
        id=call_id,
        started_ns=started_ns,
        where=_NOWHERE,
        operation="",
        dialect="",
        asked=Asked(model=""),
        retries=retries,
        replayable=replayable,
    )
