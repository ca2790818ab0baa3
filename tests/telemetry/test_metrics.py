"""The metrics of calls: exact, bounded, and there whether or not spans are."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.metrics import _internal as metrics_state

from tests.flow.driving import (
    ANTHROPIC,
    COST,
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
from tokenguard.dialects.openai_media import AUDIO
from tokenguard.errors import ConfigError
from tokenguard.retry import Retry
from tokenguard.telemetry import Telemetry, TelemetrySettings
from tokenguard.telemetry import semconv as sc

from .conftest import Measured, Spans

STANDARD = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4.1",
}
WHOLE = Usage({Meter.INPUT: 1000, Meter.OUTPUT: 100}, total=1100)


def telemetry(**settings: Any) -> Telemetry:
    return Telemetry(TelemetrySettings(**settings))


def go(made: Any = None, answers: Any = None, using: Telemetry | None = None, **more: Any) -> Driven:
    flow = policies(retry=Retry(base_s=0), telemetry=using or telemetry(spans="metrics"))
    return drive(made or call(), answers or [reply(), body()], flow, **more)


def test_names_units_and_kinds_are_those_of_the_reference(measured: Measured) -> None:
    """Every instrument that a call can touch."""
    go()
    go(call("nobody-knows-this-model"), [reply(), body(model="nor-this")])
    go(call(stream=True), [stream(), end(usage=WHOLE)])
    telemetry(spans="metrics").not_metered("api.openai.com")
    units = {name: (type(metric.data).__name__, metric.unit) for name, metric in measured.metrics().items()}
    assert units == {
        "gen_ai.client.operation.duration": ("Histogram", "s"),
        "gen_ai.client.operation.time_to_first_chunk": ("Histogram", "s"),
        "gen_ai.client.token.usage": ("Histogram", "{token}"),
        "tokenguard.call.cost": ("Histogram", "USD"),
        "tokenguard.cost": ("Sum", "USD"),
        "tokenguard.cost.baseline": ("Sum", "USD"),
        "tokenguard.calls": ("Sum", "{call}"),
        "tokenguard.attempts": ("Sum", "{attempt}"),
        "tokenguard.unpriced": ("Sum", "{call}"),
        "tokenguard.unmetered": ("Sum", "{request}"),
    }
    for metric in measured.metrics().values():
        assert getattr(metric.data, "is_monotonic", True)


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("gen_ai.client.operation.duration", sc.DURATION_BOUNDARIES),
        ("gen_ai.client.token.usage", sc.TOKEN_BOUNDARIES),
        ("tokenguard.call.cost", sc.COST_BOUNDARIES),
    ],
)
def test_histograms_have_buckets_that_fit(name: str, bounds: tuple[float, ...], measured: Measured) -> None:
    """The SDK's own start at 5, where no call's cost ever is."""
    go()
    ((_, point), *_) = measured.points(name)
    assert tuple(point.explicit_bounds) == bounds
    assert len(bounds) == 14


def test_a_call_is_counted_once_with_its_cost(measured: Measured) -> None:
    """Standard metrics have standard labels only; ours have the tags that are allowed."""
    go(call(tags={"team": "support", "customer": "c-17", "user": "u-1", "free": "x"}))
    tags = {"tokenguard.team": "support"}
    assert measured.points("tokenguard.calls") == [({"tokenguard.outcome": "provider", **tags}, 1)]
    assert measured.points("tokenguard.attempts") == [({"tokenguard.attempt.role": "primary"}, 1)]
    source = {"tokenguard.cost.source": "usage", "tokenguard.attempt.role": "primary"}
    assert measured.points("tokenguard.cost") == [({**STANDARD, **source, **tags}, COST / 1e9)]
    assert measured.points("tokenguard.cost.baseline") == [({**STANDARD, **tags}, COST / 1e9)]
    ((labels, cost),) = measured.points("tokenguard.call.cost")
    assert labels == {"tokenguard.outcome": "provider", "gen_ai.request.model": "gpt-4.1", **tags}
    assert (cost.count, cost.sum) == (1, COST / 1e9)
    ((labels, duration),) = measured.points("gen_ai.client.operation.duration")
    assert labels == STANDARD
    assert duration.sum == 0.9
    tokens = {
        labels["gen_ai.token.type"]: point.sum
        for labels, point in measured.points("gen_ai.client.token.usage")
    }
    assert tokens == {"input": 1000, "output": 100}


def test_a_call_that_is_not_sampled_is_counted(spans: Spans, measured: Measured) -> None:
    """Budgets and invoices are not sampled."""
    spans.sampler.on = False
    for _ in range(10):
        go(using=telemetry())
    assert spans() == ()
    assert measured.total("tokenguard.calls") == 10
    assert measured.total("tokenguard.cost") == 10 * COST / 1e9


def test_sums_are_exact_to_the_nano_dollar(measured: Measured) -> None:
    """A float that is added to a thousand times is not; an integer is."""
    using = telemetry(spans="metrics")
    nano = 0
    for number in range(1, 1001):
        usage = {"prompt_tokens": number, "completion_tokens": 1, "total_tokens": number + 1}
        nano += go(call(), [reply(), body(usage=usage)], using).receipt.cost_nano or 0
    assert nano == 2_000 * 500_500 + 8_000 * 1000
    assert round(measured.total("tokenguard.cost") * 1e9) == nano
    assert measured.total("tokenguard.cost") == nano / 1e9


def test_a_failed_call_is_counted_and_costs_nothing(measured: Measured) -> None:
    """With its error on the duration and on each of its attempts."""
    go(answers=[reply(503), reply(503), reply(400)])
    assert measured.points("tokenguard.calls") == [({"tokenguard.outcome": "error"}, 1)]
    attempts = {
        (labels["tokenguard.attempt.role"], labels["error.type"]): n
        for labels, n in measured.points("tokenguard.attempts")
    }
    assert attempts == {("primary", "503"): 1, ("retry", "503"): 1, ("retry", "400"): 1}
    ((labels, _),) = measured.points("gen_ai.client.operation.duration")
    assert labels == {**STANDARD, "error.type": "400"}
    assert measured.points("tokenguard.cost") == []
    assert measured.points("gen_ai.client.token.usage") == []


def test_each_attempt_has_its_own_cost(measured: Measured) -> None:
    """A lost one is counted at what it may have cost, and says so."""
    driven = go(answers=[failure(), reply(), body()])
    costs = {
        (labels["tokenguard.attempt.role"], labels["tokenguard.cost.source"]): round(cost * 1e9)
        for labels, cost in measured.points("tokenguard.cost")
    }
    lost = driven.attempts[0].charge
    assert lost is not None
    assert costs == {("primary", "unknown"): lost.cost_nano, ("retry", "usage"): COST}
    assert sum(costs.values()) == driven.receipt.cost_nano


def test_what_one_attempt_cost_is_not_lost_with_another(measured: Measured) -> None:
    """The sum of the call is unknown, that of its answer is not."""
    driven = go(call(body={}), [failure(), reply(), body()])
    assert driven.receipt.cost_nano is None
    assert measured.total("tokenguard.cost") == COST / 1e9


def test_a_model_without_a_price_is_counted_as_that(measured: Measured) -> None:
    """And its cost is nowhere, not 0."""
    go(call("nobody-knows-this-model"), [reply(), body(model="nor-this")])
    assert measured.points("tokenguard.unpriced") == [
        ({"gen_ai.request.model": "nobody-knows-this-model"}, 1)
    ]
    for name in ("tokenguard.cost", "tokenguard.cost.baseline", "tokenguard.call.cost"):
        assert measured.points(name) == []


def test_a_stream_has_a_time_to_its_first_chunk(measured: Measured) -> None:
    """A reply in one piece has none."""
    go()
    go(call(stream=True), [stream(), end(usage=WHOLE)])
    ((labels, point),) = measured.points("gen_ai.client.operation.time_to_first_chunk")
    assert labels == STANDARD
    assert (point.count, point.sum) == (1, 0.6)


def test_requests_that_went_through_untouched_are_counted_by_host(measured: Measured) -> None:
    """So that nobody takes them for free ones."""
    telemetry(spans="metrics").not_metered("api.openai.com")
    assert measured.points("tokenguard.unmetered") == [({"server.address": "api.openai.com"}, 1)]


@pytest.mark.parametrize("tag", ["customer", "user"])
def test_customers_and_users_are_never_on_metrics(tag: str) -> None:
    """A series for each of them would drown a backend: it is refused when it is set."""
    with pytest.raises(ConfigError, match="tokenguard report --by " + tag):
        TelemetrySettings(metric_tags=("team", tag))


def test_tags_beyond_the_limit_are_other(measured: Measured) -> None:
    """The sum over all of them is still the sum."""
    using = telemetry(spans="metrics", metric_tags=("feature",), max_tag_values=3)
    for number in range(10):
        go(call(tags={"feature": f"f{number}"}), using=using)
    go(call(tags={"feature": "f1"}), using=using)
    counts = {labels["tokenguard.feature"]: n for labels, n in measured.points("tokenguard.calls")}
    assert counts == {"f0": 1, "f1": 2, "f2": 1, "other": 7}


def test_series_beyond_the_limit_are_added_up(measured: Measured) -> None:
    """The SDK drops what is beyond 2,000 series into one; ours never has more, and no cent is lost."""
    using = telemetry(spans="metrics", metric_tags=("feature",), max_tag_values=100_000)
    for number in range(2500):
        go(call(tags={"feature": f"f{number}"}), using=using)
    points = measured.points("tokenguard.cost")
    assert len(points) == 2000
    over = [value for labels, value in points if labels == {"otel.metric.overflow": True}]
    assert over == [501 * COST / 1e9]
    assert measured.total("tokenguard.calls") == 2500
    assert round(measured.total("tokenguard.cost") * 1e9) == 2500 * COST


def test_a_tag_cannot_take_the_place_of_a_label(measured: Measured) -> None:
    """A tag with a name of ours gets another one."""
    using = telemetry(spans="metrics", metric_tags=("outcome",))
    go(call(tags={"outcome": "great"}), using=using)
    assert measured.points("tokenguard.calls") == [
        ({"tokenguard.outcome": "provider", "tokenguard.tag.outcome": "great"}, 1)
    ]


def test_guards_share_their_instruments(measured: Measured) -> None:
    """OpenTelemetry knows each name once in a process, whoever records."""
    for _ in range(3):
        go(using=telemetry(spans="metrics"))
    assert measured.total("tokenguard.calls") == 3


def test_no_count_is_lost_between_threads(measured: Measured) -> None:
    """Calls end on every thread, while somebody collects."""
    using = telemetry(spans="metrics")

    def work() -> None:
        for _ in range(50):
            go(using=using)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        measured.total("tokenguard.calls")
    for thread in threads:
        thread.join()
    assert measured.total("tokenguard.calls") == 300
    assert round(measured.total("tokenguard.cost") * 1e9) == 300 * COST


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns a thousand times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 1000)
    yield
    sys.setswitchinterval(usual)


def test_first_calls_on_many_threads_make_one_set_of_instruments(
    measured: Measured, caplog: pytest.LogCaptureFixture, switching: None
) -> None:
    """Each name is registered once, by whichever guard and thread comes first, and all are counted."""
    threads = 8
    at_once = threading.Barrier(threads)

    def work() -> None:
        using = telemetry(spans="metrics")
        at_once.wait()
        go(using=using)

    working = [threading.Thread(target=work) for _ in range(threads)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    assert measured.points("tokenguard.calls") == [({"tokenguard.outcome": "provider"}, threads)]
    assert caplog.records == []


def provide(provider: MeterProvider | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the process's meter provider, which its users can do only once."""
    monkeypatch.setattr(metrics_state, "_METER_PROVIDER", provider)


