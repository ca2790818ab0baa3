"""Which answers are worth keeping: never one that is cut short, refused, empty or not what was asked for.

An answer that is kept is given again and again; a bad one would be, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from tokenguard import faults
from tokenguard.cache.eligibility import CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES
from tokenguard.cache.models import is_same_model
from tokenguard.call import Answered, Call, Json, WholeReply
from tokenguard.dialects.dialect import details, items
from tokenguard.dialects.said import Said, parts
from tokenguard.dialects.sse import AwsEventStream, ServerSentEvents
from tokenguard.wire_json import decoded

WHOLE: Final[dict[str, frozenset[str]]] = {
    CHAT: frozenset({"stop", "tool_calls", "function_call"}),
    COMPLETIONS: frozenset({"stop"}),
    RESPONSES: frozenset({"completed"}),
    MESSAGES: frozenset({"end_turn", "stop_sequence", "tool_use"}),
}
"""How an answer ends that is whole. Every other way to end is a reason not to keep it, known or not."""

REFUSALS: Final = (
    ("status", "The status is not 200."),
    (
        "unfinished",
        "The stream did not say that it was over: `[DONE]`, `message_stop`, `response.completed`.",
    ),
    ("too_large", "It is larger than `max_entry_bytes`."),
    ("error", "An error came inside the answer."),
    (
        "finish_reason",
        "It, or one of its choices, did not end in one of the ways in which whole answers end: it was cut "
        "off (`length`, `max_tokens`), filtered, refused, paused, or ended in a way not known here.",
    ),
    (
        "other_model",
        "Another model answered than was asked for: neither what that name stands for nor a snapshot of it.",
    ),
    ("tool_call", "It calls tools, and the cache was not made with `tools=True`."),
    ("empty", "It says nothing, or one of its choices does not."),
    ("not_json", "JSON was asked for, and it is none."),
    ("invalid", "The cache's `validate` said no."),
    ("invalidated", "Something was invalidated while the call was under way."),
)
"""Why an answer is not kept, as receipts and the ledger say it, in the order in which it is looked at."""


def refusal(
    call: Call, reply: WholeReply, *, tools: bool, max_bytes: int, validate: Callable[[str], bool] | None
) -> str | None:
    """Why an answer is not to be kept, of :data:`REFUSALS`; ``None`` where it is.

    Args:
        call: What was asked for.
        reply: The answer.
        tools: Whether answers that call tools are kept.
        max_bytes: The size of the largest answer that is kept.
        validate: The user's own word on an answer's text, or on each choice's; whatever it raises is a no.
    """
    if reply.status != 200:
        return "status"
    if not reply.finished:
        return "unfinished"
    if reply.body is None or len(reply.body) > max_bytes:
        return "too_large"
    answered = reply.answered
    if answered.error_type:
        return "error"
    if call.dialect == EMBEDDINGS:
        return _other_model(call, answered) or _without_vectors(reply.body)
    reasons = answered.finish_reasons
    if not reasons or not WHOLE[call.dialect].issuperset(reasons):
        return "finish_reason"
    spoken = parts(call.dialect, documents(reply.body, reply.kind))
    if not all(part.ended for part in spoken):
        return "finish_reason"
    return _other_model(call, answered) or _unfit(call, spoken, tools=tools, validate=validate)


def _other_model(call: Call, answered: Answered) -> str | None:
    """Whether another model answered, where names of models are the makers' own, or a gateway's."""
    if call.where.channel not in ("direct", "compatible") or not answered.model:
        return None
    at_its_maker = call.where.channel == "direct"
    same = is_same_model(call.asked.model, answered.model, at_its_maker=at_its_maker)
    return None if same else "other_model"


def _without_vectors(body: bytes) -> str | None:
    try:
        found = decoded(body)
    except ValueError:
        return "not_json"
    return None if isinstance(found, dict) and items(found, "data") else "empty"


def _unfit(
    call: Call, spoken: list[Said], *, tools: bool, validate: Callable[[str], bool] | None
) -> str | None:
    if any(part.calls_tools for part in spoken) and not tools:
        return "tool_call"
    if len(spoken) < (call.asked.choices or 1) or any(map(_is_silent, spoken)):
        return "empty"
    for text in _texts(call, spoken):
        if _asks_for_json(call.body or {}) and not _is_json(text):
            return "not_json"
        if validate is not None and not _says_yes(validate, text):
            return "invalid"
    return None


def _is_silent(part: Said) -> bool:
    return not (part.calls_tools or part.text.strip())


def _texts(call: Call, spoken: list[Said]) -> list[str]:
    """The texts that each must be what was asked for: those of a chat's choices, or that of the whole."""
    if call.dialect in (CHAT, COMPLETIONS):
        return [part.text for part in spoken if not part.calls_tools]
    return [] if any(part.calls_tools for part in spoken) else ["".join(part.text for part in spoken)]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _says_yes(validate: Callable[[str], bool], text: str) -> bool:
    try:
        return bool(validate(text))
    except Exception as error:  # it may have found fault with the answer; or somebody should hear of it
        faults.note("cache.validate", error)
        return False


def documents(body: bytes, kind: str) -> list[Json]:
    """The JSON of a reply: one document, or one for each event."""
    texts = [body]
    if kind.startswith("text/event-stream"):
        texts = [event.data for event in ServerSentEvents().feed(body)]
    elif kind.startswith("application/vnd.amazon.eventstream"):
        texts = [event.data for event in AwsEventStream().feed(body)]
    made = []
    for text in texts:
        try:
            document = decoded(text)
        except ValueError:
            continue  # [DONE], or nothing that the SDK's parser would read either
        if isinstance(document, dict):
            made.append(document)
    return made


def _asks_for_json(body: Json) -> bool:
    wanted = details(body, "response_format") or details(details(body, "text"), "format")
    wanted = wanted or details(details(body, "output_config"), "format") or details(body, "output_format")
    return wanted.get("type") in ("json_object", "json_schema")
