"""The words of a request or reply: what the model read and wrote, for estimates where no usage came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tokenguard.call import Json

_READ: Final = ("system", "instructions", "messages", "input", "prompt", "tools", "functions")
_MADE: Final = ("choices", "output", "content")
NOT_WORDS: Final = frozenset(
    {
        *("type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "finish_reason", "status"),
        *(
            "url",
            "image_url",
            "data",
            "file_data",
            "file_id",
            "file_url",
            "result",
            "media_type",
            "format",
            "detail",
        ),
        *("logprobs", "signature", "encrypted_content", "annotations", "citations", "cache_control"),
        "prompt_cache_breakpoint",
    }
)
"""Keys whose values are no words, wherever they stand: marks, ids, base64, and what is said elsewhere."""


def sent_text(body: Json) -> str:
    """All text that a request gives to the model, joined by newlines; images and files left out."""
    return "\n".join(text for name in _READ if name in body for text in _strings(body[name]))


def made_text(body: Json) -> str:
    """All text in a whole reply, for replies that say nothing of their usage."""
    return "\n".join(text for name in _MADE if name in body for text in _strings(body[name]))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in NOT_WORDS or (name == "data" and value.get("type") == "text"):
                yield from _strings(item)