def test_calls_are_recorded_from_the_moment_a_provider_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with OpenTelemetry's own instruments: what was before is in no metric, neither sum nor histogram."""
    provide(None, monkeypatch)
    using = telemetry(spans="metrics")
    go(using=using)
    using.not_metered("api.openai.com")
    later = Measured()
    provide(later.provider, monkeypatch)
    assert later.metrics() == {}
    go(using=using)
    assert later.total("tokenguard.calls") == 1
    assert later.total("tokenguard.cost") == COST / 1e9
    assert later.points("tokenguard.unmetered") == []
    ((_, duration),) = later.points("gen_ai.client.operation.duration")
    assert duration.count == 1


def test_a_call_is_recorded_where_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the provider of that moment, even where a test suite puts one in another's place and back."""
    one, two = Measured(), Measured()
    using, beside = telemetry(spans="metrics"), telemetry(spans="metrics", semconv="latest")
    for provider in (one.provider, None, two.provider, NoOpMeterProvider(), one.provider):
        provide(provider, monkeypatch)
        go(using=using)
        go(using=beside)
    assert one.total("tokenguard.calls") == 4
    assert two.total("tokenguard.calls") == 2
    for measured, calls in ((one, 2), (two, 1)):
        for name in ("gen_ai.client.operation.duration", "gen_ai.client.inference.duration"):
            ((_, duration),) = measured.points(name)
            assert duration.count == calls


