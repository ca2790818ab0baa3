"""Similar questions can be configured: an embedder that is said as data, whose calls the guard meters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tokenguard
from tests.cache.conftest import Cached
from tests.conftest import Rows
from tests.transport.clients import GPT, chat
from tokenguard import Cache, ConfigError, Guard, Similar, config
from tokenguard.cache.similar.calibration import Judged, calibration, thresholds
from tokenguard.cache.similar.described import DescribedEmbedder
from tokenguard.config.toml import document
from tokenguard.testing import Provider

MODEL = "text-embedding-3-small"
BASE = f'[cache.similar]\nmodel = "{MODEL}"\nthreshold = 0.9\nuncalibrated = true\n'
ASKED = "How do I reset my password?"
ALIKE = [
    "How can I reset the password?",
    *(f"How can I reset the password for {what}" for what in ("mail", "chat", "the wiki", "this")),
]


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "EMBEDDINGS_KEY"):
        monkeypatch.delenv(name, raising=False)


def written(folder: Path, text: str) -> Path:
    path = folder / "tokenguard.toml"
    path.write_text(text, encoding="utf-8")
    return path


def settings_of(path: Path, **environ: str) -> Cache:
    settings = config.guard_arguments(config.load(path, environ=environ))["cache"]
    assert isinstance(settings, Cache)
    return settings


def similar_of(settings: Cache) -> tuple[Similar, DescribedEmbedder]:
    assert settings.similar is not None
    assert isinstance(settings.similar.embedder, DescribedEmbedder)
    return settings.similar, settings.similar.embedder


def ask(guard: Guard, client: Any, text: str) -> str | None:
    message = [{"role": "user", "content": text}]
    receipt = guard.receipt(client.chat.completions.create(model=GPT, messages=message, temperature=0))
    assert receipt is not None
    return receipt.cache


def test_a_configured_guard_answers_similar_questions(
    provider: Provider, cached: Cached, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no line of code: each vector is a call in the guard's ledger, with the key of the variable."""
    monkeypatch.setenv("EMBEDDINGS_KEY", "sk-of-the-embedder")
    path = written(
        tmp_path,
        f"""
        [cache.similar]
        model = "{MODEL}"
        base_url = "{provider.openai_url}"
        api_key_env = "EMBEDDINGS_KEY"
        dimensions = 1  # so that every other text is alike to the test's provider
        threshold = 0.9
        uncalibrated = true
        """,
    )
    guard = cached(settings_of(path))
    client = guard.wrap(chat(provider))
    assert ask(guard, client, ASKED) == "miss"
    (first, *_) = provider.requests
    assert (first.path, first.header("authorization")) == ("/v1/embeddings", "Bearer sk-of-the-embedder")
    assert "similar" in [ask(guard, client, text) for text in ALIKE]
    guard.flush()
    embeddings = [row for row in rows(guard) if row["operation"] == "embeddings"]
    assert len(embeddings) == 1 + len(ALIKE)
    assert all(row["cost_nano"] > 0 for row in embeddings)


