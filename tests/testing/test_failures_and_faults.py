"""Everything that goes wrong with real providers can be made to go wrong here."""

import math
import threading
from datetime import UTC, datetime, timedelta, timezone

import anthropic
import httpx2
import openai
import pytest

from tokenguard.testing import Provider

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def ask(gpt, prompt):
    return lambda **more: gpt.chat.completions.create(model="gpt-4o", messages=prompt, **more)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_openai_failures_are_the_errors_that_the_sdk_knows(ask, provider, status, error) -> None:
    """With a body in OpenAI's form, once, and then no more."""
    provider.fail(status)
    with pytest.raises(error) as caught:
        ask()
    assert caught.value.status_code == status
    assert caught.value.body["message"]
    assert ask().choices


@pytest.mark.parametrize(
    ("status", "kind"), [(429, "rate_limit_error"), (500, "api_error"), (529, "overloaded_error")]
)
def test_anthropic_failures_are_the_errors_that_the_sdk_knows(claude, provider, prompt, status, kind) -> None:
    """With a body in Anthropic's form."""
    provider.fail(status)
    with pytest.raises(anthropic.APIStatusError) as caught:
        claude.messages.create(model="claude", max_tokens=9, messages=prompt)
    assert caught.value.status_code == status
    assert caught.value.body["error"]["type"] == kind


def test_headers_and_body_of_a_failure_can_be_scripted(ask, provider) -> None:
    """They replace the usual ones."""
    provider.fail(
        403, headers={"X-Request-Id": "mine", "x-should-retry": "false"}, body={"error": {"message": "no"}}
    )
    with pytest.raises(openai.PermissionDeniedError) as caught:
        ask()
    assert caught.value.body == {"message": "no"}
    assert caught.value.response.headers.get_list("x-request-id") == ["mine"]
    provider.fail(502, body="<html>", headers={"content-type": "text/html"})
    with pytest.raises(openai.InternalServerError) as caught:
        ask()
    assert caught.value.response.text == "<html>"


@pytest.mark.parametrize(
    ("told", "header", "value"),
    [
        ({"retry_after": "2"}, "retry-after", "2"),
        ({"retry_after": 2}, "retry-after", "2"),
        ({"retry_after": 0.25}, "retry-after", "0.25"),
        ({"retry_after": "soon"}, "retry-after", "soon"),
        ({"retry_after_ms": 1500}, "retry-after-ms", "1500"),
        (
            {"retry_after": datetime(2025, 3, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))},
            "retry-after",
            "Sat, 01 Mar 2025 12:00:00 GMT",
        ),
    ],
)
def test_retry_after_comes_in_every_form(ask, provider, told, header, value) -> None:
    """Seconds, fractions, milliseconds, dates and nonsense."""
    provider.fail(429, **told)
    with pytest.raises(openai.RateLimitError) as caught:
        ask()
    assert caught.value.response.headers[header] == value


def test_a_date_without_a_zone_is_taken_as_local(ask, provider) -> None:
    """As Python itself does."""
    now = datetime.now(UTC).replace(microsecond=0)
    provider.fail(429, retry_after=now.astimezone().replace(tzinfo=None))
    with pytest.raises(openai.RateLimitError) as caught:
        ask()
    assert caught.value.response.headers["retry-after"] == now.strftime("%a, %d %b %Y %H:%M:%S GMT")


def test_failures_and_faults_come_in_the_order_they_were_told(ask, provider) -> None:
    """One per request, however they were mixed."""
    provider.fail(500)
    provider.fault(reset="before_headers")
    provider.fail(429, times=2)
    errors = []
    for _ in range(5):
        try:
            ask()
        except openai.APIError as error:
            errors.append(getattr(error, "status_code", "reset"))
        else:
            errors.append("ok")
    assert errors == [500, "reset", 429, 429, "ok"]


