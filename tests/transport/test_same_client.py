"""A wrapped client is the client it was: same class, same methods, same types, same life."""

from __future__ import annotations

import copy
from typing import Any

import anthropic
import httpx2
import openai
import pydantic
import pytest

from tests.conftest import Rows
from tests.transport.clients import GPT, HELLO, KINDS, Kind, achat, ask, chat, claude, closed
from tokenguard import ConfigError, Guard, Meter, NotWrappableError
from tokenguard.testing import Answer, Provider, ToolCall

EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.cls.__name__)


def kind_of(thing: object) -> str:
    """A name for a test that is the same in every process."""
    return getattr(thing, "__name__", type(thing).__name__)


class City(pydantic.BaseModel):
    """What `.parse()` is asked to give."""

    name: str
    inhabitants: int


@EVERY_KIND
@pytest.mark.anyio
async def test_type_and_settings_stay(kind: Kind, provider: Provider, guard: Guard) -> None:
    """The class, base URL, timeout, headers, query and validation of the client are the original's."""
    options = {"timeout": 12.5, "default_headers": {"X-Team": "a"}, "default_query": {"q": "1"}}
    plain = kind.make(provider, **options, _strict_response_validation=True)
    wrapped = guard.wrap(plain)
    assert type(wrapped) is type(plain)
    assert isinstance(wrapped, kind.cls)
    assert wrapped is not plain
    assert wrapped.base_url == plain.base_url
    assert wrapped.timeout == 12.5
    assert wrapped._custom_headers == plain._custom_headers
    assert wrapped._custom_query == plain._custom_query
    assert wrapped._strict_response_validation is True
    assert type(wrapped._client).__mro__[-2:] == type(plain._client).__mro__[-2:]
    await closed(wrapped)


def test_the_original_stays_as_it_was(provider: Provider, guard: Guard, rows: Rows) -> None:
    """Wrapping gives a new object; calls through the one given are not metered."""
    plain = chat(provider)
    http_client, retries = plain._client, plain.max_retries
    guard.wrap(plain)
    assert plain._client is http_client
    assert plain.max_retries == retries
    plain.chat.completions.create(model=GPT, messages=HELLO)
    assert rows() == []


@pytest.mark.parametrize(
    "derived",
    [
        lambda client: client.with_options(timeout=7),
        lambda client: client.copy(default_headers={"X-A": "b"}),
        lambda client: client.with_options().copy().with_options(max_retries=1),
        copy.copy,
    ],
    ids=["with_options", "copy", "both", "copy.copy"],
)
def test_copies_keep_the_guard(derived: Any, provider: Provider, guard: Guard, rows: Rows) -> None:
    """with_options(), copy() and copy.copy() of a wrapped client are guarded, once."""
    client = derived(guard.wrap(chat(provider)))
    reply = client.chat.completions.create(model=GPT, messages=HELLO)
    assert guard.receipt(reply) is not None
    assert len(rows()) == 1


def test_raw_responses(provider: Provider, guard: Guard) -> None:
    """with_raw_response gives headers, the parsed reply and the bytes, and finds the receipt."""
    client = guard.wrap(chat(provider))
    raw = client.chat.completions.with_raw_response.create(model=GPT, messages=HELLO)
    assert raw.headers["x-request-id"]
    assert raw.headers["x-tokenguard-call-id"]
    assert raw.parse().choices[0].message.content
    assert b'"chat.completion"' in raw.content
    receipt = guard.receipt(raw)
    assert receipt is not None
    assert guard.receipt(raw.parse()) is receipt


def test_streaming_responses(provider: Provider, guard: Guard) -> None:
    """with_streaming_response gives lines, bytes and text of streams and of whole answers."""
    provider.answer("one two three")
    client = guard.wrap(chat(provider))
    create = client.chat.completions.with_streaming_response.create
    with create(model=GPT, messages=HELLO, stream=True) as response:
        lines = list(response.iter_lines())
    assert lines[-2] == "data: [DONE]"
    assert not any('"choices":[]' in line for line in lines)
    receipt = guard.receipt(response)
    assert receipt is not None
    assert receipt.cost_basis == "usage"
    with create(model=GPT, messages=HELLO) as answer:
        assert "one two three" in answer.read().decode()
    assert guard.receipt(answer) is not None


def test_parse_and_tools(provider: Provider, guard: Guard) -> None:
    """.parse() of chat, responses and messages gives the caller's own type, and a receipt."""
    gpt, sonnet = guard.wrap(chat(provider)), guard.wrap(claude(provider))
    city = gpt.chat.completions.parse(model=GPT, messages=HELLO, response_format=City)
    assert isinstance(city.choices[0].message.parsed, City)
    assert guard.receipt(city) is not None
    answered = gpt.responses.parse(model=GPT, input="Which city?", text_format=City)
    assert isinstance(answered.output_parsed, City)
    assert guard.receipt(answered) is not None
    message = sonnet.messages.parse(
        model="claude-haiku-4-5", max_tokens=99, messages=HELLO, output_format=City
    )
    assert isinstance(message.parsed_output, City)
    assert guard.receipt(message) is not None
    provider.answer(Answer(tool_calls=[ToolCall("weather", {"city": "Paris"})]))
    tool = openai.pydantic_function_tool(City, name="weather")
    called = gpt.chat.completions.create(model=GPT, messages=HELLO, tools=[tool])
    assert called.choices[0].message.tool_calls[0].function.name == "weather"  # type: ignore[index,union-attr]


