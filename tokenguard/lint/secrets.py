"""Find credentials in a text by the shapes that their issuers publish, and tell real ones from examples.

No list of ours can know every issuer: :func:`others` asks the detectors of detect-secrets as well, where that
is installed. Nothing here sends anything anywhere, and nothing that is found is ever kept or shown.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

from tokenguard.lint.shapes import UNBROKEN


class Secret(NamedTuple):
    """Where in a text a credential is, and what kind it is."""

    start: int
    end: int
    what: str


_SHAPES: Final = (
    # What it is, its shape, where its issuer says so (or is seen to hand it out).
    ("an Anthropic key", r"sk-ant-[a-z]{3,5}\d\d-[\w-]{80,}"),  # platform.claude.com/docs/en/api/overview
    ("an OpenAI key", r"sk-(?:proj|svcacct|admin)-[\w-]{40,}"),  # developers.openai.com/api/docs
    ("an OpenAI key", r"sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),  # its older form
    ("an OpenRouter key", r"sk-or-v1-[0-9a-f]{64}"),  # openrouter.ai/docs/api/reference/authentication
    ("an AWS access key", r"(?:AKIA|ASIA)[A-Z2-7]{16}"),  # docs.aws.amazon.com, IAM unique identifiers
    ("a GitHub token", r"gh[opusr]_[A-Za-z0-9]{36,}"),  # docs.github.com, GitHub's token formats
    ("a GitHub token", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    ("a GitLab token", r"gl(?:pat|dt|rt|ptt|soat|cbt|ft)-[\w-]{20,}"),  # docs.gitlab.com/security/tokens
    ("a Google API key", r"AIza[\w-]{35}"),  # docs.cloud.google.com, API keys
    ("a Google client secret", r"GOCSPX-[\w-]{28}"),
    ("a Hugging Face token", r"hf_[A-Za-z0-9]{34,}"),  # huggingface.co/docs/hub/security-tokens
    ("a Slack token", r"xox[abeoprs]-[A-Za-z0-9-]{24,}"),  # docs.slack.dev/authentication/tokens
    ("a Slack token", r"xapp-\d-[A-Z0-9]+-\d+-[0-9a-f]{32,}"),
    ("a Stripe key", r"[sr]k_live_[A-Za-z0-9]{24,}"),  # docs.stripe.com/keys
    ("an npm token", r"npm_[A-Za-z0-9]{36}"),  # docs.npmjs.com/about-access-tokens
    ("a PyPI token", r"pypi-AgEIcHlwaS5vcmc[\w-]{50,}"),  # pypi.org/help/#apitoken
    ("a SendGrid key", r"SG\.[\w-]{22}\.[\w-]{43}"),  # twilio.com/docs/sendgrid
    ("a DigitalOcean token", r"do[opr]_v1_[0-9a-f]{64}"),  # docs.digitalocean.com/reference/api
    ("a Groq key", r"gsk_[A-Za-z0-9]{52}"),  # console.groq.com/docs
    ("an xAI key", r"xai-[A-Za-z0-9]{80}"),  # docs.x.ai
    ("a Perplexity key", r"pplx-[A-Za-z0-9]{48}"),  # docs.perplexity.ai
    ("a Replicate token", r"r8_[A-Za-z0-9]{37}"),  # replicate.com/docs/topics/security/api-tokens
    ("a Databricks token", r"dapi[0-9a-f]{32}"),  # docs.databricks.com, personal access tokens
    ("a Shopify token", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),  # shopify.dev/docs, access tokens
    ("a Linear key", r"lin_api_[A-Za-z0-9]{40}"),  # linear.app/developers
    ("a Notion token", r"ntn_[A-Za-z0-9]{46}"),  # developers.notion.com
    ("a Vault token", r"hvs\.[\w-]{90,}"),  # developer.hashicorp.com/vault/docs/concepts/tokens
    ("a LangSmith key", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),  # docs.langchain.com/langsmith
    ("an Azure storage key", r"AccountKey=[A-Za-z0-9+/]{86}=="),  # learn.microsoft.com, connection strings
)
_KINDS: Final = tuple((what, re.compile(shape, re.ASCII)) for what, shape in _SHAPES)
_SHAPE: Final = re.compile(  # without groups: so that it gives up on most places after one look
    r"(?<![A-Za-z0-9])(?=[ASGadghlnprsx])(?:" + "|".join(shape for _, shape in _SHAPES) + ")", re.ASCII
)

_WEB_TOKEN: Final = re.compile(r"(?<![\w-])(eyJ[\w-]{10,})\.(eyJ[\w-]{10,})\.[\w-]{20,}", re.ASCII)
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{2,9} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n)+"
    r"(?:[A-Za-z-]{3,20}: [^\n]{0,200}\n\s*){0,5}[A-Za-z0-9+/=]{40,}"
)

_EXAMPLE: Final = re.compile(
    r"example|your|insert|replac|dummy|fake|sample|placeholder|redacted|secret|token|"
    r"Eby8vdM02xNOcqFl|C2y6yDjf5/R\+ob0N|"  # the keys of Azure's emulators, which are the same for everybody
    r"(.)\1{4}|01234|12345678|98765432|abcdefg|qwerty",
    re.IGNORECASE,
)
"""What nobody's credentials have in them, but those of documentation do."""

