"""What is asked of an answer can be had, under the name that it has, for what it may cost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lint.asked import chat, claude, in_chat, in_claude, in_text, request, said
from tokenguard.call import Json
from tokenguard.dialects.openai_embeddings import EMBEDDINGS
from tokenguard.dialects.openai_responses import RESPONSES
from tokenguard.lint.finding import REMOVED, Finding, Severity
from tokenguard.lint.rule import RequestRule
from tokenguard.lint.rules import output, parameters, wording
from tokenguard.lint.smallest import smallest

ASKED = {**chat(("user", "Summarise this in three sentences.")), "model": "gpt-4o"}
OF_O3 = {**ASKED, "model": "o3"}


def in_responses(rule: RequestRule, body: Json, **known: Any) -> list[Finding]:
    return rule.run(request({"model": "gpt-5", "input": "Hello", **body}, RESPONSES, **known))


def mended(body: Json, finding: Finding) -> Json:
    """A body with a fix of its top-level fields."""
    assert finding.fix is not None
    new = dict(body)
    for edit in finding.fix.edits:
        (name,) = edit.path
        if edit.new is REMOVED:
            del new[str(name)]
        else:
            new[str(name)] = edit.new
    return new


def test_an_answer_without_a_limit() -> None:
    """It says how long it may become, where that is known."""
    (found,) = in_chat(output.no_output_cap, ASKED)
    assert found.severity is Severity.INFO
    assert "16,384" in found.message
    assert in_responses(output.no_output_cap, {}) != []
    (found,) = in_claude(output.no_output_cap, {"model": "claude-sonnet-4-5", "messages": []})
    assert found.severity is Severity.ERROR


def test_an_answer_with_a_limit() -> None:
    """Whatever it is called; and a call of which not all is known may have one."""
    assert in_chat(output.no_output_cap, {**ASKED, "max_tokens": 300}) == []
    assert in_chat(output.no_output_cap, {**ASKED, "max_completion_tokens": 300}) == []
    assert in_responses(output.no_output_cap, {"max_output_tokens": 300}) == []
    assert in_claude(output.no_output_cap, claude(("user", "Hello"))) == []
    assert in_chat(output.no_output_cap, ASKED, complete=False) == []


def test_reasoning_models_have_another_name_for_it() -> None:
    """Renamed, the limit is the one that was meant."""
    body = {**OF_O3, "max_tokens": 2000}
    (found,) = in_chat(output.wrong_cap_name, body)
    assert found.path == ("max_tokens",)
    assert found.fix is not None
    assert found.fix.safe
    assert mended(body, found) == {**OF_O3, "max_completion_tokens": 2000}
    both = {**body, "max_completion_tokens": 500}
    (found,) = in_chat(output.wrong_cap_name, both)
    assert mended(both, found) == {**OF_O3, "max_completion_tokens": 500}


def test_other_models_take_the_old_name() -> None:
    """And so do servers of other people, whatever their models are called."""
    body = {**ASKED, "max_tokens": 2000}
    assert in_chat(output.wrong_cap_name, body) == []
    assert in_chat(output.wrong_cap_name, {**body, "model": "our-own-model"}) == []
    assert in_chat(output.wrong_cap_name, {**OF_O3, "max_tokens": 9}, provider="x_ai") == []


def test_every_format_has_its_own_name_for_it() -> None:
    """The names of other formats are refused."""
    (found,) = in_responses(output.wrong_cap_name, {"max_tokens": 300})
    assert found.fix is not None
    assert [(edit.path, edit.new) for edit in found.fix.edits] == [
        (("max_tokens",), REMOVED),
        (("max_output_tokens",), 300),
    ]
    body = claude(("user", "Hello"), max_completion_tokens=300)
    (found,) = in_claude(output.wrong_cap_name, body)
    assert mended(body, found) == claude(("user", "Hello"))
    assert in_responses(output.wrong_cap_name, {"max_output_tokens": 300}) == []


def test_a_limit_above_what_the_model_makes() -> None:
    """It is lowered to that, under the name that it has."""
    body = {**ASKED, "max_tokens": 32_000}
    (found,) = in_chat(output.cap_above_maximum, body)
    assert mended(body, found)["max_tokens"] == 16_384
    assert in_chat(output.cap_above_maximum, {**ASKED, "max_tokens": 16_384}) == []
    assert in_chat(output.cap_above_maximum, {**body, "model": "our-own-model"}) == []


PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "tags": {"type": "array", "minItems": 3, "items": {"enum": ["vip", "new", "blocked"]}},
    },
    "required": ["name", "address", "tags"],
    "$defs": {
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "zip": {"type": ["string", "null"]}},
            "required": ["street", "zip"],
        }
    },
}


def with_schema(schema: Json, **options: Any) -> Json:
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    return {**ASKED, "response_format": wanted, **options}


def test_a_limit_that_no_answer_keeps_to() -> None:
    """The smallest answer that the schema allows is longer."""
    (found,) = in_chat(output.cap_too_small, with_schema(PERSON, max_tokens=15))
    assert found.severity is Severity.ERROR
    assert found.path == ("max_tokens",)
    assert in_chat(output.cap_too_small, with_schema(PERSON, max_tokens=60)) == []
    assert in_chat(output.cap_too_small, with_schema(PERSON)) == []
    assert in_chat(output.cap_too_small, {**ASKED, "max_tokens": 5}) == []


def test_thinking_counts_towards_the_limit() -> None:
    """With little left for it the answer is likely to be empty; effort and budget are looked at."""
    body = {**OF_O3, "max_completion_tokens": 100}
    (found,) = in_chat(output.cap_too_small, body)
    assert found.severity is Severity.WARNING
    assert in_chat(output.cap_too_small, {**body, "max_completion_tokens": 4000}) == []
    assert in_chat(output.cap_too_small, {**body, "reasoning_effort": "minimal"}) == []
    assert (
        in_responses(output.cap_too_small, {"max_output_tokens": 100, "reasoning": {"effort": "none"}}) == []
    )
    assert in_responses(output.cap_too_small, {"max_output_tokens": 100}) != []
    thinking = {"type": "enabled", "budget_tokens": 1990}
    schema = {"format": {"type": "json_schema", "schema": PERSON}}
    wanted = claude(("user", "Hello"), max_tokens=2000, thinking=thinking, output_config=schema)
    assert in_claude(output.cap_too_small, {**wanted, "max_tokens": 2000}) != []
    assert in_claude(output.cap_too_small, {**wanted, "max_tokens": 2100}) == []
    assert in_claude(output.cap_too_small, claude(("user", "Hello"), max_tokens=0)) == []


NESTED = {
    "$ref": "#/$defs/n",
    "$defs": {"n": {"type": "object", "required": ["n"], "properties": {"n": {"$ref": "#/$defs/n"}}}},
}


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"type": "string", "minLength": 3}, '"aaa"'),
        ({"type": "integer", "minimum": 1000}, "1000"),
        ({"enum": ["no", "yes", 1]}, "1"),
        ({"const": {"a": None}}, '{"a":null}'),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}, {"type": "number"}]}, "0"),
        ({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}, '{"b":0}'),
        ({"type": "array", "prefixItems": [{"type": "null"}], "minItems": 2, "items": {}}, "[null,0]"),
        (NESTED, '{"n":0}'),
        ({"type": "string", "format": "date"}, '"2000-01-01"'),
        ({"$ref": "https://example.com/schema"}, "0"),
    ],
)
def test_the_smallest_answer(schema: Json, answer: str) -> None:
    """As short as the schema lets it be."""
    assert smallest(schema) == answer


def test_long_answers_are_streamed() -> None:
    """Above 21,333 tokens, and not below; OpenAI's are another matter."""
    assert in_claude(output.needs_streaming, claude(("user", "Hello"), max_tokens=21_334)) != []
    assert in_claude(output.needs_streaming, claude(("user", "Hello"), max_tokens=21_333)) == []
    assert in_claude(output.needs_streaming, claude(("user", "Hello"), max_tokens=64_000, stream=True)) == []
    assert in_chat(output.needs_streaming, {**ASKED, "max_tokens": 64_000}) == []


