"""Recorded once, a suite's calls are played for ever: the same to the last byte, and with no provider."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

import tokenguard
from tests.transport.clients import CLAUDE, GPT, KINDS, Kind
from tokenguard import Cache, Guard, Retry
from tokenguard.call import CostBasis
from tokenguard.errors import CacheMissError, CassetteMissError, ConfigError
from tokenguard.testing import Answer, Provider, ToolCall

ROOT = Path(__file__).parents[2]
KEY = "the-real-key-of-this-account"
NOBODY = "http://127.0.0.1:9"  # the port of a service that nobody runs
HI: list[Any] = [{"role": "user", "content": "Hi."}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cassettes" / "calls.json"


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[..., Guard]]:
    """Guards with a cassette, as of one run of a suite each."""
    guards: list[Guard] = []

    def make(mode: str, **options: Any) -> Guard:
        store = options.pop("store", path)
        cache = Cache(mode=mode, store=store, **options)  # type: ignore[arg-type]
        guards.append(Guard(ledger=None, retry=Retry(base_s=0), cache=cache))
        return guards[-1]

    yield make
    for guard in guards:
        guard.close()


@pytest.fixture
def receipts() -> Iterator[list[tokenguard.Receipt]]:
    """Of every call, in their order."""
    made: list[tokenguard.Receipt] = []
    forget = tokenguard.observe(made.append)
    yield made
    forget()


def gpt(guard: Guard, provider: Provider | None = None, **options: Any) -> openai.OpenAI:
    """A client of the provider, or of nobody."""
    where = provider.openai_url if provider else NOBODY + "/v1"
    return guard.wrap(openai.OpenAI(**{"base_url": where, "api_key": KEY if provider else "none", **options}))


def claude(guard: Guard, provider: Provider | None = None) -> anthropic.Anthropic:
    where = provider.anthropic_url if provider else NOBODY
    return guard.wrap(anthropic.Anthropic(base_url=where, api_key=KEY if provider else "none"))


def ask(client: openai.OpenAI, text: str = "Hi.", **options: Any) -> str | None:
    messages: list[Any] = [{"role": "user", "content": text}]
    reply = client.chat.completions.create(**{"model": GPT, "messages": messages, **options})
    return reply.choices[0].message.content


def recordings(path: Path) -> list[dict[str, Any]]:
    document = json.loads(path.read_text())
    assert document["tokenguard_cassette"] == 1
    found: list[dict[str, Any]] = document["recordings"]
    return found


def chat(client: Any) -> Any:
    return client.chat.completions.create(model=GPT, messages=HI, n=2, temperature=1).model_dump_json()


def responses(client: Any) -> Any:
    return client.responses.create(model=GPT, input="Hi.").model_dump_json()


def embeddings(client: Any) -> Any:
    return client.embeddings.create(model="text-embedding-3-small", input=["a", "b"]).model_dump_json()


def chat_stream(client: Any) -> Any:
    return [e.model_dump_json() for e in client.chat.completions.create(model=GPT, messages=HI, stream=True)]


def responses_stream(client: Any) -> Any:
    return [e.model_dump_json() for e in client.responses.create(model=GPT, input="Hi.", stream=True)]


def messages(client: Any) -> Any:
    return client.messages.create(model=CLAUDE, max_tokens=50, messages=HI).model_dump_json()


def messages_stream(client: Any) -> Any:
    made = client.messages.create(model=CLAUDE, max_tokens=50, messages=HI, stream=True)
    return [event.model_dump_json() for event in made]


@pytest.mark.parametrize(
    "call", [chat, chat_stream, responses, responses_stream, embeddings, messages, messages_stream]
)
def test_what_was_recorded_is_played_with_no_provider(call, opened, path, receipts) -> None:
    """Event for event, at no cost, whoever asks, wherever it would go; with the usage that was recorded."""
    make = claude if call in (messages, messages_stream) else gpt
    with Provider() as provider:
        live = call(make(opened("record"), provider))
        assert provider.count == 1
    played = call(make(opened("replay")))
    assert played == live
    asked, replayed = receipts
    assert asked.cache == "refresh"
    assert asked.cache_reason is None
    assert asked.attempts == 1
    assert replayed.cache == "hit"
    assert replayed.cost_nano == 0
    assert replayed.cost_basis is CostBasis.CACHED
    assert replayed.attempts == 0
    assert replayed.meters == asked.meters
    assert replayed.meters
    assert replayed.baseline_nano == asked.cost_nano
    assert replayed.finish_reasons == asked.finish_reasons
    assert replayed.response_id == asked.response_id
    assert KEY not in path.read_text()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_an_event_loop_records_and_plays(opened, anyio_backend) -> None:
    """Whole answers and streams."""

    async def calls(base_url: str, guard: Guard) -> list[str]:
        async with openai.AsyncOpenAI(base_url=base_url, api_key="none") as plain:
            client = guard.wrap(plain)
            whole = await client.chat.completions.create(model=GPT, messages=HI)
            stream = await client.chat.completions.create(model=GPT, messages=HI, stream=True)
            return [whole.model_dump_json()] + [event.model_dump_json() async for event in stream]

    with Provider() as provider:
        live = await calls(provider.openai_url, opened("record"))
    assert await calls(NOBODY + "/v1", opened("replay")) == live


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if not kind.is_async], ids=lambda kind: kind.cls.__name__
)
@pytest.mark.parametrize("stream", [False, True])
def test_every_client_records_and_plays(kind: Kind, stream: bool, opened) -> None:
    """Azure, Bedrock and Vertex, too, whatever carries their bytes."""

    def call(client: Any) -> list[str]:
        if kind.sdk == "openai":
            made = client.chat.completions.create(model=kind.model, messages=HI, stream=stream)
        else:
            made = client.messages.create(model=kind.model, max_tokens=50, messages=HI, stream=stream)
        return [one.model_dump_json() for one in (made if stream else [made])]

    with Provider() as provider:
        live = call(opened("record").wrap(kind.make(provider)))
    with Provider() as provider:
        assert call(opened("replay").wrap(kind.make(provider))) == live
        assert provider.count == 0


def test_tool_calls_and_samples_are_recorded(opened) -> None:
    """A cassette keeps what a cache would not: nothing is carried out twice that the test does not want."""

    def call(client: openai.OpenAI) -> str:
        return client.chat.completions.create(model=GPT, messages=HI, store=True).model_dump_json()

    with Provider() as provider:
        provider.answer(Answer(tool_calls=[ToolCall("refund", {"order": 7})]))
        live = call(gpt(opened("record"), provider))
    assert call(gpt(opened("replay"))) == live
    assert "refund" in live


def test_k_samples_stay_k_samples(opened, path) -> None:
    """The same request is answered in the order in which it was, and then from the first again."""
    with Provider() as provider:
        for answer in ("one", "two", "three"):
            provider.answer(answer, times=1)
        client = gpt(opened("record"), provider)
        assert [ask(client) for _ in range(3)] == ["one", "two", "three"]
    client = gpt(opened("replay"))
    assert [ask(client) for _ in range(5)] == ["one", "two", "three", "one", "two"]


def test_recording_again_replaces_what_was_recorded(opened, path) -> None:
    """In its place, all samples of it; what was not asked again stays."""
    with Provider() as provider:
        client = gpt(opened("record"), provider)
        for text in ("a", "b", "a", "c"):
            ask(client, text)
        provider.answer("anew")
        client = gpt(opened("record"), provider)
        ask(client, "a")
        assert contents(path) == ["a", "b", "c"]
        ask(client, "b")
        ask(client, "a")
        ask(client, "d")
        assert contents(path) == ["a", "b", "a", "d", "c"]
    replayed = gpt(opened("replay"))
    assert [ask(replayed, text) for text in "abad"] == ["anew"] * 4
    assert ask(replayed, "c") != "anew"


def contents(path: Path) -> list[str]:
    return [one["request"]["body"]["messages"][0]["content"] for one in recordings(path)]


def test_new_records_only_what_is_not_there(opened, path) -> None:
    """And within one run, further samples of it."""
    with Provider() as provider:
        ask(gpt(opened("record"), provider), "a")
        client = gpt(opened("new"), provider)
        ask(client, "a")
        assert provider.count == 1
        provider.answer("first", times=1)
        provider.answer("second", times=1)
        assert [ask(client, "b"), ask(client, "b")] == ["first", "second"]
        ask(client, "a")
        assert provider.count == 3
    assert contents(path) == ["a", "b", "b"]


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refusal_is_played_as_the_same_exception(status: int, opened, path) -> None:
    """What is wrong with a request stays wrong; the receipt says so, too."""

    def fails(client: openai.OpenAI) -> openai.APIStatusError:
        with pytest.raises(openai.APIStatusError) as caught:
            ask(client)
        return caught.value

    with Provider() as provider:
        provider.fail(
            status, body={"error": {"message": "no", "type": "invalid", "code": "c", "param": None}}
        )
        live = fails(gpt(opened("record"), provider))
    guard = opened("replay")
    played = fails(gpt(guard))
    assert type(played) is type(live)
    assert str(played) == str(live)
    assert played.body == live.body
    receipt = guard.receipt(played)
    assert receipt is not None
    assert (receipt.status, receipt.http_status, receipt.error_type) == ("error", status, str(status))
    assert (receipt.cost_nano, receipt.baseline_nano, receipt.cost_basis) == (0, 0, CostBasis.NONE)


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500, 503])
def test_a_refusal_of_the_moment_is_not_recorded(status: int, opened, path) -> None:
    """It says nothing of the request. What a further attempt then brings is."""
    with Provider() as provider:
        provider.fail(status, times=None)
        with pytest.raises(openai.APIStatusError):
            ask(gpt(opened("record"), provider))
        assert not path.exists()
        provider.clear()
        provider.fail(503)
        ask(gpt(opened("record"), provider))
    assert [one["response"]["status"] for one in recordings(path)] == [200]


def test_our_own_second_asking_leaves_no_trace(opened, path) -> None:
    """A server that refuses the usage that only we asked for has its real answer recorded."""
    with Provider() as provider:
        provider.fail(400, body={"error": {"message": "stream_options: unknown field"}})
        live = chat_stream(gpt(opened("record"), provider))
        assert provider.count == 2
    assert [one["response"]["status"] for one in recordings(path)] == [200]
    assert chat_stream(gpt(opened("replay"))) == live


def test_a_stream_that_was_left_is_not_recorded(opened, path, caplog) -> None:
    """Half an answer would be played as if it were one; the log says so."""
    with Provider() as provider:
        guard = opened("record")
        provider.answer(Answer("a b c", chunks=["a"] * 2000))
        stream = gpt(guard, provider).chat.completions.create(model=GPT, messages=HI, stream=True)
        next(iter(stream))
        stream.close()
        assert guard.flush()
    assert not path.exists()
    assert "was not recorded: unfinished" in caplog.text


def test_speech_is_recorded_whole(opened, path) -> None:
    """Bytes that are no text survive."""
    sound = bytes(range(256)) * 3

    def call(client: openai.OpenAI) -> bytes:
        return client.audio.speech.create(model="tts-1", voice="alloy", input="Hi.").content

    with BinaryServer(sound) as url:
        assert call(gpt(opened("record"), base_url=url)) == sound
    assert call(gpt(opened("replay"))) == sound
    assert recordings(path)[0]["response"]["layout"] == "base64"


class BinaryServer:
    """A server that says one thing, as audio."""

    def __init__(self, body: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-type", "audio/mpeg")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def test_no_secret_is_written_down(opened, path) -> None:
    """Not the request's own, and none that stands in what is asked or answered; matching does without."""
    secrets = {
        "sk-ant-api03-abcdefghijklmnop1234",
        "AKIAIOSFODNN7EXAMPLE",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    }
    text = "Mine are:\n" + "\n".join(sorted(secrets)) + "\nAuthorization: Bearer 0123456789abcdefghij"
    server = {
        "type": "mcp",
        "server_label": "s",
        "server_url": "https://me:hunter2@s.test",
        "authorization": "pw",
    }

    def call(client: openai.OpenAI) -> str:
        headers = {"openai-beta": "x=1", "x-mine": "private-header"}
        return client.responses.create(
            model=GPT,
            input=text,
            tools=[server],
            extra_headers=headers,
            extra_query={"api_key": "in-the-query"},
        ).output_text

    with Provider() as provider:
        provider.answer(f"You said {text}, and your key is {KEY}.")
        live = call(gpt(opened("record"), provider, organization="org-mine"))
        assert KEY in live
    written = path.read_text()
    for secret in (*secrets, KEY, "0123456789abcdefghij", "hunter2", '"pw"', "in-the-query", "org-mine"):
        assert secret not in written
    for name in ("x-mine", "authorization:", "user-agent", "ratelimit", "set-cookie"):
        assert name not in written
    (recorded,) = recordings(path)
    assert recorded["request"]["headers"] == {"openai-beta": "x=1"}
    played = call(gpt(opened("replay")))
    assert played == "You said Mine are:\n" + "\n".join(["<scrubbed>"] * 5) + (
        "\nAuthorization: Bearer <scrubbed>, and your key is <scrubbed>."
    )