_TUTORIAL: Final = re.compile(rb"1234567890|John Doe|example", re.IGNORECASE)
_LEAST_KINDS: Final = 8
"""With fewer different characters than that, nobody drew it at random."""


def secrets(text: str) -> Iterator[Secret]:
    """The credentials in a text. About 3 ms for 400 KB of prose or code."""
    for start, end in UNBROKEN.stretches(text):
        for match in _SHAPE.finditer(text, start, end):
            if _drawn(match[0]):
                what = next(what for what, shape in _KINDS if shape.match(text, match.start()))
                yield Secret(*match.span(), what)
        for match in _WEB_TOKEN.finditer(text, start, end):
            if _signed(match[1], match[2]):
                yield Secret(*match.span(), "a signed token (JWT)")
    if "PRIVATE KEY" in text:
        for match in _PRIVATE_KEY.finditer(text):
            if _drawn(match[0][-40:]):
                yield Secret(*match.span(), "a private key")


def _drawn(secret: str) -> bool:
    """Whether it looks drawn at random, as opposed to made up for an example."""
    return len(set(secret[4:])) >= _LEAST_KINDS and _EXAMPLE.search(secret, 4) is None


def _signed(header: str, payload: str) -> bool:
    """Whether these are the first parts of a web token, and not of the one that every tutorial shows."""
    try:
        first, second = (
            base64.urlsafe_b64decode(part[:4096] + "=" * (-len(part) % 4)) for part in (header, payload)
        )
        return "alg" in json.loads(first) and _TUTORIAL.search(second) is None
    except (ValueError, TypeError):
        return False


_LONGEST: Final = 8_192
"""An unbroken row of more characters is a file, not a credential."""

_TOO_LOOSE: Final = frozenset(
    ("KeywordDetector", "Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector")
)
"""Detectors of detect-secrets that go by a word or by randomness alone: made for code that is reviewed
line by line, and wrong more often than right on prompts."""


def others(text: str) -> Iterator[Secret]:
    """The credentials that detect-secrets sees in a text, in order; up to 0.2 s for 400 KB.

    Raises:
        ModuleNotFoundError: It is not installed: ``pip install "tokenguard-middleware[lint]"``.
    """
    start = 0
    for line in text.splitlines(keepends=True):
        seen = _without_files(line) if len(line) > _LONGEST else line
        if "://" in seen or any(UNBROKEN.stretches(seen)):
            for kind, detect in _detectors():
                for found in detect(seen):
                    if len(found) >= _LEAST_KINDS and _EXAMPLE.search(found) is None:
                        at = start + line.find(found)
                        yield Secret(at, at + len(found), kind)
        start += len(line)


def _without_files(line: str) -> str:
    """A line without what is too long for a credential: the detectors' patterns are slow there."""
    kept, position = [], 0
    for start, end in UNBROKEN.stretches(line):
        if end - start > _LONGEST:
            kept.append(line[position:start])
            position = end
    return " ".join([*kept, line[position:]])


@lru_cache(maxsize=1)
def _detectors() -> tuple[tuple[str, Callable[[str], Iterator[str]]], ...]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    known: dict[str, Any] = get_mapping_from_secret_type_to_class()
    made = [plugin() for plugin in known.values() if plugin.__name__ not in _TOO_LOOSE]
    # analyze_string looks at the text alone; analyze_line would try the secret out on the issuer's server.
    return tuple((str(plugin.secret_type), plugin.analyze_string) for plugin in made)
