"""Chat completions and legacy completions, as the openai SDK reads them."""

import asyncio

import openai
import pytest
from pydantic import BaseModel

from tokenguard.testing import Answer, Provider, ToolCall
from tokenguard.tokens import text

pytestmark = pytest.mark.timeout(60)


class Person(BaseModel):
    name: str
    age: int
    friends: list["Person"]
    nickname: str | None


def test_an_answer_is_a_whole_completion(gpt, provider, prompt) -> None:
    """Text, usage, identifiers and finish reason are all there."""
    provider.answer("Paris.")
    completion = gpt.chat.completions.create(model="gpt-4o", messages=prompt)
    assert completion.choices[0].message.content == "Paris."
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.prompt_tokens == 3 + 3 + 1 + text.count(prompt[0]["content"], "gpt-4o")
    assert completion.usage.completion_tokens == 2
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + 2
    assert completion.usage.prompt_tokens_details.cached_tokens == 0
    assert completion.usage.completion_tokens_details.reasoning_tokens == 0
    assert completion.service_tier == "default"
    assert completion._request_id


def test_the_default_answer_depends_on_the_prompt_alone(gpt, prompt) -> None:
    """The same prompt gets the same answer, another prompt another one."""

    def ask(question: str) -> str:
        messages = [{"role": "user", "content": question}]
        return gpt.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content

    assert ask("one") == ask("one") != ask("two")


def test_prompt_counts_match_the_cookbook(gpt) -> None:
    """The example of OpenAI's cookbook, which the API counts as 124 tokens, is 124 tokens here."""
    system, user, example = "You are a helpful, pattern-following assistant that ", "user", "example_"
    messages = [
        ("system", f"{system}translates corporate jargon into plain English.", None),
        ("system", "New synergies will help drive top-line growth.", f"{example}user"),
        ("system", "Things working well together will increase revenue.", f"{example}assistant"),
        (
            "system",
            "Let's circle back when we have more bandwidth to touch base on opportunities for increased "
            "leverage.",
            f"{example}user",
        ),
        (
            "system",
            "Let's talk later when we're less busy about how to do better.",
            f"{example}assistant",
        ),
        (
            user,
            "This late pivot means we don't have time to boil the ocean for the client deliverable.",
            None,
        ),
    ]
    wire = [
        {"role": role, "content": content, **({"name": name} if name else {})}
        for role, content, name in messages
    ]
    assert gpt.chat.completions.create(model="gpt-4o", messages=wire).usage.prompt_tokens == 124


@pytest.mark.parametrize("include_usage", [True, False])
def test_a_stream_ends_with_usage_only_if_asked(gpt, provider, prompt, include_usage) -> None:
    """Role first, then one chunk per token, then the finish; usage last and only on request."""
    provider.answer("Paris is it.")
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    chunks = list(gpt.chat.completions.create(model="gpt-4o", messages=prompt, stream=True, **options))
    assert len({chunk.id for chunk in chunks}) == 1
    if include_usage:
        *chunks, last = chunks
        assert last.choices == []
        assert last.usage.completion_tokens == 4
        assert all("usage" in chunk.model_fields_set and chunk.usage is None for chunk in chunks)
    else:
        assert not any("usage" in chunk.model_fields_set for chunk in chunks)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert deltas[0].role == "assistant"
    assert [delta.content for delta in deltas[1:-1]] == ["Paris", " is", " it", "."]
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_stream_options_without_a_stream_are_refused(gpt, prompt) -> None:
    """As the real API does, so that adding them where they do not belong is noticed."""
    with pytest.raises(openai.BadRequestError, match="stream_options"):
        gpt.chat.completions.create(model="gpt-4o", messages=prompt, stream_options={"include_usage": True})


