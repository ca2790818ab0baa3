"""What providers billed is what is counted: requests with the usage that came back, recorded by others.

Sources: openai-cookbook, examples/How_to_count_tokens_with_tiktoken.ipynb (MIT; its numbers are the API's);
the cassettes of the test suites of pydantic-ai (MIT) and openllmetry (Apache 2.0); Anthropic's documentation.
"""

from __future__ import annotations

import pytest

from tokenguard.call import Json

from .asking import claude_picture, counted, flat, function, picture

EXAMPLE_SYSTEM = (
    "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."
)
EXAMPLES = (
    ("example_user", "New synergies will help drive top-line growth."),
    ("example_assistant", "Things working well together will increase revenue."),
    (
        "example_user",
        "Let's circle back when we have more bandwidth to touch base on opportunities for increased "
        "leverage.",
    ),
    ("example_assistant", "Let's talk later when we're less busy about how to do better."),
)
EXAMPLE_QUESTION = "This late pivot means we don't have time to boil the ocean for the client deliverable."
CITY: Json = {"type": "string"}
WEATHER = function("get_weather", city=CITY)
DESCRIBED = function("get_weather", "Get the current weather for a city.", city=CITY)


def user(text: str) -> Json:
    return {"role": "user", "content": text}


@pytest.mark.parametrize(("model", "billed"), [("gpt-3.5-turbo", 129), ("gpt-4", 129), ("gpt-4o", 124)])
def test_messages_with_names_are_the_cookbooks(model: str, billed: int) -> None:
    """The example whose count OpenAI's cookbook compares with the API."""
    system = {"role": "system", "content": EXAMPLE_SYSTEM}
    examples = [{"role": "system", "name": name, "content": text} for name, text in EXAMPLES]
    count = counted("chat", model, messages=[system, *examples, user(EXAMPLE_QUESTION)])
    assert (count.total.tokens, count.total.how) == (billed, "exact")


@pytest.mark.parametrize(("model", "billed"), [("gpt-4o", 101), ("gpt-4o-mini", 101), ("gpt-4", 105)])
def test_a_tool_is_the_cookbooks(model: str, billed: int) -> None:
    """The example with a tool: within 1 %, and in fact the very number."""
    tool = function(
        "get_current_weather",
        "Get the current weather in a given location",
        location={"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
        unit={
            "type": "string",
            "description": "The unit of temperature to return",
            "enum": ["celsius", "fahrenheit"],
        },
    )
    tool["function"]["parameters"]["required"] = ["location"]
    system = "You are a helpful assistant that can answer to questions about the weather."
    count = counted(
        "chat",
        model,
        messages=[{"role": "system", "content": system}, user("What's the weather like in San Francisco?")],
        tools=[tool],
    )
    assert count.total.tokens == billed


@pytest.mark.parametrize(
    ("kind", "model", "system", "text", "billed"),
    [
        ("chat", "gpt-4o", "", "hello", 8),
        ("chat", "gpt-4o-mini", "", "hello", 8),
        ("chat", "gpt-4.5-preview", "", "hello", 8),
        ("chat", "o3-mini", "", "hello", 7),
        ("chat", "gpt-4", "", "Tell me a joke about OpenTelemetry", 15),
        ("chat", "gpt-5", "", "What is the capital of France?", 13),
        ("chat", "gpt-4o", "You are a helpful assistant.", "What is the capital of Mexico?", 24),
        ("responses", "gpt-4o", "", "What is 2 + 2?", 15),
        (
            "responses",
            "gpt-4.1",
            "Follow the user instructions exactly.",
            "Reply exactly: no conversation",
            22,
        ),
        ("responses", "gpt-5-pro", "", "What is the capital of Mexico?", 13),
        ("responses", "gpt-5.2", "Answer directly.", "What is 2+2?", 20),
        ("responses", "gpt-5.5", "", "What is the capital of France? Answer in one word.", 18),
        ("responses", "gpt-5.6-sol", "", "What is the capital of France? Answer in one word.", 18),
        ("responses", "o3", "", "What is the capital of France? Answer in one word.", 18),
    ],
)
def test_texts_are_counted_exactly(kind: str, model: str, system: str, text: str, billed: int) -> None:
    """In both of OpenAI's formats, with the frames of models that reason and of those that do not."""
    messages = [user(text)]
    if kind == "responses":
        count = counted(kind, model, input=messages, **({"instructions": system} if system else {}))
    else:
        before = [{"role": "system", "content": system}] if system else []
        count = counted(kind, model, messages=before + messages)
    assert (count.total.tokens, count.total.how, count.total.error) == (billed, "exact", 0.0)


@pytest.mark.parametrize(
    ("model", "messages", "tool", "billed"),
    [
        ("gpt-4o", [user("What is the weather in Mexico City?")], WEATHER, 45),
        ("gpt-4o", [user("What is the model name?")], function("get_model_name"), 38),
        (
            "gpt-4.1-mini",
            [
                {"role": "system", "content": "You are a helpful assistant."},
                user("What is the temperature in Tokyo?"),
            ],
            function("get_temperature", city=CITY),
            50,
        ),
        (
            "gpt-4o-mini",
            [{"role": "developer", "content": "A streaming agent with tools"}, user("What is 6 times 7?")],
            function("multiply", "Multiply two numbers.", a={"type": "number"}, b={"type": "number"}),
            58,
        ),
        ("gpt-5-mini", [user("What's the weather in Paris?")], DESCRIBED, 132),
    ],
)
def test_tools_in_chat_completions(model: str, messages: list[Json], tool: Json, billed: int) -> None:
    """With and without arguments, descriptions and instructions."""
    count = counted("chat", model, messages=messages, tools=[tool], tool_choice="auto")
    assert count.total.tokens == billed
    assert count.total.how == "estimated"  # for the form is not published


@pytest.mark.parametrize(
    ("model", "text", "tool", "billed"),
    [
        ("gpt-4.1", "Say hi in one word, no punctuation.", WEATHER, 40),
        ("gpt-4.1", "What is the meaning of life?", function("get_meaning_of_life"), 36),
        ("gpt-5", "What is the capital of the country?", function("get_country"), 37),
        ("gpt-5-mini", "What's the weather in Paris?", DESCRIBED, 50),
    ],
)
def test_tools_in_responses(model: str, text: str, tool: Json, billed: int) -> None:
    """The same tools have another frame there."""
    assert counted("responses", model, input=[user(text)], tools=[flat(tool)]).total.tokens == billed


def test_a_call_and_its_answer() -> None:
    """What a tool was asked and what it said, on the second request of an agent's loop (openllmetry)."""
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "multiply", "arguments": '{"a":6,"b":7}'},
    }
    count = counted(
        "chat",
        "gpt-4o-mini",
        messages=[
            {"role": "developer", "content": "A streaming agent with tools"},
            user("What is 6 times 7?"),
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "42"},
        ],
        tools=[function("multiply", "Multiply two numbers.", a={"type": "number"}, b={"type": "number"})],
    )
    assert count.total.tokens == pytest.approx(84, rel=0.05)
    assert (count.system, count.history) == (5, 0)
    assert count.user > 9  # the turn goes on until the user speaks again


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        ("gpt-4o", (3008, 2000), "auto", 1105),  # billed 1,119 with 14 of text
        ("gpt-4-vision-preview", (2560, 1669), "auto", 1105),
        ("gpt-4-vision-preview", (800, 400), "auto", 425),
        ("gpt-4o", (3008, 2000), "low", 85),
        ("gpt-4.1-nano", (540, 360), "auto", 502),  # billed 503
        ("gpt-5-mini", (597, 566), "auto", 411),
        ("gpt-5-mini", (400, 301), "auto", 156),
        ("gpt-5", (1024, 1024), "high", 630),
        ("o1", (1024, 1024), "high", 675),
        ("gpt-4o-mini", (1024, 1024), "high", 25501),
        # A telephone's photo, measured in https://huggingface.co/datasets/JOHNISKING/image-token-cost.
        ("gpt-6-astra", (4032, 3024), "auto", 14364),
        ("gpt-5.6-sol", (4032, 3024), "original", 14364),
        ("gpt-6-astra", (4032, 3024), "high", 2942),
        ("gpt-5.5", (4032, 3024), "auto", 11868),
    ],
)
def test_pictures_for_openai(model: str, size: tuple[int, int], detail: str, tokens: int) -> None:
    """Tiles, patches and details, at sizes whose tokens were billed."""
    content = [{"type": "text", "text": "What is this?"}, picture(*size, detail)]
    assert counted("chat", model, messages=[{"role": "user", "content": content}]).media == tokens


