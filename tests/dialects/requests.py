"""Requests of every dialect as Hypothesis draws them: what the formats allow, and any JSON in its place."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]

WORDS = st.text(max_size=12)
NAMES = st.sampled_from(["weather", "search", "f"])
BASE64 = st.sampled_from(["QUJD", "iVBORw0KGgo="])
DATA_URL = BASE64.map(lambda data: f"data:image/png;base64,{data}")
ELSEWHERE = st.just("https://example.com/a.png")
KEYS = st.sampled_from(["city", "days", "note"])
ARGUMENTS = st.dictionaries(KEYS, WORDS | st.integers() | st.lists(WORDS, max_size=2), max_size=2)
SCHEMA = st.fixed_dictionaries(
    {"type": st.just("object"), "properties": st.dictionaries(KEYS, st.just({"type": "string"}), max_size=2)}
)


def object_of(optional: dict[str, Strategy] | None = None, **required: Any) -> Strategy:
    """Objects with these keys; what is no strategy stands as it is."""
    fixed = {
        key: each if isinstance(each, st.SearchStrategy) else st.just(each) for key, each in required.items()
    }
    return st.fixed_dictionaries(fixed, optional=optional or {})


def some(inner: Strategy) -> Strategy:
    return st.lists(inner, max_size=3)


# Any JSON, often with the keys and types that dialects look for.
MARKS = st.sampled_from(
    [
        *("messages", "input", "prompt", "system", "instructions", "tools", "functions", "content", "role"),
        *("type", "text", "image_url", "source", "data", "url", "function", "custom", "arguments", "name"),
        *("tool_calls", "function_call", "output", "result", "summary", "encrypted_content", "action", "id"),
        *(
            "input_audio",
            "file",
            "file_data",
            "filename",
            "refusal",
            "title",
            "context",
            "thinking",
            "params",
        ),
        *("cache_control", "prompt_cache_breakpoint", "response_format", "json_schema", "schema", "format"),
        *("text", "output_config", "output_format", "tool_choice", "variables", "conversation", "parameters"),
        *("mcp_servers", "container", "thread", "body", "input_schema", "description", "model", "audio"),
    ]
)
TYPES = st.sampled_from(
    [
        *("text", "input_text", "output_text", "image", "image_url", "input_image", "file", "input_file"),
        *("document", "tool_use", "tool_result", "thinking", "redacted_thinking", "search_result", "base64"),
        *("message", "function_call", "function_call_output", "reasoning", "item_reference", "compaction"),
        *("web_search_tool_result", "computer_call", "image_generation_call", "additional_tools", "content"),
        *("function", "custom", "namespace", "refusal", "input_audio", "user", "assistant", "system", "tool"),
    ]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | TYPES | DATA_URL,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MARKS | WORDS, inner, max_size=5),
    max_leaves=30,
)
ANY_BODY = st.dictionaries(MARKS, ANY_JSON, max_size=6)
UNKNOWN = object_of(type=st.sampled_from(["new", "newer"]), said=ANY_JSON)

# OpenAI: content
_MARK = {"prompt_cache_breakpoint": st.just({"mode": "explicit"})}
_CHAT_BLOCK = st.one_of(
    object_of(_MARK, type="text", text=WORDS),
    object_of(type="refusal", refusal=WORDS),
    object_of(type="image_url", image_url=object_of({"detail": st.just("low")}, url=DATA_URL | ELSEWHERE)),
    object_of(type="input_audio", input_audio=object_of(data=BASE64, format="wav")),
    object_of(
        type="file", file=object_of({"filename": WORDS, "file_id": st.just("f_1")}, file_data=DATA_URL)
    ),
    UNKNOWN,
)
_RESPONSES_BLOCK = st.one_of(
    object_of(_MARK, type=st.sampled_from(["input_text", "output_text"]), text=WORDS),
    object_of(type="refusal", refusal=WORDS),
    object_of({"detail": st.just("high")}, type="input_image", image_url=DATA_URL | ELSEWHERE),
    object_of(type="input_image", file_id="f_1"),
    object_of({"filename": WORDS}, type="input_file", file_data=DATA_URL),
    object_of(type="input_file", file_url=ELSEWHERE),
    UNKNOWN,
)

# OpenAI: chat completions
_FUNCTION = object_of({"description": WORDS, "parameters": SCHEMA}, name=NAMES)
_CHAT_TOOL = object_of(type="function", function=_FUNCTION) | object_of(
    type="custom", custom=object_of({"description": WORDS}, name=NAMES)
)
_CHAT_CALL = st.one_of(
    object_of(id="c_1", type="function", function=object_of(name=NAMES, arguments=WORDS)),
    object_of(id="c_2", type="custom", custom=object_of(name=NAMES, input=WORDS)),
)
_CHAT_CONTENT = WORDS | some(_CHAT_BLOCK)
_CHAT_MESSAGE = st.one_of(
    object_of({"name": NAMES}, role=st.sampled_from(["system", "developer", "user"]), content=_CHAT_CONTENT),
    object_of(
        {
            "content": st.none() | _CHAT_CONTENT,
            "refusal": st.none() | WORDS,
            "tool_calls": some(_CHAT_CALL),
            "function_call": object_of(name=NAMES, arguments=WORDS),
            "audio": object_of(id="a_1"),
            "reasoning_content": WORDS,
        },
        role="assistant",
    ),
    object_of(role="tool", tool_call_id="c_1", content=_CHAT_CONTENT),
    object_of(role="function", name=NAMES, content=WORDS),
)
CHAT_BODY = object_of(
    {
        "tools": some(_CHAT_TOOL),
        "functions": some(_FUNCTION),
        "response_format": object_of(type="json_schema", json_schema=object_of(name=NAMES, schema=SCHEMA)),
        "tool_choice": st.sampled_from(["auto", {"type": "function", "function": {"name": "f"}}]),
    },
    messages=some(_CHAT_MESSAGE),
)

# OpenAI: responses
_RESPONSES_CONTENT = WORDS | some(_RESPONSES_BLOCK)
_SUMMARY = some(object_of(type="summary_text", text=WORDS))
_RESPONSES_TOOL = st.one_of(
    object_of({"description": WORDS, "parameters": SCHEMA}, type="function", name=NAMES),
    object_of({"description": WORDS}, type="custom", name=NAMES),
    object_of(type="web_search", filters=object_of(allowed_domains=some(WORDS))),
    object_of(type="mcp", server_label=WORDS, server_description=WORDS),
    object_of(
        type="namespace", name=NAMES, description=WORDS, tools=some(object_of(type="function", name=NAMES))
    ),
)
_ITEM = st.one_of(
    object_of(role=st.sampled_from(["user", "assistant", "system", "developer"]), content=_RESPONSES_CONTENT),
    object_of(type="message", role="assistant", id="m_1", content=some(_RESPONSES_BLOCK)),
    object_of(type="function_call", call_id="c", name=NAMES, arguments=WORDS),
    object_of(type="custom_tool_call", call_id="c", name=NAMES, input=WORDS),
    object_of(type="function_call_output", call_id="c", output=_RESPONSES_CONTENT),
    object_of(type="custom_tool_call_output", call_id="c", output=_RESPONSES_CONTENT),
    object_of({"encrypted_content": BASE64}, type="reasoning", id="r", summary=_SUMMARY),
    object_of(type="item_reference", id="i_1"),
    object_of(type="compaction", encrypted_content=BASE64),
    object_of(type="computer_call", call_id="c", action=object_of(type="type", text=WORDS)),
    object_of(
        type="computer_call_output",
        call_id="c",
        output=object_of(type="computer_screenshot", image_url=DATA_URL),
    ),
    object_of(
        type="web_search_call", id="w", action=object_of(type="search", query=WORDS), status="completed"
    ),
    object_of(
        type="file_search_call",
        id="s",
        queries=some(WORDS),
        results=some(object_of(filename=WORDS, text=WORDS)),
    ),
    object_of(
        type="code_interpreter_call", id="x", code=WORDS, outputs=some(object_of(type="logs", logs=WORDS))
    ),
    object_of(type="mcp_call", id="x", server_label=WORDS, name=NAMES, arguments=WORDS, output=WORDS),
    object_of(type="shell_call", call_id="c", action=object_of(commands=some(WORDS))),
    object_of(type="shell_call_output", call_id="c", output=some(object_of(stdout=WORDS, stderr=WORDS))),
    object_of(type="local_shell_call_output", id="c", output=WORDS),
    object_of(type="apply_patch_call", call_id="c", operation=object_of(diff=WORDS, path=WORDS)),
    object_of(type="apply_patch_call_output", call_id="c", output=WORDS),
    object_of(type="image_generation_call", id="g", result=BASE64, revised_prompt=WORDS),
    object_of(type="mcp_list_tools", id="l", tools=some(object_of(name=NAMES, input_schema=SCHEMA))),
    object_of(type="additional_tools", role="developer", tools=some(_RESPONSES_TOOL)),
    object_of(type="tool_search_output", call_id="c", tools=some(_RESPONSES_TOOL)),
    UNKNOWN,
)
RESPONSES_BODY = object_of(
    {
        "instructions": WORDS,
        "tools": some(_RESPONSES_TOOL),
        "text": object_of(format=object_of(type="json_schema", name=NAMES, schema=SCHEMA)),
        "previous_response_id": st.just("resp_1"),
        "conversation": st.sampled_from(["conv_1", {"id": "conv_1"}]),
        "prompt": object_of(
            {"variables": st.dictionaries(KEYS, WORDS | _RESPONSES_BLOCK, max_size=2)}, id="p_1"
        ),
    },
    input=WORDS | some(_ITEM),
)

# OpenAI: texts
_TOKENS = st.lists(st.integers(0, 200_000), max_size=4)
_INPUTS = st.one_of(WORDS, some(WORDS), _TOKENS, some(_TOKENS))
COMPLETION_BODY = object_of(prompt=_INPUTS)
EMBEDDING_BODY = object_of(input=_INPUTS)

# Anthropic
_CACHE = {"cache_control": st.just({"type": "ephemeral"})}
_TEXT = object_of(_CACHE, type="text", text=WORDS)
_IMAGE = object_of(
    _CACHE,
    type="image",
    source=object_of(type="base64", media_type="image/png", data=BASE64)
    | object_of(type="url", url=ELSEWHERE)
    | object_of(type="file", file_id="f_1"),
)
_DOCUMENT = object_of(
    {**_CACHE, "title": WORDS, "context": WORDS},
    type="document",
    source=st.one_of(
        object_of(type="base64", media_type="application/pdf", data=BASE64),
        object_of(type="text", media_type="text/plain", data=WORDS),
        object_of(type="content", content=WORDS | some(_TEXT | _IMAGE)),
        object_of(type="url", url=ELSEWHERE),
        object_of(type="file", file_id="f_1"),
    ),
)
_SEARCH_RESULT = object_of(_CACHE, type="search_result", title=WORDS, source=WORDS, content=some(_TEXT))
_RESULTS = some(st.one_of(_TEXT, _IMAGE, _DOCUMENT, _SEARCH_RESULT, UNKNOWN))
_BLOCK = st.one_of(
    *(_TEXT, _IMAGE, _DOCUMENT, _SEARCH_RESULT, UNKNOWN),
    object_of(_CACHE, type="tool_use", id="t", name=NAMES, input=ARGUMENTS),
    object_of({**_CACHE, "content": WORDS | _RESULTS}, type="tool_result", tool_use_id="t"),
    object_of(type="thinking", thinking=WORDS, signature="sig"),
    object_of(type="redacted_thinking", data=BASE64),
    object_of(type="server_tool_use", id="t", name="web_search", input=object_of(query=WORDS)),
    object_of(
        type="web_search_tool_result",
        tool_use_id="t",
        content=some(
            object_of(type="web_search_result", title=WORDS, url=ELSEWHERE, encrypted_content=BASE64)
        ),
    ),
    object_of(
        type="web_fetch_tool_result",
        tool_use_id="t",
        content=object_of(type="web_fetch_result", url=ELSEWHERE, content=_DOCUMENT),
    ),
    object_of(
        type="bash_code_execution_tool_result",
        tool_use_id="t",
        content=object_of(type="bash_code_execution_result", stdout=WORDS, stderr=WORDS),
    ),
    object_of(type="mcp_tool_use", id="t", name=NAMES, server_name="s", input=ARGUMENTS),
    object_of(type="mcp_tool_result", tool_use_id="t", content=some(_TEXT)),
    object_of(type="compaction", content=WORDS),
)
_ANTHROPIC_TOOL = st.one_of(
    object_of({**_CACHE, "description": WORDS}, name=NAMES, input_schema=SCHEMA),
    object_of(type="web_search_20250305", name="web_search", allowed_domains=some(WORDS)),
    object_of(type="bash_20250124", name="bash"),
)
MESSAGES_BODY = object_of(
    {
        **_CACHE,
        "system": WORDS | some(_TEXT),
        "tools": some(_ANTHROPIC_TOOL),
        "output_config": object_of(format=object_of(type="json_schema", schema=SCHEMA)),
        "output_format": object_of(type="json_schema", schema=SCHEMA),
        "tool_choice": st.sampled_from([{"type": "any"}, {"type": "tool", "name": "f"}]),
    },
    messages=some(
        object_of(role=st.sampled_from(["user", "assistant", "system"]), content=WORDS | some(_BLOCK))
    ),
)
