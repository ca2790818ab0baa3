"""How requests come apart: who says what, where it stands, and what a provider adds that is not there."""

from __future__ import annotations

from typing import Any

import pytest

from tokenguard.anatomy import Anatomy, Media, Part, shown
from tokenguard.dialects import Dialect
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.openai_chat import CHAT, COMPLETIONS
from tokenguard.dialects.openai_embeddings import EMBEDDINGS
from tokenguard.dialects.openai_media import IMAGES, SPEECH
from tokenguard.dialects.openai_responses import RESPONSES

PNG = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def taken_apart(dialect: Dialect, **body: Any) -> Anatomy:
    assert dialect.anatomy is not None
    return dialect.anatomy({"model": "m", **body})


def outline(anatomy: Anatomy) -> list[str]:
    """One line for each part: who, where, and what."""
    lines = []
    for message in anatomy.messages:
        for part in message.parts:
            what = part.text if part.kind == "text" else part.kind
            made = "" if part.source == "content" else f" {part.source}"
            name = f" {part.name}" if part.name else ""
            lines.append(f"{message.role}{made}{name} {shown(part.path)}: {what}" + " *" * part.marked)
    return lines


def test_a_chat() -> None:
    """Every role, and what assistants and tools say to each other."""
    anatomy = taken_apart(
        CHAT,
        messages=[
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "name": "ann",
                "content": [
                    {"type": "text", "text": "And?", "prompt_cache_breakpoint": {"mode": "explicit"}}
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "reasoning_content": "Hm",
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"id": "2", "type": "custom", "custom": {"name": "g", "input": "ls"}},
                ],
            },
            {"role": "tool", "tool_call_id": "1", "content": "42"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}], "audio": {"id": "a_1"}},
            {"role": "assistant", "function_call": {"name": "old", "arguments": "{}"}},
            {"role": "function", "name": "old", "content": "43"},
        ],
    )
    assert outline(anatomy) == [
        "system messages[0].content: Be brief.",
        "user messages[1].content[0].text: And? *",
        "assistant reasoning messages[2].reasoning_content: Hm",
        'assistant tool_call f messages[2].tool_calls[0].function.arguments: {"a":1}',
        "assistant tool_call g messages[2].tool_calls[1].custom.input: ls",
        "tool tool_result messages[3].content: 42",
        "assistant messages[4].content[0].refusal: No.",
        "assistant messages[4].audio: audio",
        "assistant tool_call old messages[5].function_call.arguments: {}",
        "tool tool_result messages[6].content: 43",
    ]
    assert [message.name for message in anatomy.messages] == ["", "ann", "", "", "", "", "old"]


def test_a_chats_tools_and_schema() -> None:
    """Function tools, custom ones, those of older requests; and which is to be called."""
    function = {"name": "f", "description": "Does f.", "parameters": SCHEMA}
    custom = {"type": "custom", "custom": {"name": "g", "description": "Does g."}}
    anatomy = taken_apart(
        CHAT,
        messages=[],
        tools=[{"type": "function", "function": function}, custom, {"type": "browser_search"}],
        functions=[{"name": "old", "parameters": SCHEMA}],
        tool_choice={"type": "function", "function": {"name": "f"}},
        response_format={"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
        web_search_options={},
    )
    told = [(tool.name, shown(tool.path), tool.description, tool.schema, tool.ours) for tool in anatomy.tools]
    assert told == [
        ("f", "tools[0]", "Does f.", SCHEMA, True),
        ("g", "tools[1]", "Does g.", {}, True),
        ("browser_search", "tools[2]", "", {}, False),
        ("old", "functions[0]", "", SCHEMA, True),
    ]
    assert anatomy.schema is SCHEMA
    assert shown(anatomy.schema_path) == "response_format.json_schema.schema"
    assert anatomy.tool_choice == "tool:f"
    assert anatomy.unseen == ("web_search_options",)


def test_media_of_a_chat_are_referenced() -> None:
    """Base64 is the very string of the request, however long: neither copied nor decoded."""
    sound, paper = "UklGRg==" * 1000, "data:application/pdf;base64," + "JVBERi0=" * 1000
    anatomy = taken_apart(
        CHAT,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                    {"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}},
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": paper}},
                    {"type": "file", "file": {"file_id": "file_1"}},
                ],
            }
        ],
    )
    parts = anatomy.messages[0].parts
    assert [part.kind for part in parts] == ["image", "image", "audio", "file", "file"]
    assert [part.media for part in parts] == [
        Media(PNG, "", "image/png", "low", start=22),
        Media(url="https://example.com/a.png"),
        Media(sound, "", "audio/wav"),
        Media(paper, "", "application/pdf", start=28),
        Media(url="file_1"),
    ]
    assert parts[3].name == "a.pdf"
    assert media_of(parts[0]).data is PNG
    assert media_of(parts[2]).data is sound
    assert media_of(parts[3]).data is paper