@pytest.mark.parametrize("kind", ["openai", "bedrock"])
def test_a_secret_said_piece_by_piece_is_not_recorded(kind: str, opened, path, caplog) -> None:
    """It cannot be taken out of a stream without changing others of its bytes."""
    with Provider() as provider:
        provider.answer(Answer("x", chunks=["Your key: sk-abc", "defghijk", "lmnop123", "4567 "]))
        if kind == "openai":
            chat_stream(gpt(opened("record"), provider))
        else:
            bedrock = next(one for one in KINDS if one.cls.__name__ == "AnthropicBedrock")
            client: Any = opened("record").wrap(bedrock.make(provider))
            list(client.messages.create(model=bedrock.model, max_tokens=50, messages=HI, stream=True))
    assert not path.exists()
    assert "was not recorded: secret" in caplog.text


def test_a_miss_shows_the_nearest_request_and_what_differs(opened, path) -> None:
    """Line by line, also within a text; it is an error of the SDK's, and of the cache's."""
    with Provider() as provider:
        client = gpt(opened("record"), provider)
        ask(client, "Something else altogether.")
        ask(client, "Translate:\nGood morning.\nGood night.", temperature=0)
    guard = opened("replay")
    with pytest.raises(CassetteMissError) as caught:
        ask(gpt(guard), "Translate:\nGood evening.\nGood night.", temperature=0.5)
    assert isinstance(caught.value, CacheMissError)
    assert isinstance(caught.value, openai.OpenAIError)
    said = str(caught.value)
    assert str(path) in said
    assert "its 2 requests" in said
    assert '-             "Good morning.",\n+             "Good evening.",' in said
    assert '-     "temperature": 0\n+     "temperature": 0.5' in said
    assert "altogether" not in said
    assert "--tokenguard-record=new" in said
    receipt = guard.receipt(caught.value)
    assert receipt is not None
    assert (receipt.status, receipt.error_type, receipt.cost_nano) == ("error", "CassetteMissError", 0)


