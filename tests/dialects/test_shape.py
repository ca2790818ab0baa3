"""A request in a file tells its format by its shape: no URL says so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tokenguard.dialects.shape import of_body, request_in

from .requests import ANY_BODY, CHAT_BODY, EMBEDDING_BODY, MESSAGES_BODY, RESPONSES_BODY

HI = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"model": "gpt-4.1", "messages": HI}, "openai.chat"),
        ({"messages": HI}, "openai.chat"),
        ({"model": "gpt-4.1", "messages": HI, "max_tokens": 5}, "openai.chat"),
        ({"model": "claude-opus-5-5", "messages": HI, "max_tokens": 5}, "anthropic.messages"),
        ({"model": "anthropic/claude-opus-5-5", "messages": HI, "n": 1}, "openai.chat"),
        ({"model": "house-model", "system": "S", "messages": HI}, "anthropic.messages"),
        ({"messages": HI, "tools": [{"name": "f", "input_schema": {}}]}, "anthropic.messages"),
        (
            {"model": "claude-x", "messages": HI, "tools": [{"type": "function", "function": {}}]},
            "openai.chat",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1"}]}]},
            "anthropic.messages",
        ),
        ({"model": "claude-x", "messages": [{"role": "system", "content": "S"}]}, "openai.chat"),
        (
            {"model": "claude-x", "max_tokens": 5, "messages": [{"role": "system", "content": "S"}]},
            "anthropic.messages",
        ),
        ({"model": "anthropic/claude-opus-5-5", "messages": HI, "max_tokens": 5}, "openai.chat"),
        ({"model": "us.anthropic.claude-opus-5-5-v1:0", "messages": HI}, "anthropic.messages"),
        ({"model": "claude-x", "messages": [{"role": "developer", "content": "S"}]}, "openai.chat"),
        ({"model": "gpt-5.6-sol", "input": "Hi"}, "openai.responses"),
        ({"model": "gpt-5.6-sol", "input": HI}, "openai.responses"),
        ({"model": "gpt-5.6-sol", "prompt": {"id": "pmpt_1"}}, "openai.responses"),
        ({"model": "gpt-5.6-sol", "instructions": "S"}, "openai.responses"),
        ({"model": "text-embedding-3-small", "input": "Hi"}, "openai.embeddings"),
        ({"input": ["a", "b"]}, "openai.embeddings"),
        ({"model": "gpt-3.5-turbo-instruct", "prompt": "Once"}, "openai.completions"),
        ({"model": "gpt-image-1", "prompt": "A cat"}, "openai.images"),
        ({"model": "gpt-4o-mini-tts", "input": "Hi", "voice": "ash"}, "openai.speech"),
        ({"model": "gpt-4.1"}, None),
        ({"role": "user", "content": "Hi"}, None),
    ],
)
def test_a_body_tells_its_format(body: dict[str, Any], name: str | None) -> None:
    """What only one format has decides, then the model's name, then what is more usual."""
    found = of_body(body)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("document", "name", "path"),
    [
        (
            {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": HI}},
            "openai.chat",
            ("body",),
        ),
        (
            {"custom_id": "1", "url": "/v1/embeddings", "body": {"input": "Hi"}},
            "openai.embeddings",
            ("body",),
        ),
        ({"custom_id": "1", "body": {"input": "Hi"}}, "openai.responses", ("body",)),
        (
            {"custom_id": "1", "params": {"model": "claude-x", "messages": HI}},
            "anthropic.messages",
            ("params",),
        ),
        ({"messages": HI}, "openai.chat", ()),
    ],
)
def test_a_line_of_a_batch_has_its_request_inside(
    document: dict[str, Any], name: str, path: tuple[str, ...]
) -> None:
    """Both providers' batch files."""
    found = request_in(document)
    assert found is not None
    assert (found.dialect.name, found.path) == (name, path)


@pytest.mark.parametrize("document", [None, 5, "messages", ["messages"], {}, {"body": {}}, {"body": 5}])
def test_what_is_no_request_is_none(document: Any) -> None:
    """Any other JSON."""
    assert request_in(document) is None


@given(ANY_BODY | CHAT_BODY | RESPONSES_BODY | MESSAGES_BODY | EMBEDDING_BODY)
def test_no_document_raises(document: dict[str, Any]) -> None:
    """Files hold anything."""
    request_in(document)