def media_of(part: Part) -> Media:
    assert part.media is not None
    return part.media


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("Once", ["user prompt: Once"]),
        (["Once", "Twice"], ["user prompt[0]: Once", "user prompt[1]: Twice"]),
        ([9906, 11], ["user prompt: unseen"]),
        ([[9906], [11]], ["user prompt[0]: unseen", "user prompt[1]: unseen"]),
        (None, []),
        ([], []),
    ],
)
def test_prompts(prompt: Any, told: list[str]) -> None:
    """A text, several, or tokens, whose words only a decoder knows; embeddings likewise."""
    assert outline(taken_apart(COMPLETIONS, prompt=prompt)) == told
    inputs = [line.replace("prompt", "input") for line in told]
    assert outline(taken_apart(EMBEDDINGS, input=prompt)) == inputs


def test_speech_and_pictures_have_prompts_too() -> None:
    """What is read aloud or drawn, and how."""
    assert outline(taken_apart(SPEECH, input="Hello", instructions="Whisper.", voice="ash")) == [
        "user instructions: Whisper.",
        "user input: Hello",
    ]
    assert outline(taken_apart(IMAGES, prompt="A cat")) == ["user prompt: A cat"]


def test_responses() -> None:
    """Instructions first; every item stands in the place of a message."""
    anatomy = taken_apart(
        RESPONSES,
        instructions="Be brief.",
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "Look"}]},
            {"role": "user", "content": [{"type": "input_image", "image_url": PNG, "detail": "high"}]},
            {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "Hm"}]},
            {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "gAAA"},
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "1", "output": "42"},
            {
                "type": "function_call_output",
                "call_id": "1",
                "output": [{"type": "input_text", "text": "43"}, {"type": "input_image", "file_id": "f_1"}],
            },
            {"type": "custom_tool_call", "call_id": "2", "name": "g", "input": "ls"},
            {"type": "custom_tool_call_output", "call_id": "2", "output": "a.txt"},
            {"type": "web_search_call", "id": "w", "action": {"type": "search", "query": "Oslo"}},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Done.", "annotations": [{"title": "x"}]}],
            },
            {"type": "item_reference", "id": "m_1"},
            {"role": "user", "content": "Thanks"},
        ],
    )
    assert outline(anatomy) == [
        "system instructions: Be brief.",
        "user input[0].content[0].text: Look",
        "user input[1].content[0]: image",
        "assistant reasoning input[2].summary[0].text: Hm",
        "assistant reasoning input[2]: unseen",
        "assistant reasoning input[3].encrypted_content: unseen",
        "assistant tool_call f input[4].arguments: {}",
        "tool tool_result input[5].output: 42",
        "tool tool_result input[6].output[0].text: 43",
        "tool tool_result input[6].output[1]: image",
        "assistant tool_call g input[7].input: ls",
        "tool tool_result input[8].output: a.txt",
        'assistant tool_call web_search input[9].action: {"type":"search","query":"Oslo"}',
        "assistant tool_result input[9]: unseen",
        "assistant input[10].content[0].text: Done.",
        "assistant input[11]: unseen",
        "user input[12].content: Thanks",
    ]
    assert anatomy.unseen == ("item_reference",)
    assert media_of(anatomy.messages[2].parts[0]) == Media(PNG, "", "image/png", "high", start=22)


