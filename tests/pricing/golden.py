"""Usages and what they cost, worked out by hand from the providers' price pages.

A cost is a sum of products ``quantity * USD per million units``, one for each meter, so every term is
in millionths of a dollar. ``None`` is a call that must stay unpriced. The prices were typed from the
price pages and the notes that genai-prices 0.2.3 keeps of them, not read through the code under test.
"""

from __future__ import annotations

from typing import NamedTuple

from tokenguard.call import Where

from .places import (
    ANTHROPIC,
    AZURE,
    BEDROCK,
    DEEPSEEK,
    GATEWAY,
    GEMINI,
    GROQ,
    LOOPBACK,
    LOOPBACK_ANTHROPIC,
    NOW,
    OPENAI,
    OPENAI_EU,
    OPENAI_US,
    OPENROUTER,
    PERPLEXITY,
    VERTEX_EU,
    VERTEX_GLOBAL,
    VERTEX_MULTI,
)


class Case(NamedTuple):
    """One usage and its cost in millionths of a dollar, as arithmetic."""

    where: Where
    model: str
    meters: dict[str, int]
    cost: str | None
    tier: str | None = None
    geo: str | None = None
    speed: str | None = None
    at: str = NOW


def chat(sent: int, made: int, **more: int) -> dict[str, int]:
    """A usage of text tokens, and of more meters."""
    return {"input": sent, "output": made, **more}