@pytest.mark.parametrize("when", ["before_headers", "mid_body"])
@pytest.mark.parametrize("stream", [True, False])
def test_connections_are_reset(ask, provider, when, stream) -> None:
    """The client sees a reset, not an orderly end; and the next request works."""
    provider.fault(reset=when)
    with pytest.raises(openai.APIConnectionError) as caught:
        list(ask(stream=stream))
    assert isinstance(caught.value.__cause__, httpx2.ReadError)
    assert provider.requests[0].outcome == "broken off"
    assert ask().choices


def test_a_reset_comes_after_the_pieces_it_should(ask, provider) -> None:
    """What came before it can still be read."""
    provider.fault(reset="mid_body", reset_after=3)
    stream = ask(stream=True)
    for _ in range(3):
        next(stream)
    with pytest.raises(openai.APIConnectionError):
        next(stream)


@pytest.mark.parametrize("stream", [True, False])
def test_connections_are_closed_in_the_middle_of_a_body(ask, provider, stream) -> None:
    """The body is incomplete, and the client can know it."""
    provider.fault(disconnect_after=1)
    with pytest.raises(openai.APIConnectionError) as caught:
        list(ask(stream=stream))
    assert isinstance(caught.value.__cause__, httpx2.RemoteProtocolError)


def test_a_stall_lasts_until_it_is_released(ask, provider) -> None:
    """The pieces before it arrive, the rest after the release."""
    provider.answer("one two three")
    provider.fault(stall_after=2)
    stream = ask(stream=True)
    assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", "one"]
    provider.release()
    assert [chunk.choices[0].delta.content for chunk in stream] == [" two", " three", None]
    assert provider.wait_for(1, ended=True)[0].outcome == "answered"


def test_a_stalled_reply_times_out(gpt, provider, prompt) -> None:
    """Clients with a timeout give up; the provider sees them leave."""
    provider.fault(stall_after=0)
    with pytest.raises(openai.APITimeoutError):
        gpt.with_options(timeout=0.05).chat.completions.create(model="gpt-4o", messages=prompt)
    assert provider.wait_for(1, ended=True)[0].outcome == "closed by client"


def test_headers_can_be_held_back(ask, provider) -> None:
    """For good, that is until the release."""
    provider.fault(header_delay=math.inf)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    provider.wait_for(1)
    assert not answers
    provider.release()
    thread.join()
    assert answers[0].choices


def test_pieces_can_be_delayed_one_by_one(ask, provider) -> None:
    """A release ends the pause that is under way, and not those to come."""
    provider.answer("one")
    provider.fault(chunk_delay=math.inf)
    stream = ask(stream=True)
    for _ in range(3):
        next(stream)
        provider.release()
    assert list(stream) == []


def test_closing_the_provider_ends_stalls(prompt) -> None:
    """No thread of a test is left hanging."""
    provider = Provider()
    provider.fault(stall_after=1)
    with openai.OpenAI(base_url=provider.openai_url, api_key="test", max_retries=0) as gpt:
        stream = gpt.chat.completions.create(model="gpt-4o", messages=prompt, stream=True)
        next(stream)
        provider.close()
        provider.close()
        with pytest.raises(openai.APIConnectionError):
            next(stream)
    assert provider.requests[0].outcome == "broken off"


def test_an_abandoned_stream_is_noticed(ask, provider) -> None:
    """The provider can tell who left before the end."""
    provider.fault(stall_after=2)
    stream = ask(stream=True)
    next(stream)
    stream.close()
    assert provider.wait_for(1, ended=True)[0].outcome == "closed by client"


def test_a_truncated_stream_looks_complete(ask, provider) -> None:
    """The body ends properly, but neither finish nor usage nor ``[DONE]`` came."""
    provider.fault(truncate_after=2)
    chunks = list(ask(stream=True, stream_options={"include_usage": True}))
    assert len(chunks) == 2
    assert chunks[-1].choices[0].finish_reason is None
    provider.fault(truncate_after=1)
    with pytest.raises(ValueError, match="Unterminated"):
        ask()


def test_a_malformed_event_breaks_the_stream(ask, provider) -> None:
    """Half of an object, where a whole one belongs."""
    provider.fault(malformed_after=2)
    with pytest.raises(ValueError, match="Unterminated"):
        list(ask(stream=True))