def test_stream_helpers(provider: Provider, guard: Guard) -> None:
    """The .stream() helpers of chat, responses and messages work, and their receipts are found."""
    provider.answer("one two three")
    gpt, haiku = guard.wrap(chat(provider)), guard.wrap(claude(provider))
    with gpt.chat.completions.stream(model=GPT, messages=HELLO) as completion:
        kinds = [event.type for event in completion]
    assert "content.delta" in kinds
    assert completion.get_final_completion().choices[0].message.content == "one two three"
    with gpt.responses.stream(model=GPT, input="Hello") as response:
        assert response.get_final_response().output_text == "one two three"
    with haiku.messages.stream(model="claude-haiku-4-5", max_tokens=99, messages=HELLO) as message:
        assert "".join(message.text_stream) == "one two three"
    for stream in (completion, response, message):
        receipt = guard.receipt(stream)
        assert receipt is not None, stream
        assert (receipt.status, receipt.cost_basis) == ("ok", "usage")


def test_options_of_one_request(provider: Provider, guard: Guard) -> None:
    """Per-request headers, query, body and timeout arrive as through the bare client."""
    client = guard.wrap(chat(provider))
    client.chat.completions.create(
        model=GPT,
        messages=HELLO,
        extra_headers={"X-Trace": "t-1"},
        extra_query={"region": "eu"},
        extra_body={"custom": {"a": [1, None]}},
        timeout=33,
    )
    (request,) = provider.requests
    assert request.header("X-Trace") == "t-1"
    assert request.query == "region=eu"
    assert request.json["custom"] == {"a": [1, None]}
    assert request.header("x-stainless-read-timeout") == "33"


def test_a_timeout_of_one_request_holds(provider: Provider, guard: Guard) -> None:
    """A per-request timeout ends the call with the SDK's own error."""
    provider.fault(header_delay=float("inf"))
    client = guard.wrap(chat(provider, max_retries=0))
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model=GPT, messages=HELLO, timeout=0.05)


def test_other_endpoints(provider: Provider, guard: Guard, rows: Rows) -> None:
    """Pages, files and binary replies come through; they cost nothing that we know of, and are counted."""
    client = guard.wrap(chat(provider))
    names = [model.id for model in client.models.list()]
    assert GPT in names
    assert client.models.retrieve(GPT).id == GPT
    content = client.files.content("file-abc")
    bare = chat(provider).files.content("file-abc")
    assert content.read() == bare.read()
    assert len(content.content) == 4096
    uploaded = client.files.create(file=("a.txt", b"hello"), purpose="user_data")
    assert uploaded.filename == "a.txt"
    assert guard.not_metered == 4
    assert rows() == []


@pytest.mark.anyio
async def test_pages_are_followed(provider: Provider, guard: Guard) -> None:
    """Iterating over a list fetches it through the guarded client, sync and async."""
    client, aclient = guard.wrap(chat(provider)), guard.wrap(achat(provider))
    names = [model.id async for model in aclient.models.list()]
    assert [model.id for model in client.models.list()] == names
    await aclient.close()
    assert guard.not_metered == 2


def test_embeddings_images_and_audio(provider: Provider, guard: Guard) -> None:
    """Endpoints whose replies carry usage are metered too."""
    client = guard.wrap(chat(provider))
    embedded = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    assert guard.receipt(embedded).cost_nano  # type: ignore[union-attr]
    image = client.images.generate(model="gpt-image-1", prompt="a cat")
    assert guard.receipt(image).cost_nano  # type: ignore[union-attr]
    said = client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"\0" * 64000))
    receipt = guard.receipt(said)
    assert receipt is not None
    assert receipt.model_requested == "whisper-1"
    assert receipt.meters == {Meter.SECONDS: 5}


class Closes(httpx2.BaseTransport):
    """Counts how often it is closed."""

    def __init__(self, wrapped: httpx2.BaseTransport) -> None:
        self.wrapped = wrapped
        self.closed = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self.wrapped.handle_request(request)

    def close(self) -> None:
        self.closed += 1
        self.wrapped.close()


