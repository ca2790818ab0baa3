"""Take out of a text whatever looks like a credential, before it is written down.

It works on JSON as it is sent, not on what it says: replacing does not disturb a byte beside the credential.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

SCRUBBED: Final = "<scrubbed>"
"""What stands in a credential's place."""

_START: Final = r"(?:(?<![A-Za-z0-9+/_-])|(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{4}))"
"""Where a credential may begin: not within a word or base64, but after an escape, whose end is a letter."""

_KINDS: Final = (
    r"sk-(?=[\w-]*\d)[\w-]{16,}",  # OpenAI, Anthropic, OpenRouter, DeepSeek and many more
    r"(?:AKIA|ASIA)[0-9A-Z]{16}",  # AWS
    r"AIza[\w-]{35}",  # Google
    r"ya29\.[\w-]{20,}",  # Google, OAuth
    r"gh[pousr]_[A-Za-z0-9]{20,}",  # GitHub
    r"github_pat_\w{40,}",
    r"glpat-[\w-]{20,}",  # GitLab
    r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
    r"gsk_[A-Za-z0-9]{40,}",  # Groq
    r"(?:xai|pplx)-[A-Za-z0-9]{40,}",  # xAI, Perplexity
    r"xox[a-z]-[\w-]{10,}",  # Slack
    r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}",  # JSON web tokens
)
_PATTERNS: Final = (
    re.compile(rf"{_START}(?P<keep>)(?:{'|'.join(_KINDS)})", re.ASCII),
    re.compile(rf"{_START}(?P<keep>(?:Bearer|Basic)\s+)(?!{SCRUBBED})[\w.~+/=-]{{20,}}", re.ASCII),
    re.compile(r"(?P<keep>)-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
    re.compile(r"(?P<keep>://)[^\s/:@\"\\]+:[^\s/@\"\\]+(?=@)"),  # of a URL
    re.compile(
        r"(?P<keep>\"(?:(?:proxy-)?authorization(?:_token)?|(?:x-)?api[-_]?key|(?:access|refresh)[-_]?token"
        r"|client[-_]?secret|secret[-_]?(?:access[-_]?)?key|private[-_]?key|password)\"\s*:\s*\")"
        r"(?:[^\"\\]|\\.)+",
        re.IGNORECASE,
    ),
)
_QUERY: Final = re.compile(
    r"(?P<keep>[?&](?:key|code|sig|signature|(?:api|subscription)[-_]?key|(?:access[-_]?)?token"
    r"|x-(?:amz|goog)-[\w-]+)=)[^&#]*",
    re.IGNORECASE,
)
_HEADERS: Final = (
    *("authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key"),
    *("ocp-apim-subscription-key", "x-amz-security-token", "cookie"),
)
_SHORTEST: Final = 12
"""Shorter than this it is no secret, but most likely a word: ``test``."""


def scrub(text: str, credentials: Iterable[str] = ()) -> str:
    """A text without credentials.

    Args:
        text: JSON, events of JSON, or anything else.
        credentials: Such as are known, whatever they look like.
    """
    for credential in credentials:
        text = text.replace(credential, SCRUBBED)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<keep>{SCRUBBED}", text)
    return text


def leaks(text: str, credentials: Iterable[str] = ()) -> bool:
    """Whether there is a credential in a text."""
    return scrub(text, credentials) != text


def scrub_query(path: str, credentials: Iterable[str] = ()) -> str:
    """A path and query without credentials."""
    return scrub(_QUERY.sub(rf"\g<keep>{SCRUBBED}", path), credentials)


def credentials_in(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The credentials that a request's headers (names in lower case) carry, the longest first."""
    found = set()
    for name in _HEADERS:
        value = headers.get(name, "")
        scheme, _, rest = value.partition(" ")
        found.add(rest if rest and scheme.isalnum() else value)
    return tuple(sorted((value for value in found if len(value) >= _SHORTEST), key=len, reverse=True))
