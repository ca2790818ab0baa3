"""Prompts and answers: nowhere unless somebody asked for them, and then in the shape of the conventions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.flow.driving import ANTHROPIC, Driven, body, call, drive, end, policies, reply, stream
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.openai_chat import COMPLETIONS
from tokenguard.dialects.openai_embeddings import EMBEDDINGS
from tokenguard.dialects.openai_responses import RESPONSES
from tokenguard.telemetry import Telemetry, TelemetrySettings

from .conftest import Measured, Spans

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
NAMES = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions")
TEXT = {"type": "text", "content": "Say hello."}
SECRET = "the-words-of-a-user"


def go(made: Any = None, answers: Any = None, *, dialect: Any = None, **settings: Any) -> Driven:
    using = policies(telemetry=Telemetry(TelemetrySettings(**settings), tree=True))
    more = {} if dialect is None else {"dialect": dialect}
    return drive(made or call(), answers or [reply(), body()], using, **more)


def content(spans: Spans) -> dict[str, Any]:
    """The content on the leaf, decoded; there is none on the root."""
    (leaf,) = [span for span in spans() if span.name != "tokenguard.call"]
    (root,) = [span for span in spans() if span.name == "tokenguard.call"]
    assert not set(NAMES) & set(root.attributes or {})
    attributes = leaf.attributes or {}
    return {name: json.loads(str(attributes[name])) for name in NAMES if name in attributes}


@pytest.mark.parametrize(
    ("setting", "variable", "captured"),
    [
        (None, None, False),
        (None, "no_content", False),
        (None, "event_only", False),
        (None, "true", False),
        (None, "span_only", True),
        (None, "SPAN_ONLY ", True),
        (None, "span_and_event", True),
        (True, None, True),
        (True, "no_content", True),
        (False, "span_only", False),
    ],
)
def test_content_is_there_only_where_it_was_asked_for(
    setting: bool | None,
    variable: str | None,
    captured: bool,
    spans: Spans,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the setting, or by the variable that every instrumentation of the conventions reads."""
    monkeypatch.delenv(VARIABLE, raising=False)
    if variable is not None:
        monkeypatch.setenv(VARIABLE, variable)
    go(capture_content=setting)
    assert bool(content(spans)) == captured


