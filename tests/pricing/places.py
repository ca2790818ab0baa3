"""Endpoints as the dialects describe them, and moments, for the price tests."""

from __future__ import annotations

from datetime import UTC, datetime

from tokenguard.call import Where

NOW = "2026-11-20T12:00:00"

OPENAI = Where("openai", "direct", "https://api.openai.com", "api.openai.com", 443)
OPENAI_EU = Where("openai", "direct", "https://eu.api.openai.com", "eu.api.openai.com", 443, region="eu")
OPENAI_US = Where("openai", "direct", "https://us.api.openai.com", "us.api.openai.com", 443, region="us")
ANTHROPIC = Where("anthropic", "direct", "https://api.anthropic.com", "api.anthropic.com", 443)
AZURE = Where(
    "azure.ai.openai", "azure", "https://me.openai.azure.com", "me.openai.azure.com", 443, None, "chat-prod"
)
BEDROCK = Where(
    "aws.bedrock",
    "bedrock",
    "https://bedrock-runtime.us-east-1.amazonaws.com",
    "bedrock-runtime.us-east-1.amazonaws.com",
    443,
    region="us-east-1",
)
VERTEX_GLOBAL = Where(
    "gcp.vertex_ai", "vertex", "https://aiplatform.googleapis.com", "aiplatform.googleapis.com", 443, "global"
)
VERTEX_EU = Where(
    "gcp.vertex_ai",
    "vertex",
    "https://europe-west1-aiplatform.googleapis.com",
    "europe-west1-aiplatform.googleapis.com",
    443,
    "europe-west1",
)
VERTEX_MULTI = Where(
    "gcp.vertex_ai",
    "vertex",
    "https://aiplatform.eu.rep.googleapis.com",
    "aiplatform.eu.rep.googleapis.com",
    443,
    "eu",
)
GROQ = Where("groq", "compatible", "https://api.groq.com", "api.groq.com", 443)
DEEPSEEK = Where("deepseek", "compatible", "https://api.deepseek.com", "api.deepseek.com", 443)
PERPLEXITY = Where("perplexity", "compatible", "https://api.perplexity.ai", "api.perplexity.ai", 443)
GEMINI = Where(
    "gcp.gemini",
    "compatible",
    "https://generativelanguage.googleapis.com",
    "generativelanguage.googleapis.com",
    443,
)
OPENROUTER = Where("openai", "compatible", "https://openrouter.ai", "openrouter.ai", 443)
LOOPBACK = Where("openai", "compatible", "http://127.0.0.1:8000", "127.0.0.1", 8000)
LOOPBACK_ANTHROPIC = Where("anthropic", "compatible", "http://localhost:8000", "localhost", 8000)
GATEWAY = Where("openai", "compatible", "https://llm.example.com", "llm.example.com", 443)


def ns(moment: str) -> int:
    """Unix nanoseconds of an ISO moment in UTC."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * 1_000_000_000
