"""Messages and token counts, as the anthropic SDK reads them; directly, on Bedrock and on Vertex AI."""

import asyncio

import anthropic
import pytest
from pydantic import BaseModel

from tokenguard.testing import Answer, Provider, ToolCall

pytestmark = pytest.mark.timeout(60)


class Person(BaseModel):
    name: str
    age: int


def test_an_answer_is_a_whole_message(claude, provider, prompt) -> None:
    """Text, usage, identifiers and stop reason are all there."""
    provider.answer("Paris.")
    message = claude.messages.create(model="claude-sonnet-5", max_tokens=99, messages=prompt)
    assert message.content[0].text == "Paris."
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens == 2
    assert message.usage.service_tier == "standard"
    assert message._request_id


def test_cached_tokens_are_not_input_tokens(claude, provider, prompt) -> None:
    """The script counts all of the prompt; Anthropic's block leaves cached tokens out of the input."""
    provider.answer(Answer("a", input_tokens=100, cached_tokens=60, cache_write_tokens=30))
    usage = claude.messages.create(model="claude-sonnet-5", max_tokens=99, messages=prompt).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (
        10,
        60,
        30,
    )
    assert usage.cache_creation.ephemeral_5m_input_tokens == 30


def test_parts_of_the_usage_can_be_scripted(claude, provider, prompt) -> None:
    """Those that no number of the script stands for; in streams they come in the right events."""
    usage = {
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 30},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    }
    provider.answer(Answer("a", usage=usage))
    asked = {"model": "claude-sonnet-5", "max_tokens": 99, "messages": prompt}
    whole = claude.messages.create(**asked).usage
    assert whole.cache_creation.ephemeral_1h_input_tokens == whole.cache_creation_input_tokens == 30
    start, *_, delta, _ = claude.messages.create(stream=True, **asked)
    assert start.message.usage.cache_creation.ephemeral_1h_input_tokens == 30
    assert delta.usage.server_tool_use.web_search_requests == 2


def test_the_events_come_in_order(claude, provider, prompt) -> None:
    """From ``message_start`` to ``message_stop``; the usage at the end is cumulative."""
    provider.answer("Paris is it.")
    with claude.messages.create(
        model="claude-sonnet-5", max_tokens=99, messages=prompt, stream=True
    ) as stream:
        events = list(stream)
    assert [event.type for event in events] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 4,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[0].message.usage.output_tokens == 1
    assert events[0].message.usage.input_tokens == events[-2].usage.input_tokens > 0
    assert events[-2].usage.output_tokens == 4
    assert events[-2].delta.stop_reason == "end_turn"


def test_the_sdk_assembles_the_stream(claude, provider, prompt) -> None:
    """Thinking, text and a tool call come together again."""
    provider.answer(Answer("Let me see.", thinking="Hm.", tool_calls=[ToolCall("look_up", {"q": "Paris"})]))
    with claude.messages.stream(model="claude-sonnet-5", max_tokens=99, messages=prompt) as stream:
        message = stream.get_final_message()
    thinking, text, call = message.content
    assert (thinking.thinking, text.text, call.name, call.input) == (
        "Hm.",
        "Let me see.",
        "look_up",
        {"q": "Paris"},
    )
    assert message.stop_reason == "tool_use"


def test_a_cap_cuts_the_answer(claude, provider, prompt) -> None:
    """And is required, as by the real API."""
    provider.answer("one two three four five")
    message = claude.messages.create(model="claude-sonnet-5", max_tokens=3, messages=prompt)
    assert (message.content[0].text, message.stop_reason) == ("one two three", "max_tokens")
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Field required"):
        claude.post("/v1/messages", body={"model": "claude", "messages": prompt}, cast_to=object)


def test_structured_output_is_valid(claude, prompt) -> None:
    """``.parse`` gets an instance of its model."""
    message = claude.messages.parse(
        model="claude-sonnet-5", max_tokens=99, messages=prompt, output_format=Person
    )
    assert isinstance(message.parsed_output, Person)


def test_a_forced_tool_is_called(claude, prompt) -> None:
    """With arguments that are valid under its schema."""
    tool = {"name": "save", "input_schema": Person.model_json_schema()}
    message = claude.messages.create(
        model="claude",
        max_tokens=99,
        messages=prompt,
        tools=[tool],
        tool_choice={"type": "tool", "name": "save"},
    )
    Person.model_validate(message.content[0].input)