def test_a_miss_names_a_header_that_differs(opened) -> None:
    """A beta that was switched on is another request."""
    with Provider() as provider:
        messages(claude(opened("record"), provider))
    client = claude(opened("replay")).with_options(
        default_headers={"anthropic-beta": "context-1m-2025-08-07"}
    )
    with pytest.raises(CassetteMissError, match=r'\+ .*"anthropic-beta": "context-1m-2025-08-07"') as caught:
        messages(client)
    assert isinstance(caught.value, anthropic.AnthropicError)


def test_a_miss_is_of_bounded_length(opened) -> None:
    """However much differs."""
    with Provider() as provider:
        ask(gpt(opened("record"), provider), "\n".join(f"line {n} " + "x" * 1000 for n in range(500)))
    with pytest.raises(CassetteMissError) as caught:
        ask(gpt(opened("replay")), "\n".join(f"other {n} " + "y" * 1000 for n in range(500)))
    assert len(str(caught.value)) < 10_000


def test_an_empty_cassette_and_none_say_so(opened, path) -> None:
    """A test that was never recorded."""
    with pytest.raises(CassetteMissError, match="does not exist"):
        ask(gpt(opened("replay")))
    path.parent.mkdir()
    path.touch()
    with pytest.raises(CassetteMissError, match="is empty"):
        ask(gpt(opened("replay")))


