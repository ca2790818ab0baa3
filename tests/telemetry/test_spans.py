"""The spans of a call: what they are called, what stands on them, and what must never stand there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from tests.flow.driving import (
    ANTHROPIC,
    COST,
    MS,
    NOON,
    Driven,
    body,
    call,
    drive,
    end,
    failure,
    policies,
    reply,
    stream,
)
from tokenguard.call import Meter, Usage
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.openai_embeddings import EMBEDDINGS
from tokenguard.dialects.openai_media import AUDIO
from tokenguard.retry import Retry
from tokenguard.telemetry import Telemetry, TelemetrySettings
from tokenguard.telemetry.telemetry import COMPAT

from .conftest import Spans

NO_WAIT = Retry(base_s=0)
COSTS = (
    *("tokenguard.cost.total", "tokenguard.cost.input", "tokenguard.cost.output", "tokenguard.cost.nano"),
    *("gen_ai.usage.cost", "operation.cost", "llm.cost.total", "llm.cost.prompt", "llm.cost.completion"),
    *("langfuse.observation.cost_details", "mlflow.llm.cost", "gen_ai.cost.total_tokens"),
    *("gen_ai.cost.input_tokens", "gen_ai.cost.output_tokens", "gen_ai.usage.cost.amount"),
)


def go(
    made: Any = None, answers: Any = None, *, tree: bool = False, dialect: Any = None, **settings: Any
) -> Driven:
    """Drive a call with telemetry on."""
    using = policies(retry=NO_WAIT, telemetry=Telemetry(TelemetrySettings(**settings), tree=tree))
    more = {} if dialect is None else {"dialect": dialect}
    return drive(made or call(), answers or [reply(), body()], using, **more)


def on(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_call_is_one_span(spans: Spans) -> None:
    """Named by operation and model, of a client, from the call's start to its end."""
    go()
    leaf = spans.only()
    assert leaf.name == "chat gpt-4.1"
    assert leaf.kind is SpanKind.CLIENT
    assert leaf.parent is None
    assert (leaf.start_time, leaf.end_time) == (NOON, NOON + 900 * MS)
    assert leaf.status.status_code is StatusCode.UNSET
    assert leaf.instrumentation_scope is not None
    assert leaf.instrumentation_scope.name == "tokenguard"


def test_everything_a_call_says_of_itself(spans: Spans) -> None:
    """All attributes of a plain call, by every name that somebody reads: no more, no less."""
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "total_tokens": 1100,
        "prompt_tokens_details": {"cached_tokens": 200},
        "completion_tokens_details": {"reasoning_tokens": 60},
    }
    nano = 800 * 2_000 + 200 * 500 + 100 * 8_000
    sent, produced, total = (nano - 800_000) / 1e9, 0.0008, nano / 1e9
    driven = go(
        call(tags={"team": "support"}, run_id="r-1", run_name="triage"),
        [reply(), body(usage=usage, service_tier="default")],
    )
    assert driven.receipt.cost_nano == nano
    attributes = on(spans.only())
    assert json.loads(attributes.pop("langfuse.observation.usage_details")) == {
        "input": 800,
        "cache_read": 200,
        "output": 100,
        "total": 1100,
    }
    assert json.loads(attributes.pop("langfuse.observation.cost_details")) == {
        "input": sent,
        "output": produced,
        "total": total,
    }
    assert json.loads(attributes.pop("mlflow.llm.cost")) == {
        "input_cost": sent,
        "output_cost": produced,
        "total_cost": total,
    }
    assert attributes == {
        # OpenTelemetry GenAI conventions
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4.1",
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4.1-2025-04-14",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.usage.cache_read.input_tokens": 200,
        "gen_ai.usage.reasoning.output_tokens": 60,
        # OpenInference: Phoenix, Arize
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4.1-2025-04-14",
        "llm.token_count.prompt": 1000,
        "llm.token_count.completion": 100,
        "llm.token_count.total": 1100,
        "llm.token_count.prompt_details.cache_read": 200,
        "llm.token_count.completion_details.reasoning": 60,
        "llm.cost.total": total,
        "llm.cost.prompt": sent,
        "llm.cost.completion": produced,
        # OpenLIT and its like; Logfire
        "gen_ai.usage.cost": total,
        "operation.cost": total,
        # our own
        "tokenguard.call.id": driven.receipt.call_id,
        "tokenguard.attempt.index": 0,
        "tokenguard.attempt.role": "primary",
        "tokenguard.usage.source": "provider",
        "tokenguard.cost.total": total,
        "tokenguard.cost.input": sent,
        "tokenguard.cost.output": produced,
        "tokenguard.cost.nano": nano,
        "tokenguard.cost.currency": "USD",
        "tokenguard.cost.source": "usage",
        "tokenguard.price.version": driven.receipt.price_set,
        "tokenguard.team": "support",
        "tokenguard.run.id": "r-1",
        "tokenguard.run.name": "triage",
    }
    assert len(attributes) < 128, "the SDK's default limit"