def test_what_the_provider_keeps_of_responses() -> None:
    """Earlier turns and templates count as input, and nobody but the provider has them."""
    anatomy = taken_apart(
        RESPONSES,
        input="And then?",
        previous_response_id="resp_1",
        conversation={"id": "conv_1"},
        prompt={"id": "pmpt_1", "variables": {"city": "Oslo"}},
    )
    assert anatomy.unseen == ("previous_response_id", "conversation", "prompt")
    assert outline(anatomy) == ["user prompt.variables.city: Oslo", "user input: And then?"]


def test_tools_of_responses() -> None:
    """Functions one level up, the provider's own, whole namespaces, and those that come with the input."""
    anatomy = taken_apart(
        RESPONSES,
        input=[
            {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "late"}]}
        ],
        tools=[
            {"type": "function", "name": "f", "description": "Does f.", "parameters": SCHEMA},
            {"type": "web_search"},
            {
                "type": "namespace",
                "name": "crm",
                "description": "Customers.",
                "tools": [{"type": "function", "name": "find"}],
            },
        ],
        text={"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}},
        tool_choice="required",
    )
    assert [(tool.name, shown(tool.path), tool.ours) for tool in anatomy.tools] == [
        ("f", "tools[0]", True),
        ("web_search", "tools[1]", False),
        ("namespace", "tools[2]", False),
        ("find", "tools[2].tools[0]", True),
        ("late", "input[0].tools[0]", True),
    ]
    assert (anatomy.schema, shown(anatomy.schema_path)) == (SCHEMA, "text.format.schema")
    assert anatomy.tool_choice == "required"


def test_anthropic_messages() -> None:
    """Blocks in blocks; a turn in which there are only results is the tools'."""
    anatomy = taken_apart(
        MESSAGES,
        system=[{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm", "signature": "EqoB"},
                    {"type": "redacted_thinking", "data": "EqoC"},
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "1", "name": "f", "input": {"city": "Ås", "days": [1, 2]}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "1", "content": "42"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "2",
                        "cache_control": {"type": "ephemeral"},
                        "content": [
                            {"type": "text", "text": "43"},
                            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                        ],
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "3", "content": "44"},
                    {"type": "text", "text": "And?"},
                ],
            },
        ],
    )
    assert outline(anatomy) == [
        "system system[0].text: Be kind. *",
        "user messages[0].content: Hi",
        "assistant reasoning messages[1].content[0].thinking: Hm",
        "assistant reasoning messages[1].content[1].data: unseen",
        "assistant messages[1].content[2].text: Let me look.",
        'assistant tool_call f messages[1].content[3].input: {"city":"Ås","days":[1,2]}',
        "tool tool_result messages[2].content[0].content: 42",
        "tool tool_result messages[2].content[1].content[0].text: 43",
        "tool tool_result messages[2].content[1].content[1]: image *",
        "user tool_result messages[3].content[0].content: 44",
        "user messages[3].content[1].text: And?",
    ]