@pytest.mark.parametrize(
    ("model", "size", "billed"),
    [("claude-sonnet-4-5", (166, 282), 76), ("claude-3-opus-20240229", (1001, 1001), 1306)],
)
def test_pictures_for_claude(model: str, size: tuple[int, int], billed: int) -> None:
    """Cells of 28 pixels and three tokens, within a message's frame: as they were billed, less the text."""
    count = counted("messages", model, messages=[{"role": "user", "content": [claude_picture(*size)]}])
    assert count.total.tokens == billed


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [
        ("claude-haiku-4-5", (4032, 3024), 1564 + 35),
        ("claude-opus-4-7", (1000, 1000), 1296 + 3),
        ("claude-opus-4-7", (4032, 3024), 4740 + 43),
        ("claude-opus-5-5", (4032, 3024), 3888 + 43),
    ],
)
def test_large_pictures_are_made_smaller_first(model: str, size: tuple[int, int], tokens: int) -> None:
    """To the edge and the budget of the generation."""
    assert (
        counted("messages", model, messages=[{"role": "user", "content": [claude_picture(*size)]}]).media
        == tokens
    )


@pytest.mark.parametrize(
    ("model", "text", "billed"),
    [
        ("claude-sonnet-4-5", "Tell me a brief fact about Paris", 14),
        ("claude-sonnet-4-5", "The quick brown fox jumps over the lazydog.", 19),
        ("claude-haiku-4-5", "hello", 8),
        ("claude-opus-4-7", "What is 2+2?", 18),
        ("claude-opus-5", "What is 2+2?", 13),
    ],
)
def test_short_texts_for_claude_are_close(model: str, text: str, billed: int) -> None:
    """Frames are exact, and a few words are within a few tokens."""
    count = counted("messages", model, messages=[user(text)])
    assert count.total.tokens == pytest.approx(billed, abs=3)
    assert count.total.how == "estimated"
    assert billed <= count.total.at_most


def test_the_example_of_anthropics_documentation() -> None:
    """14 tokens: https://platform.claude.com/docs/en/build-with-claude/token-counting"""
    count = counted(
        "messages", "claude-opus-4-6", system="You are a scientist", messages=[user("Hello, Claude")]
    )
    assert count.total.tokens == pytest.approx(14, abs=2)


def test_tools_for_claude_are_within_three_percent() -> None:
    """A tool has a prompt that nobody sees; this request, of pydantic-ai's suite, was billed as 572."""
    tool = flat(DESCRIBED)
    tool = {"name": tool["name"], "description": tool["description"], "input_schema": tool["parameters"]}
    count = counted(
        "messages",
        "claude-sonnet-4-5",
        messages=[user("What's the weather in Paris?")],
        tools=[tool],
        tool_choice={"type": "auto"},
    )
    assert count.total.tokens == pytest.approx(572, rel=0.03)