def test_a_named_address_is_not_given_openais_key(
    provider: Provider, cached: Cached, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be anybody's. A server on loopback needs none."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    path = written(tmp_path, f'{BASE}base_url = "{provider.openai_url}"\n')
    guard = cached(settings_of(path))
    ask(guard, guard.wrap(chat(provider)), ASKED)
    assert "sk-of-openai" not in (provider.requests[0].header("authorization") or "")
    assert provider.requests[0].path == "/v1/embeddings"


def test_without_an_address_it_is_openais(cached: Cached, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the key is that of the SDK; where there is none, the guard says which variable lacks it."""
    similar = Similar(DescribedEmbedder(MODEL), threshold=0.9, uncalibrated=True)
    assert similar.embedder.name == f"https://api.openai.com/v1 {MODEL}"
    with pytest.raises(ConfigError, match=r"the variable OPENAI_API_KEY is not set.*api_key_env"):
        cached(Cache(similar=similar))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    cached(Cache(similar=similar))
    cached(Cache(similar=similar))  # another guard with the same settings
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:9/v1/")
    assert DescribedEmbedder(MODEL, dimensions=8).name == f"http://localhost:9/v1 {MODEL}@8"


def test_its_name_is_that_of_the_client_that_calibrates(provider: Provider) -> None:
    """So what was calibrated from the command line is of this embedder."""
    for options in ({}, {"dimensions": 8}, {"name": "mine"}):
        client = chat(provider)
        endpoint = tokenguard.EndpointEmbedder(client, MODEL, **options)
        assert DescribedEmbedder(MODEL, base_url=provider.openai_url, **options).name == endpoint.name


def test_a_calibration_is_found_beside_the_file(tmp_path: Path) -> None:
    """Relative to the file that says so, and it has the threshold."""
    judged = [Judged(0.95, same=True)] * 400
    made = calibration(
        thresholds(judged, 0.01), judged, embedder=f"http://localhost/v1 {MODEL}", max_false_hits=0.01
    )
    assert made is not None
    (tmp_path / "sub").mkdir()
    made.save(tmp_path / "sub" / "calibration.json")
    path = written(
        tmp_path,
        f"""
        [cache]
        ttl = "7d"
        [cache.similar]
        model = "{MODEL}"
        base_url = "http://localhost/v1"
        calibration = "sub/calibration.json"
        audit = 0.02
        max_chars = 500
        max_entries = 10
        max_bytes = 1_000_000
        timeout = "500ms"
        """,
    )
    similar, embedder = similar_of(settings_of(path))
    assert similar.least == made.threshold
    assert (similar.audit, similar.max_chars, similar.max_entries, similar.max_bytes) == (
        0.02,
        500,
        10,
        1_000_000,
    )
    assert embedder == DescribedEmbedder(MODEL, base_url="http://localhost/v1", timeout="500ms")


def test_variables_say_it_too(tmp_path: Path) -> None:
    """All of it, or one key; and switch it off."""
    said = {
        "TOKENGUARD_CACHE__SIMILAR__MODEL": MODEL,
        "TOKENGUARD_CACHE__SIMILAR__THRESHOLD": "0.9",
        "TOKENGUARD_CACHE__SIMILAR__UNCALIBRATED": "true",
    }
    path = written(tmp_path, "[cache]\n")
    similar, embedder = similar_of(settings_of(path, **said))
    assert (embedder.model, similar.threshold) == (MODEL, 0.9)
    path = written(tmp_path, BASE)
    similar, _ = similar_of(settings_of(path, TOKENGUARD_CACHE__SIMILAR__THRESHOLD="0.8"))
    assert similar.threshold == 0.8
    assert settings_of(path, TOKENGUARD_CACHE__SIMILAR="off").similar is None
    with pytest.raises(ConfigError, match="both say what 'similar' is"):
        settings_of(path, TOKENGUARD_CACHE__SIMILAR="off", **said)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (BASE + 'base_url = "localhost:8080"', 5, "Similar(base_url='localhost:8080'): give a URL"),
        (BASE + 'timeout = "soon"', 5, "cache.similar.timeout must be a length of time"),
        (BASE + "timeout = 0", 5, "Similar(timeout=0)"),
        (BASE + "audit = 2", 5, "cache.similar.audit must be a share from 0 to 1, not 2"),
        (BASE + "max_chars = 0", 5, "cache.similar.max_chars must be a whole number, 1 or more, not 0"),
        (BASE + "dimensions = 0", 5, "cache.similar.dimensions must be a whole number, 1 or more, not 0"),
        (BASE + 'calibration = "none.json"', 5, "Similar(calibration=...) has its own threshold"),
        (BASE.replace("0.9", "1.5"), 3, "cache.similar.threshold must be a cosine above 0, up to 1, not 1.5"),
        (BASE.replace("true", "false"), 3, "Similar(threshold=0.9): nobody knows how often that is wrong"),
        (
            f'[cache.similar]\nmodel = "{MODEL}"\ncalibration = "none.json"',
            3,
            "Similar(calibration=...): the calibration",
        ),
        ("[cache.similar]\nthreshold = 0.9\nuncalibrated = true", 1, "cache.similar.model is missing"),
        ('[cache]\nsimilar = "yes"', 2, "cache.similar must be false or a [cache.similar] table"),
        (BASE + 'embeder = "x"', 5, "unknown key 'embeder' in [cache.similar]"),
    ],
)
def test_a_wrong_value_is_told_with_its_place(tmp_path: Path, text: str, line: int, message: str) -> None:
    """The file and the line of the key, and what is allowed there."""
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        config.load(path, environ={})
    assert str(refused.value).startswith(f"{path}:{line}: {message}")


def test_a_key_that_is_put_in_the_file_is_not_shown(tmp_path: Path) -> None:
    """It is refused, and said nowhere."""
    path = written(tmp_path, BASE + 'api_key_env = "sk-proj-abcdef0123456789"')
    with pytest.raises(ConfigError, match="not the key in it") as refused:
        config.load(path, environ={})
    assert str(refused.value).startswith(f"{path}:5: Similar(api_key_env=...)")
    assert "abcdef" not in str(refused.value)


def test_what_is_shown_can_be_loaded(tmp_path: Path) -> None:
    """The effective settings say all of it."""
    path = written(tmp_path, BASE)
    said = config.load(path, environ={})
    saved = tmp_path / "saved.toml"
    saved.write_text(document(said), encoding="utf-8")
    assert config.guard_arguments(config.load(saved, environ={}))["cache"] == settings_of(path)
    assert "[cache.similar]" in saved.read_text("utf-8")
    assert json.loads(json.dumps(config.json_schema()))["definitions"]["SimilarTable"]
