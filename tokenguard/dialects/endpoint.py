"""Tell from a URL which wire format is spoken there, whose endpoint it is, and what it implies.

Knowledge about URLs is in this file alone: paths name the dialect, hosts name the provider.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from tokenguard.call import Where
from tokenguard.dialects import openai_media
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.dialect import Dialect
from tokenguard.dialects.openai_chat import CHAT, COMPLETIONS
from tokenguard.dialects.openai_embeddings import EMBEDDINGS
from tokenguard.dialects.openai_responses import RESPONSES

_BY_TAIL: Final[dict[str, Dialect]] = {
    "chat/completions": CHAT,
    "audio/transcriptions": openai_media.AUDIO,
    "audio/translations": openai_media.AUDIO,
    "audio/speech": openai_media.SPEECH,
    "images/generations": openai_media.IMAGES,
    "images/edits": openai_media.IMAGES,
    "images/variations": openai_media.IMAGES,
    "responses/compact": RESPONSES,
    "v1/messages": MESSAGES,
}
_BY_LAST: Final[dict[str, Dialect]] = {
    "responses": RESPONSES,
    "embeddings": EMBEDDINGS,
    "completions": COMPLETIONS,
}

_AZURE_DEPLOYMENT: Final = re.compile(r"/openai/deployments/([^/]+)/")
_VERTEX: Final = re.compile(
    r"/locations/(?P<region>[^/]+)/publishers/anthropic/models/(?P<model>[^/:]+):(?P<verb>rawPredict|streamRawPredict)$"
)
_BEDROCK: Final = re.compile(r"/model/(?P<model>.+)/(?P<verb>invoke|invoke-with-response-stream)$")

# Hosts with a name of their own in gen_ai.provider.name (OpenTelemetry GenAI conventions), and the
# channel through which they are billed. The first match wins.
_HOSTS: Final[tuple[tuple[re.Pattern[str], str, str], ...]] = tuple(
    (re.compile(pattern), provider, channel)
    for pattern, provider, channel in (
        (r"(^|\.)api\.openai\.com$", "openai", "direct"),
        (r"(^|\.)api\.anthropic\.com$", "anthropic", "direct"),
        (r"^aws-external-anthropic\..*api\.aws$", "anthropic", "direct"),  # Anthropic's own, sold by AWS
        (
            r"\.(openai\.azure\.(com|us|cn)|cognitiveservices\.azure\.com|services\.ai\.azure\.com|azure-api\.net)$",
            "azure.ai.openai",
            "azure",
        ),
        (r"^bedrock(-[a-z]+)?[.-].*(amazonaws\.com(\.cn)?|api\.aws)$", "aws.bedrock", "bedrock"),
        (r"aiplatform\.(\w+\.rep\.)?googleapis\.com$", "gcp.vertex_ai", "vertex"),
        (r"(^|\.)api\.groq\.com$", "groq", "compatible"),
        (r"(^|\.)api\.mistral\.ai$", "mistral_ai", "compatible"),
        (r"(^|\.)api\.deepseek\.com$", "deepseek", "compatible"),
        (r"(^|\.)api\.x\.ai$", "x_ai", "compatible"),
        (r"(^|\.)api\.perplexity\.ai$", "perplexity", "compatible"),
        (r"(^|\.)generativelanguage\.googleapis\.com$", "gcp.gemini", "compatible"),
    )
)
_AWS_REGION: Final = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.")
_OPENAI_REGION: Final = re.compile(r"^([a-z]{2})\.api\.openai\.com$")


class Endpoint(NamedTuple):
    """What a URL says: the wire format, where it is, and what of the request stands in the path."""

    dialect: Dialect
    where: Where
    model: str | None = None  # named by the path (Bedrock, Vertex), not by the body
    stream: bool | None = None  # likewise


@lru_cache(maxsize=1024)
def find(method: str, scheme: str, host: str, port: int | None, path: str) -> Endpoint | None:
    """The endpoint that a request goes to, or ``None`` for one that we do not meter."""
    if method != "POST":
        return None
    where = _where(scheme, host, port, path)
    if match := _VERTEX.search(path):
        return _on_vertex(where, match)
    if match := _BEDROCK.search(path):
        streams = match["verb"] != "invoke"
        return Endpoint(MESSAGES, _named(where, "aws.bedrock", "bedrock"), unquote(match["model"]), streams)
    parts = path.rstrip("/").rsplit("/", 2)
    dialect = _BY_TAIL.get("/".join(parts[-2:])) or _BY_LAST.get(parts[-1])
    if dialect is None:
        return None
    return Endpoint(dialect, where if where.provider else _named(where, dialect.provider, where.channel))


def _where(scheme: str, host: str, port: int | None, path: str) -> Where:
    usual = {"https": 443, "http": 80}.get(scheme, 0)
    port = port or usual
    shown = host if port == usual else f"{host}:{port}"
    azure = _AZURE_DEPLOYMENT.search(path)
    provider, channel = next(
        ((provider, channel) for pattern, provider, channel in _HOSTS if pattern.search(host)),
        ("", "compatible"),
    )
    if azure:
        provider, channel = "azure.ai.openai", "azure"
    region = _AWS_REGION.search(host) or _OPENAI_REGION.search(host)
    return Where(
        provider=provider,
        channel=channel,
        origin=f"{scheme}://{shown}",
        host=host,
        port=port,
        region=region[1] if region else None,
        deployment=unquote(azure[1]) if azure else None,
    )


def _on_vertex(where: Where, match: re.Match[str]) -> Endpoint | None:
    if match["model"] == "count-tokens":
        return None
    there = Where(
        "gcp.vertex_ai", "vertex", where.origin, where.host, where.port, match["region"], where.deployment
    )
    return Endpoint(MESSAGES, there, unquote(match["model"]), match["verb"] == "streamRawPredict")


def _named(where: Where, provider: str, channel: str) -> Where:
    return Where(provider, channel, where.origin, where.host, where.port, where.region, where.deployment)


def path_for_model(path: str, model: str) -> str:
    """The path for another model, where the path names it (Azure deployments, Bedrock, Vertex).

    On Azure the deployment is taken to have the model's name; unaffected paths come back as they are.
    """
    name = quote(model, safe=":;@")
    for pattern in (_AZURE_DEPLOYMENT, _VERTEX, _BEDROCK):
        if match := pattern.search(path):
            group: int | str = 1 if pattern is _AZURE_DEPLOYMENT else "model"
            return path[: match.start(group)] + name + path[match.end(group) :]
    return path


def operation_path(path: str) -> str:
    """The part of a path that names the operation, without what a ``base_url`` puts before it."""
    for pattern in (_AZURE_DEPLOYMENT, _VERTEX, _BEDROCK):
        if match := pattern.search(path):
            return path[match.start() :]
    parts = path.rstrip("/").rsplit("/", 2)
    tail = "/".join(parts[-2:])
    return "/" + (tail if tail in _BY_TAIL else parts[-1])