CASES: dict[str, Case] = {
    # --- OpenAI: chat and responses -----------------------------------------------------------
    "gpt-4.1 plain": Case(OPENAI, "gpt-4.1-2025-04-14", chat(1000, 200), "1000*2 + 200*8", "default"),
    "gpt-4.1 no tier in the reply": Case(OPENAI, "gpt-4.1", chat(1000, 200), "1000*2 + 200*8"),
    "gpt-4.1 tier auto": Case(OPENAI, "gpt-4.1", chat(10, 20), "10*2 + 20*8", "auto"),
    "gpt-4o cached": Case(
        OPENAI, "gpt-4o-2024-08-06", chat(52, 10, cache_read=1920), "52*2.5 + 1920*1.25 + 10*10", "default"
    ),
    "gpt-4o first snapshot has its own price": Case(
        OPENAI, "gpt-4o-2024-05-13", chat(100, 10, cache_read=50), "100*5 + 50*5 + 10*15"
    ),
    "gpt-4o-mini": Case(OPENAI, "gpt-4o-mini-2024-07-18", chat(19, 3), "19*0.15 + 3*0.6", "default"),
    "compact date": Case(OPENAI, "gpt-5.2-20251211", chat(1000, 1), "1000*1.75 + 1*14"),
    "upper case": Case(OPENAI, "GPT-4.1", chat(1000, 1), "1000*2 + 1*8"),
    "gpt-5 reasoning is output": Case(OPENAI, "gpt-5-2025-08-07", chat(36, 1087), "36*1.25 + 1087*10"),
    "gpt-6 write and read": Case(
        OPENAI,
        "gpt-6-sol",
        chat(500, 300, cache_read=8000, cache_write=2048),
        "500*2 + 8000*0.2 + 2048*2.5 + 300*10",
        "default",
    ),
    "terra 12 hour write": Case(
        OPENAI,
        "gpt-6.1-terra",
        chat(10, 5, cache_write=1000, cache_write_1h=4000),
        "10*1 + 1000*1.25 + 4000*2.50 + 5*5",
        "default",
    ),
    "write before 5.6 is plain input": Case(
        OPENAI, "gpt-4.1", chat(100, 1, cache_write=1024), "100*2 + 1024*2 + 1*8"
    ),
    "no cached price is full price": Case(
        OPENAI, "gpt-5-pro", chat(100, 10, cache_read=900), "100*15 + 900*15 + 10*120"
    ),
    "web searches": Case(
        OPENAI, "gpt-4.1", chat(8000, 400, web_searches=3), "8000*2 + 400*8 + 3*10000", "default"
    ),
    "images in chat at the text price": Case(
        OPENAI, "gpt-4.1-mini", chat(20, 30, image_input=1105), "20*0.4 + 1105*0.4 + 30*1.6"
    ),
    # --- OpenAI: long prompts -----------------------------------------------------------------
    "5.4 at the threshold": Case(OPENAI, "gpt-5.4", chat(272_000, 100), "272000*2.5 + 100*15"),
    "5.4 one below": Case(OPENAI, "gpt-5.4", chat(271_999, 100), "271999*2.5 + 100*15"),
    "5.4 one above": Case(OPENAI, "gpt-5.4", chat(272_001, 100), "272001*5 + 100*22.5"),
    "5.4 cached tokens count towards it": Case(
        OPENAI, "gpt-5.4", chat(1, 100, cache_read=272_000), "1*5 + 272000*0.5 + 100*22.5"
    ),
    "6-luna long write": Case(
        OPENAI, "gpt-6-luna", chat(272_000, 1, cache_write=1), "272000*0.2 + 1*0.25 + 1*0.75"
    ),
    "5.4 priority has no long price": Case(
        OPENAI, "gpt-5.4", chat(300_000, 10), "300000*5 + 10*30", "priority"
    ),
    "5.5-pro flex has no long price": Case(
        OPENAI, "gpt-5.5-pro", chat(300_000, 10), "300000*15 + 10*90", "flex"
    ),
    # --- OpenAI: processing -------------------------------------------------------------------
    "4.1 priority": Case(
        OPENAI, "gpt-4.1", chat(1000, 200, cache_read=100), "1000*3.5 + 100*0.875 + 200*14", "priority"
    ),
    "4.1 priority, searches keep their price": Case(
        OPENAI, "gpt-4.1", chat(1, 1, web_searches=1), "1*3.5 + 1*14 + 1*10000", "priority"
    ),
    "4.1 batch keeps the cached price": Case(
        OPENAI, "gpt-4.1", chat(1000, 200, cache_read=100), "1000*1 + 100*0.5 + 200*4", "batch"
    ),
    "5 flex, half a nano down": Case(OPENAI, "gpt-5", chat(0, 0, cache_read=1), "1*0.0625", "flex"),
    "5 flex, half a nano up": Case(OPENAI, "gpt-5", chat(0, 0, cache_read=3), "3*0.0625", "flex"),
    "6-sol fast": Case(OPENAI, "gpt-6-sol", chat(10, 10), "10*4 + 10*20", "fast"),
    "6.1-terra flex, long": Case(OPENAI, "gpt-6.1-terra", chat(272_001, 10), "272001*1 + 10*3.75", "flex"),
    "tier in capitals": Case(OPENAI, "gpt-5", chat(10, 10), "10*0.625 + 10*5", "FLEX"),
    "4.1 has no flex": Case(OPENAI, "gpt-4.1", chat(10, 10), None, "flex"),
    "scale tier": Case(OPENAI, "gpt-4o", chat(10, 10), None, "scale"),
    "a tier nobody knows": Case(OPENAI, "gpt-6-sol", chat(10, 10), None, "ultrafast"),
    "priority before its price is known": Case(
        OPENAI, "gpt-4.1", chat(10, 10), None, "priority", at="2026-10-11T23:59:59"
    ),
    "priority from that day on": Case(
        OPENAI, "gpt-4.1", chat(10, 10), "10*3.5 + 10*14", "priority", at="2026-10-12T00:00:00"
    ),
    # --- OpenAI: prices through time ----------------------------------------------------------
    "o3 before the cut": Case(OPENAI, "o3", chat(100, 20), "100*10 + 20*40", at="2025-06-09T23:59:59"),
    "o3 after the cut": Case(OPENAI, "o3", chat(100, 20), "100*2 + 20*8", at="2025-06-10T00:00:00"),
    "5.6-sol before": Case(OPENAI, "gpt-5.6-sol", chat(100, 20), "100*5 + 20*30", at="2026-08-20T23:59:59"),
    "5.6-sol after": Case(OPENAI, "gpt-5.6-sol", chat(100, 20), "100*4 + 20*20", at="2026-08-21T00:00:00"),
    # --- OpenAI: sound and pictures -----------------------------------------------------------
    "gpt-audio": Case(
        OPENAI,
        "gpt-audio-2025-08-28",
        chat(30, 20, audio_input=400, audio_output=600),
        "30*2.5 + 20*10 + 400*32 + 600*64",
    ),
    "gpt-realtime cached sound": Case(
        OPENAI,
        "gpt-realtime",
        chat(
            10, 20, audio_input=100, audio_cache_read=50, audio_output=80, image_input=7, image_cache_read=3
        ),
        "10*4 + 20*16 + 100*32 + 50*0.4 + 80*64 + 7*5 + 3*0.5",
    ),
    "cached sound without a cached price": Case(
        OPENAI, "gpt-audio", chat(0, 1, audio_cache_read=100), "100*32 + 1*10"
    ),
    "audio preview, genai-prices has its text only": Case(
        OPENAI,
        "gpt-4o-audio-preview-2025-06-03",
        chat(100, 10, audio_input=50, audio_output=60),
        "100*2.5 + 10*10 + 50*40 + 60*80",
    ),
    "mini audio preview": Case(
        OPENAI, "gpt-4o-mini-audio-preview", chat(100, 10, audio_input=50), "100*0.15 + 10*0.6 + 50*10"
    ),
    "the first audio preview had other prices": Case(
        OPENAI, "gpt-4o-audio-preview-2024-10-01", chat(100, 10, audio_input=50), None
    ),
    "sound at a text model": Case(OPENAI, "gpt-4.1", chat(100, 10, audio_input=50), None),
    "transcription in tokens": Case(
        OPENAI, "gpt-4o-transcribe", chat(14, 45, audio_input=1180), "14*2.5 + 45*10 + 1180*6"
    ),
    "whisper by the second": Case(OPENAI, "whisper-1", {"seconds": 61}, "61*100"),
    "an hour that does not divide": Case(OPENAI, "gpt-live-transcribe", {"seconds": 3600}, "1020000"),
    "seconds at a text model": Case(OPENAI, "gpt-4.1", {"seconds": 10}, None),
    "gpt-image-1.5": Case(
        OPENAI,
        "gpt-image-1.5",
        chat(50, 100, image_input=323, image_output=4160),
        "50*5 + 100*10 + 323*8 + 4160*32",
    ),
    "gpt-image-1 lists one output price": Case(
        OPENAI, "gpt-image-1", chat(50, 0, image_output=4160), "50*5 + 4160*40"
    ),
    "gpt-image-2 batch": Case(
        OPENAI,
        "gpt-image-2",
        chat(50, 0, image_input=10, image_output=100),
        "50*2.5 + 10*4 + 100*15",
        "batch",
    ),
    # --- OpenAI: embeddings, moderation, fine-tuned -------------------------------------------
    "embedding small": Case(OPENAI, "text-embedding-3-small", {"input": 8}, "8*0.02"),
    "embedding large": Case(OPENAI, "text-embedding-3-large", {"input": 8191}, "8191*0.13"),
    "embedding with an output nobody prices": Case(OPENAI, "text-embedding-3-small", chat(8, 1), None),
    "ft 4o": Case(OPENAI, "ft:gpt-4o-2024-08-06:acme::a1b2c3", chat(100, 10), "100*3.75 + 10*15"),
    "ft 4o-mini": Case(OPENAI, "ft:gpt-4o-mini-2024-07-18:acme::x", chat(100, 10), "100*0.3 + 10*1.2"),
    "ft 3.5": Case(OPENAI, "ft:gpt-3.5-turbo-0125:acme::x", chat(100, 10), "100*3 + 10*6"),
    "ft 4.1 has no price of its own": Case(OPENAI, "ft:gpt-4.1-2025-04-14:acme::x", chat(100, 10), None),
    "ft 4 is not gpt-4": Case(OPENAI, "ft:gpt-4-0613:acme::x", chat(100, 10), None),
    "nothing for free without a price": Case(OPENAI, "omni-moderation-latest", chat(100, 0), None),
    "unknown model": Case(OPENAI, "gpt-7-nova", chat(100, 10), None),
    # --- OpenAI: data residency ---------------------------------------------------------------
    "eu 5.4": Case(OPENAI_EU, "gpt-5.4-2026-03-05", chat(100, 10), "100*2.75 + 10*16.5", "default"),
    "us 6-sol": Case(
        OPENAI_US, "gpt-6-sol", chat(100, 10, cache_read=7), "100*2.2 + 7*0.22 + 10*11", "default"
    ),
    "eu 5.4 long": Case(OPENAI_EU, "gpt-5.4", chat(272_001, 10), "272001*5.5 + 10*24.75"),
    "eu 5.4 flex": Case(OPENAI_EU, "gpt-5.4", chat(100, 10), "100*1.375 + 10*8.25", "flex"),
    "eu 5.4 searches without": Case(
        OPENAI_EU, "gpt-5.4", chat(100, 10, web_searches=2), "100*2.75 + 10*16.5 + 2*10000"
    ),
    "eu 5.3 is older": Case(OPENAI_EU, "gpt-5.3-codex", chat(100, 10), "100*1.75 + 10*14"),
    "eu 4.1 is older": Case(OPENAI_EU, "gpt-4.1", chat(100, 10), "100*2 + 10*8"),
    "eu embedding is older": Case(OPENAI_EU, "text-embedding-3-small", {"input": 100}, "100*0.02"),
    # --- Anthropic ----------------------------------------------------------------------------
    "sonnet 4.5": Case(
        ANTHROPIC,
        "claude-sonnet-4-5-20250929",
        chat(2095, 503),
        "2095*3 + 503*15",
        "standard",
        "not_available",
    ),
    "sonnet 4.5 caches": Case(
        ANTHROPIC,
        "claude-sonnet-4-5-20250929",
        chat(21, 393, cache_read=188_086, cache_write=456, cache_write_1h=1024),
        "21*3 + 188086*0.3 + 456*3.75 + 1024*6 + 393*15",
        "standard",
    ),
    "sonnet 4.5 at the threshold": Case(
        ANTHROPIC, "claude-sonnet-4-5", chat(1000, 10, cache_read=199_000), "1000*3 + 199000*0.3 + 10*15"
    ),
    "sonnet 4.5 one above": Case(
        ANTHROPIC,
        "claude-sonnet-4-5",
        chat(1001, 10, cache_read=199_000),
        "1001*6 + 199000*0.6 + 10*22.5",
    ),
    "haiku 5.5 at 100k": Case(ANTHROPIC, "claude-haiku-5-5", chat(100_000, 1000), "100000*0.1 + 1000*0.5"),
    "haiku 5.5 above 100k": Case(ANTHROPIC, "claude-haiku-5-5", chat(100_001, 1000), "100001*0.5 + 1000*2.5"),
    "haiku 5.5 above 100k by cache writes": Case(
        ANTHROPIC,
        "claude-haiku-5-5",
        chat(1, 0, cache_write=90_000, cache_write_1h=10_000),
        "1*0.5 + 90000*0.625 + 10000*1",
    ),
    "haiku 5.5 batch above": Case(
        ANTHROPIC, "claude-haiku-5-5", chat(100_001, 10), "100001*0.25 + 10*1.25", "batch"
    ),
    "opus 4.6 long before GA": Case(
        ANTHROPIC, "claude-opus-4-6", chat(200_001, 10), "200001*10 + 10*37.5", at="2026-03-12T23:59:59"
    ),
    "opus 4.6 long since GA": Case(
        ANTHROPIC, "claude-opus-4-6", chat(200_001, 10), "200001*5 + 10*25", at="2026-03-13T00:00:00"
    ),
    "haiku 4.5 batch": Case(
        ANTHROPIC,
        "claude-haiku-4-5-20251001",
        chat(100, 10, cache_write=4, web_searches=1),
        "100*0.5 + 4*0.625 + 10*2.5 + 1*10000",
        "batch",
    ),
    "opus 5.5 fast": Case(
        ANTHROPIC,
        "claude-opus-5-5",
        chat(100, 10, cache_read=50, cache_write_1h=20),
        "100*8 + 50*0.4 + 20*16 + 10*40",
        "standard",
        "global",
        "fast",
    ),
    "opus 5 fast in the us": Case(
        ANTHROPIC, "claude-opus-5", chat(100, 10), "100*11 + 10*55", "standard", "us", "fast"
    ),
    "sonnet 5.5 has no fast price": Case(
        ANTHROPIC, "claude-sonnet-5-5", chat(100, 10), None, "standard", None, "fast"
    ),
    "fast and batch at once": Case(ANTHROPIC, "claude-opus-5", chat(100, 10), None, "batch", None, "fast"),
    "sonnet 4.6 in the us": Case(
        ANTHROPIC,
        "claude-sonnet-4-6",
        chat(100, 10, cache_read=30, cache_write=20, web_searches=1),
        "100*3.3 + 30*0.33 + 20*4.125 + 10*16.5 + 1*10000",
        "standard",
        "us",
    ),
    "opus 4.5 knows no geography": Case(
        ANTHROPIC, "claude-opus-4-5-20251101", chat(100, 10), "100*5 + 10*25", "standard", "us"
    ),
    "a geography nobody prices": Case(ANTHROPIC, "claude-opus-5", chat(100, 10), None, "standard", "eu"),
    "priority tier is a contract": Case(ANTHROPIC, "claude-opus-5", chat(100, 10), None, "priority"),
    "web search": Case(
        ANTHROPIC, "claude-opus-4-1-20250805", chat(6039, 931, web_searches=2), "6039*15 + 931*75 + 2*10000"
    ),
    "fable cache read": Case(
        ANTHROPIC, "claude-fable-5-2", chat(1, 1, cache_read=1000), "1*8 + 1000*0.2 + 1*40"
    ),
    # --- Azure --------------------------------------------------------------------------------
    "azure 4.1 has OpenAI's price": Case(
        AZURE, "gpt-4.1-2025-04-14", chat(100, 10), "100*2 + 10*8", "default"
    ),
    "azure o3 has its own": Case(AZURE, "o3-2025-04-16", chat(100, 10, cache_read=5), "100*2 + 5*0.5 + 10*8"),
    "azure embedding": Case(AZURE, "text-embedding-3-large", {"input": 100}, "100*0.13"),
    "azure fine-tuned": Case(AZURE, "gpt-4o-mini-2024-07-18.ft-0a1b2c", chat(100, 10), "100*0.3 + 10*1.2"),
    "azure deployment name": Case(AZURE, "chat-prod", chat(100, 10), None),
    "azure priority is not OpenAI's": Case(AZURE, "gpt-4.1", chat(100, 10), None, "priority"),
    # --- Bedrock ------------------------------------------------------------------------------
    "bedrock global": Case(
        BEDROCK, "global.anthropic.claude-sonnet-4-5-20250929-v1:0", chat(100, 10), "100*3 + 10*15"
    ),
    "bedrock us profile": Case(
        BEDROCK,
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        chat(100, 10, cache_write=5, cache_write_1h=6),
        "100*3.3 + 5*4.125 + 6*6.6 + 10*16.5",
    ),
    "bedrock without a prefix is regional": Case(
        BEDROCK, "anthropic.claude-sonnet-4-5-20250929-v1:0", chat(100, 10), "100*3.3 + 10*16.5"
    ),
    "bedrock inference profile arn": Case(
        BEDROCK,
        "arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-opus-4-5-20251101-v1:0",
        chat(100, 10),
        "100*5 + 10*25",
    ),
    "bedrock application profile": Case(
        BEDROCK, "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", chat(100, 10), None
    ),
    "bedrock 1h write without a price": Case(
        BEDROCK,
        "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
        chat(1, 1, cache_write_1h=10),
        "1*3 + 10*6 + 1*15",
    ),
    "bedrock claude write without a price": Case(
        BEDROCK, "anthropic.claude-3-haiku-20240307-v1:0", chat(1, 1, cache_write=10), None
    ),
    "bedrock openai geo": Case(BEDROCK, "us.openai.gpt-6-sol", chat(272_001, 10), "272001*4.4 + 10*16.5"),
    "bedrock nova, below a nano": Case(
        BEDROCK, "us.amazon.nova-micro-v1:0", chat(0, 0, cache_read=1), "1*0.00875"
    ),
    # --- Vertex AI ----------------------------------------------------------------------------
    "vertex global": Case(VERTEX_GLOBAL, "claude-sonnet-4-5@20250929", chat(100, 10), "100*3 + 10*15"),
    "vertex regional": Case(
        VERTEX_EU,
        "claude-sonnet-4-5@20250929",
        chat(100, 10, cache_read=10, cache_write_1h=5),
        "100*3.3 + 10*0.33 + 5*6.6 + 10*16.5",
    ),
    "vertex regional, long": Case(
        VERTEX_EU, "claude-sonnet-4-5@20250929", chat(200_001, 10), "200001*6.6 + 10*24.75"
    ),
    "vertex multi-region": Case(VERTEX_MULTI, "claude-opus-5-5", chat(100, 10), "100*4.4 + 10*22"),
    "vertex sonnet 4 has one price": Case(
        VERTEX_EU, "claude-sonnet-4@20250514", chat(100, 10), "100*3 + 10*15"
    ),
    "vertex opus 4.1 has one price": Case(
        VERTEX_EU, "claude-opus-4-1@20250805", chat(100, 10), "100*15 + 10*75"
    ),
    "vertex with a publisher": Case(
        VERTEX_EU, "google/gemini-2.5-pro", chat(200_001, 10), "200001*2.5 + 10*15"
    ),
    # --- Compatible endpoints -----------------------------------------------------------------
    "groq": Case(GROQ, "llama-3.3-70b-versatile", chat(100, 10), "100*0.59 + 10*0.79", "on_demand"),
    "groq bills ten seconds at least": Case(GROQ, "whisper-large-v3", {"seconds": 4}, "10*30.833333333333"),
    "groq longer sound": Case(GROQ, "whisper-large-v3", {"seconds": 3600}, "111000"),
    "deepseek by day": Case(
        DEEPSEEK, "deepseek-chat", chat(100, 10, cache_read=64), "100*0.27 + 64*0.07 + 10*1.1"
    ),
    "deepseek last second of the night": Case(
        DEEPSEEK, "deepseek-chat", chat(100, 10), "100*0.135 + 10*0.55", at="2026-11-20T00:29:59"
    ),
    "deepseek first second of the day": Case(
        DEEPSEEK, "deepseek-chat", chat(100, 10), "100*0.27 + 10*1.1", at="2026-11-20T00:30:00"
    ),
    "deepseek evening": Case(
        DEEPSEEK, "deepseek-chat", chat(100, 10), "100*0.135 + 10*0.55", at="2026-11-20T16:30:00"
    ),
    "deepseek date, then hour": Case(
        DEEPSEEK, "deepseek-v4-flash", chat(100, 10), "100*0.3 + 10*1.2", at="2026-11-20T03:59:59"
    ),
    "deepseek below a nano": Case(DEEPSEEK, "deepseek-v4-flash", chat(0, 0, cache_read=1), "1*0.003"),
    "perplexity adds a price per request": Case(PERPLEXITY, "sonar", chat(100, 10), "100*1 + 10*1 + 1*12000"),
    "perplexity counts tokens we cannot see": Case(PERPLEXITY, "sonar-deep-research", chat(100, 10), None),
    "gemini": Case(GEMINI, "gemini-2.5-flash", chat(100, 10, cache_read=7), "100*0.3 + 7*0.03 + 10*2.5"),
    "gemini sound": Case(GEMINI, "gemini-2.5-flash", chat(1, 1, audio_input=320), "1*0.3 + 320*1 + 1*2.5"),
    "openrouter": Case(OPENROUTER, "openai/gpt-4.1", chat(100, 10), "100*2 + 10*8"),
    "loopback speaks for OpenAI": Case(LOOPBACK, "gpt-4.1-mini", chat(100, 10), "100*0.4 + 10*1.6"),
    "loopback speaks for Anthropic": Case(
        LOOPBACK_ANTHROPIC, "claude-opus-5", chat(100, 10), "100*5 + 10*25"
    ),
    "loopback knows no llama": Case(LOOPBACK, "llama-3.3-70b", chat(100, 10), None),
    "a gateway says nothing of prices": Case(GATEWAY, "gpt-4.1", chat(100, 10), None),
    # --- Oddities -----------------------------------------------------------------------------
    "nothing used": Case(OPENAI, "gpt-4.1", chat(0, 0), "0"),
    "a negative count costs nothing": Case(OPENAI, "gpt-4.1", chat(-5, 10), "10*8"),
    "requests are free where tokens are priced": Case(
        OPENAI, "gpt-4.1", chat(10, 10, requests=1), "10*2 + 10*8"
    ),
    "requests alone have no price": Case(OPENAI, "gpt-4.1", {"requests": 1}, None),
    "a trillion tokens": Case(OPENAI, "gpt-4.1", {"output": 10**12}, "1000000000000*8"),
}
