"""What holds of every request taken apart: paths lead back, nothing raises, no text is lost."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenguard.anatomy import Anatomy, Part, Path, at
from tokenguard.dialects import Dialect
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.openai_chat import CHAT, COMPLETIONS
from tokenguard.dialects.openai_embeddings import EMBEDDINGS
from tokenguard.dialects.openai_media import AUDIO, IMAGES, SPEECH
from tokenguard.dialects.openai_responses import RESPONSES
from tokenguard.dialects.words import NOT_WORDS, sent_text

from .requests import (
    ANY_BODY,
    ANY_JSON,
    CHAT_BODY,
    COMPLETION_BODY,
    EMBEDDING_BODY,
    MESSAGES_BODY,
    RESPONSES_BODY,
)

Body = dict[str, Any]

BODIES = {
    CHAT: CHAT_BODY,
    COMPLETIONS: COMPLETION_BODY,
    RESPONSES: RESPONSES_BODY,
    EMBEDDINGS: EMBEDDING_BODY,
    MESSAGES: MESSAGES_BODY,
}
of_each = pytest.mark.parametrize("dialect", BODIES, ids=lambda dialect: dialect.name)
of_every = pytest.mark.parametrize("dialect", [*BODIES, AUDIO, SPEECH, IMAGES], ids=lambda each: each.name)

NOT_SAID = {"server_name", "toolset_name", "caller_id", "namespace", "phase", "version"}
"""Keys beside a call or a message whose values are names of places, not words to the model."""


def taken_apart(dialect: Dialect, body: Body) -> Anatomy:
    assert dialect.anatomy is not None
    return dialect.anatomy(body)


def parts_of(anatomy: Anatomy) -> list[Part]:
    return [part for message in anatomy.messages for part in message.parts]


def lead_back(anatomy: Anatomy, body: Body) -> None:
    """Every path leads to what is said to stand there."""
    for message in anatomy.messages:
        assert at(body, message.path) is message.raw
        for part in message.parts:
            value = at(body, part.path)
            assert part.path[: len(message.path)] == message.path
            if part.kind == "text" and (part.text or isinstance(value, str)):
                assert value is part.text or (part.source == "tool_call" and json.loads(part.text) == value)
    for tool in anatomy.tools:
        assert at(body, tool.path) is tool.raw
    if anatomy.schema is not None:
        assert at(body, anatomy.schema_path) is anatomy.schema


@of_each
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_paths_lead_back(dialect: Dialect, data: st.DataObject) -> None:
    """A text's path leads to the very string, so that whoever mends it mends the request."""
    body = data.draw(BODIES[dialect])
    before = copy.deepcopy(body)
    lead_back(taken_apart(dialect, body), body)
    assert body == before


@of_every
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=ANY_BODY)
def test_no_body_raises(dialect: Dialect, body: Body) -> None:
    """Whatever stands where something else should: the provider will complain of it, not we."""
    lead_back(taken_apart(dialect, body), body)


@of_each
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_request_with_a_hole_in_it_does_not_raise(dialect: Dialect, data: st.DataObject) -> None:
    """A well-formed request in which one value, anywhere, is something else."""
    body = copy.deepcopy(data.draw(BODIES[dialect]))
    place = data.draw(st.sampled_from(list(places(body))))
    *above, last = place
    at(body, tuple(above))[last] = data.draw(ANY_JSON)
    lead_back(taken_apart(dialect, body), body)


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all values below a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


@of_each
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_text_is_lost(dialect: Dialect, data: st.DataObject) -> None:
    """All that would be counted as the words of the request is in a part, a tool or the schema."""
    body = data.draw(BODIES[dialect])
    anatomy = taken_apart(dialect, body)
    words = list(said(body))
    assert "\n".join(at(body, path) for path in words) == sent_text(body)
    for path in words:
        assert not at(body, path) or is_somewhere(path, body, anatomy), path


def said(body: Body) -> Iterator[Path]:
    """The paths of what ``sent_text`` reads."""
    for name in ("system", "instructions", "messages", "input", "prompt", "tools", "functions"):
        if name in body:
            yield from strings(body[name], (name,))


def strings(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, str):
        yield path
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from strings(item, (*path, i))
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in NOT_WORDS or (name == "data" and value.get("type") == "text"):
                yield from strings(item, (*path, name))


def is_somewhere(path: Path, body: Body, anatomy: Anatomy) -> bool:
    parts = parts_of(anatomy)
    if any(part.path == path for part in parts):
        return True
    within = [tool.path for tool in anatomy.tools]
    within += [part.path for part in parts if part.source == "tool_call" and part.text]
    if any(path[: len(above)] == above for above in within):
        return True
    names = {part.name for part in parts} | {message.name for message in anatomy.messages}
    return path[-1] in NOT_SAID or (path[-1] in ("name", "filename") and at(body, path) in names)


@of_each
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_base64_is_no_text(dialect: Dialect, data: st.DataObject) -> None:
    """Pictures, documents and encrypted thoughts are not among the words."""
    anatomy = taken_apart(dialect, data.draw(BODIES[dialect]))
    assert not any(part.text.endswith(("QUJD", "iVBORw0KGgo=")) for part in parts_of(anatomy))


@of_every
def test_a_body_nested_beyond_reason_does_not_raise(dialect: Dialect) -> None:
    """The stack of an application is not ours to use up."""
    for around in (listed, block, item, arguments):
        value: Any = "deep"
        for _ in range(5_000):
            value = around(value)
        for name in ("messages", "input", "prompt", "system", "instructions", "tools"):
            taken_apart(dialect, {name: value})
            taken_apart(dialect, {name: [{"role": "user", "content": value}]})


def listed(value: Any) -> Any:
    return [value]


def block(value: Any) -> Any:
    return {"type": "tool_result", "role": "user", "content": [value]}


def item(value: Any) -> Any:
    return {"type": "function_call_output", "output": [value]}


def arguments(value: Any) -> Any:
    return {"type": "tool_use", "input": value}
