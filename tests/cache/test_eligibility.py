"""Which calls may be answered from the cache: one table for all rules, formats and modes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.cache.asking import (
    BEDROCK_URL,
    CHAT_URL,
    COMPLETIONS_URL,
    EMBEDDINGS_URL,
    MESSAGES_URL,
    OPENAI,
    RESPONSES_URL,
    asking,
)
from tokenguard.cache.eligibility import CACHEABLE, RULES, Rule, ineligible

Json = dict[str, Any]

CHAT: Json = {"model": "gpt-x", "messages": [{"role": "user", "content": "Hi"}]}
COMPLETION: Json = {"model": "gpt-x", "prompt": "Hi"}
RESPONSE: Json = {"model": "gpt-x", "input": "Hi"}
MESSAGE: Json = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
EMBEDDING: Json = {"model": "text-embedding-x", "input": ["Hi"]}
OF = {
    CHAT_URL: CHAT,
    COMPLETIONS_URL: COMPLETION,
    RESPONSES_URL: RESPONSE,
    MESSAGES_URL: MESSAGE,
    EMBEDDINGS_URL: EMBEDDING,
}

COLD: Json = {"temperature": 0}
FUNCTION: Json = {"type": "function", "name": "f", "parameters": {}}
WHERE: Json = {"type": "object", "properties": {}}

Asked = tuple[str, Json, str | None, str | None]

TABLE: list[Asked] = [
    # URL, what is asked besides, why not in "deterministic", why not in "always"
    # One answer each time
    *((url, COLD, None, None) for url in OF),
    *((url, {"temperature": 0.0}, None, None) for url in OF),
    *((url, {"temperature": -0.0}, None, None) for url in OF),
    *((url, {**COLD, "stream": True}, None, None) for url in OF if url != EMBEDDINGS_URL),
    *((url, {**COLD, "a field of next year": 1}, None, None) for url in OF),
    (EMBEDDINGS_URL, {}, None, None),
    (EMBEDDINGS_URL, {"temperature": 1, "n": 3, "store": True}, None, None),
    # One of many answers
    *((url, {}, "sampled", None) for url in OF if url != EMBEDDINGS_URL),
    *(
        (url, {"temperature": value}, "sampled", None)
        for url in OF
        if url != EMBEDDINGS_URL
        for value in (1, 0.7, 1e-9, None, False, "0", [0])
    ),
    (CHAT_URL, {"seed": 7}, None, None),
    (CHAT_URL, {"seed": 0}, None, None),
    (CHAT_URL, {"seed": 7, "temperature": 1.5}, None, None),
    (CHAT_URL, {"seed": None}, "sampled", None),
    (COMPLETIONS_URL, {"seed": 7}, None, None),
    (RESPONSES_URL, {"seed": 7}, "sampled", None),
    (MESSAGES_URL, {"seed": 7}, "sampled", None),
    # Several samples
    (CHAT_URL, {**COLD, "n": 1}, None, None),
    (CHAT_URL, {**COLD, "n": None}, None, None),
    (CHAT_URL, {**COLD, "n": 2}, "choices", None),
    (CHAT_URL, {**COLD, "n": 2.0}, "choices", None),
    (COMPLETIONS_URL, {**COLD, "n": 2}, "choices", None),
    (COMPLETIONS_URL, {**COLD, "best_of": 2}, "choices", None),
    (COMPLETIONS_URL, {**COLD, "best_of": 1}, None, None),
    # Kept by the provider
    (CHAT_URL, {**COLD, "store": True}, "stored", "stored"),
    (CHAT_URL, {**COLD, "store": False}, None, None),
    (CHAT_URL, {**COLD, "store": None}, None, None),
    (RESPONSES_URL, {**COLD, "store": True}, "stored", "stored"),
    (RESPONSES_URL, {**COLD, "store": False}, None, None),
    (RESPONSES_URL, {**COLD, "background": True}, "background", "background"),
    (RESPONSES_URL, {**COLD, "background": False}, None, None),
    # Read by the model from elsewhere
    (RESPONSES_URL, {**COLD, "previous_response_id": "resp_1"}, "server_state", "server_state"),
    (RESPONSES_URL, {**COLD, "previous_response_id": None}, None, None),
    (RESPONSES_URL, {**COLD, "conversation": "conv_1"}, "server_state", "server_state"),
    (RESPONSES_URL, {**COLD, "conversation": {"id": "conv_1"}}, "server_state", "server_state"),
    (
        RESPONSES_URL,
        {**COLD, "input": [{"type": "item_reference", "id": "msg_1"}]},
        "server_state",
        "server_state",
    ),
    (RESPONSES_URL, {**COLD, "input": [{"id": "msg_1"}]}, "server_state", "server_state"),
    (RESPONSES_URL, {**COLD, "input": [{"id": "msg_1", "type": None}]}, "server_state", "server_state"),
    (RESPONSES_URL, {**COLD, "input": [{"role": "user", "content": "Hi"}]}, None, None),
    (RESPONSES_URL, {**COLD, "input": [{"role": "user", "content": "Hi", "type": "message"}]}, None, None),
    (
        RESPONSES_URL,
        {**COLD, "input": [{"type": "function_call_output", "call_id": "c", "output": "1"}]},
        None,
        None,
    ),
    (MESSAGES_URL, {**COLD, "container": "container_1"}, "server_state", "server_state"),
    (MESSAGES_URL, {**COLD, "container": {"skills": []}}, "server_state", "server_state"),
    (MESSAGES_URL, {**COLD, "container": None}, None, None),
    (RESPONSES_URL, {**COLD, "prompt": {"id": "pmpt_1"}}, "prompt_version", "prompt_version"),
    (
        RESPONSES_URL,
        {**COLD, "prompt": {"id": "pmpt_1", "version": None}},
        "prompt_version",
        "prompt_version",
    ),
    (RESPONSES_URL, {**COLD, "prompt": {"id": "pmpt_1", "version": "2"}}, None, None),
    (RESPONSES_URL, {**COLD, "prompt": None}, None, None),
    # Tools that the provider runs, and tools that the application runs
    (CHAT_URL, {**COLD, "web_search_options": {}}, "server_tools", "server_tools"),
    (
        CHAT_URL,
        {**COLD, "web_search_options": {"search_context_size": "low"}},
        "server_tools",
        "server_tools",
    ),
    (CHAT_URL, {**COLD, "web_search_options": None}, None, None),
    (CHAT_URL, {**COLD, "tools": [{"type": "function", "function": {"name": "f"}}]}, None, None),
    (CHAT_URL, {**COLD, "tools": [{"type": "custom", "custom": {"name": "f"}}]}, None, None),
    (RESPONSES_URL, {**COLD, "tools": [FUNCTION, {"type": "custom", "name": "f"}]}, None, None),
    (CHAT_URL, {**COLD, "tools": [{"type": "google_search"}]}, "server_tools", "server_tools"),
    (RESPONSES_URL, {**COLD, "tools": []}, None, None),
    *(
        (RESPONSES_URL, {**COLD, "tools": [FUNCTION, {"type": kind}]}, "server_tools", "server_tools")
        for kind in (
            *("web_search", "web_search_preview", "file_search", "code_interpreter", "mcp", "computer"),
            *("computer_use_preview", "image_generation", "local_shell", "a tool of next year", [], {}),
        )
    ),
    (
        MESSAGES_URL,
        {**COLD, "mcp_servers": [{"type": "url", "url": "https://x"}]},
        "server_tools",
        "server_tools",
    ),
    (MESSAGES_URL, {**COLD, "mcp_servers": []}, None, None),
    (MESSAGES_URL, {**COLD, "tools": [{"name": "f", "input_schema": WHERE}]}, None, None),
    *(
        (MESSAGES_URL, {**COLD, "tools": [{"type": kind, "name": "f"}]}, None, None)
        for kind in (
            "custom",
            "bash_20250124",
            "computer_20250124",
            "memory_20250818",
            "text_editor_20250728",
        )
    ),
    *(
        (MESSAGES_URL, {**COLD, "tools": [{"type": kind, "name": "f"}]}, "server_tools", "server_tools")
        for kind in (
            *("web_search_20250305", "web_fetch_20250910", "code_execution_20250825", "mcp_toolset"),
            *("tool_search_tool_regex_20251119", "a tool of next year", []),
        )
    ),
    # Fields of another format are not looked at
    (MESSAGES_URL, {**COLD, "n": 2, "store": True, "previous_response_id": "x"}, None, None),
    (CHAT_URL, {**COLD, "container": "x", "background": True, "conversation": "x"}, None, None),
]


@pytest.mark.parametrize(("url", "more", "deterministic", "always"), TABLE)
def test_a_request_is_passed_by_for_its_first_reason(
    url: str, more: Json, deterministic: str | None, always: str | None
) -> None:
    """By the same rules streamed and not, on whatever platform the format is spoken."""
    call = asking(url, {**OF[url], **more})
    assert ineligible(call, always=False) == deterministic
    assert ineligible(call, always=True) == always


def test_the_table_has_every_rule_in_every_format() -> None:
    """A rule that is added is tested."""
    seen = {
        (reason, asking(url, OF[url]).dialect)
        for url, _, *reasons in TABLE
        for reason in reasons
        if reason is not None
    }
    assert seen == {(rule.reason, dialect) for rule in RULES for dialect in rule.dialects}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.reason}-{','.join(rule.dialects)}")
def test_a_rule_says_what_it_is(rule: Rule) -> None:
    """Receipts have its reason, the docs its sentence."""
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", rule.reason)
    assert re.match(r"^(`|[A-Z]).+\.$", rule.what, re.DOTALL)
    assert set(rule.dialects) <= set(CACHEABLE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.reason}-{','.join(rule.dialects)}")
@pytest.mark.parametrize("value", [None, [], {}, "x", 0, 1.5, True, [None, 1, "x", [], {}], {"type": []}])
def test_no_rule_fails_on_odd_requests(rule: Rule, value: Any) -> None:
    """What the provider will refuse is not ours to complain about."""
    names = ("tools", "input", "prompt", "n", "best_of", "temperature", "seed", "container", "mcp_servers")
    for body in (dict.fromkeys(names, value), *({name: [value]} for name in names)):
        assert rule.broken(body) in (True, False)


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (OPENAI + "images/generations", {"model": "gpt-image-x", "prompt": "a cat"}),
        (OPENAI + "audio/speech", {"model": "tts-x", "input": "Hi", "voice": "v"}),
        (OPENAI + "audio/transcriptions", {"model": "whisper-x"}),
    ],
)
def test_other_endpoints_are_passed_by(url: str, body: Json) -> None:
    """Pictures and sound are not kept, in either mode."""
    for always in (False, True):
        assert ineligible(asking(url, {**body, **COLD}), always=always) == "endpoint"


def test_an_unknown_format_is_passed_by() -> None:
    """A format of next year is not cached by the rules of this one."""
    call = asking(CHAT_URL, {**CHAT, **COLD})
    call.dialect = "openai.next_year"
    assert ineligible(call, always=True) == "endpoint"


def test_a_request_that_cannot_be_read_is_passed_by() -> None:
    """What is not JSON, or no object, has no key."""
    for body in (None, {}):
        call = asking(CHAT_URL, {**CHAT, **COLD})
        call.body = body
        assert ineligible(call, always=True) == "not_json"


def test_platforms_have_the_same_rules() -> None:
    """On Bedrock and Azure as at the maker's own."""
    bedrock = BEDROCK_URL.format("anthropic.claude-x")
    azure = "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=1"
    for url, body in ((bedrock, MESSAGE), (azure, CHAT)):
        assert ineligible(asking(url, body), always=False) == "sampled"
        assert ineligible(asking(url, {**body, **COLD}), always=False) is None