@pytest.mark.anyio
async def test_nothing_else_is_sent_either(opened) -> None:
    """Neither uploads nor endpoints that are not metered; nor what asks to pass the cache by."""
    with Provider() as provider:
        guard = opened("replay")
        client = gpt(guard, provider)
        with pytest.raises(CassetteMissError, match="GET /v1/models is not"):
            client.models.list()
        with pytest.raises(CassetteMissError, match="an upload"):
            client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"RIFF"))
        for use in ("bypass", "refresh", "only", "use"):
            with tokenguard.context(cache=use), pytest.raises(CassetteMissError):  # type: ignore[arg-type]
                ask(client)
        async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="none") as plain:
            with pytest.raises(CassetteMissError):
                await guard.wrap(plain).models.list()
        with guard.http_client() as bare, pytest.raises(CassetteMissError):
            bare.get(provider.url)
        assert provider.count == 0


def test_a_fault_of_ours_sends_nothing(opened, monkeypatch) -> None:
    """Where a call goes on without a cache that is broken, one that plays stops."""
    with Provider() as provider:
        guard = opened("replay")

        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("broken")

        for place in ("plan", "find"):
            with monkeypatch.context() as patch:
                patch.setattr(guard.cache, place, broken)
                with pytest.raises((CassetteMissError, RuntimeError)):
                    ask(gpt(guard, provider))
        with monkeypatch.context() as patch:
            patch.setattr("tokenguard.flow.receipt_of", broken)
            with pytest.raises(CassetteMissError):
                ask(gpt(guard, provider))
        assert provider.count == 0