def test_a_refusal_is_a_stop_reason(claude, provider, prompt) -> None:
    """Anthropic has no field of its own for it."""
    provider.answer(Answer(refusal="No."))
    assert claude.messages.create(model="claude", max_tokens=9, messages=prompt).stop_reason == "refusal"


def test_tokens_can_be_counted(claude, prompt) -> None:
    """The count agrees with the usage of the call itself."""
    asked = {"model": "claude-sonnet-5", "messages": prompt, "system": "Be brief."}
    counted = claude.messages.count_tokens(**asked).input_tokens
    assert counted == claude.messages.create(max_tokens=9, **asked).usage.input_tokens


def test_beta_messages_work(claude, provider, prompt) -> None:
    """Whole, streamed and counted, on the path with ``?beta=true`` too."""
    provider.answer("Paris.")
    asked = {"model": "claude-sonnet-5", "messages": prompt}
    assert claude.beta.messages.create(max_tokens=9, **asked).content[0].text == "Paris."
    with claude.beta.messages.stream(max_tokens=9, **asked) as stream:
        assert stream.get_final_message().content[0].text == "Paris."
    assert claude.beta.messages.count_tokens(**asked).input_tokens > 0
    claude.post("/v1/messages?beta=true", body={"max_tokens": 9, **asked}, cast_to=object)
    assert provider.requests[-1].query == "beta=true"


def test_async_clients_work(provider: Provider, prompt) -> None:
    """Whole and streamed."""
    provider.answer("Paris.")

    async def main() -> list[str]:
        async with anthropic.AsyncAnthropic(base_url=provider.anthropic_url, api_key="test") as client:
            asked = {"model": "claude-sonnet-5", "max_tokens": 9, "messages": prompt}
            message = await client.messages.create(**asked)
            async with client.messages.stream(**asked) as stream:
                return [message.content[0].text, await stream.get_final_text()]

    assert asyncio.run(main()) == ["Paris.", "Paris."]


@pytest.fixture
def bedrock(provider: Provider):
    with anthropic.AnthropicBedrock(
        base_url=provider.bedrock_url,
        aws_access_key="test",
        aws_secret_key="test",
        aws_region="us-east-1",
        max_retries=0,
    ) as client:
        yield client


def test_bedrock_answers_and_streams(bedrock, provider, prompt) -> None:
    """The model is in the path, and streams come in Amazon's framing."""
    provider.answer("Paris.")
    asked = {"model": "anthropic.claude-sonnet-5-v1:0", "max_tokens": 9, "messages": prompt}
    message = bedrock.messages.create(**asked)
    assert message.content[0].text == "Paris."
    assert message.model == asked["model"]
    with bedrock.messages.stream(**asked) as stream:
        streamed = stream.get_final_message()
    assert streamed.content[0].text == "Paris."
    assert streamed.usage.output_tokens == message.usage.output_tokens
    assert provider.requests[-1].path.endswith("/invoke-with-response-stream")


def test_bedrock_streams_can_fail(bedrock, provider, prompt) -> None:
    """An exception inside the stream reaches the caller."""
    provider.fault(error_after=2)
    with pytest.raises(anthropic.APIError, match="throttlingException"):
        list(bedrock.messages.create(model="anthropic.claude", max_tokens=9, messages=prompt, stream=True))


def test_vertex_answers_streams_and_counts(provider, prompt) -> None:
    """The model is in the path."""
    provider.answer("Paris.")
    with anthropic.AnthropicVertex(
        base_url=provider.vertex_url,
        region="us-east5",
        project_id="project",
        access_token="test",
        max_retries=0,
    ) as vertex:
        asked = {"model": "claude-sonnet-5@20260301", "messages": prompt}
        message = vertex.messages.create(max_tokens=9, **asked)
        assert (message.content[0].text, message.model) == ("Paris.", asked["model"])
        with vertex.messages.stream(max_tokens=9, **asked) as stream:
            assert stream.get_final_text() == "Paris."
        assert vertex.messages.count_tokens(**asked).input_tokens == message.usage.input_tokens
    paths = [request.path.rpartition("/")[2] for request in provider.requests]
    assert paths == [
        "claude-sonnet-5@20260301:rawPredict",
        "claude-sonnet-5@20260301:streamRawPredict",
        "count-tokens:rawPredict",
    ]
