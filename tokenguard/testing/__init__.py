"""A local provider that speaks OpenAI's and Anthropic's wire formats, for tests, demos and benchmarks.

    with Provider() as provider:
        provider.answer("Paris.")
        client = openai.OpenAI(base_url=provider.openai_url, api_key="test")

It is a real HTTP server on the loopback interface: the SDKs, proxies and everything between run as they
do in production, without a key, a network or a bill. ``python -m tokenguard.testing`` serves it to
programs in other languages, and a pytest plugin brings it as the fixture ``tokenguard_provider``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenguard.testing.exchange import Request
    from tokenguard.testing.provider import Provider
    from tokenguard.testing.script import Answer, Fault, ToolCall

__all__ = ["Answer", "Fault", "Provider", "Request", "ToolCall"]

_HOMES = {
    "Answer": "script",
    "Fault": "script",
    "Provider": "provider",
    "Request": "exchange",
    "ToolCall": "script",
}


def __getattr__(name: str) -> Any:
    # The pytest plugin lives in this package: importing it must not import asyncio into every test run.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