def test_an_error_event_ends_a_stream_of_status_200(ask, gpt, claude, provider, prompt) -> None:
    """In the form of each API, scripted where wanted."""
    provider.fault(error_after=2)
    with pytest.raises(openai.APIError, match="scripted error"):
        list(ask(stream=True))
    provider.fault(error_after=2, error={"message": "mine", "type": "server_error"})
    with pytest.raises(openai.APIError, match="mine"):
        list(ask(stream=True))
    provider.fault(error_after=2)
    *_, last = gpt.responses.create(model="gpt-4o", input="Hi.", stream=True)
    assert (last.type, last.sequence_number) == ("error", 2)
    provider.fault(error_after=2)
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        list(claude.messages.create(model="claude", max_tokens=9, messages=prompt, stream=True))


def test_a_reply_that_is_not_json(gpt, provider, prompt) -> None:
    """A page of HTML with status 200, as some proxies send."""
    provider.fault(not_json=True)
    raw = gpt.chat.completions.with_raw_response.create(model="gpt-4o", messages=prompt)
    assert raw.headers["content-type"] == "text/html"
    assert raw.http_response.text.startswith("<html>")


@pytest.mark.parametrize("stream", [True, False])
def test_openai_usage_can_be_wrong(ask, provider, stream) -> None:
    """Missing, negative, or not adding up."""
    more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}

    def usage():
        reply = ask(**more)
        return [*reply][-1].usage if stream else reply.usage

    provider.fault(usage="missing")
    assert usage() is None
    provider.fault(usage="negative")
    assert usage().completion_tokens < 0
    provider.fault(usage="inconsistent")
    wrong = usage()
    assert wrong.total_tokens != wrong.prompt_tokens + wrong.completion_tokens


@pytest.mark.parametrize("stream", [True, False])
def test_anthropic_usage_can_be_wrong(claude, provider, prompt, stream) -> None:
    """Missing, negative, or not adding up."""

    def usage():
        reply = claude.messages.create(model="claude", max_tokens=9, messages=prompt, stream=stream)
        if not stream:
            return reply.usage
        return next(event for event in reply if event.type == "message_start").message.usage

    provider.fault(usage="missing")
    assert usage() is None
    provider.fault(usage="negative")
    assert usage().input_tokens < 0
    provider.fault(usage="inconsistent")
    wrong = usage()
    parts = wrong.cache_creation
    assert wrong.cache_creation_input_tokens != (
        parts.ephemeral_5m_input_tokens + parts.ephemeral_1h_input_tokens
    )


@pytest.mark.parametrize("stream", [True, False])
def test_bodies_can_be_compressed(gpt, provider, prompt, stream) -> None:
    """And are readable piece by piece all the same."""
    provider.answer("Paris is it.")
    provider.fault(gzip=True, stall_after=2 if stream else None)
    raw = gpt.chat.completions.with_raw_response.create(model="gpt-4o", messages=prompt, stream=stream)
    assert raw.headers["content-encoding"] == "gzip"
    reply = raw.parse()
    if stream:
        assert [next(reply).choices[0].delta.content for _ in range(2)] == ["", "Paris"]
        provider.release()
        assert "".join(chunk.choices[0].delta.content or "" for chunk in reply) == " is it."
    else:
        assert reply.choices[0].message.content == "Paris is it."


def test_faults_combine(ask, provider) -> None:
    """Compressed, malformed and stalled at once."""
    provider.fault(gzip=True, malformed_after=1, stall_after=1)
    stream = ask(stream=True)
    next(stream)
    provider.release()
    with pytest.raises(ValueError, match="Unterminated"):
        next(stream)


def test_faults_can_last_until_they_are_cleared(ask, provider) -> None:
    """``times=None`` is for good, ``clear`` ends it."""
    provider.fail(503, times=None)
    for _ in range(3):
        with pytest.raises(openai.InternalServerError):
            ask()
    provider.clear()
    assert ask().choices