@pytest.mark.parametrize("cap", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_cap_cuts_the_answer(gpt, provider, prompt, cap, stream) -> None:
    """The answer has no more tokens than allowed, and says that it was cut."""
    provider.answer("one two three four five")
    asked = {"model": "gpt-4o", "messages": prompt, cap: 3}
    if stream:
        chunks = list(gpt.chat.completions.create(stream=True, **asked))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one two three"
        assert chunks[-1].choices[0].finish_reason == "length"
    else:
        completion = gpt.chat.completions.create(**asked)
        assert completion.choices[0].message.content == "one two three"
        assert completion.choices[0].finish_reason == "length"
        assert completion.usage.completion_tokens == 3


def test_reasoning_uses_up_the_cap(gpt, provider, prompt) -> None:
    """Reasoning tokens are output, and leave less room for the answer."""
    provider.answer(Answer("one two three four", reasoning_tokens=8))
    completion = gpt.chat.completions.create(model="o4-mini", messages=prompt, max_completion_tokens=10)
    assert completion.choices[0].message.content == "one two"
    assert completion.usage.completion_tokens == 10
    assert completion.usage.completion_tokens_details.reasoning_tokens == 8


def test_characters_are_never_torn_apart(gpt, provider, prompt) -> None:
    """Where a character spans several tokens, a chunk carries all of it."""
    provider.answer("日本語 👩‍👩‍👧 ﷽ naïve")
    chunks = gpt.chat.completions.create(model="gpt-4o", messages=prompt, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "日本語 👩‍👩‍👧 ﷽ naïve"


def test_chunks_can_be_scripted(gpt, provider, prompt) -> None:
    """A test that needs certain pieces gets them, and their sum as the text."""
    provider.answer(Answer(chunks=["Par", "", "is"]))
    stream = gpt.chat.completions.create(model="gpt-4o", messages=prompt, stream=True)
    assert [chunk.choices[0].delta.content for chunk in stream][1:-1] == ["Par", "", "is"]
    assert gpt.chat.completions.create(model="gpt-4o", messages=prompt).choices[0].message.content == "Paris"


def test_usage_can_be_scripted(gpt, provider, prompt) -> None:
    """In numbers, or as the block itself."""
    provider.answer(Answer("a", input_tokens=100, output_tokens=7, cached_tokens=40), times=1)
    usage = gpt.chat.completions.create(model="gpt-4o", messages=prompt).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (100, 7, 107)
    assert usage.prompt_tokens_details.cached_tokens == 40
    provider.answer(Answer("a", usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 9}))
    assert gpt.chat.completions.create(model="gpt-4o", messages=prompt).usage.total_tokens == 9


def test_anthropic_numbers_are_translated(gpt, provider, prompt) -> None:
    """A recorded usage block of the other provider leaves cached tokens out; here they are in."""
    provider.answer(
        Answer("a", usage={"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 5})
    )
    usage = gpt.chat.completions.create(model="gpt-4o", messages=prompt).usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (100, 5)
    assert usage.prompt_tokens_details.cached_tokens == 90


@pytest.mark.parametrize("stream", [True, False])
def test_tools_are_called(gpt, provider, prompt, stream) -> None:
    """Name, arguments and finish reason arrive, in pieces or whole."""
    call = ToolCall("get_weather", {"city": "Paris", "unit": "celsius"}, id="call_1")
    provider.answer(Answer(tool_calls=[call]))
    asked = {"model": "gpt-4o", "messages": prompt}
    if stream:
        with gpt.chat.completions.stream(**asked) as events:
            choice = events.get_final_completion().choices[0]
    else:
        choice = gpt.chat.completions.create(**asked).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    [tool] = choice.message.tool_calls
    assert (tool.id, tool.function.name) == ("call_1", "get_weather")
    assert tool.function.arguments == '{"city":"Paris","unit":"celsius"}'


def test_a_forced_tool_is_called_with_valid_arguments(gpt, prompt) -> None:
    """Frameworks that get structured output by forcing a tool work without a script."""
    tool = {"type": "function", "function": {"name": "f", "parameters": Person.model_json_schema()}}
    completion = gpt.chat.completions.create(
        model="gpt-4o", messages=prompt, tools=[tool], tool_choice="required"
    )
    [call] = completion.choices[0].message.tool_calls
    Person.model_validate_json(call.function.arguments)


def test_a_schema_that_makes_no_sense_is_refused(gpt, prompt) -> None:
    """With status 400, and not with an answer that is none."""
    shape = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "#/$defs/none"}}}
    with pytest.raises(openai.BadRequestError, match="leads nowhere"):
        gpt.chat.completions.create(model="gpt-4o", messages=prompt, response_format=shape)


