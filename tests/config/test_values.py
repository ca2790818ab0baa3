"""What settings come to: for the guard, from files and variables, whichever wins."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tokenguard import Cache, Guard, PriceOverride, Retry, TelemetrySettings
from tokenguard.config import guard_arguments, load
from tokenguard.errors import ConfigError

from .conftest import Load

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def test_everything_becomes_arguments_of_a_guard(loaded: Load, folder: Path) -> None:
    """What a file says is what one would write in code."""
    settings = loaded("""
        ledger = "var/spend.db"
        durability = "full"
        on_unpriced = "refuse"
        stream_usage = false
        tags = { team = "support" }
        deployments = { my-gpt = "gpt-4.1" }
        [retry]
        retries = 5
        cap_s = 20
        [cache]
        ttl = "7d"
        store = "var/answers"
        mode = "always"
        namespace = "helpdesk"
        tags = ["faq"]
        stale_if_error = 3600
        max_bytes = 10_000_000
        ignore = ["service_tier"]
        tools = true
        [telemetry]
        spans = "metrics"
        compat = ["mlflow"]
        metric_tags = ["team"]
        [[prices]]
        model = "gpt-4.1*"
        discount = "15%"
        from = 2026-07-01
        [[prices]]
        model = "house"
        prices = { input = "0.2", output = 0.8 }
    """)
    assert guard_arguments(settings) == {
        "ledger": str(folder / "var" / "spend.db"),
        "durability": "full",
        "on_unpriced": "refuse",
        "stream_usage": False,
        "tags": {"team": "support"},
        "deployments": {"my-gpt": "gpt-4.1"},
        "retry": Retry(retries=5, cap_s=20),
        "cache": Cache(
            ttl="7d", store=str(folder / "var" / "answers"), mode="always", namespace="helpdesk",
            tags=("faq",), stale_if_error=3600, max_bytes=10_000_000, ignore=("service_tier",), tools=True,
        ),
        "telemetry": TelemetrySettings(
            spans="metrics", compat=frozenset({"mlflow"}), metric_tags=("team",)
        ),
        "prices": (
            PriceOverride("gpt-4.1*", discount="15%", from_=date(2026, 7, 1)),
            PriceOverride("house", prices={"input": "0.2", "output": 0.8}),
        ),
    }  # fmt: skip


def test_a_guard_takes_them(loaded: Load, folder: Path) -> None:
    """The arguments make a guard, with its ledger where the file says."""
    guard = Guard(**guard_arguments(loaded('retry = 4\nledger = "spend.db"\n')))
    guard.close()
    assert guard.retry == Retry(retries=4)
    assert (folder / "spend.db").exists()


def test_what_nobody_said_is_left_to_the_guard(loaded: Load) -> None:
    """Only what was said is passed on, so that the guard's own defaults hold."""
    assert guard_arguments(loaded("stream_usage = true\n")) == {"stream_usage": True}


@pytest.mark.parametrize(
    ("text", "retry"),
    [
        ("retry = 3", Retry(retries=3)),
        ("retry = 0", Retry(retries=0)),
        ("retry = false", None),
        ("[retry]", Retry()),
        ("[retry]\nbase_s = 1", Retry(base_s=1)),
    ],
)
def test_retries_have_a_short_form(loaded: Load, text: str, retry: Retry | None) -> None:
    """A number is that many retries; false leaves the SDK's own loop alone."""
    assert guard_arguments(loaded(text)) == {"retry": retry}


@pytest.mark.parametrize(
    ("text", "cache"),
    [
        ("cache = true", Cache()),
        ("[cache]", Cache()),
        ("cache = false", None),
        ("[cache]\nttl = 90", Cache(ttl=90)),
        ("[cache]\nttl = 0.5", Cache(ttl=0.5)),
    ],
)
def test_a_cache_is_on_as_soon_as_it_is_named(loaded: Load, text: str, cache: Cache | None) -> None:
    """A table with nothing in it says that there is one, with every default; nothing said is none."""
    assert guard_arguments(loaded(text)) == {"cache": cache}


@pytest.mark.parametrize(
    ("said", "store"),
    [
        ('"disk"', "disk"),
        ('"answers"', "{folder}/answers"),
        ('"./disk"', "{folder}/disk"),
        ('"/var/answers"', "/var/answers"),
        ("false", None),
    ],
)
def test_a_store_is_where_the_file_says(loaded: Load, folder: Path, said: str, store: str | None) -> None:
    """``disk`` is a word; everything else is a path, relative to the file."""
    expected = store and store.format(folder=folder)
    assert guard_arguments(loaded(f"[cache]\nstore = {said}"))["cache"] == Cache(store=expected)