def test_no_word_goes_anywhere_by_default(
    spans: Spans, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither prompts nor answers nor tools nor users: not on spans, in events, or on metrics."""
    monkeypatch.delenv(VARIABLE, raising=False)
    asked = {
        "model": "gpt-4.1",
        "messages": [{"role": "system", "content": SECRET}, {"role": "user", "content": SECRET}],
        "tools": [{"type": "function", "function": {"name": "f", "description": SECRET}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": SECRET}},
        "user": SECRET,
        "metadata": {"m": SECRET},
    }
    said = body(choices=[{"message": {"content": SECRET}, "finish_reason": "stop"}])
    go(call(body=asked), [reply(503), reply(), said])
    go(call(body={**asked, "stream": True}), [stream(), end("closed", text=SECRET)])
    go(call(body=asked), [reply(), body(b"{" + SECRET.encode())])
    seen = [(span.name, dict(span.attributes or {}), [e.attributes for e in span.events]) for span in spans()]
    assert len(seen) == 6
    assert SECRET not in repr(seen)
    assert SECRET not in repr([measured.points(name) for name in measured.metrics()])


def test_nothing_is_kept_of_a_span_that_is_off() -> None:
    """Content goes on our own spans or nowhere."""
    assert not Telemetry(TelemetrySettings(spans="metrics", capture_content=True)).captures
    assert not Telemetry(TelemetrySettings(spans="off", capture_content=True)).captures


def test_a_chat_is_captured(spans: Spans) -> None:
    """Messages with their roles, parts by kind, and the answer with its finish reason."""
    messages = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
                {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "not json"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ]
    go(call(body={"model": "gpt-4.1", "messages": messages}), capture_content=True)
    assert content(spans) == {
        "gen_ai.input.messages": [
            {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
            {
                "role": "user",
                "parts": [
                    {"type": "text", "content": "What is it?"},
                    {"type": "uri", "modality": "image", "uri": "https://example.com/cat.png"},
                    {"type": "image_url"},
                    {"type": "input_audio"},
                ],
            },
            {
                "role": "assistant",
                "parts": [
                    {"type": "tool_call", "id": "c1", "name": "f", "arguments": {"a": 1}},
                    {"type": "tool_call", "id": "c2", "name": "g", "arguments": "not json"},
                ],
            },
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "42"}]},
        ],
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": [{"type": "text", "content": "Paris."}],
                "finish_reason": "stop",
            }
        ],
    }


def test_a_message_to_claude_is_captured(spans: Spans) -> None:
    """System instructions stand apart; thinking is reasoning; images are named only."""
    asked = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 10,
        "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "QUJD"},
                    {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "42"}]},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"},
                    },
                    {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
                ],
            },
        ],
    }
    answer = {
        "id": "msg_1",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "Hello!"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }
    made = call("claude-sonnet-4-5", dialect=MESSAGES, where=ANTHROPIC, body=asked)
    go(made, [reply(), body(answer)], dialect=MESSAGES, capture_content=True)
    said = content(spans)
    assert said["gen_ai.system_instructions"] == [{"type": "text", "content": "Be kind."}]
    assert said["gen_ai.input.messages"] == [
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Hm."},
                {"type": "tool_call", "id": "t1", "name": "f", "arguments": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"type": "tool_call_response", "id": "t1", "response": "42"},
                {"type": "image"},
                {"type": "uri", "modality": "document", "uri": "https://example.com/a.pdf"},
            ],
        },
    ]
    (answered,) = said["gen_ai.output.messages"]
    assert answered["parts"] == [{"type": "text", "content": "Hello!"}]
    assert answered["finish_reason"] == "end_turn"


def test_a_response_is_captured(spans: Spans) -> None:
    """Items that are no messages become messages of whoever made them."""
    asked = {
        "model": "gpt-4.1",
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "42"},
        ],
    }
    answer = {
        "id": "resp_1",
        "model": "gpt-4.1-2025-04-14",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hello!"}]}],
        "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
    }
    made = call(dialect=RESPONSES, body=asked)
    go(made, [reply(), body(answer)], dialect=RESPONSES, capture_content=True)
    said = content(spans)
    assert said["gen_ai.system_instructions"] == [{"type": "text", "content": "Be brief."}]
    assert said["gen_ai.input.messages"] == [
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "Hm."}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": {}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "42"}]},
    ]
    assert said["gen_ai.output.messages"][0]["parts"] == [{"type": "text", "content": "Hello!"}]


@pytest.mark.parametrize(
    ("dialect", "asked"),
    [
        (RESPONSES, {"model": "gpt-4.1", "input": "Say hello."}),
        (COMPLETIONS, {"model": "gpt-4.1", "prompt": "Say hello."}),
        (COMPLETIONS, {"model": "gpt-4.1", "prompt": ["Say hello."]}),
    ],
)
def test_a_bare_text_is_a_message_of_the_user(dialect: Any, asked: dict[str, Any], spans: Spans) -> None:
    """However it was put."""
    go(call(dialect=dialect, body=asked), dialect=dialect, capture_content=True)
    assert content(spans)["gen_ai.input.messages"] == [{"role": "user", "parts": [TEXT]}]


def test_a_stream_is_captured_as_far_as_it_was_delivered(spans: Spans) -> None:
    """One that was cut off ends with "error"."""
    go(call(stream=True), [stream(), end("closed", text="Par")], capture_content=True)
    assert content(spans)["gen_ai.output.messages"] == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Par"}], "finish_reason": "error"}
    ]


def test_embeddings_are_no_conversation(spans: Spans) -> None:
    """The conventions have no messages for them."""
    made = call("text-embedding-3-small", dialect=EMBEDDINGS, body={"input": SECRET})
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    go(made, [reply(), body({"usage": usage})], dialect=EMBEDDINGS, capture_content=True)
    assert content(spans) == {}


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"messages": None},
        {"messages": "text"},
        {"messages": [None, 7, "a", {}, {"role": 5, "content": 7}, {"content": [None, {"type": None}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": "[" * 50_000}}]}]},
        {"messages": [{"role": "user", "content": "\ud800 is half of a character"}]},
        {"input": {"role": "user"}, "instructions": {"a": 1}},
    ],
)
def test_an_odd_request_is_captured_as_far_as_it_goes(asked: dict[str, Any], spans: Spans) -> None:
    """The provider will refuse it; its span ends all the same, with what can be encoded."""
    go(call(body={"model": "gpt-4.1", **asked}), [reply(400)], capture_content=True)
    assert len(spans()) == 2
    for span in spans():
        repr(span.attributes).encode()
        for value in (span.attributes or {}).values():
            str(value).encode()


def test_content_costs_the_estimate_nothing(spans: Spans) -> None:
    """With and without it, an answer comes to the same."""
    plain = go(answers=[reply(), body()], capture_content=False)
    captured = go(answers=[reply(), body()], capture_content=True)
    assert plain.receipt.cost_nano == captured.receipt.cost_nano
    assert plain.receipt.cost_basis is captured.receipt.cost_basis
