"""What a request asked for, under the names of OpenTelemetry's GenAI conventions."""

from __future__ import annotations

from typing import Final

from opentelemetry.util.types import AttributeValue

from tokenguard.call import Call, Json
from tokenguard.dialects.dialect import details, optional_int
from tokenguard.telemetry import semconv as sc

_NUMBERS: Final = {
    "frequency_penalty": sc.REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": sc.REQUEST_PRESENCE_PENALTY,
    "seed": sc.REQUEST_SEED,
    "top_k": sc.REQUEST_TOP_K,
}
_RARE: Final = frozenset(
    {"stop", "stop_sequences", "reasoning_effort", "reasoning", "output_config", "previous_response_id"}
    | {"conversation", "response_format", "text"}
    | _NUMBERS.keys()
)


def put_request(made: dict[str, AttributeValue], call: Call) -> None:
    """Add the attributes of a request."""
    asked, body = call.asked, call.body or {}
    if asked.stream:
        made[sc.REQUEST_STREAM] = True
    if asked.max_tokens is not None:
        made[sc.REQUEST_MAX_TOKENS] = asked.max_tokens
    if asked.temperature is not None:
        made[sc.REQUEST_TEMPERATURE] = asked.temperature
    if asked.top_p is not None:
        made[sc.REQUEST_TOP_P] = asked.top_p
    if asked.choices != 1:
        made[sc.REQUEST_CHOICES] = asked.choices
    if not _RARE.isdisjoint(body):
        _put_rare(made, body)


def _put_rare(made: dict[str, AttributeValue], body: Json) -> None:
    """Add what most requests do not say."""
    for name in _NUMBERS.keys() & body.keys():
        value = body[name] if isinstance(body[name], float) else optional_int(body, name)
        if value is not None:
            made[_NUMBERS[name]] = value
    stop = body.get("stop") or body.get("stop_sequences")
    stops = [stop] if isinstance(stop, str) else stop
    if isinstance(stops, list) and stops and all(isinstance(text, str) for text in stops):
        made[sc.REQUEST_STOP] = tuple(stops)
    conversation = body.get("conversation")
    kind = (details(body, "response_format") or details(details(body, "text"), "format")).get("type")
    texts = {
        sc.REQUEST_REASONING: body.get("reasoning_effort")
        or (details(body, "reasoning") or details(body, "output_config")).get("effort"),
        sc.REQUEST_PREVIOUS: body.get("previous_response_id"),
        sc.CONVERSATION: conversation.get("id") if isinstance(conversation, dict) else conversation,
        sc.OUTPUT_TYPE: "json" if kind in ("json_object", "json_schema") else kind,
    }
    made.update({name: text for name, text in texts.items() if isinstance(text, str)})