def test_off_is_off(measured: Measured) -> None:
    """Neither calls nor requests are counted."""
    using = telemetry(spans="off")
    go(using=using)
    using.not_metered("api.openai.com")
    assert measured.metrics() == {}


USED = "gen_ai.client.inference.usage."


def tokens(measured: Measured, name: str) -> dict[str, float]:
    return {labels["gen_ai.token.modality"]: n for labels, n in measured.points(USED + name)}


def test_the_latest_names_take_the_place_of_the_old_ones(measured: Measured) -> None:
    """Never both: a dashboard that sums them would see everything twice. Our own stay."""
    go(call(stream=True), [stream(), end(usage=WHOLE)], telemetry(spans="metrics", semconv="latest"))
    names = set(measured.metrics())
    assert {name for name in names if name.startswith("gen_ai.")} == {
        "gen_ai.client.inference.duration",
        "gen_ai.client.inference.time_to_first_chunk",
        *(USED + name for name in ("input_tokens", "output_tokens")),
        *(USED + name for name in ("cache_read.input_tokens", "cache_write.input_tokens")),
        USED + "reasoning.output_tokens",
    }
    assert "tokenguard.cost" in names
    ((labels, point),) = measured.points("gen_ai.client.inference.duration")
    assert labels == STANDARD
    assert tuple(point.explicit_bounds) == sc.DURATION_BOUNDARIES
    assert measured.metrics()[USED + "input_tokens"].unit == "{token}"


