"""Refusals that are given again for a moment: those that the same request would get once more.

What is wrong is in the request (too long, a model that there is not) or in what its credential may do. All
else may be another way the next moment, and is asked for: limits, overload, a credential that is refused.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from tokenguard.cache.entry import Entry
from tokenguard.cache.memory import Memory
from tokenguard.cache.plan import Plan
from tokenguard.cache.store import Which
from tokenguard.call import Call, Json, WholeReply
from tokenguard.wire_json import decoded

LONGEST_S: Final = 60.0
"""A model may come, and a right be given: nobody should wait for that any longer."""

_BYTES: Final = 2**20
_LARGEST: Final = 2**16  # bytes of a refusal; what is longer is a page of somebody on the way


class Refusal(NamedTuple):
    """A refusal that the same request would get again.

    Attributes:
        provider: In whose format: ``openai`` or ``anthropic``.
        status: The HTTP status.
        field: What of the error is looked at.
        value: What it is; of a message, how it begins, in any case.
        who: Who says so.
        what: What it means, for the docs.
    """

    provider: str
    status: int
    field: Literal["code", "type", "message"]
    value: str
    who: str
    what: str

    def matches(self, provider: str, status: int, error: Json) -> bool:
        """Whether an error is this one."""
        said = error.get(self.field)
        if (provider, status) != (self.provider, self.status) or not isinstance(said, str):
            return False
        if self.field == "message":
            return said.casefold().startswith(self.value.casefold())
        return said == self.value


_TOO_LONG: Final = "The prompt is too long for the model."
_NO_MODEL: Final = "There is no such model."

LASTING: Final = (
    Refusal("openai", 400, "code", "context_length_exceeded", "OpenAI, Azure, OpenRouter", _TOO_LONG),
    # Embeddings have no code, other servers have numbers or a general one.
    Refusal("openai", 400, "message", "This model's maximum context length is", "OpenAI, vLLM", _TOO_LONG),
    Refusal("openai", 400, "message", "This endpoint's maximum context length is", "OpenRouter", _TOO_LONG),
    Refusal("openai", 400, "code", "string_above_max_length", "OpenAI", "A text is too long for its field."),
    Refusal("openai", 404, "code", "model_not_found", "OpenAI", _NO_MODEL),
    Refusal("openai", 404, "message", "The model `", "vLLM, Groq", _NO_MODEL),
    Refusal("openai", 404, "code", "DeploymentNotFound", "Azure", "There is no such deployment."),
    Refusal("openai", 403, "code", "model_not_found", "OpenAI", "The project may not use the model."),
    Refusal("anthropic", 400, "message", "prompt is too long:", "Anthropic", _TOO_LONG),
    Refusal(
        "anthropic",
        400,
        "message",
        "input length and `max_tokens` exceed context limit:",
        "Anthropic",
        "The prompt and the answer together would be too long for the model.",
    ),
    Refusal("anthropic", 400, "message", "Input is too long for requested model", "Bedrock", _TOO_LONG),
    Refusal("anthropic", 400, "message", "The provided model identifier is invalid", "Bedrock", _NO_MODEL),
    Refusal("anthropic", 404, "message", "model:", "Anthropic", _NO_MODEL),
    Refusal(
        "anthropic",
        404,
        "message",
        "Publisher Model `",
        "Vertex AI",
        "There is no such model, or the project may not use it.",
    ),
    Refusal("anthropic", 403, "type", "permission_error", "Anthropic", "The key may not do this."),
    Refusal(
        "anthropic",
        403,
        "message",
        "You don't have access to the model",
        "Bedrock",
        "The account may not use the model.",
    ),
    Refusal("anthropic", 413, "type", "request_too_large", "Anthropic", "The request has too many bytes."),
)
"""What OpenAI, Anthropic and those who speak like them say of such requests. Every other refusal is asked for
again, known or not. Sources: docs.claude.com/en/api/errors, and errors as users report them."""

STATUSES: Final = frozenset(refusal.status for refusal in LASTING)


def is_lasting(call: Call, reply: WholeReply) -> bool:
    """Whether a reply is a refusal that the same request would get again."""
    if reply.status not in STATUSES or reply.body is None or len(reply.body) > _LARGEST:
        return False
    error = _error(reply.body)
    provider = call.dialect.partition(".")[0]
    return any(refusal.matches(provider, reply.status, error) for refusal in LASTING)


def _error(body: bytes) -> Json:
    """What is said of an error: in a field of its own or, by Bedrock and older vLLM, at the top."""
    try:
        found = decoded(body)
    except ValueError:
        return {}
    if isinstance(found, list) and found:  # Google's way
        found = found[0]
    if not isinstance(found, dict):
        return {}
    error = found.get("error")
    return error if isinstance(error, dict) else found


class Negative:
    """Refusals, kept in memory for a moment. Safe to share between threads.

    Args:
        ttl_s: For how long, in seconds.
    """

    def __init__(self, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._memory = Memory(_BYTES)

    def expires_ns(self, plan: Plan, now_ns: int) -> int:
        """When a refusal that comes now is not to be given any more."""
        return now_ns + int(min(self._ttl_s, plan.ttl_s) * 1e9)

    def get(self, plan: Plan, now_ns: int) -> Entry | None:
        """The refusal that a request got a moment ago, from the same credential."""
        entry = self._memory.get(_name(plan))
        return entry._replace(key=plan.key) if entry is not None and entry.expires_ns > now_ns else None

    def put(self, plan: Plan, entry: Entry) -> None:
        """Keep one."""
        self._memory.put(entry._replace(key=_name(plan)))

    def remove(self, which: Which) -> int:
        """Remove refusals; gives how many there were."""
        return self._memory.remove(which)

    def clear(self) -> None:
        """Remove all."""
        self._memory.clear()

    def after_fork(self) -> None:
        """Whoever held the lock is not here."""
        self._memory.after_fork()


def _name(plan: Plan) -> str:
    """Whoever shares answers by a namespace's name does not share what its credential may not do."""
    return f"{plan.key} {plan.asker}"
