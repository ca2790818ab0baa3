"""The words of requests and replies: what a model reads and writes, and no base64."""

from __future__ import annotations

from typing import Any

import pytest

from tokenguard.dialects.words import made_text, sent_text

BLOB = "QUJD" * 1000


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, ""),
        ({"messages": [{"role": "user", "content": "Hi"}]}, "Hi"),
        ({"model": "gpt-4.1", "temperature": 1, "input": ["a", "b"]}, "a\nb"),
        ({"prompt": "Once"}, "Once"),
        (
            {"system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}]},
            "Be kind.",
        ),
        (
            {
                "instructions": "Be brief.",
                "input": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "input_text", "text": "What is it?"},
                            {
                                "type": "input_image",
                                "image_url": f"data:image/png;base64,{BLOB}",
                                "detail": "low",
                            },
                            {"type": "input_file", "file_data": BLOB, "filename": "a.pdf"},
                        ],
                    },
                    {"type": "reasoning", "id": "rs_1", "encrypted_content": BLOB, "summary": []},
                ],
            },
            "Be brief.\nWhat is it?\na.pdf",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BLOB}"}},
                            {"type": "input_audio", "input_audio": {"data": BLOB, "format": "wav"}},
                            {"type": "text", "text": "And?"},
                        ],
                    }
                ]
            },
            "And?",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "image",
                                "source": {"type": "base64", "media_type": "image/png", "data": BLOB},
                            },
                            {
                                "type": "document",
                                "source": {
                                    "type": "text",
                                    "media_type": "text/plain",
                                    "data": "A plain text.",
                                },
                            },
                            {"type": "tool_result", "tool_use_id": "t", "content": "42"},
                        ],
                    },
                    {
                        "role": "assistant",
                        "content": [{"type": "thinking", "thinking": "Hm", "signature": BLOB}],
                    },
                ]
            },
            "A plain text.\n42\nHm",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "description": "Does f."}}]},
            "f\nDoes f.",
        ),
    ],
)
def test_a_request_is_its_words(body: dict[str, Any], text: str) -> None:
    """Text wherever it stands; images, sound, files and signatures left out."""
    assert sent_text(body) == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": {"message": "no"}}, ""),
        (
            {
                "choices": [
                    {
                        "index": 0,
                        "message": {
                            "role": "assistant",
                            "content": "Paris.",
                            "annotations": [{"title": "x"}],
                        },
                        "logprobs": {"content": [{"token": "Paris", "top_logprobs": [{"token": "Rome"}]}]},
                        "finish_reason": "stop",
                    }
                ]
            },
            "Paris.",
        ),
        (
            {
                "output": [
                    {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": BLOB},
                    {"type": "message", "content": [{"type": "output_text", "text": "Here."}]},
                ]
            },
            "Here.",
        ),
        (
            {"content": [{"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Oslo"}}]},
            "weather\nOslo",
        ),
    ],
)
def test_a_reply_is_its_words(body: dict[str, Any], text: str) -> None:
    """Log-probs repeat the words and images are none."""
    assert made_text(body) == text