def test_close_closes_the_originals_transport_once(provider: Provider, guard: Guard) -> None:
    """close(), twice, and the end of a with block, close what the original would have closed: once."""
    transport = Closes(httpx2.HTTPTransport())
    plain = chat(provider, http_client=httpx2.Client(transport=transport))
    with guard.wrap(plain) as client:
        client.chat.completions.create(model=GPT, messages=HELLO)
    client.close()
    assert client.is_closed()
    plain.close()
    assert transport.closed == 1


@EVERY_KIND
@pytest.mark.anyio
async def test_the_wrapped_client_outlives_the_original(
    kind: Kind, provider: Provider, guard: Guard, rows: Rows
) -> None:
    """wrap(Client(...)) is the last that is heard of the one wrapped; its copies go on working."""
    client = guard.wrap(kind.make(provider)).with_options(timeout=20)
    for _ in range(2):
        made = ask(client, kind)
        await made if kind.is_async else None
    assert len(rows()) == 2
    await closed(client)


def test_hooks_headers_and_cookies_of_the_http_client(provider: Provider, guard: Guard) -> None:
    """The user's event hooks, headers, cookies, auth and proxies-by-mount keep working, also later ones."""
    seen: list[str] = []
    http_client = httpx2.Client(headers={"X-Mine": "1"}, cookies={"c": "2"})
    client = guard.wrap(chat(provider, http_client=http_client))
    http_client.event_hooks["request"].append(lambda request: seen.append(str(request.url)))
    http_client.cookies.set("later", "3")
    client.chat.completions.create(model=GPT, messages=HELLO)
    (request,) = provider.requests
    assert request.header("x-mine") == "1"
    assert request.header("cookie") == "c=2; later=3"
    assert len(seen) == 1


def test_mounts_and_proxies_are_the_originals(provider: Provider, guard: Guard) -> None:
    """A request goes through the transport that the original client mounts for its URL."""
    mounted = Closes(httpx2.HTTPTransport())
    http_client = httpx2.Client(mounts={"all://127.0.0.1": mounted}, transport=httpx2.MockTransport(_never))
    client = guard.wrap(chat(provider, http_client=http_client))
    client.chat.completions.create(model=GPT, messages=HELLO)
    assert provider.count == 1


def _never(request: httpx2.Request) -> httpx2.Response:
    raise AssertionError(f"{request.url} should have gone through the mount")


def test_wrapping_twice_changes_nothing(provider: Provider, guard: Guard, rows: Rows) -> None:
    """A client that the guard has already is given back: no call is metered twice."""
    client = guard.wrap(chat(provider))
    again = guard.wrap(client)
    assert again is client
    again.chat.completions.create(model=GPT, messages=HELLO)
    assert len(rows()) == 1
    over = guard.wrap(openai.OpenAI(base_url=provider.openai_url, api_key="x", http_client=client._client))
    over.chat.completions.create(model=GPT, messages=HELLO)
    assert len(rows()) == 2
    assert over.max_retries == 0


def test_two_guards_are_refused(provider: Provider, guard: Guard) -> None:
    """A client of one guard cannot be wrapped by another: it would be paid for twice."""
    other = Guard(ledger=None)
    with pytest.raises(ConfigError, match="another guard"):
        other.wrap(guard.wrap(chat(provider)))


@pytest.mark.parametrize(
    "thing", [None, "client", object(), httpx2.Client(), openai, openai.OpenAI, Guard], ids=kind_of
)
def test_what_is_no_client_is_refused(thing: object, guard: Guard) -> None:
    """Anything but a client is refused with an error that says what to do."""
    with pytest.raises(NotWrappableError, match=r"http_client\(\)"):
        guard.wrap(thing)


def test_a_resource_is_no_client(provider: Provider, guard: Guard) -> None:
    """client.chat is not a client, although it belongs to one."""
    with pytest.raises(NotWrappableError):
        guard.wrap(chat(provider).chat)


def test_a_class_that_cannot_be_copied(provider: Provider, guard: Guard) -> None:
    """A subclass whose constructor takes other things is refused with the way out, which works."""

    class House(openai.OpenAI):
        def __init__(self, team: str) -> None:
            super().__init__(base_url=provider.openai_url, api_key="x")
            self.team = team

    house = House("a")
    with pytest.raises(NotWrappableError, match=r"House cannot be copied.*guard\.adopt"):
        guard.wrap(house)
    guard.adopt(house)
    reply = house.chat.completions.create(model=GPT, messages=HELLO)
    assert guard.receipt(reply) is not None


def test_the_sdks_own_retries_are_taken_over(provider: Provider, guard: Guard) -> None:
    """The wrapped client's own loop is off; the bare one's number of retries is the guard's."""
    assert guard.wrap(chat(provider, max_retries=5)).max_retries == 0
    assert guard.wrap(claude(provider)).max_retries == 0
    assert Guard(ledger=None, retry=None).wrap(chat(provider, max_retries=5)).max_retries == 5


def test_a_client_without_credentials(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that has no key yet can be wrapped where it could be made."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert type(guard.wrap(anthropic.Anthropic())) is anthropic.Anthropic