def test_wishes_of_the_cache_change_nothing_that_is_recorded(opened) -> None:
    """Code that passes its cache by can be tested like any other; ``only`` finds what was recorded."""

    def calls(client: openai.OpenAI) -> list[str | None]:
        made = []
        for use in ("bypass", "refresh", "only"):
            with tokenguard.context(cache=use):  # type: ignore[arg-type]
                made.append(ask(client))
        return made

    with Provider() as provider:
        provider.answer("one", times=1)
        provider.answer("two", times=1)
        guard = opened("record")
        assert calls(gpt(guard, provider)) == ["one", "two", "one"]
        assert provider.count == 2
        assert guard.cache is not None
        assert guard.cache.invalidate(model=GPT) == 0
    assert calls(gpt(opened("replay"))) == ["one", "two", "one"]


def test_another_base_url_finds_the_same(opened) -> None:
    """Also one with a path of its own, as gateways have."""
    with Provider() as provider:
        live = ask(gpt(opened("record"), base_url=f"{provider.url}/gateway/team/v1"))
    assert ask(gpt(opened("replay"))) == live


def test_a_wished_model_is_part_of_the_request(opened, path) -> None:
    """What was sent counts, not what the code says."""
    with Provider() as provider, tokenguard.context(model="gpt-4.1"):
        live = ask(gpt(opened("record"), provider))
    assert recordings(path)[0]["request"]["model"] == "gpt-4.1"
    client = gpt(opened("replay"))
    with tokenguard.context(model="gpt-4.1"):
        assert ask(client) == live
    with pytest.raises(CassetteMissError):
        ask(client)


def test_fields_that_cannot_change_an_answer_do_not_matter(opened) -> None:
    """As for a cache; ``ignore`` names further ones."""
    with Provider() as provider:
        live = ask(gpt(opened("record", ignore=("service_tier",)), provider), user="me", service_tier="flex")
    assert ask(gpt(opened("replay", ignore=("service_tier",))), user="you") == live


def test_processes_that_record_into_one_file_lose_nothing(path: Path) -> None:
    """Each leaves the others' calls alone, whenever they come."""
    with Provider() as provider:
        programs = [start(path, provider, name, 15) for name in ("red", "green", "blue")]
        for program in programs:
            program.stdin.write("go\n")
            program.stdin.flush()
        for program in programs:
            _, errors = program.communicate(timeout=120)
            assert program.returncode == 0, errors
    assert sorted(contents(path)) == sorted(
        f"{name} {n}" for name in ("red", "green", "blue") for n in range(15)
    )
    for name in ("red", "green", "blue"):
        assert [one for one in contents(path) if one.startswith(name)] == [f"{name} {n}" for n in range(15)]


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_a_killed_process_leaves_what_it_recorded(path: Path, opened) -> None:
    """Every call that was over is in the file, and the file is whole."""
    with Provider() as provider:
        program = start(path, provider, "call", 1000)
        program.stdin.write("go\n")
        program.stdin.flush()
        seen = [program.stdout.readline() for _ in range(7)]
        os.kill(program.pid, signal.SIGKILL)
        seen += program.communicate()[0].splitlines(keepends=True)
    over = sum(line.endswith("\n") for line in seen)
    there = len(recordings(path))
    assert over <= there <= over + 1
    client = gpt(opened("replay"))
    for n in range(there):
        assert ask(client, f"call {n}")


