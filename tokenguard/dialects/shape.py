"""Tell from a request's JSON alone which wire format it is in: in files, no URL says so.

What only one format has decides; after that the model's name; after that OpenAI's is the more usual one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from tokenguard.anatomy import Path
from tokenguard.call import Json
from tokenguard.dialects import openai_media
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.dialect import Dialect
from tokenguard.dialects.endpoint import find
from tokenguard.dialects.openai_chat import CHAT, COMPLETIONS
from tokenguard.dialects.openai_embeddings import EMBEDDINGS
from tokenguard.dialects.openai_responses import RESPONSES

_OF_ANTHROPIC: Final = frozenset(
    ("system", "anthropic_version", "anthropic_beta", "stop_sequences", "output_config")
)
_OF_CHAT: Final = frozenset(
    (
        "functions",
        "response_format",
        "max_completion_tokens",
        "n",
        "stop",
        "stream_options",
        "seed",
        "logprobs",
    )
)
_BLOCKS_OF_ANTHROPIC: Final = frozenset(
    ("tool_use", "tool_result", "image", "document", "thinking", "redacted_thinking", "search_result")
)
_BLOCKS_OF_CHAT: Final = frozenset(("image_url", "input_audio", "file", "refusal"))
_CLAUDE: Final = re.compile(r"^[^/]*\bclaude\b|\banthropic/models/claude\b", re.I)
_EMBEDS: Final = re.compile(r"embed|voyage", re.I)
_DRAWS: Final = re.compile(r"gpt-image|dall-e|image", re.I)
_SPEAKS: Final = re.compile(r"tts", re.I)


class Request(NamedTuple):
    """A request that was found in a JSON document.

    Attributes:
        dialect: Its wire format.
        body: It.
        path: Where in the document it is: lines of batch files have it inside.
    """

    dialect: Dialect
    body: Json
    path: Path = ()


def request_in(document: Any) -> Request | None:
    """The request that a JSON document is, or holds as a line of a batch file does; ``None`` for none.

    OpenAI's batches have ``{"url": "/v1/responses", "body": {...}}``, Anthropic's ``{"params": {...}}``.
    """
    if not isinstance(document, dict):
        return None
    body, params = document.get("body"), document.get("params")
    if isinstance(body, dict):
        dialect = _at(document.get("url")) or of_body(body)
        return Request(dialect, body, ("body",)) if dialect else None
    if isinstance(params, dict) and "messages" in params:
        return Request(of_body(params) or MESSAGES, params, ("params",))
    dialect = of_body(document)
    return Request(dialect, document) if dialect else None


def _at(url: Any) -> Dialect | None:
    path = urlsplit(url).path if isinstance(url, str) else ""
    endpoint = find("POST", "https", "", None, path) if path else None
    return endpoint.dialect if endpoint else None


def of_body(body: Json) -> Dialect | None:
    """The wire format of a request, or ``None`` where it is none that is known."""
    model = body.get("model") if isinstance(body.get("model"), str) else ""
    if "messages" in body:
        return MESSAGES if _is_of_anthropic(body, str(model)) else CHAT
    if "input" in body:
        return _with_input(body, str(model))
    prompt = body.get("prompt")
    if isinstance(prompt, str | list):
        return openai_media.IMAGES if _DRAWS.search(str(model)) else COMPLETIONS
    if "instructions" in body or "previous_response_id" in body or isinstance(prompt, dict):
        return RESPONSES
    return None


def _is_of_anthropic(body: Json, model: str) -> bool:
    messages = body.get("messages")
    told = [each for each in messages if isinstance(each, dict)] if isinstance(messages, list) else []
    if not _OF_CHAT.isdisjoint(body) or any(map(_is_chat_message, told)):
        return False
    if not _OF_ANTHROPIC.isdisjoint(body) or "input_schema" in set(_keys(body.get("tools"))):
        return True
    if any(not _BLOCKS_OF_ANTHROPIC.isdisjoint(_kinds(each.get("content"))) for each in told):
        return True
    if "function" in set(_keys(body.get("tools"))) or not _CLAUDE.search(model):
        return False
    # Gateways speak OpenAI's, have system messages, and need no max_tokens, which Anthropic requires.
    return "max_tokens" in body or all(each.get("role") != "system" for each in told)


def _is_chat_message(message: Json) -> bool:
    return (
        message.get("role") in ("developer", "tool", "function")
        or "tool_calls" in message
        or "function_call" in message
        or not _BLOCKS_OF_CHAT.isdisjoint(_kinds(message.get("content")))
    )


def _keys(value: Any) -> Iterable[str]:
    """All keys of the objects in a list."""
    return (
        (key for item in value if isinstance(item, dict) for key in item) if isinstance(value, list) else ()
    )


def _kinds(content: Any) -> set[str]:
    """The types of the blocks in a list."""
    if not isinstance(content, list):
        return set()
    kinds = (block.get("type") for block in content if isinstance(block, dict))
    return {kind for kind in kinds if isinstance(kind, str)}


def _with_input(body: Json, model: str) -> Dialect:
    told = body["input"]
    plain = isinstance(told, list) and bool(told) and not isinstance(told[0], dict)
    if "voice" in body or _SPEAKS.search(model):
        return openai_media.SPEECH
    if plain or "encoding_format" in body or "dimensions" in body or _EMBEDS.search(model):
        return EMBEDDINGS
    return RESPONSES