def test_the_latest_token_counters_are_by_modality(measured: Measured) -> None:
    """Parts are parts of the totals; what is not told apart is of unknown modality."""
    using = telemetry(spans="metrics", semconv="latest")
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "total_tokens": 1100,
        "prompt_tokens_details": {"cached_tokens": 200, "cache_write_tokens": 50},
        "completion_tokens_details": {"reasoning_tokens": 60},
    }
    go(call(), [reply(), body(usage=usage)], using)
    assert tokens(measured, "input_tokens") == {"unknown": 1000}
    assert tokens(measured, "output_tokens") == {"unknown": 100}
    assert tokens(measured, "cache_read.input_tokens") == {"unknown": 200}
    assert tokens(measured, "cache_write.input_tokens") == {"unknown": 50}
    assert tokens(measured, "reasoning.output_tokens") == {"text": 60}
    spoken = {
        "input_tokens": 14,
        "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
        "output_tokens": 5,
    }
    go(
        call("gpt-4o-transcribe", dialect=AUDIO, body={}),
        [reply(), body({"usage": spoken})],
        using,
        dialect=AUDIO,
    )
    assert tokens(measured, "input_tokens") == {"unknown": 1000, "audio": 10, "text": 4}
    assert tokens(measured, "output_tokens") == {"unknown": 100, "text": 5}


def test_the_latest_token_counters_count_both_lifetimes_of_a_write(measured: Measured) -> None:
    """The conventions know one kind."""
    usage = {
        "input_tokens": 1,
        "output_tokens": 1,
        "cache_creation_input_tokens": 70,
        "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 20},
    }
    made = call("claude-sonnet-4-5", dialect=MESSAGES, where=ANTHROPIC)
    using = telemetry(spans="metrics", semconv="latest")
    go(made, [reply(), body({"usage": usage})], using, dialect=MESSAGES)
    assert tokens(measured, "cache_write.input_tokens") == {"unknown": 70}
    assert tokens(measured, "input_tokens") == {"unknown": 71}


def test_the_latest_token_counters_have_a_zero_for_a_failed_call(measured: Measured) -> None:
    """The conventions ask for it: a rate is then known to be 0."""
    go(call(), [reply(400)], telemetry(spans="metrics", semconv="latest"))
    for name in ("input_tokens", "output_tokens", "cache_read.input_tokens", "reasoning.output_tokens"):
        assert tokens(measured, name) == {"unknown": 0}
    ((labels, _),) = measured.points("gen_ai.client.inference.duration")
    assert labels["error.type"] == "400"


@pytest.mark.parametrize(
    ("setting", "variable", "latest"),
    [
        (None, None, False),
        (None, "http", False),
        (None, "gen_ai_latest_experimental", True),
        (None, "http/dup, gen_ai_latest_experimental", True),
        ("default", "gen_ai_latest_experimental", False),
        ("latest", None, True),
    ],
)
def test_the_latest_names_can_be_chosen_by_variable(
    setting: Any, variable: str | None, latest: bool, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in every instrumentation of the conventions; a setting in code wins."""
    monkeypatch.delenv("OTEL_SEMCONV_STABILITY_OPT_IN", raising=False)
    if variable is not None:
        monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", variable)
    go(using=telemetry(spans="metrics", semconv=setting))
    assert ("gen_ai.client.inference.duration" in measured.metrics()) == latest
    assert ("gen_ai.client.operation.duration" in measured.metrics()) != latest


@pytest.mark.parametrize(
    "settings",
    [
        {"spans": "all"},
        {"compat": frozenset({"datadog"})},
        {"semconv": "newest"},
        {"metric_tags": "team"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    """When they are made, with what they may be."""
    with pytest.raises(ConfigError, match=r"give|known"):
        TelemetrySettings(**settings)