def start(path: Path, provider: Provider, name: str, calls: int) -> Any:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.cache.cassette_program", path, provider.openai_url, name, str(calls)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout
    assert program.stdout.readline() == "ready\n"
    return program


def test_threads_record_into_one_cassette(opened, path) -> None:
    """None of their calls is lost."""
    with Provider() as provider:
        client = gpt(opened("record"), provider)
        threads = [threading.Thread(target=ask, args=(client, f"call {n}")) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(contents(path)) == sorted(f"call {n}" for n in range(12))


def test_what_could_not_be_written_is_tried_again(opened, path, caplog) -> None:
    """The call has its answer; flushing says whether it is recorded."""
    path.parent.mkdir()
    path.with_name(".calls.json.tmp").mkdir()  # in the way
    with Provider() as provider:
        guard = opened("record")
        client = gpt(guard, provider)
        ask(client, "a")
        assert "flow.keep failed" in caplog.text
        assert not guard.flush()
        path.with_name(".calls.json.tmp").rmdir()
        ask(client, "b")
        assert guard.flush()
    assert contents(path) == ["a", "b"]


@pytest.mark.parametrize("store", [None, "disk", object()])
@pytest.mark.parametrize("mode", ["record", "replay", "new"])
def test_a_cassette_needs_a_path(mode: Any, store: Any) -> None:
    """Said when the settings are made."""
    with pytest.raises(ConfigError, match="give its path"):
        Cache(mode=mode, store=store)


@pytest.mark.parametrize(
    "text",
    [
        "<<<<<<< HEAD\n",
        "{}",
        "[]",
        '{"tokenguard_cassette": 2, "recordings": []}',
        '{"tokenguard_cassette": 1}',
        '{"tokenguard_cassette": 1, "recordings": [{"request": {}}]}',
    ],
)
def test_what_is_no_cassette_is_refused_at_once(text: str, opened, path) -> None:
    """When the guard is made, naming the file; it is never overwritten."""
    path.parent.mkdir()
    path.write_text(text)
    for mode in ("replay", "record", "new"):
        with pytest.raises(ConfigError, match=r"calls\.json cannot be read as a cassette"):
            opened(mode)
    assert path.read_text() == text


def test_a_cassette_may_be_written_by_hand(opened, path) -> None:
    """To have a case that no provider can be brought to: what the body says is what the receipt says."""
    with Provider() as provider:
        ask(gpt(opened("record"), provider))
    document = json.loads(path.read_text())
    body = document["recordings"][0]["response"]["body"]
    body["choices"][0]["message"]["content"] = "By hand."
    body["usage"] = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    path.write_text(json.dumps(document))
    guard = opened("replay")
    reply = gpt(guard).chat.completions.create(model=GPT, messages=HI)
    assert reply.choices[0].message.content == "By hand."
    receipt = guard.receipt(reply)
    assert receipt is not None
    assert sum(receipt.meters.values()) == 3


def test_a_played_call_is_in_the_ledger(tmp_path: Path, path, opened) -> None:
    """Refusals, too; neither cost anything."""
    with Provider() as provider:
        client = gpt(opened("record"), provider)
        ask(client)
        provider.fail(400)
        with pytest.raises(openai.BadRequestError):
            ask(client, "wrong")
    guard = Guard(ledger=tmp_path / "ledger.db", cache=Cache(mode="replay", store=path))
    client = gpt(guard)
    ask(client)
    with pytest.raises(openai.BadRequestError):
        ask(client, "wrong")
    guard.close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as file:
        found = file.execute("SELECT status, state, cost_nano, cache FROM call ORDER BY ts_start").fetchall()
    assert found == [("ok", "settled", 0, "hit"), ("error", "released", 0, "hit")]