@pytest.mark.parametrize(
    ("compat", "names"),
    [
        ("langfuse", {"langfuse.observation.usage_details", "langfuse.observation.cost_details"}),
        ("mlflow", {"mlflow.llm.cost"}),
        ("logfire", {"operation.cost"}),
        ("openlit", {"gen_ai.usage.cost"}),
        ("sentry", {"gen_ai.cost.total_tokens", "gen_ai.cost.input_tokens", "gen_ai.cost.output_tokens"}),
        (
            "otel-443",
            {"gen_ai.usage.cost.amount", "gen_ai.usage.cost.currency", "gen_ai.usage.cost.source"},
        ),
        (
            "openinference",
            {
                *("openinference.span.kind", "llm.model_name", "llm.token_count.prompt", "llm.cost.total"),
                *("llm.token_count.completion", "llm.token_count.total", "llm.cost.prompt"),
                "llm.cost.completion",
            },
        ),
    ],
)
def test_each_tool_has_its_names_and_only_where_it_is_wanted(
    compat: str, names: set[str], spans: Spans
) -> None:
    """The names of one tool are there with it, and gone without it."""
    go(compat=frozenset())
    go(compat=frozenset({compat}))
    without, with_it = (set(on(span)) for span in spans())
    assert with_it - without == names
    assert not without & set(COSTS[4:])


def test_all_tools_get_the_same_cost(spans: Spans) -> None:
    """One number, whatever it is called; its parts are its sum."""
    go(compat=frozenset(COMPAT))
    attributes = on(spans.only())
    total = COST / 1e9
    numbers = [
        name
        for name in COSTS
        if name.endswith(("total", "total_tokens", "amount", "usage.cost", "operation.cost"))
    ]
    assert len(numbers) == 6
    assert {attributes[name] for name in numbers} == {total}
    assert attributes["tokenguard.cost.input"] + attributes["tokenguard.cost.output"] == pytest.approx(total)
    assert attributes["gen_ai.usage.cost.source"] == "local"
    assert json.loads(attributes["mlflow.llm.cost"])["total_cost"] == total
    assert json.loads(attributes["langfuse.observation.cost_details"])["total"] == total


def test_cache_writes_have_their_old_name_and_their_new_one(spans: Spans) -> None:
    """Phoenix and Langfuse know only the old one; Langfuse's buckets are disjoint and sum to their total."""
    made = call("claude-sonnet-4-5", dialect=MESSAGES, where=ANTHROPIC)
    usage = {
        "input_tokens": 21,
        "cache_read_input_tokens": 3000,
        "cache_creation_input_tokens": 700,
        "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 90,
        "server_tool_use": {"web_search_requests": 2},
    }
    content = {"id": "msg_1", "model": "claude-sonnet-4-5", "stop_reason": "end_turn", "usage": usage}
    driven = go(made, [reply(), body(content)], dialect=MESSAGES)
    attributes = on(spans.only())
    assert attributes["gen_ai.usage.input_tokens"] == 3721
    assert attributes["gen_ai.usage.cache_write.input_tokens"] == 700
    assert attributes["gen_ai.usage.cache_creation.input_tokens"] == 700
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == 3000
    assert attributes["llm.token_count.prompt_details.cache_write"] == 700
    buckets = json.loads(attributes["langfuse.observation.usage_details"])
    total = buckets.pop("total")
    assert sum(buckets.values()) == total == 3811
    assert attributes["tokenguard.cost.nano"] == driven.receipt.cost_nano
    assert driven.receipt.cost_nano == (
        21 * 3_000 + 3000 * 300 + 500 * 3_750 + 200 * 6_000 + 90 * 15_000 + 2 * 10_000_000
    )