@pytest.mark.parametrize(("budget", "wrong"), [(8000, True), (4096, True), (500, True), (2000, False)])
def test_thinking_leaves_something_for_the_answer(budget: int, wrong: bool) -> None:
    """Less than all of it, and at least 1,024."""
    body = claude(("user", "Hello"), max_tokens=4096, thinking={"type": "enabled", "budget_tokens": budget})
    assert bool(in_claude(output.thinking_budget, body)) is wrong


def test_between_tools_thinking_may_go_on() -> None:
    """A header that a rule does not see may allow it."""
    thinking = {"type": "enabled", "budget_tokens": 8000}
    tools = [{"name": "search", "input_schema": {"type": "object"}}]
    body = claude(("user", "Hello"), max_tokens=4096, thinking=thinking, tools=tools)
    assert in_claude(output.thinking_budget, body) == []


def test_parameters_that_a_model_refuses() -> None:
    """Without them the call goes through; values that say nothing are passed by."""
    body = {**OF_O3, "temperature": 0.2, "top_p": 1, "logprobs": True}
    found = in_chat(parameters.refused_parameter, body)
    assert [one.path for one in found] == [("logprobs",), ("temperature",)]
    assert all(one.fix is not None and one.fix.safe for one in found)
    assert "temperature" not in mended(body, found[1])
    for harmless in ({"temperature": 1}, {"temperature": 1.0}, {"temperature": None}, {}, {"max_tokens": 9}):
        assert in_chat(parameters.refused_parameter, {**OF_O3, **harmless}) == []
    assert in_chat(parameters.refused_parameter, {**body, "reasoning_effort": "none"}) == []
    assert in_chat(parameters.refused_parameter, {**body, "model": "gpt-4o"}) == []