def test_documents_of_anthropic() -> None:
    """From base64, text, blocks, a URL and a file; their titles are read, too."""
    pdf = "JVBERi0="
    anatomy = taken_apart(
        MESSAGES,
        messages=[
            {
                "role": "user",
                "content": [
                    {
                        "type": "document",
                        "title": "Terms",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": pdf},
                    },
                    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "T"}},
                    {
                        "type": "document",
                        "source": {"type": "content", "content": [{"type": "text", "text": "C"}]},
                    },
                    {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
                    {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
                    {
                        "type": "search_result",
                        "title": "S",
                        "source": "wiki",
                        "content": [{"type": "text", "text": "Found"}],
                    },
                ],
            }
        ],
    )
    assert outline(anatomy) == [
        "user messages[0].content[0].title: Terms",
        "user messages[0].content[0]: file",
        "user messages[0].content[1].source.data: T",
        "user messages[0].content[2].source.content[0].text: C",
        "user messages[0].content[3]: file",
        "user messages[0].content[4]: file",
        "user messages[0].content[5].title: S",
        "user messages[0].content[5].source: wiki",
        "user messages[0].content[5].content[0].text: Found",
    ]
    files = [part.media for part in anatomy.messages[0].parts if part.kind == "file"]
    assert files == [
        Media(pdf, "", "application/pdf"),
        Media(url="https://example.com/a.pdf"),
        Media(url="file_1"),
    ]


def test_server_tools_of_anthropic() -> None:
    """What the provider looked up: its texts, the page that it fetched, and that there is more to it."""
    page = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Page"}}
    anatomy = taken_apart(
        MESSAGES,
        messages=[
            {
                "role": "assistant",
                "content": [
                    {"type": "server_tool_use", "id": "1", "name": "web_search", "input": {"query": "Oslo"}},
                    {
                        "type": "web_search_tool_result",
                        "tool_use_id": "1",
                        "content": [
                            {
                                "type": "web_search_result",
                                "title": "Oslo",
                                "url": "u",
                                "encrypted_content": "E",
                            }
                        ],
                    },
                    {
                        "type": "web_fetch_tool_result",
                        "tool_use_id": "2",
                        "content": {"type": "web_fetch_result", "url": "u", "content": page},
                    },
                    {"type": "something_new", "words": ["a", "b"]},
                ],
            }
        ],
    )
    assert outline(anatomy) == [
        'assistant tool_call web_search messages[0].content[0].input: {"query":"Oslo"}',
        "assistant tool_result messages[0].content[1].content[0].title: Oslo",
        "assistant tool_result messages[0].content[1]: unseen",
        "assistant tool_result messages[0].content[2].content.content.source.data: Page",
        "assistant tool_result messages[0].content[2]: unseen",
        "assistant messages[0].content[3].words[0]: a",
        "assistant messages[0].content[3].words[1]: b",
        "assistant messages[0].content[3]: unseen",
    ]


def test_tools_and_schema_of_anthropic() -> None:
    """Tools with a schema are the application's; those with a type only the provider can describe."""
    anatomy = taken_apart(
        MESSAGES,
        messages=[{"role": "user", "content": "Hi"}],
        tools=[
            {"name": "f", "description": "Does f.", "input_schema": SCHEMA},
            {"type": "custom", "name": "g", "input_schema": {}, "cache_control": {"type": "ephemeral"}},
            {"type": "web_search_20250305", "name": "web_search"},
            {"type": "bash_20250124", "name": "bash"},
        ],
        tool_choice={"type": "any"},
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
        mcp_servers=[{"type": "url", "name": "m", "url": "https://example.com"}],
    )
    assert [(tool.name, tool.ours, tool.marked) for tool in anatomy.tools] == [
        ("f", True, False),
        ("g", True, True),
        ("web_search_20250305", False, False),
        ("bash_20250124", False, False),
    ]
    assert anatomy.tools[0].schema is SCHEMA
    assert (anatomy.schema, shown(anatomy.schema_path)) == (SCHEMA, "output_config.format.schema")
    assert (anatomy.tool_choice, anatomy.unseen) == ("required", ("mcp_servers",))


def test_a_request_that_is_to_be_kept_whole_is_marked_at_its_end() -> None:
    """Anthropic's automatic caching puts the mark on the last block."""
    anatomy = taken_apart(
        MESSAGES,
        system="S",
        messages=[{"role": "user", "content": "A"}, {"role": "user", "content": "B"}],
        cache_control={"type": "ephemeral"},
    )
    assert outline(anatomy) == [
        "system system: S",
        "user messages[0].content: A",
        "user messages[1].content: B *",
    ]