def test_tokens_are_told_apart_by_modality_where_the_provider_does(spans: Spans) -> None:
    """Text is only called text beside audio or images."""
    usage = {
        "input_tokens": 14,
        "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
        "output_tokens": 5,
        "total_tokens": 19,
    }
    go(call("gpt-4o-transcribe", dialect=AUDIO, body={}), [reply(), body({"usage": usage})], dialect=AUDIO)
    go()
    spoken, plain = (on(span) for span in spans())
    assert spoken["gen_ai.usage.audio.input_tokens"] == 10
    assert spoken["gen_ai.usage.text.input_tokens"] == 4
    assert spoken["gen_ai.usage.text.output_tokens"] == 5
    assert not [name for name in plain if ".text." in name or ".audio." in name]


def test_what_a_request_asked_for(spans: Spans) -> None:
    """Under the names of the conventions, as far as it was said; nothing of what was said in it."""
    asked = {
        "model": "gpt-4.1",
        "messages": [{"role": "user", "content": "secret"}],
        "max_completion_tokens": 50,
        "temperature": 0,
        "top_p": 0.5,
        "n": 3,
        "seed": 7,
        "frequency_penalty": 0.25,
        "presence_penalty": -1,
        "top_k": 2**70,
        "stop": "END",
        "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "secret"}},
    }
    go(call(body=asked))
    attributes = on(spans.only())
    assert {name: value for name, value in attributes.items() if name.startswith("gen_ai.request.")} == {
        "gen_ai.request.model": "gpt-4.1",
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.choice.count": 3,
        "gen_ai.request.seed": 7,
        "gen_ai.request.frequency_penalty": 0.25,
        "gen_ai.request.presence_penalty": -1,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.request.reasoning.level": "low",
    }
    assert attributes["gen_ai.output.type"] == "json"
    assert "secret" not in repr(attributes)


@pytest.mark.parametrize(
    ("asked", "attributes"),
    [
        ({"reasoning": {"effort": "high"}}, {"gen_ai.request.reasoning.level": "high"}),
        ({"output_config": {"effort": "max"}}, {"gen_ai.request.reasoning.level": "max"}),
        ({"previous_response_id": "resp_0"}, {"gen_ai.request.previous_response.id": "resp_0"}),
        ({"conversation": "conv_1"}, {"gen_ai.conversation.id": "conv_1"}),
        ({"conversation": {"id": "conv_1"}}, {"gen_ai.conversation.id": "conv_1"}),
        ({"text": {"format": {"type": "text"}}}, {"gen_ai.output.type": "text"}),
        ({"stop_sequences": ["a", "b"]}, {"gen_ai.request.stop_sequences": ("a", "b")}),
        ({"stop": [], "reasoning": "high", "conversation": 7, "text": "x", "seed": "a", "top_k": True}, {}),
    ],
)
def test_what_other_requests_ask_for(asked: dict[str, Any], attributes: dict[str, Any], spans: Spans) -> None:
    """Each format says it in its own words; nonsense is left out."""
    go(call(body={"model": "gpt-4.1", "messages": []}))
    go(call(body={"model": "gpt-4.1", "messages": [], **asked}))
    plain, told = (on(span) for span in spans())
    assert {name: value for name, value in told.items() if name not in plain} == attributes


def test_a_sampler_sees_what_it_may_decide_by(spans: Spans) -> None:
    """Operation, provider, model and server are there when the span is started."""
    go()
    assert spans.sampler.shown == [
        (
            "chat gpt-4.1",
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4.1",
                "server.address": "api.openai.com",
                "server.port": 443,
            },
        )
    ]


def test_an_upload_without_a_model_has_none(spans: Spans) -> None:
    """No empty name, and no blank at the end of the span's."""
    go(call("", dialect=AUDIO, body={}), [reply(kind="text/plain")], dialect=AUDIO)
    leaf = spans.only()
    assert leaf.name == "transcribe"
    assert "gen_ai.request.model" not in on(leaf)


