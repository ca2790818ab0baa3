"""The responses API, as the openai SDK reads it."""

import openai
import pytest
from pydantic import BaseModel

from tokenguard.testing import Answer, ToolCall

pytestmark = pytest.mark.timeout(60)


class Person(BaseModel):
    name: str
    age: int


def test_a_response_has_text_and_usage(gpt, provider) -> None:
    """The text, the usage with its details, and the parameters that were asked for."""
    provider.answer(Answer("Paris.", cached_tokens=2, reasoning_tokens=5))
    response = gpt.responses.create(model="gpt-5", input="Where?", instructions="Be brief.", temperature=0.5)
    assert response.output_text == "Paris."
    assert response.status == "completed"
    assert response.temperature == 0.5
    assert response.usage.output_tokens == 7
    assert response.usage.total_tokens == response.usage.input_tokens + 7
    assert response.usage.input_tokens_details.cached_tokens == 2
    assert response.usage.output_tokens_details.reasoning_tokens == 5
    assert [item.type for item in response.output] == ["reasoning", "message"]


def test_the_events_come_in_order(gpt, provider) -> None:
    """Numbered without a gap, from ``created`` to ``completed``, which carries the usage."""
    provider.answer("Paris is it.")
    events = list(gpt.responses.create(model="gpt-4o", input="Where?", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * 4,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert events[0].response.usage is None
    assert events[-1].response.usage.output_tokens == 4
    assert events[-1].response.id == events[0].response.id


def test_the_sdk_assembles_the_stream(gpt, provider) -> None:
    """Its own accumulator ends with the same response, tool calls included."""
    provider.answer(Answer("Let me see.", tool_calls=[ToolCall("look_up", {"q": "capital of France"})]))
    with gpt.responses.stream(model="gpt-4o", input="Where?") as stream:
        for _ in stream:
            pass
        response = stream.get_final_response()
    message, call = response.output
    assert message.content[0].text == "Let me see."
    assert (call.name, call.arguments) == ("look_up", '{"q":"capital of France"}')


def test_structured_output_is_valid(gpt) -> None:
    """``.parse`` gets an instance of its model."""
    assert isinstance(
        gpt.responses.parse(model="gpt-4o", input="Who?", text_format=Person).output_parsed, Person
    )


@pytest.mark.parametrize("stream", [True, False])
def test_a_cap_makes_the_response_incomplete(gpt, provider, stream) -> None:
    """With the reason that the real API gives."""
    provider.answer("one two three four five")
    if stream:
        events = gpt.responses.create(model="gpt-4o", input="Count.", max_output_tokens=3, stream=True)
        *_, last = events
        assert last.type == "response.incomplete"
        response = last.response
    else:
        response = gpt.responses.create(model="gpt-4o", input="Count.", max_output_tokens=3)
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.usage.output_tokens == 3


def test_a_refusal_is_a_part_of_its_own(gpt, provider) -> None:
    """Whole and streamed."""
    provider.answer(Answer(refusal="I cannot do that."))
    part = gpt.responses.create(model="gpt-4o", input="Do it.").output[0].content[0]
    assert (part.type, part.refusal) == ("refusal", "I cannot do that.")
    types = [event.type for event in gpt.responses.create(model="gpt-4o", input="Do it.", stream=True)]
    assert "response.refusal.delta" in types


def test_log_probabilities_come_when_included(gpt, provider) -> None:
    """One for each token."""
    provider.answer("Paris is it.")
    response = gpt.responses.create(
        model="gpt-4o", input="Where?", include=["message.output_text.logprobs"], top_logprobs=1
    )
    assert len(response.output[0].content[0].logprobs) == 4


def test_the_input_can_be_counted(gpt) -> None:
    """The count agrees with the usage of the call itself."""
    asked = {
        "model": "gpt-4o",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Where is Paris?"}]}],
        "instructions": "Be brief.",
    }
    counted = gpt.responses.input_tokens.count(**asked).input_tokens
    assert counted == gpt.responses.create(**asked).usage.input_tokens


def test_an_input_of_the_wrong_kind_is_refused(gpt) -> None:
    """With status 400."""
    with pytest.raises(openai.BadRequestError, match="input"):
        gpt.responses.create(model="gpt-4o", input=[3])
