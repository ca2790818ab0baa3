"""Which wire format is spoken at a URL, whose it is, and what of the request stands in the path."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tokenguard.dialects import Endpoint, find, path_for_model


def at(url: str, method: str = "POST") -> Endpoint | None:
    """The endpoint, asked for as the transport does: with the path decoded."""
    from httpx2 import URL

    parts = URL(url)
    return find(method, parts.scheme, parts.host, parts.port, parts.path)


@pytest.mark.parametrize(
    ("url", "dialect", "provider", "channel"),
    [
        # OpenAI
        ("https://api.openai.com/v1/chat/completions", "openai.chat", "openai", "direct"),
        ("https://eu.api.openai.com/v1/chat/completions", "openai.chat", "openai", "direct"),
        ("https://api.openai.com/v1/responses", "openai.responses", "openai", "direct"),
        ("https://api.openai.com/v1/responses/compact", "openai.responses", "openai", "direct"),
        ("https://api.openai.com/v1/embeddings", "openai.embeddings", "openai", "direct"),
        ("https://api.openai.com/v1/completions", "openai.completions", "openai", "direct"),
        ("https://api.openai.com/v1/audio/transcriptions", "openai.audio", "openai", "direct"),
        ("https://api.openai.com/v1/audio/translations", "openai.audio", "openai", "direct"),
        ("https://api.openai.com/v1/audio/speech", "openai.speech", "openai", "direct"),
        ("https://api.openai.com/v1/images/generations", "openai.images", "openai", "direct"),
        ("https://api.openai.com/v1/images/edits", "openai.images", "openai", "direct"),
        ("https://api.openai.com/v1/images/variations", "openai.images", "openai", "direct"),
        # Anthropic
        ("https://api.anthropic.com/v1/messages", "anthropic.messages", "anthropic", "direct"),
        ("https://api.anthropic.com/v1/messages?beta=true", "anthropic.messages", "anthropic", "direct"),
        # Azure, by deployment and by the newer path
        (
            "https://me.openai.azure.com/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21",
            "openai.chat",
            "azure.ai.openai",
            "azure",
        ),
        (
            "https://me.openai.azure.com/openai/deployments/whisper/audio/transcriptions",
            "openai.audio",
            "azure.ai.openai",
            "azure",
        ),
        (
            "https://me.openai.azure.com/openai/v1/chat/completions",
            "openai.chat",
            "azure.ai.openai",
            "azure",
        ),
        ("https://me.openai.azure.us/openai/v1/responses", "openai.responses", "azure.ai.openai", "azure"),
        (
            "https://me.services.ai.azure.com/openai/v1/responses",
            "openai.responses",
            "azure.ai.openai",
            "azure",
        ),
        (
            "https://apim.example.com/openai/deployments/d/embeddings",
            "openai.embeddings",
            "azure.ai.openai",
            "azure",
        ),
        # Bedrock
        (
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-opus-5-v1%3A0/invoke",
            "anthropic.messages",
            "aws.bedrock",
            "bedrock",
        ),
        (
            "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/model/m/invoke-with-response-stream",
            "anthropic.messages",
            "aws.bedrock",
            "bedrock",
        ),
        (
            "https://bedrock-mantle.us-east-1.api.aws/v1/chat/completions",
            "openai.chat",
            "aws.bedrock",
            "bedrock",
        ),
        (
            "https://bedrock-mantle.eu-west-1.api.aws/anthropic/v1/messages",
            "anthropic.messages",
            "aws.bedrock",
            "bedrock",
        ),
        (
            "https://gateway.example.com/bedrock/model/m/invoke",
            "anthropic.messages",
            "aws.bedrock",
            "bedrock",
        ),
        # Vertex AI
        (
            "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic"
            "/models/claude-opus-5@20260101:rawPredict",
            "anthropic.messages",
            "gcp.vertex_ai",
            "vertex",
        ),
        (
            "https://aiplatform.us.rep.googleapis.com/v1/projects/p/locations/us/endpoints/openapi/chat/completions",
            "openai.chat",
            "gcp.vertex_ai",
            "vertex",
        ),
        # Gateways and compatible servers, with and without a prefix
        ("http://localhost:4000/chat/completions", "openai.chat", "openai", "compatible"),
        ("http://127.0.0.1:8000/v1/chat/completions/", "openai.chat", "openai", "compatible"),
        ("https://gw.example.com/team-a/openai/v1/chat/completions", "openai.chat", "openai", "compatible"),
        ("https://gw.example.com/anthropic/v1/messages", "anthropic.messages", "anthropic", "compatible"),
        ("https://openrouter.ai/api/v1/chat/completions", "openai.chat", "openai", "compatible"),
        ("https://api.groq.com/openai/v1/chat/completions", "openai.chat", "groq", "compatible"),
        ("https://api.mistral.ai/v1/chat/completions", "openai.chat", "mistral_ai", "compatible"),
        ("https://api.deepseek.com/chat/completions", "openai.chat", "deepseek", "compatible"),
        ("https://api.deepseek.com/anthropic/v1/messages", "anthropic.messages", "deepseek", "compatible"),
        ("https://api.x.ai/v1/chat/completions", "openai.chat", "x_ai", "compatible"),
        ("https://api.perplexity.ai/chat/completions", "openai.chat", "perplexity", "compatible"),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
            "openai.chat",
            "gcp.gemini",
            "compatible",
        ),
    ],
)
def test_an_endpoint_is_known_by_its_url(url: str, dialect: str, provider: str, channel: str) -> None:
    """Paths name the wire format, hosts name the provider."""
    found = at(url)
    assert found is not None
    assert found.dialect.name == dialect
    assert (found.where.provider, found.where.channel) == (provider, channel)
    assert found.where.host == urlsplit(url).hostname


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "https://api.openai.com/v1/chat/completions"),
        ("GET", "https://api.openai.com/v1/responses/resp_1"),
        ("DELETE", "https://api.openai.com/v1/responses/resp_1"),
        ("POST", "https://api.openai.com/v1/threads/thread_abc/messages"),
        ("POST", "https://api.openai.com/v1/threads/v1/messages/x"),
        ("POST", "https://api.openai.com/v1/threads/thread_abc/runs"),
        ("POST", "https://api.openai.com/v1/responses/resp_1/cancel"),
        ("POST", "https://api.openai.com/v1/responses/input_tokens"),
        ("POST", "https://api.openai.com/v1/chat/completions/chatcmpl-1"),
        ("POST", "https://api.openai.com/v1/moderations"),
        ("POST", "https://api.openai.com/v1/files"),
        ("POST", "https://api.openai.com/v1/batches"),
        ("POST", "https://api.openai.com/v1/uploads/upload_1/parts"),
        ("POST", "https://api.anthropic.com/v1/messages/batches"),
        ("POST", "https://api.anthropic.com/v1/messages/count_tokens"),
        ("POST", "https://me.openai.azure.com/openai/deployments/d/files"),
        ("POST", "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse"),
        (
            "POST",
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic"
            "/models/count-tokens:rawPredict",
        ),
        (
            "POST",
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic"
            "/models/claude-opus-5:countTokens",
        ),
        ("POST", "https://api.openai.com/"),
        ("POST", "https://api.openai.com"),
    ],
)
def test_other_requests_are_not_metered(method: str, url: str) -> None:
    """Reading, cancelling, counting and uploading cost nothing by themselves."""
    assert at(url, method) is None


@pytest.mark.parametrize(
    ("url", "model", "stream", "region"),
    [
        (
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-opus-5-v1%3A0/invoke",
            "us.anthropic.claude-opus-5-v1:0",
            False,
            "us-east-1",
        ),
        (
            "https://bedrock-runtime.us-gov-west-1.amazonaws.com/model/m/invoke-with-response-stream",
            "m",
            True,
            "us-gov-west-1",
        ),
        (
            "https://bedrock-runtime.eu-west-1.amazonaws.com/model/"
            "arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aapplication-inference-profile%2Fabc123/invoke",
            "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123",
            False,
            "eu-west-1",
        ),
        (
            "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic"
            "/models/claude-opus-5@20260101:streamRawPredict",
            "claude-opus-5@20260101",
            True,
            "us-east5",
        ),
        (
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic"
            "/models/claude-opus-5:rawPredict",
            "claude-opus-5",
            False,
            "global",
        ),
    ],
)
def test_what_stands_in_the_path_is_read(url: str, model: str, stream: bool, region: str) -> None:
    """Bedrock and Vertex name the model in the path, and say there whether they stream."""
    found = at(url)
    assert found is not None
    assert (found.model, found.stream, found.where.region) == (model, stream, region)


def test_a_deployment_is_read_from_the_path() -> None:
    """On Azure the path names a deployment, which may be called anything."""
    found = at("https://me.openai.azure.com/openai/deployments/chat%20prod/chat/completions")
    assert found is not None
    assert found.where.deployment == "chat prod"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.openai.com/v1/embeddings", "https://api.openai.com"),
        ("https://api.openai.com:443/v1/embeddings", "https://api.openai.com"),
        ("http://localhost:8000/v1/embeddings", "http://localhost:8000"),
        ("http://proxy/v1/embeddings", "http://proxy"),
    ],
)
def test_the_origin_is_that_of_the_url(url: str, origin: str) -> None:
    """With the port only where it is not the scheme's own."""
    found = at(url)
    assert found is not None
    assert found.where.origin == origin


@pytest.mark.parametrize(
    ("path", "model", "moved"),
    [
        ("/v1/chat/completions", "gpt-4.1", "/v1/chat/completions"),
        (
            "/openai/deployments/gpt-4.1-mini/chat/completions",
            "gpt 4.1",
            "/openai/deployments/gpt%204.1/chat/completions",
        ),
        ("/model/us.anthropic.claude-a-v1:0/invoke", "eu.b:0", "/model/eu.b:0/invoke"),
        ("/model/arn:aws:x%2Fabc/invoke", "arn:aws:y/def", "/model/arn:aws:y%2Fdef/invoke"),
        (
            "/v1/projects/p/locations/l/publishers/anthropic/models/claude-a@1:rawPredict",
            "claude-b@2",
            "/v1/projects/p/locations/l/publishers/anthropic/models/claude-b@2:rawPredict",
        ),
    ],
)
def test_another_model_moves_the_path(path: str, model: str, moved: str) -> None:
    """Where the path names the model it follows; everything else stays as it is."""
    assert path_for_model(path, model) == moved