def test_embeddings_are_spans_too(spans: Spans) -> None:
    """They have input and no output."""
    made = call("text-embedding-3-small", dialect=EMBEDDINGS, body={"input": "x"})
    usage = {"prompt_tokens": 50, "total_tokens": 50}
    go(made, [reply(), body({"model": "text-embedding-3-small", "usage": usage})], dialect=EMBEDDINGS)
    leaf = spans.only()
    assert leaf.name == "embeddings text-embedding-3-small"
    assert on(leaf)["gen_ai.usage.input_tokens"] == 50
    assert on(leaf)["gen_ai.usage.output_tokens"] == 0
    assert on(leaf)["tokenguard.cost.nano"] == 1_000


def test_a_model_without_a_price_has_no_cost(spans: Spans) -> None:
    """Not 0, not null: no attribute at all, by any name; its usage is there."""
    go(
        call("nobody-knows-this-model"),
        [reply(), body(model="nor-this-one")],
        compat=frozenset(COMPAT),
        tree=True,
    )
    for span in spans():
        assert not [name for name in on(span) if "cost" in name]
    assert on(spans.named("chat nobody-knows-this-model"))["gen_ai.usage.input_tokens"] == 1000


def test_a_call_that_failed_says_how(spans: Spans) -> None:
    """Its error type and an error status; neither usage nor cost."""
    go(answers=[reply(401)])
    leaf = spans.only()
    assert leaf.status.status_code is StatusCode.ERROR
    attributes = on(leaf)
    assert attributes["error.type"] == "401"
    assert attributes["openinference.span.kind"] == "LLM"
    assert not [name for name in attributes if "usage" in name or "cost" in name or "token_count" in name]


def test_a_call_that_was_lost_may_have_cost_something(spans: Spans) -> None:
    """Nobody saw the answer: the cost is uncertain, which is said instead of a number."""
    go(answers=[failure(retryable=False)])
    attributes = on(spans.only())
    assert attributes["error.type"] == "ConnectionResetError"
    assert attributes["tokenguard.cost.uncertain"] is True
    assert not [name for name in attributes if name in COSTS]


def test_a_lost_attempt_leaves_the_cost_of_the_call_uncertain(spans: Spans) -> None:
    """The answer has a cost, the attempt before it may have one too."""
    driven = go(answers=[failure(), reply(), body()])
    attributes = on(spans.only())
    assert attributes["tokenguard.cost.uncertain"] is True
    assert attributes["tokenguard.cost.nano"] == driven.receipt.cost_nano
    assert driven.receipt.cost_nano is not None
    assert driven.receipt.cost_nano > COST


def test_retries_are_events_on_the_one_span(spans: Spans) -> None:
    """One physical request each: what happened, and how long was waited."""
    driven = go(answers=[reply(503), failure(sent=False), reply(), body()])
    leaf = spans.only()
    assert on(leaf)["http.request.resend_count"] == 2
    assert on(leaf)["tokenguard.attempt.index"] == 2
    assert on(leaf)["tokenguard.attempt.role"] == "retry"
    assert on(leaf)["tokenguard.cost.nano"] == COST
    events = [(event.name, dict(event.attributes or {})) for event in leaf.events]
    assert events == [
        (
            "tokenguard.retry",
            {
                "http.response.status_code": 503,
                "error.type": "503",
                "tokenguard.retry.delay": driven.sleeps[0],
            },
        ),
        (
            "tokenguard.retry",
            {"error.type": "ConnectionResetError", "tokenguard.retry.delay": driven.sleeps[1]},
        ),
    ]
    assert leaf.status.status_code is StatusCode.UNSET


def test_a_first_try_has_no_resend_count(spans: Spans) -> None:
    """0 is left out, as the conventions have it."""
    go()
    assert "http.request.resend_count" not in on(spans.only())


def test_a_stream_says_when_its_first_token_came(spans: Spans) -> None:
    """And that it was a stream."""
    whole = Usage({Meter.INPUT: 1000, Meter.OUTPUT: 100}, total=1100)
    go(call(stream=True), [stream(), end(usage=whole, finish_reasons=("stop",), text="Paris.")])
    attributes = on(spans.only())
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.response.time_to_first_chunk"] == 0.6
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["tokenguard.cost.nano"] == COST


