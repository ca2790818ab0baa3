"""What the headers of a request are to a cache: part of the question, of who asks it, or of neither.

Those that only carry, sign or trace a request are known by name, and so are those that say who asks. All
others may change the answer, so that one which nobody knows makes a miss, never another one's answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from tokenguard.errors import ConfigError

Sent = Mapping[bytes, bytes]
"""The headers of a request, by name in lower case."""

CARRYING: Final = frozenset(
    {
        *(b"accept", b"accept-encoding", b"connection", b"content-length", b"content-type"),
        *(b"content-encoding", b"transfer-encoding", b"user-agent", b"date", b"priority"),
        *(b"x-amz-date", b"x-amz-security-token", b"x-amz-content-sha256"),
        *(b"idempotency-key", b"x-client-request-id", b"x-request-id", b"x-correlation-id"),
        *(b"traceparent", b"tracestate", b"baggage", b"b3", b"sentry-trace", b"uber-trace-id", b"newrelic"),
        *(b"x-amzn-trace-id", b"x-cloud-trace-context", b"x-ms-client-request-id", b"grpc-trace-bin"),
        *(b"elastic-apm-traceparent", b"x-dynatrace"),
        b"anthropic-dangerous-direct-browser-access",
    }
)
"""Headers that only carry a request, sign it or trace it. (Who signs is in ``authorization``.)"""

CARRYING_PREFIXES: Final = (
    *(b"x-stainless-", b"x-b3-", b"x-datadog-", b"x-instana-", b"ot-tracer-", b"uberctx-", b"x-tokenguard-"),
)

IDENTITY: Final = (
    *(b"authorization", b"x-api-key", b"api-key", b"openai-organization", b"openai-project"),
    *(b"x-goog-user-project", b"x-goog-api-key", b"ocp-apim-subscription-key", b"proxy-authorization"),
    *(b"cf-aig-authorization", b"helicone-auth", b"x-portkey-api-key", b"x-litellm-api-key", b"cookie"),
)
"""Headers that say who asks: they are in the namespace instead of the key."""

PASSING_COOKIES: Final = frozenset(
    {
        *(b"__cf_bm", b"__cflb", b"__cfruid", b"_cfuvid", b"__cfwaitingroom"),
        *(b"AWSALB", b"AWSALBCORS", b"AWSALBTG", b"AWSALBTGCORS", b"AWSELB", b"AWSELBCORS"),
        *(b"ARRAffinity", b"ARRAffinitySameSite", b"ApplicationGatewayAffinity"),
        *(b"ApplicationGatewayAffinityCORS", b"GCLB"),
    }
)
"""Cookies of load balancers and bot filters, which come with answers, are sent with the next request, and say
nothing of who asks. Sources: developers.cloudflare.com/fundamentals/reference/policies-compliances/
cloudflare-cookies, docs.aws.amazon.com/elasticloadbalancing (sticky sessions), learn.microsoft.com/azure
(App Service and Application Gateway affinity), cloud.google.com/load-balancing (session affinity)."""

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110 §5.6.2
_SECRET: Final = re.compile(
    r"(?:^|[-_])(?:(?:oauth2?|auth|authorization|authentication)(?=$|[-_])"
    r"|(?:token|secret|password|credentials?|cookie|jwt|signature|(?:api|access|subscription|virtual)[-_]?key)$)"
)
"""How the names of headers look that carry a credential."""

_MATTERING: Final = re.compile(r"host|.*[-_](?:beta|version)|x-amzn-bedrock-.*")


def in_key(sent: Sent, origin: str, ignored: frozenset[bytes]) -> list[bytes]:
    """The headers that may change an answer, sorted.

    Args:
        sent: What was sent.
        origin: ``https://host[:port]``: a ``host`` that only repeats it says nothing.
        ignored: Those that the user has left out, names in lower case.
    """
    return [
        b"%b:%b" % (name, value)
        for name, value in sorted(sent.items())
        if not (name in CARRYING or name in ignored or name in IDENTITY)
        and not name.startswith(CARRYING_PREFIXES)
        and not (name == b"host" and value == origin.partition("://")[2].encode())
    ]


def in_namespace(sent: Sent) -> list[bytes]:
    """What says who sends a request."""
    found = ((name, _lasting(name, sent[name])) for name in IDENTITY if name in sent)
    return [b"%b:%b" % (name, value) for name, value in found if value or name != b"cookie"]


def _lasting(name: bytes, value: bytes) -> bytes:
    """What stays the same from request to request of who is the same."""
    if value.startswith(b"AWS4-"):  # a signature is never twice the same: who signs counts
        return value.partition(b"Credential=")[2].partition(b"/")[0] or value
    if name == b"cookie":
        cookies = (cookie.strip() for cookie in value.split(b";"))
        lasting = (one for one in cookies if one and one.partition(b"=")[0] not in PASSING_COOKIES)
        return b"; ".join(sorted(lasting))
    return value


def ignorable(names: Iterable[str]) -> frozenset[bytes]:
    """The names of headers that are to be left out, as they are sent.

    Raises:
        ConfigError: One is no name of a header; or one that says who asks, or how to answer.
    """
    made = set()
    for name in names:
        lower = name.lower()
        if not _NAME.fullmatch(name):
            raise ConfigError(f"Cache(ignore_headers=...): {name!r} is no name of a header")
        if lower.encode() in IDENTITY or _SECRET.search(lower):
            raise ConfigError(
                f"Cache(ignore_headers=...): {name!r} says who asks; without it one tenant would get another "
                "one's answers. To share answers, say so with Cache(namespace=...)"
            )
        if _MATTERING.fullmatch(lower):
            raise ConfigError(f"Cache(ignore_headers=...): {name!r} may change the answer; leave it out here")
        made.add(lower.encode())
    return frozenset(made)
