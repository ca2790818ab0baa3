"""One recorded call: what of the request matters for finding it again, and the answer as it came.

Neither has a credential in it: requests are compared in the form in which they are written down.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

from tokenguard.cache.cassette.scrub import credentials_in, leaks, scrub, scrub_query
from tokenguard.cache.entry import Entry
from tokenguard.cache.headers import CARRYING_PREFIXES
from tokenguard.cache.key import IGNORED, canonical
from tokenguard.call import Answered, Call, Wire
from tokenguard.dialects import Dialect, operation_path
from tokenguard.dialects.sse import AwsEventStream, Event, ServerSentEvents
from tokenguard.wire_json import decoded

_MATTERS: Final = ("-beta", "-version")
"""How the names of headers end that change what a request means: ``anthropic-beta``, ``openai-version``."""


class Request(NamedTuple):
    """What makes two requests the same: neither where they go nor who sends them.

    Attributes:
        format: The wire format, such as ``openai.chat``.
        model: The model asked for.
        path: The path that names the operation, with its query.
        headers: Those that change what the request means, sorted by name.
        body: See :func:`tokenguard.cache.key.canonical`.
    """

    format: str
    model: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def key(self) -> str:
        """64 hexadecimal digits, a SHA-256."""
        return _key(self)


@lru_cache(maxsize=4096)
def _key(request: Request) -> str:
    parts = [request.format, request.model, request.path, request.body]
    parts += [f"{name}:{value}" for name, value in request.headers]
    data = [text.encode("utf-8", "surrogatepass") for text in parts]
    return sha256(b"".join(b"%d:%s" % (len(part), part) for part in data)).hexdigest()


class Response(NamedTuple):
    """An answer.

    Attributes:
        recorded_ns: When it came, Unix nanoseconds.
        status: Its HTTP status.
        content_type: Its ``content-type``.
        request_id: The provider's id for the request.
        body: Its body without ``content-encoding``, byte for byte but for credentials.
        usage: The provider's usage block as JSON, where it is not in the body: it was asked for on the quiet.
    """

    recorded_ns: int
    status: int
    content_type: str
    request_id: str | None
    body: bytes
    usage: str | None = None


class Recording(NamedTuple):
    """A request with its answer."""

    request: Request
    response: Response

    def entry(self, dialect: Dialect, *, key: str) -> Entry:
        """The answer as the cache gives it; its usage and all that is read from the body once more."""
        response = self.response
        return Entry(
            key=key,
            stored_ns=response.recorded_ns,
            expires_ns=response.recorded_ns,
            status=response.status,
            content_type=response.content_type,
            body=response.body,
            answered=_answered(dialect, response),
            request_id=response.request_id,
            dialect=self.request.format,
            model=self.request.model,
            namespace="",
        )


def request_of(call: Call, wire: Wire, dialect: Dialect, ignored: Iterable[str]) -> Request:
    """What there is to a call's request.

    Args:
        call: What is asked for.
        wire: The request as the application made it.
        dialect: Its format.
        ignored: Fields that are not to matter, besides those that never do.
    """
    headers = text_headers(wire)
    known = credentials_in(headers)
    path, mark, query = wire.path.decode("ascii", "backslashreplace").partition("?")
    body = canonical(
        wire.body, call.body or {}, IGNORED.get(dialect.provider, frozenset()), frozenset(ignored)
    )
    return Request(
        dialect.name,
        call.asked.model,
        scrub_query(operation_path(path) + mark + query, known),
        tuple(sorted((name, scrub(value, known)) for name, value in _mattering(headers))),
        scrub(body.decode("utf-8", "surrogatepass"), known),
    )


def text_headers(wire: Wire) -> dict[str, str]:
    """A request's headers as texts."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in wire.headers.items()}


def _mattering(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        if name.endswith(_MATTERS) and not name.encode("latin-1").startswith(CARRYING_PREFIXES):
            yield name, value


def scrubbed(body: bytes, content_type: str, credentials: tuple[str, ...]) -> bytes | None:
    """An answer's body without credentials; ``None`` where it has one that cannot be taken out.

    Those are credentials in what is no text, and such as a stream says piece by piece.
    """
    try:
        made = scrub(body.decode(), credentials).encode()
    except UnicodeDecodeError:
        if leaks(body.decode("latin-1"), credentials):
            return None
        made = body
    said: defaultdict[str, list[str]] = defaultdict(list)
    for event in events(made, content_type):
        for place, text in _texts(_json(event.data), ""):
            said[place].append(text)
    return None if any(leaks("".join(texts), credentials) for texts in said.values()) else made


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, with the place where it stands."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, f"{place}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, place)


def events(body: bytes, content_type: str) -> Iterator[Event]:
    """The events of a streamed body; none of any other."""
    if content_type.startswith("text/event-stream"):
        return ServerSentEvents().feed(body)
    if content_type.startswith("application/vnd.amazon.eventstream"):
        return AwsEventStream().feed(body)
    return iter(())


def _json(text: bytes) -> Any:
    try:
        return decoded(text)
    except ValueError:
        return None


def _answered(dialect: Dialect, response: Response) -> Answered:
    """What an answer says of itself; nothing where it cannot be read."""
    found = Answered()
    try:
        found = _read(dialect, response)
        if found.usage is None and response.usage is not None:
            found = found._replace(usage=dialect.answer({"usage": decoded(response.usage.encode())}).usage)
    except (ValueError, TypeError, AttributeError):
        pass  # as the flow does with a live answer
    return found


def _read(dialect: Dialect, response: Response) -> Answered:
    if response.status >= 300:
        return Answered()
    if not response.content_type.startswith(("text/event-stream", "application/vnd.amazon")):
        body = _json(response.body)
        return dialect.answer(body) if isinstance(body, dict) else Answered()
    if dialect.events is None:
        return Answered()
    reader = dialect.events()
    for event in events(response.body, response.content_type):
        body = _json(event.data)
        if isinstance(body, dict):
            reader.feed(event.name, body)
    return reader.answered()._replace(text="")