@pytest.mark.parametrize("how", ["closed", "dropped", "broken"])
def test_a_stream_that_did_not_finish_says_so(how: Any, spans: Spans) -> None:
    """The reason of a generation that never ended is "error"; its usage is an estimate."""
    go(call(stream=True), [stream(), end(how, text="Paris")])
    leaf = spans.only()
    assert on(leaf)["gen_ai.response.finish_reasons"] == ("error",)
    assert on(leaf)["tokenguard.usage.source"] == "estimated"
    assert on(leaf)["tokenguard.cost.source"] == "estimated"
    assert on(leaf)["error.type"] == ("ConnectionResetError" if how == "broken" else "aborted")
    assert leaf.status.status_code is StatusCode.ERROR


def test_each_choice_that_did_not_finish_says_so(spans: Spans) -> None:
    """Two of three were over when the caller left."""
    asked = {"model": "gpt-4.1", "messages": [], "stream": True, "n": 3}
    go(call(body=asked), [stream(), end("closed", text="abc", finish_reasons=("stop", "stop"))])
    assert on(spans.only())["gen_ai.response.finish_reasons"] == ("stop", "stop", "error")


def test_a_policy_puts_a_root_above_the_leaf(spans: Spans) -> None:
    """It speaks of the call as a whole, and has nothing that a tool would count as an inference."""
    driven = go(call(tags={"team": "support", "customer": "c-17"}), tree=True)
    leaf, root = spans.named("chat gpt-4.1"), spans.named("tokenguard.call")
    assert leaf.parent is not None
    assert root.context is not None
    assert leaf.parent.span_id == root.context.span_id
    assert root.parent is None
    assert root.kind is SpanKind.INTERNAL
    assert (root.start_time, root.end_time) == (leaf.start_time, leaf.end_time)
    assert on(root) == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "tokenguard",
        "openinference.span.kind": "CHAIN",
        "langfuse.observation.type": "chain",
        "tokenguard.call.id": driven.receipt.call_id,
        "tokenguard.request.model": "gpt-4.1",
        "tokenguard.outcome": "provider",
        "tokenguard.attempts": 1,
        "tokenguard.cost.call_total": COST / 1e9,
        "tokenguard.cost.baseline": COST / 1e9,
        "tokenguard.team": "support",
        "tokenguard.customer": "c-17",
    }
    assert on(leaf)["gen_ai.usage.input_tokens"] == 1000


def test_a_root_fails_with_its_leaf(spans: Spans) -> None:
    """The whole call failed."""
    go(answers=[reply(400)], tree=True)
    root = spans.named("tokenguard.call")
    assert root.status.status_code is StatusCode.ERROR
    assert on(root)["tokenguard.outcome"] == "error"
    assert on(root)["error.type"] == "400"


def test_a_redirected_call_is_one_span(spans: Spans) -> None:
    """Its hops are hops of the same call."""
    made, using = call(), policies(telemetry=Telemetry())
    drive(made, [reply(307, location="/elsewhere")], using)
    assert spans() == ()
    drive(made, [reply(), body()], using)
    assert spans.only().name == "chat gpt-4.1"
    assert len(spans.sampler.shown) == 1


def test_a_tag_cannot_take_the_place_of_what_we_say(spans: Spans) -> None:
    """A tag with a name of ours gets another one."""
    go(call(tags={"cost.total": "free", "outcome": "great", "team": "a", "odd name": "x"}))
    attributes = on(spans.only())
    assert attributes["tokenguard.cost.total"] == COST / 1e9
    assert attributes["tokenguard.tag.cost.total"] == "free"
    assert attributes["tokenguard.tag.outcome"] == "great"
    assert attributes["tokenguard.team"] == "a"
    assert attributes["tokenguard.odd name"] == "x"


def test_oddities_stand_on_the_span(spans: Spans) -> None:
    """What was amiss with the usage, for whoever looks."""
    usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 99}
    go(answers=[reply(), body(usage=usage)])
    assert on(spans.only())["tokenguard.anomalies"] == ("usage_sum_mismatch",)


@pytest.mark.parametrize("mode", ["metrics", "off"])
def test_spans_can_be_left_to_others(mode: Any, spans: Spans) -> None:
    """Then there are none of ours."""
    driven = go(spans=mode, tree=True)
    assert spans() == ()
    assert driven.receipt.cost_nano == COST


def test_a_call_that_is_not_sampled_has_no_span(spans: Spans) -> None:
    """And costs the same."""
    spans.sampler.on = False
    assert go(tree=True, capture_content=True).receipt.cost_nano == COST
    assert spans() == ()
