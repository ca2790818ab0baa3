"""A wrong setting is told with its place, what is allowed, and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tokenguard.errors import ConfigError

from .conftest import Load

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def mistakes(loaded: Load, text: str | None = None, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        loaded(text, **environ)
    return str(raised.value).splitlines()


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('\ndurability = "ful"', 2, 'durability must be "normal" or "full", not "ful"'),
        ("retry = true", 1, "retry must be a number of retries, false or a [retry] table, not true"),
        ('retry = "3"', 1, 'retry must be a number of retries, false or a [retry] table, not "3"'),
        ("retry = -1", 1, "retry.retries must be a whole number, 0 or more, not -1"),
        ("# x\n[retry]\n\ncap_s = -1", 4, "retry.cap_s must be a number of seconds, 0 or more, not -1"),
        ("retry.cap_s = '1'", 1, 'retry.cap_s must be a number of seconds, 0 or more, not "1"'),
        ("[retry]\ncap_s = inf", 2, "retry.cap_s must be a number of seconds, 0 or more, not inf"),
        ("ledger = true", 1, "ledger must be a path in quotes, or false, not true"),
        ("ledger = ''", 1, 'ledger must be a path in quotes, or false, not ""'),
        ("stream_usage = 1", 1, "stream_usage must be true or false, not 1"),
        ("[tags]\nteam = 7", 2, "tags.team must be a text in quotes, not 7"),
        ("tags = 'x'", 1, 'tags must be a table of texts, not "x"'),
        (
            "[deployments]\na = 'b'\n'c d' = ''",
            3,
            'deployments."c d" must be the name of a model in quotes, not ""',
        ),
        ("[telemetry]\nspans = 'all'", 2, 'telemetry.spans must be "own", "metrics" or "off", not "all"'),
        ("[telemetry]\nspans = 'own'\ncompat = ['zipkin']", 3, "compat: 'zipkin' is not known; known are"),
        (
            "[telemetry]\nmetric_tags = ['customer']",
            2,
            "metric_tags: 'customer' cannot be a metric attribute",
        ),
        (
            "[telemetry]\nmax_tag_values = 0",
            2,
            "telemetry.max_tag_values must be a whole number, 1 or more, not 0",
        ),
        ("cache = 7", 1, "cache must be true, false or a [cache] table, not 7"),
        ("cache = 'disk'", 1, 'cache must be true, false or a [cache] table, not "disk"'),
        (
            "[cache]\nstore = 'disk'\nttl = '7 days'",
            3,
            'cache.ttl must be a length of time like "90s", "12h" or "7d", or a number of seconds, not "7 d',
        ),
        (
            f"[cache]\nttl = '1d'\nencryption_key = '{KEY}'",
            3,
            "Cache(encryption_key=...) is for a store",
        ),
        ("[cache]\n\nwait = -1", 3, "cache.wait must be a length of time like"),
        ("[cache]\nmode = 'always'\nttl = 0", 3, "Cache(ttl=0): nothing would ever be found"),
        ("[cache]\nstore = true", 2, 'cache.store must be "disk", a path in quotes, or false, not true'),
        ("[cache]\nmax_bytes = '1G'", 2, 'cache.max_bytes must be a number of bytes, 0 or more, not "1G"'),
        ("[cache]\ntags = 'faq'", 2, 'cache.tags must be a list of texts, not "faq"'),
        (
            "[cache]\nttl = '1d'\nignore = ['seed']",
            3,
            "Cache(ignore=...): 'seed' may change the answer; only cache_control,",
        ),
        ("prices = 3", 1, "prices must be [[prices]] tables, not 3"),
        ("[[prices]]\ndiscount = '5%'", 1, "prices[0].model is missing; it must be the name of a model"),
        (
            "[[prices]]\nmodel = 'a'\ndiscount = '5%'\n"
            "[[prices]]\nmodel = 'b'\norigin = 'https://h'\ndiscount = '5'",
            7,
            "price override 'b' origin=https://h: discount must be like '15%', up to 100%, not '5'",
        ),
        (
            "[[prices]]\nmodel = 'a'\n[prices.prices]\ninput = [1]",
            4,
            "prices[0].prices.input must be a number of US dollars, 0 or more, best in quotes, not [1]",
        ),
        (
            "[[prices]]\nmodel = 'a'\n[prices.prices]\ninput = -1",
            3,
            "price override 'a': prices['input'] must be 0",
        ),
        (
            "[[prices]]\nmodel = 'a'\nfrom = 'soon'\ndiscount = '5%'",
            3,
            "price override 'a' from soon: from_ must be a",
        ),
        (
            "[[prices]]\nmodel = 'a'\ndiscount = '5%'\n[[prices]]\nmodel = 'a'\ndiscount = '6%'",
            1,
            "price override 'a' and price override 'a' are for the same calls",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_line(
    loaded: Load, folder: Path, text: str, line: int, message: str
) -> None:
    """File, line, key, what is allowed and what was found."""
    (only,) = mistakes(loaded, text)
    assert only.startswith(f"{folder / 'tokenguard.toml'}:{line}: {message}")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (
            "durabillity = 'full'",
            1,
            "unknown key 'durabillity'; did you mean 'durability'? The keys outside tables",
        ),
        (
            "[retry]\nretrys = 3",
            2,
            "unknown key 'retrys' in [retry]; did you mean 'retries'? The keys there are",
        ),
        ("retries = 3", 1, "unknown key 'retries'; did you mean 'retry.retries'?"),
        (
            "[telemetry]\nretries = 3",
            2,
            "unknown key 'retries' in [telemetry]; did you mean 'retry.retries'?",
        ),
        (
            "[budgets]\nx = 1",
            1,
            "unknown key 'budgets'; The keys outside tables are retry, cache, lint, ledger,",
        ),
        ("[cache]\nstale = '1h'", 2, "unknown key 'stale' in [cache]; "),
        ("[[prices]]\nmodel = 'm'\nfrom_ = 1", 3, "unknown key 'from_' in [prices]; did you mean 'from'?"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_known_one(
    loaded: Load, folder: Path, text: str, line: int, message: str
) -> None:
    """A misspelt key is never ignored."""
    (only,) = mistakes(loaded, text)
    assert only.startswith(f"{folder / 'tokenguard.toml'}:{line}: {message}")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"TOKENGUARD_RETRY__RETRIES": "many"},
            'TOKENGUARD_RETRY__RETRIES: retry.retries must be a whole number, 0 or more, not "many"',
        ),
        (
            {"TOKENGUARD_RETRY__RETRIES": "-1"},
            "TOKENGUARD_RETRY__RETRIES: retry.retries must be a whole number, 0 or more, not -1",
        ),
        (
            {"TOKENGUARD_TELEMETRY__METRIC_TAGS": "team,user"},
            "TOKENGUARD_TELEMETRY__METRIC_TAGS: metric_tags: 'user' cannot be a metric attribute",
        ),
        (
            {"TOKENGUARD_RETRIES": "3"},
            "TOKENGUARD_RETRIES: no setting has this name; did you mean TOKENGUARD_RETRY__RETRIES?",
        ),
        (
            {"TOKENGUARD_DURABILTY": "full"},
            "TOKENGUARD_DURABILTY: no setting has this name; did you mean TOKENGUARD_DURABILITY?",
        ),
        (
            {"TOKENGUARD_CONFG": "x"},
            "TOKENGUARD_CONFG: no setting has this name; did you mean TOKENGUARD_CONFIG?",
        ),
        (
            {"TOKENGUARD_CACHE__TTL": "long"},
            "TOKENGUARD_CACHE__TTL: cache.ttl must be a length of time like",
        ),
        (
            {"TOKENGUARD_CACHE_TTL": "7d"},
            "TOKENGUARD_CACHE_TTL: no setting has this name; did you mean TOKENGUARD_CACHE__TTL?",
        ),
        ({"TOKENGUARD_PRICES__MODEL": "x"}, "TOKENGUARD_PRICES__MODEL: no setting has this name"),
        ({"TOKENGUARD_TAGS__": "x"}, "TOKENGUARD_TAGS__: no setting has this name"),
        ({"TOKENGUARD_LEDGER__PATH": "x"}, "TOKENGUARD_LEDGER__PATH: no setting has this name"),
        (
            {"TOKENGUARD_RETRY": "off", "TOKENGUARD_RETRY__RETRIES": "3"},
            "TOKENGUARD_RETRY and TOKENGUARD_RETRY__RETRIES both say what 'retry' is; keep one of them",
        ),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(loaded: Load, variables: dict[str, str], message: str) -> None:
    """Misspelt variables are errors too."""
    (only,) = mistakes(loaded, **variables)
    assert only.startswith(message)


def test_a_foreign_secret_is_not_repeated(loaded: Load) -> None:
    """A variable that is not ours may hold anything."""
    assert "hunter2" not in mistakes(loaded, TOKENGUARD_PASSWORD="hunter2")[0]


@pytest.mark.parametrize("value", ["'hunter2'", "31337", "['hunter2']", "'aHVudGVyMg=='"])
def test_a_secret_is_not_repeated(loaded: Load, folder: Path, value: str) -> None:
    """A key that is wrong may be the right one of something else."""
    (only,) = mistakes(loaded, f"[cache]\nstore = 'disk'\nencryption_key = {value}\n")
    assert only.startswith(f"{folder / 'tokenguard.toml'}:3: cache.encryption_key must be 32 random bytes")
    assert value.strip("[]'") not in only


def test_a_long_value_is_cut(loaded: Load) -> None:
    """A message stays readable."""
    (only,) = mistakes(loaded, f"durability = '{'x' * 5000}'")
    assert len(only) < 300


def test_every_mistake_is_told_at_once(loaded: Load) -> None:
    """Nobody has to run a check five times for five mistakes."""
    found = mistakes(
        loaded,
        'retry = "x"\ndurability = "y"\nunknown = 1\n[tags]\na = 1\nb = 2\n',
        TOKENGUARD_NOTHING="1",
        TOKENGUARD_ON_UNPRICED="shrug",
    )
    assert len(found) == 7


def test_a_value_that_a_variable_replaced_is_the_variable_s(loaded: Load) -> None:
    """The place is where the wrong value was said, not where another one was."""
    (only,) = mistakes(loaded, "[retry]\nretries = 1\n", TOKENGUARD_RETRY__RETRIES="x")
    assert only.startswith("TOKENGUARD_RETRY__RETRIES: ")


def test_a_line_in_pyproject_is_found(folder: Path, loaded: Load) -> None:
    """Below [tool.tokenguard] the lines are those of pyproject.toml."""
    (folder / "pyproject.toml").write_text("[tool.other]\ncap_s = 1\n\n[tool.tokenguard.retry]\ncap_s = -1\n")
    (only,) = mistakes(loaded)
    assert only.startswith(f"{folder / 'pyproject.toml'}:5: retry.cap_s must be")