def test_structured_output_is_valid(gpt, prompt) -> None:
    """``.parse`` gets an instance of its model, recursive ones included."""
    completion = gpt.chat.completions.parse(model="gpt-4o", messages=prompt, response_format=Person)
    assert isinstance(completion.choices[0].message.parsed, Person)


def test_a_refusal_is_not_content(gpt, provider, prompt) -> None:
    """OpenAI sends refusals in a field of their own."""
    provider.answer(Answer(refusal="I cannot do that."))
    message = gpt.chat.completions.create(model="gpt-4o", messages=prompt).choices[0].message
    assert (message.content, message.refusal) == (None, "I cannot do that.")


@pytest.mark.parametrize("stream", [True, False])
def test_log_probabilities_come_when_asked_for(gpt, provider, prompt, stream) -> None:
    """One entry per token, with the alternatives asked for; scripted where wanted."""
    provider.answer(Answer("Paris is it.", logprob=-0.25))
    asked = {"model": "gpt-4o", "messages": prompt, "logprobs": True, "top_logprobs": 2}
    if stream:
        chunks = gpt.chat.completions.create(stream=True, **asked)
        found = [chunk.choices[0].logprobs for chunk in chunks]
        entries = [entry for logprobs in found if logprobs for entry in logprobs.content]
    else:
        entries = gpt.chat.completions.create(**asked).choices[0].logprobs.content
    assert [entry.token for entry in entries] == ["Paris", " is", " it", "."]
    assert {entry.logprob for entry in entries} == {-0.25}
    assert all(len(entry.top_logprobs) == 2 for entry in entries)


def test_several_choices_are_all_counted(gpt, prompt) -> None:
    """``n`` answers differ, and the usage is of all of them."""
    completion = gpt.chat.completions.create(model="gpt-4o", messages=prompt, n=3)
    texts = [choice.message.content for choice in completion.choices]
    assert len(set(texts)) == 3
    assert completion.usage.completion_tokens == sum(text.count(said, "gpt-4o") for said in texts)


@pytest.mark.parametrize(("asked", "served"), [("flex", "flex"), ("auto", "default"), (None, "default")])
def test_the_service_tier_is_returned(gpt, prompt, asked, served) -> None:
    """What was asked for, except that ``auto`` is served as ``default``."""
    extra = {"service_tier": asked} if asked else {}
    assert gpt.chat.completions.create(model="gpt-4o", messages=prompt, **extra).service_tier == served


def test_legacy_completions_work(gpt, provider) -> None:
    """The old endpoint, whole and streamed, with log probabilities."""
    provider.answer("Paris is it.")
    whole = gpt.completions.create(model="davinci-002", prompt="Where?", logprobs=1)
    assert whole.choices[0].text == "Paris is it."
    assert whole.choices[0].logprobs.tokens == ["Paris", " is", " it", "."]
    options = {"include_usage": True}
    chunks = list(
        gpt.completions.create(model="davinci-002", prompt="Where?", stream=True, stream_options=options)
    )
    assert "".join(chunk.choices[0].text for chunk in chunks[:-1]) == "Paris is it."
    assert chunks[-1].usage == whole.usage


def test_async_clients_are_served_at_once(provider: Provider) -> None:
    """Many concurrent calls and streams of an asynchronous client all get their own answer."""
    provider.answer(lambda request: request.json["messages"][0]["content"])

    async def ask(client: openai.AsyncOpenAI, number: int) -> str:
        messages = [{"role": "user", "content": f"number {number}"}]
        if number % 2:
            completion = await client.chat.completions.create(model="gpt-4o", messages=messages)
            return completion.choices[0].message.content
        stream = await client.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def main() -> list[str]:
        async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="test") as client:
            return await asyncio.gather(*(ask(client, number) for number in range(50)))

    assert asyncio.run(main()) == [f"number {number}" for number in range(50)]
    assert provider.count == 50


@pytest.mark.parametrize("body", [{}, {"model": "gpt-4o"}, {"model": 3, "messages": []}])
def test_a_request_that_makes_no_sense_is_refused(gpt, body) -> None:
    """With status 400 and the parameter that is wrong, as the real API does."""
    with pytest.raises(openai.BadRequestError) as caught:
        gpt.post("/chat/completions", body=body, cast_to=object)
    assert caught.value.param in ("model", "messages")