def test_a_guard_keeps_its_answers_there(loaded: Load, folder: Path) -> None:
    """The directory is made beside the file, for its owner alone."""
    guard = Guard(ledger=None, **guard_arguments(loaded('[cache]\nstore = "answers"\nttl = "2h"\n')))
    guard.close()
    assert guard.cache is not None
    assert guard.cache.settings.ttl_s == 7200
    assert (folder / "answers").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("said", "ledger"),
    [
        ('"/var/spend.db"', "/var/spend.db"),
        ('"spend.db"', "{folder}/spend.db"),
        ('"../spend.db"', "{above}/spend.db"),
        ('":memory:"', ":memory:"),
        ("false", None),
    ],
)
def test_a_path_in_a_file_is_relative_to_it(
    loaded: Load, folder: Path, said: str, ledger: str | None
) -> None:
    """The working directory changes; where the file is does not."""
    expected = ledger and ledger.format(folder=folder, above=folder.parent)
    assert guard_arguments(loaded(f"ledger = {said}")) == {"ledger": expected}


def test_a_path_in_a_variable_is_relative_to_the_working_directory(
    loaded: Load, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As everywhere else in a shell."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    settings = loaded('ledger = "of-file.db"', TOKENGUARD_LEDGER="spend.db")
    assert guard_arguments(settings) == {"ledger": str(elsewhere / "spend.db")}


def test_a_home_folder_may_be_meant(loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde is the home folder, in files too."""
    monkeypatch.setenv("HOME", "/home/somebody")
    assert guard_arguments(loaded('ledger = "~/spend.db"')) == {"ledger": "/home/somebody/spend.db"}


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ({"TOKENGUARD_RETRY": "5"}, {"retry": Retry(retries=5)}),
        ({"TOKENGUARD_RETRY": "off"}, {"retry": None}),
        ({"TOKENGUARD_RETRY": "0"}, {"retry": Retry(retries=0)}),
        ({"TOKENGUARD_RETRY__BASE_S": "0.25"}, {"retry": Retry(base_s=0.25)}),
        ({"TOKENGUARD_RETRY": "{ retries = 1, cap_s = 2 }"}, {"retry": Retry(retries=1, cap_s=2)}),
        ({"TOKENGUARD_CACHE": "on"}, {"cache": Cache()}),
        ({"TOKENGUARD_CACHE": "1"}, {"cache": Cache()}),
        ({"TOKENGUARD_CACHE": "off"}, {"cache": None}),
        ({"TOKENGUARD_CACHE": "0"}, {"cache": None}),
        ({"TOKENGUARD_CACHE": "{}"}, {"cache": Cache()}),
        ({"TOKENGUARD_CACHE__TTL": "7d"}, {"cache": Cache(ttl="7d")}),
        ({"TOKENGUARD_CACHE__TTL": "90"}, {"cache": Cache(ttl=90)}),
        ({"TOKENGUARD_CACHE__STORE": "disk"}, {"cache": Cache(store="disk")}),
        ({"TOKENGUARD_CACHE__STORE": "/x/y"}, {"cache": Cache(store="/x/y")}),
        ({"TOKENGUARD_CACHE__STORE": "off"}, {"cache": Cache()}),
        (
            {"TOKENGUARD_CACHE__STORE": "disk", "TOKENGUARD_CACHE__ENCRYPTION_KEY": KEY},
            {"cache": Cache(store="disk", encryption_key=KEY)},
        ),
        ({"TOKENGUARD_CACHE__SINGLE_FLIGHT": "no"}, {"cache": Cache(single_flight=False)}),
        ({"TOKENGUARD_CACHE__TAGS": "faq, v7"}, {"cache": Cache(tags=("faq", "v7"))}),
        ({"TOKENGUARD_LEDGER": "/x/y.db"}, {"ledger": "/x/y.db"}),
        ({"TOKENGUARD_LEDGER": "off"}, {"ledger": None}),
        ({"TOKENGUARD_LEDGER": "False"}, {"ledger": None}),
        ({"TOKENGUARD_DURABILITY": "full"}, {"durability": "full"}),
        ({"TOKENGUARD_DURABILITY": '"full"'}, {"durability": "full"}),
        ({"TOKENGUARD_STREAM_USAGE": "0"}, {"stream_usage": False}),
        ({"TOKENGUARD_STREAM_USAGE": "yes"}, {"stream_usage": True}),
        ({"TOKENGUARD_TAGS__TEAM": "support"}, {"tags": {"team": "support"}}),
        ({"TOKENGUARD_TAGS__TEAM": "7"}, {"tags": {"team": "7"}}),
        ({"TOKENGUARD_TAGS__TEAM": "off"}, {"tags": {"team": "off"}}),
        ({"TOKENGUARD_TAGS__TEAM": "a,b = c"}, {"tags": {"team": "a,b = c"}}),
        ({"TOKENGUARD_DEPLOYMENTS": '{ "My-GPT" = "gpt-4.1" }'}, {"deployments": {"My-GPT": "gpt-4.1"}}),
        (
            {"TOKENGUARD_TELEMETRY__METRIC_TAGS": "team, project"},
            {"telemetry": TelemetrySettings(metric_tags=("team", "project"))},
        ),
        (
            {"TOKENGUARD_TELEMETRY__COMPAT": '["mlflow"]'},
            {"telemetry": TelemetrySettings(compat=frozenset({"mlflow"}))},
        ),
        (
            {"TOKENGUARD_PRICES": '[{ model = "m", discount = "5%" }]'},
            {"prices": (PriceOverride("m", discount="5%"),)},
        ),
        ({"TOKENGUARD_RETRY": ""}, {}),
    ],
)
def test_variables_say_everything(loaded: Load, variables: dict[str, str], arguments: dict[str, Any]) -> None:
    """Values are written as in TOML, without having to quote texts."""
    assert guard_arguments(loaded(**variables)) == arguments


def test_variables_win_key_by_key(loaded: Load) -> None:
    """A variable replaces what it names, and leaves the rest of the file alone."""
    settings = loaded(
        'retry = 3\n[tags]\nteam = "support"\nproject = "helpdesk"\n',
        TOKENGUARD_RETRY__CAP_S="1",
        TOKENGUARD_TAGS__TEAM="sales",
    )
    assert guard_arguments(settings) == {
        "retry": Retry(retries=3, cap_s=1),
        "tags": {"team": "sales", "project": "helpdesk"},
    }


def test_a_variable_for_a_table_replaces_the_table(loaded: Load) -> None:
    """TOKENGUARD_RETRY=1 leaves nothing of [retry]."""
    assert guard_arguments(loaded("[retry]\ncap_s = 1\n", TOKENGUARD_RETRY="1")) == {
        "retry": Retry(retries=1)
    }


def test_a_variable_switches_on_what_the_file_switched_off(loaded: Load) -> None:
    """A key in a table that is off makes the table."""
    settings = loaded("retry = false\n", TOKENGUARD_RETRY__RETRIES="5")
    assert guard_arguments(settings) == {"retry": Retry(retries=5)}


def test_a_variable_switches_the_file_s_cache_off(loaded: Load) -> None:
    """For one run, with the file as it is."""
    assert guard_arguments(loaded("[cache]\nstore = 'disk'\n", TOKENGUARD_CACHE="off")) == {"cache": None}


def test_a_variable_goes_on_top_of_a_cache_that_is_just_on(loaded: Load) -> None:
    """``cache = true`` is a table with nothing in it, to which a key can be added."""
    settings = loaded("cache = true\n", TOKENGUARD_CACHE__TTL="1h")
    assert guard_arguments(settings) == {"cache": Cache(ttl="1h")}


def test_the_working_environment_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the process's own variables and working directory count."""
    (folder / "tokenguard.toml").write_text("retry = 1\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TOKENGUARD_RETRY", "2")
    assert guard_arguments(load()) == {"retry": Retry(retries=2)}


def test_kubernetes_variables_are_not_ours(loaded: Load) -> None:
    """A service called tokenguard in the namespace breaks nothing."""
    assert loaded(
        TOKENGUARD_SERVICE_HOST="10.0.0.1",
        TOKENGUARD_SERVICE_PORT="80",
        TOKENGUARD_SERVICE_PORT_HTTP="80",
        TOKENGUARD_PORT="tcp://10.0.0.1:80",
        TOKENGUARD_PORT_80_TCP="tcp://10.0.0.1:80",
        TOKENGUARD_PORT_80_TCP_ADDR="10.0.0.1",
        TOKENGUARD_WEB_SERVICE_HOST="10.0.0.1",
    ).values == {}  # fmt: skip


def test_every_source_is_told(loaded: Load, folder: Path) -> None:
    """Each file and variable is listed with the keys that it decides."""
    settings = loaded(
        'durability = "full"\n[retry]\nretries = 1\ncap_s = 2\n',
        TOKENGUARD_RETRY__CAP_S="1",
        TOKENGUARD_TAGS__TEAM="x",
    )
    assert settings.sources == {
        str(folder / "tokenguard.toml"): ["durability", "retry.retries"],
        "TOKENGUARD_RETRY__CAP_S": ["retry.cap_s"],
        "TOKENGUARD_TAGS__TEAM": ["tags.team"],
    }
    assert settings.origin(("retry", "retries")) == f"{folder / 'tokenguard.toml'}:3"
    assert settings.origin(("retry", "cap_s")) == "TOKENGUARD_RETRY__CAP_S"


def test_a_mistake_never_passes(loaded: Load) -> None:
    """A guard is not made from settings of which one is wrong."""
    with pytest.raises(ConfigError):
        loaded("retry = 1\n", TOKENGUARD_RETRY="many")