def test_claude_does_not_take_a_temperature_while_it_thinks() -> None:
    """Nor at all, since Opus 4.7."""
    warm = claude(("user", "Hello"), temperature=0.2)
    assert in_claude(parameters.refused_parameter, warm) == []
    assert in_claude(parameters.refused_parameter, {**warm, "model": "claude-opus-4-7"}) != []
    thinking = {**warm, "thinking": {"type": "enabled", "budget_tokens": 2000}}
    assert in_claude(parameters.refused_parameter, thinking) != []
    assert in_claude(parameters.refused_parameter, {**warm, "thinking": {"type": "disabled"}}) == []


def test_answers_that_no_cache_keeps() -> None:
    """Where there is a cache: a temperature above 0, or none, and no seed."""
    for body in (ASKED, {**ASKED, "temperature": 0.7}):
        (found,) = in_chat(parameters.sampled_though_cached, body, cached=True)
        assert found.severity is Severity.INFO
        assert in_chat(parameters.sampled_though_cached, body) == []
    for body in ({**ASKED, "temperature": 0}, {**ASKED, "seed": 1}):
        assert in_chat(parameters.sampled_though_cached, body, cached=True) == []
    assert in_chat(parameters.sampled_though_cached, OF_O3, cached=True) == []
    assert in_responses(parameters.sampled_though_cached, {"model": "gpt-4.1", "seed": 1}, cached=True) != []
    assert parameters.sampled_though_cached.run(request({"input": "Hello"}, EMBEDDINGS, cached=True)) == []


def test_several_answers_are_paid_several_times() -> None:
    """n=1 is one."""
    (found,) = in_chat(parameters.several_choices, {**ASKED, "n": 4})
    assert "4" in found.message
    assert in_chat(parameters.several_choices, {**ASKED, "n": 1}) == []


def test_a_model_that_is_shut_down() -> None:
    """With the day."""
    (found,) = in_chat(parameters.retiring_model, {**ASKED, "model": "gpt-4.1"})
    assert found.message == "the last day of gpt-4.1 is 2027-01-14"
    assert in_chat(parameters.retiring_model, {**ASKED, "model": "gpt-5.6"}) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "Let's think step by step.",
        "Think carefully, step-by-step!",
        "Take a deep breath and work it out.",
        "Use chain-of-thought.",
    ],
)
def test_models_that_think_are_told_to_think(sentence: str) -> None:
    """The sentence is found, and taking it out is offered; other models may need it."""
    text = f"What is 17 * 23? {sentence} Answer with a number."
    body = {**chat(("system", "Be brief."), ("user", text)), "model": "o3"}
    (found,) = in_chat(wording.step_by_step, body)
    assert found.path == ("messages", 1, "content")
    assert found.tokens > 1
    assert found.fix is not None
    (edit,) = found.fix.edits
    assert text[edit.start : edit.end].strip() == sentence
    assert in_chat(wording.step_by_step, {**body, "model": "gpt-4o"}) == []


def test_claude_is_told_to_think_while_it_does() -> None:
    """Where thinking is on."""
    body = claude(("user", "Think step by step."))
    assert in_claude(wording.step_by_step, body) == []
    assert in_claude(wording.step_by_step, {**body, "thinking": {"type": "adaptive"}}) != []


@pytest.mark.parametrize(
    "text", ["Describe the installation step by step.", "Step by step, please.", "I think it is one step."]
)
def test_steps_of_other_things(text: str) -> None:
    """Instructions for people may have steps, and what the model said is no instruction."""
    assert in_chat(wording.step_by_step, {**chat(("user", text)), "model": "o3"}) == []
    said_before = chat(("user", "Hello"), ("assistant", "Let me think step by step."), ("user", "Well?"))
    assert in_chat(wording.step_by_step, {**said_before, "model": "o3"}) == []


def test_contradictions_are_found_when_asked_for() -> None:
    """Lengths, and forms that exclude one another; off by default."""
    assert not wording.contradiction.default
    text = "Answer in at most 50 words. Write at least 200 words."
    assert said(in_text(wording.contradiction, text, "system"), text) == ["at least 200 words"]
    assert (
        in_text(wording.contradiction, "Answer with valid JSON only. Use markdown for tables.", "system")
        != []
    )
    for fine in (
        "At least 20 words, at most 50 words.",
        "At most three sentences with at least 20 words.",
        "Never use markdown. Answer with JSON only.",
        "",
    ):
        assert in_text(wording.contradiction, fine, "system") == []
    assert in_text(wording.contradiction, text, "user") == []


def test_politeness_is_found_when_asked_for() -> None:
    """Outside code; off by default."""
    assert not wording.politeness.default
    text = "Could you please summarise this? Thank you in advance! `please`"
    (one,) = in_text(wording.politeness, text)
    assert one.fix is not None
    taken_out = [text[edit.start : edit.end] for edit in one.fix.edits]
    assert taken_out == ["Could you please ", "Thank you in advance! "]
    for words in (
        "Kindly ",
        "Thanks!",
        "If you don't mind, ",
        "I would like you to ",
        "Would you kindly ",
        "Can you please ",
    ):
        assert in_text(wording.politeness, f"{words}answer."), words
    assert in_text(wording.politeness, "Summarise this. Pleased customers come first.") == []
